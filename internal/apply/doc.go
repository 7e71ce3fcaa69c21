// Package apply carries out what reconcile planned for one Region, and fills
// in how each step ended.
//
//	err := apply.Run(ctx, &plan.Regions[0], cloud, record, apply.Options{
//		Decide: func(f state.Function) []plan.Step { … },   // one function, anew
//		Permit: func(steps []plan.Step) *plan.Held { … }, // still open?
//	})
//	for _, s := range plan.Regions[0].Steps { fmt.Println(s.ID, s.Result.Status) }
//
// What it promises:
//
//   - All steps of one function that may run become one write of its whole
//     layer list, guarded by the RevisionID of a read made just before. When
//     the ordered list is not what the plan saw, or AWS reports that the function
//     changed meanwhile, the function is read and decided again; a refused
//     write is never repeated blindly.
//   - No write without a record: the intent is recorded before, the outcome
//     after. When a record cannot be written nothing more is changed.
//   - A lost answer is looked up in AWS, not guessed. What cannot be found out
//     keeps a record without an end, which the next start settles
//     (history.Unfinished).
//   - Callers who come by an alias get the new list by a serve step, in the same
//     record: a version is published from what was verified, waited for until it
//     is Active, the alias pointed at it or given weights, its provisioned
//     concurrency waited for, and what it serves read again. When $LATEST has
//     anything else that is not released, nothing of the function is touched.
//   - A layer version is published before all else, and never twice: it is looked for
//     among the live ones first, the content of a semantic version is fixed with the
//     intent, AWS is asked once, and after a lost answer the version is looked for. What
//     AWS has in the end must be what was decided about.
//   - Aliases that go back to a version which exists come before every other
//     function: one write each, and no list is changed for it.
//   - A step counts as applied only after AWS finished the update and a read
//     showed the list that was meant. A function that already has it gets no
//     write: its steps are skipped without an Error. A skipped step with an
//     Error was not done; the Error is why.
//   - One function's failure, or its panic, leaves the others alone.
//   - When ctx ends, no further write is begun; what was sent is waited for,
//     verified and recorded, for at most 20 seconds.
//   - A version is deleted only after all functions, only if no step of its
//     layer failed, and only while a complete sweep younger than five minutes
//     shows nobody using it.
//
// What it does not: it judges no health (but Result.Unwell reports that a
// published version did not start), holds nothing back but what Permit holds,
// plans nothing and limits no rates (the adapter does).
package apply

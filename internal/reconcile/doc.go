// Package reconcile decides: it compares what Git wants with what AWS has and
// with what layerd applied before, and gives an ordered plan in which every
// step, every kept version and every held change carries a reason.
//
//	plan := reconcile.Decide(reconcile.Input{
//		Want: envs, Others: others, Have: snapshots, Past: past, Approvals: approvals, Now: now,
//	})
//	for _, region := range plan.Regions {
//		for _, step := range region.Steps {
//			if step.Held == nil { … may run now … }
//		}
//	}
//
// A decision may want to know more before it is whole (RegionPlan.Needs): who
// runs a version that is about to be pruned, whether a foreign layer in a list
// can still be named, what aliases serve. The caller looks, adds it to the
// snapshot and decides again. What is not known yet is never pruned.
//
// # Where a rule is
//
//   - resolve.go: which live number a version of Git stands for
//   - function.go: the table of causes; drift
//   - block.go: why a function cannot be changed; selections
//   - retention.go: why a version is kept
//   - permit.go: who holds a step, and until when
//   - finish.go: aliases left behind, in sync, cost
//   - fold.go: what a function's list becomes
//   - document.go: the JSON that other programs read
//
// # Promises
//
// Each is checked over generated worlds in worlds_test.go.
//
//   - After a plan was applied, deciding again finds nothing to do (two rounds
//     at most).
//   - No step starts while the calendar is closed, except that, where
//     new_functions is now, a function that gets a layer for the first time, at
//     the number applied here last, waits for freezes and not for windows.
//   - No change starts without a covering, unexpired approval where one is
//     required, except Git going back to a version once applied here.
//   - A protected version is never pruned: not the newest, not one that any
//     $LATEST or published version runs, not one that any environment names,
//     not one of the last three applied here, not what a function had before
//     layerd, not one that is shared or about which something is unknown.
//   - What Git does not name appears in no step.
//   - An attach keeps the neighbours and their order, and no function ends with
//     a list that is neither the old nor the new one.
//   - Shuffled input gives the same plan.
//   - Every held step says by whom, and until when if that is known.
//   - No plan exceeds its limits: five layers, max_new, twenty prunes a day.
//   - A blocked function is in no step.
//
// The package is pure: no clock, no network, no disk, no log, no randomness.
package reconcile

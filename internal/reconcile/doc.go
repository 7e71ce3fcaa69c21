// Package reconcile decides: it compares what Git wants with what AWS has and with
// what layerd applied before, and returns an ordered plan in which every step,
// every kept version and every held change carries a reason.
//
//	p := reconcile.Decide(reconcile.Input{
//		Regions: []reconcile.Region{{Want: env, Have: snapshot, Past: past}}, Others: others, Approvals: approvals, Now: now,
//	})
//	for _, region := range p.Regions {
//		for _, step := range region.Steps {
//			if step.Held == nil { … may run now … }
//		}
//	}
//
// For each Region there is a world, which is all that is known and to which nobody
// writes, and a draft, which only grows; decide.go has the order of the passes.
//
// A decision may want to know more before it is whole (plan.Region.Needs): who
// runs a version that is about to be pruned, whether a foreign layer in a list
// can still be named, what aliases serve, what an archive holds. The caller looks, adds it to the
// snapshot and decides again. What is not known yet is never pruned.
//
// # Where a rule is
//
//   - world.go: what is given and what is drafted; decide.go: the passes
//   - function.go: the table of causes; drift
//   - back.go: where a person may take a layer back to
//   - block.go: why a function cannot be changed; selections
//   - holder.go: which environment has a function that several select
//   - retention.go: why a version is kept; unseen.go: with whom it is shared
//   - publish.go: what is published, what stands in its way, and what waits for it
//   - sharing.go: which grants are made and taken back
//   - permit.go: who holds a step, and until when
//   - serve.go: what callers get through an alias, and when it is moved
//   - waves.go: which wave a function is in, and what waits for it; estimate.go:
//     how long all waves take, and whether a window is long enough
//   - undo.go: how a rollout is rolled back; canary_cleanup.go: shares of calls with
//     which nothing is done any more
//   - quarantine.go: what must not come again, and what drift is left alone
//   - preflight.go: what AWS would refuse
//   - requires.go: what a function's tag requires of a layer
//   - withdrawn.go: who still has what Git has yanked or calls deprecated
//   - finish.go: aliases that lag, in sync, cost; status.go: where rollouts stand
//
// The nouns are package plan's, the life of a rollout is package rollout's, and
// which number a version means is package catalog's.
//
// # Promises
//
// Each is checked over generated worlds in worlds_test.go; those about rollouts
// over whole plays of them in rollouts_test.go.
//
//   - After a plan was applied, deciding again finds nothing to do (two rounds
//     at most).
//   - No step starts while the calendar is closed, except that, where
//     new_functions is now, a function that gets a layer for the first time, at
//     the number applied here last, waits for freezes and not for windows, as does
//     what is published, which changes no function.
//   - No change starts without a covering, unexpired approval where one is
//     required, except Git going back to a version once applied here.
//   - Whoever has approved a plan that publishes a version is asked no second time
//     for what comes of it: its grants are in that plan, and neither they nor what
//     attaches it need another word once it has a number.
//   - The same version of a layer, with the same content, is never published twice, and
//     one with another content than the first time never at all. Nothing is attached
//     whose number is not known, and no rollout begins with it.
//   - A protected version is never pruned: not the newest, not one that any
//     $LATEST or published version runs, not one that any environment names,
//     not one of the last three applied here, not what a function had before
//     layerd or before the rollout under way, not what going back means, not one
//     that is shared or about which something is unknown.
//   - What Git does not name appears in no step.
//   - Of two worlds that differ in one environment's file only, the plans of all other
//     environments are equal, but for the versions that a file keeps by naming them;
//     and nothing that another one holds is in a step of that environment
//     (holder_law_test.go).
//   - An attach keeps the neighbours and their order, and no function ends with
//     a list that is neither the old nor the new one.
//   - Shuffled input gives the same plan.
//   - Every held step says by whom, and until when if that is known.
//   - No plan exceeds its limits: five layers, max_new, twenty prunes a day.
//   - A blocked function is in no step.
//   - A rollout ends: it is done, went back, or a newer commit took over, which
//     it does at the end of a wave that was judged, or after a halt.
//   - No function is changed before all waves before its own were changed and
//     judged well, but for functions that waited for something of their own; and
//     no more functions are changed than the wave is to have in the end, also
//     when functions come and go meanwhile.
//   - After going back each function has exactly the list, and its alias the
//     version, that it had before the first of the rollouts that took over from
//     each other. What somebody else has changed since is left alone and named.
//   - What went back does not come again, neither as a change nor as a heal,
//     until Git asks for another version or a person says so.
//   - After a rollout is done, nothing is left of it but what waits for
//     something of its own.
//   - Going back passes windows, freezes and approvals. Nothing else passes
//     because it is in the same function, nor because it is served by the same
//     alias.
//   - Going back goes back: a person's word brings nothing, to a function or to
//     its callers, that is higher and was not in the environment before.
//   - Nobody's code, settings or layers beside ours reach callers by us.
//
// The package is pure: no clock, no network, no disk, no log, no randomness.
package reconcile

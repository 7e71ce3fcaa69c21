// Package plan is what is to be done, as a value: the nouns that deciding,
// applying, remembering, telling and showing share.
//
// A Plan is of one environment. Each of its Regions has ordered steps, each step
// a cause, a reason for a person and, where it must wait, what holds it and until
// when:
//
//	for _, region := range p.Regions {
//		for _, step := range region.Steps {
//			if step.Held == nil { … may run now … }
//		}
//	}
//
// Only package reconcile makes plans, and only it says what is in them.
//
// # Where a noun is
//
//   - step.go: Step, its Kind, Cause and Result; the line by which an approval
//     covers it
//   - held.go: what holds a step; one table of who ends it, whether a rollout
//     goes on without the step and whether it is news
//   - region.go: Region, drift, blocked functions, kept versions
//   - serving.go: what moving an alias starts from and leads to
//   - outcome.go: what became of a Region's plan, beside it; report.go: of all of a round
//   - facts.go: what a plan means to the rollout under way
//   - past.go: what layerd did before; learned.go: what a look has taught
//   - rolloutstatus.go: where the rollouts stand, for telling
//   - fold.go: what a function's layer list becomes
//   - document.go: the JSON that other programs read (DESIGN section 4)
//
// # Promises
//
//   - Kinds, causes, statuses, holders and kinds of drift are closed lists: each
//     value is documented once, and stored and printed as it is written here.
//   - Every Held and every Blocked has a reason that is a sentence.
//   - Document never changes its fields within one FormatVersion, and its lists
//     are never null.
//
// The package is pure: no clock, no network, no disk, no log, no randomness.
package plan

// Package round is one pass over environments: observe, decide, judge, apply,
// settle, remember.
//
//	result, err := round.Round{Tree: tree, Store: s, Connect: connect}.Plan(ctx)  // changes nothing
//	result, err := round.Round{Tree: tree, Store: s, Connect: connect}.Apply(ctx) // does what may be done now
//
// What a person asks of it is a method as well, so that the command line, a page and a
// message do the same: Rollback, Retry, Why.
//
// A daemon, which goes on with each environment by itself, takes the pass apart:
// Begin holds the leases and observes, Run.Apply does the rest for one environment.
//
// # How it goes
//
//   - round.go: Round, what a pass is given, and what a decision looks at
//   - observe.go: observing every account, Region and role once, deciding until
//     nothing more is asked
//   - apply.go: carrying a decision out: approvals, the record, what became of it
//   - judge.go: what the checks of a rollout find; rollout.go: moving it on
//   - try.go: whether a newer commit resolves at all
//   - parameters.go: what stands is written where others read it
//   - settle.go: how a write ended whose process was killed
//   - rollback.go: a person's word that takes a layer back, returning.go: where to,
//     refusal.go: why not; retry.go: what failed may come again
//   - why.go: what a round knows of one function
//   - result.go: what a round found, and what it decided from; failure.go: why
//     something was not done, the end of ctx included
//   - filter.go: a round about some steps only; status.go: how rollouts stand at its
//     end
//   - follow.go: rounds until a rollout has nothing left to do by itself
//   - cache.go: what one pass leaves to the next
//   - cloud.go: what a pass needs of AWS; guard.go: writes only under the lease
//
// # What is promised
//
//   - What is about to be done is in the store before AWS is asked to do it.
//   - Nothing is sent once the lease of the account is lost, and nothing is looked
//     at in an account whose lease is not to be had.
//   - An error or a panic in one environment is that one's failure.
//   - Plan writes nothing, neither to AWS nor to the store.
//   - A second pass right after a finished one writes nothing.
//
// It knows no SDK and no adapter; package daemon wires both.
package round

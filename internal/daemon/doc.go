// Package daemon is where everything meets: it reads what Git wants, looks at
// what AWS has, lets internal/reconcile decide, internal/apply do and
// internal/history remember. It is the only package besides cmd/layerd that
// knows both the ideas and the adapters.
//
// For now it makes one round at a time, for the commands plan and apply:
//
//	round := daemon.Round{Tree: tree, Revision: commit.Hash, Repository: id, Store: s, Connect: connect}
//	result, err := round.Plan(ctx)   // changes nothing, writes nothing
//	result, err := round.Apply(ctx)  // the same decision, carried out
//
// What it promises:
//
//   - The account is checked before anything else is asked of it, and nothing
//     is asked of an account that is not the environment's.
//   - Environments are isolated: what goes wrong in one is that one's
//     Failure, and the others are done.
//   - Observation is shared by the environments of one account, Region and
//     role.
//   - Plan never writes, neither to AWS nor to the store. Apply writes the
//     intent before the first change and stops changing when it cannot.
package daemon

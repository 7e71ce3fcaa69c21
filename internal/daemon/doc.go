// Package daemon is the process: it follows Git, keeps the lease of each account,
// makes rounds when they are due, and tells people. It is the only package besides
// cmd/layerd that knows both the ideas and the adapters.
//
//	d, err := daemon.New(daemon.Options{Repository: id, Source: repo, Store: s, Connect: connect, Name: "host:42"})
//	go http.Serve(listener, d.Handler())   // /healthz, /readyz
//	err = d.Run(ctx)                       // for years; nil after an orderly end
//
// One pass is package round, which the commands plan and apply make by themselves.
//
// # How a daemon works
//
//	follow.go    looks at the branch; the newest commit is the head
//	load.go      reads a commit, each environment within a deadline, off all locks
//	desired.go   each environment as the head wants it, or as the last good commit did
//	trial.go     the newest commit is on trial until it resolves in AWS
//	problems.go  what a person has to mend: one list for the log, readyz, the metrics and alerts
//	secrets.go   are the secrets of the configuration still there
//	lastgood.go  keeps that commit in the store, for a start without Git
//	account.go   one loop for each account: its environments and who is due
//	account_lease.go  how it gets, loses and releases its lease; balance.go: shares accounts out
//	replaced.go  a store that was deleted or replaced under the daemon
//	revisions.go observed, planned, attempted, applied: four revisions
//	hints.go     a queue of events makes an environment due; nothing of them is believed
//	meter.go     figures for CloudWatch, of which people make alarms
//	ends.go      the end of an update is heard of, so that AWS is asked less whether it came
//	tell.go      what a round found, to the notifiers; actors.go: who else changes a function
//	look.go      when AWS was last read, and why it was not; health.go: is it alive, is it ready
//
// # What is promised
//
//   - The account is checked before anything else is asked of it, and nothing
//     is asked of an account that is not the environment's.
//   - Environments are isolated: what goes wrong in one, a panic included, is
//     that one's Failure, and the others are done.
//   - Observation is shared by the environments of one account, Region and
//     role that are due at the same time, and a long rollout of one keeps no
//     other from its window: a window that is shorter than the interval is met.
//   - Plan never writes, neither to AWS nor to the store. Apply writes the
//     intent before the first change and stops changing when it cannot.
//   - Without the lease of an account nothing is asked of AWS. When the store
//     does not answer, whoever had the lease goes on looking and changes
//     nothing.
//   - A kill at any instant loses nothing (chaos_test.go): the next holder
//     settles what was left open, from what AWS has.
//   - A rollout is known to the store before its first change, and its
//     quarantine before the first function goes back: whoever comes next goes on
//     there. Whoever had the lease before, and wakes, is refused.
//   - AWS is asked how a change does only where the environment says what is to
//     be looked at. That we were stopped says nothing about a change.
//   - Durations are measured on the monotonic clock; a clock that is set only
//     changes what a window says.
//
// # What is not
//
// A message may arrive twice after a kill. A pin that ends is noticed up to five
// minutes late. A smoke test is called again when nobody could tell how it ended,
// or after a kill; so is one of a wave that halted and is judged once more.
package daemon

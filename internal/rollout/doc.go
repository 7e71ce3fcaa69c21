// Package rollout is the life of a rollout: one environment in one Region that
// is brought to one plan, all its layers together, wave by wave.
//
// A rollout is a value. It has one stage, and one function moves it:
//
//	next := ro.Next(rollout.Applied{Facts: facts}, rules, now)
//	if ro.Moved(next) { … keep next before anything follows from it … }
//
// Whoever makes rounds asks three questions, in this order: Answer, which
// event follows from what is known already; Checks, what has to be looked at in
// this stage; and, with what was found, Next. Nobody else writes a stage, so that
// the daemon, a person's rollback, the watch after a rollout and the laws over
// generated worlds go through the same transitions.
//
// # Where a rule is
//
//   - next.go: the events, and the table of transitions
//   - due.go: what is looked at in a stage, and when it is judged
//   - waves.go: how many functions a wave has; order.go: who goes first
//   - introduced.go: which versions a rollout brought, and so what is bad when
//     it fails
//
// # Promises
//
//   - Next is a function of its arguments and does not change its receiver.
//   - A rollout ends: it is done, went back, or a newer commit took over. A stage
//     that ended never moves again.
//   - The wave never decreases, and only a wave that passed its checks, or that
//     has none, is followed by another.
//   - Since is when the stage began and Ended when the rollout did, both in UTC;
//     Smoked is of the stage under way only.
//
// The package is pure: no clock, no network, no disk, no log, no randomness.
package rollout

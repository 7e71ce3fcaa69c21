// Package notify decides which facts deserve a message, and sees to it that
// each is reported once.
//
// A fact lasts (makoto-common drifted on three functions) or has happened (it
// was applied to two hundred). A fact that lasts makes an alert with a life:
// opened, updated when its facts change, reminded when nothing changes,
// resolved when it is over. What happened is reported once.
//
//	book := notify.NewBook(store, repository, notify.Options{Targets: targets})
//	from, err := book.Cursor(ctx, "prod")            // how far the history was reported
//	entries, to, err := log.CompletedSince(ctx, from) // what has ended since
//	events, err := book.Tell(ctx, notify.Situation{  // at the end of each round
//		Environment: "prod", Now: now, Plan: &plan, Revision: commit, Ended: entries, From: from, To: to, LookedAt: …,
//	})
//	events, err = book.TellRepository(ctx, notify.Repository{Now: now, ReadAt: pulled, Error: …})
//	result, err := book.Deliver(ctx)                 // again after each Tell, and at result.Next
//	for _, f := range result.Failed { log.Warn("message not delivered", "target", f.Target, "err", f.Err) }
//
// # Deciding
//
// Facts, RepositoryFacts and Events are functions: no clock, no store, no
// randomness. There is one alert for each kind, environment, Region and layer,
// with the functions inside; never one for each function. Whether an alert
// changed is decided by its facts alone (Item): other words, other times and
// another order are no news. What is not known (AWS was not read) neither opens
// nor resolves anything.
//
// An alert is updated at most every five minutes, and one that is over does not
// open again for five minutes; what changes back meanwhile is never reported. The
// first look at an environment is one message that sums up everything it found,
// what is risky first: functions that would get a layer for the first time.
// Functions that can never have layers, unknown layers and changed orders are
// reported when they change, and never repeated. A message
// about what was done also ends the alerts that it settles.
//
// # Rollouts
//
// A rollout that takes more than one round has one alert, change_applied, from
// its first round to its end; its waves are no news, and what they did is
// reported with the end. One that a single round carries out is reported by its
// records, as any change. An incident is one message: that a rollout goes back,
// or that a person rolled back, is rolled_back from the decision until the
// quarantine is lifted, and ends the alerts of the rollout itself, of its held
// steps and of its failed ones. Only a quarantine that nothing was rolled back
// for is a quarantined of its own. rollout_failed needs a person: the rollout
// halted, its rollback has left something to do for three rounds, or an alarm
// is on while a complete rollout is watched.
//
// # Delivering
//
// Alerts and the messages that wait for delivery are one value in the store, so
// that a message is never decided and lost. What targets did not take is tried
// again for seven days, for each target on its own: a minute apart at most, or as
// it asks but at most an hour, and at once after a start and when a message is new.
// Nothing of that wait is stored.
//
// The loudest is next, by severity and then by age; the messages of one alert keep
// their order. A target that still waits for what was said of an alert gets one
// message in place of all that: what the alert is by now, or that it came and went.
// A message that is refused again and again lets one other try in its place, which
// shows whether it is the message or the target.
//
// A target that takes nothing has a state for people (Targets), and is an alert,
// delivery_failed, for the other targets.
//
// Delivery is at least once: when the process dies between a target's answer
// and our note of it, that one message is sent again. Messages of an environment
// are bounded (200, and 200 KiB). When more wait, the oldest of the same alert
// are dropped, the least loud first, and the next one counts them.
//
// That the store fails is kept in memory only, since there is no other place.
//
// # What is kept
//
//	alert/REPO/ENVIRONMENT    alerts, cursor and outbox; ENVIRONMENT is empty for the repository
//
// Values are JSON with a version "v"; one that is newer than this program
// is store.ErrNewer, never half understood. What is stored (document.go, Alert,
// Message, Section, ID) keeps its field names for ever.
//
// # Where a rule is
//
//   - facts.go, planned.go, ended.go, repository.go: from a situation to facts
//   - rollout.go, rolledback.go, tug.go: the same for rollouts
//   - events.go: the life of an alert
//   - compose.go, firstlook.go, words.go: from an event to a message
//   - document.go: the cursor and what is stored
//   - outbox.go: what waits, what takes the place of what, and its bounds
//   - book.go, deliver.go: the store and what is sent next
//   - targets.go: what is known of a target, and when it is tried again
package notify

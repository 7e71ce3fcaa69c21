// Package history remembers what layerd did and what it left behind.
//
// An entry is one step that was about to be carried out: which commit asked for
// it, who approved it, the function's list before and after. It is written
// before AWS is asked to change anything, and its end is added afterwards. An
// entry without an end means that whoever made it was killed in between, or
// never learned how AWS answered; somebody has to look.
//
//	log := history.Open(s, "https://github.com/acme/layers.git")
//	past, err := log.Past(ctx, "prod", "ap-northeast-1")      // for reconcile.Decide
//	err = log.RecordObservations(ctx, "prod", "ap-northeast-1", plan.Regions[0].Learned, now)
//	round, err := log.BeginRound(ctx, history.Round{Environment: "prod", …})
//	err = apply.Run(ctx, &plan.Regions[0], cloud, round, options)
//	err = round.FinishRound(ctx)
//	for e, err := range log.Entries(ctx, history.Query{Environment: "prod"}) { … }
//	page, err := log.Page(ctx, history.Query{Environment: "prod"}, 20) // groups, each whole
//	entries, cursor, err = log.CompletedSince(ctx, cursor)    // what has ended since
//
// What people decide is part of it: a Log is the journal of the repository's
// rulings (Rulings), which has who decided what before it takes effect.
//
// A rollout spans many rounds and outlives the process that began it:
//
//	r := rollout.Rollout{ID: log.NewRolloutID(now), …}
//	err = log.SaveRollout(ctx, "prod", "ap-northeast-1", r)   // ErrStaleFence: stop
//	rollout, err := log.Rollout(ctx, "prod", "ap-northeast-1")
//	changed, err := log.Changed(ctx, *rollout)                // what a rollback has to undo
//	err = log.Prove(ctx, "prod", "ap-northeast-1", r.Targets) // it came through healthily
//
// # What is promised
//
// Begin returns only after the record is durable. Finish first brings the past
// up to date and then ends the record, so that an ended record is always in the
// past as well, and doing it twice changes nothing. A round that changes nothing
// and observes nothing new writes nothing.
//
// The record of a publish fixes what its semantic version is, before AWS is asked: from
// then on another content is refused under it (apply.RefusedError), whoever comes with
// it. A publish that did not come through lets go of it, so that what AWS refused can
// be mended; one without an end does not.
//
// When an end was lost, the past is behind by one step: Settle brings it up to
// date once somebody looked; without that the next decision finds the function
// as wanted and adopts it.
//
// # What is not
//
// A record is no lock: two layerds at work on one environment at the same time
// are kept apart by the lease, and each write by its RevisionID. But one that
// was stopped, lost its lease and wakes does not turn the past back: what it
// still has to say is older than what the lease's next holder wrote, and each
// document of the past has the highest fencing number that wrote it. The
// document of a rollout has it as well, but there the old holder gets an error
// (ErrStaleFence): it would go on with a wave that is over. Nothing is ever deleted.
//
// # What is kept
//
// REPO is the identity of the desired-state repository, so that two of them can
// share one store; ID is a time in UTC with nanoseconds and a random word.
//
//	history/REPO/ID                         one record: all steps of one write
//	history/REPO/ID/ruling                  one decision of a person
//	rollout/REPO/ENVIRONMENT/REGION         the current or last rollout
//	open/REPO/ENVIRONMENT/REGION            which rounds may have records without an end
//	published/REPO/LAYER/SEMVER             what the content of a layer's version is, everywhere
//	past/REPO/function/ENVIRONMENT/REGION/NAME
//	past/REPO/layer/ENVIRONMENT/REGION/ARN
//	past/REPO/pruned/ENVIRONMENT/REGION     the prunes of the last 24 hours
//
// Values are JSON with a version "v"; one that is newer than this program knows
// is store.ErrNewer, never half understood. What is stored (files document.go,
// record.go and ruling.go, and Round) keeps its names in JSON for ever; an Entry may
// change otherwise.
package history

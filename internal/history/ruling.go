package history

import (
	"context"
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
)

// What an entry says that is no step but a person's decision.
const (
	KindApproval reconcile.Kind   = "approval"
	KindForget   reconcile.Kind   = "forget"
	CauseRuling  reconcile.Cause  = "ruling"
	StatusGiven  reconcile.Status = "given"
)

// rulingSegment is behind the ID in the key of a ruling.
const rulingSegment = "ruling"

// rulingDoc is one decision of a person. It is written once and never changed.
// Stored: names and meanings stay.
type rulingDoc struct {
	head
	Kind        reconcile.Kind `json:"kind"`
	Environment string         `json:"environment"`
	Digest      string         `json:"digest,omitempty"`
	By          string         `json:"by"`
	Reason      string         `json:"reason,omitempty"`
	Steps       int            `json:"steps,omitempty"` // of the plan; 0 = nobody had offered it
	At          time.Time      `json:"at"`
}

func (d rulingDoc) entry(id string) Entry {
	step := string(d.Kind) + "/" + d.Environment
	if d.Digest != "" {
		step += "/" + d.Digest
	}
	return Entry{
		ID: id, Environment: d.Environment, Kind: d.Kind, Cause: CauseRuling, Status: StatusGiven,
		Step: step, Reason: d.Reason,
		Digest: d.Digest, Approval: d.Digest, ApprovedBy: d.By, Steps: d.Steps, Started: d.At, Ended: d.At,
	}
}

// Approve gives an approval and writes it into the history. An approval that
// was given already and is stillValid stays as it is: the first word counts, and
// nothing is written.
//
// The history is written first. Whoever is killed in between leaves a line that
// says who approved, and no approval: nothing happens, and the person approves
// again. The other way round an approval could release a plan while the history
// does not know that it was ever given.
func (l *Log) Approve(ctx context.Context, a ruling.Approval, stillValid func(ruling.Approval) bool) (ruling.Approval, error) {
	old, ok, err := ruling.Find(ctx, l.store, l.repository, a.Environment, a.Digest)
	if err != nil {
		return a, fmt.Errorf("read the approval: %w", err)
	}
	if ok && stillValid(old) {
		return old, nil
	}
	offer, _, err := ruling.FindOffer(ctx, l.store, l.repository, a.Environment, a.Digest)
	if err != nil {
		return a, fmt.Errorf("read the waiting plan: %w", err)
	}
	err = l.rule(ctx, rulingDoc{
		Kind: KindApproval, Environment: a.Environment, Digest: a.Digest, By: short(a.By), Reason: short(a.Reason),
		Steps: len(offer.Lines), At: a.At.UTC(),
	})
	if err != nil {
		return a, fmt.Errorf("record who approved: %w", err)
	}
	return ruling.Approve(ctx, l.store, l.repository, a, stillValid)
}

// Forget lets an environment be forgotten and writes that into the history,
// which comes first as it does in Approve. What is forgotten already stays so by
// the first word, and nothing is written.
func (l *Log) Forget(ctx context.Context, f ruling.Forgotten) (ruling.Forgotten, error) {
	old, ok, err := ruling.FindForgotten(ctx, l.store, l.repository, f.Environment)
	if err != nil {
		return f, fmt.Errorf("read whether %s is forgotten: %w", f.Environment, err)
	}
	if ok {
		return old, nil
	}
	f.By, f.Reason, f.At = short(f.By), short(f.Reason), f.At.UTC()
	err = l.rule(ctx, rulingDoc{Kind: KindForget, Environment: f.Environment, By: f.By, Reason: f.Reason, At: f.At})
	if err != nil {
		return f, fmt.Errorf("record who let %s be forgotten: %w", f.Environment, err)
	}
	return ruling.Forget(ctx, l.store, l.repository, f)
}

// rule appends a ruling. Its key lies between those of the records, so that
// reading the history newest first stays one scan.
func (l *Log) rule(ctx context.Context, d rulingDoc) error {
	d.V = version
	key := store.Key("history", l.repository, l.clock.next(time.Now()), rulingSegment)
	return update(ctx, l.store, key, func(now *rulingDoc) bool {
		if now.V != 0 {
			return false // our own write, whose answer was lost: the key has a random word
		}
		*now = d
		return true
	})
}

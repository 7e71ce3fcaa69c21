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
	return Entry{
		ID: id, Environment: d.Environment, Kind: d.Kind, Cause: CauseRuling, Status: StatusGiven,
		Step: string(d.Kind) + "/" + d.Environment + "/" + d.Digest, Reason: d.Reason,
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

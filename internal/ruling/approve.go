package ruling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

// PendingPlan is a plan that waits for an approval, as apply saw it, so that approve
// can list what it releases and bind the lines at once.
type PendingPlan struct {
	Environment string    `json:"environment"`
	Digest      string    `json:"digest"`
	Scope       []string  `json:"lines"`
	At          time.Time `json:"at"`
}

var pendingPlans = kind[PendingPlan]{
	name:  "offer",
	key:   func(o PendingPlan) []string { return []string{o.Environment, o.Digest} },
	scope: func(o *PendingPlan) *[]string { return &o.Scope },
}

var approvals = kind[Approval]{
	name: "approval", one: "the approval", who: "who approved",
	key:   func(a Approval) []string { return []string{a.Environment, a.Digest} },
	scope: func(a *Approval) *[]string { return &a.Scope },
	decision: func(a Approval) Decision {
		return Decision{Kind: DecidedApproval, Environment: a.Environment, Digest: a.Digest, By: a.By, Reason: a.Reason, At: a.At, Steps: len(a.Scope)}
	},
}

// RecordPending records a waiting plan. Recording the same plan again changes
// nothing.
func RecordPending(ctx context.Context, s store.Store, repository string, o PendingPlan) error {
	t := pendingPlans.of(s, repository)
	// It is recorded again in each round while it waits: reading is cheaper
	// than compressing a hundred thousand lines that are there already.
	if _, err := s.Get(ctx, t.keyOf(o)); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	err := t.write(ctx, kept[PendingPlan]{}, o)
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

// FindPending returns the waiting plan with digest; ok is false when none was
// recorded in this store.
func FindPending(ctx context.Context, s store.Store, repository, environment, digest string) (o PendingPlan, ok bool, err error) {
	return pendingPlans.of(s, repository).find(ctx, PendingPlan{Environment: environment, Digest: digest})
}

// Pending returns the plans of an environment that waited at some time and whose
// digests begin with prefix, by digest, without their lines; FindPending has
// them. Old ones are included: a plan is not taken back when another replaces
// it.
func Pending(ctx context.Context, s store.Store, repository, environment, prefix string) ([]PendingPlan, error) {
	return pendingPlans.of(s, repository).list(ctx, "the waiting plans of "+environment, store.Prefix(environment)+prefix,
		func(PendingPlan) bool { return false })
}

// Find returns the approval with digest; ok is false when there is none.
func Find(ctx context.Context, s store.Store, repository, environment, digest string) (a Approval, ok bool, err error) {
	return approvals.of(s, repository).find(ctx, Approval{Environment: environment, Digest: digest})
}

// Load returns all approvals of an environment, ended ones included, by digest.
// Those that ended come without their lines: they cover nothing, and years of
// them would be read in every round.
func Load(ctx context.Context, s store.Store, repository, environment string) ([]Approval, error) {
	return approvals.of(s, repository).list(ctx, "approvals of "+environment, store.Prefix(environment),
		func(a Approval) bool { return a.Ended.IsZero() })
}

// Approve records a's word. Approving what is approved and would still be valid
// at a.At is no error and keeps the first word; an approval that ended or expired
// is given anew. A plan that was recorded by RecordPending is bound at once.
func (r *Registry) Approve(ctx context.Context, a Approval, cal window.Calendar) (Approval, error) {
	a.By, a.Reason, a.At = truncate(a.By), truncate(a.Reason), a.At.UTC()
	if o, ok, err := FindPending(ctx, r.store, r.repository, a.Environment, a.Digest); err != nil {
		return a, fmt.Errorf("read the waiting plan: %w", err)
	} else if ok {
		a.Scope = o.Scope
	}
	return approvals.of(r.store, r.repository).give(ctx, r.journal, a, func(old Approval) bool { return old.Valid(cal, a.At) })
}

// Update changes an approval in place: to bind its lines, to note that its
// rollout has begun or ended. It reads again and repeats when somebody else
// wrote meanwhile.
func Update(ctx context.Context, s store.Store, repository string, a Approval, change func(*Approval)) error {
	found := true
	err := approvals.of(s, repository).update(ctx, a, func(now *Approval, there bool) bool {
		if found = there; there {
			change(now)
		}
		return there
	})
	if err == nil && !found {
		err = fmt.Errorf("the approval of %s: %w", a.Environment, store.ErrNotFound)
	}
	return err
}

package ruling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

// Offer is a plan that waits for an approval, as apply saw it, so that approve
// can say what it releases and bind the lines at once.
type Offer struct {
	Environment string    `json:"environment"`
	Digest      string    `json:"digest"`
	Lines       []string  `json:"lines"`
	At          time.Time `json:"at"`
}

var offers = kind[Offer]{
	name:  "offer",
	key:   func(o Offer) []string { return []string{o.Environment, o.Digest} },
	lines: func(o *Offer) *[]string { return &o.Lines },
}

var approvals = kind[Approval]{
	name: "approval", one: "the approval", who: "who approved",
	key:   func(a Approval) []string { return []string{a.Environment, a.Digest} },
	lines: func(a *Approval) *[]string { return &a.Lines },
	decision: func(a Approval) Decision {
		return Decision{Kind: DecidedApproval, Environment: a.Environment, Digest: a.Digest, By: a.By, Reason: a.Reason, At: a.At, Steps: len(a.Lines)}
	},
}

// Offering records a waiting plan. Recording the same plan again changes
// nothing.
func Offering(ctx context.Context, s store.Store, repository string, o Offer) error {
	t := offers.of(s, repository)
	// It is recorded again in each round while it waits: reading is cheaper
	// than compressing a hundred thousand lines that are there already.
	if _, err := s.Get(ctx, t.keyOf(o)); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	err := t.write(ctx, kept[Offer]{}, o)
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

// FindOffer returns the waiting plan with digest; ok is false when none was
// recorded in this store.
func FindOffer(ctx context.Context, s store.Store, repository, environment, digest string) (o Offer, ok bool, err error) {
	return offers.of(s, repository).find(ctx, Offer{Environment: environment, Digest: digest})
}

// Offers returns the plans of an environment that waited at some time and whose
// digests begin with prefix, by digest, without their lines; FindOffer has
// them. Old ones are included: a plan is not taken back when another replaces
// it.
func Offers(ctx context.Context, s store.Store, repository, environment, prefix string) ([]Offer, error) {
	return offers.of(s, repository).list(ctx, "the waiting plans of "+environment, store.Prefix(environment)+prefix,
		func(Offer) bool { return false })
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
// is given anew. A plan that was recorded by Offering is bound at once.
func (r *Registry) Approve(ctx context.Context, a Approval, cal window.Calendar) (Approval, error) {
	a.By, a.Reason, a.At = truncate(a.By), truncate(a.Reason), a.At.UTC()
	if o, ok, err := FindOffer(ctx, r.store, r.repository, a.Environment, a.Digest); err != nil {
		return a, fmt.Errorf("read the waiting plan: %w", err)
	} else if ok {
		a.Lines = o.Lines
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

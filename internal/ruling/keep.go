package ruling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// Offer is a plan that waits for an approval, as apply saw it, so that approve
// can say what it releases and bind the lines at once.
type Offer struct {
	Environment string    `json:"environment"`
	Digest      string    `json:"digest"`
	Lines       []string  `json:"lines"`
	At          time.Time `json:"at"`
}

// Offering records a waiting plan. Recording the same plan again changes
// nothing.
func Offering(ctx context.Context, s store.Store, o Offer) error {
	_, err := create(ctx, s, store.Key("offer", o.Environment, o.Digest), o)
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

// FindOffer gives the waiting plan with digest; ok is false when none was
// recorded in this store.
func FindOffer(ctx context.Context, s store.Store, environment, digest string) (o Offer, ok bool, err error) {
	v, err := s.Get(ctx, store.Key("offer", environment, digest))
	if errors.Is(err, store.ErrNotFound) {
		return Offer{}, false, nil
	}
	if err != nil {
		return Offer{}, false, err
	}
	return o, true, unmarshal(v, &o)
}

// Approve records a's word. Approving what is approved and still open is no
// error and keeps the first word; an approval that ended or expired is given
// anew. A plan recorded by Offering is bound at once.
func Approve(ctx context.Context, s store.Store, a Approval, stillValid func(Approval) bool) (Approval, error) {
	if o, ok, err := FindOffer(ctx, s, a.Environment, a.Digest); err != nil {
		return a, fmt.Errorf("read the waiting plan: %w", err)
	} else if ok {
		a.Lines = o.Lines
	}
	key := approvalKey(a)
	_, err := create(ctx, s, key, a)
	if !errors.Is(err, store.ErrExists) {
		return a, err
	}
	v, err := s.Get(ctx, key)
	if err != nil {
		return a, err
	}
	var old Approval
	if err := unmarshal(v, &old); err != nil {
		return a, err
	}
	if stillValid(old) {
		return old, nil
	}
	return a, replace(ctx, s, v, a)
}

// Load gives all approvals of an environment, ended ones included, by digest.
func Load(ctx context.Context, s store.Store, environment string) ([]Approval, error) {
	var list []Approval
	for v, err := range s.List(ctx, store.Query{Prefix: store.Prefix("approval", environment)}) {
		if err != nil {
			return nil, fmt.Errorf("list approvals of %s: %w", environment, err)
		}
		var a Approval
		if err := unmarshal(v, &a); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// Update changes an approval in place: to bind its lines, to note that its
// rollout has begun or ended. It reads again and repeats when somebody else
// wrote meanwhile.
func Update(ctx context.Context, s store.Store, a Approval, change func(*Approval)) error {
	for {
		v, err := s.Get(ctx, approvalKey(a))
		if err != nil {
			return err
		}
		var now Approval
		if err := unmarshal(v, &now); err != nil {
			return err
		}
		change(&now)
		err = replace(ctx, s, v, now)
		if !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

func approvalKey(a Approval) string { return store.Key("approval", a.Environment, a.Digest) }

func create(ctx context.Context, s store.Store, key string, v any) (store.Revision, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return s.Create(ctx, key, data)
}

func replace(ctx context.Context, s store.Store, old store.Value, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = s.Replace(ctx, old.Key, old.Revision, data)
	return err
}

func unmarshal(v store.Value, into any) error {
	if err := json.Unmarshal(v.Data, into); err != nil {
		return fmt.Errorf("read %s: %w", v.Key, err)
	}
	return nil
}

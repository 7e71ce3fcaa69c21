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

// version is what this program writes as "v" and the newest it understands.
const version = 1

// approvalDoc and offerDoc are what is stored. Names and meanings stay.
type approvalDoc struct {
	V int `json:"v"`
	Approval
}

type offerDoc struct {
	V int `json:"v"`
	Offer
}

// Offering records a waiting plan. Recording the same plan again changes
// nothing.
func Offering(ctx context.Context, s store.Store, repository string, o Offer) error {
	_, err := create(ctx, s, offerKey(repository, o.Environment, o.Digest), offerDoc{version, o})
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

// FindOffer gives the waiting plan with digest; ok is false when none was
// recorded in this store.
func FindOffer(ctx context.Context, s store.Store, repository, environment, digest string) (o Offer, ok bool, err error) {
	v, err := s.Get(ctx, offerKey(repository, environment, digest))
	if errors.Is(err, store.ErrNotFound) {
		return Offer{}, false, nil
	}
	if err != nil {
		return Offer{}, false, err
	}
	var doc offerDoc
	if err := decode(v, &doc); err != nil {
		return Offer{}, false, err
	}
	return doc.Offer, true, nil
}

// Offers gives the plans of an environment that waited at some time and whose
// digests begin with prefix, by digest. Old ones are included: a plan is not
// taken back when another replaces it.
func Offers(ctx context.Context, s store.Store, repository, environment, prefix string) ([]Offer, error) {
	var list []Offer
	q := store.Query{Prefix: store.Prefix("offer", repository, environment) + prefix}
	for v, err := range s.List(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("list the waiting plans of %s: %w", environment, err)
		}
		var doc offerDoc
		if err := decode(v, &doc); err != nil {
			return nil, err
		}
		list = append(list, doc.Offer)
	}
	return list, nil
}

// Find gives the approval with digest; ok is false when there is none.
func Find(ctx context.Context, s store.Store, repository, environment, digest string) (a Approval, ok bool, err error) {
	v, err := s.Get(ctx, approvalKey(repository, Approval{Environment: environment, Digest: digest}))
	if errors.Is(err, store.ErrNotFound) {
		return Approval{}, false, nil
	}
	if err != nil {
		return Approval{}, false, err
	}
	var doc approvalDoc
	if err := decode(v, &doc); err != nil {
		return Approval{}, false, err
	}
	return doc.Approval, true, nil
}

// Approve records a's word; for a person's word call history.Log.Approve,
// which writes it into the history as well. Approving what is approved and still open is no
// error and keeps the first word; an approval that ended or expired is given
// anew. A plan recorded by Offering is bound at once.
func Approve(ctx context.Context, s store.Store, repository string, a Approval, stillValid func(Approval) bool) (Approval, error) {
	if o, ok, err := FindOffer(ctx, s, repository, a.Environment, a.Digest); err != nil {
		return a, fmt.Errorf("read the waiting plan: %w", err)
	} else if ok {
		a.Lines = o.Lines
	}
	for {
		given, err := approveOnce(ctx, s, repository, a, stillValid)
		if !errors.Is(err, store.ErrChanged) {
			return given, err
		}
		// Somebody approved at the same time: theirs may be the first word.
	}
}

func approveOnce(ctx context.Context, s store.Store, repository string, a Approval, stillValid func(Approval) bool) (Approval, error) {
	key := approvalKey(repository, a)
	_, err := create(ctx, s, key, approvalDoc{version, a})
	if !errors.Is(err, store.ErrExists) {
		return a, err
	}
	v, err := s.Get(ctx, key)
	if err != nil {
		return a, err
	}
	var old approvalDoc
	if err := decode(v, &old); err != nil {
		return a, err
	}
	if stillValid(old.Approval) {
		return old.Approval, nil
	}
	return a, replace(ctx, s, v, approvalDoc{version, a})
}

// Load gives all approvals of an environment, ended ones included, by digest.
func Load(ctx context.Context, s store.Store, repository, environment string) ([]Approval, error) {
	var list []Approval
	for v, err := range s.List(ctx, store.Query{Prefix: store.Prefix("approval", repository, environment)}) {
		if err != nil {
			return nil, fmt.Errorf("list approvals of %s: %w", environment, err)
		}
		var doc approvalDoc
		if err := decode(v, &doc); err != nil {
			return nil, err
		}
		list = append(list, doc.Approval)
	}
	return list, nil
}

// Update changes an approval in place: to bind its lines, to note that its
// rollout has begun or ended. It reads again and repeats when somebody else
// wrote meanwhile.
func Update(ctx context.Context, s store.Store, repository string, a Approval, change func(*Approval)) error {
	for {
		v, err := s.Get(ctx, approvalKey(repository, a))
		if err != nil {
			return err
		}
		var now approvalDoc
		if err := decode(v, &now); err != nil {
			return err
		}
		change(&now.Approval)
		err = replace(ctx, s, v, approvalDoc{version, now.Approval})
		if !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

func approvalKey(repository string, a Approval) string {
	return store.Key("approval", repository, a.Environment, a.Digest)
}

func offerKey(repository, environment, digest string) string {
	return store.Key("offer", repository, environment, digest)
}

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

// decode reads a stored value. One that a newer layerd wrote is refused and
// never half understood: an approval may have gained a condition that this
// program would not look at.
func decode(v store.Value, into any) error {
	var head struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(v.Data, &head); err != nil {
		return fmt.Errorf("read %s: %w: %w", v.Key, store.ErrCorrupt, err)
	}
	if head.V > version {
		return fmt.Errorf("read %s: %w: it has version %d, this program knows %d", v.Key, store.ErrNewer, head.V, version)
	}
	if err := json.Unmarshal(v.Data, into); err != nil {
		return fmt.Errorf("read %s: %w: %w", v.Key, store.ErrCorrupt, err)
	}
	return nil
}

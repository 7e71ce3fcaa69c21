package ruling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// version is the newest "v" that this program understands. A value whose lines
// are not in parts is written as what older programs understand, too.
const (
	version       = 2
	versionInline = 1
)

// approvalDoc and offerDoc are what is stored. Names and meanings stay.
type approvalDoc struct {
	V int `json:"v"`
	Approval
	pack
}

type offerDoc struct {
	V int `json:"v"`
	Offer
	pack
}

// Offering records a waiting plan. Recording the same plan again changes
// nothing.
func Offering(ctx context.Context, s store.Store, repository string, o Offer) error {
	key := offerKey(repository, o.Environment, o.Digest)
	// It is recorded again in each round while it waits: reading is cheaper
	// than compressing a hundred thousand lines that are there already.
	if _, err := s.Get(ctx, key); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	o.Lines = slices.Sorted(slices.Values(o.Lines))
	doc := offerDoc{Offer: o}
	if large(o.Lines) {
		var err error
		if doc.pack, err = writeLines(ctx, s, repository, o.Environment, o.Lines); err != nil {
			return err
		}
		doc.Lines = nil
	}
	doc.V = doc.version()
	_, err := create(ctx, s, key, doc)
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
	if len(doc.Parts) > 0 {
		if doc.Lines, err = readLines(ctx, s, repository, environment, doc.pack); err != nil {
			return Offer{}, false, err
		}
	}
	return doc.Offer, true, nil
}

// Offers gives the plans of an environment that waited at some time and whose
// digests begin with prefix, by digest, without their lines; FindOffer has
// them. Old ones are included: a plan is not taken back when another replaces
// it.
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
		doc.Lines = nil
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
	doc, err := readApproval(ctx, s, repository, v)
	return doc.Approval, err == nil, err
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
		if !errors.Is(err, store.ErrChanged) && !errors.Is(err, store.ErrExists) {
			return given, err
		}
		// Somebody approved at the same time: theirs may be the first word.
	}
}

func approveOnce(ctx context.Context, s store.Store, repository string, a Approval, stillValid func(Approval) bool) (Approval, error) {
	key := approvalKey(repository, a)
	v, err := s.Get(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return a, err
	}
	var old approvalDoc
	if err == nil {
		if old, err = readApproval(ctx, s, repository, v); err != nil {
			return a, err
		}
		if stillValid(old.Approval) {
			return old.Approval, nil
		}
	}
	doc, err := packed(ctx, s, repository, a, old)
	if err != nil {
		return a, err
	}
	if v.Revision != "" {
		return a, replace(ctx, s, v, doc)
	}
	_, err = create(ctx, s, key, doc)
	return a, err
}

// Load gives all approvals of an environment, ended ones included, by digest.
// Those that ended come without their lines: they cover nothing, and years of
// them would be read in every round.
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
		if !doc.Ended.IsZero() {
			doc.Lines = nil
		} else if err := doc.fill(ctx, s, repository); err != nil {
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
		old, err := readApproval(ctx, s, repository, v)
		if err != nil {
			return err
		}
		now := old.Approval
		change(&now)
		doc, err := packed(ctx, s, repository, now, old)
		if err != nil {
			return err
		}
		err = replace(ctx, s, v, doc)
		if !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

// packed is an approval as it is stored. The parts of its lines are written,
// unless they are those that old has.
func packed(ctx context.Context, s store.Store, repository string, a Approval, old approvalDoc) (approvalDoc, error) {
	a.Lines = slices.Sorted(slices.Values(a.Lines))
	doc := approvalDoc{Approval: a}
	switch {
	case !large(a.Lines):
	case len(old.Parts) > 0 && slices.Equal(old.Lines, a.Lines):
		doc.pack, doc.Lines = old.pack, nil
	default:
		var err error
		if doc.pack, err = writeLines(ctx, s, repository, a.Environment, a.Lines); err != nil {
			return doc, err
		}
		doc.Lines = nil
	}
	doc.V = doc.version()
	return doc, nil
}

// readApproval decodes an approval, with its lines.
func readApproval(ctx context.Context, s store.Store, repository string, v store.Value) (approvalDoc, error) {
	var doc approvalDoc
	if err := decode(v, &doc); err != nil {
		return approvalDoc{}, err
	}
	if err := doc.fill(ctx, s, repository); err != nil {
		return approvalDoc{}, err
	}
	return doc, nil
}

// fill reads the lines that are in parts.
func (d *approvalDoc) fill(ctx context.Context, s store.Store, repository string) (err error) {
	if len(d.Parts) > 0 {
		d.Lines, err = readLines(ctx, s, repository, d.Environment, d.pack)
	}
	// Covers looks for a line by halves.
	if !slices.IsSorted(d.Lines) {
		slices.Sort(d.Lines)
	}
	return err
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

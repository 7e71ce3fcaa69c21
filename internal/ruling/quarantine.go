package ruling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// Quarantine is the word that a version of a layer failed, or was rolled back,
// in one environment and Region: as long as it holds no step may bring that
// number to its functions. It is lifted when Git wants another number, or by
// hand.
type Quarantine struct {
	Environment string         `json:"environment"`
	Region      string         `json:"region"`
	Layer       state.LayerARN `json:"layer"`
	Name        string         `json:"name"`             // of the layer in Git
	Number      int64          `json:"number"`           // 0 = taking the layer away is what failed
	Semver      string         `json:"semver,omitempty"` // empty = unknown
	// Functions is a glob on their names; empty = all.
	Functions string `json:"functions,omitempty"`
	// Back is the number that those functions were returned to; 0 = each to
	// its own, by health.
	Back int64 `json:"back,omitempty"`
	// Hand says that a person rolled back: functions are moved to Back as long
	// as it holds.
	Hand    bool      `json:"hand,omitempty"`
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"`                // UTC
	Rollout string    `json:"rollout,omitempty"` // the one that failed; empty = none
	// Ended is when it was lifted; zero = it holds.
	Ended       time.Time `json:"ended,omitzero"`
	EndedBy     string    `json:"ended_by,omitempty"`
	EndedReason string    `json:"ended_reason,omitempty"`
}

// quarantineDoc is what is stored. Names and meanings stay.
type quarantineDoc struct {
	V int `json:"v"`
	Quarantine
}

// Covers says whether the quarantine keeps number of layer from function. One
// that was lifted covers nothing.
func (q Quarantine) Covers(region string, layer state.LayerARN, number int64, function string) bool {
	if !q.Ended.IsZero() || q.Region != region || q.Layer != layer || q.Number != number {
		return false
	}
	if q.Functions == "" {
		return true
	}
	ok, err := path.Match(q.Functions, function)
	return ok || err != nil // what cannot be read must not let a bad version through
}

// Outranks says that q replaces old although that one holds: a person's word
// counts more than a check's, which knows no number to go back to, and a later
// word with another number more than the earlier: the first one did not help.
func (q Quarantine) Outranks(old Quarantine) bool {
	return q.Hand && (!old.Hand || q.Back != old.Back)
}

// Before says that q counts more than other where both cover a function: a
// person's word more than a check's, and of equals the later one.
func (q Quarantine) Before(other Quarantine) bool {
	if q.Hand != other.Hand {
		return q.Hand
	}
	if !q.At.Equal(other.At) {
		return q.At.After(other.At)
	}
	return q.Functions > other.Functions // whatever order they came in
}

// functionGlob is what can match a function's name, and has no character that
// means more to path.Match than * and ?.
var functionGlob = regexp.MustCompile(`^[A-Za-z0-9_*?-]{1,140}$`)

// Check refuses, as store.ErrInvalid, a quarantine that would hold nothing or
// could not be found.
func (q Quarantine) Check() error {
	switch {
	case q.Environment == "" || q.Region == "" || q.Layer == "":
		return fmt.Errorf("%w: a quarantine needs an environment, a Region and a layer", store.ErrInvalid)
	case q.Number < 0 || q.Back < 0:
		return fmt.Errorf("%w: a version number is not negative", store.ErrInvalid)
	case q.Functions != "" && !functionGlob.MatchString(q.Functions):
		return fmt.Errorf("%w: %.60q matches no function: names have letters, digits, - and _; * and ? are wildcards", store.ErrInvalid, q.Functions)
	}
	return nil
}

// PutQuarantine records the word; for a person's word call
// history.Log.Quarantine, which writes it into the history as well. One that
// holds already stays by the first word, which is given back, unless q Outranks
// it; one that was lifted is replaced. What could hold nothing is
// store.ErrInvalid.
func PutQuarantine(ctx context.Context, s store.Store, repository string, q Quarantine) (Quarantine, error) {
	if err := q.Check(); err != nil {
		return q, err
	}
	q.At, q.Ended, q.EndedBy, q.EndedReason = q.At.UTC(), time.Time{}, "", ""
	key := quarantineKey(repository, q)
	for {
		old, v, err := findQuarantine(ctx, s, key)
		switch {
		case err != nil:
			return q, err
		case v.Revision == "":
			_, err = create(ctx, s, key, quarantineDoc{versionInline, q})
		case old.Ended.IsZero() && !q.Outranks(old):
			return old, nil
		default:
			err = replace(ctx, s, v, quarantineDoc{versionInline, q})
		}
		if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrChanged) {
			return q, err
		}
	}
}

// FindQuarantine gives the one that holds for the environment, Region, layer,
// number and functions of q; ok is false when none does.
func FindQuarantine(ctx context.Context, s store.Store, repository string, q Quarantine) (found Quarantine, ok bool, err error) {
	found, v, err := findQuarantine(ctx, s, quarantineKey(repository, q))
	return found, err == nil && v.Revision != "" && found.Ended.IsZero(), err
}

// LoadQuarantines gives those of an environment that hold, in all its Regions,
// sorted by Region, layer, number and functions.
func LoadQuarantines(ctx context.Context, s store.Store, repository, environment string) ([]Quarantine, error) {
	var list []Quarantine
	for v, err := range s.List(ctx, store.Query{Prefix: store.Prefix("quarantine", repository, environment)}) {
		if err != nil {
			return nil, fmt.Errorf("list the quarantines of %s: %w", environment, err)
		}
		var doc quarantineDoc
		if err := decode(v, &doc); err != nil {
			return nil, err
		}
		if doc.Ended.IsZero() {
			list = append(list, doc.Quarantine)
		}
	}
	slices.SortFunc(list, func(a, b Quarantine) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Layer, b.Layer),
			cmp.Compare(a.Number, b.Number), cmp.Compare(a.Functions, b.Functions))
	})
	return list, nil
}

// EndQuarantine lifts q, as it was loaded; for a person's word call
// history.Log.Lift. Where it holds no more, or another word with another time
// has taken its place, nothing is written: that one was given for a reason that
// whoever lifts has not seen.
func EndQuarantine(ctx context.Context, s store.Store, repository string, q Quarantine, by, reason string, now time.Time) error {
	key := quarantineKey(repository, q)
	for {
		old, v, err := findQuarantine(ctx, s, key)
		if err != nil || v.Revision == "" || !old.Ended.IsZero() || !old.At.Equal(q.At) {
			return err
		}
		old.Ended, old.EndedBy, old.EndedReason = now.UTC(), by, reason
		err = replace(ctx, s, v, quarantineDoc{versionInline, old})
		if !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

// findQuarantine gives the stored word and its value, which has no revision
// where there is none.
func findQuarantine(ctx context.Context, s store.Store, key string) (Quarantine, store.Value, error) {
	v, err := s.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return Quarantine{}, store.Value{}, nil
	}
	if err != nil {
		return Quarantine{}, store.Value{}, err
	}
	var doc quarantineDoc
	err = decode(v, &doc)
	return doc.Quarantine, v, err
}

func quarantineKey(repository string, q Quarantine) string {
	segments := []string{"quarantine", repository, q.Environment, q.Region, string(q.Layer), strconv.FormatInt(q.Number, 10)}
	if q.Functions != "" {
		segments = append(segments, q.Functions)
	}
	return store.Key(segments...)
}

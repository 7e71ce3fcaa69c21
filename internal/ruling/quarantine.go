package ruling

import (
	"cmp"
	"context"
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
	// RevertTo is the number that those functions were returned to; 0 = each to
	// its own, by health.
	RevertTo int64 `json:"back,omitempty"`
	// ByPerson: a person rolled back, and functions are moved to RevertTo as long as
	// it holds.
	ByPerson bool `json:"hand,omitempty"`
	// Content: AWS has other content under the number than was decided about, although its
	// Description says that it is the version that Git names. Asking for another number
	// does not end that; a person does.
	Content bool      `json:"content,omitempty"`
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"`                // UTC
	Rollout string    `json:"rollout,omitempty"` // the one that failed; empty = none
	// Ended is when it was lifted; zero = it holds.
	Ended       time.Time `json:"ended,omitzero"`
	EndedBy     string    `json:"ended_by,omitempty"`
	EndedReason string    `json:"ended_reason,omitempty"`
}

var quarantines = kind[Quarantine]{
	name: "quarantine", one: "the quarantine", who: "who quarantined",
	key: func(q Quarantine) []string {
		segments := []string{q.Environment, q.Region, string(q.Layer), strconv.FormatInt(q.Number, 10)}
		if q.Functions != "" {
			segments = append(segments, q.Functions)
		}
		return segments
	},
	decision: func(q Quarantine) Decision {
		return Decision{Kind: DecidedQuarantine, Environment: q.Environment, By: q.By, Reason: q.Reason, At: q.At, Quarantine: &q}
	},
}

// Holds reports whether the quarantine was not lifted.
func (q Quarantine) Holds() bool { return q.Ended.IsZero() }

// Covers reports whether the quarantine keeps number of layer from function. One
// that was lifted covers nothing.
func (q Quarantine) Covers(region string, layer state.LayerARN, number int64, function string) bool {
	if !q.Holds() || q.Region != region || q.Layer != layer || q.Number != number {
		return false
	}
	if q.Functions == "" {
		return true
	}
	ok, err := path.Match(q.Functions, function)
	return ok || err != nil // what cannot be read must not let a bad version through
}

// Replaces reports whether q takes the place of old although that one holds: a
// person's word counts more than a check's, which has no number to go back to, and
// a later word with another number more than the earlier: the first one did not
// help.
func (q Quarantine) Replaces(old Quarantine) bool {
	return q.ByPerson && (!old.ByPerson || q.RevertTo != old.RevertTo)
}

// TakesPrecedence reports whether q counts more than other where both cover a
// function: a person's word more than a check's, and of equals the later one.
func (q Quarantine) TakesPrecedence(other Quarantine) bool {
	if q.ByPerson != other.ByPerson {
		return q.ByPerson
	}
	if !q.At.Equal(other.At) {
		return q.At.After(other.At)
	}
	return q.Functions > other.Functions // whatever order they came in
}

// Governing returns the one of list that keeps number of layer from function, or
// nil. Where several do, for some functions and for all, it is the one that takes
// precedence.
func Governing(list []Quarantine, region string, layer state.LayerARN, number int64, function string) *Quarantine {
	var found *Quarantine
	for i := range list {
		q := &list[i]
		if q.Covers(region, layer, number, function) && (found == nil || q.TakesPrecedence(*found)) {
			found = q
		}
	}
	return found
}

// OtherContent returns the one of list by which AWS has other content under a number than
// was decided about, or nil. That is of the number, whatever function is asked about.
func OtherContent(list []Quarantine, region string, layer state.LayerARN, number int64) *Quarantine {
	i := slices.IndexFunc(list, func(q Quarantine) bool { return q.Content && q.Covers(region, layer, number, "") })
	if i < 0 {
		return nil
	}
	return &list[i]
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
	case q.Number < 0 || q.RevertTo < 0:
		return fmt.Errorf("%w: a version number is not negative", store.ErrInvalid)
	case q.Functions != "" && !functionGlob.MatchString(q.Functions):
		return fmt.Errorf("%w: %.60q matches no function: names have letters, digits, - and _; * and ? are wildcards", store.ErrInvalid, q.Functions)
	}
	return nil
}

// Quarantine records the word. One that holds already stays by the first word,
// which is returned, unless q Replaces it; one that was lifted is replaced. What
// could hold nothing is store.ErrInvalid.
func (r *Registry) Quarantine(ctx context.Context, q Quarantine) (Quarantine, error) {
	if err := q.Check(); err != nil {
		return q, err // before the journal has it
	}
	q.By, q.Reason, q.At = truncate(q.By), truncate(q.Reason), q.At.UTC()
	q.Ended, q.EndedBy, q.EndedReason = time.Time{}, "", ""
	return quarantines.of(r.store, r.repository).give(ctx, r.journal, q, func(old Quarantine) bool { return old.Holds() && !q.Replaces(old) })
}

// FindQuarantine returns the one that holds for the environment, Region, layer,
// number and functions of q; ok is false when none does.
func FindQuarantine(ctx context.Context, s store.Store, repository string, q Quarantine) (found Quarantine, ok bool, err error) {
	found, ok, err = quarantines.of(s, repository).find(ctx, q)
	return found, ok && found.Holds(), err
}

// LoadQuarantines returns those of an environment that hold, in all its Regions,
// sorted by Region, layer, number and functions.
func LoadQuarantines(ctx context.Context, s store.Store, repository, environment string) ([]Quarantine, error) {
	list, err := quarantines.of(s, repository).list(ctx, "the quarantines of "+environment, store.Prefix(environment), always)
	list = slices.DeleteFunc(list, func(q Quarantine) bool { return !q.Holds() })
	slices.SortFunc(list, func(a, b Quarantine) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Layer, b.Layer),
			cmp.Compare(a.Number, b.Number), cmp.Compare(a.Functions, b.Functions))
	})
	return list, err
}

// Lift ends q, as it was loaded. ok is false where it holds no more, or another
// word with another time has taken its place: that one was given for a reason that
// whoever lifts has not seen. Then nothing is written.
func (r *Registry) Lift(ctx context.Context, q Quarantine, by, reason string, now time.Time) (ok bool, err error) {
	t := quarantines.of(r.store, r.repository)
	was, err := t.read(ctx, q)
	if err != nil {
		return false, fmt.Errorf("read the quarantine: %w", err)
	}
	loaded := func(now Quarantine) bool { return now.Holds() && now.At.Equal(q.At) }
	if was.at == "" || !loaded(was.Word) {
		return false, nil
	}
	by, reason, now = truncate(by), truncate(reason), now.UTC()
	lifted := Decision{Kind: DecidedRetry, Environment: q.Environment, By: by, Reason: reason, At: now, Quarantine: &was.Word}
	if err := r.journal.RecordDecision(ctx, lifted); err != nil {
		return false, fmt.Errorf("record who lifted the quarantine: %w", err)
	}
	return true, t.updateFrom(ctx, q, &was, func(word *Quarantine, there bool) bool {
		if !there || !loaded(*word) {
			return false
		}
		word.Ended, word.EndedBy, word.EndedReason = now, by, reason
		return true
	})
}

package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/state"
)

const (
	// mostRefusals is how often the same may fail on a function before it is
	// blocked, and retryAfter when it is tried once more all the same: what AWS
	// refuses it for may be beside the function, where nobody sees it change.
	mostRefusals = 3
	retryAfter   = 24 * time.Hour
	// sharedAfter is how far apart refusals count that may be of all functions: while the
	// account is being mended none is blocked for it, and none is tried for ever.
	sharedAfter = time.Hour
	// mostAims bounds what is remembered of one function.
	mostAims = 4
)

// Refusal is how often AWS refused in a row to bring a function to the same.
type Refusal struct {
	Aim   string // see Aim
	Count int
	Last  time.Time // UTC
	// Own reports that it is known to be the function's: another one was let
	// through meanwhile, or AWS's words are about this one. What is not known to be
	// blocks only until the first function is let through.
	Own bool
	// Passed is when another one was let through after this one was refused, which may
	// have been of all; UTC, zero = none was. Refused again soon after, it is its own.
	Passed time.Time
	// Revision is what the function was at; empty = not known yet.
	Revision string
	Reason   string // AWS's words
}

// Blocks reports whether the function is left alone at now: it is tried again when
// it or its aim changes, and once a day.
func (r Refusal) Blocks(now time.Time) bool { return r.Count >= mostRefusals && now.Before(r.Until()) }

// Due reports whether the function was blocked, and its time has come.
func (r Refusal) Due(now time.Time) bool { return r.Count >= mostRefusals && !r.Blocks(now) }

// Until is when a blocked function is tried again at the latest.
func (r Refusal) Until() time.Time { return r.Last.Add(retryAfter) }

// ChangedSince reports whether the function is another now than it was then.
func (r Refusal) ChangedSince(f state.Function) bool {
	return r.Revision != "" && f.RevisionID != "" && r.Revision != f.RevisionID
}

// Refused returns what is remembered of an aim on the function as it is now; the
// zero value: nothing is.
func (p FunctionPast) Refused(aim string, f state.Function) Refusal {
	for _, r := range p.Refusals {
		if r.Aim == aim && !r.ChangedSince(f) {
			return r
		}
	}
	return Refusal{Aim: aim}
}

// Aim names what steps of one function lead to, whatever of it is done already: the
// numbers of its layers afterwards, and through what callers get them. An alias
// that is only pointed back is an aim of its own.
func Aim(steps []Step) string {
	if len(steps) == 0 {
		return ""
	}
	after := state.Layers(steps[0].Whole)
	if steps[0].Whole == nil {
		after = Fold(steps[0].List, steps)
	}
	var parts []string
	var layers []state.LayerARN
	for _, s := range steps {
		switch {
		case s.Kind == KindServe && s.Serving.Version != "":
			return s.Serving.Qualifier + " to " + s.Serving.Version
		case s.Kind == KindServe:
			parts = append(parts, s.Serving.Qualifier)
			layers = append(layers, s.Serving.Ours...)
		default:
			layers = append(layers, s.LayerARN)
		}
	}
	slices.Sort(layers)
	for _, l := range slices.Compact(layers) {
		parts = append(parts, fmt.Sprintf("%s=%d", l.Name(), after.Number(l)))
	}
	return strings.Join(parts, " ")
}

// Points reports whether a step only points an alias at a version that exists: it is
// carried out by itself.
func (s Step) Points() bool { return s.Kind == KindServe && s.Serving.Version != "" }

// Attempt is how a round's work on one function ended: what its refusals become.
type Attempt struct {
	Function, Aim string
	Done          bool   // it is as meant
	MayBeAll      bool   // see Result
	Shared        bool   // see Result
	Revision      string // of the function when it was refused; empty = not known
	Reason        string
	At            time.Time // UTC
}

// Attempts returns what was tried of the steps of a Region, which have results.
func Attempts(steps []Step, now time.Time) []Attempt {
	type key struct {
		function string
		points   bool
	}
	of := map[key][]Step{}
	var order []key
	for _, s := range steps {
		if s.Function == "" || s.Held != nil || s.Result == nil || s.Result.Untried || s.Result.Shared && !s.Result.MayBeAll {
			continue
		}
		k := key{s.Function, s.Points()}
		if of[k] == nil {
			order = append(order, k)
		}
		of[k] = append(of[k], s)
	}
	list := make([]Attempt, 0, len(order))
	for _, k := range order {
		a := Attempt{Function: k.function, Aim: Aim(of[k]), Done: true, At: now.UTC()}
		for _, s := range of[k] {
			if !s.Done() {
				r := s.Result
				a.Done, a.MayBeAll, a.Shared, a.Revision, a.Reason = false, r.MayBeAll, r.Shared, r.Revision, r.Error
			}
		}
		list = append(list, a)
	}
	return list
}

// LetThrough reports whether AWS has let one of the functions through.
func LetThrough(tried []Attempt) bool {
	return slices.ContainsFunc(tried, func(a Attempt) bool { return a.Done })
}

// After returns the refusals of a function after an attempt. letThrough reports that
// another function was let through in the same round.
func (a Attempt) After(list []Refusal, letThrough bool) []Refusal {
	before := Refusal{Aim: a.Aim}
	kept := slices.DeleteFunc(slices.Clone(list), func(r Refusal) bool {
		if r.Aim == a.Aim {
			before = r
		}
		return r.Aim == a.Aim
	})
	if a.Done {
		return kept
	}
	if before.Revision != "" && a.Revision != "" && before.Revision != a.Revision {
		before.Count, before.Own = 0, false // it was another function then
	}
	if !before.Passed.IsZero() && a.At.Sub(before.Passed) >= sharedAfter {
		before = Refusal{} // what was refused that long ago and may have been of all tells nothing
	}
	// Others that were let through before all were refused prove nothing, unless it
	// was refused in an earlier round as well.
	proven := letThrough && (!a.Shared || !before.Last.IsZero()) || !before.Passed.IsZero()
	next := Refusal{
		Aim: a.Aim, Count: before.Count, Last: a.At, Own: before.Own || !a.MayBeAll || proven, Revision: a.Revision, Reason: a.Reason,
	}
	switch {
	case next.Own || !a.Shared || !before.Last.IsZero() && a.At.Sub(before.Last) >= sharedAfter:
		next.Count++
	case !before.Last.IsZero():
		next.Last = before.Last // it counts once in a while
	}
	if over := len(kept) + 1 - mostAims; over > 0 {
		slices.SortFunc(kept, func(a, b Refusal) int { return a.Last.Compare(b.Last) })
		kept = kept[over:]
	}
	return append(kept, next)
}

// Doubted returns the refusals once another function is let through, at now: one that
// is not known to be its own function's blocks nothing then, since it may have been of
// all and be over. It is not forgotten: several functions that AWS refuses for good
// would look like all of them again, and hold the others once more after each.
func Doubted(list []Refusal, now time.Time) []Refusal {
	list = slices.Clone(list)
	for i := range list {
		if r := &list[i]; !r.Own && r.Passed.IsZero() {
			r.Count, r.Passed = min(r.Count, mostRefusals-1), now.UTC()
		}
	}
	return list
}

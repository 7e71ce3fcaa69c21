package round

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// returnee is one layer of an environment in one Region: what Git asks for, what
// is live, what functions have, and what was before.
type returnee struct {
	want  desired.Environment
	layer string // its name
	wish  desired.LayerWish
	have  *state.Snapshot
	live  reconcile.Returning
	words []ruling.Quarantine // that hold in the environment
	glob  string              // the functions that are meant
}

// returning gathers what is known of a layer in the i-th Region of a decision.
func returning(d Decision, i int, ask Rollback) (returnee, error) {
	region := d.Plan.Regions[i]
	t := returnee{want: region.Want, layer: ask.Layer, words: d.Input.Quarantines, glob: ask.Functions}
	if f := region.Failure; f != nil {
		return t, t.refusal(RefusedUnread, f, "%s was not read, and nothing was done: %s", t.place(), f.Message)
	}
	known, ok := d.Region(i)
	if !ok {
		return t, fmt.Errorf("%s was not read, and nothing was done", t.place())
	}
	t.have = known.Have
	at := slices.IndexFunc(region.Want.Layers, func(w desired.LayerWish) bool { return w.Name == ask.Layer })
	if at < 0 {
		return t, t.refusal(RefusedLayer, nil, "%s has no layer %q", t.place(), ask.Layer)
	}
	t.wish = region.Want.Layers[at]
	if !slices.ContainsFunc(region.Targets, func(x rollout.Target) bool { return x.Layer == t.wish.Layer }) {
		why := "what Git asks for was not found"
		if len(region.Problems) > 0 {
			why = region.Problems[0].Message
		}
		return t, t.refusal(RefusedInvalid, nil, "%s in %s: %s", ask.Layer, t.place(), why)
	}
	t.live = reconcile.Returns(region.Want, t.wish, t.have, known.Past)
	if t.live.Missing != "" {
		return t, t.refusal(RefusedInvalid, nil, "%s in %s: Git asks for %s, which is not published yet and has no number that could be kept away; change the version in Git",
			ask.Layer, t.place(), t.live.Missing)
	}
	return t, nil
}

func (t returnee) place() string { return t.want.Name + " · " + t.want.Region }

func (t returnee) refusal(code RefusalCode, f *plan.Failure, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...), Asked: t.layer, Region: t.want.Region, Failure: f}
}

// back makes the word for the Region.
func (t returnee) back(ask Rollback, now time.Time) (Back, error) {
	b := Back{Quarantine: ruling.Quarantine{
		Environment: t.want.Name, Region: t.want.Region, Layer: t.wish.Layer, Name: ask.Layer, Number: t.live.Asked, Semver: t.live.Label(t.live.Asked),
		Functions: ask.Functions, ByPerson: true, By: ask.By, Reason: ask.Reason, At: now.UTC(),
	}}
	if err := b.Check(); err != nil {
		return b, t.refusal(RefusedGlob, nil, "%s", err)
	}
	functions := t.selected(t.glob)
	if len(functions) == 0 {
		refused := t.refusal(RefusedFunctions, nil, "%q matches no function that %s selects in %s", t.glob, ask.Layer, t.place())
		for _, f := range t.selected("") {
			refused.Names = append(refused.Names, f.Name)
		}
		return b, refused
	}
	held, again := t.holds(b.Quarantine)
	var err error
	switch {
	case ask.To != "":
		b.Quarantine.RevertTo, err = t.resolve(ask.To)
	case again:
		b.Quarantine.RevertTo = held.RevertTo // the same word once more goes on, and no further back
	default:
		b.Quarantine.RevertTo, err = t.lastGood()
	}
	if err != nil {
		return b, err
	}
	to := b.Quarantine.RevertTo
	b.To, b.others, b.foreign, b.there = t.live.Show(to), t.others(to), !t.wish.Owned, t.all(functions, to)
	if refused := t.may(to); refused != nil {
		return b, t.offering(refused, to)
	}
	if again && held.RevertTo == to {
		b.Quarantine, b.given = held, true
	}
	b.begun = b.given || t.otherwise(functions, to)
	return b, nil
}

// refused is refusal with what else could be gone back to, but not to that.
func (t returnee) refused(code RefusalCode, but int64, format string, args ...any) *Refusal {
	return t.offering(t.refusal(code, nil, format, args...), but)
}

func (t returnee) offering(r *Refusal, but int64) *Refusal {
	r.Others, r.Foreign = t.others(but), !t.wish.Owned
	return r
}

// resolve finds the number that a text means, as it would if Git asked for it.
func (t returnee) resolve(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		v, err := semver.StrictNewVersion(strings.TrimPrefix(text, "v"))
		if err != nil {
			return 0, t.refusal(RefusedText, nil, "%q is no version", text)
		}
		var ok bool
		if n, _, ok = t.live.Find(v.String()); !ok {
			return 0, t.refused(RefusedVersion, 0, "%s %s is not live in %s", t.wish.Name, v, t.place())
		}
	}
	if n < 1 {
		return 0, t.refused(RefusedText, 0, "%q is no version", text)
	}
	if err := t.usable(n); err != nil {
		return 0, t.refused(RefusedVersion, n, "%s %s %s", t.wish.Name, t.live.Show(n), err)
	}
	return n, nil
}

// usable returns why a number cannot be gone back to; nil = it can. Nobody but AWS
// knows which versions somebody else's layer has.
func (t returnee) usable(n int64) error {
	if t.wish.Owned && !t.live.Live(n) {
		return errors.New("is gone")
	}
	if why, ok := t.live.Yanked(n); ok {
		return fmt.Errorf("was yanked: %s", why)
	}
	return nil
}

// may refuses a target that Git asks for, that is kept away itself, or that would
// not take the functions back; nil = it is none of these.
func (t returnee) may(n int64) *Refusal {
	if n == t.live.Asked {
		return t.refusal(RefusedAsked, nil, "%s is what Git asks for in %s", t.live.Show(n), t.place())
	}
	if q := t.quarantined(n); q != nil {
		return t.refusal(RefusedQuarantined, nil, "%s of %s is in quarantine in %s: %s", t.live.Show(n), t.wish.Name, t.place(), q.Reason)
	}
	if why, since := t.live.Refuse(n, t.glob); why != "" {
		r := t.refusal(RefusedForward, nil, "%s", why)
		r.Since = since
		return r
	}
	return nil
}

// lastGood returns where to go back when nobody names a version: to what last came
// through a whole rollout, else to what was applied before, else to what most
// functions had before layerd.
func (t returnee) lastGood() (int64, error) {
	if list := t.offered(t.live.Had, 0); len(list) > 0 {
		return list[0], nil
	}
	return 0, t.refused(RefusedUnknown, 0, "no earlier version of %s is known to have been in %s", t.wish.Name, t.place())
}

// quarantined finds the word that keeps a number from a function that is meant;
// nil = none does.
func (t returnee) quarantined(n int64) *ruling.Quarantine {
	for i, q := range t.words {
		if slices.ContainsFunc(t.selected(t.glob), func(f state.Function) bool { return q.Covers(t.want.Region, t.wish.Layer, n, f.Name) }) {
			return &t.words[i]
		}
	}
	return nil
}

// offered are those of the numbers that may be gone back to, each once.
func (t returnee) offered(numbers []int64, but int64) []int64 {
	var list []int64
	for _, n := range numbers {
		if n != but && t.usable(n) == nil && t.may(n) == nil && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// others are the versions that could be gone back to, for people: those that were
// here, the likeliest first, and then those that are lower than what the functions
// have.
func (t returnee) others(but int64) []string {
	const most = 10
	numbers := slices.Clone(t.live.Had)
	for _, v := range t.live.Versions() {
		numbers = append(numbers, v.Number)
	}
	list := []string{} // none is not nil: versions were asked for
	for _, n := range t.offered(numbers, but) {
		if len(list) == most {
			return append(list, "…")
		}
		list = append(list, t.live.Show(n))
	}
	return list
}

// selected are the functions that the layer selects and a glob means, without
// those that are pinned to another version.
func (t returnee) selected(glob string) []state.Function {
	var list []state.Function
	for _, f := range t.have.Functions {
		if _, pin := t.wish.Wants(f); pin == nil && t.wish.Selects(f) && matches(glob, f.Name) {
			list = append(list, f)
		}
	}
	return list
}

// matches reports whether a name is one of those that a glob means; empty = all.
func matches(glob, name string) bool {
	if glob == "" {
		return true
	}
	ok, err := path.Match(glob, name)
	return ok && err == nil
}

// all reports whether every one of the functions that has the layer has this number.
func (t returnee) all(functions []state.Function, n int64) bool {
	return !slices.ContainsFunc(functions, func(f state.Function) bool {
		have := f.Layers.Number(t.wish.Layer)
		return have > 0 && have != n
	})
}

// otherwise reports whether a person has rolled back one of the functions by another
// word than one that takes all there are, and all that will come, to n.
func (t returnee) otherwise(functions []state.Function, n int64) bool {
	return slices.ContainsFunc(functions, func(f state.Function) bool {
		q := ruling.Governing(t.words, t.want.Region, t.wish.Layer, t.live.Asked, f.Name)
		return q != nil && q.ByPerson && (q.Functions != "" || q.RevertTo != n)
	})
}

// holds finds the word by which a person has rolled back the same already.
func (t returnee) holds(q ruling.Quarantine) (ruling.Quarantine, bool) {
	for _, old := range t.words {
		if old.ByPerson && old.Region == q.Region && old.Layer == q.Layer && old.Number == q.Number && old.Functions == q.Functions {
			return old, true
		}
	}
	return ruling.Quarantine{}, false
}

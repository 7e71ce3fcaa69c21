package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/round"

	"github.com/layerd/layerd/internal/plan"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// liveLayer is one layer of an environment in one Region: what Git asks for,
// what is live, what functions have, and what was before.
type liveLayer struct {
	whyPlace
	wish  desired.LayerWish
	back  reconcile.Returning
	words []ruling.Quarantine // that hold in the environment
}

// checkLayer refuses names of layers that an environment does not have. others
// are names that are known besides.
func checkLayer(regions []desired.Environment, name string, others []string) error {
	names := slices.Clone(others)
	for _, w := range regions[0].Layers {
		names = append(names, w.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if slices.Contains(names, name) {
		return nil
	}
	return usage("layers: "+strings.Join(names, ", "), "%s has no layer %q%s", regions[0].Name, name, didYouMean(name, names))
}

// findLayer gathers what is known of a layer in one Region.
func findLayer(ctx context.Context, r round.Round, w *watcher, region plan.Region, name string) (liveLayer, error) {
	l := liveLayer{whyPlace: whyPlace{region: region}}
	if f := region.Failure; f != nil {
		return l, &exitError{code: failureCode(f), err: fmt.Errorf("%s was not read, and nothing was done: %s", l.place(), f.Message), hint: failureHint(*f)}
	}
	seen := w.seen[watchKey(region.Want)]
	if seen == nil || seen.snap == nil {
		return l, fmt.Errorf("%s was not read, and nothing was done", l.place())
	}
	l.snap = seen.snap
	i := slices.IndexFunc(region.Want.Layers, func(w desired.LayerWish) bool { return w.Name == name })
	if i < 0 {
		return l, usage("", "%s has no layer %q", l.place(), name)
	}
	l.wish = region.Want.Layers[i]
	if !slices.ContainsFunc(region.Targets, func(t rollout.Target) bool { return t.Layer == l.wish.Layer }) {
		why := "what Git asks for was not found"
		if len(region.Problems) > 0 {
			why = region.Problems[0].Message
		}
		return l, &exitError{code: exitInvalid, err: fmt.Errorf("%s in %s: %s", name, l.place(), why), hint: "see layerd plan"}
	}
	var past plan.Past
	if r.Store != nil {
		var err error
		if past, err = history.Open(r.Store, r.Repository).Past(ctx, region.Want.Name, region.Want.Region); err != nil {
			return l, fmt.Errorf("read the past of %s: %w", l.place(), err)
		}
		if l.words, err = ruling.LoadQuarantines(ctx, r.Store, r.Repository, region.Want.Name); err != nil {
			return l, err
		}
	}
	l.back = reconcile.Returns(region.Want, l.wish, l.snap, past)
	return l, nil
}

func (l liveLayer) place() string { return l.region.Want.Name + " · " + l.region.Want.Region }

// usable says why a number cannot be gone back to; nil = it can. Nobody but AWS
// knows which versions somebody else's layer has.
func (l liveLayer) usable(n int64) error {
	if l.wish.Owned && !l.back.Live(n) {
		return errors.New("is gone")
	}
	if why, ok := l.back.Yanked(n); ok {
		return fmt.Errorf("was yanked: %s", why)
	}
	return nil
}

// resolve finds the number that --to means, as it would if Git asked for it.
func (l liveLayer) resolve(text, glob string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		v, err := semver.StrictNewVersion(strings.TrimPrefix(text, "v"))
		if err != nil {
			return 0, usage("a semantic version such as 1.4.1, or an AWS version number such as 12", "--to %q is no version", text)
		}
		var ok bool
		if n, _, ok = l.back.Find(v.String()); !ok {
			return 0, usage(l.others(0, glob), "%s %s is not live in %s", l.wish.Name, v, l.place())
		}
	}
	if n < 1 {
		return 0, usage(l.others(0, glob), "--to %q is no version", text)
	}
	if err := l.usable(n); err != nil {
		return 0, usage(l.others(n, glob), "%s %s %w", l.wish.Name, l.back.Show(n), err)
	}
	return n, nil
}

// may refuses a target that would not take the functions back, or is kept away
// itself.
func (l liveLayer) may(n int64, glob string) error {
	if q := l.quarantined(n, glob); q != nil {
		return usage(fmt.Sprintf("layerd retry %s %s lets it come again; %s", shellQuote(l.region.Want.Name), shellQuote(l.wish.Name), l.others(n, glob)),
			"%s of %s is in quarantine in %s: %s", l.back.Show(n), l.wish.Name, l.place(), q.Reason)
	}
	if why, since := l.back.Refuse(n, glob); why != "" {
		return usage(fmt.Sprintf("in %s %s; %s", l.region.Want.Region, since, l.others(n, glob)), "%s", why)
	}
	return nil
}

// lastGood is where going back leads when nobody says: to what last came
// through a whole rollout, else to what was applied before, else to what most
// functions had before layerd.
func (l liveLayer) lastGood(glob string) (int64, error) {
	if list := l.offered(l.back.Had, 0, glob); len(list) > 0 {
		return list[0], nil
	}
	return 0, usage("say which one with --to; "+l.others(0, glob), "no earlier version of %s is known to have been in %s", l.wish.Name, l.place())
}

// quarantined finds the word that keeps a number from a function that the glob
// means; nil = none does.
func (l liveLayer) quarantined(n int64, glob string) *ruling.Quarantine {
	for i, q := range l.words {
		if slices.ContainsFunc(l.selected(glob), func(f state.Function) bool { return q.Covers(l.region.Want.Region, l.wish.Layer, n, f.Name) }) {
			return &l.words[i]
		}
	}
	return nil
}

// offered are those of the numbers that may be gone back to, each once.
func (l liveLayer) offered(numbers []int64, but int64, glob string) []int64 {
	var list []int64
	for _, n := range numbers {
		why, _ := l.back.Refuse(n, glob)
		if n != but && n != l.back.Asked && why == "" && l.usable(n) == nil && l.quarantined(n, glob) == nil && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// others says which versions could be gone back to: those that were here, the
// likeliest first, and then those that are lower than what the functions have.
func (l liveLayer) others(but int64, glob string) string {
	const most = 10
	numbers := slices.Clone(l.back.Had)
	for _, v := range l.back.Versions() {
		numbers = append(numbers, v.Number)
	}
	var list []string
	for _, n := range l.offered(numbers, but, glob) {
		if len(list) == most {
			list = append(list, "…")
			break
		}
		list = append(list, l.back.Show(n))
	}
	switch {
	case len(list) > 0:
		return "may be gone back to: " + strings.Join(list, ", ")
	case !l.wish.Owned:
		return "its versions are not ours to list: give an AWS version number with --to"
	}
	return "there is no other version to go back to"
}

// selected are the functions that the layer selects and the glob means, without
// those that are pinned to another version.
func (l liveLayer) selected(glob string) []state.Function {
	var list []state.Function
	for _, f := range l.snap.Functions {
		if _, pin := l.wish.Wants(f); pin == nil && l.wish.Selects(f) && matches(glob, f.Name) {
			list = append(list, f)
		}
	}
	return list
}

func (l liveLayer) names() []string {
	var list []string
	for _, f := range l.selected("") {
		list = append(list, f.Name)
	}
	return list
}

// all says that every one of the functions that has the layer has this number.
func (l liveLayer) all(functions []state.Function, n int64) bool {
	return !slices.ContainsFunc(functions, func(f state.Function) bool {
		v, _, ok := f.Has(l.wish.Layer)
		return ok && v.Number() != n
	})
}

// holds finds the word by which a person has rolled back the same already.
func (l liveLayer) holds(q ruling.Quarantine) (ruling.Quarantine, bool) {
	for _, old := range l.words {
		if old.ByPerson && old.Region == q.Region && old.Layer == q.Layer && old.Number == q.Number && old.Functions == q.Functions {
			return old, true
		}
	}
	return ruling.Quarantine{}, false
}

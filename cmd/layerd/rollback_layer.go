package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/daemon"
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
	asked int64 // what Git asks for
	past  reconcile.LayerPast
	first []int64             // what functions had before layerd changed them, the commonest first
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
func findLayer(ctx context.Context, r daemon.Round, w *watcher, region reconcile.RegionPlan, name string) (liveLayer, error) {
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
	t := slices.IndexFunc(region.Targets, func(t rollout.Target) bool { return t.Layer == l.wish.Layer })
	if t < 0 {
		why := "what Git asks for was not found"
		if len(region.Problems) > 0 {
			why = region.Problems[0].Message
		}
		return l, &exitError{code: exitInvalid, err: fmt.Errorf("%s in %s: %s", name, l.place(), why), hint: "see layerd plan"}
	}
	l.asked = region.Targets[t].Number
	if r.Store == nil {
		return l, nil
	}
	past, err := history.Open(r.Store, r.Repository).Past(ctx, region.Want.Name, region.Want.Region)
	if err != nil {
		return l, fmt.Errorf("read the past of %s: %w", l.place(), err)
	}
	l.past = past.Layers[l.wish.Layer]
	l.first = originals(past, l.wish.Layer)
	l.words, err = ruling.LoadQuarantines(ctx, r.Store, r.Repository, region.Want.Name)
	return l, err
}

// originals are the numbers that functions had before layerd first changed them,
// the commonest first.
func originals(past reconcile.Past, layer state.LayerARN) []int64 {
	counts := map[int64]int{}
	for _, f := range past.Functions {
		if n := f.Original[layer]; n > 0 {
			counts[n]++
		}
	}
	return slices.SortedFunc(maps.Keys(counts), func(a, b int64) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(b, a))
	})
}

func (l liveLayer) place() string { return l.region.Want.Name + " · " + l.region.Want.Region }

// label is the semantic version of a number, or "".
func (l liveLayer) label(n int64) string {
	if text := l.semver(l.wish, n); text != "" {
		return text
	}
	for text, number := range l.past.Numbers {
		if number == n {
			return text
		}
	}
	return ""
}

// versions are the live numbers, the newest first; nil where the layer is
// somebody else's, whose versions are not listed.
func (l liveLayer) versions() []int64 {
	layer, _ := l.snap.Layer(l.wish.Layer)
	var list []int64
	for _, v := range layer.Versions {
		list = append(list, v.Number)
	}
	slices.SortFunc(list, func(a, b int64) int { return int(b - a) })
	return list
}

// usable says why a number cannot be gone back to; nil = it can. Nobody but AWS
// knows which versions somebody else's layer has.
func (l liveLayer) usable(n int64) error {
	if l.wish.Owned && !slices.Contains(l.versions(), n) {
		return errors.New("is gone")
	}
	if why, ok := l.wish.Yanked[l.label(n)]; ok {
		return fmt.Errorf("was yanked: %s", why)
	}
	return nil
}

// resolve finds the number that --to means.
func (l liveLayer) resolve(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		v, err := semver.StrictNewVersion(strings.TrimPrefix(text, "v"))
		if err != nil {
			return 0, usage("a semantic version such as 1.4.1, or an AWS version number such as 12", "--to %q is no version", text)
		}
		if n = l.number(v.String()); n == 0 {
			return 0, usage(l.others(0), "%s %s is not live in %s", l.wish.Name, v, l.place())
		}
	}
	if n < 1 {
		return 0, usage(l.others(0), "--to %q is no version", text)
	}
	if err := l.usable(n); err != nil {
		return 0, usage(l.others(n), "%s %s %w", l.wish.Name, numbered(n, l.label(n)), err)
	}
	return n, nil
}

// number is the live number of a semantic version, 0 = there is none: the one
// that was applied, else the highest, as for what Git asks for.
func (l liveLayer) number(text string) int64 {
	live := l.versions()
	if n, ok := l.wish.Known[text]; ok {
		return n
	}
	if n := l.past.Numbers[text]; slices.Contains(live, n) {
		return n
	}
	for _, n := range live {
		if l.label(n) == text {
			return n
		}
	}
	return 0
}

// lastGood is where going back leads when nobody says: to what last came
// through a whole rollout, else to what was applied before, else to what most
// functions had before layerd.
func (l liveLayer) lastGood() (int64, error) {
	candidates := []int64{l.past.Proven}
	for _, n := range slices.Backward(l.past.Applied) {
		candidates = append(candidates, n)
	}
	for _, n := range append(candidates, l.first...) {
		if n > 0 && n != l.asked && !l.quarantined(n) && l.usable(n) == nil {
			return n, nil
		}
	}
	return 0, usage("say which one with --to; "+l.others(0), "no earlier version of %s is known to have been in %s", l.wish.Name, l.place())
}

func (l liveLayer) quarantined(n int64) bool {
	return slices.ContainsFunc(l.words, func(q ruling.Quarantine) bool { return q.Covers(l.region.Want.Region, l.wish.Layer, n, q.Functions) })
}

// others says which versions could be gone back to.
func (l liveLayer) others(but int64) string {
	const most = 10
	var list []string
	for _, n := range l.versions() {
		if n == but || n == l.asked || l.usable(n) != nil {
			continue
		}
		if len(list) == most {
			list = append(list, "…")
			break
		}
		list = append(list, numbered(n, l.label(n)))
	}
	switch {
	case !l.wish.Owned:
		return "its versions are not ours to list: give an AWS version number with --to"
	case len(list) == 0:
		return "no other version is live"
	}
	return "may be gone back to: " + strings.Join(list, ", ")
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
		if old.Hand && old.Region == q.Region && old.Layer == q.Layer && old.Number == q.Number && old.Functions == q.Functions {
			return old, true
		}
	}
	return ruling.Quarantine{}, false
}

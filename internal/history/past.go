package history

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

const (
	// day is how long a prune counts against the limit of a day.
	day = 24 * time.Hour
	// maxNumbers bounds each list in a layer's document: with all of them
	// full it still is far below store.MaxValue.
	maxNumbers = 3000
)

func (l *Log) functionKey(environment, region, name string) string {
	return store.Key("past", l.repository, "function", environment, region, name)
}

func (l *Log) layerKey(environment, region string, layer state.LayerARN) string {
	return store.Key("past", l.repository, "layer", environment, region, string(layer))
}

func (l *Log) prunedKey(environment, region string) string {
	return store.Key("past", l.repository, "pruned", environment, region)
}

// Past returns what was done and found in one environment and Region before. It
// reads one small value for each function that was ever managed there, and
// writes nothing.
func (l *Log) Past(ctx context.Context, environment, region string) (plan.Past, error) {
	past := plan.Past{Functions: map[string]plan.FunctionPast{}, Layers: map[state.LayerARN]plan.LayerPast{}}
	in := interner{}
	functions := store.Query{Prefix: store.Prefix("past", l.repository, "function", environment, region)}
	for d, err := range docs[functionDoc](l).List(ctx, functions) {
		if err != nil {
			return plan.Past{}, err
		}
		// A copy: the name is a part of a key that is three times as long.
		name := strings.Clone(d.Name)
		past.Functions[name] = d.Doc.past(name, in)
	}
	layers := store.Query{Prefix: store.Prefix("past", l.repository, "layer", environment, region)}
	for d, err := range docs[layerDoc](l).List(ctx, layers) {
		if err != nil {
			return plan.Past{}, err
		}
		layer := plan.LayerPast{
			Applied: d.Doc.Applied, Numbers: d.Doc.Numbers, Candidates: d.Doc.Candidates, Selected: d.Doc.Selected,
			Proven: d.Doc.Proven,
		}
		if d.Doc.Shares != nil {
			d.Doc.Shares.past(&layer)
		}
		past.Layers[state.LayerARN(d.Name)] = layer
	}
	pruned, _, err := docs[prunedDoc](l).Get(ctx, l.prunedKey(environment, region))
	if err != nil {
		return plan.Past{}, err
	}
	for _, at := range pruned.At {
		if time.Since(at) < day {
			past.Pruned = append(past.Pruned, at)
		}
	}
	slices.SortFunc(past.Pruned, time.Time.Compare)
	return past, nil
}

// Appliers returns which environments a layer was applied or found in, by layer, each
// once and sorted.
func (l *Log) Appliers(ctx context.Context) (map[state.LayerARN][]string, error) {
	all := map[state.LayerARN][]string{}
	prefix := store.Prefix("past", l.repository, "layer")
	for v, err := range l.store.List(ctx, store.Query{Prefix: prefix}) {
		if err != nil {
			return nil, err
		}
		segments, err := store.Split(v.Key)
		if err != nil {
			return nil, err
		}
		var d layerDoc
		if err := decode(v, &d); err != nil {
			return nil, err
		}
		if environment, layer := segments[3], state.LayerARN(segments[len(segments)-1]); len(d.Applied) > 0 && !slices.Contains(all[layer], environment) {
			all[layer] = append(all[layer], environment)
		}
	}
	for _, list := range all {
		slices.Sort(list)
	}
	return all, nil
}

// interner has one copy of each name of a layer: thousands of functions have
// the same few.
type interner map[string]string

func (in interner) intern(s string) string {
	if known, ok := in[s]; ok {
		return known
	}
	in[s] = s
	return s
}

func (d functionDoc) past(name string, in interner) plan.FunctionPast {
	p := plan.FunctionPast{List: d.List, Applied: make(map[state.LayerARN]int64, len(d.Layers)), Refusals: d.refusals()}
	for i, version := range d.List {
		d.List[i] = state.LayerVersionARN(in.intern(string(version)))
	}
	for layer, slot := range d.Layers {
		layer = state.LayerARN(in.intern(string(layer)))
		p.Applied[layer] = slot.Applied
		if slot.Original != 0 {
			if p.Original == nil {
				p.Original = map[state.LayerARN]int64{}
			}
			p.Original[layer] = slot.Original
		}
	}
	if d.Since != nil {
		p.Since = *d.Since
	}
	p.Kept, p.Released = d.Kept, d.Released
	for account := range d.Fences {
		if p.Account = in.intern(account); len(d.Fences) > 1 {
			p.Account = ""
		}
	}
	for layer, s := range d.Drift {
		if p.Drift == nil {
			p.Drift = map[state.LayerARN]plan.Sighting{}
		}
		layer = state.LayerARN(in.intern(string(layer)))
		have := state.LayerVersionARN(in.intern(string(s.Have)))
		p.Drift[layer] = plan.Sighting{Function: name, Layer: layer, Have: have, Since: s.Since}
	}
	for layer, h := range d.Heals {
		if p.Heals == nil {
			p.Heals = map[state.LayerARN]plan.Heals{}
		}
		p.Heals[state.LayerARN(in.intern(string(layer)))] = plan.Heals{Count: h.Count, Last: h.Last}
	}
	return p
}

// applyToPast brings the past up to what a record applied. All of it may be repeated.
func (l *Log) applyToPast(ctx context.Context, id string, rec record, out apply.Outcome, first func(Action) bool) error {
	if rec.publishes() != nil {
		return l.applyPublishToPast(ctx, rec, out.Published)
	}
	if rec.shares() {
		return l.applyShareToPast(ctx, rec)
	}
	by := l.fenceOf(rec)
	list := out.List
	if list == nil {
		list = rec.After
	}
	if rec.Alias != "" && rec.Steps[0].Cause != plan.CauseRollback {
		d, _, err := docs[functionDoc](l).Get(ctx, l.functionKey(rec.Environment, rec.Region, rec.Steps[0].Function))
		if err != nil {
			return fmt.Errorf("remember what %s serves: %w", rec.Alias, err)
		}
		rec.Steps = rec.serving(d, list)
	}
	for _, s := range rec.Steps {
		if s.Kind == plan.KindPrune {
			return l.applyPruneToPast(ctx, id, rec, s)
		}
		if s.To == "" || s.LayerARN == "" || !first(s) {
			continue
		}
		err := docs[layerDoc](l).Update(ctx, l.layerKey(rec.Environment, rec.Region, s.LayerARN), func(d *layerDoc) bool {
			return d.apply(s, by)
		})
		if err != nil {
			return fmt.Errorf("remember %s: %w", s.To, err)
		}
	}
	if len(rec.Steps) == 0 {
		return nil
	}
	function := rec.Steps[0].Function
	err := docs[functionDoc](l).Update(ctx, l.functionKey(rec.Environment, rec.Region, function), func(d *functionDoc) bool {
		return d.apply(id, rec, list, by)
	})
	if err != nil {
		return fmt.Errorf("remember what %s has: %w", function, err)
	}
	return nil
}

// serving returns the steps of a record that moved an alias, and with them those
// of a canary before it: what that attached counts only from now on, when all
// callers have it. What somebody else has changed, and was only reported, does not.
func (rec record) serving(d functionDoc, list []state.LayerVersionARN) []Action {
	steps := slices.Clone(rec.Steps)
	for _, layer := range slices.Sorted(maps.Keys(d.Layers)) {
		now := state.Layers(list).Of(layer)
		was := d.Layers[layer].Applied
		if _, drifted := d.Drift[layer]; drifted || now.Number() == was || slices.ContainsFunc(steps, func(s Action) bool { return s.LayerARN == layer }) {
			continue
		}
		s := Action{Kind: plan.KindAttach, LayerARN: layer, Function: rec.Steps[0].Function, To: now, Cause: rec.Steps[0].Cause}
		if was > 0 {
			s.From = layer.Version(was)
		}
		steps = append(steps, s)
	}
	return steps
}

// fenceOf is the hold of the lease that a record's outcome is written under:
// that of its round, or of whoever settles it after looking at AWS, which
// is the newer knowledge.
func (l *Log) fenceOf(rec record) fence {
	f := fence{rec.Account, rec.Fencing}
	if l.held.account == rec.Account {
		f.number = max(f.number, l.held.number)
	}
	return f
}

// apply notes what a record left on the function, and reports whether that is new.
func (d *functionDoc) apply(id string, rec record, list []state.LayerVersionARN, by fence) bool {
	if d.Fences.staleFor(by) {
		return false
	}
	// Advanced also when nothing else is new: the next to come may be one who
	// was asleep before this and has something older.
	changed := d.Fences.advance(by) || !slices.Equal(d.List, list)
	d.V, d.List = version, list
	changed = d.take(rec.Started) || changed
	d.Kept = false // it has what it waited for
	if d.Layers == nil {
		d.Layers = map[state.LayerARN]slotDoc{}
	}
	for _, s := range rec.Steps {
		if s.LayerARN == "" {
			continue // a serve is of the function, and of no layer
		}
		changed = d.countRepair(id, rec, s) || changed
		old, known := d.Layers[s.LayerARN]
		slot := old
		slot.Applied = s.To.Number()
		if !slot.Changed && s.Cause != plan.CauseRollback { // what went back was never remembered as changed
			slot.Changed, slot.Original = true, s.From.Number()
		}
		changed = changed || !known || slot != old
		d.Layers[s.LayerARN] = slot
		if _, drifted := d.Drift[s.LayerARN]; drifted {
			delete(d.Drift, s.LayerARN)
			changed = true
		}
	}
	return changed
}

// countRepair counts a repair of drift, and drops the count once Git or a rollback
// changes the layer. It reports whether anything is new. IDs grow, so that one that
// is not above the last that counted has been counted before. Were it counted again,
// a function that nobody touches could be left alone as a tug of war.
func (d *functionDoc) countRepair(id string, rec record, s Action) bool {
	was, known := d.Heals[s.LayerARN]
	switch {
	case known && id <= was.Record:
		return false
	case s.Cause != plan.CauseDrift:
		delete(d.Heals, s.LayerARN)
		return known
	}
	next := healDoc{Count: 1, Last: rec.Started, Record: id}
	if known && rec.Started.Sub(was.Last) < day {
		next.Count += was.Count
	}
	if d.Heals == nil {
		d.Heals = map[state.LayerARN]healDoc{}
	}
	d.Heals[s.LayerARN] = next
	return true
}

// apply makes the step's number the latest one applied here.
func (d *layerDoc) apply(s Action, by fence) bool {
	if d.Fences.staleFor(by) {
		return false
	}
	n := s.To.Number()
	changed := d.Fences.advance(by)
	changed = d.pinNumber(s.ToVersion, n) || changed
	if len(d.Applied) == 0 || d.Applied[len(d.Applied)-1] != n {
		d.Applied = append(slices.DeleteFunc(d.Applied, func(x int64) bool { return x == n }), n)
		changed = true
	}
	d.trim()
	return changed
}

// pinNumber notes which number a semantic version stands for.
func (d *layerDoc) pinNumber(semver string, n int64) bool {
	if semver == "" || d.Numbers[semver] == n {
		return false
	}
	if d.Numbers == nil {
		d.Numbers = map[string]int64{}
	}
	d.Numbers[semver] = n
	return true
}

// trim keeps the document within what a store holds: the latest applied, the
// highest numbers, and the lowest candidates, which are pruned first.
func (d *layerDoc) trim() {
	d.V = version
	d.Applied = d.Applied[max(0, len(d.Applied)-maxNumbers):]
	if over := len(d.Numbers) - maxNumbers; over > 0 {
		lowest := slices.Sorted(maps.Values(d.Numbers))[over-1]
		maps.DeleteFunc(d.Numbers, func(_ string, n int64) bool { return n <= lowest })
	}
	if len(d.Candidates) > maxNumbers {
		highest := slices.Sorted(maps.Keys(d.Candidates))[maxNumbers-1]
		maps.DeleteFunc(d.Candidates, func(n int64, _ time.Time) bool { return n > highest })
	}
}

// applyPruneToPast counts the prune and drops the version's candidacy. It asks
// for no fencing number: that a version was deleted stays true whoever deleted
// it and however late that is recorded, and a prune that was not counted would let
// one more be made today.
func (l *Log) applyPruneToPast(ctx context.Context, id string, rec record, s Action) error {
	err := docs[prunedDoc](l).Update(ctx, l.prunedKey(rec.Environment, rec.Region), func(d *prunedDoc) bool {
		if _, ok := d.At[id]; ok {
			return false
		}
		if d.At == nil {
			d.At = map[string]time.Time{}
		}
		maps.DeleteFunc(d.At, func(_ string, at time.Time) bool { return time.Since(at) >= day })
		d.V, d.At[id] = version, rec.Started
		return true
	})
	if err != nil {
		return fmt.Errorf("remember that %s was pruned: %w", s.From, err)
	}
	err = docs[layerDoc](l).Update(ctx, l.layerKey(rec.Environment, rec.Region, s.LayerARN), func(d *layerDoc) bool {
		_, was := d.Candidates[s.From.Number()]
		delete(d.Candidates, s.From.Number())
		d.V = version
		return was
	})
	if err != nil {
		return fmt.Errorf("remember that %s was pruned: %w", s.From, err)
	}
	return nil
}

package history

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/plan"

	"golang.org/x/sync/errgroup"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// writers is how many values Learn writes at once: the first round of an
// account adopts thousands of functions, and a write to a table in the cloud
// takes milliseconds.
const writers = 8

// Learn remembers what a look at the world taught. It must be given what was
// learned from a whole look at the Region: a drift that is not in learned has
// ended, a candidate that is not in it is protected again. What is known
// already is not written, so learning the same twice writes nothing; what a
// later holder of the lease wrote is left alone (Holding).
func (l *Log) Learn(ctx context.Context, environment, region string, learned plan.Learned, now time.Time) error {
	// Layers first: a function that is known is not learned again. Killed in
	// between the other way round, the layer would never hear that the version
	// ran here, which rolling back and retention go by.
	if _, err := l.learnLayers(ctx, environment, region, learned); err != nil {
		return fmt.Errorf("remember what is known of layers: %w", err)
	}
	if err := l.learnFunctions(ctx, environment, region, learned, now.UTC()); err != nil {
		return fmt.Errorf("remember what functions have: %w", err)
	}
	return nil
}

// LearnAfter is Learn for whoever read past a moment ago and has had the lease
// since: where past says that nothing is new of any function, none is read
// again. Beside a large account that is half of what a quiet round reads. news
// says that past may be old now.
func (l *Log) LearnAfter(ctx context.Context, environment, region string, past plan.Past, learned plan.Learned, now time.Time) (news bool, err error) {
	if !known(past, learned) {
		return true, l.Learn(ctx, environment, region, learned, now)
	}
	if news, err = l.learnLayers(ctx, environment, region, learned); err != nil {
		return true, fmt.Errorf("remember what is known of layers: %w", err)
	}
	return news, nil
}

// known says that past has all that was learned of functions, and no drift
// that has ended. It must find new whatever functionDoc.learn does.
func known(past plan.Past, learned plan.Learned) bool {
	if len(learned.Adopted) > 0 {
		return false
	}
	drifts := 0
	for _, f := range past.Functions {
		drifts += len(f.Drift)
	}
	for _, s := range learned.Sightings {
		f := past.Functions[s.Function]
		was, seen := f.Drift[s.Layer]
		if !seen || was.Have != s.Have || !was.Since.Equal(s.Since) {
			return false
		}
		if original, n := f.Original[s.Layer], s.Have.Number(); original != 0 && n != 0 && n != f.Applied[s.Layer] && n != original {
			return false
		}
	}
	return drifts == len(learned.Sightings)
}

// lesson is what was learned of one function.
type lesson struct {
	adopted []plan.Adoption
	drift   map[state.LayerARN]sightDoc
}

func (l *Log) learnFunctions(ctx context.Context, environment, region string, learned plan.Learned, now time.Time) error {
	lessons := map[string]lesson{}
	for _, a := range learned.Adopted {
		le := lessons[a.Function]
		le.adopted = append(le.adopted, a)
		lessons[a.Function] = le
	}
	for _, s := range learned.Sightings {
		le := lessons[s.Function]
		if le.drift == nil {
			le.drift = map[state.LayerARN]sightDoc{}
		}
		since := s.Since.UTC()
		if since.IsZero() {
			since = now
		}
		le.drift[s.Layer] = sightDoc{Have: s.Have, Since: since}
		lessons[s.Function] = le
	}

	// Write after the list was read: a store need not like both at once.
	pending := map[string]*store.Value{}
	known := store.Query{Prefix: store.Prefix("past", l.repository, "function", environment, region)}
	for d, err := range docs[functionDoc](l).List(ctx, known) {
		if err != nil {
			return err
		}
		if d.Doc.learn(lessons[d.Name], l.held) {
			pending[d.Name] = &d.Value
		} else {
			delete(lessons, d.Name)
		}
	}
	for name := range lessons {
		if pending[name] == nil {
			pending[name] = &store.Value{}
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(writers)
	for _, name := range slices.Sorted(maps.Keys(pending)) {
		g.Go(func() error {
			return docs[functionDoc](l).UpdateFrom(ctx, l.functionKey(environment, region, name), pending[name],
				func(d *functionDoc) bool { return d.learn(lessons[name], l.held) })
		})
	}
	return g.Wait()
}

// learn notes what was found on the function; false = nothing is new.
func (d *functionDoc) learn(le lesson, by fence) bool {
	if by.number > 0 && d.Fences.passed(by) {
		return false
	}
	changed := false
	d.V = version
	for _, a := range le.adopted {
		slot, known := d.Layers[a.Layer]
		if !known || slot.Applied != a.Number {
			if d.Layers == nil {
				d.Layers = map[state.LayerARN]slotDoc{}
			}
			// Original stays: this may be our own write whose end was lost, and
			// keeping a version too many is the safe mistake.
			slot.Applied = a.Number
			d.Layers[a.Layer] = slot
			changed = true
		}
		if !slices.Equal(d.List, a.List) {
			d.List, changed = slices.Clone(a.List), true
		}
	}
	for layer, s := range le.drift {
		slot, n := d.Layers[layer], s.Have.Number()
		if slot.Original != 0 && n != 0 && n != slot.Applied && n != slot.Original {
			slot.Original = 0 // another writer's template names another number now
			d.Layers[layer] = slot
			changed = true
		}
	}
	same := func(a, b sightDoc) bool { return a.Have == b.Have && a.Since.Equal(b.Since) }
	if !maps.EqualFunc(d.Drift, le.drift, same) {
		d.Drift, changed = le.drift, true
	}
	if changed { // raising it alone would write every document at every change of holder
		d.Fences.raise(by)
	}
	return changed
}

// layerLesson is what was learned of one layer.
type layerLesson struct {
	adopted    []int64 // ascending, each once
	candidates map[int64]time.Time
	numbers    []plan.PinnedNumber
	selected   int // 0 = nothing new
}

// learnLayers says whether anything was new.
func (l *Log) learnLayers(ctx context.Context, environment, region string, learned plan.Learned) (news bool, err error) {
	lessons := layerLessons(learned)
	pending := map[state.LayerARN]*store.Value{}
	known := store.Query{Prefix: store.Prefix("past", l.repository, "layer", environment, region)}
	for d, err := range docs[layerDoc](l).List(ctx, known) {
		if err != nil {
			return false, err
		}
		layer := state.LayerARN(d.Name)
		if d.Doc.learn(lessons[layer], l.held) {
			pending[layer] = &d.Value
		} else {
			delete(lessons, layer)
		}
	}
	for layer := range lessons {
		if pending[layer] == nil {
			pending[layer] = &store.Value{}
		}
	}
	for _, layer := range slices.Sorted(maps.Keys(pending)) {
		err := docs[layerDoc](l).UpdateFrom(ctx, l.layerKey(environment, region, layer), pending[layer],
			func(d *layerDoc) bool { return d.learn(lessons[layer], l.held) })
		if err != nil {
			return true, err
		}
	}
	return len(pending) > 0, nil
}

func layerLessons(learned plan.Learned) map[state.LayerARN]layerLesson {
	lessons := map[state.LayerARN]layerLesson{}
	for _, a := range learned.Adopted {
		le := lessons[a.Layer]
		if at, ok := slices.BinarySearch(le.adopted, a.Number); !ok && a.Number != 0 {
			le.adopted = slices.Insert(le.adopted, at, a.Number)
		}
		lessons[a.Layer] = le
	}
	for _, c := range learned.Candidates {
		le := lessons[c.Layer]
		if le.candidates == nil {
			le.candidates = map[int64]time.Time{}
		}
		le.candidates[c.Number] = c.Since.UTC()
		lessons[c.Layer] = le
	}
	for _, f := range learned.Numbers {
		le := lessons[f.Layer]
		le.numbers = append(le.numbers, f)
		lessons[f.Layer] = le
	}
	for _, s := range learned.Selected {
		le := lessons[s.Layer]
		le.selected = s.Count
		lessons[s.Layer] = le
	}
	return lessons
}

// learn notes what was found of the layer; false = nothing is new.
func (d *layerDoc) learn(le layerLesson, by fence) bool {
	if by.number > 0 && d.Fences.passed(by) {
		return false
	}
	changed := false
	for _, n := range le.adopted {
		if slices.Contains(d.Applied, n) {
			continue
		}
		// What was found running counts as applied. A higher number is the
		// latest; a lower one (a pin, a straggler) must not look like it.
		if len(d.Applied) == 0 || n > slices.Max(d.Applied) {
			d.Applied = append(d.Applied, n)
		} else {
			d.Applied = slices.Insert(d.Applied, 0, n)
		}
		changed = true
	}
	for _, f := range le.numbers {
		changed = d.fix(f.Semver, f.Number) || changed
	}
	if !maps.EqualFunc(d.Candidates, trimmed(le.candidates), time.Time.Equal) {
		d.Candidates, changed = trimmed(le.candidates), true
	}
	if n := cmp.Or(le.selected, d.Selected); n != d.Selected {
		d.Selected, changed = n, true
	}
	if changed {
		d.Fences.raise(by)
	}
	d.trim()
	return changed
}

// trimmed is what trim leaves of a set of candidates, so that a set that is
// too large compares equal to what was kept of it.
func trimmed(candidates map[int64]time.Time) map[int64]time.Time {
	d := layerDoc{Candidates: maps.Clone(candidates)}
	d.trim()
	return d.Candidates
}

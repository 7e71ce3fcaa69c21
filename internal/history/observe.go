package history

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// writers is how many values RecordObservations writes at once: the first round of an
// account adopts thousands of functions, and a write to a table in the cloud
// takes milliseconds.
const writers = 8

// RecordObservations adds what was observed to the past. It must be given what was
// learned from a whole look at the Region: a drift that is not in learned has
// ended, a candidate that is not in it is protected again. What is recorded
// already is not written, so that the same twice writes nothing; what a
// later holder of the lease wrote is left alone (Holding).
func (l *Log) RecordObservations(ctx context.Context, environment, region string, learned plan.Learned, now time.Time) error {
	// Layers first: a function that is known is not recorded again. Killed in
	// between the other way round, the layer would not have the version that
	// ran here, which rollback and retention rely on.
	if _, err := l.recordLayers(ctx, environment, region, learned); err != nil {
		return fmt.Errorf("remember what is known of layers: %w", err)
	}
	if err := l.recordFunctions(ctx, environment, region, learned, now.UTC()); err != nil {
		return fmt.Errorf("remember what functions have: %w", err)
	}
	return nil
}

// RecordObservationsSince is RecordObservations for whoever read past a moment ago
// and has had the lease since: where past has everything about functions, none is
// read again. Beside a large account that is half of what a quiet round reads. news
// reports whether past may be old now.
func (l *Log) RecordObservationsSince(ctx context.Context, environment, region string, past plan.Past, learned plan.Learned, now time.Time) (news bool, err error) {
	if !upToDate(past, learned) {
		return true, l.RecordObservations(ctx, environment, region, learned, now)
	}
	if news, err = l.recordLayers(ctx, environment, region, learned); err != nil {
		return true, fmt.Errorf("remember what is known of layers: %w", err)
	}
	return news, nil
}

// upToDate reports whether past has all that was observed of functions, and no
// drift that has ended. It must find new whatever functionDoc.observe does.
func upToDate(past plan.Past, learned plan.Learned) bool {
	if len(learned.Adopted)+len(learned.Refused)+len(learned.Kept)+len(learned.Released) > 0 {
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

// observation is what was found on one function.
type observation struct {
	adopted        []plan.Adoption
	drift          map[state.LayerARN]sightDoc
	kept, released bool
	// revision is what the function is at, where it was refused at one that was not
	// known; empty = nothing to add.
	revision string
	at       time.Time
}

func functionObservations(learned plan.Learned, now time.Time) map[string]observation {
	observations := map[string]observation{}
	for _, a := range learned.Adopted {
		o := observations[a.Function]
		o.adopted = append(o.adopted, a)
		observations[a.Function] = o
	}
	for _, s := range learned.Sightings {
		o := observations[s.Function]
		if o.drift == nil {
			o.drift = map[state.LayerARN]sightDoc{}
		}
		since := s.Since.UTC()
		if since.IsZero() {
			since = now
		}
		o.drift[s.Layer] = sightDoc{Have: s.Have, Since: since}
		observations[s.Function] = o
	}
	for _, r := range learned.Refused {
		o := observations[r.Function]
		o.revision = r.Revision
		observations[r.Function] = o
	}
	for _, name := range learned.Kept {
		o := observations[name]
		o.kept = true
		observations[name] = o
	}
	for _, name := range learned.Released {
		o := observations[name]
		o.released = true
		observations[name] = o
	}
	for name, o := range observations {
		o.at = now
		observations[name] = o
	}
	return observations
}

func (l *Log) recordFunctions(ctx context.Context, environment, region string, learned plan.Learned, now time.Time) error {
	observations := functionObservations(learned, now)
	// Write after the list was read: a store need not like both at once.
	pending := map[string]*store.Value{}
	known := store.Query{Prefix: store.Prefix("past", l.repository, "function", environment, region)}
	for d, err := range docs[functionDoc](l).List(ctx, known) {
		if err != nil {
			return err
		}
		if d.Doc.observe(observations[d.Name], l.held) {
			pending[d.Name] = &d.Value
		} else {
			delete(observations, d.Name)
		}
	}
	for name := range observations {
		if pending[name] == nil {
			pending[name] = &store.Value{}
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(writers)
	for _, name := range slices.Sorted(maps.Keys(pending)) {
		g.Go(func() error {
			return docs[functionDoc](l).UpdateFrom(ctx, l.functionKey(environment, region, name), pending[name],
				func(d *functionDoc) bool { return d.observe(observations[name], l.held) })
		})
	}
	return g.Wait()
}

// observe notes what was found on the function, and reports whether that is new.
func (d *functionDoc) observe(o observation, by fence) bool {
	if by.number > 0 && d.Fences.staleFor(by) {
		return false
	}
	d.V = version
	changed := d.hold(o)
	for _, a := range o.adopted {
		d.Kept = false
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
	for layer, s := range o.drift {
		slot, n := d.Layers[layer], s.Have.Number()
		if slot.Original != 0 && n != 0 && n != slot.Applied && n != slot.Original {
			slot.Original = 0 // another writer's template names another number now
			d.Layers[layer] = slot
			changed = true
		}
	}
	for i := range d.Refused {
		if r := &d.Refused[i]; r.Revision == "" && o.revision != "" {
			r.Revision, changed = o.revision, true
		}
	}
	same := func(a, b sightDoc) bool { return a.Have == b.Have && a.Since.Equal(b.Since) }
	if !maps.EqualFunc(d.Drift, o.drift, same) {
		d.Drift, changed = o.drift, true
	}
	if changed { // raising it alone would write every document at every change of holder
		d.Fences.advance(by)
	}
	return changed
}

// layerObservation is what was found of one layer.
type layerObservation struct {
	adopted    []int64 // ascending, each once
	candidates map[int64]time.Time
	numbers    []plan.PinnedNumber
	selected   int               // 0 = nothing new
	shares     *plan.LayerShares // nil = nothing new
}

// recordLayers reports whether anything was new.
func (l *Log) recordLayers(ctx context.Context, environment, region string, learned plan.Learned) (news bool, err error) {
	observations := layerObservations(learned)
	pending := map[state.LayerARN]*store.Value{}
	known := store.Query{Prefix: store.Prefix("past", l.repository, "layer", environment, region)}
	for d, err := range docs[layerDoc](l).List(ctx, known) {
		if err != nil {
			return false, err
		}
		layer := state.LayerARN(d.Name)
		if d.Doc.observe(observations[layer], l.held) {
			pending[layer] = &d.Value
		} else {
			delete(observations, layer)
		}
	}
	for layer := range observations {
		if pending[layer] == nil {
			pending[layer] = &store.Value{}
		}
	}
	for _, layer := range slices.Sorted(maps.Keys(pending)) {
		err := docs[layerDoc](l).UpdateFrom(ctx, l.layerKey(environment, region, layer), pending[layer],
			func(d *layerDoc) bool { return d.observe(observations[layer], l.held) })
		if err != nil {
			return true, err
		}
	}
	return len(pending) > 0, nil
}

func layerObservations(learned plan.Learned) map[state.LayerARN]layerObservation {
	observations := map[state.LayerARN]layerObservation{}
	for _, a := range learned.Adopted {
		o := observations[a.Layer]
		if at, ok := slices.BinarySearch(o.adopted, a.Number); !ok && a.Number != 0 {
			o.adopted = slices.Insert(o.adopted, at, a.Number)
		}
		observations[a.Layer] = o
	}
	for _, c := range learned.Candidates {
		o := observations[c.Layer]
		if o.candidates == nil {
			o.candidates = map[int64]time.Time{}
		}
		o.candidates[c.Number] = c.Since.UTC()
		observations[c.Layer] = o
	}
	for _, f := range learned.Numbers {
		o := observations[f.Layer]
		o.numbers = append(o.numbers, f)
		observations[f.Layer] = o
	}
	for _, s := range learned.Shares {
		o := observations[s.Layer]
		o.shares = &s
		observations[s.Layer] = o
	}
	for _, s := range learned.Selected {
		o := observations[s.Layer]
		o.selected = s.Count
		observations[s.Layer] = o
	}
	return observations
}

// observe notes what was found of the layer, and reports whether that is new.
func (d *layerDoc) observe(o layerObservation, by fence) bool {
	if by.number > 0 && d.Fences.staleFor(by) {
		return false
	}
	changed := false
	for _, n := range o.adopted {
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
	for _, f := range o.numbers {
		changed = d.pinNumber(f.Semver, f.Number) || changed
	}
	if !maps.EqualFunc(d.Candidates, trimmed(o.candidates), time.Time.Equal) {
		d.Candidates, changed = trimmed(o.candidates), true
	}
	if n := cmp.Or(o.selected, d.Selected); n != d.Selected {
		d.Selected, changed = n, true
	}
	changed = d.observeShares(o.shares) || changed
	if changed {
		d.Fences.advance(by)
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

package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// undo plans what returns the functions of a rollout that was not well to
// exactly what they had before it: their whole list, or none, and the version
// their alias served. The newest wave goes first. What somebody else has
// changed meanwhile is left alone and named.
func (r *region) undo() {
	r.undone = map[string]bool{}
	if r.rollout == nil || r.rollout.Stage != rollout.StageRollingBack {
		return
	}
	newest := slices.Clone(r.changed)
	slices.SortStableFunc(newest, func(a, b rollout.Changed) int { return cmp.Compare(b.Wave, a.Wave) })
	for _, c := range newest {
		f, ok := r.snap.Function(c.Function)
		if !ok {
			continue // it is gone, and its list with it
		}
		steps, ours := r.undoFunction(c, &f)
		if !ours {
			r.plan.LeftAlone = append(r.plan.LeftAlone, c.Function)
		}
		r.undone[c.Function] = true
		if ours && slices.Equal(f.Layers, c.Before) {
			r.rememberUndone(c, &f)
		}
		r.plan.Steps = append(r.plan.Steps, steps...)
	}
	slices.Sort(r.plan.LeftAlone)
	if n := len(r.plan.LeftAlone); n > 0 {
		r.plan.Notes = append(r.plan.Notes, plan.Note{Code: "left_alone", Message: fmt.Sprintf(
			"%s changed by somebody else since the rollout and not returned: %s", words.Plural(n, "function was", "functions were"), words.Few(r.plan.LeftAlone))})
	}
}

// rememberUndone remembers that a function has what it had before, also where the call
// that returned it seemed to fail: it would else be healed to what was not well.
func (r *region) rememberUndone(c rollout.Changed, f *state.Function) {
	past := r.past.Functions[c.Function]
	for _, layer := range c.Before.Differ(c.After) {
		n := f.Layers.Number(layer)
		if p := slotPast(past, layer); p.known && p.number != n {
			r.plan.Learned.Adopted = append(r.plan.Learned.Adopted, plan.Adoption{Function: c.Function, Layer: layer, Number: n, List: f.Layers})
		}
	}
}

// undoFunction returns the steps that return one function; ours is false when it
// has neither what it had before nor what the rollout left.
func (r *region) undoFunction(c rollout.Changed, f *state.Function) (steps []plan.Step, ours bool) {
	serve, ours := r.undoAlias(c, f)
	if !ours || r.neighboursChanged(c) {
		return nil, false
	}
	if serve != nil {
		steps = append(steps, *serve)
	}
	switch {
	case slices.Equal(f.Layers, c.Before):
		return steps, true
	case !slices.Equal(f.Layers, c.After):
		return nil, slices.ContainsFunc(r.begunLists[c.Function], func(l state.Layers) bool { return slices.Equal(l, f.Layers) })
	}
	return append(steps, r.undoLayers(c, f)...), true
}

// neighboursChanged reports whether somebody else changed the layers beside ours between two
// changes of the rollouts that are undone, which the whole list would undo too.
func (r *world) neighboursChanged(c rollout.Changed) bool {
	others := func(list []state.LayerVersionARN) []state.LayerVersionARN {
		return slices.DeleteFunc(slices.Clone(list), func(v state.LayerVersionARN) bool {
			layer := v.Layer()
			return r.wishOf(layer) != nil || slices.Contains(c.Earlier, layer) || slices.ContainsFunc(r.rollout.Targets, func(t rollout.Target) bool { return t.Layer == layer })
		})
	}
	return !slices.Equal(others(c.Before), others(c.After))
}

func (r *region) undoAlias(c rollout.Changed, f *state.Function) (step *plan.Step, ours bool) {
	if c.Alias == "" || c.AliasAfter == "" {
		return nil, true // not moved
	}
	if c.Alias == state.LatestPublished {
		return r.undoInstances(c, f), true
	}
	key := state.Qualified{Function: c.Function, Qualifier: c.Alias}
	served, known := r.snap.Served[key]
	if !known {
		r.plan.Needs.Served = append(r.plan.Needs.Served, key)
		return nil, true
	}
	a, known := r.alias(c.Function, c.Alias)
	if !known && r.snap.Aliases[c.Function] == nil {
		return nil, true // asked for just now
	}
	weights := len(a.Weights) > 0
	switch {
	case served.Version == c.AliasBefore && !weights:
		return nil, true
	case !slices.Contains([]string{c.AliasAfter, c.AliasBefore, cmp.Or(c.AliasServes, c.AliasBefore)}, served.Version):
		return nil, false
	case weights && a.Weights[c.AliasAfter] == 0:
		return nil, false // somebody else's canary
	}
	return &plan.Step{
		Kind: plan.KindServe, ID: fmt.Sprintf("%s/%s/%s", plan.KindServe, c.Alias, c.Function), Layer: r.layersChanged(c), Function: c.Function,
		Cause: plan.CauseRollback, Wave: c.Wave, List: f.Layers,
		Reason:  fmt.Sprintf("%s goes back to version %s, which it served before: %s", c.Alias, c.AliasBefore, r.rollout.Reason),
		Serving: &plan.Serving{Qualifier: c.Alias, Served: served, Alias: a, Version: c.AliasBefore},
	}, true
}

// undoInstances has the instances of the account run again what the function
// had: there is no version to point at, so $LATEST is published once more when its
// list is back.
func (r *region) undoInstances(c rollout.Changed, f *state.Function) *plan.Step {
	key := state.Qualified{Function: c.Function, Qualifier: c.Alias}
	served, known := r.snap.Served[key]
	if !known {
		r.plan.Needs.Served = append(r.plan.Needs.Served, key)
		return nil
	}
	ours := c.Before.Differ(c.After)
	same := !slices.ContainsFunc(ours, func(layer state.LayerARN) bool {
		had := c.Before.Of(layer)
		runs := served.Layers.Of(layer)
		return had != runs
	})
	if same {
		return nil
	}
	return &plan.Step{
		Kind: plan.KindServe, ID: fmt.Sprintf("%s/%s/%s", plan.KindServe, c.Alias, c.Function), Layer: r.layersChanged(c), Function: c.Function,
		Cause: plan.CauseRollback, Wave: c.Wave, List: f.Layers,
		Reason:  "its instances run again what it had before: " + r.rollout.Reason,
		Serving: &plan.Serving{Qualifier: c.Alias, Served: served, Ours: ours},
	}
}

// undoLayers restores the whole list as it was.
func (r *world) undoLayers(c rollout.Changed, f *state.Function) []plan.Step {
	var steps []plan.Step
	for _, layer := range c.Before.Differ(c.After) {
		before := c.Before.Of(layer)
		after := c.After.Of(layer)
		s := plan.Step{
			Kind: plan.KindRollback, Layer: r.nameOf(layer), LayerARN: layer, Function: c.Function, From: after, To: before,
			Cause: plan.CauseRollback, Wave: c.Wave, List: f.Layers, Whole: orNone(c.Before), Reason: "back to what it had before: " + r.rollout.Reason,
		}
		if before == "" {
			s.Kind = plan.KindDetach
		}
		if w := r.wishOf(layer); w != nil {
			s.FromVersion, s.ToVersion = w.catalog.Label(after.Number()), w.catalog.Label(before.Number())
		}
		s.ID = fmt.Sprintf("%s/%s/%s", s.Kind, s.Layer, s.Function)
		steps = append(steps, s)
	}
	return steps
}

// orNone makes a list that says "no layers" and not "nothing said".
func orNone(list []state.LayerVersionARN) []state.LayerVersionARN {
	return append([]state.LayerVersionARN{}, list...)
}

func (r *world) layersChanged(c rollout.Changed) string {
	var names []string
	for _, layer := range c.Before.Differ(c.After) {
		names = append(names, r.nameOf(layer))
	}
	return strings.Join(names, "+")
}

func (r *world) wishOf(layer state.LayerARN) *wish {
	for _, w := range r.wishes {
		if w.Layer == layer {
			return w
		}
	}
	return nil
}

// nameOf returns a layer's name in Git, or what it is called live where Git does
// not name it any more.
func (r *world) nameOf(layer state.LayerARN) string {
	if w := r.wishOf(layer); w != nil {
		return w.Name
	}
	if r.rollout != nil {
		for _, t := range r.rollout.Targets {
			if t.Layer == layer {
				return t.Name
			}
		}
	}
	return layer.Name()
}

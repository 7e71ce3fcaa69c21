package reconcile

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// addLagging names aliases that serve another version of a layer than $LATEST
// will have, for the functions that are about to change.
func (r *region) addLagging() {
	changes := func(s plan.Step) bool { return s.Function != "" }
	if !slices.ContainsFunc(r.plan.Steps, changes) {
		return
	}
	if r.snap.Uses == nil {
		r.plan.Needs.Uses = true
		return
	}
	latest := map[string][]plan.Step{}
	var names []string
	for i := range r.plan.Steps {
		s := &r.plan.Steps[i]
		if _, ok := slices.BinarySearch(r.snap.Uses.Versioned, s.Function); !ok {
			continue // no published version, so every alias serves $LATEST
		}
		if latest[s.Function] == nil {
			names = append(names, s.Function)
		}
		latest[s.Function] = append(latest[s.Function], *s)
	}
	slices.Sort(names)
	for _, name := range names {
		aliases, ok := r.snap.Aliases[name]
		if !ok {
			r.plan.Needs.Aliases = append(r.plan.Needs.Aliases, name)
			continue
		}
		for _, a := range aliases {
			if !moved(latest[name], a.Name) {
				r.lagging(name, a, latest[name])
			}
		}
	}
}

// moved reports whether one of the steps moves the alias.
func moved(steps []plan.Step, alias string) bool {
	return slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Kind == plan.KindServe && s.Serving.Qualifier == alias })
}

func (r *region) lagging(function string, a state.Alias, steps []plan.Step) {
	versions := []string{a.Version}
	for v := range a.Weights {
		versions = append(versions, v)
	}
	slices.Sort(versions)
	for _, version := range versions {
		if strings.HasPrefix(version, "$") {
			continue
		}
		for _, s := range steps {
			serves := r.published(function, version, s.LayerARN)
			if serves == s.To || s.Kind == plan.KindServe {
				continue
			}
			r.plan.Behind = append(r.plan.Behind, plan.Behind{
				Function: function, Alias: a.Name, Version: version, Layer: s.Layer, Serves: serves, Latest: s.To,
			})
		}
	}
}

// published returns the version of a layer that a function version carries.
func (r *world) published(function, version string, layer state.LayerARN) state.LayerVersionARN {
	list := r.snap.Uses.Published // sorted by function
	i, _ := slices.BinarySearchFunc(list, function, func(p state.Published, name string) int { return cmp.Compare(p.Function, name) })
	for ; i < len(list) && list[i].Function == function; i++ {
		if list[i].Version != version {
			continue
		}
		for _, v := range list[i].Layers {
			if v.Of(layer) {
				return v
			}
		}
	}
	return ""
}

// finish derives what follows from the whole plan: whether all is in sync,
// when to look again, what it costs.
func (r *region) finish() {
	p := &r.plan
	p.InSync = p.Failure == nil && len(p.Problems) == 0 && r.snap != nil
	for _, s := range p.Steps {
		p.InSync = p.InSync && s.Kind == plan.KindPrune
		if s.Held == nil || s.Held.Until.IsZero() {
			continue
		}
		if p.Next.IsZero() || s.Held.Until.Before(p.Next) {
			p.Next = s.Held.Until
		}
	}
	for _, d := range p.Drift {
		p.InSync = p.InSync && (d.Kind == plan.DriftExtra || d.Kind == plan.DriftOrder)
	}
	for _, b := range p.Blocked {
		p.InSync = p.InSync && b.Permanent
		if !b.Until.IsZero() && (p.Next.IsZero() || b.Until.Before(p.Next)) {
			p.Next = b.Until
		}
	}
	if len(p.Waves) > 0 {
		p.Remaining = r.duration()
	}
	if reason, _, spans := r.windowTooShort(); spans {
		then := "what is left then goes on at the next opening"
		if r.want.Rollout.MustFitWindow && r.rollout == nil {
			then = "it does not start, since span_windows is false"
		}
		p.Notes = append(p.Notes, plan.Note{Code: "rollout_spans_windows", Message: "the rollout cannot end within the change window: " + reason + "; " + then})
	}
	p.Learned.Selected = slices.DeleteFunc(p.Learned.Selected, func(s plan.Selection) bool { return r.doubted(s.Layer) })
	slices.Sort(p.Needs.Aliases)
	p.Needs.Aliases = slices.Compact(p.Needs.Aliases)
	slices.Sort(p.Needs.Policies)
	p.Needs.Policies = slices.Compact(p.Needs.Policies) // for pruning and for sharing
	slices.Sort(p.Needs.Probes)
	slices.SortFunc(p.Needs.Served, func(a, b state.Qualified) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Qualifier, b.Qualifier))
	})
	p.Needs.Served = slices.Compact(p.Needs.Served)
	r.keep()
	r.cost()
}

// doubted reports whether a layer's selection shrank and nobody has approved it, so
// that the smaller number must not become the new normal.
func (r *region) doubted(l state.LayerARN) bool {
	for _, w := range r.wishes {
		if w.Layer != l || r.shrunk[w.Name] == "" {
			continue
		}
		for _, s := range r.plan.Steps {
			if s.Layer == w.Name && s.Held == nil {
				return false
			}
		}
		return true
	}
	return false
}

// cost counts what the steps that may run now take, a sweep and a delete per prune, and
// the grants; what is taken back is read before.
func (r *region) cost() {
	functions, prunes, publishes, shares := map[string]bool{}, 0, 0, 0
	for i := range r.plan.Steps {
		s := &r.plan.Steps[i]
		switch {
		case s.Held != nil:
		case s.Kind == plan.KindPrune:
			prunes++
		case s.Kind == plan.KindPublish:
			publishes++
		case s.Kind == plan.KindShare && s.To == "":
			shares += 2
		case s.Kind == plan.KindShare:
			shares++
		default:
			functions[s.Function] = true
		}
	}
	writes, reads := r.calls(len(functions))
	writes += prunes + 2*publishes + shares // the versions are listed just before, so that none is published twice
	if prunes > 0 && r.snap != nil {
		writes += (len(r.snap.Functions) + 49) / 50
	}
	seconds := r.in.Rates.seconds(writes, reads)
	r.plan.Cost.Calls += writes + reads
	r.plan.Cost.Seconds = math.Round(seconds*10) / 10
}

// calls is what changing so many functions takes: one update and about three
// reads from their own quota; behind an alias a version and the move of the
// alias as well, and two more reads.
func (r *world) calls(functions int) (writes, reads int) {
	if r.want.Alias != "" {
		return 3 * functions, 5 * functions
	}
	return functions, 3 * functions
}

// seconds is how long so many calls take at these rates.
func (rates Rates) seconds(writes, reads int) float64 {
	if rates.Requests == 0 {
		rates.Requests = 5
	}
	if rates.GetFunction == 0 {
		rates.GetFunction = 60
	}
	return math.Max(float64(writes)/rates.Requests, float64(reads)/rates.GetFunction)
}

package reconcile

import (
	"slices"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// Status returns how the rollouts of the Region with index i stand after its plan
// was carried out. It is a function of what the round knows; in is as it is then.
func Status(in Input, i int, p plan.Region) *plan.RolloutStatus {
	r := in.Regions[i]
	s := &plan.RolloutStatus{LeftAlone: p.LeftAlone, Last: r.Rollout, Changed: r.Changed, Semvers: r.semvers(), Functions: r.functions(p)}
	for _, q := range in.Quarantines {
		lifted := slices.ContainsFunc(p.Lifted, func(l ruling.Quarantine) bool {
			return l.Layer == q.Layer && l.Number == q.Number && l.Functions == q.Functions
		})
		if q.Region == p.Want.Region && q.Holds() && !lifted {
			s.Quarantines = append(s.Quarantines, q)
		}
	}
	if s.Last != nil && s.Last.Stage == rollout.StageRolledBack && r.Have != nil {
		s.LeftAlone = remaining(s, *r.Have, p)
	}
	return s
}

// semvers are the semantic versions of what is live, of the layers that Git
// names here.
func (r Region) semvers() map[state.LayerVersionARN]string {
	if r.Have == nil || len(r.Want.Layers) == 0 {
		return nil
	}
	known := map[state.LayerVersionARN]string{}
	for _, w := range r.Want.Layers {
		for n, label := range catalog.New(w, r.Have, r.Past.Layers[w.Layer].Numbers).Labels() {
			known[w.Layer.Version(n)] = label
		}
	}
	return known
}

// functions counts the functions that have each version of what Git names here. What
// they had was seen before p was carried out, and what that did is in its steps.
func (r Region) functions(p plan.Region) map[state.LayerVersionARN]int {
	if r.Have == nil || len(r.Want.Layers) == 0 {
		return nil
	}
	count := map[state.LayerVersionARN]int{}
	for i := range r.Have.Functions {
		f := &r.Have.Functions[i]
		for _, w := range r.Want.Layers {
			if v := f.Layers.Of(w.Layer); v != "" && !f.Edge {
				count[v]++
			}
		}
	}
	for _, s := range p.Steps {
		if s.Function == "" || s.Kind == plan.KindServe || s.Result == nil || s.Result.Status != plan.StatusApplied {
			continue // what callers get through an alias is not what $LATEST has
		}
		if s.From != "" {
			if count[s.From]--; count[s.From] <= 0 {
				delete(count, s.From)
			}
		}
		if s.To != "" {
			count[s.To]++
		}
	}
	return count
}

// remaining names the functions of a rollout that went back which have a
// version in quarantine all the same. snap was taken before p was carried out.
func remaining(s *plan.RolloutStatus, snap state.Snapshot, p plan.Region) []string {
	returned := map[string]bool{}
	for _, step := range p.Steps {
		if step.Cause == plan.CauseRollback && step.Done() {
			returned[step.Function] = true
		}
	}
	var names []string
	for _, c := range s.Changed {
		f, ok := snap.Function(c.Function)
		bad := ok && slices.ContainsFunc(s.Quarantines, func(q ruling.Quarantine) bool {
			n := f.Layers.Number(q.Layer)
			return n > 0 && q.Covers(q.Region, q.Layer, n, f.Name)
		})
		if bad && !returned[c.Function] {
			names = append(names, c.Function)
		}
	}
	slices.Sort(names)
	return names
}

package reconcile

import (
	"slices"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// Standing is how the rollouts of one Region stand when a round is over, which
// is what people are told of them.
type Standing struct {
	Last *Rollout // under way, or the last there was; nil = there never was one
	// Changed is what Last, and those it took over from, did, by function;
	// empty also where nobody asked what one that ended long ago did.
	Changed []Changed
	// LeftAlone names functions that Last did not return when it went back,
	// since somebody else had changed them, and that still have a version in
	// quarantine; sorted.
	LeftAlone   []string
	Quarantines []ruling.Quarantine // those that hold here
	// Semvers are those of what is live; see Semver.
	Semvers map[state.LayerVersionARN]string
}

// Stand gives the standing of the Region with index i after its plan was
// carried out. It is a function of what the round knows; in is as it is then.
func Stand(in Input, i int, p RegionPlan) *Standing {
	s := &Standing{LeftAlone: p.LeftAlone}
	if i < len(in.Rollouts) && in.Rollouts[i] != nil {
		s.Last = in.Rollouts[i]
	}
	if i < len(in.Changed) {
		s.Changed = in.Changed[i]
	}
	for _, q := range in.Quarantines {
		lifted := slices.ContainsFunc(p.Lifted, func(l ruling.Quarantine) bool {
			return l.Layer == q.Layer && l.Number == q.Number && l.Functions == q.Functions
		})
		if q.Region == p.Want.Region && q.Ended.IsZero() && !lifted {
			s.Quarantines = append(s.Quarantines, q)
		}
	}
	if s.Last != nil && s.Last.Stage == StageRolledBack && in.Have[i] != nil {
		s.LeftAlone = s.remaining(*in.Have[i], p)
	}
	s.Semvers = semvers(in, i)
	return s
}

// semvers are the semantic versions of what is live, of the layers that Git
// names here.
func semvers(in Input, i int) map[state.LayerVersionARN]string {
	if i >= len(in.Have) || in.Have[i] == nil || len(in.Want[i].Layers) == 0 {
		return nil
	}
	known := map[state.LayerVersionARN]string{}
	for _, w := range in.Want[i].Layers {
		past := LayerPast{}
		if i < len(in.Past) {
			past = in.Past[i].Layers[w.Layer]
		}
		for n, label := range catalog.New(w, in.Have[i], past.Numbers).Labels() {
			known[w.Layer.Version(n)] = label
		}
	}
	return known
}

// Semver gives the semantic version of a number of a layer; empty = unknown.
func (s *Standing) Semver(layer state.LayerARN, n int64) string {
	if s == nil || n == 0 {
		return ""
	}
	return s.Semvers[layer.Version(n)]
}

// remaining names the functions of a rollout that went back which have a
// version in quarantine all the same. snap was taken before p was carried out.
func (s *Standing) remaining(snap state.Snapshot, p RegionPlan) []string {
	returned := map[string]bool{}
	for _, step := range p.Steps {
		if step.Cause == Rollback && step.fine() {
			returned[step.Function] = true
		}
	}
	var names []string
	for _, c := range s.Changed {
		f, ok := snap.Function(c.Function)
		bad := ok && slices.ContainsFunc(s.Quarantines, func(q ruling.Quarantine) bool {
			v, _, has := f.Has(q.Layer)
			return has && q.Covers(q.Region, q.Layer, v.Number(), f.Name)
		})
		if bad && !returned[c.Function] {
			names = append(names, c.Function)
		}
	}
	slices.Sort(names)
	return names
}

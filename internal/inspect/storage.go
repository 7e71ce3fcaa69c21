package inspect

import (
	"cmp"
	"slices"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

// Storage is what zips take, in bytes.
type Storage struct {
	Quota *state.CodeQuota // nil = not read
	// Layers is what the live versions of the layers take that are known, and Unknown
	// counts those whose size is not.
	Layers  int64
	Unknown int
	// Prune is what the plan's prunes free, of so many versions, now or once they waited
	// long enough, and PruneUnknown those of them whose size is not known.
	Prune                int64
	Prunes, PruneUnknown int
	// Shared is what so many versions take that the plan would prune if they were not
	// shared with others.
	Shared         int64
	Shares         int
	Saved          Savings // by sharing: what functions have, against each with a copy
	SavedFunctions int     // that have one of the layers
	SavedUnknown   int     // of them those that are left out, since a size is not known
}

// size returns the size of a layer version's zip; 0 = not known.
func (p UsagePlace) size(v state.LayerVersionARN) int64 {
	if p.Have.Uses != nil && p.Have.Uses.Sizes[v] > 0 {
		return p.Have.Uses.Sizes[v]
	}
	return p.Have.Probes[v].Size
}

// Sizeless returns the versions whose size is not known, those first that the plan
// prunes, then the newest: at most so many of them.
func (p UsagePlace) Sizeless(most int) []state.LayerVersionARN {
	var list []state.LayerVersionARN
	for _, w := range p.Layers {
		for _, v := range w.Catalog.Versions() {
			if arn := w.Layer.Version(v.Number); p.size(arn) == 0 {
				list = append(list, arn)
			}
		}
	}
	last := func(v state.LayerVersionARN) int {
		if p.prunes(v) {
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(a, b state.LayerVersionARN) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(b.Number(), a.Number()), cmp.Compare(a, b))
	})
	return list[:min(most, len(list))]
}

func (p UsagePlace) prunes(v state.LayerVersionARN) bool {
	return slices.ContainsFunc(p.Plan.Steps, func(s plan.Step) bool { return s.Kind == plan.KindPrune && s.From == v })
}

func (c counting) storage() Storage {
	s := Storage{Quota: c.Quota}
	for _, w := range c.Layers {
		for _, v := range w.Catalog.Versions() {
			arn := w.Layer.Version(v.Number)
			size, prune := c.size(arn), c.prunes(arn)
			s.Layers += size
			if size == 0 {
				s.Unknown++
			}
			if prune {
				s.Prunes++
				s.Prune += size
			}
			if c.keptShared(w.Name, v.Number) != "" {
				s.Shares++
				s.Shared += size
			}
			if prune && size == 0 {
				s.PruneUnknown++
			}
		}
	}
	c.saved(&s)
	return s
}

// keptShared returns why the plan keeps a version that nothing but a grant keeps; "" for
// every other.
func (p UsagePlace) keptShared(layer string, n int64) string {
	for _, k := range p.Plan.Kept {
		if k.Shared && k.Layer == layer && k.Version == n {
			return k.Reason
		}
	}
	return ""
}

// saved compares what functions and layers take with what they would if each function
// had its layers in its own zip. Both are of $LATEST: one zip a function.
func (c counting) saved(s *Storage) {
	var without, with, alone float64
	shared := map[state.LayerVersionARN]bool{}
	for i := range c.Have.Functions {
		f := &c.Have.Functions[i]
		if f.Edge || !c.carries(f.Layers) {
			continue
		}
		s.SavedFunctions++
		own, known := float64(f.CodeSize), f.CodeSize > 0
		layers := 0.0
		for _, v := range f.Layers {
			if slices.ContainsFunc(c.Layers, func(w reconcile.Wanting) bool { return v.Of(w.Layer) }) {
				size := c.size(v)
				known = known && size > 0
				layers += float64(size)
			}
		}
		if !known {
			s.SavedUnknown++
			continue
		}
		without += own + layers
		with += own
		alone += own
		for _, v := range f.Layers {
			if !shared[v] && slices.ContainsFunc(c.Layers, func(w reconcile.Wanting) bool { return v.Of(w.Layer) }) {
				shared[v] = true
				with += float64(c.size(v))
			}
		}
	}
	s.Saved = compareSizes(without/bytesPerGB, with/bytesPerGB, alone/bytesPerGB)
}

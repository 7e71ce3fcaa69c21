package inspect

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/state"
)

const latestVersion = "$LATEST"

// Series is what calls are counted under: a function as a whole, or what callers name of
// it, or one version of what an alias shares out between two.
type Series struct {
	Function, Qualifier string // an empty Qualifier is the whole function
	Executed            string
}

// Versioned names, sorted, the functions of which a published version has one of the
// layers: only their aliases can lead to one that $LATEST has not.
func (p UsagePlace) Versioned() []string {
	var names []string
	if p.Have.Uses == nil {
		return nil
	}
	for _, v := range p.Have.Uses.Published {
		if p.carries(v.Layers) && v.Version != state.LatestPublished {
			names = append(names, v.Function)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// carries reports whether one of the layers is in a list.
func (p UsagePlace) carries(list state.Layers) bool {
	for _, w := range p.Layers {
		if list.Index(w.Layer) >= 0 {
			return true
		}
	}
	return false
}

// Series returns, sorted, what is to be measured. The whole function is among it for
// each: what comes through no alias and by no number is what is left.
func (p UsagePlace) Series() []Series {
	seen := map[Series]bool{}
	for _, u := range usesOf(UsagePlace{Have: p.Have, Layers: p.Layers, Plan: p.Plan}) {
		seen[Series{Function: u.Function}] = true
		if s, apart := seriesOf(u); apart {
			seen[s] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b Series) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Qualifier, b.Qualifier), cmp.Compare(a.Executed, b.Executed))
	})
}

// seriesOf returns the series of a use that has one of its own: what is called without a
// qualifier has none.
func seriesOf(u Use) (s Series, apart bool) {
	switch {
	case u.Kind == UseAlias && u.Share < 1:
		return Series{u.Function, u.Qualifier, u.Version}, true
	case u.Kind == UseAlias, u.Kind == UsePublished && u.Qualifier != state.LatestPublished:
		return Series{Function: u.Function, Qualifier: u.Qualifier}, true
	}
	return Series{}, false
}

// usesOf finds all ways in which functions reach the layers, with what was called of each.
func usesOf(p UsagePlace) []Use {
	var all []Use
	add := func(list state.Layers, u Use) {
		for _, w := range p.Layers {
			if n := list.Number(w.Layer); n > 0 {
				u.Layer, u.Number = w.Layer, n
				all = append(all, u)
			}
		}
	}
	owners := map[string]string{}
	for i := range p.Have.Functions {
		f := &p.Have.Functions[i]
		owners[f.Name] = f.Tags[p.Plan.Want.OwnerTag]
		if !f.Edge {
			add(f.Layers, Use{Function: f.Name, Kind: UseLatest, Qualifier: latestVersion, Version: latestVersion, Share: 1})
		}
	}
	published := map[state.Qualified]state.Layers{}
	if p.Have.Uses != nil {
		for _, v := range p.Have.Uses.Published {
			published[state.Qualified{Function: v.Function, Qualifier: v.Version}] = v.Layers
			add(v.Layers, Use{Function: v.Function, Kind: UsePublished, Qualifier: v.Version, Version: v.Version, Share: 1})
		}
	}
	for function, aliases := range p.Have.Aliases {
		f, _ := p.Have.Function(function)
		for _, a := range aliases {
			for version, share := range sharesOf(a) {
				list := published[state.Qualified{Function: function, Qualifier: version}]
				if version == latestVersion {
					list = f.Layers
				}
				add(list, Use{Function: function, Kind: UseAlias, Qualifier: a.Name, Version: version, Share: share})
			}
		}
	}
	for i := range all {
		all[i].Owner = owners[all[i].Function]
	}
	slices.SortFunc(all, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(b.Number, a.Number), cmp.Compare(a.Function, b.Function),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Qualifier, b.Qualifier), cmp.Compare(a.Version, b.Version))
	})
	fillCalls(all, p) // in one order: sums of fractions depend on it
	return all
}

// sharesOf returns the versions that an alias leads to, and the share of its calls that
// each gets.
func sharesOf(a state.Alias) map[string]float64 {
	all, rest := map[string]float64{}, 1.0
	for _, version := range slices.Sorted(maps.Keys(a.Weights)) { // sums of fractions depend on their order
		if w := a.Weights[version]; w > 0 {
			all[version] = w
			rest -= w
		}
	}
	if rest > 1e-9 {
		all[a.Version] = rest
	}
	return all
}

// fillCalls fills in the calls. Those of a series of their own are what was counted
// there; a function without a qualifier has what is left of all its calls.
func fillCalls(all []Use, p UsagePlace) {
	if p.Calls == nil {
		return
	}
	apart := map[string]Traffic{} // by function: what has a series of its own
	seen := map[Series]bool{}
	for i := range all {
		s, ok := seriesOf(all[i])
		if !ok {
			continue
		}
		all[i].Traffic = p.Calls[s]
		if !seen[s] { // a function with two of the layers has two uses of one series
			seen[s] = true
			t := apart[s.Function]
			t.add(p.Calls[s])
			apart[s.Function] = t
		}
	}
	for i := range all {
		u := &all[i]
		if _, ok := seriesOf(*u); ok {
			continue
		}
		f, _ := p.Have.Function(u.Function)
		if f.Managed == strings.HasPrefix(u.Qualifier, state.LatestPublished) { // which is what a plain call runs
			u.Traffic = p.Calls[Series{Function: u.Function}].without(apart[u.Function])
		}
	}
}

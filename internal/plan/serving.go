package plan

import (
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/state"
)

// Serving is how callers reach a function that is not served by $LATEST, as it
// was when the step was decided. Whoever carries the step out compares it with
// what is there then.
type Serving struct {
	Qualifier string // the alias, or $LATEST.PUBLISHED
	// Served is what callers get now, Alias what the alias is; the latter is
	// empty for $LATEST.PUBLISHED.
	Served state.Served
	Alias  state.Alias
	// Version is what the alias is to be pointed at; empty = a version that is
	// still to be published from $LATEST.
	Version string
	// Weight is the share of calls that the new version gets, the alias
	// otherwise staying where it is; 0 = all of them.
	Weight float64
	// Ours are the layers that may differ between $LATEST and what is served
	// now; any other difference is somebody's unreleased work.
	Ours []state.LayerARN
	// Reverts names the layers that callers are to get back, because of a rollback.
	// The step may be a change nevertheless, where they would get something else
	// with it.
	Reverts []string
}

// Revert records why callers are to get another version of a layer.
func (s *Serving) Revert(layer string, why Cause) {
	if why == CauseRollback {
		s.Reverts = append(s.Reverts, layer)
	}
}

// Unreleased returns what $LATEST has and callers do not get yet, besides our own
// layers: publishing it would release somebody's work. Empty = nothing.
func (s *Serving) Unreleased(f state.Function) string {
	var what []string
	if f.CodeSHA256 != s.Served.CodeSHA256 {
		what = append(what, "code")
	}
	if names := f.Settings.Differ(s.Served.Settings); len(names) > 0 {
		what = append(what, "settings ("+strings.Join(names, ", ")+")")
	}
	if !slices.Equal(s.others(f.Layers), s.others(s.Served.Layers)) {
		what = append(what, "other layers")
	}
	return strings.Join(what, ", ")
}

// others returns a list without our layers.
func (s *Serving) others(list []state.LayerVersionARN) []state.LayerVersionARN {
	return slices.DeleteFunc(slices.Clone(list), func(v state.LayerVersionARN) bool {
		return slices.ContainsFunc(s.Ours, v.Of)
	})
}

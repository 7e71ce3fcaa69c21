package reconcile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// noteWithdrawn names the versions that Git has yanked, or calls deprecated, and that
// functions of this place still have, selected or not: $LATEST or what callers get. A
// deprecated one that is only asked for is named as well. Nothing waits for either.
func (r *region) noteWithdrawn() {
	for _, w := range r.wishes {
		if len(w.Yanked)+len(w.Deprecated) == 0 {
			continue
		}
		having := r.having(w)
		for _, n := range slices.Sorted(maps.Keys(having)) {
			runs := fmt.Sprintf("%s it: %s", words.Plural(len(having[n]), "function has", "functions have"), words.Few(having[n]))
			if reason, ok := w.catalog.Yanked(n); ok {
				r.note("yanked_in_use", fmt.Sprintf("%s %s was yanked (%s), and %s", w.Name, w.show(n), reason, runs))
			}
			if reason, ok := w.catalog.Deprecated(n); ok {
				r.note("deprecated_version", fmt.Sprintf("%s %s is deprecated (%s), and %s", w.Name, w.show(n), reason, runs))
			}
		}
		for _, t := range append(slices.Clone(w.pins), w.target) {
			if reason, ok := w.catalog.Deprecated(t.number); ok && len(having[t.number]) == 0 {
				r.note("deprecated_version", fmt.Sprintf("%s %s is deprecated (%s), and Git asks for it", w.Name, w.show(t.number), reason))
			}
		}
	}
}

func (r *region) note(code, message string) {
	r.plan.Notes = append(r.plan.Notes, plan.Note{Code: code, Message: message})
}

// noteTemporary names functions that a probe has made: one that was killed leaves them.
func (r *region) noteTemporary() {
	for _, f := range r.snap.Temporary {
		r.plan.Temporary = append(r.plan.Temporary, f.Name)
	}
	if names := r.plan.Temporary; len(names) > 0 {
		r.note("probe", words.Few(names)+": temporary, made by a probe and in nobody's fleet; what a kill has left is removed by the next doctor of a function or an environment here")
	}
}

// having returns the names of the functions that have a yanked or deprecated version
// of the wish's layer, by number.
func (r *region) having(w *wish) map[int64][]string {
	names := map[int64][]string{}
	for i := range r.snap.Functions {
		f := &r.snap.Functions[i]
		have := f.Layers.Number(w.Layer)
		served := have
		if s, ok := r.snap.Served[state.Qualified{Function: f.Name, Qualifier: r.want.Alias}]; ok {
			served = s.Layers.Number(w.Layer)
		}
		for _, n := range slices.Compact([]int64{have, served}) {
			_, yanked := w.catalog.Yanked(n)
			_, deprecated := w.catalog.Deprecated(n)
			if yanked || deprecated {
				names[n] = append(names[n], f.Name)
			}
		}
	}
	return names
}

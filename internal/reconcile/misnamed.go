package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/strictyaml"
)

// misnamed adds to the problem of a layer without any live version what it is
// probably called: who leaves layer_name away asks for makoto-common, and what is
// live is makoto-common-dev. What is wrong with an archive that is there has an answer
// of its own.
func (r *region) misnamed(w *wish, p *desired.Problem) {
	if p == nil || !w.Owned || !w.catalog.Listed() || len(w.catalog.Versions()) > 0 {
		return
	}
	if strings.HasPrefix(p.Code, "artifact_") && p.Code != "artifact_missing" {
		return
	}
	name := r.nearestLayer(w)
	switch {
	case name == "":
		return
	case w.Layer.Name() != w.Name: // somebody has named it
		p.Suggestion = fmt.Sprintf("there is %s: correct layer_name", name)
	case name == w.Name+"-"+r.want.Name:
		p.Suggestion = fmt.Sprintf("there is %s: set layer_name: ${NAME}-${ENVIRONMENT}", name)
	default:
		p.Suggestion = fmt.Sprintf("there is %s: set layer_name", name)
	}
}

// nearestLayer returns the name of a live layer of the same account that the wish
// probably means: of those with such a name the one that most of its functions
// have. Empty = there is none.
func (r *region) nearestLayer(w *wish) string {
	type candidate struct {
		name string
		has  int // functions that the wish selects
	}
	found := map[string]*candidate{}
	for i := range r.snap.Functions {
		f := &r.snap.Functions[i]
		selected := w.Selects(*f)
		for _, v := range f.Layers {
			l := v.Layer()
			if l.Account() != w.Layer.Account() || !alike(l.Name(), w) {
				continue
			}
			c := found[l.Name()]
			if c == nil {
				c = &candidate{name: l.Name()}
				found[c.name] = c
			}
			if selected {
				c.has++
			}
		}
	}
	var best *candidate
	for _, c := range found {
		if best == nil || cmp.Or(cmp.Compare(c.has, best.has), strings.Compare(best.name, c.name)) > 0 {
			best = c
		}
	}
	if best == nil {
		return ""
	}
	return best.name
}

// alike reports whether a layer of this name may be the one that a wish means.
func alike(name string, w *wish) bool {
	if w.Layer.Name() == name {
		return false
	}
	parts := func(s string) []string {
		return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == '-' || r == '_' })
	}
	has := parts(name)
	return strictyaml.Nearest(w.Layer.Name(), []string{name}) != "" ||
		!slices.ContainsFunc(parts(w.Name), func(p string) bool { return !slices.Contains(has, p) })
}

package reconcile

import (
	"fmt"
	"path"
	"slices"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// goesBack reports whether bringing a function to a number takes it back: it was
// in the environment before, or on the function before layerd, or neither $LATEST
// nor callers have a lower one. Not to have the layer is lower than all.
func goesBack(here []int64, original, to, have, served int64) bool {
	return slices.Contains(here, to) || to == original || to <= have && to <= served
}

// notHere is why a person's word does not bring a version to a function.
func notHere(version, environment string) string {
	return fmt.Sprintf("%s has not been in %s; a change goes through Git", version, environment)
}

// Returning is where a person may take a layer back to in one environment and
// Region.
type Returning struct {
	catalog.Catalog
	Asked int64 // what Git asks for; 0 = none, or Missing
	// Missing is the semantic version that Git asks for and that is not published yet;
	// empty = there is none. It has no number, so that nothing can be kept away.
	Missing string
	Had     []int64 // see Past.Had

	here        []int64 // see Past.Here
	environment string
	functions   []standsAt
}

// standsAt is what one function has that such a word would move; 0 = without the
// layer.
type standsAt struct {
	function     string
	have, served int64
	original     int64 // before layerd; 0 = unknown
}

// Returns looks at what a layer may be taken back to. Served of snap is to have
// what the selected functions' callers get, see plan.Region.Needs.
func Returns(env desired.Environment, layer desired.LayerWish, snap *state.Snapshot, past plan.Past) Returning {
	r := &region{world: &world{want: env, snap: snap, past: past}}
	w := r.resolve(0, layer)
	ret := Returning{Catalog: w.catalog, Asked: w.target.live(), Had: past.Had(layer.Layer), here: past.Here(layer.Layer), environment: env.Name}
	if m := w.catalog.Resolve(layer.Version, layer.At).Missing; m != nil {
		ret.Missing = m.String()
	}
	for i := range snap.Functions {
		f := &snap.Functions[i]
		if t, _ := w.wants(f); !w.Selects(*f) || f.Image || f.Edge || t.number != w.target.number {
			continue
		}
		at := standsAt{function: f.Name, have: f.Layers.Number(layer.Layer), original: past.Functions[f.Name].Original[layer.Layer]}
		at.served = r.servedThrough(f).numberOr(at.have, layer.Layer)
		if at.have > 0 || at.served > 0 {
			ret.functions = append(ret.functions, at)
		}
	}
	return ret
}

// Refuse returns why the functions that a glob means must not be taken to number,
// and how far the first that it would not take back has come; both are empty where
// they may. An empty glob means all.
func (r Returning) Refuse(number int64, glob string) (why, since string) {
	for _, f := range r.functions {
		if ok, err := path.Match(glob, f.function); glob != "" && (!ok || err != nil) || goesBack(r.here, f.original, number, f.have, f.served) {
			continue
		}
		since = fmt.Sprintf("%s has %s", f.function, r.Show(f.have))
		if f.served < f.have {
			since = fmt.Sprintf("callers of %s get %s", f.function, r.Show(f.served))
		}
		return notHere(r.Show(number), r.environment), since
	}
	return "", ""
}

// returns reports whether a person's word takes a function back. One that would
// not, whoever wrote it, keeps a version away and moves nothing: what moves forward
// passes windows and approvals. Nor is a function taken to what is itself kept away.
func (r *region) returns(w *wish, q *ruling.Quarantine, function string, have, served int64) bool {
	why := ""
	switch {
	case !goesBack(w.here, r.past.Functions[function].Original[w.Layer], q.RevertTo, have, served):
		why = notHere(w.show(q.RevertTo), r.want.Name)
	case r.quarantine(w.Layer, q.RevertTo, function) != nil:
		why = w.show(q.RevertTo) + " is in quarantine as well"
	default:
		return true
	}
	message := fmt.Sprintf("%s: the rollback by %s leaves alone what it would not take back: %s", w.Name, q.By, why)
	if names := r.unmoved[message]; len(names) == 0 || names[len(names)-1] != function { // asked again for the alias
		r.unmoved[message] = append(names, function)
	}
	return false
}

// noteUnmoved notes which functions a person's word does not move.
func (r *region) noteUnmoved() {
	for message, names := range r.unmoved {
		r.plan.Notes = append(r.plan.Notes, plan.Note{Code: "not_back", Message: fmt.Sprintf("%s (%s)", message, words.Few(names))})
	}
}

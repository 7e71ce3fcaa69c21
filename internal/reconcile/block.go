package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// obstacle returns why a function cannot be changed as the steps ask, or nil. It
// asks for what it does not know yet (Needs.Probes).
func (r *region) obstacle(f *state.Function, steps []plan.Step) *plan.Blocked {
	if reason := r.noUpdates(f); reason != "" {
		return &plan.Blocked{Function: f.Name, Reason: reason}
	}
	for _, s := range steps {
		if s.Kind == plan.KindServe {
			if reason := r.notServable(f, s); reason != "" {
				return &plan.Blocked{Function: f.Name, Layer: s.Layer, Reason: reason}
			}
			continue
		}
		w := r.wish(s.Layer)
		for _, check := range []func(*wish, *state.Function, plan.Step) string{
			r.conflict, r.incompatible, r.bootstrap, r.unusable, r.replaced, r.unsigned,
		} {
			if reason := check(w, f, s); reason != "" {
				return &plan.Blocked{Function: f.Name, Layer: s.Layer, Reason: reason}
			}
		}
	}
	if b := r.required(f, steps); b != nil {
		return b
	}
	after := plan.Fold(f.Layers, steps)
	if len(after) > maxLayers {
		return &plan.Blocked{Function: f.Name, Layer: steps[len(steps)-1].Layer, Reason: fmt.Sprintf(
			"it would have %d layers, and AWS allows %d", len(after), maxLayers)}
	}
	for _, v := range f.Layers {
		if slices.Contains(after, v) {
			if reason := r.neighbour(v); reason != "" {
				return &plan.Blocked{Function: f.Name, Reason: reason}
			}
		}
	}
	if reason := r.oversize(f, after); reason != "" {
		return &plan.Blocked{Function: f.Name, Reason: reason}
	}
	return nil
}

func (r *world) wish(name string) *wish {
	for _, w := range r.wishes {
		if w.Name == name {
			return w
		}
	}
	return nil
}

// conflict: two environments that both hold it want different versions of one layer
// on it.
func (r *region) conflict(w *wish, f *state.Function, s plan.Step) string {
	for _, o := range r.contest(f).shares {
		for _, other := range o.wishes {
			if other.Layer != w.Layer || !other.Selects(*f) {
				continue
			}
			if theirs, _ := other.wants(f); theirs.number != s.To.Number() || s.To.Content() != "" {
				return fmt.Sprintf("environments %s and %s want different versions of %s on it: %s and %s",
					r.want.Name, o.Want.Name, w.Name, ours(w, s), theirs)
			}
		}
	}
	return ""
}

// ours returns the version that a step brings, for people.
func ours(w *wish, s plan.Step) string {
	if s.To.Content() != "" {
		return target{unpublished, s.ToVersion}.String()
	}
	return w.show(s.To.Number())
}

// incompatible: AWS attaches a layer for another runtime or architecture and
// lets the function fail at its next start, so layerd must check itself.
func (r *world) incompatible(w *wish, f *state.Function, s plan.Step) string {
	if s.To == "" {
		return ""
	}
	v := w.catalog.Version(s.To.Number())
	for _, list := range [][]string{v.Runtimes, w.Runtimes} {
		if state.OtherRuntime(f.Runtime, list) {
			return fmt.Sprintf("its runtime is %s, and %s is for %s", f.Runtime, w.Name, strings.Join(list, ", "))
		}
	}
	for _, list := range [][]string{v.Architectures, w.Architectures} {
		if len(list) > 0 && !slices.Contains(list, f.Architecture) {
			return fmt.Sprintf("its architecture is %s, and %s is for %s", f.Architecture, w.Name, strings.Join(list, ", "))
		}
	}
	return ""
}

// bootstrap: the layer of a runtime without a language may hold the runtime itself.
func (r *world) bootstrap(w *wish, f *state.Function, s plan.Step) string {
	if s.To == "" && state.OSOnly(f.Runtime) && !w.AllowRuntime {
		return fmt.Sprintf("its runtime is %s, so %s may hold the runtime itself; allow_runtime: true permits detaching it", f.Runtime, w.Name)
	}
	return ""
}

// unusable: the wanted version cannot be read, which AWS asks of whoever
// attaches it, also of a layer of our own.
func (r *region) unusable(_ *wish, _ *state.Function, s plan.Step) string {
	if s.To == "" || s.To.Content() != "" {
		return "" // AWS knows nothing yet of what is not published
	}
	return r.probe(s.To, "the wanted version cannot be attached")
}

// replaced: AWS has other content under the number than Git asks for. Going back to what
// functions had is another matter.
func (r *region) replaced(w *wish, _ *state.Function, s plan.Step) string {
	if s.Cause != plan.CauseChange {
		return ""
	}
	return r.unlikeStamp(w, s.To)
}

// unlikeStamp returns why a live version is not what layerd's stamp in its Description
// names; empty = it is, or nobody knows. The object was replaced while it was published, or
// somebody has copied the Description: the quarantine that a publish leaves for the first
// is lost with the store. It asks for what it does not know yet (Needs.Probes). A number
// that Git itself names is what is meant.
func (r *region) unlikeStamp(w *wish, v state.LayerVersionARN) string {
	stamp, stamped := catalog.ReadStamp(w.catalog.Version(v.Number()).Description)
	if !stamped || w.Known[stamp.Version.String()] == v.Number() {
		return ""
	}
	_ = r.probe(v, "") // whether it can be attached is no matter here
	content := r.snap.Probes[v].SHA256
	if content == "" || stamp.Is(content) {
		return ""
	}
	return fmt.Sprintf("AWS has other content as version %d than its Description names: sha256:%.12s, and not sha256:%s; give the change a version of its own, or name the number under known in layer.yaml if it is what is meant",
		v.Number(), content, stamp.SHA256)
}

// neighbour: a layer that the update must name again, and that is gone or not
// granted any more, makes every update of the list fail (AWS.md section 11).
func (r *region) neighbour(v state.LayerVersionARN) string {
	layer, n, ok := v.Split()
	if !ok {
		return "" // AWS's own old form; nothing to ask
	}
	if l, listed := r.snap.Layer(layer); listed {
		if _, live := l.Version(n); !live {
			return fmt.Sprintf("its layer %s was deleted, and AWS refuses a list that names it", v)
		}
	}
	return r.probe(v, "it has a layer that cannot be named any more")
}

func (r *region) probe(v state.LayerVersionARN, what string) string {
	p, ok := r.snap.Probes[v]
	if !ok {
		if !slices.Contains(r.plan.Needs.Probes, v) {
			r.plan.Needs.Probes = append(r.plan.Needs.Probes, v)
		}
		return ""
	}
	if p.Usable {
		return ""
	}
	return fmt.Sprintf("%s: %s: %s", what, v, p.Reason)
}

// countSelection doubts a selection that lost more than half of what it had,
// and selectors that choose nothing.
func (r *region) countSelection() {
	for _, w := range r.wishes {
		before, count := r.past.Layers[w.Layer].Selected, r.tallies[w.place].selected
		if before > 0 && count*2 < before {
			r.shrunk[w.Name] = fmt.Sprintf("the selection of %s shrank from %d functions to %d", w.Name, before, count)
			r.plan.Notes = append(r.plan.Notes, plan.Note{Code: "selection_shrank", Message: r.shrunk[w.Name]})
		}
		if count != before {
			r.plan.Learned.Selected = append(r.plan.Learned.Selected, plan.Selection{Layer: w.Layer, Count: count})
		}
		for _, s := range w.Functions {
			if !r.anyMatch(s, w.Layer) {
				r.plan.Notes = append(r.plan.Notes, plan.Note{Code: "selector_matches_nothing", Message: fmt.Sprintf(
					"%s:%d: a selector of %s matches no function", s.At.File, s.At.Line, w.Name)})
			}
		}
	}
}

func (r *world) anyMatch(s desired.Selector, layer state.LayerARN) bool {
	return slices.ContainsFunc(r.snap.Functions, func(f state.Function) bool { return s.Match(f, layer) })
}

// unselected counts a function that no wish selects, if it has what layerd
// applied. It stays as it is.
func (r *region) unselected(f *state.Function, past plan.FunctionPast) {
	if past.Holds(r.want.Account) {
		r.plan.Learned.Released = append(r.plan.Learned.Released, f.Name)
	}
	for l, n := range past.Applied {
		if n > 0 && r.named[l] {
			r.plan.Unselected++
			return
		}
	}
}

// checkBlocked makes too many blocked functions a failure.
func (r *region) checkBlocked() {
	if most := r.want.MaxBlocked; most != nil && len(r.plan.Blocked) > *most {
		r.plan.Failure = &plan.Failure{Code: "max_blocked", Message: fmt.Sprintf(
			"%d functions are blocked, and max_blocked is %d", len(r.plan.Blocked), *most)}
	}
}

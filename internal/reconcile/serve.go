package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// latest is what a qualifier serves that was never given a version.
const latest = "$LATEST"

// serving is how a function is reached, while it is decided.
type serving struct {
	qualifier string
	served    state.Served
	known     bool // false: it was not looked at yet
}

// servedThrough returns how callers reach f: nil through $LATEST, so that attaching is
// all there is to do. What is not known yet is asked for.
func (r *region) servedThrough(f *state.Function) *serving {
	q := r.want.Alias
	if q == "" && f.Managed {
		q = state.LatestPublished
	}
	if q == "" || f.Image || f.Edge {
		return nil
	}
	key := state.Qualified{Function: f.Name, Qualifier: q}
	served, ok := r.snap.Served[key]
	if !ok {
		r.plan.Needs.Served = append(r.plan.Needs.Served, key)
		return &serving{qualifier: q}
	}
	switch served.Version {
	case "":
		r.unserved++
		return nil
	case latest:
		return nil
	}
	return &serving{qualifier: q, served: served, known: true}
}

// number returns which version of a layer callers get; 0 = none.
func (s *serving) number(l state.LayerARN) int64 {
	return s.served.Layers.Number(l)
}

// numberOr is number where callers get something else than $LATEST and it is known
// what, and otherwise latest, which $LATEST has.
func (s *serving) numberOr(latest int64, l state.LayerARN) int64 {
	if s == nil || !s.known {
		return latest
	}
	return s.number(l)
}

// serveStep makes the step that lets callers have what the others do to
// $LATEST; nil when they get it already.
func (r *region) serveStep(f *state.Function, s *serving, steps []plan.Step, behind []*wish, past plan.FunctionPast) *plan.Step {
	if s == nil || len(behind) == 0 && s.serves(steps) {
		return nil
	}
	step := plan.Step{
		Kind: plan.KindServe, Function: f.Name, Wave: 1, List: f.Layers, Cause: plan.CauseDrift,
		ID:    fmt.Sprintf("%s/%s/%s", plan.KindServe, s.qualifier, f.Name),
		Layer: layersOf(steps, behind), Serving: &plan.Serving{Qualifier: s.qualifier, Served: s.served},
	}
	for _, w := range r.wishes {
		if w.Selects(*f) {
			step.Serving.Ours = append(step.Serving.Ours, w.Layer)
		}
	}
	step.Reason = fmt.Sprintf("%s serves version %s, which is to have the same layers", s.qualifier, s.served.Version)
	for _, st := range steps {
		step.Cause = weightier(step.Cause, st.Cause)
		step.Serving.Revert(st.Layer, st.Cause)
	}
	brings := r.unresolvedBehind(f, s)
	for _, w := range behind {
		cause := r.addLagged(&step, w, f, s, past)
		step.Serving.Revert(w.Name, cause)
		brings = cause == plan.CauseChange || brings
	}
	if step.Cause == plan.CauseRollback {
		step.Serving.Version = r.findPublished(f, s, steps, behind)
		if brings && step.Serving.Version == "" {
			step.Cause = plan.CauseChange // callers would get with it what nobody rolled back
		}
	}
	if len(steps) > 0 && len(behind) == 0 {
		// What may pass does so only where nothing else goes to callers with it.
		step.AnyTime = !slices.ContainsFunc(steps, func(st plan.Step) bool { return !st.AnyTime })
		step.Back = step.Cause == plan.CauseChange && !slices.ContainsFunc(steps, func(st plan.Step) bool { return st.Cause == plan.CauseChange && !st.Back })
	}
	if len(steps) == 0 && step.Cause == plan.CauseDrift {
		r.graceOfDrift(&step, r.behindSince(f.Name, s, behind))
	}
	return &step
}

// unresolvedBehind reports whether $LATEST has another version than callers of a layer
// about which nothing can be decided, as what Git asks for was not found.
func (r *world) unresolvedBehind(f *state.Function, s *serving) bool {
	return slices.ContainsFunc(r.wishes, func(w *wish) bool {
		return !w.ok && w.Selects(*f) && f.Layers.Number(w.Layer) != s.number(w.Layer)
	})
}

// serves reports whether callers have already what the steps do to $LATEST: somebody
// changed only that.
func (s *serving) serves(steps []plan.Step) bool {
	return !slices.ContainsFunc(steps, func(st plan.Step) bool { return st.To.Number() != s.number(st.LayerARN) || st.To.Content() != "" })
}

// addLagged adds to a serve step that callers are to get what $LATEST has of a
// layer already, and returns why they do not have it.
func (r *region) addLagged(step *plan.Step, w *wish, f *state.Function, s *serving, before plan.FunctionPast) plan.Cause {
	t, _ := w.wants(f)
	past := slotPast(before, w.Layer)
	t, why := r.fallbackTarget(w, f, t, past, f.Layers.Number(w.Layer), s.number(w.Layer))
	cause := plan.CauseChange
	switch {
	case why != nil:
		cause = why.cause
	case past.known && past.number == t.number && !r.halfChanged(f.Name):
		cause = plan.CauseDrift
		step.Tug = cmp.Or(step.Tug, tugOfWar(before.Heals[w.Layer], r.want.Zone))
	}
	step.Cause = weightier(step.Cause, cause)
	step.Quarantined = cmp.Or(step.Quarantined, r.quarantineReason(plan.Step{
		Cause: cause, LayerARN: w.Layer, To: w.Layer.Version(t.number), Function: f.Name,
	}))
	step.Reason = fmt.Sprintf("%s serves version %s, which has %s of %s and not %s",
		s.qualifier, s.served.Version, w.show(s.number(w.Layer)), w.Name, w.show(t.number))
	return cause
}

// behindSince is since when callers have had something else than was applied:
// the latest of the layers, so that none is healed too early.
func (r *world) behindSince(function string, s *serving, behind []*wish) time.Time {
	var since time.Time
	for _, w := range behind {
		have := state.LayerVersionARN("")
		if n := s.number(w.Layer); n > 0 {
			have = w.Layer.Version(n)
		}
		seen := r.in.Now
		if old, ok := r.past.Functions[function].Drift[w.Layer]; ok && old.Have == have {
			seen = old.Since
		}
		if seen.After(since) {
			since = seen
		}
	}
	return since
}

// halfChanged reports whether a rollout has begun with a function and its callers do
// not get all of it yet: they have a share, or something failed half way.
func (r *world) halfChanged(function string) bool {
	c := r.changedHere(function)
	return c != nil && (c.Canary || c.Failed)
}

// weightier: what was asked for by a person or by Git needs more leave than
// what was only changed by somebody else.
func weightier(a, b plan.Cause) plan.Cause {
	order := []plan.Cause{plan.CauseDrift, plan.CauseChange, plan.CauseRollback}
	return order[max(0, slices.Index(order, a), slices.Index(order, b))]
}

func layersOf(steps []plan.Step, behind []*wish) string {
	var names []string
	for _, s := range steps {
		names = append(names, s.Layer)
	}
	for _, w := range behind {
		names = append(names, w.Name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "+")
}

// aliasBehind lists that callers get another version than was applied.
func (r *region) aliasBehind(w *wish, f *state.Function, s *serving, past int64) {
	have := s.number(w.Layer)
	d := plan.Drift{
		Kind: plan.DriftAliasBehind, Layer: w.Name, Function: f.Name,
		WantVersion: w.catalog.Label(past), HaveVersion: w.catalog.Label(have),
		Reason: fmt.Sprintf("%s was applied, and %s serves version %s, which has %s",
			w.show(past), s.qualifier, s.served.Version, w.show(have)),
	}
	if past > 0 {
		d.Want = string(w.Layer.Version(past))
	}
	if have > 0 {
		d.Have = string(w.Layer.Version(have))
	}
	d.Since = r.driftSince(f.Name, w.Layer, state.LayerVersionARN(d.Have))
	r.plan.Drift = append(r.plan.Drift, d)
}

// notServable returns why a function's callers cannot be given what a serve step
// means to, before anything is touched. It asks for what is not known yet.
func (r *region) notServable(f *state.Function, step plan.Step) string {
	s := step.Serving
	if what := s.Unreleased(*f); what != "" && s.Version == "" {
		return fmt.Sprintf("$LATEST has %s that version %s, which %s serves, does not: layerd releases nobody's unreleased work",
			what, s.Served.Version, s.Qualifier)
	}
	if s.Qualifier == state.LatestPublished {
		return ""
	}
	a, known := r.alias(f.Name, s.Qualifier)
	if !known {
		return ""
	}
	s.Alias = a // what carrying it out is guarded by
	if why := r.altered(f.Name, &a); why != "" {
		return why
	}
	return r.othersCanary(f.Name, a)
}

// altered returns what somebody else has made of an alias to which the rollout under
// way gave a share of calls, or did so before it was over; empty = nothing.
func (r *region) altered(function string, a *state.Alias) string {
	why := ""
	if c := r.changedHere(function); c != nil && c.Wave > 0 && (r.rollout == nil || r.rollout.Stage != rollout.StageRollingBack) {
		why = c.Altered(a, r.want.Rules())
	}
	if why != "" && !slices.Contains(r.plan.Altered, function) {
		r.plan.Altered = append(r.plan.Altered, function)
	}
	if why == "" && r.leftAlone(function) {
		why = "its alias was changed by somebody else while a rollout of this shared out its calls"
	}
	if why != "" {
		why += "; it is left alone until Git asks for something else, or until a retry"
	}
	return why
}

// leftAlone reports whether the last rollout brought what Git asks for still, and
// left the function alone.
func (r *world) leftAlone(function string) bool {
	last := r.last
	if last == nil || !slices.Contains(last.Left, function) {
		return false
	}
	return last.SameTargets(r.targets())
}

// alias returns an alias of a function, or asks for the function's aliases.
func (r *region) alias(function, name string) (state.Alias, bool) {
	aliases, ok := r.snap.Aliases[function]
	if !ok {
		if !slices.Contains(r.plan.Needs.Aliases, function) {
			r.plan.Needs.Aliases = append(r.plan.Needs.Aliases, function)
		}
		return state.Alias{}, false
	}
	for _, a := range aliases {
		if a.Name == name {
			return a, true
		}
	}
	return state.Alias{}, false
}

// othersCanary returns who else shares out the alias's calls; empty = nobody does.
func (r *world) othersCanary(function string, a state.Alias) string {
	if len(a.Weights) == 0 {
		return ""
	}
	versions := slices.Sorted(maps.Keys(a.Weights))
	if c := r.changedHere(function); c != nil && c.Canary && len(versions) == 1 && versions[0] == c.AliasAfter {
		return ""
	}
	if r.ownShare(function, a) {
		return ""
	}
	v := versions[0]
	return fmt.Sprintf("%s gives %.0f %% of its calls to version %s: somebody runs a canary", a.Name, 100*a.Weights[v], v)
}

// changedHere is what the rollout under way did to a function, or nil.
func (r *world) changedHere(function string) *rollout.Changed {
	i, ok := slices.BinarySearchFunc(r.changed, function, func(c rollout.Changed, name string) int { return cmp.Compare(c.Function, name) })
	if !ok {
		return nil
	}
	return &r.changed[i]
}

// aliasNotes notes that the alias is missing on functions, which are attached
// only.
func (r *region) aliasNotes() {
	if r.unserved == 0 || r.want.Alias == "" {
		return
	}
	r.plan.Notes = append(r.plan.Notes, plan.Note{Code: "no_alias", Message: fmt.Sprintf(
		"%s no alias %s: the layer is attached to $LATEST only", words.Plural(r.unserved, "function has", "functions have"), r.want.Alias)})
}

// findPublished finds a version that was published before and has what is rolled back,
// everything else being as in the one they get: pointing the alias at
// it is one call, and nothing has to start that never ran. Empty = there is
// none, or it is not known yet.
func (r *region) findPublished(f *state.Function, s *serving, steps []plan.Step, behind []*wish) string {
	if s.qualifier == state.LatestPublished {
		return ""
	}
	if r.snap.Uses == nil {
		r.plan.Needs.Uses = true
		return ""
	}
	want := map[state.LayerARN]state.LayerVersionARN{}
	for _, st := range steps {
		if st.Cause == plan.CauseRollback {
			want[st.LayerARN] = st.To
		}
	}
	for _, w := range behind {
		t, _ := w.wants(f)
		t, why := r.fallbackTarget(w, f, t, slotPast(r.past.Functions[f.Name], w.Layer), f.Layers.Number(w.Layer), s.number(w.Layer))
		if why == nil {
			continue
		}
		want[w.Layer] = ""
		if t.number > 0 {
			want[w.Layer] = w.Layer.Version(t.number)
		}
	}
	list := r.snap.Uses.Published
	i, _ := slices.BinarySearchFunc(list, f.Name, func(p state.Published, name string) int { return cmp.Compare(p.Function, name) })
	best := ""
	for ; i < len(list) && list[i].Function == f.Name; i++ {
		p := list[i] // by version, ascending
		if p.Version == s.served.Version || !has(p.Layers, s.served.Layers, want) {
			continue
		}
		key := state.Qualified{Function: f.Name, Qualifier: p.Version}
		other, known := r.snap.Served[key]
		if !known {
			r.plan.Needs.Served = append(r.plan.Needs.Served, key)
			continue
		}
		if other.CodeSHA256 == s.served.CodeSHA256 && other.Settings == s.served.Settings {
			best = p.Version
		}
	}
	return best
}

// has reports whether list is old with exactly the changes of want.
func has(list, old []state.LayerVersionARN, want map[state.LayerARN]state.LayerVersionARN) bool {
	rest := func(of []state.LayerVersionARN) []state.LayerVersionARN {
		return slices.DeleteFunc(slices.Clone(of), func(v state.LayerVersionARN) bool { _, ours := want[v.Layer()]; return ours })
	}
	for layer, v := range want {
		if state.Layers(list).Of(layer) != v {
			return false
		}
	}
	return slices.Equal(rest(list), rest(old))
}

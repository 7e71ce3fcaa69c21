package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// maxLayers is AWS's limit on one function (AWS quotas, fixed).
const maxLayers = 5

// decideFunction decides all layers of one function. When one of them cannot
// be done the function is blocked as a whole: layers of one commit wait for
// each other. slots are what is remembered of each wish's layer on it.
func (r *region) decideFunction(f *state.Function, past plan.FunctionPast, slots []layerPast) {
	shares, ours := r.ours(f)
	if !ours {
		return
	}
	steps := r.scratch[:0] // of this function only
	var behind []*wish
	var sv *serving
	chosen, lost := false, false
	for i, w := range r.wishes {
		if !w.Selects(*f) {
			continue
		}
		r.tallies[w.place].selected++
		if !chosen {
			chosen, sv = true, r.servedThrough(f)
			lost = sv == nil && r.lostAlias(f)
		}
		if lost || f.Image || f.Edge || sv != nil && !sv.known {
			continue
		}
		if !w.ok {
			r.deleted(w, f)
			continue
		}
		var late bool
		if steps, late = r.decideLayer(steps, w, f, past, slots[i], sv); late {
			behind = append(behind, w)
		}
	}
	r.scratch = steps
	if !chosen {
		r.unselected(f, past)
		return
	}
	if r.blockWhole(f, sv) {
		return
	}
	r.foreign(f, past, shares)
	if r.undone[f.Name] {
		return // until all are back, nothing else is asked of it
	}
	if s := r.serveStep(f, sv, steps, behind, past); s != nil {
		steps = append(steps, *s)
	}
	r.propose(f, steps)
}

// blockWhole blocks a function that cannot be changed, whatever is asked of it, and
// reports whether it does.
func (r *region) blockWhole(f *state.Function, sv *serving) bool {
	switch {
	case f.Image || f.Edge:
		r.plan.Blocked = append(r.plan.Blocked, plan.Blocked{Function: f.Name, Reason: kindReason(f), Permanent: true})
	case sv != nil && !sv.known:
		r.plan.Blocked = append(r.plan.Blocked, plan.Blocked{Function: f.Name, Reason: "what " + sv.qualifier + " serves could not be read"})
	default:
		return false
	}
	return true
}

// propose adds the steps of one function, or blocks it where something stands in their
// way.
func (r *region) propose(f *state.Function, steps []plan.Step) {
	if len(steps) == 0 {
		return
	}
	if b := r.obstacle(f, steps); b != nil {
		r.plan.Blocked = append(r.plan.Blocked, *b)
		return
	}
	for _, s := range steps {
		if s.New {
			r.newSteps++
		}
	}
	r.add(steps)
}

// lostAlias blocks a function whose alias is gone through which a rollout of what Git
// asks for shared out its calls.
func (r *region) lostAlias(f *state.Function) bool {
	if r.want.Alias == "" || r.snap.Served[state.Qualified{Function: f.Name, Qualifier: r.want.Alias}].Version != "" {
		return false
	}
	why := r.altered(f.Name, nil)
	if why != "" {
		r.plan.Blocked = append(r.plan.Blocked, plan.Blocked{Function: f.Name, Reason: why})
	}
	return why != ""
}

// add appends the steps of one function. Room is made for as many as the functions
// so far promise for all of them: doubling a list of large values again and again
// is most of what a plan of a large fleet costs.
func (r *region) add(steps []plan.Step) {
	if need := len(r.plan.Steps) + len(steps); need > cap(r.plan.Steps) {
		promised := need * len(r.snap.Functions) / max(1, r.decided)
		r.plan.Steps = slices.Grow(r.plan.Steps, max(len(steps), min(promised, 64*need)-len(r.plan.Steps)))
	}
	r.plan.Steps = append(r.plan.Steps, steps...)
}

func kindReason(f *state.Function) string {
	if f.Image {
		return "it is a container image, and layers exist only for zip functions"
	}
	return "it is a Lambda@Edge replica, and edge functions have no layers"
}

// layerPast is what is remembered of one layer on one function.
type layerPast struct {
	number int64
	known  bool
}

// slotPast returns what is remembered of one layer of a function.
func slotPast(p plan.FunctionPast, l state.LayerARN) layerPast {
	n, ok := p.Applied[l]
	return layerPast{number: n, known: ok}
}

// decideLayer is the table of DESIGN section 3 for one layer of one function.
//
//	past          want, have           what
//	any           have = want          adopted, no step
//	none          have ≠ want          change
//	want = past   have ≠ past          drift
//	want ≠ past   have = past          change
//	want ≠ past   have ≠ past          change, and listed as drift
//
// A function behind an alias has what the alias serves. The step, if there is one,
// is appended to steps. late reports that $LATEST is as wanted, or will be by the
// step, and that callers get something else.
func (r *region) decideLayer(steps []plan.Step, w *wish, f *state.Function, before plan.FunctionPast, past layerPast, sv *serving) (with []plan.Step, late bool) {
	t, pin := w.wants(f)
	have := f.Layers.Number(w.Layer)
	served := sv.numberOr(have, w.Layer)
	t, why := r.fallbackTarget(w, f, t, past, have, served)
	if have == t.number {
		r.tallies[w.place].seen = true
		if served != t.number {
			return steps, r.aliasLags(w, f, t, past, sv)
		}
		if !past.known || past.number != t.number || before.Released {
			r.adopt(w, f, have)
		}
		return steps, false
	}
	since := r.in.Now
	switch {
	case !past.known || have == past.number:
	case r.begun(f.Name, w.Layer, have):
	case isBack(r.quarantine(w.Layer, t.number, f.Name), have, served):
		r.adopt(w, f, have)
	default:
		since = r.drift(w, f, past.number)
	}
	s := r.step(w, f, t, have, past)
	switch {
	case why != nil && why.cause == plan.CauseRollback:
		s.Cause, s.Reason = plan.CauseRollback, why.reason
	case past.known && t.number == past.number && !r.begun(f.Name, w.Layer, have):
		s.Cause = plan.CauseDrift
		if r.want.Drift.Report {
			return steps, false
		}
		s.Reason = fmt.Sprintf("layerd applied %s here and the function has %s: changed by somebody else",
			w.show(past.number), w.show(have))
		s.Tug = tugOfWar(before.Heals[w.Layer], r.want.Zone)
		r.graceOfDrift(&s, since)
	default:
		s.Cause = plan.CauseChange
		s.Reason = r.changeReason(w, t, have, pin)
	}
	if s.AnyTime = r.anyTime(s); s.AnyTime && !r.plan.Window.Open {
		s.Reason += "; new functions do not wait for the change window here"
	}
	s.Kind = kindOf(s.Cause, t.number, have, past)
	s.Back = s.Kind == plan.KindRollback && past.known && r.wasApplied(w.Layer, t.number)
	s.ID = string(s.Kind) + "/" + w.Name + "/" + f.Name
	return append(steps, s), false
}

// begun reports whether another layerd, which is at work, gave the function this number.
func (r *region) begun(function string, layer state.LayerARN, number int64) bool {
	return slices.ContainsFunc(r.begunLists[function], func(l state.Layers) bool { return l.Number(layer) == number })
}

// wasApplied reports whether a version was applied here once, and not only by the
// rollout under way: what that brings to its first wave is no reason for its second
// to need no approval.
func (r *world) wasApplied(layer state.LayerARN, n int64) bool {
	if r.rollout != nil {
		for _, t := range r.rollout.Targets {
			if t.Layer == layer && t.Number == n {
				return t.Back
			}
		}
	}
	return slices.Contains(r.past.Layers[layer].Applied, n)
}

// aliasLags reports whether an alias that serves something else than $LATEST has, which
// is as wanted, is to be moved: not where drift is only told.
func (r *region) aliasLags(w *wish, f *state.Function, t target, past layerPast, sv *serving) bool {
	if !past.known || past.number != t.number || r.halfChanged(f.Name) {
		return true // attached by us or by somebody, and not released yet
	}
	r.aliasBehind(w, f, sv, past.number)
	return !r.want.Drift.Report
}

// anyTime: a new function gets at once what all the others have already. What
// nobody has yet is a change like any other, also on a new function, and so is
// what a rollout under way has brought to some.
func (r *world) anyTime(s plan.Step) bool {
	if !r.want.NewFunctionsNow || !s.New || r.rollout != nil {
		return false
	}
	applied := r.past.Layers[s.LayerARN].Applied
	return len(applied) > 0 && applied[len(applied)-1] == s.To.Number() && s.To.Content() == ""
}

func (r *region) adopt(w *wish, f *state.Function, n int64) {
	r.plan.Learned.Adopted = append(r.plan.Learned.Adopted,
		plan.Adoption{Function: f.Name, Layer: w.Layer, Number: n, List: f.Layers})
}

func (r *world) step(w *wish, f *state.Function, t target, have int64, past layerPast) plan.Step {
	s := plan.Step{
		Layer: w.Name, LayerARN: w.Layer, Function: f.Name, Wave: 1, List: f.Layers, First: w.First,
		FromVersion: w.catalog.Label(have), ToVersion: t.semver,
		New: have == 0 && t.number > 0 && past.number == 0,
	}
	if have > 0 {
		s.From = w.version(have)
	}
	if t.number > 0 {
		s.To, s.Content = w.version(t.number), w.contents[t.number]
	}
	return s
}

// kindOf: a heal is an attach whichever way; a change to a lower number than
// the one last applied (or had, without a past) is a rollback.
func kindOf(c plan.Cause, want, have int64, past layerPast) plan.Kind {
	if want == 0 {
		return plan.KindDetach
	}
	before := have
	if past.known {
		before = past.number
	}
	if c == plan.CauseChange && want < before || c == plan.CauseRollback {
		return plan.KindRollback
	}
	return plan.KindAttach
}

// changeReason returns why a change is made. A fleet has few different reasons on
// many functions, so each is written once.
func (r *region) changeReason(w *wish, t target, have int64, pin *desired.Pin) string {
	key := reasonKey{w, t, have, pin}
	reason, ok := r.reasons[key]
	if !ok {
		reason = changeReason(w, t, have, pin)
		r.reasons[key] = reason
	}
	return reason
}

type reasonKey struct {
	wish   *wish
	target target
	have   int64
	pin    *desired.Pin
}

func changeReason(w *wish, t target, have int64, pin *desired.Pin) string {
	wish := fmt.Sprintf("Git asks for %s", t)
	switch {
	case pin != nil && pin.Reason != "":
		wish = fmt.Sprintf("pinned at %s until %s: %s", t, pin.Until.Format(time.DateOnly), pin.Reason)
	case pin != nil:
		wish = fmt.Sprintf("pinned at %s until %s", t, pin.Until.Format(time.DateOnly))
	case w.Version.Kind == desired.None:
		wish = "Git asks for no version"
	case w.Version.Kind == desired.Range || w.Version.Kind == desired.Latest:
		wish = fmt.Sprintf("Git asks for %s, which is now %s", w.Version, t)
	}
	if have == 0 {
		return wish + ", and the function does not have the layer"
	}
	return wish + ", and the function has " + w.show(have)
}

func (w *wish) show(n int64) string { return w.catalog.Show(n) }

// drift lists that a function has something else than was applied, and gives
// since when.
func (r *region) drift(w *wish, f *state.Function, past int64) time.Time {
	have := f.Layers.Number(w.Layer)
	d := plan.Drift{
		Kind: plan.DriftWrongVersion, Layer: w.Name, Function: f.Name,
		WantVersion: w.catalog.Label(past), HaveVersion: w.catalog.Label(have),
	}
	if past > 0 {
		d.Want = string(w.Layer.Version(past))
	}
	switch {
	case have == 0:
		d.Kind = plan.DriftMissing
		d.Reason = fmt.Sprintf("%s was applied, and the layer is gone from the function", w.show(past))
	case w.catalog.Listed() && !w.catalog.Live(have):
		d.Kind = plan.DriftDeletedVersion
		d.Have = string(w.Layer.Version(have))
		d.Reason = fmt.Sprintf("the function has %d, which was deleted", have)
	default:
		d.Have = string(w.Layer.Version(have))
		d.Reason = fmt.Sprintf("%s was applied, and the function has %s", w.show(past), w.show(have))
	}
	d.Since = r.driftSince(f.Name, w.Layer, state.LayerVersionARN(d.Have))
	r.plan.Drift = append(r.plan.Drift, d)
	return d.Since
}

// driftSince returns since when a function has had have in the slot of layer without
// being asked to, and remembers it.
func (r *region) driftSince(function string, layer state.LayerARN, have state.LayerVersionARN) time.Time {
	since := r.in.Now
	if old, ok := r.past.Functions[function].Drift[layer]; ok && old.Have == have {
		since = old.Since
	}
	r.plan.Learned.Sightings = append(r.plan.Learned.Sightings,
		plan.Sighting{Function: function, Layer: layer, Have: have, Since: since})
	return since
}

func (r *world) graceOfDrift(s *plan.Step, since time.Time) {
	if end := since.Add(r.want.Drift.After); end.After(r.in.Now) {
		s.Held = &plan.Held{By: plan.ByGrace, Until: end, Reason: fmt.Sprintf("drift is healed once it was seen for %s", words.Duration(r.want.Drift.After))}
	}
}

// deleted blocks a function whose version of the layer was deleted while Git
// names no live one: any update that keeps the deleted version fails.
func (r *region) deleted(w *wish, f *state.Function) {
	have := f.Layers.Number(w.Layer)
	if have == 0 || !w.catalog.Listed() || w.catalog.Live(have) {
		return
	}
	d := plan.Drift{
		Kind: plan.DriftDeletedVersion, Layer: w.Name, Function: f.Name, Have: string(w.Layer.Version(have)),
		Reason: fmt.Sprintf("the function has %d, which was deleted", have),
	}
	d.Since = r.driftSince(f.Name, w.Layer, w.Layer.Version(have))
	r.plan.Drift = append(r.plan.Drift, d)
	r.plan.Blocked = append(r.plan.Blocked, plan.Blocked{
		Function: f.Name, Layer: w.Name,
		Reason: fmt.Sprintf("it has version %d, which was deleted, and Git names no live version", have),
	})
}

// foreign reports attached layers that nobody named, and a changed order;
// both are told and never healed.
func (r *region) foreign(f *state.Function, past plan.FunctionPast, shares []*other) {
	for _, v := range f.Layers {
		if r.expected(v) || slices.ContainsFunc(shares, func(o *other) bool { return o.names(v.Layer()) }) {
			continue
		}
		l := v.Layer()
		r.plan.Drift = append(r.plan.Drift, plan.Drift{
			Kind: plan.DriftExtra, Layer: string(l), Function: f.Name, Have: string(v),
			Since: r.driftSince(f.Name, l, v), Reason: "attached, and named neither by Git nor by unmanaged",
		})
	}
	if sameOrder(past.List, f.Layers) {
		return
	}
	r.plan.Drift = append(r.plan.Drift, plan.Drift{
		Kind: plan.DriftOrder, Function: f.Name, Want: joined(past.List), Have: joined(f.Layers),
		Since: r.driftSince(f.Name, "", state.LayerVersionARN(joined(f.Layers))), Reason: "the layers are in another order than layerd left them in",
	})
}

// expected reports whether an attached layer is named by somebody or declared to be
// none of our business. A fleet has few different layers on many functions, so
// the answer is kept.
func (r *region) expected(v state.LayerVersionARN) bool {
	known, ok := r.expects[v]
	if !ok {
		known = r.named[v.Layer()] || r.want.LeavesAlone(v)
		r.expects[v] = known
	}
	return known
}

// sameOrder compares the order of those layers that both lists have.
func sameOrder(past, have []state.LayerVersionARN) bool {
	if len(past) < 2 || len(have) < 2 || slices.Equal(past, have) {
		return true
	}
	place := map[state.LayerARN]int{}
	for i, v := range past {
		place[v.Layer()] = i
	}
	last := -1
	for _, v := range have {
		i, ok := place[v.Layer()]
		if !ok {
			continue
		}
		if i < last {
			return false
		}
		last = i
	}
	return true
}

func joined(list []state.LayerVersionARN) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = string(v)
	}
	return strings.Join(parts, " ")
}

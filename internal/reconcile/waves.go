package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/rollout"
)

// roll gives each step of the rollout its wave. waits says that a step waits for
// something of its own, and so that others go before it.
func (r *region) roll(waits func(*region, plan.Step) bool) {
	if r.snap == nil {
		return
	}
	r.plan.NewerCommit = r.rollout != nil && !r.sameRollout()
	r.plan.AllChanged = r.rollout != nil && r.rollout.Total > 0 && r.complete() >= r.rollout.Total
	pending := map[string]bool{} // and whether it waits for something of its own
	for _, s := range r.plan.Steps {
		if s.InRollout() {
			pending[s.Function] = pending[s.Function] || waits(r, s)
		}
	}
	if len(pending) == 0 {
		return
	}
	order := r.order(pending)
	base := len(order)
	if r.sameRollout() && r.rollout.Total > 0 {
		base = r.rollout.Total
	}
	ends := rollout.WaveEnds(r.want.Rollout, base, len(order), r.tested(order, pending))
	waves := make(map[string]int, len(order))
	r.plan.Waves = make([]plan.Wave, len(ends))
	for wave := range ends {
		r.plan.Waves[wave].Wave = wave + 1
	}
	wave := 0
	for i, name := range order {
		for i >= ends[wave] {
			wave++
		}
		waves[name] = wave + 1
		if _, ok := pending[name]; ok {
			r.plan.Waves[wave].Functions++
		}
	}
	for i := range r.plan.Steps {
		if s := &r.plan.Steps[i]; s.InRollout() {
			s.Wave = waves[s.Function]
			if s.Kind == plan.KindServe && r.weight() > 0 {
				s.Serving.Weight = r.weight()
			}
		}
	}
}

// complete counts the functions that have all of what the rollout under way
// brings.
func (r *region) complete() int {
	n := 0
	for _, c := range r.changed {
		if c.Wave > 0 && !c.Failed && !c.Canary {
			n++
		}
	}
	return n
}

// order gives the functions of the rollout in the order of its waves. Those
// that it has changed, whole or in part, come first, so that what was counted
// stays counted when functions come and go meanwhile; those that wait for
// something of their own come last, so that no wave waits for them.
func (r *region) order(pending map[string]bool) []string {
	names := make([]string, 0, len(pending)+len(r.changed))
	for name := range pending {
		names = append(names, name)
	}
	begun := map[string]bool{}
	if r.sameRollout() {
		for _, c := range r.changed {
			if c.Wave == 0 {
				continue // by one that this one took over from
			}
			begun[c.Function] = true
			if _, ok := pending[c.Function]; !ok {
				names = append(names, c.Function)
			}
		}
	}
	first := map[string]bool{}
	for _, t := range r.want.Rollout.SmokeTests {
		first[t.Function] = true
	}
	order := rollout.WaveOrder(names, first)
	place := func(name string) int {
		switch {
		case begun[name]:
			return 0
		case pending[name]:
			return 2
		}
		return 1
	}
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	return order
}

// tested counts the functions of the rollout that smoke tests call, but for those
// that wait for something of their own.
func (r *region) tested(order []string, pending map[string]bool) int {
	n := 0
	for _, name := range order {
		called := slices.ContainsFunc(r.want.Rollout.SmokeTests, func(t desired.SmokeTest) bool { return t.Function == name })
		if called && !pending[name] {
			n++
		}
	}
	return n
}

// weight is the share of calls that a serve step gives to the new version now;
// 0 = all.
func (r *region) weight() float64 {
	c := r.want.Rules().Canary
	if c == nil || r.sameRollout() && r.rollout.Stage != rollout.StageCanary {
		return 0
	}
	return c.Weight
}

// sameRollout reports whether the rollout under way brings what Git wants now.
func (r *region) sameRollout() bool { return r.rollout.SameTargets(r.plan.Targets) }

// targets is what a rollout of this plan brings.
func (r *region) targets() []rollout.Target {
	var list []rollout.Target
	for _, w := range r.wishes {
		if w.ok {
			list = append(list, rollout.Target{
				Layer: w.Layer, Name: w.Name, Number: w.target.number, Semver: w.target.semver, From: r.past.Layers[w.Layer].Proven,
			})
		}
	}
	slices.SortFunc(list, func(a, b rollout.Target) int { return cmp.Compare(a.Layer, b.Layer) })
	return list
}

// waveHolder says which wave, or what else about the rollout, a step waits for.
func (r *region) waveHolder(s plan.Step) (h plan.Held, held bool) {
	if !s.InRollout() {
		return plan.Held{}, false
	}
	at := func(t time.Time) string { return words.Clock(t, r.want.Zone) }
	ro := r.rollout
	switch {
	case ro == nil:
		if s.Wave > 1 {
			return plan.Held{By: plan.ByWave, Reason: fmt.Sprintf("wave %d of %d: after wave %d was changed and is well", s.Wave, len(r.plan.Waves), s.Wave-1)}, true
		}
		return plan.Held{}, false
	case ro.Stage == rollout.StageHalted:
		return plan.Held{By: plan.ByHealth, Reason: "the rollout halted: " + ro.Reason + "; layerd retry goes on, layerd rollback goes back"}, true
	case ro.Stage == rollout.StageRollingBack:
		return plan.Held{By: plan.ByHealth, Reason: "the rollout is going back: " + ro.Reason}, true
	case !r.sameRollout():
		return plan.Held{By: plan.ByWave, Until: r.verdictDue(), Reason: fmt.Sprintf(
			"a rollout of an earlier commit (%s) is in wave %d of %d; this one takes over at its end", words.Commit(ro.Revision), ro.Wave, ro.Waves)}, true
	case ro.Stage == rollout.StageBake || ro.Stage == rollout.StageCanaryBake:
		return plan.Held{By: plan.ByWave, Until: r.verdictDue(), Reason: fmt.Sprintf("wave %d of %d is watched until %s", ro.Wave, ro.Waves, at(r.verdictDue()))}, true
	case s.Wave > ro.Wave:
		return plan.Held{By: plan.ByWave, Reason: fmt.Sprintf("wave %d of %d: wave %d is under way", s.Wave, max(s.Wave, len(r.plan.Waves)), ro.Wave)}, true
	case ro.Stage == rollout.StageCanary && s.Kind == plan.KindServe && r.canaryRuns(s.Function):
		return plan.Held{By: plan.ByWave, Reason: "the others of its wave get their share of calls first"}, true
	}
	return plan.Held{}, false
}

// canaryRuns says that the function's callers get the new version in part
// already.
func (r *region) canaryRuns(function string) bool {
	c := r.changedHere(function)
	return c != nil && c.Canary && !c.Failed
}

// verdictDue is when the wave under way is judged at the latest; zero while its
// functions are still being changed.
func (r *region) verdictDue() time.Time { return r.rollout.VerdictDue(r.want.Rules()) }

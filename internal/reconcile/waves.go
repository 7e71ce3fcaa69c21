package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/words"
)

// member is a function of a rollout: something is to be done to it, or the rollout
// has changed it already.
type member struct {
	name    string
	pending bool // steps of the rollout are to be done to it
	waits   bool // for something of its own, so that others go before it
	begun   bool // the rollout has changed it, whole or in part
}

// assignWaves gives each step of the rollout its wave. waits reports whether a step
// waits for something of its own.
func (r *region) assignWaves(waits func(*region, *plan.Step) bool) {
	if r.snap == nil {
		return
	}
	r.plan.NewerCommit = r.rollout != nil && !r.sameRollout()
	r.plan.AllChanged = r.rollout != nil && r.rollout.Total > 0 && r.changedCount() >= r.rollout.Total
	members, of := r.members(waits)
	if len(of) == 0 {
		return
	}
	order := r.waveOrder(members)
	base := len(order)
	if r.sameRollout() && r.rollout.Total > 0 {
		base = r.rollout.Total
	}
	ends := rollout.WaveEnds(r.want.Rollout, base, len(order), r.smokeTested(members))
	r.plan.Waves = make([]plan.Wave, len(ends))
	for wave := range ends {
		r.plan.Waves[wave].Wave = wave + 1
	}
	waves := make([]int, len(members))
	wave := 0
	for i, at := range order {
		for i >= ends[wave] {
			wave++
		}
		waves[at] = wave + 1
		if members[at].pending {
			r.plan.Waves[wave].Functions++
		}
	}
	weight, next := r.canaryWeight(), 0
	for i := range r.plan.Steps {
		if s := &r.plan.Steps[i]; s.InRollout() {
			s.Wave = waves[of[next]]
			next++
			if s.Kind == plan.KindServe && weight > 0 {
				s.Serving.Weight = weight
			}
		}
	}
}

// members returns the functions of the rollout, and for each of its steps, in their
// order, which function it is of.
func (r *region) members(waits func(*region, *plan.Step) bool) (list []member, of []int) {
	var at map[string]int
	for i := range r.plan.Steps {
		s := &r.plan.Steps[i]
		if !s.InRollout() {
			continue
		}
		if at == nil {
			most := len(r.plan.Steps) - i
			at, of, list = make(map[string]int, most), make([]int, 0, most), make([]member, 0, most)
		}
		m, ok := len(list)-1, len(list) > 0 && list[len(list)-1].name == s.Function
		if !ok {
			if m, ok = at[s.Function]; !ok {
				m = len(list)
				at[s.Function] = m
				list = append(list, member{name: s.Function, pending: true})
			}
		}
		list[m].waits = list[m].waits || waits(r, s)
		of = append(of, m)
	}
	if len(of) == 0 || !r.sameRollout() {
		return list, of
	}
	for _, c := range r.changed {
		if c.Wave == 0 {
			continue // by one that this one took over from
		}
		m, ok := at[c.Function]
		if !ok {
			m = len(list)
			list = append(list, member{name: c.Function})
		}
		list[m].begun = true
	}
	return list, of
}

// changedCount counts the functions that have all of what the rollout under way
// brings.
func (r *world) changedCount() int {
	n := 0
	for _, c := range r.changed {
		if c.Wave > 0 && !c.Failed && !c.Canary {
			n++
		}
	}
	return n
}

// waveOrder returns the functions of the rollout in the order of its waves. Those
// that it has changed, whole or in part, come first, so that what was counted
// stays counted when functions come and go meanwhile; those that wait for
// something of their own come last, so that no wave waits for them.
func (r *world) waveOrder(members []member) []int {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	first := map[string]bool{}
	for _, t := range r.want.Rollout.SmokeTests {
		first[t.Function] = true
	}
	spread := rollout.WaveOrder(names, first)
	order := make([]int, 0, len(members))
	for _, take := range []func(member) bool{
		func(m member) bool { return m.begun },
		func(m member) bool { return !m.begun && !m.waits },
		func(m member) bool { return !m.begun && m.waits },
	} {
		for _, at := range spread {
			if take(members[at]) {
				order = append(order, at)
			}
		}
	}
	return order
}

// smokeTested counts the functions of the rollout that smoke tests call, but for
// those that wait for something of their own.
func (r *world) smokeTested(members []member) int {
	if len(r.want.Rollout.SmokeTests) == 0 {
		return 0
	}
	n := 0
	for _, m := range members {
		called := slices.ContainsFunc(r.want.Rollout.SmokeTests, func(t desired.SmokeTest) bool { return t.Function == m.name })
		if called && !m.waits {
			n++
		}
	}
	return n
}

// canaryWeight is the share of calls that a serve step gives to the new version now;
// 0 = all.
func (r *region) canaryWeight() float64 {
	c := r.want.Rules().Canary
	if c == nil || r.sameRollout() && r.rollout.Stage != rollout.StageCanary {
		return 0
	}
	return c.Weight
}

// sameRollout reports whether the rollout under way brings what Git wants now.
func (r *region) sameRollout() bool { return r.rollout.SameTargets(r.plan.Targets) }

// targets is what a rollout of this plan brings.
func (r *world) targets() []rollout.Target {
	var list []rollout.Target
	for _, w := range r.wishes {
		if w.ok {
			list = append(list, rollout.Target{
				Layer: w.Layer, Name: w.Name, Number: w.target.number, Semver: w.target.semver, From: r.past.Layers[w.Layer].Proven,
				Back: slices.Contains(r.past.Layers[w.Layer].Applied, w.target.number),
			})
		}
	}
	slices.SortFunc(list, func(a, b rollout.Target) int { return cmp.Compare(a.Layer, b.Layer) })
	return list
}

// waveHolder returns which wave, or what else about the rollout, a step waits for.
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
		return plan.Held{By: plan.ByHealth, Reason: "the rollout halted: " + ro.Reason + "; a retry goes on, a rollback goes back"}, true
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

// canaryRuns reports whether the function's callers get the new version in part
// already.
func (r *world) canaryRuns(function string) bool {
	c := r.changedHere(function)
	return c != nil && c.Canary && !c.Failed && c.Wave > 0 // else an earlier rollout shared out its own version
}

// verdictDue is when the wave under way is judged at the latest; zero while its
// functions are still being changed.
func (r *world) verdictDue() time.Time { return r.rollout.VerdictDue(r.want.Rules()) }

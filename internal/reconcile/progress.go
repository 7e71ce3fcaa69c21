package reconcile

import (
	"cmp"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// Begins gives the rollout that carrying out a plan begins; nil when no step of
// one may run, or when one is under way. before is the last one there was: what
// was taken over from before it was through is undone with the new one.
func Begins(p RegionPlan, before *Rollout, id, revision string, now time.Time) *Rollout {
	if before.Open() || !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.inRollout() && s.Held == nil }) {
		return nil
	}
	ro := &Rollout{
		ID: id, Revision: revision, Targets: p.Targets, Stage: firstStage(p.Want), Wave: 1, Waves: max(1, len(p.Waves)),
		Begun: now.UTC(), Since: now.UTC(),
	}
	for _, w := range p.Waves {
		ro.Total += w.Functions
	}
	if before != nil && before.Stage == StageSuperseded {
		ro.Chain = append(slices.Clone(before.Chain), before.ID)
	}
	return ro
}

func firstStage(want desired.Environment) Stage {
	if want.Rollout.Canary != nil && want.Alias != "" {
		return StageCanary
	}
	return StageChange
}

// verified says whether a wave has to be looked at before the next.
func verified(r desired.Rollout) bool {
	return r.Bake > 0 || len(r.SmokeTests) > 0 || len(r.Alarms) > 0 || rates(r)
}

// Carried gives what a rollout goes on to after a plan was carried out: the
// watching of its wave, once that was changed whole; or nothing new. A plan of a
// Region that was not read says nothing about it.
func (r *Rollout) Carried(p RegionPlan, now time.Time) Rollout {
	next := *r
	if p.ObservedAt.IsZero() {
		return next
	}
	switch r.Stage {
	case StageCanary, StageChange:
		switch {
		case p.Superseding:
			return r.overtaken(p, now)
		case !r.waveDone(p):
		case r.Stage == StageCanary && !p.Unshared: // else none of them has the alias, and there is nothing to watch
			next.to(StageCanaryBake, now)
		case verified(p.Want.Rollout):
			next.to(StageBake, now)
		default:
			next.to(StageBake, now)
			return next.Well(p, now)
		}
	case StageHalted:
		if p.Superseding {
			next.end(StageSuperseded, now)
		}
	case StageRollingBack:
		if !p.goingBack() {
			break // the plan is older than the decision to go back
		}
		if p.wentBack() {
			next.end(StageRolledBack, now)
		} else if p.Carried {
			next.Attempts++
		}
	}
	return next
}

// overtaken: a newer commit takes over at the end of the wave, which is now.
// What was changed is judged first, and nothing was when nothing was changed.
func (r *Rollout) overtaken(p RegionPlan, now time.Time) Rollout {
	next := *r
	if !verified(p.Want.Rollout) || p.Untouched {
		next.end(StageSuperseded, now)
		return next
	}
	next.to(StageBake, now)
	return next
}

// waveDone says that all functions of the wave under way, and of those before,
// were changed, but for those that wait for something of their own. What could
// not be looked at was not changed.
func (r *Rollout) waveDone(p RegionPlan) bool {
	if p.Failure != nil || len(p.Needs.Served) > 0 || len(p.Needs.Aliases) > 0 {
		return false
	}
	for _, s := range p.Steps {
		if s.inRollout() && s.Wave <= r.Wave && !s.fine() && !s.waits() && !s.HeldBy(ByWave) {
			return false
		}
	}
	return true
}

// waits says that a step is held by something of its own, which the rollout does
// not wait for.
func (s Step) waits() bool {
	return slices.ContainsFunc([]string{ByQuarantine, ByApproval, ByTugOfWar, ByLimit, ByGrace}, s.HeldBy)
}

// fine says that the step was carried out, or that there was nothing to do.
func (s Step) fine() bool {
	return s.Result != nil && s.Result.Error == "" && (s.Result.Status == Applied || s.Result.Status == Skipped)
}

// goingBack says that the plan was made to return functions.
func (p RegionPlan) goingBack() bool {
	return p.Rollout != nil && p.Rollout.Stage == StageRollingBack
}

// wentBack says that nothing is left to be returned.
func (p RegionPlan) wentBack() bool {
	for _, s := range p.Steps {
		if s.Cause == Rollback && !s.fine() {
			return false
		}
	}
	return len(p.Needs.Served) == 0 && len(p.Needs.Aliases) == 0
}

// Well gives what a rollout goes on to when what was watched is well: the next
// wave, or the end. Where something of this wave or of one before is still to be
// changed (it halted half way, or a function came late) that goes first.
func (r *Rollout) Well(p RegionPlan, now time.Time) Rollout {
	next := *r
	wave, more := p.nextWave()
	switch {
	case p.ObservedAt.IsZero(), p.Failure != nil: // nothing may be changed, which is not the same as nothing is left
	case r.Stage == StageWatching:
		next.end(StageDone, now)
	case r.Stage == StageCanaryBake:
		next.to(StageChange, now)
	case p.Superseding && !p.Reached:
		next.end(StageSuperseded, now)
	case p.Superseding:
		next.end(StageDone, now) // it was complete before the newer commit came, and is well
	case !more:
		next.Waves = max(next.Wave, 1)
		if p.Want.Rollout.Watch > 0 && len(p.Want.Rollout.Alarms) > 0 {
			next.to(StageWatching, now)
		} else {
			next.end(StageDone, now)
		}
	default:
		next.Wave = max(wave, r.Wave)
		next.Waves = max(len(p.Waves), next.Wave)
		next.to(firstStage(p.Want), now)
	}
	return next
}

// nextWave is the first wave in which something is still to be changed.
func (p RegionPlan) nextWave() (wave int, more bool) {
	for _, s := range p.Steps {
		if s.inRollout() && !s.fine() && !s.waits() && (!more || s.Wave < wave) {
			wave, more = s.Wave, true
		}
	}
	return wave, more
}

// Unwell gives what follows when a rollout is not well: all of it goes back, or
// it halts and a person is asked.
func (r *Rollout) Unwell(react desired.Reaction, reason string, now time.Time) Rollout {
	next := *r
	next.Reason = reason
	if react == desired.Halt {
		next.to(StageHalted, now)
	} else {
		next.to(StageRollingBack, now)
	}
	return next
}

// Resumed gives what a rollout that halted goes on to when a person says so:
// its wave is watched and judged once more.
func (r *Rollout) Resumed(now time.Time) Rollout {
	next := *r
	next.Reason, next.Findings = "", nil
	next.to(StageBake, now)
	return next
}

func (r *Rollout) to(s Stage, now time.Time) {
	r.Stage, r.Since = s, now.UTC()
	r.Smoked = false
}

func (r *Rollout) end(s Stage, now time.Time) {
	r.to(s, now)
	r.Ended = now.UTC()
}

// Brought gives the targets that functions or their callers got by the rollout:
// what is bad is among these, and not among the versions that were there before.
// What a pin asked for is one of them, with no semantic version.
func (r *Rollout) Brought(changed []Changed) []Target {
	var list, released []Target
	for _, t := range r.Targets {
		for _, n := range t.brought(changed, Changed.put) {
			list = append(list, t.at(n))
		}
		for _, n := range t.brought(changed, Changed.released) {
			if n != t.From {
				list = append(list, t.at(n))
			}
			released = append(released, t.at(n))
		}
	}
	if len(list) == 0 {
		list = released // it was well before, and something has to be what is bad now
	}
	slices.SortFunc(list, func(a, b Target) int { return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Number, b.Number)) })
	return slices.Compact(list)
}

// brought gives the numbers of the target's layer that changes brought, sorted.
func (t Target) brought(changed []Changed, by func(Changed, Target) (int64, bool)) []int64 {
	var numbers []int64
	for _, c := range changed {
		if n, ok := by(c, t); ok && !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// at is the target with another number.
func (t Target) at(n int64) Target {
	if n != t.Number {
		t.Number, t.Semver = n, ""
	}
	return t
}

// put gives what a change put on its function in place of something else. Of
// what a rollout did that this one took over from, only the target counts.
func (c Changed) put(t Target) (int64, bool) {
	before, after := number(state.Function{Layers: c.Before}, t.Layer), number(state.Function{Layers: c.After}, t.Layer)
	return after, before != after && (after == t.Number || c.Wave > 0)
}

// released gives what callers got that the function had already. Which of its
// layers that was is not known.
func (c Changed) released(t Target) (int64, bool) {
	after := number(state.Function{Layers: c.After}, t.Layer)
	return after, c.Wave > 0 && c.AliasAfter != "" && slices.Equal(c.Before, c.After) && (after > 0 || t.Number == 0)
}

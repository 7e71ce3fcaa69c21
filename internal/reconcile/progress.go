package reconcile

import (
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
		case p.superseding():
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
		if p.superseding() {
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

// superseding says that Git wants something else now than the rollout brings.
func (p RegionPlan) superseding() bool { return p.Superseding }

// waveDone says that all functions of the wave under way, and of those before,
// were changed, but for those that wait for something of their own. What could
// not be looked at was not changed.
func (r *Rollout) waveDone(p RegionPlan) bool {
	if p.Failure != nil || len(p.Needs.Served) > 0 || len(p.Needs.Aliases) > 0 {
		return false
	}
	for _, s := range p.Steps {
		if s.inRollout() && s.Wave <= r.Wave && !s.fine() && !s.waits() && !s.heldBy(ByWave) {
			return false
		}
	}
	return true
}

// waits says that a step is held by something of its own, which the rollout does
// not wait for.
func (s Step) waits() bool {
	return slices.ContainsFunc([]string{ByQuarantine, ByApproval, ByTugOfWar, ByLimit, ByGrace}, s.heldBy)
}

func (s Step) heldBy(by string) bool {
	return s.Held != nil && (s.Held.By == by || slices.ContainsFunc(s.Held.Also, func(h Holder) bool { return h.By == by }))
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
	case p.ObservedAt.IsZero():
	case r.Stage == StageWatching:
		next.end(StageDone, now)
	case r.Stage == StageCanaryBake:
		next.to(StageChange, now)
	case p.superseding() && !p.Reached:
		next.end(StageSuperseded, now)
	case p.superseding():
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

// Brought gives the targets that functions got by the rollout: what is bad is
// among these, and not among the versions that were there before.
func (r *Rollout) Brought(changed []Changed) []Target {
	var list []Target
	for _, t := range r.Targets {
		if slices.ContainsFunc(changed, t.on) {
			list = append(list, t)
		}
	}
	return list
}

// on says that a change put the target on its function.
func (t Target) on(c Changed) bool {
	before, after := number(state.Function{Layers: c.Before}, t.Layer), number(state.Function{Layers: c.After}, t.Layer)
	return before != after && after == t.Number
}

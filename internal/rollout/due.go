package rollout

import (
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/ruling"
)

// Answer returns the event that follows from what is known before anything is
// looked at: what a person or an earlier holder of the lease has ruled, a newer
// commit, an end of the watch. Nil = nothing does. Rulings are the quarantines of
// the environment in region.
func (r Rollout) Answer(f Facts, rulings []ruling.Quarantine, region string, rules desired.Rollout, now time.Time) Event {
	if r.Stage == StageRollingBack || !r.Ended.IsZero() {
		return nil
	}
	if q := r.rolledBackBy(rulings, region); q != nil {
		return RolledBack{By: q.By, Reason: q.Reason}
	}
	if q := r.quarantinedBy(rulings, region); q != nil {
		return Failed{Reaction: desired.RollBack, Reason: q.Reason}
	}
	switch r.Stage {
	case StageHalted:
		if f.NewerCommit {
			return NewerCommit{f}
		}
	case StageWatching:
		if !now.Before(r.VerdictDue(rules)) {
			return Passed{Facts: f}
		}
	default:
		switch {
		case !f.NothingChanged:
		case f.NewerCommit:
			return NewerCommit{f}
		case r.Stage == StageBake || r.Stage == StageCanaryBake:
			return Passed{Facts: f} // the functions are gone, and there is nothing to watch
		}
	}
	return nil
}

// Checks are what a round has to look at.
type Checks struct {
	Alarms bool // of the environment
	Smoke  bool // the smoke tests, which have not passed in this wave yet
	Rates  bool // errors and throttles, and with them the whole verdict: the bake is over
}

// Checks returns what has to be looked at in this stage at now. Functions of a
// rollout that has changed none need no look.
func (r Rollout) Checks(f Facts, rules desired.Rollout, now time.Time) Checks {
	if !r.Ended.IsZero() {
		return Checks{}
	}
	switch r.Stage {
	case StageHalted, StageRollingBack:
		return Checks{}
	case StageWatching:
		return Checks{Alarms: true}
	}
	if f.NothingChanged {
		return Checks{}
	}
	due := r.VerdictDue(rules)
	return Checks{
		Alarms: true,
		Smoke:  r.Stage == StageBake && !r.Smoked,
		Rates:  !due.IsZero() && !now.Before(due),
	}
}

// VerdictDue returns when the stage under way is judged: at the end of its bake
// and, where rates are compared, once CloudWatch has the last of them; for a
// complete rollout, when its watch ends. Zero while nothing is watched.
func (r Rollout) VerdictDue(rules desired.Rollout) time.Time {
	bake := rules.Bake
	switch r.Stage {
	case StageBake:
	case StageCanaryBake:
		if rules.Canary != nil {
			bake = rules.Canary.Bake
		}
	case StageWatching:
		return r.Since.Add(rules.Watch)
	default:
		return time.Time{}
	}
	if rules.ComparesRates() {
		bake += desired.MetricDelay
	}
	return r.Since.Add(bake)
}

// rolledBackBy returns the ruling by which a person has rolled back, everywhere,
// what the rollout brings; nil = nobody has.
func (r Rollout) rolledBackBy(rulings []ruling.Quarantine, region string) *ruling.Quarantine {
	return find(rulings, region, func(q ruling.Quarantine) bool {
		return q.ByPerson && q.Functions == "" && !q.At.Before(r.Begun) &&
			slices.ContainsFunc(r.Targets, func(t Target) bool { return t.Layer == q.Layer && t.Number == q.Number })
	})
}

// quarantinedBy returns the ruling by which a rollout has put what it brought
// into quarantine. It is written just before the rollout is moved, so that
// whoever wrote it came no further. Nil = there is none.
func (r Rollout) quarantinedBy(rulings []ruling.Quarantine, region string) *ruling.Quarantine {
	return find(rulings, region, func(q ruling.Quarantine) bool { return !q.ByPerson && q.Rollout == r.ID })
}

func find(rulings []ruling.Quarantine, region string, is func(ruling.Quarantine) bool) *ruling.Quarantine {
	for i, q := range rulings {
		if q.Holds() && q.Region == region && is(q) {
			return &rulings[i]
		}
	}
	return nil
}

package plan

import (
	"slices"
	"time"

	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/window"
)

// Outcome is what became of one Region's plan. It stands beside the plan, to which
// nobody writes once it was decided.
type Outcome struct {
	// Steps are those of the plan with their results, and those that were
	// decided on the way; nil = nobody came that far.
	Steps []Step
	// Applied reports that something was begun, which Steps tell the end of.
	Applied bool
	// Failure is why the Region could not be done, or only in part; nil = it was.
	Failure *Failure
	// Rollout is the current or last one now; nil = as in the plan.
	Rollout *rollout.Rollout
	// Status is how the rollouts stand now; nil = the round did not come that far.
	Status *RolloutStatus
	// Due is when the rollout has something to be done next; zero = it has not,
	// or it waits for somebody.
	Due time.Time
	// Notes are what became of the parameters in which others read what stands, and
	// Unannounced is why they could not be read or written; empty = they could.
	Notes       []Note
	Unannounced string
}

// After returns the plan of a Region with what became of it, for whoever tells or
// shows it. The receiver is not changed.
func (p Region) After(o Outcome) Region {
	if o.Steps != nil {
		p.Steps = o.Steps
	}
	if o.Failure != nil {
		p.Failure, p.InSync = o.Failure, false
	}
	if o.Rollout != nil {
		p.Rollout = o.Rollout
	}
	if o.Applied {
		p.Applied, p.InSync = true, !p.Partial && p.inSyncNow()
	}
	p.RolloutStatus, p.Due = o.Status, o.Due
	p.Notes, p.Unannounced = slices.Concat(p.Notes, o.Notes), o.Unannounced
	if !o.Due.IsZero() && (p.Next.IsZero() || o.Due.Before(p.Next)) {
		p.Next = o.Due
	}
	return p
}

// After returns the plan with what became of each Region, in their order.
// Regions beyond the outcomes are as they were planned.
func (p Plan) After(outcomes []Outcome) Plan {
	p.Regions = slices.Clone(p.Regions)
	for i, o := range outcomes {
		p.Regions[i] = p.Regions[i].After(o)
	}
	return p
}

// Failed returns the plan of an environment that could not be done, or not to its
// end, in any Region.
func (p Plan) Failed(f *Failure) Plan {
	p.Regions = slices.Clone(p.Regions)
	for i := range p.Regions {
		p.Regions[i].Failure, p.Regions[i].InSync = f, false
	}
	return p
}

// Costing returns the plan at another cost: what a person orders is carried out at
// another rate, and without what a round looks at besides.
func (p Plan) Costing(cost func(Region) Cost) Plan {
	p.Regions = slices.Clone(p.Regions)
	for i, r := range p.Regions {
		p.Regions[i].Cost = cost(r)
	}
	return p
}

// inSyncNow reports whether everything that was to be done to functions was done.
func (p Region) inSyncNow() bool {
	if p.Failure != nil || len(p.Problems) > 0 {
		return false
	}
	healed := map[string]bool{}
	for _, s := range p.Steps {
		if s.Kind == KindPrune {
			continue
		}
		if s.Result == nil || s.Result.Status == StatusFailed || s.Result.Status == StatusHeld || s.Result.Error != "" {
			return false
		}
		healed[s.Layer+"/"+s.Function] = true
	}
	for _, d := range p.Drift {
		if d.Kind != DriftExtra && d.Kind != DriftOrder && !healed[d.Layer+"/"+d.Function] {
			return false
		}
	}
	return !slices.ContainsFunc(p.Blocked, func(b Blocked) bool { return !b.Permanent })
}

// Only returns the plan with those steps that keep accepts, for a round that is
// about them alone. What would describe the whole is left out.
func (p Plan) Only(keep func(Step) bool) Plan {
	p.Regions = slices.Clone(p.Regions)
	for i := range p.Regions {
		r := &p.Regions[i]
		r.Steps = slices.DeleteFunc(slices.Clone(r.Steps), func(s Step) bool { return !keep(s) })
		r.Waves, r.Remaining, r.InSync, r.Partial = nil, 0, false, true
	}
	return p
}

// Following returns the plan of a later round with what earlier ones did in the
// Region: a step that is done is in no later plan.
func (p Region) Following(before Region) Region {
	now := map[string]bool{}
	for _, s := range p.Steps {
		now[s.ID] = true
	}
	var steps []Step
	for _, s := range before.Steps {
		if s.Result != nil && s.Result.Status != StatusHeld && !now[s.ID] {
			steps = append(steps, s)
		}
	}
	p.Steps = append(steps, p.Steps...)
	// The round after one in which a rollout ended knows it no more.
	if ro := before.Rollout; p.Rollout == nil || ro != nil && ro.Stage == rollout.StageRolledBack {
		p.Rollout = ro
	}
	p.Cost.Calls = max(p.Cost.Calls, before.Cost.Calls)
	return p
}

// Following returns the plan of a later round with what earlier ones did in each
// Region.
func (p Plan) Following(before Plan) Plan {
	p.Regions = slices.Clone(p.Regions)
	for i := range p.Regions {
		if i < len(before.Regions) {
			p.Regions[i] = p.Regions[i].Following(before.Regions[i])
		}
	}
	return p
}

// Runnable reports whether a step may run now, of which the round knows no end yet.
func (p Region) Runnable() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Held == nil && s.Result == nil })
}

// AnyFailed reports whether a step that was tried failed, or was not done for a reason.
func (p Region) AnyFailed() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Result != nil && s.Result.Error != "" && !s.Result.Untried })
}

// Closed returns what holds steps at now because the calendar has closed since
// they were decided; nil = they may start. What one of them must wait for, all of
// them wait for.
func Closed(steps []Step, c window.Calendar, now time.Time) *Held {
	for _, s := range steps {
		w := s.Obeys(c).At(now)
		if w.Open {
			continue
		}
		by := ByWindow
		if w.Frozen {
			by = ByFreeze
		}
		return &Held{By: by, Until: w.NextOpen, Reason: w.Reason}
	}
	return nil
}

package round

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
)

// layerd is who decides where no person does.
const layerd = "layerd"

// rollouts reads what is under way, what it did so far, and what is
// quarantined.
func (p *Run) rollouts(ctx context.Context, in *reconcile.Input) error {
	for _, q := range p.Round.Quarantines {
		if q.Environment == in.Regions[0].Want.Name {
			in.Quarantines = append(in.Quarantines, q)
		}
	}
	if p.log == nil {
		return nil
	}
	for i := range in.Regions {
		r := &in.Regions[i]
		ro, err := p.log.Rollout(ctx, r.Want.Name, r.Want.Region)
		if err != nil {
			return err
		}
		r.Rollout = ro
		// Of one that a newer commit took over from as well: it is undone with
		// that, and a share of calls that it gave is ours. So is one of a rollout that was
		// rolled back, where taking it back failed.
		back := ro != nil && ro.Stage == rollout.StageRolledBack && r.Want.Alias != ""
		if ro.Open() || back || ro != nil && ro.Stage == rollout.StageSuperseded {
			if r.Changed, err = p.changed(ctx, r.Want, ro); err != nil {
				return err
			}
		}
	}
	kept, err := ruling.LoadQuarantines(ctx, p.Store, p.Repository, in.Regions[0].Want.Name)
	in.Quarantines = append(in.Quarantines, kept...)
	return err
}

// changed returns what a rollout under way did so far. That is one record for each
// function, and a wave is watched for many rounds: what was read under this hold
// of the lease, or written since, is not read again.
func (p *Run) changed(ctx context.Context, e desired.Environment, ro *rollout.Rollout) ([]rollout.Changed, error) {
	fence := p.fence(e.Account)
	if list, ok := p.Cache.changed(e, ro.ID, fence); ok {
		return list, nil
	}
	list, err := p.log.Changed(ctx, *ro)
	if err == nil {
		p.Cache.putChanged(e, ro.ID, fence, list)
	}
	return list, err
}

// claim has the history refuse whoever had the lease before, should they wake up
// and go on with a rollout that is ours now.
func (p *Run) claim(ctx context.Context, in *reconcile.Input) error {
	for _, r := range in.Regions {
		if ro, e := r.Rollout, r.Want; ro.Running() && p.fence(e.Account) != 0 {
			if err := p.history(e.Account).SaveRollout(ctx, e.Name, e.Region, *ro); err != nil {
				return err
			}
		}
	}
	return nil
}

// advanceAll judges what is due of the rollouts of an environment and decides
// again, until nothing more comes of it. It changes nothing in AWS. Rollouts that
// it has brought to their end are in done: to a decision there is none any more.
func (p *Run) advanceAll(ctx context.Context, in *reconcile.Input, planned plan.Plan, done []plan.Outcome) (plan.Plan, error) {
	if err := p.claim(ctx, in); err != nil {
		return planned, err
	}
	began := slices.Clone(in.Regions)
	const transitions = 8 // a halt that is left, an end, a beginning; far fewer than that
	for range transitions {
		moved := false
		for i := range in.Regions {
			if !in.Regions[i].Rollout.Running() || in.Regions[i].Have == nil {
				continue
			}
			went, err := p.advance(ctx, in, i, p.judge(ctx, in, planned.Regions[i], i), in.Now)
			if err != nil {
				return planned, err
			}
			moved = moved || went
		}
		if !moved {
			break
		}
		planned = p.decide(ctx, in)
	}
	for i, r := range in.Regions {
		if began[i].Rollout.Running() && !r.Rollout.Running() {
			done[i].Rollout = r.Rollout
		}
	}
	return planned, nil
}

// advance moves a rollout on by an event and keeps it; moved is false when
// nothing is new. What must be known before it is acted on is written first.
func (p *Run) advance(ctx context.Context, in *reconcile.Input, i int, event rollout.Event, now time.Time) (moved bool, err error) {
	if event == nil {
		return false, nil
	}
	e, ro := in.Regions[i].Want, in.Regions[i].Rollout
	next := ro.Next(event, e.Rules(), now)
	if !ro.Moved(next) {
		return false, nil
	}
	log := p.history(e.Account)
	switch {
	case next.Stage == rollout.StageRollingBack && ro.Stage != next.Stage:
		if err := p.quarantine(ctx, in, i, next, now); err != nil {
			return false, err
		}
	case (next.Stage == rollout.StageDone || next.Stage == rollout.StageWatching) && ro.Stage != rollout.StageWatching && ro.Stage != next.Stage:
		if len(in.Regions[i].Changed) == 0 {
			break // nothing of it ran
		}
		if err := log.Prove(ctx, e.Name, e.Region, notQuarantined(in, next, e.Region)); err != nil {
			return false, err
		}
		p.Cache.invalidate(e.Name, e.Region)
	}
	if next.Stage != ro.Stage && next.WorthRecording() {
		if err := log.NoteRollout(ctx, e.Name, e.Region, layerd, next); err != nil {
			return false, err
		}
	}
	if err := log.SaveRollout(ctx, e.Name, e.Region, next); err != nil {
		return false, err
	}
	p.Log.Info("rollout", "env", e.Name, "region", e.Region, "rollout", next.ID, "stage", string(next.Stage),
		"wave", next.Wave, "waves", next.Waves, "revision", next.Revision, "reason", next.Reason)
	in.Regions[i].Rollout = &next
	return true, nil
}

// notQuarantined returns the targets of a rollout that no quarantine covers: what
// a person rolled back meanwhile did not come through, although nothing else is
// left to be done.
func notQuarantined(in *reconcile.Input, ro rollout.Rollout, region string) []rollout.Target {
	return slices.DeleteFunc(slices.Clone(ro.Targets), func(t rollout.Target) bool {
		return slices.ContainsFunc(in.Quarantines, func(q ruling.Quarantine) bool {
			return q.Holds() && q.Region == region && q.Layer == t.Layer && q.Number == t.Number
		})
	})
}

// quarantine keeps the versions that a rollout brought from coming again. They
// are those of the layers that it changed on any function.
func (p *Run) quarantine(ctx context.Context, in *reconcile.Input, i int, ro rollout.Rollout, now time.Time) error {
	e := in.Regions[i].Want
	for _, t := range ro.Introduced(in.Regions[i].Changed) {
		q := ruling.Quarantine{
			Environment: e.Name, Region: e.Region, Layer: t.Layer, Name: t.Name, Number: t.Number, Semver: t.Semver,
			By: layerd, Reason: ro.Reason, At: now.UTC(), Rollout: ro.ID,
		}
		q, err := p.history(e.Account).Rulings().Quarantine(ctx, q)
		if err != nil {
			return fmt.Errorf("quarantine %s %d: %w", t.Name, t.Number, err)
		}
		known := slices.ContainsFunc(in.Quarantines, func(o ruling.Quarantine) bool {
			return o.Region == q.Region && o.Layer == q.Layer && o.Number == q.Number && o.Functions == q.Functions
		})
		if !known { // by whoever came no further than this
			in.Quarantines = append(in.Quarantines, q)
		}
	}
	return nil
}

// beginRollout makes sure that a rollout which the plan of a Region begins is known
// before its first change. It has all waves of the Region, also where the round is
// about some of the steps only.
func (p *Run) beginRollout(ctx context.Context, in *reconcile.Input, r plan.Region, waves []plan.Wave, i int) error {
	e, now := in.Regions[i].Want, p.Now() // and not when it was decided: an earlier Region may have taken long
	r.Waves = waves
	ro := plan.Begins(r, in.Regions[i].Rollout, p.history(e.Account).NewRolloutID(now), p.origin(e.Name).Revision, now)
	if ro == nil {
		return nil
	}
	if err := p.history(e.Account).SaveRollout(ctx, e.Name, e.Region, *ro); err != nil {
		return err
	}
	p.Log.Info("rollout", "env", e.Name, "region", e.Region, "rollout", ro.ID, "stage", string(ro.Stage), "wave", ro.Wave,
		"waves", ro.Waves, "functions", ro.Total, "revision", ro.Revision)
	in.Regions[i].Rollout, in.Regions[i].Changed = ro, nil
	return nil
}

// afterApply moves a rollout on by what became of the plan, r, and notes when it is
// to be looked at next.
func (p *Run) afterApply(ctx context.Context, in *reconcile.Input, r plan.Region, i int, done *plan.Outcome) error {
	ro := in.Regions[i].Rollout
	if !ro.Running() {
		return nil
	}
	began := *ro
	e := in.Regions[i].Want
	if r.Applied && ro.Open() {
		var err error
		if in.Regions[i].Changed, err = p.changed(ctx, e, ro); err != nil {
			return err
		}
	}
	now := p.Now() // a bake begins when the wave is changed
	moved, err := p.advance(ctx, in, i, outcome(r, in.Regions[i].Changed, *ro, e.Rollout.OnFailure), now)
	if err != nil {
		return err
	}
	done.Rollout = in.Regions[i].Rollout
	done.Due = nextLook(r.After(*done), began, moved, now)
	return nil
}

// outcome returns the event that a plan which was carried out is to its rollout:
// a version that AWS cannot start has failed, whatever the checks find.
func outcome(r plan.Region, changed []rollout.Changed, ro rollout.Rollout, reaction desired.Reaction) rollout.Event {
	if ro.Stage == rollout.StageCanary || ro.Stage == rollout.StageChange {
		for _, s := range r.Steps {
			if s.Result != nil && s.Result.Unwell {
				return rollout.Failed{Reaction: reaction, Reason: s.Function + ": " + s.Result.Error}
			}
		}
	}
	return rollout.Applied{Facts: r.Facts(changed)}
}

// tryAgain is how soon what goes back and did not get there is tried again.
const tryAgain = 5 * time.Second

// nextLook returns when the next round of a rollout is due, which was began when
// this one started; zero = nothing is to be done without somebody.
func nextLook(r plan.Region, began rollout.Rollout, moved bool, now time.Time) time.Time {
	switch ro := r.Rollout; {
	case ro.Stage == rollout.StageRollingBack && began.Stage == rollout.StageRollingBack:
		if !r.Applied {
			break // all of it is held, and trying again moves nothing
		}
		return now.Add(min(tryAgain*time.Duration(max(1, ro.Attempts)), time.Minute))
	case ro.Stage == rollout.StageBake && !ro.Smoked && len(r.Want.Rollout.SmokeTests) > 0 && moved:
		return now
	case ro.Stage == rollout.StageBake || ro.Stage == rollout.StageCanaryBake:
		if r.Failure != nil {
			break // it is judged, and waits for what fails
		}
		return ro.VerdictDue(r.Want.Rules())
	case moved && (ro.Open() || waitsForRollout(r)) && ro.Stage != rollout.StageHalted:
		return now
	}
	return time.Time{}
}

// waitsForRollout reports whether something is held by nothing but the rollout.
func waitsForRollout(r plan.Region) bool {
	return slices.ContainsFunc(r.Steps, func(s plan.Step) bool {
		return s.Held != nil && (s.Held.By == plan.ByWave || s.Held.By == plan.ByHealth || s.Held.By == plan.ByOrder)
	})
}

// liftAnswered ends the quarantines that Git has answered.
func (p *Run) liftAnswered(ctx context.Context, r plan.Region, now time.Time) error {
	for _, q := range r.Lifted {
		if _, err := p.history(r.Want.Account).Rulings().Lift(ctx, q, layerd, "Git asks for another version", now); err != nil {
			return fmt.Errorf("lift the quarantine of %s %d: %w", q.Name, q.Number, err)
		}
	}
	return nil
}

// wakeNextRegion lets the Region that waited for another begin at once when that is
// through.
func (p *Run) wakeNextRegion(after plan.Plan, done []plan.Outcome) {
	for i, r := range after.Regions {
		if r.Rollout == nil || r.Rollout.Open() || !r.Applied {
			continue
		}
		for j := i + 1; j < len(after.Regions); j++ {
			if slices.ContainsFunc(after.Regions[j].Steps, func(s plan.Step) bool { return s.Held != nil && s.Held.By == plan.ByOrder }) {
				done[j].Due = p.Now()
				return
			}
		}
	}
}

package reconcile

import (
	"slices"
	"time"

	"github.com/layerd/layerd/internal/rollout"
)

// Begins returns the rollout that applying a plan begins; nil when no step of
// one may run, or when one is under way. before is the last one there was: what
// was changed before a newer commit took over is undone with the new one.
func Begins(p RegionPlan, before *rollout.Rollout, id, revision string, now time.Time) *rollout.Rollout {
	if before.Open() || !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.InRollout() && s.Held == nil }) {
		return nil
	}
	total := 0
	for _, w := range p.Waves {
		total += w.Functions
	}
	return rollout.New(before, id, revision, p.Targets, len(p.Waves), total, p.Want.Rules(), now)
}

// Facts returns what a plan means to the rollout under way, which has changed
// what changed says: before it is applied, or after, when its steps have results.
func (p RegionPlan) Facts(changed []rollout.Changed) rollout.Facts {
	f := rollout.Facts{
		Observed: !p.ObservedAt.IsZero(), Failed: p.Failure != nil, Waves: len(p.Waves),
		NewerCommit: p.NewerCommit, AllChanged: p.AllChanged, NothingChanged: len(changed) == 0,
		NoCanary:    !slices.ContainsFunc(changed, func(c rollout.Changed) bool { return c.Canary }),
		UndoPlanned: p.Rollout != nil && p.Rollout.Stage == rollout.StageRollingBack,
		Applied:     p.Carried,
	}
	unread := len(p.Needs.Served) > 0 || len(p.Needs.Aliases) > 0
	f.Undone = !unread
	for _, s := range p.Steps {
		f.Undone = f.Undone && (s.Cause != Rollback || s.Done())
		if !s.InRollout() || s.Done() || s.WaitsAlone() {
			continue
		}
		f.NextWave = lower(f.NextWave, s.Wave)
		if !s.HeldBy(ByWave) {
			f.WaveWith = lower(f.WaveWith, s.Wave)
		}
	}
	if unread {
		f.WaveWith = -1
	}
	return f
}

// lower returns the lower of two waves, of which 0 is none.
func lower(a, b int) int {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// Done reports whether the step was applied, or whether there was nothing left to
// do. One that changed AWS and has an error is not: somebody has to look.
func (s Step) Done() bool {
	return s.Result != nil && s.Result.Error == "" && (s.Result.Status == Applied || s.Result.Status == Skipped)
}

// InRollout reports whether a step is part of a rollout. A new function that
// gets what all others have, and a heal, bring nothing new.
func (s Step) InRollout() bool { return s.Cause == Change && !s.AnyTime && s.Function != "" }

package round

import (
	"context"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
)

// glance is how often a rollout that is watched is looked at by ApplyThrough:
// an alarm that rings is not left until the end of a bake.
const glance = 15 * time.Second

// mostAttempts is after how many rounds going back is left to the daemon, or to the
// next apply.
const mostAttempts = 5

// ApplyThrough makes rounds, as Apply does, until nothing of a rollout is left
// that only waits for the rollout itself: all waves are changed and well, or all
// is back, or what is left waits for a person or a window. waiting, when not nil,
// is called with what is waited for. The Result has every step of all rounds.
func (r Round) ApplyThrough(ctx context.Context, waiting func(plan.Plan, time.Time)) (Result, error) {
	if r.Cache == nil {
		r.Cache = NewCache() // the aliases of a fleet are not asked for once a wave
	}
	total, err := r.Apply(ctx)
	for err == nil {
		at, planned := due(total)
		if planned == nil {
			break
		}
		pause := at.Sub(r.clock()())
		if watched(planned) {
			pause = min(pause, glance)
		}
		if pause > 0 {
			if waiting != nil {
				waiting(*planned, at)
			}
			wait, done := context.WithTimeout(ctx, pause)
			<-wait.Done()
			done()
			if err = ctx.Err(); err != nil {
				break
			}
		}
		var next Result
		next, err = r.Apply(ctx)
		if err == nil || acted(next) {
			total = joined(total, next)
		}
	}
	return total, err
}

// watched reports whether something may show before the next step is due that a plan's
// functions are not well. A round for nothing costs a sweep of all functions,
// and one that is under way when a bake ends holds up the next wave.
func watched(planned *plan.Plan) bool {
	return slices.ContainsFunc(planned.Regions, func(r plan.Region) bool { return len(r.Want.Rollout.Alarms) > 0 })
}

// due returns the plan whose rollout is to be looked at next, and when; nil when
// none moves by itself.
func due(r Result) (at time.Time, planned *plan.Plan) {
	for i := range r.Plans {
		for _, region := range r.Plans[i].Regions {
			ro := region.Rollout
			stuck := ro != nil && ro.Stage == rollout.StageRollingBack && ro.Attempts >= mostAttempts
			if region.Due.IsZero() || region.Failure != nil || stuck {
				continue
			}
			if planned == nil || region.Due.Before(at) {
				at, planned = region.Due, &r.Plans[i]
			}
		}
	}
	return at, planned
}

// acted reports whether a round came as far as doing something.
func acted(r Result) bool {
	return slices.ContainsFunc(r.Steps(), func(s plan.Step) bool { return s.Result != nil && s.Result.Status != plan.StatusHeld })
}

// joined is a later round's result with what earlier ones did: a step that is
// done is not in a later plan any more.
func joined(before, after Result) Result {
	after.Plans = slices.Clone(after.Plans)
	for i := range after.Plans {
		for _, old := range before.Plans {
			if old.Environment == after.Plans[i].Environment {
				after.Plans[i] = after.Plans[i].Following(old)
			}
		}
	}
	return after
}

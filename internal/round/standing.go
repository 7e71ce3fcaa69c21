package round

import (
	"context"
	"slices"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/ruling"
)

// stand notes in a plan that was carried out how the rollouts stand, for
// whoever tells people.
func (p *Run) stand(ctx context.Context, in *reconcile.Input, planned *plan.Plan) error {
	for i := range planned.Regions {
		if in.Regions[i].Have == nil {
			continue // nothing is known of it
		}
		if err := p.readChanged(ctx, in, i); err != nil {
			return err
		}
		planned.Regions[i].RolloutStatus = reconcile.Stand(*in, i, planned.Regions[i])
	}
	return nil
}

// readChanged fills in what a rollout that is through did, which a round reads of one
// under way only. It is read while a quarantine of it holds, and then once: it
// takes reading the history from its beginning on.
func (p *Run) readChanged(ctx context.Context, in *reconcile.Input, i int) error {
	e, ro := in.Regions[i].Want, in.Regions[i].Rollout
	if ro == nil || ro.Open() || p.Cache == nil {
		return nil
	}
	if len(in.Regions[i].Changed) > 0 {
		return nil // it was under way when the round began
	}
	holds := slices.ContainsFunc(in.Quarantines, func(q ruling.Quarantine) bool { return q.Rollout == ro.ID && q.Region == e.Region })
	if !holds {
		return nil
	}
	var err error
	in.Regions[i].Changed, err = p.changed(ctx, e, ro)
	return err
}

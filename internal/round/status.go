package round

import (
	"context"
	"slices"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/ruling"
)

// addStatus adds to the outcomes how the rollouts stand once a plan was carried
// out, for the alerts.
func (p *Run) addStatus(ctx context.Context, in *reconcile.Input, planned plan.Plan, done []plan.Outcome) error {
	for i := range in.Regions {
		if in.Regions[i].Have == nil {
			continue // nothing is known of it
		}
		if err := p.loadChanged(ctx, in, i); err != nil {
			return err
		}
		done[i].Status = reconcile.Status(*in, i, planned.Regions[i].After(done[i]))
	}
	return nil
}

// loadChanged loads what a finished rollout changed; rounds load it only for a
// running one. It is read while a quarantine of it holds, and then once: it
// takes reading the history from its beginning on.
func (p *Run) loadChanged(ctx context.Context, in *reconcile.Input, i int) error {
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

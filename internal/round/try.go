package round

import (
	"context"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

// try finds out whether the newer wishes of the chosen environments resolve, by
// environment and Region.
func (p *Run) try(ctx context.Context) map[string]map[string][]desired.Problem {
	found := map[string]map[string][]desired.Problem{}
	for _, env := range p.chosen {
		want := p.Trials[env[0].Name]
		if len(want) == 0 || p.refused[want[0].Account] != nil {
			continue
		}
		p.contain(ctx, want, func() (plan.Plan, error) {
			in := reconcile.Input{Now: p.Now(), Revision: p.Revision}
			for _, e := range want {
				past, err := p.past(ctx, e)
				if err != nil {
					return plan.Plan{}, err
				}
				p.Cache.MarkFresh(e, p.fence(e.Account)) // nothing is written between this and the decision
				in.Regions = append(in.Regions, reconcile.Region{Want: e, Past: past, Have: p.seenFor(e).snapshot()})
			}
			var err error
			if in.Others, err = p.others(ctx, in.Regions); err != nil {
				return plan.Plan{}, err
			}
			if in.Published, err = p.published(ctx, in.Regions); err != nil {
				return plan.Plan{}, err
			}
			found[env[0].Name] = p.resolve(ctx, &in)
			return plan.Plan{}, nil
		})
	}
	return found
}

// resolve returns the problems of a wish, by Region, and looks where that asks it to. What
// could not be read now is taken at its word, and asked again with the decision.
func (p *Run) resolve(ctx context.Context, in *reconcile.Input) map[string][]desired.Problem {
	known := make([]state.Needs, len(in.Regions))
	for {
		problems, needs := reconcile.Resolve(*in)
		asked := false
		for i, n := range needs {
			if n = n.Without(known[i]); n.Empty() || in.Regions[i].Have == nil {
				continue
			}
			asked, known[i] = true, known[i].And(n)
			if _, err := p.look(ctx, in, i, n, p.Cache); err != nil {
				p.Log.Warn("not everything could be read", "env", in.Regions[i].Want.Name, "region", in.Regions[i].Want.Region, "err", err)
			}
		}
		if !asked {
			return problems
		}
	}
}

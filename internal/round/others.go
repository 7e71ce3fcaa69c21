package round

import (
	"context"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

// others returns what a decision about some Regions of one environment needs of the
// other environments: what they want there, and where both select a function, what
// they have had.
func (p *Run) others(ctx context.Context, regions []reconcile.Region) ([]reconcile.Other, error) {
	var list []reconcile.Other
	for _, o := range p.Tree.Environments {
		i := slices.IndexFunc(regions, func(r reconcile.Region) bool {
			return r.Want.Name != o.Name && r.Want.Account == o.Account && r.Want.Region == o.Region
		})
		if i < 0 {
			continue
		}
		other := reconcile.Other{Want: o}
		if overlap(regions[i].Have, regions[i].Want, o) {
			var err error
			if other.Past, err = p.pastOfOther(ctx, o); err != nil {
				return nil, err
			}
		}
		list = append(list, other)
	}
	for _, name := range p.Tree.Names {
		if name == regions[0].Want.Name || slices.ContainsFunc(p.Tree.Environments, func(e desired.Environment) bool { return e.Name == name }) {
			continue
		}
		for _, r := range regions {
			other := reconcile.Other{Want: desired.Environment{Name: name, Account: r.Want.Account, Region: r.Want.Region}, Unread: true}
			var err error
			if other.Past, err = p.pastOfOther(ctx, other.Want); err != nil {
				return nil, err
			}
			if len(other.Past.Functions) > 0 {
				list = append(list, other)
			}
		}
	}
	return list, nil
}

// overlap reports whether two environments select one function.
func overlap(snap *state.Snapshot, a, b desired.Environment) bool {
	if snap == nil {
		return false
	}
	for i := range snap.Functions {
		if f := &snap.Functions[i]; a.Selects(f) && b.Selects(f) {
			return true
		}
	}
	return false
}

// pastOfOther is past for an environment that is not decided about now: what the
// cache has stays as fresh as it was.
func (p *Run) pastOfOther(ctx context.Context, e desired.Environment) (plan.Past, error) {
	if p.log == nil {
		return p.Cache.lastPast(e.Name, e.Region), nil
	}
	if past, fresh := p.Cache.peekPast(e, p.fence(e.Account), p.Now()); fresh {
		return past, nil
	}
	past, err := p.log.Past(ctx, e.Name, e.Region)
	if err != nil {
		return plan.Past{}, fmt.Errorf("read the past of %s: %w", e.Name, err)
	}
	return past, nil
}

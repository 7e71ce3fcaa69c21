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
	selected := map[int][]*state.Function{} // by index of regions, once somebody else is there
	for _, o := range p.Tree.Environments {
		i := slices.IndexFunc(regions, func(r reconcile.Region) bool {
			return r.Want.Name != o.Name && r.Want.Account == o.Account && r.Want.Region == o.Region
		})
		if i < 0 {
			continue
		}
		if selected[i] == nil {
			selected[i] = selection(regions[i].Have, regions[i].Want)
		}
		other := reconcile.Other{Want: o}
		if slices.ContainsFunc(selected[i], o.Selects) {
			var err error
			if other.Past, err = p.pastOfOther(ctx, o); err != nil {
				return nil, err
			}
		}
		list = append(list, other)
	}
	unread, err := p.unreadOthers(ctx, regions)
	return append(list, unread...), err
}

// unreadOthers are the environments that have a file, and of which it is not known
// what they want: what they had they keep.
func (p *Run) unreadOthers(ctx context.Context, regions []reconcile.Region) (list []reconcile.Other, err error) {
	for _, name := range p.Tree.Names {
		if name == regions[0].Want.Name || slices.ContainsFunc(p.Tree.Environments, func(e desired.Environment) bool { return e.Name == name }) {
			continue
		}
		for _, r := range regions {
			other := reconcile.Other{Want: desired.Environment{Name: name, Account: r.Want.Account, Region: r.Want.Region}, Unread: true}
			key := [2]string{name, r.Want.Region}
			if past, known := p.unread.Load(key); known { // nothing changes it while the file is as it is
				other.Past = past.(plan.Past)
			} else if other.Past, err = p.pastOfOther(ctx, other.Want); err != nil {
				return nil, err
			}
			p.unread.Store(key, other.Past)
			if len(other.Past.Functions) > 0 {
				list = append(list, other)
			}
		}
	}
	return list, nil
}

// selection returns the functions that an environment selects.
func selection(snap *state.Snapshot, e desired.Environment) (list []*state.Function) {
	for i := 0; snap != nil && i < len(snap.Functions); i++ {
		if f := &snap.Functions[i]; e.Selects(f) {
			list = append(list, f)
		}
	}
	return list
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

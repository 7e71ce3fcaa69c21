package daemon

import (
	"context"
	"fmt"
	"time"
)

// balanceLoop balances the accounts until ctx ends.
func (d *Daemon) balanceLoop(ctx context.Context) {
	d.every(ctx, "balance", nil, func(ctx context.Context) time.Duration {
		asking, cancel := context.WithTimeout(ctx, d.keeper.Term()/2)
		defer cancel()
		if err := d.balance(asking); err != nil && ctx.Err() == nil {
			d.Log.Warn("leases not read", "err", err)
		}
		return d.keeper.Term() / 2
	})
}

// balance asks daemons that hold more accounts for one, until all hold about as
// many, and daemons of other repositories for every account of ours.
func (d *Daemon) balance(ctx context.Context) error {
	me := d.keeper.Me()
	count, of := map[string]int{}, map[string][]string{}
	for _, id := range d.desired().accounts() {
		v, known, err := d.keeper.Look(ctx, id)
		switch {
		case err != nil:
			return fmt.Errorf("look at the lease of %s: %w", id, err)
		case !known || v.Released:
		case v.Waiting == me.ID:
			count[me.ID]++ // as good as ours
		case v.By.Repository != me.Repository:
			if err := d.keeper.Ask(ctx, id); err != nil {
				return err
			}
		default:
			count[v.By.ID]++
			of[v.By.ID] = append(of[v.By.ID], id)
		}
	}
	for who, n := range count {
		if who != me.ID && n > count[me.ID]+1 {
			return d.keeper.Ask(ctx, of[who][n-1])
		}
	}
	return nil
}

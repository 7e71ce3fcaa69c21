package daemon

import (
	"context"
	"fmt"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// Holders returns which environment owns which layer as a store knows it, for whoever
// reads a commit without having followed the ones before: what the last good commits
// own, and beside that what was applied in one environment only.
func Holders(ctx context.Context, s store.Store, repository string) (map[state.LayerARN]string, error) {
	holders, err := appliers(ctx, s, repository)
	if err != nil {
		return nil, err
	}
	d := &Daemon{Options: Options{Store: s, Repository: repository}, lastGood: map[string]*lastGood{}}
	names, err := d.lastGoodNames(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the last good commits: %w", err)
	}
	for _, name := range names {
		if err := d.loadLastGoodOf(ctx, name); err != nil {
			return nil, fmt.Errorf("read the last good commit of %s: %w", name, err)
		}
	}
	d.readLastGood(ctx)
	for _, g := range d.lastGood {
		addHolders(holders, g.envs)
	}
	return holders, ctx.Err()
}

// appliers returns the environments that alone have had a layer.
func appliers(ctx context.Context, s store.Store, repository string) (map[state.LayerARN]string, error) {
	applied, err := history.Open(s, repository).Appliers(ctx)
	if err != nil {
		return nil, fmt.Errorf("read who has applied what: %w", err)
	}
	holders := map[state.LayerARN]string{}
	for layer, environments := range applied {
		if len(environments) == 1 {
			holders[layer] = environments[0]
		}
	}
	return holders, nil
}

// addHolders adds what the environments own.
func addHolders(holders map[state.LayerARN]string, envs []desired.Environment) {
	for _, e := range envs {
		for _, w := range e.Layers {
			if w.Owned {
				holders[w.Layer] = e.Name
			}
		}
	}
}

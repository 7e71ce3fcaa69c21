package daemon

import (
	"context"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

// settle closes the records that an earlier, killed process left open, by
// looking at what AWS has now. They stay in the Result, to be told. A record
// whose place is not looked at in this round stays open for a later one.
func (p *pass) settle(ctx context.Context) error {
	done := map[string]bool{} // the steps of one write share a record
	for _, e := range p.result.Unfinished {
		snap := p.snapshot(e.Environment, e.Region)
		if snap == nil || done[e.ID] {
			continue
		}
		done[e.ID] = true
		out := settled(*snap, e)
		if err := p.log.Settle(ctx, e, out); err != nil {
			return fmt.Errorf("settle an unfinished record: %w", err)
		}
		p.Log.Warn("settled an unfinished record", "env", e.Environment, "step", e.Step, "status", string(out.Status))
	}
	return nil
}

// snapshot is what was seen of an environment's Region in this round, or nil.
func (p *pass) snapshot(environment, region string) *state.Snapshot {
	for _, env := range p.chosen {
		for _, want := range env {
			if want.Name == environment && want.Region == region {
				return p.regions[placeOf(want)].snap
			}
		}
	}
	return nil
}

// settled says how a write without an end ended: what was meant is there, or
// it is not. Somebody else may have made it so since; the outcome is the same.
func settled(snap state.Snapshot, e history.Entry) apply.Outcome {
	out := apply.Outcome{Result: reconcile.Result{Status: reconcile.Applied}}
	if e.Kind == reconcile.Prune {
		layer, n, _ := e.From.Split()
		l, listed := snap.Layer(layer)
		if _, live := l.Version(n); live || !listed {
			out.Result = reconcile.Result{Status: reconcile.Failed, Error: "it was stopped before the version was deleted"}
		}
		return out
	}
	f, ok := snap.Function(e.Function)
	if !ok {
		out.Result = reconcile.Result{Status: reconcile.Failed, Error: "the function is gone"}
		return out
	}
	out.List = f.Layers
	if !slices.Equal(f.Layers, e.After) {
		out.Result = reconcile.Result{Status: reconcile.Failed, Error: "it was stopped, and the function does not have what was meant"}
	}
	return out
}

package round

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// settle closes the records that an earlier, killed process left open in an
// environment, by looking at what AWS has now. They stay in the Result, to be
// told. A record whose place was not seen in this round stays open for a later
// one, and so does one whose function is still being updated.
func (p *Run) settle(ctx context.Context, environment string) error {
	done := map[string]bool{} // the steps of one write share a record
	for _, e := range p.result.Unfinished {
		seen := p.seen(e.Environment, e.Region)
		if e.Environment != environment || seen == nil || seen.snapshot() == nil || done[e.ID] {
			continue
		}
		done[e.ID] = true
		out, known := settled(ctx, seen, e)
		if !known {
			continue
		}
		p.Cache.invalidate(e.Environment, e.Region)
		if err := p.history(e.Account).Settle(ctx, e, out); err != nil {
			return fmt.Errorf("settle an unfinished record: %w", err)
		}
		p.Log.Warn("settled an unfinished record", "env", e.Environment, "step", e.Step, "status", string(out.Status))
	}
	return nil
}

// seen is what was observed of an environment's Region in this round, or nil.
func (p *Run) seen(environment, region string) *seen {
	for _, env := range p.chosen {
		for _, want := range env {
			if want.Name == environment && want.Region == region {
				return p.seenFor(want)
			}
		}
	}
	return nil
}

// settled returns how a write without an end ended: what was meant is there, or
// it is not. Somebody else may have made it so since; the outcome is the same.
// known is false while that cannot be told.
func settled(ctx context.Context, s *seen, e history.Entry) (out apply.Outcome, known bool) {
	failed := func(why string) apply.Outcome {
		return apply.Outcome{Result: plan.Result{Status: plan.StatusFailed, Error: why}}
	}
	if e.Kind == plan.KindPrune {
		layer, n, _ := e.From.Split()
		l, listed := s.snapshot().Layer(layer)
		if _, live := l.Version(n); live || !listed {
			return failed("it was stopped before the version was deleted"), true
		}
		return apply.Outcome{Result: plan.Result{Status: plan.StatusApplied}}, true
	}
	// Not from the list: only this answer says whether the update has ended
	// well, and costs nothing of the shared quota.
	f, err := s.cloud.Function(ctx, e.Function)
	switch {
	case state.KindOf(err) == state.Gone:
		return failed("the function is gone"), true
	case err != nil || f.LastUpdateStatus == state.UpdateInProgress:
		return apply.Outcome{}, false
	case !slices.Equal(f.Layers, e.After):
		out = failed("it was stopped, and the function does not have what was meant")
	case f.LastUpdateStatus == state.UpdateFailed:
		out = failed("AWS could not finish the update: " + f.StatusReason)
	case e.Alias != "":
		var known bool
		if out, known = settledAlias(ctx, s, e); !known {
			return apply.Outcome{}, false
		}
	default:
		out.Status = plan.StatusApplied
	}
	out.List = append([]state.LayerVersionARN{}, f.Layers...)
	return out, true
}

// settledAlias reports whether callers got what a write without an end meant for
// them.
func settledAlias(ctx context.Context, s *seen, e history.Entry) (out apply.Outcome, known bool) {
	q := state.Qualified{Function: e.Function, Qualifier: e.Alias}
	served, err := s.cloud.Served(ctx, q)
	stopped := apply.Outcome{Result: plan.Result{Status: plan.StatusFailed, Error: "it was stopped before " + e.Alias + " served the new layers"}}
	switch {
	case state.KindOf(err) == state.Gone:
		return stopped, true
	case err != nil || served.State == state.StatePending:
		return apply.Outcome{}, false
	}
	if e.Canary && served.Version == e.AliasBefore {
		// The share of calls may have been given: whoever decides looks at the
		// alias, and gives it once more or goes back.
		a, err := s.cloud.Alias(ctx, q)
		if err != nil {
			return apply.Outcome{}, false
		}
		for version := range a.Weights {
			stopped.AliasAfter = version
		}
		if len(a.Weights) == 0 {
			return stopped, true
		}
		return apply.Outcome{Result: plan.Result{Status: plan.StatusApplied}, AliasAfter: stopped.AliasAfter}, true
	}
	if served.Version == e.AliasBefore && !strings.HasPrefix(e.Alias, "$") || !slices.Equal(served.Layers, e.After) && !back(e) {
		return stopped, true
	}
	return apply.Outcome{Result: plan.Result{Status: plan.StatusApplied}, AliasAfter: served.Version}, true
}

// back reports whether the write was to return something: what an alias then serves
// was there before.
func back(e history.Entry) bool { return e.Cause == plan.CauseRollback }

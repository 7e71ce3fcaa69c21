package round

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
		out, known := settled(ctx, seen, e, p.Now())
		if !known {
			continue
		}
		p.Cache.invalidate(e.Environment, e.Region)
		if err := p.keepAway(ctx, e, out.Result); err != nil {
			return err
		}
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
// nothing of it, or somebody else has been there since. Whoever made it was killed: that
// what was meant is not there is no failure, and is tried again as if it had never
// begun. known is false while that cannot be told.
func settled(ctx context.Context, s *seen, e history.Entry, now time.Time) (out apply.Outcome, known bool) {
	if e.Kind == plan.KindPublish {
		return settledPublish(ctx, s.cloud, e, now)
	}
	if e.Kind == plan.KindPrune {
		layer, n, _ := e.From.Split()
		l, listed := s.snapshot().Layer(layer)
		if _, live := l.Version(n); live || !listed {
			return notDone("layerd was stopped before the version was deleted"), true
		}
		return apply.Outcome{Result: plan.Result{Status: plan.StatusApplied}}, true
	}
	if e.Kind == plan.KindShare {
		return settledShare(ctx, s, e)
	}
	// Not from the list: only this answer says whether the update has ended
	// well, and costs nothing of the shared quota.
	f, err := s.cloud.Function(ctx, e.Function)
	switch {
	case state.KindOf(err) == state.Gone:
		return notDone("the function is gone"), true
	case err != nil || f.LastUpdateStatus == state.UpdateInProgress:
		return apply.Outcome{}, false
	}
	out, known = settledFunction(ctx, s, e, f)
	out.List = append([]state.LayerVersionARN{}, f.Layers...)
	return out, known
}

// publishInFlight is for how long after its intent a publish may still come to be that
// nobody waits for any more. An attempt ends with its own two minutes or, before, with the
// lease, of which a minute is left at most; it may have begun late, up to a minute after
// its record; and what AWS has received it works on for up to a minute. A version that
// shows after that would be a second one.
const publishInFlight = 5 * time.Minute

// settledPublish returns how a publish without an end ended: the version is there, or it
// is not and cannot come to be any more. known is false while that cannot be told.
func settledPublish(ctx context.Context, aws apply.Layers, e history.Entry, now time.Time) (out apply.Outcome, known bool) {
	found, err := apply.Find(ctx, aws, e.LayerARN, e.ToVersion, e.SHA256)
	switch {
	case err != nil:
		return apply.Outcome{}, false
	case found.Version != "":
		return apply.Outcome{Result: plan.Result{Status: plan.StatusApplied, Published: found.Version}}, true
	case found.Other != "":
		return apply.Outcome{Result: apply.OtherContent(found, e.Layer+" "+e.ToVersion, e.SHA256)}, true
	case now.Sub(e.Started) < publishInFlight:
		return apply.Outcome{}, false
	}
	return notDone("layerd was stopped before the version was published"), true
}

// settledFunction is settled for a function that is there, and that nobody is updating.
func settledFunction(ctx context.Context, s *seen, e history.Entry, f state.Function) (out apply.Outcome, known bool) {
	switch done, begun := written(e, f.Layers); {
	case !done && !begun:
		return notBegun(ctx, s, e, f)
	case !done:
		return changedSince(e, ""), true
	case f.LastUpdateStatus == state.UpdateFailed:
		return apply.Outcome{Result: plan.Result{Status: plan.StatusFailed, Error: "AWS could not finish the update: " + f.StatusReason}}, true
	case e.Alias != "":
		return settledAlias(ctx, s, e)
	}
	out.Status = plan.StatusApplied
	if !slices.Equal(f.Layers, e.After) {
		out.Error = "another writer changed other layers of the function meanwhile"
	}
	return out, true
}

// written reports whether a function has all of the layers that the write was to
// change as it was to leave them, and whether it has any of them not as they were.
// Those of others do not count: somebody may have changed them since.
func written(e history.Entry, now state.Layers) (done, begun bool) {
	before, after := state.Layers(e.Before), state.Layers(e.After)
	changes := before.Differ(after)
	if len(changes) == 0 {
		return true, false // it was to move an alias, or to change the order
	}
	done = true
	for _, layer := range changes {
		has := now.Of(layer)
		done, begun = done && has == after.Of(layer), begun || has != before.Of(layer)
	}
	return done, begun
}

// notBegun is what became of a write of which $LATEST shows nothing. Where an alias
// was to be moved it may have been, and somebody else have taken the layers back since.
func notBegun(ctx context.Context, s *seen, e history.Entry, f state.Function) (out apply.Outcome, known bool) {
	if e.Alias != "" {
		served, err := s.cloud.Served(ctx, state.Qualified{Function: e.Function, Qualifier: e.Alias})
		switch {
		case state.KindOf(err) == state.Gone:
		case err != nil || served.State == state.StatePending:
			return apply.Outcome{}, false
		case served.Version != e.AliasBefore:
			return changedSince(e, served.Version), true
		}
	}
	out = notDone("layerd was stopped before AWS had changed the function")
	if f.LastUpdateStatus == state.UpdateFailed {
		out.Error += "; its last update failed: " + f.StatusReason
	}
	return out, true
}

// notDone is the outcome of what was begun, and of which nothing was done.
func notDone(why string) apply.Outcome {
	return apply.Outcome{Interrupted: true, Result: plan.Result{Status: plan.StatusSkipped, Error: "interrupted, not done: " + why}}
}

// changedSince is the outcome where what there is came from somebody else. It is a
// failed one: a rollback has to look at the function.
func changedSince(e history.Entry, serves string) apply.Outcome {
	what := "the function"
	if serves != "" {
		what = e.Alias
	}
	return apply.Outcome{Interrupted: true, AliasAfter: serves, Result: plan.Result{
		Status: plan.StatusFailed, Error: "interrupted, and somebody else has changed " + what + " since: what layerd did is not known",
	}}
}

// settledAlias reports whether callers got what a write without an end meant for
// them. One whose layers are there and whose callers have the old ones counts as failed,
// so that a rollback takes the layers away again.
func settledAlias(ctx context.Context, s *seen, e history.Entry) (out apply.Outcome, known bool) {
	q := state.Qualified{Function: e.Function, Qualifier: e.Alias}
	served, err := s.cloud.Served(ctx, q)
	stopped := apply.Outcome{Interrupted: true, Result: plan.Result{
		Status: plan.StatusFailed, Error: "interrupted: layerd was stopped before " + e.Alias + " served the new layers",
	}}
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

package apply

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// serveStep returns the step that lets callers have what the others change, or
// nil.
func serveStep(steps []plan.Step) *plan.Step {
	for i := range steps {
		if steps[i].Kind == plan.KindServe {
			return &steps[i]
		}
	}
	return nil
}

// serve publishes $LATEST, which has the list that was meant, and lets callers
// have it. What is done twice after a lost answer does no harm: AWS returns the
// same version again, and an alias that is there already is left alone.
func (j *job) serve(ctx, finishing context.Context, fn state.Function, step *plan.Step, out Outcome) (Outcome, error) {
	s := step.Serving
	if what := s.Unreleased(fn); what != "" {
		out.Result = failed("another writer changed %s meanwhile, which is not released", what)
		return out, nil
	}
	q := state.Qualified{Function: j.name, Qualifier: s.Qualifier}
	version, id, err := j.cloud.Publish(finishing, q, fn.CodeSHA256, fn.RevisionID)
	if err != nil {
		return j.handleServeError(ctx, out, err)
	}
	j.requestID, j.revision = id, ""
	j.release() // what follows are minutes of waiting, and one call
	fresh, err := j.cloud.WaitActive(finishing, state.Qualified{Function: j.name, Qualifier: version})
	switch {
	case err != nil:
		return j.handleServeError(ctx, out, err)
	case fresh.State == state.StateFailed:
		out.Result = failed("version %s, with the new layers, does not start: %s", version, orUntold(fresh.Reason))
		out.Unwell = true
		return out, nil
	case !slices.Equal(fresh.Layers, fn.Layers):
		out.Result = failed("version %s has other layers than were meant: another writer published it", version)
		return out, nil
	}
	out.AliasAfter = version
	if s.Qualifier == state.LatestPublished {
		return out, nil
	}
	primary, weights := version, map[string]float64(nil)
	if s.Weight > 0 && version != s.Served.Version {
		primary, weights = s.Served.Version, map[string]float64{version: s.Weight}
	}
	return j.move(ctx, finishing, step, primary, weights, out)
}

// repoint moves an alias to a version that exists, and touches nothing
// else of the function.
func (j *job) repoint(ctx, finishing context.Context) plan.Result {
	step := &j.steps[0]
	s := step.Serving
	list := append([]state.LayerVersionARN{}, step.List...)
	if err := j.openRecord(finishing, intent(j.steps, step, list, list, "")); err != nil {
		return unrecorded(err)
	}
	wait := newBackOff()
	var out Outcome
	for try := range maxTries {
		if try > 0 {
			pause(finishing, wait.NextBackOff())
		}
		// The list was not looked at, so nothing is said about it.
		var err error
		if out, err = j.move(ctx, finishing, step, s.Version, nil, Outcome{AliasAfter: s.Version}); err == nil {
			return j.closeRecord(finishing, out)
		}
		out.Result = givenUp(err)
		if closed := j.cloud.whyClosed(); closed != nil {
			out.Result = j.leftOff(closed)
			break
		}
		if try == maxTries-1 {
			j.cloud.gaveUp(j.name, err)
		}
	}
	return j.closeRecord(finishing, out)
}

// move points the alias, waits for its provisioned concurrency, and looks
// whether callers get what was meant. out has the AliasAfter that this leads to;
// what is returned has it only once the alias was moved.
func (j *job) move(ctx, finishing context.Context, step *plan.Step, primary string, weights map[string]float64, out Outcome) (Outcome, error) {
	s := step.Serving
	meant := out.AliasAfter
	out.AliasAfter = j.movedTo
	q := state.Qualified{Function: j.name, Qualifier: s.Qualifier}
	revision := s.Alias.RevisionID
	for {
		id, err := "", error(nil)
		if revision != "" {
			id, err = j.cloud.MoveAlias(finishing, q, primary, weights, revision)
		}
		if revision != "" && err == nil {
			j.requestID = id
			break
		}
		kind := state.KindOf(err)
		if err != nil && kind != state.LookAgain {
			j.moving = j.moving || kind == state.Unsure || kind == state.Stopped
			return j.handleServeError(ctx, out, err)
		}
		// Its revision is not known, or not what it was: by our own move whose
		// answer was lost, by a new description, or by somebody else's move.
		a, readErr := j.cloud.Alias(finishing, q)
		switch {
		case readErr != nil:
			return j.handleServeError(ctx, out, readErr)
		case a.Version == primary && maps.Equal(a.Weights, weights):
		case a.Version != s.Served.Version:
			j.moving = false
			out.Result = failed("another writer moved %s to version %s meanwhile", s.Qualifier, a.Version)
			return out, nil
		case !maps.Equal(a.Weights, s.Alias.Weights):
			j.moving = false
			out.Result = failed("another writer changed the weights of %s meanwhile", s.Qualifier)
			return out, nil
		case a.RevisionID == revision:
			return j.handleServeError(ctx, out, err) // not its revision: it is refused for something that passes
		default:
			revision = a.RevisionID
			continue
		}
		break
	}
	j.moving = false
	j.release()
	j.movedTo, out.AliasAfter = meant, meant
	if s.Alias.Provisioned && len(weights) == 0 {
		if err := j.cloud.WaitProvisioned(finishing, q); err != nil {
			out.Result = failed("%s serves version %s, and its provisioned concurrency is not ready: %s", s.Qualifier, primary, err)
			return out, nil
		}
	}
	served, err := j.cloud.Served(finishing, q)
	if err != nil {
		return j.handleServeError(ctx, out, err)
	}
	if served.Version != primary {
		out.Result = failed("another writer moved %s to version %s meanwhile", s.Qualifier, served.Version)
		return out, nil
	}
	out.Result = plan.Result{Status: plan.StatusApplied, RequestID: j.requestID}
	return out, nil
}

// handleServeError is sortError for what comes after the list was changed: that
// it was is not forgotten, and it is no end that nothing was done.
func (j *job) handleServeError(ctx context.Context, known Outcome, err error) (Outcome, error) {
	kind := state.KindOf(err)
	out, again := j.handleError(ctx, err)
	known.AliasAfter = cmp.Or(known.AliasAfter, j.movedTo)
	if again != nil {
		return known, again
	}
	switch {
	case kind == state.Gone:
		out.Result = failed("what callers use is gone: %s", err)
	case kind == state.Stopped && ctx.Err() != nil:
		out.Result = stoppedHalfWay()
	}
	known.Result = out.Result
	return known, nil
}

func orUntold(reason string) string {
	if reason == "" {
		return "AWS gives no reason"
	}
	return reason
}

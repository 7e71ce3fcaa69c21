package apply

import (
	"context"
	"maps"
	"slices"

	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

// ownInstances is what functions on instances of the account run. There is
// nothing to point at it: publishing renews it.
const ownInstances = "$LATEST.PUBLISHED"

// serveIn gives the step that lets callers have what the others change, or nil.
func serveIn(steps []reconcile.Step) *reconcile.Step {
	for i := range steps {
		if steps[i].Kind == reconcile.Serve {
			return &steps[i]
		}
	}
	return nil
}

// pointsBack says that the step only points an alias at a version that exists.
func pointsBack(s reconcile.Step) bool {
	return s.Kind == reconcile.Serve && s.Serving.Version != ""
}

// serve publishes $LATEST, which has the list that was meant, and lets callers
// have it. What is done twice after a lost answer does no harm: AWS gives the
// same version again, and an alias that is there already is left alone.
func (j *job) serve(ctx, hand context.Context, fn state.Function, step *reconcile.Step, out Outcome) (Outcome, error) {
	s := step.Serving
	if what := s.Unreleased(fn); what != "" {
		out.Result = failed("another writer changed %s meanwhile, which is not released", what)
		return out, nil
	}
	q := state.Qualified{Function: j.name, Qualifier: s.Qualifier}
	version, id, err := j.cloud.Publish(hand, q, fn.CodeSHA256, fn.RevisionID)
	if err != nil {
		return j.sortServe(ctx, out, err)
	}
	j.requestID = id
	fresh, err := j.cloud.WaitActive(hand, state.Qualified{Function: j.name, Qualifier: version})
	switch {
	case err != nil:
		return j.sortServe(ctx, out, err)
	case fresh.State == "Failed":
		out.Result = failed("version %s, with the new layers, does not start: %s", version, orUntold(fresh.Reason))
		out.Unwell = true
		return out, nil
	case !slices.Equal(fresh.Layers, fn.Layers):
		out.Result = failed("version %s has other layers than were meant: another writer published it", version)
		return out, nil
	}
	out.AliasAfter = version
	if s.Qualifier == ownInstances {
		return out, nil
	}
	primary, weights := version, map[string]float64(nil)
	if s.Weight > 0 && version != s.Served.Version {
		primary, weights = s.Served.Version, map[string]float64{version: s.Weight}
	}
	return j.move(ctx, hand, step, primary, weights, out)
}

// point moves an alias back to a version that is there, and touches nothing
// else of the function.
func (j *job) point(ctx, hand context.Context) reconcile.Result {
	step := &j.steps[0]
	s := step.Serving
	list := append([]state.LayerVersionARN{}, step.List...)
	if err := j.open(hand, intent(j.steps, step, list, list)); err != nil {
		return failed("nothing was changed: %s", err)
	}
	wait := newBackOff()
	res := failed("given up after %d tries", tries)
	for try := range tries {
		if try > 0 {
			pause(hand, wait.NextBackOff())
		}
		out, err := j.move(ctx, hand, step, s.Version, nil, Outcome{List: list, AliasAfter: s.Version})
		if err == nil {
			return j.end(hand, out)
		}
		res = failed("given up after %d tries: %s", tries, err)
	}
	return j.end(hand, Outcome{Result: res, List: list})
}

// move points the alias, waits for its provisioned concurrency, and looks
// whether callers get what was meant.
func (j *job) move(ctx, hand context.Context, step *reconcile.Step, primary string, weights map[string]float64, out Outcome) (Outcome, error) {
	s := step.Serving
	q := state.Qualified{Function: j.name, Qualifier: s.Qualifier}
	revision := s.Alias.RevisionID
	for {
		id, err := "", error(nil)
		if revision != "" {
			id, err = j.cloud.MoveAlias(hand, q, primary, weights, revision)
		}
		if revision != "" && err == nil {
			j.requestID, j.sent = id, false
			break
		}
		if kind := state.KindOf(err); err != nil && kind != state.LookAgain {
			j.sent = j.sent || kind == state.Unsure || kind == state.Stopped
			return j.sortServe(ctx, out, err)
		}
		// Its revision is not known, or not what it was: by our own move whose
		// answer was lost, by a new description, or by somebody else's move.
		a, err := j.cloud.Alias(hand, q)
		switch {
		case err != nil:
			return j.sortServe(ctx, out, err)
		case a.Version == primary && maps.Equal(a.Weights, weights):
			j.sent = false
		case a.Version == s.Served.Version && maps.Equal(a.Weights, s.Alias.Weights) && a.RevisionID != revision:
			revision = a.RevisionID
			continue
		default:
			j.sent = false
			out.AliasAfter = ""
			out.Result = failed("another writer moved %s to version %s meanwhile", s.Qualifier, a.Version)
			return out, nil
		}
		break
	}
	if s.Alias.Provisioned && len(weights) == 0 {
		if err := j.cloud.WaitProvisioned(hand, q); err != nil {
			out.Result = failed("%s serves version %s, and its provisioned concurrency is not ready: %s", s.Qualifier, primary, err)
			return out, nil
		}
	}
	served, err := j.cloud.Served(hand, q)
	if err != nil {
		return j.sortServe(ctx, out, err)
	}
	if served.Version != primary {
		out.Result = failed("another writer moved %s to version %s meanwhile", s.Qualifier, served.Version)
		return out, nil
	}
	out.Result = reconcile.Result{Status: reconcile.Applied, RequestID: j.requestID}
	return out, nil
}

// sortServe is sortError for what comes after the list was changed: an end
// keeps what is known of the list.
func (j *job) sortServe(ctx context.Context, known Outcome, err error) (Outcome, error) {
	out, err := j.sortError(ctx, err)
	out.List = known.List
	return out, err
}

func orUntold(reason string) string {
	if reason == "" {
		return "AWS gives no reason"
	}
	return reason
}

package apply

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// sweepMaxAge is how old the sweep of uses may be when something is deleted
// (DESIGN section 2, retention), counted from its beginning: what it read
// first is that old. AWS deletes what is in use without a word, and what was
// deleted can never be had again under its number.
const sweepMaxAge = 5 * time.Minute

// sweeper keeps the last sweep of uses, for several prunes in a row.
type sweeper struct {
	users map[state.LayerVersionARN]string
	began time.Time
	err   error // the sweep failed: it is not made again in this round
}

// pruneAll deletes one version after another; index are places in plan.Steps.
func (r *run) pruneAll(ctx context.Context, index []int) {
	bad := r.failedLayers()
	sweep := &sweeper{}
	for _, i := range index {
		s := &r.plan.Steps[i]
		switch {
		case bad[s.LayerARN] != "":
			s.Result = new(skipped("kept, because %s failed", bad[s.LayerARN]))
		case r.mayStart(ctx, []int{i}):
			s.Result = new(r.prune(ctx, *s, sweep))
		}
		r.report(s.ID, s.Result.Status)
	}
}

// failedLayers names a failed step of each layer that has one.
func (r *run) failedLayers() map[state.LayerARN]string {
	bad := map[state.LayerARN]string{}
	for _, s := range r.plan.Steps {
		if s.Kind != plan.KindPrune && s.Result != nil && s.Result.Status == plan.StatusFailed {
			bad[s.LayerARN] = s.ID
		}
	}
	return bad
}

func (r *run) prune(ctx context.Context, s plan.Step, sweep *sweeper) (res plan.Result) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.ErrorContext(ctx, "panic while pruning", "step", s.ID, "panic", p, "stack", string(debug.Stack()))
			res = failed("panic: %v", p)
		}
	}()
	finishing, cancel := finishingContext(ctx)
	defer cancel()
	if res, ok := r.unused(ctx, s, sweep); !ok {
		return res
	}
	id, err := r.begin(finishing, Intent{Steps: []plan.Step{s}})
	if err != nil {
		return failed("nothing was pruned: %s", err)
	}
	res, known := r.delete(ctx, finishing, s, sweep)
	if !known {
		res.Error += "; it may have happened, and the next round settles the record"
	} else if err := r.finish(finishing, id, Outcome{Result: res}); err != nil {
		res.Error = err.Error()
	}
	r.Log.InfoContext(ctx, "prune is done", "step", s.ID, "status", res.Status, "err", res.Error, "request_id", res.RequestID)
	return res
}

// delete deletes the version, again when AWS was busy. Deleting twice is
// harmless, but its use is checked anew each time. known is false when nobody
// can tell whether it was deleted.
func (r *run) delete(ctx, finishing context.Context, s plan.Step, sweep *sweeper) (res plan.Result, known bool) {
	wait := newBackOff()
	known = true
	for try := range maxTries {
		if try > 0 {
			pause(ctx, wait.NextBackOff())
			if res, ok := r.unused(ctx, s, sweep); !ok {
				return res, known
			}
		}
		id, err := r.cloud.DeleteLayerVersion(finishing, s.From)
		kind := state.KindOf(err)
		if err == nil || kind == state.Gone {
			return plan.Result{Status: plan.StatusApplied, RequestID: id}, true
		}
		if closed, ok := errors.AsType[*ClosedError](err); ok {
			return notTried(closed), known
		}
		res = failed("%s", err)
		res.Shared = closes(err)
		if e, ok := errors.AsType[*state.Error](err); ok {
			res.RequestID = e.RequestID
		}
		known = known && kind != state.Unsure && kind != state.Stopped
		if kind == state.Human || kind == state.Stopped || kind == state.Barred {
			return res, known
		}
	}
	return res, known
}

// unused reports whether a sweep that is young enough shows nobody using the
// version; otherwise how the step ends.
func (r *run) unused(ctx context.Context, s plan.Step, sweep *sweeper) (plan.Result, bool) {
	if ctx.Err() != nil {
		r.noteStopped()
		return skipped("stopped before it was pruned"), false
	}
	if sweep.err == nil && (sweep.users == nil || time.Since(sweep.began) >= sweepMaxAge) {
		sweep.began = time.Now()
		sweep.users, sweep.err = r.cloud.Users(ctx)
		if sweep.err == nil && sweep.users == nil {
			sweep.users = map[state.LayerVersionARN]string{}
		}
		if took := time.Since(sweep.began); sweep.err == nil && took >= sweepMaxAge {
			sweep.err = fmt.Errorf("it took %s, and a delete may rely on it for %s only", took.Round(time.Second), sweepMaxAge)
		}
	}
	if sweep.err != nil {
		if closes(sweep.err) {
			return notTried(sweep.err), false
		}
		if state.KindOf(sweep.err) == state.Stopped {
			r.noteStopped()
			return skipped("stopped before it was pruned"), false
		}
		return failed("kept, because who uses it could not be read: %s", sweep.err), false
	}
	if user, used := sweep.users[s.From]; used {
		return skipped("kept, because it is used by %s", user), false
	}
	return plan.Result{}, true
}

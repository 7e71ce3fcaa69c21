package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// alike is grants of which AWS refuses all when it refuses one. The zero layer and Sid
// stand for all of them: a right is one of the account, and hundreds of grants would be
// denied as well.
type alike struct {
	granting bool // and not taking back
	layer    state.LayerARN
	sid      string
}

// shareAll makes and takes back one grant after another, in the order of the plan: what
// is taken back stands before what is granted in its place. index are places in
// plan.Steps.
func (r *run) shareAll(ctx context.Context, index []int) {
	refused := map[alike]string{} // the step at which AWS refused them
	for _, i := range index {
		s := &r.plan.Steps[i]
		all := alike{granting: s.To != ""}
		same := alike{all.granting, s.LayerARN, s.Sharing.Sid}
		if r.Leave != nil {
			s.Result = r.Leave(*s)
		}
		switch first := cmp.Or(refused[all], refused[same]); {
		case s.Result != nil: // it was refused a short while ago
		case first != "":
			s.Result = new(skipped("not tried, since AWS refused %s", first))
			s.Result.Untried = true
		case r.mayStart(ctx, []int{i}):
			var denied bool
			if s.Result, denied = r.share(ctx, *s); denied {
				refused[all] = s.ID
			}
			if s.Result.Alike {
				refused[same] = s.ID
			}
		}
		r.report(s.ID, s.Result.Status)
	}
}

// share makes or takes back one grant. denied reports that AWS did not allow it.
func (r *run) share(ctx context.Context, s plan.Step) (res *plan.Result, denied bool) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.ErrorContext(ctx, "panic while sharing", "step", s.ID, "panic", p, "stack", string(debug.Stack()))
			res, denied = new(failed("panic: %v", p)), false
		}
	}()
	finishing, cancel := finishingContext(ctx)
	defer cancel()
	id, err := r.begin(finishing, Intent{Steps: []plan.Step{s}})
	if err != nil {
		return new(failed("nothing was shared: %s", err)), false
	}
	do := r.grant
	if s.To == "" {
		do = r.revoke
	}
	out, known, denied := r.persist(ctx, finishing, s, do)
	if !known {
		out.Error += "; it may have happened, and the next round settles the record"
	} else if err := r.finish(finishing, id, Outcome{Result: out}); err != nil {
		out.Error = err.Error()
	}
	r.Log.InfoContext(ctx, "share is done", "step", s.ID, "status", out.Status, "err", out.Error, "request_id", out.RequestID)
	return &out, denied
}

// persist tries until a grant is as it is meant to be, somebody else has made it
// something else, or AWS says no. Both ways are harmless when they are tried twice.
// known is false when nobody can tell whether it happened.
func (r *run) persist(ctx, finishing context.Context, s plan.Step, do func(context.Context, plan.Step) (plan.Result, error)) (res plan.Result, known, denied bool) {
	wait := newBackOff()
	known = true
	for try := range maxTries {
		if try > 0 {
			pause(ctx, wait.NextBackOff())
			if ctx.Err() != nil {
				r.noteStopped()
				return res, known, false
			}
		}
		done, err := do(finishing, s)
		if err == nil {
			return done, true, false
		}
		if closed, ok := errors.AsType[*ClosedError](err); ok {
			return notTried(closed), known, false
		}
		kind := state.KindOf(err)
		res = failed("%s", err)
		res.Shared = closes(err)
		if e, ok := errors.AsType[*state.Error](err); ok {
			res.RequestID, denied = e.RequestID, state.Denied(e.Code)
			res.Alike = denied || state.OfParameters(e.Code)
		}
		known = known && kind != state.Unsure && kind != state.Stopped
		if kind == state.Human || kind == state.Stopped || kind == state.Barred || kind == state.Gone {
			return res, known, denied
		}
	}
	return res, known, false
}

// grant adds the statement. That there is one with its Sid shows whether a write whose
// answer was lost was done, too.
func (r *run) grant(ctx context.Context, s plan.Step) (plan.Result, error) {
	want := state.Grant(*s.Sharing)
	id, err := r.cloud.GrantLayer(ctx, s.To, want)
	if state.KindOf(err) == state.Gone {
		return skipped("the version is gone"), nil
	}
	if kind := state.KindOf(err); err == nil || kind != state.LookAgain && kind != state.Unsure {
		return plan.Result{Status: plan.StatusApplied, RequestID: id}, err
	}
	policy, lookErr := r.cloud.LayerPolicy(ctx, s.To)
	if lookErr != nil {
		return plan.Result{}, err
	}
	switch have, there := policy.Grant(want.Sid); {
	case !there:
		return plan.Result{}, again(err)
	case have != want:
		return failed("statement %s is there already, and shares the version with %s: it was not made by this plan, and the next round decides about it", want.Sid, have.Whom()), nil
	}
	return plan.Result{Status: plan.StatusApplied, RequestID: requestOf(err)}, nil
}

// revoke takes the statement out as long as it is the one that the plan is about.
func (r *run) revoke(ctx context.Context, s plan.Step) (plan.Result, error) {
	unwanted := state.Grant(*s.Sharing)
	policy, err := r.cloud.LayerPolicy(ctx, s.From)
	if state.KindOf(err) == state.Gone { // and its policy with it
		return plan.Result{Status: plan.StatusApplied}, nil
	}
	if err != nil {
		return plan.Result{}, err
	}
	switch have, there := policy.Grant(unwanted.Sid); {
	case !there:
		return plan.Result{Status: plan.StatusApplied}, nil
	case have != unwanted:
		return skipped("statement %s shares the version with %s now: the next round decides about it", unwanted.Sid, have.Whom()), nil
	}
	id, err := r.cloud.RevokeLayer(ctx, s.From, unwanted.Sid, policy.Revision)
	if state.KindOf(err) == state.Gone {
		return plan.Result{Status: plan.StatusApplied}, nil
	}
	return plan.Result{Status: plan.StatusApplied, RequestID: id}, err
}

// again returns a write as one of which it is known that it was not done.
func again(err error) error {
	e, ok := errors.AsType[*state.Error](err)
	if !ok {
		return err
	}
	known := *e
	known.Kind, known.Message = state.Again, fmt.Sprintf("%s (and it was not done)", e.Message)
	return &known
}

func requestOf(err error) string {
	if e, ok := errors.AsType[*state.Error](err); ok {
		return e.RequestID
	}
	return ""
}

package round

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// The codes of a failure that only a round branches on, see plan.CodeRefused.
const (
	codeStore       = "store_failed"
	codeInterrupted = "interrupted" // it was told to stop
	codeLeaseLost   = "lease_lost"  // it may not go on
)

// interrupted returns the failure of what was cut short by the end of ctx; nil
// while ctx lasts. Whatever error that came back as, neither AWS nor the store has
// failed.
func interrupted(ctx context.Context) *plan.Failure {
	if ctx.Err() == nil {
		return nil
	}
	if cause := context.Cause(ctx); errors.Is(cause, lease.ErrLost) {
		return lost(cause)
	}
	return &plan.Failure{Code: codeInterrupted, Message: "interrupted before everything was done", Retryable: true}
}

// CutShort reports whether a plan is unfinished because the round was told to stop
// or lost its lease: that is not how the environment is.
func CutShort(planned plan.Plan) bool {
	return slices.ContainsFunc(planned.Regions, func(r plan.Region) bool {
		return r.Failure != nil && (r.Failure.Code == codeInterrupted || r.Failure.Code == codeLeaseLost)
	})
}

// lost is the failure of an environment whose account is somebody else's to change
// by now, or whose store was replaced.
func lost(err error) *plan.Failure {
	if errors.Is(err, store.ErrReplaced) {
		return &plan.Failure{Code: codeStore, Message: err.Error()}
	}
	return &plan.Failure{Code: codeLeaseLost, Message: err.Error(), Retryable: true}
}

// awsFailure sorts an error of AWS into what the reader can do about it.
func awsFailure(ctx context.Context, err error) *plan.Failure {
	if elsewhere := state.Elsewhere(err); elsewhere != nil {
		return &plan.Failure{Code: plan.CodeWrongAccount, Message: elsewhere.Error()}
	}
	if cut := interrupted(ctx); cut != nil {
		return cut
	}
	if errors.Is(err, lease.ErrLost) {
		return lost(err)
	}
	switch state.KindOf(err) {
	case state.Again, state.Stopped, state.Unsure:
		return &plan.Failure{Code: "aws_unreachable", Message: err.Error(), Retryable: true}
	default:
		return &plan.Failure{Code: plan.CodeRefused, Message: err.Error()}
	}
}

// closedFailure is awsFailure for what closed a round while it was carried out. A
// right that is missing for a write is not missing for all that is asked.
func closedFailure(ctx context.Context, err error) *plan.Failure {
	failure := awsFailure(ctx, err)
	if failure.Code == plan.CodeRefused && state.KindOf(err) != state.Barred {
		failure.Code = plan.CodeDenied
	}
	return failure
}

// storeFailure is why an environment was left alone whose past or rulings could
// not be read or written.
func storeFailure(ctx context.Context, err error) *plan.Failure {
	if cut := interrupted(ctx); cut != nil {
		return cut
	}
	if errors.Is(err, lease.ErrLost) {
		return lost(err)
	}
	return &plan.Failure{Code: codeStore, Message: err.Error(), Retryable: errors.Is(err, store.ErrBusy)}
}

// leaseFailure is why an account was left alone.
func leaseFailure(ctx context.Context, err error) *plan.Failure {
	if held, ok := errors.AsType[*lease.HeldError](err); ok {
		return &plan.Failure{Code: "lease_held", Message: held.Error(), Retryable: true}
	}
	return storeFailure(ctx, err)
}

// panicked is the failure of what ended in a panic: its environment's alone.
func panicked(p any) *plan.Failure {
	return &plan.Failure{Code: "internal", Message: fmt.Sprintf("a mistake in layerd (panic): %v", p)}
}

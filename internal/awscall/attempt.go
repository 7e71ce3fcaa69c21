package awscall

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
	smithytime "github.com/aws/smithy-go/time"
)

// Retryer returns what decides whether and when an attempt is repeated: eight
// attempts, unless change says otherwise. It is set explicitly, since the SDK's
// own default changed with its core module and depends on which one the build
// selects.
func Retryer(change ...func(*retry.StandardOptions)) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 8
		o.MaxBackoff = 20 * time.Second
		for _, f := range change {
			f(o)
		}
	})
}

// Careful is a change of the Retryer for calls that may not be done twice: it
// repeats only what surely was not done. A repeated UpdateFunctionConfiguration
// would answer 412 to its own success.
func Careful(o *retry.StandardOptions) {
	o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(notLost)}, o.Retryables...)
}

func notLost(err error) aws.Ternary {
	if Lost(err) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// Finalize is asked once for each HTTP attempt of a call, before it is signed.
type Finalize = func(context.Context, middleware.FinalizeInput, middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
)

// BeforeAttempt is an option of a client that puts f right behind "Retry": the
// last one that is added is asked first.
func BeforeAttempt(id string, f Finalize) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc(id, f), "Retry", middleware.After)
	}
}

// deadlineID names the deadline of an attempt in the stack of a call.
const deadlineID = "LayerdDeadline"

// Unbounded is an option of a client, or of one call, that takes the deadline of
// its attempts away: a function may run for 15 minutes.
func Unbounded(s *middleware.Stack) error {
	_, err := s.Finalize.Remove(deadlineID)
	return err
}

// Within is an option of one call whose attempts have another deadline than the
// client's: what carries megabytes takes longer.
func Within(after time.Duration) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		_, err := s.Finalize.Swap(deadlineID, middleware.FinalizeMiddlewareFunc(deadlineID, deadline(after)))
		return err
	}
}

func deadline(after time.Duration) Finalize {
	return func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		attempt, cancel := context.WithTimeout(ctx, after)
		defer cancel()
		out, meta, err := next.HandleFinalize(attempt, in)
		if err != nil && attempt.Err() != nil && ctx.Err() == nil {
			err = ownTimeout(err, after)
		}
		return out, meta, err
	}
}

func ownTimeout(err error, after time.Duration) error {
	if Lost(err) {
		return &lostError{&timeoutError{after}}
	}
	return &timeoutError{after}
}

// Sleep waits for d or the end of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	return smithytime.SleepWithContext(ctx, d)
}

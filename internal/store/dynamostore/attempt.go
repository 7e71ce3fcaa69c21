package dynamostore

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// newRetryer waits some eight seconds for a table that throttles and two for
// one that fails. A caller who has less time says so with its context.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 6
		o.MaxBackoff = 5 * time.Second
		o.BaseDelay = 100 * time.Millisecond
		o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{
			"TransactionConflictException":     {}, // somebody's console has the item
			"ReplicatedWriteConflictException": {}, // another Region of the table has it
		}})
	})
}

// timeoutError is our own deadline for one attempt. It hides the SDK's
// CanceledError, which would stop the retries.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string   { return "no answer within " + e.after.String() }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }

// perAttempt puts the deadline behind "Retry", where it runs once per HTTP
// attempt.
func (s *Store) perAttempt() []func(*middleware.Stack) error {
	return []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("LayerdDeadline", s.withDeadline), "Retry", middleware.After)
	}}
}

func (s *Store) withDeadline(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	attempt, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	out, meta, err := next.HandleFinalize(attempt, in)
	if err != nil && ctx.Err() == nil && errors.Is(attempt.Err(), context.DeadlineExceeded) {
		err = &timeoutError{s.timeout}
	}
	return out, meta, err
}

// watch sets *unsure when an attempt of the call ends in a way that leaves open
// whether it was done. It stays set whatever the next attempts say.
func watch(unsure *bool) func(*dynamodb.Options) {
	note := func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		middleware.DeserializeOutput, middleware.Metadata, error,
	) {
		out, meta, err := next.HandleDeserialize(ctx, in)
		if err != nil && !refused(err) && !neverSent(err) {
			*unsure = true
		}
		return out, meta, err
	}
	return func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("LayerdWatch", note), middleware.Before)
		})
	}
}

// refused: the answer proves that nothing was done. A 500 does not, and
// neither does a 200 that cannot be read.
func refused(err error) bool {
	status := statusOf(err)
	return status >= 400 && status < 500
}

func neverSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// statusOf gives the HTTP status of an answer that was an error, or 0.
func statusOf(err error) int {
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && r.Response != nil && r.Response.Response != nil {
		return r.HTTPStatusCode()
	}
	return 0
}

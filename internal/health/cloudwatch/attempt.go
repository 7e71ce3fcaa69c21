package cloudwatch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// lostError marks a failure after which nobody knows whether AWS did what was
// asked: the request was on its way and no answer came, or the answer was one
// that proves nothing.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

func lost(err error) bool {
	_, ok := errors.AsType[*lostError](err)
	return ok
}

// timeoutError is our own deadline for one attempt. It hides the SDK's
// CanceledError, which would stop the retries of a read.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string   { return "no answer within " + e.after.String() }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }

func timedOut(err error) bool {
	_, ok := errors.AsType[*timeoutError](err)
	return ok
}

// newRetryer is set explicitly, since the SDK's own default changed with its
// core module and depends on which one the build selects.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 8
		o.MaxBackoff = 20 * time.Second
	})
}

// attempts returns what every client of ours puts into its stack: pace and
// deadline after "Retry", where they run once per HTTP attempt and before
// signing, and the mark for lost answers around everything that touches the
// wire.
func (c *Client) attempts() []func(*middleware.Stack) error {
	return []func(*middleware.Stack) error{
		func(s *middleware.Stack) error {
			return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("LayerdAttempt", c.attempt), "Retry", middleware.After)
		},
		func(s *middleware.Stack) error {
			return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("LayerdLost", markLost), middleware.Before)
		},
	}
}

func (c *Client) attempt(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	switch awsmiddleware.GetOperationName(ctx) {
	case "Invoke":
		return next.HandleFinalize(ctx, in)
	case "DescribeAlarms":
		if err := c.alarms.Wait(ctx); err != nil {
			if ctx.Err() == nil {
				// The limiter sees that the deadline would pass before our turn.
				err = context.DeadlineExceeded
			}
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
	}
	limit, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, meta, err := next.HandleFinalize(limit, in)
	if err != nil && limit.Err() != nil && ctx.Err() == nil {
		err = &timeoutError{c.timeout}
	}
	return out, meta, err
}

// markLost wraps what fails after the request was handed to the transport,
// unless the answer proves that nothing was done: a status in the 400s, or no
// connection at all. A 200 that cannot be read was done.
func markLost(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	out, meta, err := next.HandleDeserialize(ctx, in)
	if err == nil {
		return out, meta, nil
	}
	if status := statusOf(err); status >= 400 && status < 500 || neverSent(err) {
		return out, meta, err
	}
	return out, meta, &lostError{err}
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

func throttled(err error) bool {
	return statusOf(err) == http.StatusTooManyRequests ||
		retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}

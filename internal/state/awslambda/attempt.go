package awslambda

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
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

// unsentError says why an attempt was not made although its turn had come.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return "not sent: " + e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

// newRetryer is set explicitly, since the SDK's own default changed with its
// core module and depends on which one the build selects.
func newRetryer(more ...retry.IsErrorRetryable) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 8
		o.MaxBackoff = 20 * time.Second
		o.Retryables = append(more, o.Retryables...)
	})
}

// notLost refuses to repeat what may have been done: a repeated
// UpdateFunctionConfiguration would answer 412 to its own success.
func notLost(err error) aws.Ternary {
	if lost(err) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// attempts returns what every client of ours puts into its stack: the limiter
// after "Retry", where it runs once per HTTP attempt and before signing, and
// the mark for lost answers around everything that touches the wire.
func (c *Client) attempts() []func(*middleware.Stack) error {
	return []func(*middleware.Stack) error{
		func(s *middleware.Stack) error {
			return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc(limitID, c.limitWhile(nil)), "Retry", middleware.After)
		},
		func(s *middleware.Stack) error {
			return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("LayerdLost", markLost), middleware.Before)
		},
	}
}

// limitID names the limiter in the stack of a call.
const limitID = "LayerdLimit"

type finalize = func(context.Context, middleware.FinalizeInput, middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error)

// limitWhile returns the limiter for calls that ask check, if it is not nil, once
// they were let through.
func (c *Client) limitWhile(check func() error) finalize {
	return func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		return c.limit(ctx, in, next, check)
	}
}

func (c *Client) limit(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler, check func() error) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	op := awsmiddleware.GetOperationName(ctx)
	b := c.limits.bucket(op)
	asked := time.Now()
	if err := b.wait(ctx); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, err
	}
	if check != nil {
		if err := check(); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, &unsentError{err}
		}
	}
	began := time.Now()
	for _, m := range []*meter{c.meter, c.limits.meter} {
		m.called(op, began.Sub(asked))
	}

	attempt, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, meta, err := next.HandleFinalize(attempt, in)
	switch {
	case err == nil:
		b.succeeded()
	case attempt.Err() != nil && ctx.Err() == nil:
		err = ownTimeout(err, c.timeout)
	case throttled(err):
		b.throttled(began, retryAfter(err))
		c.meter.throttled()
		c.limits.meter.throttled()
		c.log.WarnContext(ctx, "throttled by aws", "op", op, "requests_per_second", b.rate(), "retry_after", retryAfter(err))
	}
	return out, meta, err
}

func ownTimeout(err error, after time.Duration) error {
	if lost(err) {
		return &lostError{&timeoutError{after}}
	}
	return &timeoutError{after}
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
	if _, ok := errors.AsType[*unsentError](err); ok {
		return true
	}
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

// retryAfter reads the standard header, in seconds or as a date, which Lambda
// sends and the SDK ignores. 0 when there is none.
func retryAfter(err error) time.Duration {
	r, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || r.Response == nil || r.Response.Response == nil {
		return 0
	}
	v := r.Response.Header.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(max(0, min(n, int(longestPause.Seconds())))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}

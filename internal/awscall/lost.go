package awscall

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
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

// Lost reports whether AWS may have done what was asked although the call failed.
func Lost(err error) bool {
	_, ok := errors.AsType[*lostError](err)
	return ok
}

// addMarkLost puts the mark around everything that touches the wire.
func addMarkLost(s *middleware.Stack) error {
	return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("LayerdLost", markLost), middleware.Before)
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
	if status := StatusOf(err); status >= 400 && status < 500 || NeverSent(err) {
		return out, meta, err
	}
	return out, meta, &lostError{err}
}

// timeoutError is our own deadline for one attempt. It hides the SDK's
// CanceledError, which would stop the retries of a read.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string   { return "no answer within " + e.after.String() }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }

// TimedOut reports whether the deadline of an attempt is what ended the call.
func TimedOut(err error) bool {
	_, ok := errors.AsType[*timeoutError](err)
	return ok
}

// UnsentError is why an attempt was not made although its turn had come.
type UnsentError struct{ Err error }

func (e *UnsentError) Error() string { return "not sent: " + e.Err.Error() }
func (e *UnsentError) Unwrap() error { return e.Err }

// NeverSent reports whether AWS surely got no request.
func NeverSent(err error) bool {
	if _, ok := errors.AsType[*UnsentError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// StatusOf returns the HTTP status of an answer that was an error, or 0.
func StatusOf(err error) int {
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && r.Response != nil && r.Response.Response != nil {
		return r.HTTPStatusCode()
	}
	return 0
}

// Throttled reports whether AWS asked for fewer calls.
func Throttled(err error) bool {
	return StatusOf(err) == http.StatusTooManyRequests ||
		retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}

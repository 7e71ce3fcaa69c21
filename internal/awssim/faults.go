package awssim

import (
	"context"
	"net"
	"syscall"
	"time"

	smithytime "github.com/aws/smithy-go/time"
)

// Fault is what goes wrong with one call. The zero Fault is nothing.
type Fault struct {
	Delay  time.Duration // wait this long, then begin
	Before *Failure      // answer this and do nothing
	After  *Failure      // do it, and then answer this instead of the truth
	Linger time.Duration // do it, then wait this long before answering
}

// Failure is an answer nobody wants. An empty one with Drop is no answer: the
// connection breaks.
type Failure struct {
	Status        int
	Code, Message string
	Drop          bool
}

// Throttle answers 429 with a Retry-After and does nothing.
func Throttle() Fault {
	return Fault{Before: &Failure{Status: 429, Code: "TooManyRequestsException", Message: "Rate exceeded"}}
}

// ServerError answers 500 and does nothing. The SDK sends the request again.
func ServerError() Fault { return Fault{Before: serviceException()} }

// ServerErrorAfter does the thing and answers 500. The SDK sends the request
// again, and it happens twice.
func ServerErrorAfter() Fault { return Fault{After: serviceException()} }

func serviceException() *Failure {
	return &Failure{Status: 500, Code: "ServiceException", Message: "The service encountered an internal error."}
}

// Reset breaks the connection before anything is done.
func Reset() Fault { return Fault{Before: &Failure{Drop: true}} }

// LostAnswer does the thing and breaks the connection: whether it happened
// can only be known by looking.
func LostAnswer() Fault { return Fault{After: &Failure{Drop: true}} }

// Delay waits before the call begins.
func Delay(d time.Duration) Fault { return Fault{Delay: d} }

// SlowAnswer does the thing at once and answers after d.
func SlowAnswer(d time.Duration) Fault { return Fault{Linger: d} }

// Denied answers 403 as IAM does for a missing permission, and does nothing.
// STS, CloudWatch and S3 say AccessDenied, the others AccessDeniedException.
func Denied(c Call) Fault {
	code := "AccessDeniedException"
	if queryCodes(c.Service) {
		code = "AccessDenied"
	}
	return Fault{Before: &Failure{Status: 403, Code: code,
		Message: "User: " + c.Caller + " is not authorized to perform: " + c.Service + ":" + c.Operation +
			" because no identity-based policy allows the " + c.Service + ":" + c.Operation + " action"}}
}

func (f *Failure) apiError() *apiError {
	e := &apiError{status: f.Status, code: f.Code, message: f.Message}
	if f.Status == 429 {
		e.reason, e.retryAfter = "CallerRateLimitExceeded", "1"
	}
	return e
}

// errDropped is what a client reads from a connection the peer has reset.
var errDropped = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

// wait passes d, or ends early with the reason the request was given up.
func wait(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	return smithytime.SleepWithContext(ctx, d)
}

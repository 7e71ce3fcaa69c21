package cloudwatch

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/state"
)

// readError sorts what a call that changes nothing came back with.
func readError(op, resource string, err error) error { return sortError(op, resource, err, false) }

// invokeError sorts what an invocation came back with: what is lost may have
// run, also when it was our own context that cut it off.
func invokeError(function string, err error) error { return sortError("Invoke", function, err, true) }

func sortError(op, resource string, err error, runs bool) error {
	if err == nil {
		return nil
	}
	if elsewhere := state.Elsewhere(err); elsewhere != nil {
		return elsewhere
	}
	e := &state.Error{Op: op, Resource: resource}
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		e.RequestID = r.ServiceRequestID()
	}
	if inner := innermost(err); inner != nil {
		// Credentials are fetched inside the call: say which call it really was.
		e.Op, e.Resource, runs = inner.OperationName, "", false
		if inner.ServiceID == "ec2imds" {
			// The last link of the chain: nothing else had credentials, and this
			// is no instance, or one without a role.
			return &state.Error{Op: op, Resource: resource, Kind: state.Human, Message: "no AWS credentials found"}
		}
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		e.Code, e.Message = api.ErrorCode(), clean(api.ErrorMessage())
	} else {
		e.Err, e.Message = cause(err)
	}
	switch {
	case e.Code == "" && ended(err) != nil && !(runs && lost(err)):
		e.Kind = state.Stopped
	default:
		e.Kind = kindOf(e.Code, err)
	}
	if e.Kind == state.Unsure && !runs {
		e.Kind = state.Again // a read that is lost is made again
	}
	return e
}

// kindOf is the table: the code decides, the status where the code is unknown.
func kindOf(code string, err error) state.Kind {
	switch code {
	case "ResourceConflictException":
		return state.LookAgain
	case "ResourceNotFoundException", "ResourceNotFound":
		return state.Gone
	case "InvalidNextToken":
		return state.Again // it was of a page that is too old
	// What Invoke answers with a 502 before anything ran: the function's own
	// faults, then those of the place it would run in.
	case "InvalidRuntimeException", "InvalidZipFileException", "InvalidSecurityGroupIDException", "InvalidSubnetIDException",
		"KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException",
		"EC2AccessDeniedException", "EFSMountFailureException", "EFSMountConnectivityException", "SnapStartException":
		return state.Human
	case "EC2ThrottledException", "EC2UnexpectedException", "ENILimitReachedException", "SubnetIPAddressLimitReachedException",
		"EFSIOException", "EFSMountTimeoutException", "ResourceNotReadyException", "SnapStartNotReadyException", "SnapStartTimeoutException":
		return state.Again
	}
	switch {
	case throttled(err), neverSent(err), statusOf(err) == http.StatusRequestTimeout:
		return state.Again
	case lost(err), timedOut(err):
		return state.Unsure
	}
	// Refused; or nothing was asked (no credentials, a broken source of them):
	// asking again would not help.
	return state.Human
}

// innermost gives the operation that failed inside another, or nil.
func innermost(err error) *smithy.OperationError {
	outer, ok := errors.AsType[*smithy.OperationError](err)
	if !ok {
		return nil
	}
	var found *smithy.OperationError
	for inner, ok := errors.AsType[*smithy.OperationError](outer.Err); ok; {
		found = inner
		inner, ok = errors.AsType[*smithy.OperationError](inner.Err)
	}
	return found
}

// ended gives the context error in the chain, if our context is what ended.
func ended(err error) error {
	for _, c := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, c) {
			return c
		}
	}
	return nil
}

// cause keeps of the SDK's chain what errors.Is may want and a person can use.
// The chain itself holds the request with its signature and the response with
// its body, and is left behind.
func cause(err error) (error, string) {
	if c := ended(err); c != nil {
		return c, c.Error()
	}
	if t, ok := errors.AsType[*timeoutError](err); ok {
		return t, t.Error()
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err, "no answer: " + clean(u.Err.Error())
	}
	return nil, clean(err.Error())
}

const longestMessage = 1000

// clean makes AWS's words fit to be shown and kept: the first line only (what
// follows in a signature error is the canonical request with its session
// token), without secrets, at most 1000 bytes.
func clean(message string) string {
	message, _, _ = strings.Cut(strings.TrimSpace(message), "\n")
	message = health.Mask(message)
	if len(message) > longestMessage {
		message = strings.ToValidUTF8(message[:longestMessage], "") + "…"
	}
	return strings.TrimSpace(message)
}

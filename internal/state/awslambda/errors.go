package awslambda

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/layerd/layerd/internal/state"
)

// readError sorts what a call that changes nothing came back with.
func readError(op, resource string, err error) error { return sortError(op, resource, err, false) }

// writeError sorts what a write came back with: what is lost may have
// happened, also when it was our own context that cut it off.
func writeError(op, resource string, err error) error { return sortError(op, resource, err, true) }

func sortError(op, resource string, err error, write bool) error {
	if err == nil {
		return nil
	}
	if elsewhere := state.Elsewhere(err); elsewhere != nil {
		return elsewhere
	}
	e := &state.Error{Op: op, Resource: resource, RequestID: requestID(err)}
	inner := innermost(err)
	if inner != nil {
		// Credentials are fetched inside the call: say which call it really was.
		e.Op, e.Resource = inner.OperationName, ""
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		e.Code, e.Message = api.ErrorCode(), Clean(api.ErrorMessage())
	}
	switch {
	case write && inner == nil && lost(err):
		e.Kind = state.Unsure
	case e.Code == "" && ended(err) != nil:
		e.Kind = state.Stopped
	case inner != nil && inner.ServiceID == "ec2imds":
		// The last link of the chain: nothing else had credentials, and this
		// is no instance, or one without a role.
		return &state.Error{Op: op, Resource: resource, Kind: state.Human, Message: "no AWS credentials found"}
	default:
		e.Kind = kindOf(e.Code, statusOf(err), err)
	}
	if e.Code == "" {
		e.Err, e.Message = cause(err)
	}
	return e
}

// kindOf is the table: the code decides, the status where the code is unknown.
func kindOf(code string, status int, err error) state.Kind {
	switch code {
	case "ResourceConflictException", "PreconditionFailedException":
		return state.LookAgain
	case "ResourceNotFoundException", "ProvisionedConcurrencyConfigNotFoundException":
		return state.Gone
	case "CodeSigningConfigNotFoundException":
		return state.Human
	case "ServiceException", "InternalServiceException", "InternalFailure", "InternalError",
		"ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException",
		"PaginationTokenExpiredException":
		return state.Again
	}
	switch {
	case status == http.StatusNotFound:
		return state.Gone // also of an emulator that does not know the call
	case status == http.StatusNotImplemented:
		return state.Human
	case throttled(err), status >= 500, status == http.StatusRequestTimeout:
		return state.Again
	case status >= 400:
		return state.Human
	case lost(err), neverSent(err), timedOut(err):
		return state.Again
	}
	// Nothing was asked (no credentials, a broken source of them), or what was
	// answered makes no sense to us: asking again would not help.
	return state.Human
}

func timedOut(err error) bool {
	_, ok := errors.AsType[*timeoutError](err)
	return ok
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

func requestID(err error) string {
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return r.ServiceRequestID()
	}
	return ""
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
	if u, ok := errors.AsType[*unsentError](err); ok {
		return u.err, u.Error()
	}
	if t, ok := errors.AsType[*timeoutError](err); ok {
		return t, t.Error()
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err, "no answer: " + Clean(u.Err.Error())
	}
	return nil, Clean(err.Error())
}

const longestMessage = 1000

// A query string may be that of a presigned address, which is a bearer token.
var queryString = regexp.MustCompile(`(https?://[^\s?"']+)\?[^\s"']+`)

// Clean makes AWS's words fit to be shown and kept: the first line only (what
// follows in a signature error is the canonical request with its session
// token), addresses without their query, at most 1000 bytes.
func Clean(message string) string {
	message, _, _ = strings.Cut(strings.TrimSpace(message), "\n")
	message = queryString.ReplaceAllString(message, "$1?…")
	if len(message) > longestMessage {
		message = strings.ToValidUTF8(message[:longestMessage], "") + "…"
	}
	return strings.TrimSpace(message)
}

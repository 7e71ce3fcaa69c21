package awscall

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

// Sorter turns what a call came back with into a *state.Error.
type Sorter struct {
	// Kind is the adapter's table: the code decides, and what else is known of err
	// where the code is unknown. changes is false where a lost answer changed
	// nothing.
	Kind func(code string, err error, changes bool) state.Kind
	// Clean makes AWS's words fit to be shown and kept; nil: Clean.
	Clean func(string) string
}

// Read sorts what a call that changes nothing came back with.
func (s Sorter) Read(op, resource string, err error) error { return s.sort(op, resource, err, false) }

// Write sorts what a call that does something came back with: what is lost may
// have happened, also when it was our own context that cut it off.
func (s Sorter) Write(op, resource string, err error) error { return s.sort(op, resource, err, true) }

func (s Sorter) sort(op, resource string, err error, changes bool) error {
	if err == nil {
		return nil
	}
	if elsewhere := state.Elsewhere(err); elsewhere != nil {
		return elsewhere
	}
	e := &state.Error{Op: op, Resource: resource, RequestID: RequestID(err)}
	inner := Inner(err)
	if inner != nil {
		// Credentials are fetched inside the call: say which call it really was.
		e.Op, e.Resource, changes = inner.OperationName, "", false
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		e.Code, e.Message = api.ErrorCode(), cleaner(s.Clean)(api.ErrorMessage())
	}
	if e.Code == "" {
		e.Err, e.Message = cause(err, cleaner(s.Clean))
	}
	switch {
	case e.Code == "" && Ended(err) != nil && !(changes && Lost(err)):
		e.Kind = state.Stopped
	case inner != nil && inner.ServiceID == "ec2imds":
		// The last link of the chain: nothing else had credentials, and this
		// is no instance, or one without a role.
		return &state.Error{Op: op, Resource: resource, Kind: state.Barred, Message: "no AWS credentials found"}
	default:
		e.Kind = s.Kind(e.Code, err, changes)
	}
	if e.Kind != state.Stopped && barred(e, inner, err) {
		e.Kind = state.Barred
	}
	return e
}

// barred reports whether an error would meet every other call as well: its code is
// about who asks, the credentials could not be had, or we ourselves let nothing
// through. AWS's trouble in fetching them passes and is no such error.
func barred(e *state.Error, inner *smithy.OperationError, err error) bool {
	if _, ours := errors.AsType[*UnsentError](err); ours {
		return true
	}
	fetched := inner != nil || e.Op == "GetCallerIdentity"
	return state.OfCaller(e.Code) || fetched && (e.Kind == state.Human || e.Kind == state.Gone)
}

// Inner returns the operation that failed inside another, or nil: one that
// fetched credentials. Its codes are none of the outer one's.
func Inner(err error) *smithy.OperationError {
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

// RequestID returns AWS's name of the request, or nothing where no answer came.
func RequestID(err error) string {
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return r.ServiceRequestID()
	}
	return ""
}

// Ended returns the context error in the chain, if our context is what ended.
func Ended(err error) error {
	for _, c := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, c) {
			return c
		}
	}
	return nil
}

// Plain returns an error that no answer of AWS is in without the SDK's chain:
// the words for a person, and what errors.Is may want.
func Plain(err error) error {
	cause, text := cause(err, Clean)
	return &plainError{text, cause}
}

type plainError struct {
	text  string
	cause error // may be nil
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.cause }

// cause keeps of the SDK's chain what errors.Is may want and a person can use.
// The chain itself holds the request with its signature and the response with
// its body, and is left behind.
func cause(err error, clean func(string) string) (error, string) {
	if c := Ended(err); c != nil {
		return c, c.Error()
	}
	if u, ok := errors.AsType[*UnsentError](err); ok {
		return u.Err, u.Error()
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

// A query string may be that of a presigned address, which is a bearer token.
var queryString = regexp.MustCompile(`(https?://[^\s?"']+)\?[^\s"']+`)

// Clean makes AWS's words fit to be shown and kept: the first line only,
// addresses without their query, at most 1000 bytes.
func Clean(message string) string {
	message = queryString.ReplaceAllString(FirstLine(message), "$1?…")
	if len(message) > longestMessage {
		message = strings.ToValidUTF8(message[:longestMessage], "") + "…"
	}
	return strings.TrimSpace(message)
}

// FirstLine returns what of AWS's words is for people: what follows in a
// signature error is the canonical request with its session token.
func FirstLine(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return strings.TrimSpace(line)
}

func cleaner(own func(string) string) func(string) string {
	if own == nil {
		return Clean
	}
	return own
}

// KindByStatus returns what an error means whose code says nothing: it is the owner of
// what a status means to every adapter, once a lost write is sorted out. What no answer
// came for may be asked again. Where nothing was asked (no credentials, a broken source of
// them) or the answer makes no sense, asking again would not help.
func KindByStatus(err error) state.Kind {
	switch status := StatusOf(err); {
	case status == http.StatusNotImplemented:
		return state.Human // of an emulator that does not know the call
	case Throttled(err), status >= http.StatusInternalServerError, status == http.StatusRequestTimeout:
		return state.Again
	case status >= http.StatusBadRequest:
		return state.Human
	case Lost(err), NeverSent(err), TimedOut(err):
		return state.Again
	}
	return state.Human
}

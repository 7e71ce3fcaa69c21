package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/layerd/layerd/internal/store"
)

// errClosed is not for callers to test: using a closed store is a bug in the
// order of teardown, and its text is what helps.
var errClosed = errors.New("the store is closed")

// explain wraps an error with what was being done and in which table.
func (s *Store) explain(doing string, err error) error {
	return fmt.Errorf("%s in table %s: %w", doing, s.table, err)
}

// readFailed sorts what a call that changes nothing came back with.
func (s *Store) readFailed(err error) error { return s.sort(err, nil) }

// writeFailed sorts what a write came back with. Once an attempt of it was left
// without an answer, nothing that came later can say that it was not done.
func (s *Store) writeFailed(err error, unsure bool) error {
	if unsure {
		return fmt.Errorf("%w, and the write may have happened: %w", store.ErrUnreachable, told(err))
	}
	return s.sort(err, store.ErrReadOnly)
}

// sort wraps an error in the sentinel that says what to do next. denied is what
// a missing permission means for this call, or nil.
func (s *Store) sort(err, denied error) error {
	code := codeOf(err)
	switch {
	case fetchedCredentials(err):
		return fmt.Errorf("get credentials: %w", told(err))
	case code == "ResourceNotFoundException":
		return s.noTable()
	case code == "AccessDeniedException" && denied != nil:
		return fmt.Errorf("%w: %w", denied, told(err))
	case isConflict(code), retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary:
		return fmt.Errorf("%w: %w", store.ErrBusy, told(err))
	case code == "" && ended(err) != nil:
		return told(err) // cancelled is not out of reach
	case statusOf(err) >= 500, noAnswer(err):
		return fmt.Errorf("%w: %w", store.ErrUnreachable, told(err))
	}
	return told(err)
}

// noTable does not say which account: only STS knows.
func (s *Store) noTable() error {
	err := fmt.Errorf("%w in %s with these credentials: make it with layerd store init --store dynamodb:%s", errNoTable, s.region, s.table)
	if !s.opened.Load() {
		return err
	}
	s.gone.Store(true)
	return fmt.Errorf("%w: %w", store.ErrReplaced, err)
}

// errNoTable is fs.ErrNotExist in our words.
var errNoTable error = absent{}

type absent struct{}

func (absent) Error() string        { return "there is no such table" }
func (absent) Is(target error) bool { return target == fs.ErrNotExist }

func isConflict(code string) bool {
	return code == "TransactionConflictException" || code == "ReplicatedWriteConflictException"
}

func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// fetchedCredentials: the call that failed is one to STS or the like, made
// inside ours. Its codes are none of DynamoDB's.
func fetchedCredentials(err error) bool {
	outer, ok := errors.AsType[*smithy.OperationError](err)
	if !ok {
		return false
	}
	_, ok = errors.AsType[*smithy.OperationError](outer.Err)
	return ok
}

func noAnswer(err error) bool {
	if _, ok := errors.AsType[*timeoutError](err); ok {
		return true
	}
	_, ok := errors.AsType[*url.Error](err)
	return ok || neverSent(err)
}

// ended gives the context error in the chain, if a context is what ended.
func ended(err error) error {
	for _, c := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, c) {
			return c
		}
	}
	return nil
}

// told keeps of the SDK's chain what errors.Is may want and a person can use.
// The chain itself holds the request with its signature, and the message of a
// refused signature goes on with the session token.
func told(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		text := api.ErrorCode()
		if m := firstLine(api.ErrorMessage()); m != "" {
			text += ": " + m
		}
		if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.ServiceRequestID() != "" {
			text += " (request " + r.ServiceRequestID() + ")"
		}
		return errors.New(text)
	}
	if t, ok := errors.AsType[*timeoutError](err); ok {
		return t
	}
	if c := ended(err); c != nil {
		return c
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return errors.New("no answer: " + firstLine(u.Err.Error()))
	}
	return errors.New(firstLine(err.Error()))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}

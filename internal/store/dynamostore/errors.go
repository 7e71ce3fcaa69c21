package dynamostore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/aws/smithy-go"

	"github.com/layerd/layerd/internal/awscall"
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
	case awscall.Inner(err) != nil: // whose codes are none of DynamoDB's
		return fmt.Errorf("get credentials: %w", told(err))
	case code == "ResourceNotFoundException":
		return s.noTable()
	case code == "AccessDeniedException" && denied != nil:
		return fmt.Errorf("%w: %w", denied, told(err))
	case isConflict(code), awscall.Throttled(err):
		return fmt.Errorf("%w: %w", store.ErrBusy, told(err))
	case code == "" && awscall.Ended(err) != nil:
		return told(err) // cancelled is not out of reach
	case awscall.StatusOf(err) >= 500, noAnswer(err):
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

func noAnswer(err error) bool {
	_, ok := errors.AsType[*url.Error](err)
	return ok || awscall.TimedOut(err) || awscall.NeverSent(err)
}

// told is what a person can use of err: see awscall.Plain. The message of a
// refused signature goes on with the session token, which Clean leaves out.
func told(err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return awscall.Plain(err)
	}
	text := api.ErrorCode()
	if m := awscall.Clean(api.ErrorMessage()); m != "" {
		text += ": " + m
	}
	if id := awscall.RequestID(err); id != "" {
		text += " (request " + id + ")"
	}
	return errors.New(text)
}

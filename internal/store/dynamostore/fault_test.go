package dynamostore

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/dynamostore/dynamotest"
)

var (
	good       = dynamotest.Fault{}
	lostBefore = dynamotest.Fault{Lose: true}
	lostAfter  = dynamotest.Fault{Lose: true, After: true}
	late       = dynamotest.Fault{Hang: true, After: true}
	failed     = dynamotest.Fault{Code: "InternalServerError", Status: http.StatusInternalServerError}
	busy       = dynamotest.Throttled()
	denied     = dynamotest.Denied(dynamotest.Call{Operation: "UpdateItem", Table: tableName})
	conflict   = dynamotest.Fault{Code: "TransactionConflictException"}
)

// line plays faults one after the other, the last one for ever.
type line struct {
	faults []dynamotest.Fault
	calls  int
}

func (l *line) next(dynamotest.Call) dynamotest.Fault {
	f := l.faults[min(l.calls, len(l.faults)-1)]
	l.calls++
	return f
}

// behind opens the table over a line that is good until it is given faults.
func behind(t *testing.T, db *dynamotest.DB) (*Store, *line) {
	t.Helper()
	l := &line{faults: []dynamotest.Fault{good}}
	s, err := Open(t.Context(), db.ConfigWith(l.next), tableName, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, l
}

// TestWriteOverABadLine: what a write says after each course that its attempts
// may take. The contract of the errors is in the page of package store.
func TestWriteOverABadLine(t *testing.T) {
	for _, test := range []struct {
		name     string
		faults   []dynamotest.Fault
		want     error // nil: it was done
		attempts int
		within   time.Duration
	}{
		{"all well", []dynamotest.Fault{good}, nil, 1, 0},
		{"a lost request", []dynamotest.Fault{lostBefore, good}, nil, 2, time.Second},
		{"a lost answer", []dynamotest.Fault{lostAfter, good}, nil, 2, time.Second},
		{"two lost answers", []dynamotest.Fault{lostAfter, lostAfter, good}, nil, 3, time.Second},
		{"an answer that comes too late", []dynamotest.Fault{late, good}, nil, 2, 6 * time.Second},
		{"a failure", []dynamotest.Fault{failed, good}, nil, 2, time.Second},
		{"busy for a while", []dynamotest.Fault{busy, busy, good}, nil, 3, 3 * time.Second},
		{"in somebody's transaction", []dynamotest.Fault{conflict, good}, nil, 2, time.Second},
		{"busy for long", []dynamotest.Fault{busy}, store.ErrBusy, 6, 17 * time.Second},
		{"in a transaction for long", []dynamotest.Fault{conflict}, store.ErrBusy, 6, 17 * time.Second},
		{"not allowed", []dynamotest.Fault{denied}, store.ErrReadOnly, 1, 0},
		{"no connection", []dynamotest.Fault{lostBefore}, store.ErrUnreachable, 6, 4 * time.Second},
		{"all answers lost", []dynamotest.Fault{lostAfter}, store.ErrUnreachable, 6, 4 * time.Second},
		{"no answer at all", []dynamotest.Fault{{Hang: true}}, store.ErrUnreachable, 6, 34 * time.Second},
		{"failing for long", []dynamotest.Fault{failed}, store.ErrUnreachable, 6, 4 * time.Second},
		// What comes after a lost answer cannot say that nothing was written.
		{"lost, then busy", []dynamotest.Fault{lostAfter, busy}, store.ErrUnreachable, 6, 17 * time.Second},
		{"lost, then not allowed", []dynamotest.Fault{lostAfter, denied}, store.ErrUnreachable, 2, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := fresh(t)
				s, l := behind(t, db)
				healthy := open(t, db)
				first := create(t, healthy, "replaced", "one")
				for _, key := range []string{"created", "replaced"} {
					l.faults, l.calls = test.faults, 0
					begun := time.Now()
					rev, err := writeTo(t.Context(), s, key, first)
					if took := time.Since(begun); l.calls != test.attempts || took > test.within {
						t.Errorf("%s: %d attempts in %s, want %d within %s", key, l.calls, took, test.attempts, test.within)
					}
					checkWrite(t, healthy, key, rev, err, test.want)
				}
			})
		})
	}
}

// writeTo writes "mine" under the key by Create, or by Replace.
func writeTo(ctx context.Context, s store.Store, key string, old store.Revision) (store.Revision, error) {
	if key == "created" {
		return s.Create(ctx, key, []byte("mine"))
	}
	return s.Replace(ctx, key, old, []byte("mine"))
}

func checkWrite(t *testing.T, healthy store.Store, key string, rev store.Revision, err, want error) {
	t.Helper()
	if want == nil {
		v, getErr := healthy.Get(t.Context(), key)
		if err != nil || getErr != nil || v.Revision != rev || string(v.Data) != "mine" {
			t.Errorf("%s: revision %q, %v; there is %+v, %v", key, rev, err, v, getErr)
		}
		return
	}
	if !errors.Is(err, want) || !strings.Contains(err.Error(), "in table layerd: ") || rev != "" {
		t.Errorf("%s: %q, %v, want %q and the table", key, rev, err, want)
	}
	for _, promise := range []error{store.ErrExists, store.ErrChanged, store.ErrBusy, store.ErrReadOnly, store.ErrNotFound} {
		if promise != want && errors.Is(err, promise) {
			t.Errorf("%s: %v is %q too", key, err, promise)
		}
	}
}

// TestOvertaken: between an answer that is lost and the next attempt somebody
// else writes over what we wrote, or before us. Both look the same.
func TestOvertaken(t *testing.T) {
	for name, lost := range map[string]dynamotest.Fault{"done": lostAfter, "not done": lostBefore} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := fresh(t)
				s, l := behind(t, db)
				other := open(t, db)
				first := create(t, other, "replaced", "one")
				for _, key := range []string{"created", "replaced"} {
					l.faults, l.calls = []dynamotest.Fault{lost, good}, 0
					go func() {
						time.Sleep(time.Nanosecond) // the first attempt is over, the second waits
						if v, err := other.Get(t.Context(), key); err == nil {
							other.Replace(t.Context(), key, v.Revision, []byte("other"))
						} else {
							other.Create(t.Context(), key, []byte("other"))
						}
					}()
					rev, err := writeTo(t.Context(), s, key, first)
					checkWrite(t, other, key, rev, err, store.ErrUnreachable)
					if l.calls != 2 {
						t.Errorf("%s: %d attempts, want 2", key, l.calls)
					}
				}
			})
		})
	}
}

// TestCallerLeaves: the context of the caller bounds all attempts, and what it
// cut off is no promise either way.
func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := behind(t, fresh(t))
		for _, fault := range []dynamotest.Fault{{Hang: true}, busy, lostBefore} {
			l.faults = []dynamotest.Fault{fault}
			for what, call := range map[string]func(context.Context) error{
				"create": func(ctx context.Context) error { _, err := s.Create(ctx, "a", nil); return err },
				"get":    func(ctx context.Context) error { _, err := s.Get(ctx, "a"); return err },
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
				begun := time.Now()
				err := call(ctx)
				cancel()
				if took := time.Since(begun); took > 150*time.Millisecond {
					t.Errorf("%s behind %+v took %s", what, fault, took)
				}
				if errors.Is(err, store.ErrNotFound) || err == nil {
					t.Errorf("%s behind %+v: %v", what, fault, err)
				}
				if fault.Hang && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v, want DeadlineExceeded", what, err)
				}
			}
		}
	})
}

func TestReadOverABadLine(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults []dynamotest.Fault
		want   error
		text   string
	}{
		{"lost for a while", []dynamotest.Fault{lostBefore, failed, busy, good}, nil, ""},
		{"no answer", []dynamotest.Fault{{Hang: true}}, store.ErrUnreachable, "no answer within 5s"},
		{"no connection", []dynamotest.Fault{lostBefore}, store.ErrUnreachable, "no answer: connection reset by peer"},
		{"failing", []dynamotest.Fault{failed}, store.ErrUnreachable, "InternalServerError (request REQUEST)"},
		{"busy", []dynamotest.Fault{busy}, store.ErrBusy, "ProvisionedThroughputExceededException: The level"},
		{"not allowed", []dynamotest.Fault{denied}, nil, "AccessDeniedException: User: arn:aws:iam::123456789012:user/test is not authorized"},
		{"no table any more", []dynamotest.Fault{{Code: "ResourceNotFoundException"}}, fs.ErrNotExist, "layerd store init --store dynamodb:layerd"},
		{"wrong secret", []dynamotest.Fault{{Code: "InvalidSignatureException", Message: "The signature does not match.\n\nThe canonical request was\nTOKEN"}},
			nil, "The signature does not match. (request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, l := behind(t, fresh(t))
				rev := create(t, s, "a", "one")
				l.faults, l.calls = test.faults, 0
				v, err := s.Get(t.Context(), "a")
				l.calls = 0
				keys := 0
				var listErr error
				for _, err := range s.List(t.Context(), store.Query{}) {
					if listErr = err; err == nil {
						keys++
					}
				}
				if test.text == "" {
					if err != nil || v.Revision != rev || listErr != nil || keys != 1 {
						t.Errorf("Get = %+v, %v; List = %d values, %v", v, err, keys, listErr)
					}
					return
				}
				for _, err := range []error{err, listErr} {
					if err == nil || !strings.Contains(err.Error(), test.text) || test.want != nil && !errors.Is(err, test.want) ||
						errors.Is(err, store.ErrReadOnly) || strings.Contains(err.Error(), "TOKEN") {
						t.Errorf("error %v, want %v and %q", err, test.want, test.text)
					}
				}
			})
		})
	}
}

// TestNoCredentials: a role that may not be assumed says AccessDenied too, and
// that is not about our table.
func TestNoCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := fresh(t)
		cfg := db.Config()
		refuses := db.ConfigWith(func(dynamotest.Call) dynamotest.Fault { return denied })
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(refuses), "arn:aws:iam::123456789012:role/r"))
		s, err := Open(t.Context(), cfg, tableName, Options{})
		if err == nil || errors.Is(err, store.ErrReadOnly) || !strings.Contains(err.Error(), "get credentials: ") {
			t.Errorf("Open = %v, %v, want an error about credentials", s, err)
		}
	})
}

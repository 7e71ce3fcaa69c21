package ruling_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
	"github.com/layerd/layerd/internal/window"
)

// listening is a journal that can look at the store when it is told, and fail.
type listening struct {
	told []ruling.Decision
	hook func() error
}

func (l *listening) RecordDecision(_ context.Context, d ruling.Decision) error {
	l.told = append(l.told, d)
	if l.hook != nil {
		return l.hook()
	}
	return nil
}

// given are all rulings that a person or a check gives, each from nothing.
var given = map[string]func(context.Context, *ruling.Registry) error{
	ruling.DecidedApproval: func(ctx context.Context, r *ruling.Registry) error {
		_, err := r.Approve(ctx, ruling.Approval{Environment: "prod", Digest: "d", By: "sato", At: noon, Reason: "reviewed"}, window.Calendar{})
		return err
	},
	ruling.DecidedForget: func(ctx context.Context, r *ruling.Registry) error {
		_, err := r.Forget(ctx, ruling.Forgotten{Environment: "prod", By: "sato", At: noon, Reason: "reviewed"})
		return err
	},
	ruling.DecidedQuarantine: func(ctx context.Context, r *ruling.Registry) error {
		q := bad(13, "")
		q.By, q.Reason, q.ByPerson = "sato", "reviewed", true
		_, err := r.Quarantine(ctx, q)
		return err
	},
	ruling.DecidedRetry: func(ctx context.Context, r *ruling.Registry) error {
		_, err := r.Lift(ctx, bad(9, ""), "sato", "reviewed", noon)
		return err
	},
}

// before is a store with what can be lifted.
func before(t *testing.T) store.Store {
	s := store.NewMemory()
	quarantine(t, s, bad(9, ""))
	return s
}

// The journal is told first, once, and of nothing that was so already; where it
// cannot be told, nothing is decided.
func TestTheJournalComesFirst(t *testing.T) {
	errFull := errors.New("full")
	for kind, give := range given {
		s := before(t)
		was := storetest.Dump(t, s)
		j := &listening{hook: func() error { return errFull }}
		if err := give(t.Context(), ruling.Open(s, repo, j)); !errors.Is(err, errFull) || !strings.HasPrefix(err.Error(), "record who ") {
			t.Errorf("%s: %v", kind, err)
		}
		j.hook = func() error {
			if diff := cmp.Diff(was, storetest.Dump(t, s)); diff != "" {
				t.Errorf("%s was decided before the journal had it:\n%s", kind, diff)
			}
			return nil
		}
		for range 2 {
			if err := give(t.Context(), ruling.Open(s, repo, j)); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
		if len(j.told) != 2 { // of the try that failed as well
			t.Errorf("%s: the journal was told %d times", kind, len(j.told))
		}
		d := j.told[1]
		if d.Kind != kind || d.Environment != "prod" || d.By != "sato" || d.Reason != "reviewed" || !d.At.Equal(noon) {
			t.Errorf("%s: the journal has %+v", kind, d)
		}
		if of := d.Quarantine; (of != nil) != (kind == ruling.DecidedQuarantine || kind == ruling.DecidedRetry) {
			t.Errorf("%s is of the quarantine %+v", kind, of)
		}
		if storetest.Dump(t, s) == was {
			t.Errorf("%s: nothing came of it", kind)
		}
	}
}

// What is given is read once and written once.
func TestGivingReadsOnce(t *testing.T) {
	for kind, give := range given {
		calls := map[storetest.Op]int{}
		s := storetest.Faulty(before(t), func(_ context.Context, c storetest.Call) storetest.Fault {
			calls[c.Op]++
			return storetest.Fault{}
		})
		if err := give(t.Context(), registry(s, repo)); err != nil {
			t.Fatal(err)
		}
		reads := 1
		if kind == ruling.DecidedApproval {
			reads = 2 // and the plan that waits for it
		}
		if calls[storetest.OpGet] != reads || calls[storetest.OpCreate]+calls[storetest.OpReplace] != 1 {
			t.Errorf("%s takes the calls %v", kind, calls)
		}
	}
}

// Whoever gives the same while the journal is told was first.
func TestTwoGiveTheSameAtOnce(t *testing.T) {
	for kind, give := range given {
		s := before(t)
		var theirs string
		j := &listening{}
		j.hook = func() error {
			j.hook = nil
			err := give(t.Context(), ruling.Open(s, repo, silent{}))
			theirs = storetest.Dump(t, s)
			return err
		}
		if err := give(t.Context(), ruling.Open(s, repo, j)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if diff := cmp.Diff(theirs, storetest.Dump(t, s)); diff != "" {
			t.Errorf("%s: the second word was written over the first:\n%s", kind, diff)
		}
	}
}

// What a person wrote never makes a ruling too large for the store, after the
// journal has it.
func TestLongReasonsAreCut(t *testing.T) {
	long, ctx := strings.Repeat("理", 1<<20), t.Context()
	for kind, s := range stores(t) {
		j := &listening{}
		r := ruling.Open(s, repo, j)
		a, aErr := r.Approve(ctx, ruling.Approval{Environment: "prod", Digest: "d", By: long, At: noon, Reason: long}, window.Calendar{})
		f, fErr := r.Forget(ctx, ruling.Forgotten{Environment: "prod", By: long, At: noon, Reason: long})
		q := bad(13, "")
		q.By, q.Reason = long, long
		q, qErr := r.Quarantine(ctx, q)
		_, lErr := r.Lift(ctx, q, long, long, noon.Add(time.Hour))
		if err := errors.Join(aErr, fErr, qErr, lErr); err != nil || len(j.told) != 4 {
			t.Errorf("%s: %d decisions, %v", kind, len(j.told), err)
		}
		for _, text := range []string{a.By, a.Reason, f.By, f.Reason, q.By, q.Reason} {
			if len(text) > 4<<10 || !strings.HasSuffix(text, "理…") {
				t.Errorf("%s: %d bytes are kept, %.40q", kind, len(text), text)
			}
		}
	}
}

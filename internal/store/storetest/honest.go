package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// Unreliable checks that a store tells the truth about its writes when the line
// to where it keeps them is bad. open returns it fresh and empty, with a line
// that loses requests and answers as it likes, and a second handle on the same
// values whose line is good. Each test is a bubble of testing/synctest, so that
// trying again costs no time: the line must not be a socket.
//
// A store that has no line to lose an answer on has nothing to run here: its
// writers can be killed (see [Killed]) and its calls cancelled, which [Run] does.
func Unreliable(t *testing.T, open func(t *testing.T) (bad, good store.Store)) {
	t.Run("one writer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bad, good := open(t)
			l := ledger{t: t}
			for range 10 * rounds {
				l.write(t.Context(), bad, good)
			}
			l.check(good)
		})
	})
	t.Run("many writers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bad, good := open(t)
			l := ledger{t: t}
			together([]store.Store{bad}, func(_ int, s store.Store) {
				for range 2 * rounds {
					l.write(t.Context(), s, good)
				}
			})
			l.check(good)
		})
	})
}

// testInterrupted ends contexts before a write, and at any moment of one, as
// far as the store takes long enough for that.
func testInterrupted(t *testing.T, s store.Store) {
	l := ledger{t: t}
	begun := time.Now()
	for range rounds {
		l.write(t.Context(), s, s)
	}
	usual := time.Since(begun) / rounds // for reading and writing
	together([]store.Store{s}, func(int, store.Store) {
		for round := range rounds {
			ctx, cancel := context.WithTimeout(t.Context(), rand.N(2*usual+1))
			if round%4 == 0 {
				cancel()
			}
			l.write(ctx, s, s)
			cancel()
		}
	})
	l.check(s)
}

// ledger is a value that grows by one name a write, so that in the end it says
// itself which writes were done.
type ledger struct {
	t  *testing.T
	mu sync.Mutex // guards what follows, which all writers note in
	n  int
	// What the store said of each write.
	done, refused, open []string
}

// ledgerKey is created by whoever comes first, so that Create is tried too.
const ledgerKey = "ledger"

// write adds a name to the value through s, which has read it through calm.
func (l *ledger) write(ctx context.Context, s, calm store.Store) {
	l.mu.Lock()
	l.n++
	name := fmt.Sprint(l.n)
	l.mu.Unlock()

	v, err := calm.Get(l.t.Context(), ledgerKey)
	switch {
	case errors.Is(err, store.ErrNotFound):
		_, err = s.Create(ctx, ledgerKey, []byte(name))
	case err != nil:
		l.t.Errorf("Get over a good line: %v", err)
		return
	default:
		_, err = s.Replace(ctx, ledgerKey, v.Revision, []byte(string(v.Data)+" "+name))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.done = append(l.done, name)
	case isPromise(err):
		l.refused = append(l.refused, name)
	default:
		l.open = append(l.open, name)
	}
}

// isPromise: the page of package store says that after one of these nothing
// was written.
func isPromise(err error) bool {
	promises := []error{store.ErrNotFound, store.ErrExists, store.ErrChanged, store.ErrBusy, store.ErrInvalid, store.ErrReadOnly, store.ErrCorrupt, store.ErrNewer}
	return slices.ContainsFunc(promises, func(p error) bool { return errors.Is(err, p) })
}

func (l *ledger) check(s store.Store) {
	l.t.Helper()
	var names []string
	switch v, err := s.Get(l.t.Context(), ledgerKey); {
	case err == nil:
		names = strings.Fields(string(v.Data))
	case !errors.Is(err, store.ErrNotFound):
		l.t.Fatal(err)
	}
	count := map[string]int{}
	for _, name := range names {
		count[name]++
	}
	for _, name := range l.done {
		if count[name] != 1 {
			l.t.Errorf("write %s was acknowledged and is there %d times", name, count[name])
		}
	}
	for _, name := range l.refused {
		if count[name] != 0 {
			l.t.Errorf("write %s was refused with a promise that nothing was written, and it was", name)
		}
	}
	l.t.Logf("%d writes acknowledged, %d refused, %d left open", len(l.done), len(l.refused), len(l.open))
}

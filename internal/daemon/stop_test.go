package daemon_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// stopper is a store that stops the daemon in an orderly way at one of its calls.
type stopper struct {
	store.Store
	calls atomic.Int32
	at    int32
	stop  func()
}

func (s *stopper) count() {
	if s.calls.Add(1) == s.at {
		s.stop()
	}
}

func (s *stopper) Get(ctx context.Context, key string) (store.Value, error) {
	s.count()
	return s.Store.Get(ctx, key)
}

func (s *stopper) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	s.count()
	return s.Store.Create(ctx, key, data)
}

func (s *stopper) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	s.count()
	return s.Store.Replace(ctx, key, old, data)
}

func (s *stopper) List(ctx context.Context, q store.Query) iter.Seq2[store.Value, error] {
	s.count()
	return s.Store.List(ctx, q)
}

// A daemon that is stopped in the middle of its first look has not looked: it
// logs no error, and the next one tells what it finds as if nothing had been.
func TestStoppedInTheFirstLook(t *testing.T) {
	for at := int32(1); ; at++ {
		reached := false
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, 3)
			kept := s.store
			ready := make(chan struct{})
			var first *process
			end := &stopper{Store: kept, at: at, stop: func() { <-ready; first.cancel() }}
			s.store = end
			var log errorLog
			s.log = &log
			first = s.start("one")
			close(ready)
			time.Sleep(30 * time.Second) // within the first interval
			first.stop()
			reached = end.calls.Load() >= at
			s.store = kept
			second := s.start("two")
			time.Sleep(3 * time.Minute)
			second.stop()
			if bad := log.String(); bad != "" {
				t.Errorf("stopped at call %d of the store:\n%s", at, bad)
			}
			titles := s.slack.titles()
			for _, env := range []string{"dev", "prod"} {
				if strings.Count(titles, env+": first look: in sync\n") != 1 || strings.Count(titles, "\n") != 2 {
					t.Errorf("stopped at call %d of the store:\n%s", at, titles)
				}
			}
		})
		if t.Failed() || !reached {
			t.Logf("stopped at each of %d calls", at-1)
			return
		}
	}
}

// errorLog keeps what was logged as an error.
type errorLog struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *errorLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(string(p), "level=ERROR") {
		fmt.Fprintf(&l.text, "%s", p)
	}
	return len(p), nil
}

func (l *errorLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

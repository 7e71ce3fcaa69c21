package daemon_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store/storetest"
)

// A daemon that is stopped in the middle of its first look has not looked: it
// logs no error, and the next one tells what it finds as if nothing had been.
func TestStoppedInTheFirstLook(t *testing.T) {
	step := int32(1)
	if testing.Short() {
		step = 10
	}
	for at := int32(1); ; at += step {
		reached := false
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, 3)
			kept := s.store
			ready := make(chan struct{})
			var first *process
			var calls atomic.Int32
			s.store = storetest.Faulty(kept, func(context.Context, storetest.Call) storetest.Fault {
				if calls.Add(1) == at {
					<-ready
					first.cancel()
				}
				return storetest.Fault{}
			})
			var log errorLog
			s.log = &log
			first = s.start("one")
			close(ready)
			time.Sleep(30 * time.Second) // within the first interval
			first.stop()
			reached = calls.Load() >= at
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
			t.Logf("stopped at each of %d calls, in steps of %d", at-1, step)
			return
		}
	}
}

// logText keeps what is logged, to be read while the daemon goes on.
type logText struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logText) count(text string) int { return strings.Count(l.String(), text) }

// errorLog keeps what was logged as an error.
type errorLog struct{ logText }

func (l *errorLog) Write(p []byte) (int, error) {
	if !strings.Contains(string(p), "level=ERROR") {
		return len(p), nil
	}
	return l.logText.Write(p)
}

package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/hint"
)

const (
	// endPatience is how long the end of an update is waited for before AWS is asked, where
	// events tell of such ends. One that is lost costs so much, once.
	endPatience = 5 * time.Second
	// mostEnds bounds how many ends are remembered that AWS has told before an event did.
	mostEnds = 1000
)

// Ends is where the end of an update is heard of, so that AWS need not be asked again and
// again whether it has come. What is heard only ends the wait for the next question. The
// zero Ends hears nothing, and then AWS is asked as without it. It is safe for concurrent
// use, and handed to both the connector and the daemon.
type Ends struct {
	mu    sync.Mutex // guards the rest
	waits map[hint.Subject]*ending
	// past are the ends that were not heard of in time, and when they were: an event that
	// comes soon after shows that events come.
	past map[hint.Subject]time.Time
	// trusted is true while the last wait that could hear of its end has, and from when the
	// queue is first read until one has not.
	trusted bool
	open    bool // the queue can be read
}

// ending is one wait for the end of an update.
type ending struct {
	news          chan struct{} // holds one token: only the first news counts
	begun, signal bool
}

// Listen begins a wait for the end of an update of a function. sleep waits as
// time.Sleep does, but ends once something is heard; the first may take longer than it was
// asked to. stop ends the wait.
func (e *Ends) Listen(account, region, function string) (sleep func(context.Context, time.Duration) error, stop func()) {
	s, w := hint.Subject{Account: account, Region: region, Function: function}, &ending{news: make(chan struct{}, 1)}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waits == nil {
		e.waits, e.past = map[hint.Subject]*ending{}, map[hint.Subject]time.Time{}
	}
	e.waits[s] = w
	return func(ctx context.Context, pause time.Duration) error { return e.sleep(ctx, w, pause) }, func() { e.stop(s, w) }
}

func (e *Ends) sleep(ctx context.Context, w *ending, pause time.Duration) error {
	e.mu.Lock()
	patient := e.trusted && !w.begun
	w.begun = true
	e.mu.Unlock()
	if patient {
		pause = max(pause, endPatience)
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-w.news:
	case <-t.C:
		if patient {
			e.distrust()
		}
	}
	return ctx.Err()
}

// stop ends a wait. An end that was not heard of is remembered for a while.
func (e *Ends) stop(s hint.Subject, w *ending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waits[s] == w {
		delete(e.waits, s)
	}
	if w.signal {
		return
	}
	now := time.Now()
	for old, at := range e.past {
		if now.Sub(at) > endPatience || len(e.past) >= mostEnds {
			delete(e.past, old)
		}
	}
	e.past[s] = now
}

// heard notes that an update of a function may have ended.
func (e *Ends) heard(s hint.Subject) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if at, ok := e.past[s]; ok {
		delete(e.past, s)
		e.trusted = e.trusted || time.Since(at) <= endPatience
	}
	if w := e.waits[s]; w != nil && !w.signal {
		w.signal, e.trusted = true, true
		w.news <- struct{}{}
	}
}

// distrust has AWS asked as if nothing could be heard, until something is.
func (e *Ends) distrust() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.trusted = false
}

// readable notes whether the queue can be read.
func (e *Ends) readable(open bool) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open != open {
		e.open, e.trusted = open, open
	}
}

package notify_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

const repository = "https://github.com/acme/layers.git"

var errDead = errors.New("killed")

// process is one that is killed at one of its calls to the store or to a
// target, before or after the call had its effect. A dead process has no effect
// at all, which is what a kill is to everybody else.
type process struct {
	mu    sync.Mutex // guards the rest
	left  int        // calls until the kill; below 0 at the start: never
	after bool       // the last call has its effect
	dead  bool
	calls int
}

// call reports whether the call has its effect and whether its answer arrives.
func (p *process) call() (do bool, err error) {
	if p == nil {
		return true, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return false, errDead
	}
	p.calls++
	if p.left < 0 || p.calls <= p.left {
		return true, nil
	}
	p.dead = true
	return p.after, errDead
}

// killable is a store as a process sees it. It counts writes.
type killable struct {
	store.Store
	mu     sync.Mutex // guards the rest
	writes int
	fail   error // of every write
}

func newKillable(s store.Store, p *process) *killable {
	k := &killable{}
	k.Store = storetest.Faulty(s, func(_ context.Context, c storetest.Call) storetest.Fault {
		do, dead := p.call()
		if !do || !c.Write() {
			return storetest.KilledAt(do, dead)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.writes++
		return storetest.Fault{Before: k.fail, After: dead}
	})
	return k
}

// channel is a target that keeps what it took.
type channel struct {
	name    string
	process *process
	mu      sync.Mutex // guards the rest
	took    []notify.Message
	at      []time.Time // of every attempt
	refuse  func(m notify.Message) error
}

func (c *channel) Name() string { return c.name }

func (c *channel) Send(_ context.Context, m notify.Message) error {
	do, dead := c.process.call()
	if !do {
		return dead
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = append(c.at, time.Now())
	if c.refuse != nil {
		if err := c.refuse(m); err != nil {
			return err
		}
	}
	c.took = append(c.took, m)
	return dead
}

// titles are what it took, in order.
func (c *channel) titles() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := []string{}
	for _, m := range c.took {
		list = append(list, m.Headline())
	}
	return list
}

// archive is the history: it outlives every process.
type archive []history.Entry

// slot is the cursor behind the first n entries.
func slot(n int) history.Cursor { return history.Cursor(fmt.Sprint("place ", n)) }

// since returns what is behind a cursor; at first, what ended at now.
func (a archive) since(c history.Cursor, now time.Time) (list []history.Entry, from history.Cursor) {
	n := 0
	if _, err := fmt.Sscanf(string(c), "place %d", &n); err != nil {
		for n < len(a) && a[n].Ended.Before(now) {
			n++
		}
	}
	return a[n:], slot(n)
}

// round is what the daemon does about notifying in one round.
func round(ctx context.Context, b *notify.Book, w *notifytest.World, a *archive) error {
	s := w.Round()
	*a = append(*a, s.Ended...)
	return retell(ctx, b, s, *a)
}

func retell(ctx context.Context, b *notify.Book, s notify.Situation, a archive) error {
	told, err := b.Cursor(ctx, s.Environment)
	if err != nil {
		return err
	}
	s.Ended, s.From = a.since(told, s.Now)
	s.To = slot(len(a))
	if _, err := b.Tell(ctx, s); err != nil {
		return err
	}
	_, err = b.Deliver(ctx)
	return err
}

func book(s store.Store, targets ...notify.Target) *notify.Book {
	return notify.NewBook(s, repository, notify.Options{Targets: targets})
}

// drifted returns a situation in which one function has another version.
func drifted(t *testing.T, w *notifytest.World, after time.Duration, number int64) notify.Situation {
	t.Helper()
	w.Now = w.Now.Add(after)
	w.Meddle("makoto-api", notifytest.Common.Version(number))
	return w.Round()
}

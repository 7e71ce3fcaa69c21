package notify_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// lateStore answers one call, which was done, when somebody lets it.
type lateStore struct {
	store.Store
	op    atomic.Value  // of the next call that is answered late; "" = none
	holds atomic.Bool   // reports whether there was one
	let   chan struct{} // closed when it may be answered
}

func newLateStore() *lateStore {
	s := &lateStore{let: make(chan struct{})}
	s.op.Store(storetest.Op(""))
	s.Store = storetest.Faulty(store.NewMemory(), func(_ context.Context, c storetest.Call) (fault storetest.Fault) {
		if s.op.CompareAndSwap(c.Op, storetest.Op("")) {
			fault.Done = func(storetest.Answer) { s.holds.Store(true); <-s.let }
		}
		return fault
	})
	return s
}

// An answer of the store that arrives after that to a later call says what was, and
// neither delivers a message a second time nor hides one. A stop of the scheduler is
// enough for it: a busy machine sent two messages twice in a kill's story.
func TestLateAnswers(t *testing.T) {
	again := func(t *testing.T, b *notify.Book, w *notifytest.World) {
		if _, err := b.Tell(t.Context(), w.Round()); err != nil {
			t.Error(err)
		}
	}
	news := func(t *testing.T, b *notify.Book, w *notifytest.World) {
		x := w.Round()
		x.Now = x.Now.Add(time.Minute)
		x.Ended = []history.Entry{entry("f9", x.Now)}
		if _, err := b.Tell(t.Context(), x); err != nil {
			t.Error(err)
		}
	}
	cursor := func(t *testing.T, b *notify.Book, _ *notifytest.World) {
		if _, err := b.Cursor(t.Context(), "prod"); err != nil {
			t.Error(err)
		}
	}
	send := func(t *testing.T, b *notify.Book, _ *notifytest.World) {
		if _, err := b.Deliver(t.Context()); err != nil {
			t.Error(err)
		}
	}
	type act = func(*testing.T, *notify.Book, *notifytest.World)
	for _, c := range []struct {
		name      string
		late      act // whose answer to op is late
		op        storetest.Op
		meanwhile act
		want      []string // the messages that arrive
	}{
		{"nothing was new", again, storetest.OpGet, send, []string{"prod#1", "prod#2"}},
		{"something was new", news, storetest.OpReplace, send, []string{"prod#1", "prod#2", "prod#3"}},
		{"the cursor", cursor, storetest.OpGet, send, []string{"prod#1", "prod#2"}},
		{"a delivery", send, storetest.OpReplace, news, []string{"prod#1", "prod#2", "prod#3"}},
		{"a read of a delivery", send, storetest.OpGet, news, []string{"prod#1", "prod#2", "prod#3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, target := newLateStore(), &channel{name: "c"}
				b := queue(t, s, 2, target)
				w := notifytest.NewWorld()
				w.Now = time.Now().Add(2 * time.Second)
				s.op.Store(c.op)
				var wg sync.WaitGroup
				wg.Go(func() { c.late(t, b, w) })
				synctest.Wait()
				if !s.holds.Load() {
					t.Fatalf("there was no %s", c.op)
				}
				wg.Go(func() { c.meanwhile(t, b, w) })
				synctest.Wait()
				close(s.let)
				wg.Wait()
				send(t, b, w)
				if diff := cmp.Diff(c.want, ids(target)); diff != "" {
					t.Errorf("messages that arrived (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// What somebody else delivers since Forget is not taken up again by a note that was on
// its way.
func TestForgetMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, target := newLateStore(), &channel{name: "c"}
		b := queue(t, s, 2, target)
		s.op.Store(storetest.OpReplace)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := b.Deliver(t.Context()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		b.Forget("prod")
		close(s.let)
		wg.Wait()
		if diff := cmp.Diff([]string{"prod#1"}, ids(target)); diff != "" {
			t.Errorf("sent after Forget (-want +got):\n%s", diff)
		}
	})
}

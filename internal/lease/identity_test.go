package lease

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// processOf returns an identity of a process on one machine whose kill(2) is
// signal.
func processOf(pid int, signal func(pid int) error) *Identity {
	i := NewIdentity()
	i.process = &Process{Host: "host", Boot: boot, Pids: pids, Times: times, PID: pid, Start: 9000}
	i.machine = machine{proc: fakeProc(pid, nil), signal: signal}
	return i
}

// kill ends the renewal of a lease and releases nothing.
func kill(l *Lease) {
	l.stop()
	<-l.done
}

// TestP9RestartOnOneMachine: whoever is started again where it was killed does not
// wait for its own lease, and everybody else, everywhere else, does.
func TestP9RestartOnOneMachine(t *testing.T) {
	gone := func(int) error { return syscall.ESRCH }
	lives := func(int) error { return nil }
	for name, tt := range map[string]struct {
		by, next *Identity
		asked    bool // an older layerd asks for it meanwhile, which keeps what it knows
		want     time.Duration
	}{
		"it was killed":                      {processOf(10, lives), processOf(11, gone), false, AfterEnd},
		"it lives":                           {processOf(10, lives), processOf(11, lives), false, Term},
		"it was killed on another machine":   {processOf(10, lives), NewIdentity(), false, Term},
		"an older layerd was killed":         {NewIdentity(), processOf(11, gone), false, Term},
		"an older layerd wrote it meanwhile": {processOf(10, lives), processOf(11, gone), true, Term},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := store.NewMemory()
				l, err := tt.by.Keeper(s, Holder{Name: "before"}, 0).Try(t.Context(), account)
				if err != nil {
					t.Fatal(err)
				}
				kill(l)
				if tt.asked {
					forgetProcess(t, s)
				}
				began, next := time.Now(), tt.next.Keeper(s, Holder{Name: "next"}, 0)
				for {
					got, err := next.Try(t.Context(), account)
					if err == nil {
						defer got.Release(t.Context())
						break
					}
					if h, ok := errors.AsType[*HeldError](err); !ok || h.Ended != (tt.want == AfterEnd) || h.Ended != strings.Contains(h.Error(), "has just ended") {
						t.Fatalf("Try: %v (%+v)", err, h)
					}
					time.Sleep(100 * time.Millisecond)
				}
				if took := time.Since(began); took < tt.want || took > tt.want+time.Second {
					t.Errorf("taken over after %s, want %s", took, tt.want)
				}
			})
		})
	}
}

// forgetProcess writes the lease as a layerd does that knows no processes.
func forgetProcess(t *testing.T, s store.Store) {
	t.Helper()
	v, err := s.Get(t.Context(), key(account))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(v.Data, &fields); err != nil {
		t.Fatal(err)
	}
	if fields["process"] == nil {
		t.Fatalf("the process is not in the lease: %s", v.Data)
	}
	delete(fields, "process")
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Replace(t.Context(), key(account), v.Revision, data); err != nil {
		t.Fatal(err)
	}
}

// What an older layerd dropped when it asked is back with the next renewal, and the
// lease stays ours.
func TestP9TheProcessIsWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		k := processOf(10, nil).Keeper(s, Holder{Name: "a"}, 0)
		l := take(t, k)
		forgetProcess(t, s)
		time.Sleep(Term + time.Second) // not at the instant of a renewal
		if err := l.Check(); err != nil {
			t.Error(err)
		}
		forgetProcess(t, s) // it is there again, else this fails
	})
}

// Nobody has to be patient with a process that has ended, and a lease that is kept
// for one is kept for nobody.
func TestP9AcquireAndReservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		alive := map[int]bool{10: true, 11: true, 12: true}
		signal := func(pid int) error {
			if alive[pid] {
				return nil
			}
			return syscall.ESRCH
		}
		a, b, c := processOf(10, signal), processOf(11, signal), processOf(12, signal)
		l, err := a.Keeper(s, Holder{Name: "a"}, 0).Try(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Keeper(s, Holder{Name: "b"}, 0).Ask(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		time.Sleep(Term / 2)
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if h := held(t, c.Keeper(s, Holder{Name: "c"}, 0)); !h.Reserved {
			t.Errorf("c is told %v", h)
		}
		alive[11] = false
		l, err = c.Keeper(s, Holder{Name: "c"}, 0).Try(t.Context(), account)
		if err != nil {
			t.Fatalf("it is kept for b, which has ended: %v", err)
		}
		kill(l)
		alive[12] = false
		began := time.Now()
		l, err = a.Keeper(s, Holder{Name: "a"}, 0).Acquire(t.Context(), account, 0, nil)
		if took := time.Since(began); err != nil || took > 2*AfterEnd {
			t.Fatalf("after %s: %v", took, err)
		}
		_ = l.Release(t.Context())
	})
}

// TestP8ACancelledTakingIsOnesOwn cancels a taking at each of its calls, before and
// after it has its effect: the next caller of the process has the lease at once,
// nobody else has it, and there is one number for each who had it.
func TestP8ACancelledTakingIsOnesOwn(t *testing.T) {
	for _, earlier := range []bool{false, true} { // somebody had the lease before
		for at := range 4 {
			for _, after := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) { cancelTaking(t, earlier, at+1, after) })
			}
		}
	}
}

func cancelTaking(t *testing.T, earlier bool, at int, after bool) {
	memory := store.NewMemory()
	if earlier {
		l := take(t, keeper(memory, "earlier"))
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	calls, dead := 0, true
	s := storetest.Faulty(memory, func(ctx context.Context, _ storetest.Call) storetest.Fault {
		if calls++; calls >= at && dead {
			cancel()
			if after && calls == at {
				return storetest.Fault{After: context.Canceled}
			}
			return storetest.Fault{Before: context.Canceled} // and nothing is to be found out
		}
		return storetest.Fault{}
	})
	me := NewIdentity()
	l, err := me.Keeper(s, Holder{Name: "me"}, 0).Try(ctx, account)
	if err == nil {
		defer l.Release(t.Context())
		if at <= 2 {
			t.Fatalf("cancelled at call %d, and Try has the lease", at)
		}
		return // there are no more calls
	}
	dead = false
	next, err := me.Keeper(s, Holder{Name: "me"}, 0).Try(t.Context(), account)
	if err != nil {
		t.Fatalf("cancelled at call %d, after its effect %v: the next caller has %v", at, after, err)
	}
	defer next.Release(t.Context())
	held(t, keeper(memory, "other"))
	time.Sleep(3 * Term)
	if err := next.Check(); err != nil {
		t.Errorf("it is not kept: %v", err)
	}
}

// A taking whose write was done is had by whoever asked, although they do not wait
// any more: they release it, and another machine need not wait for it.
func TestP8ACancelledTakingIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := store.NewMemory()
		ctx, cancel := context.WithCancel(t.Context())
		s := storetest.Faulty(memory, func(_ context.Context, c storetest.Call) storetest.Fault {
			if c.Write() && ctx.Err() == nil {
				cancel()
				return storetest.Fault{After: context.Canceled}
			}
			return storetest.Fault{}
		})
		l, err := keeper(s, "a").Try(ctx, account)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		take(t, keeper(memory, "other"))
	})
}

// TestP8WithinOneProcess: what a holder has no other caller of its process gets,
// until it is released or has run out.
func TestP8WithinOneProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		me := NewIdentity()
		before, next := me.Keeper(s, Holder{Name: "before"}, 0), me.Keeper(s, Holder{Name: "next"}, 0)
		l, err := before.Try(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if _, err := next.Try(t.Context(), account); !errors.Is(err, ErrTwice) {
				t.Fatalf("while it is held: %v", err)
			}
			time.Sleep(Term / 3)
		}
		l.stop() // it hangs, and is not renewed any more
		until := l.Until()
		for time.Now().Before(until) {
			if _, err := next.Try(t.Context(), account); !errors.Is(err, ErrTwice) {
				t.Fatalf("%s before it ends: %v", time.Until(until), err)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second)
		now, err := next.Try(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		defer now.Release(t.Context())
		if l.Check() == nil {
			t.Error("two may act")
		}
		_ = l.Release(t.Context()) // late, and takes nothing from the other
		if _, err := next.Try(t.Context(), account); !errors.Is(err, ErrTwice) || now.Check() != nil {
			t.Errorf("after the late release: %v, %v", err, now.Check())
		}
	})
}

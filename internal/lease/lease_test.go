package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

const account = "123456789012"

func keeper(s store.Store, name string) *Keeper {
	return New(s, Holder{Name: name, Repository: "acme"}, 0)
}

func take(t *testing.T, k *Keeper) *Lease {
	t.Helper()
	l, err := k.Try(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release(context.WithoutCancel(t.Context())) })
	return l
}

func held(t *testing.T, k *Keeper) *HeldError {
	t.Helper()
	l, err := k.Try(t.Context(), account)
	h, ok := errors.AsType[*HeldError](err)
	if !ok {
		t.Fatalf("Try = %v, %v, want a HeldError", l, err)
	}
	return h
}

func TestALeaseIsRenewedAndGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		a, b := keeper(s, "a"), keeper(s, "b")
		l := take(t, a)
		if _, had := l.Previous(); had || l.Fence() != 1 {
			t.Errorf("the first lease has number %d and somebody before it", l.Fence())
		}
		ctx, cancel := l.Bind(t.Context())
		defer cancel()
		for range 100 { // far more than a term, and b tries all the time
			if h := held(t, b); h.By.Name != "a" || h.Fence != 1 {
				t.Fatalf("b is told %v", h)
			}
			time.Sleep(Term / 10)
			if l.Check() != nil || ctx.Err() != nil {
				t.Fatalf("lost although it was renewed: %v", l.Check())
			}
		}
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if <-ctx.Done(); !errors.Is(context.Cause(ctx), ErrLost) || !errors.Is(l.Check(), ErrLost) {
			t.Errorf("released, and the context says %v, Check %v", context.Cause(ctx), l.Check())
		}
		next := take(t, b)
		before, _ := next.Previous()
		if next.Fence() != 2 || before.By.Name != "a" || !before.Released || !before.Renewed.Equal(time.Now()) {
			t.Errorf("the next lease has number %d, after %+v", next.Fence(), before)
		}
		if err := l.Release(t.Context()); err != nil || next.Check() != nil {
			t.Errorf("releasing twice: %v; and the next holder: %v", err, next.Check())
		}
	})
}

// A dead holder is followed after a whole term that the challenger has watched
// itself, whatever the dead one's clock said.
func TestTakeOver(t *testing.T) {
	for _, clock := range []time.Duration{0, -24 * time.Hour, 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := store.NewMemory()
			dead, err := json.Marshal(doc{V: 1, Holder: Holder{ID: "dead", Name: "dead"}, Fence: 7, Beat: 3,
				Seconds: 90, Renewed: time.Now().Add(clock)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Create(t.Context(), key(account), dead); err != nil {
				t.Fatal(err)
			}
			b := keeper(s, "b")
			time.Sleep(time.Hour) // in which nobody watched
			began := time.Now()
			var l *Lease
			for l == nil {
				var err error
				if l, err = b.Try(t.Context(), account); err != nil {
					time.Sleep(time.Second)
				}
				if time.Since(began) > 5*time.Minute {
					t.Fatal("the lease of a dead holder is never taken over")
				}
			}
			defer l.Release(t.Context())
			// The dead one's term counts, since it is the longer.
			if took := time.Since(began); took < 90*time.Second || took > 92*time.Second || l.Fence() != 8 {
				t.Errorf("taken over after %s with number %d", took, l.Fence())
			}
		})
	}
}

func TestAnotherProcessMustNotTakeTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		a := keeper(s, "a")
		l := take(t, a)
		if _, err := a.Try(t.Context(), account); !errors.Is(err, ErrTwice) {
			t.Errorf("a second time in one process: %v", err)
		}
		_ = l.Release(t.Context())
		take(t, a)
	})
}

func TestOneOfManyWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		var wins sync.Map
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				l, err := keeper(s, fmt.Sprint(i)).Try(t.Context(), account)
				if err == nil {
					wins.Store(i, l)
				} else if _, ok := errors.AsType[*HeldError](err); !ok {
					t.Errorf("racer %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		n := 0
		wins.Range(func(_, l any) bool {
			n++
			_ = l.(*Lease).Release(t.Context())
			return true
		})
		if n != 1 {
			t.Errorf("%d of 40 have the lease", n)
		}
	})
}

// trouble is what happens to a call: it may be slow, fail, or do its work and
// lose the answer.
type trouble func() (delay time.Duration, fault storetest.Fault)

// troubles are those of a store, which change while a lease renews itself.
type troubles struct{ atomic.Pointer[trouble] }

func (s *troubles) set(next trouble) { s.Store(&next) }

func (s *troubles) over(to store.Store) store.Store {
	return storetest.Faulty(to, func(ctx context.Context, _ storetest.Call) storetest.Fault {
		next := s.Load()
		if next == nil || *next == nil {
			return storetest.Fault{}
		}
		delay, fault := (*next)()
		select {
		case <-time.After(delay):
			return fault
		case <-ctx.Done():
			return storetest.Fault{Before: ctx.Err()}
		}
	})
}

var errTrouble = errors.New("no answer")

func TestLostAnswersAreFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := func() (time.Duration, storetest.Fault) { return 0, storetest.Fault{After: errTrouble} }
		var now troubles
		s := now.over(store.NewMemory())
		a := keeper(s, "a")
		calls := 0
		now.set(func() (time.Duration, storetest.Fault) {
			if calls++; calls == 2 { // the Create, after the first look
				return lost()
			}
			return 0, storetest.Fault{}
		})
		l := take(t, a)
		if l.Fence() != 1 || l.Check() != nil {
			t.Fatalf("number %d, %v", l.Fence(), l.Check())
		}
		// Every third call loses its answer: the lease is renewed all the same.
		now.set(func() (time.Duration, storetest.Fault) {
			if calls++; calls%3 == 0 {
				return lost()
			}
			return 0, storetest.Fault{}
		})
		for range 30 {
			time.Sleep(Term / 10)
			if err := l.Check(); err != nil {
				t.Fatal(err)
			}
		}
		// A release whose answer is lost was done, or runs out by itself.
		now.set(lost)
		_ = l.Release(t.Context())
		now.set(nil)
		if next := take(t, keeper(s, "b")); next.Fence() != 2 {
			t.Errorf("number %d after a release that was done", next.Fence())
		}
	})
}

func TestWithoutTheStoreTheLeaseEndsBeforeOthersMayTakeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now troubles
		l := take(t, keeper(now.over(store.NewMemory()), "a"))
		ctx, cancel := l.Bind(t.Context())
		defer cancel()
		began := time.Now()
		now.set(func() (time.Duration, storetest.Fault) { return 0, storetest.Fault{Before: errTrouble} })
		<-ctx.Done()
		if ended := time.Since(began); ended != Term*2/3 || !errors.Is(context.Cause(ctx), ErrLost) {
			t.Errorf("the context ended after %s with %v, want a third of a term before the lease does", ended, context.Cause(ctx))
		}
		if left := time.Until(l.Until()); left > Term/3 {
			t.Errorf("%s are left", left)
		}
		// The store is back, nobody else came: it may be taken again at once.
		now.set(nil)
		_ = l.Release(t.Context())
		if again := take(t, l.keeper); again.Fence() != 2 {
			t.Errorf("number %d", again.Fence())
		}
	})
}

func TestAskingHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		a, b, c := keeper(s, "a"), keeper(s, "b"), keeper(s, "c")
		l := take(t, a)
		if err := b.Ask(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		time.Sleep(Term)
		who, asked := l.Asked()
		if !asked || who.Name != "b" || l.Check() != nil {
			t.Fatalf("asked %v by %+v, and the lease: %v", asked, who, l.Check())
		}
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, k := range []*Keeper{a, c} {
			if h := held(t, k); !h.Reserved {
				t.Errorf("%s is not refused what is reserved for b: %v", k.me.Name, h)
			}
		}
		if got := take(t, b); got.Fence() != 2 {
			t.Errorf("number %d", got.Fence())
		}
	})
}

// Who asked may be gone: the reservation ends after a term.
func TestAReservationEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		a, b, c := keeper(s, "a"), keeper(s, "b"), keeper(s, "c")
		l := take(t, a)
		if err := b.Ask(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		time.Sleep(Term)
		_ = l.Release(t.Context())
		if h := held(t, c); !h.Reserved {
			t.Errorf("c is told %v", h)
		}
		time.Sleep(Term)
		take(t, c)
	})
}

func TestBadValues(t *testing.T) {
	for text, want := range map[string]error{`{"v":9}`: store.ErrNewer, `{`: store.ErrCorrupt} {
		s := store.NewMemory()
		if _, err := s.Create(t.Context(), key(account), []byte(text)); err != nil {
			t.Fatal(err)
		}
		k := keeper(s, "a")
		if _, err := k.Try(t.Context(), account); !errors.Is(err, want) {
			t.Errorf("Try over %s: %v", text, err)
		}
		if _, _, err := k.Look(t.Context(), account); !errors.Is(err, want) {
			t.Errorf("Look at %s: %v", text, err)
		}
		if err := k.Ask(t.Context(), account); !errors.Is(err, want) {
			t.Errorf("Ask over %s: %v", text, err)
		}
	}
}

// The law of the package: at no instant do two holders believe that they may
// act, and the number only grows, whatever the store does to whom.
func TestNeverTwo(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) { neverTwo(t, seed) })
	}
}

// contender tries, works for a while, and lets go, for ever.
type contender struct {
	mu    sync.Mutex // guards lease and bound
	lease *Lease
	bound context.Context
}

func (c *contender) may() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease != nil && (c.lease.Check() == nil || c.bound.Err() == nil)
}

func neverTwo(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex // guards r: contenders draw from it
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	memory := store.NewMemory()
	var all []*contender
	var wg sync.WaitGroup
	var fences []int64
	for i := range 3 {
		c := &contender{}
		all = append(all, c)
		var always troubles
		always.set(func() (time.Duration, storetest.Fault) {
			delay := time.Duration(draw(2000)) * time.Millisecond
			switch n := draw(100); {
			case n < 15:
				return delay, storetest.Fault{Before: errTrouble}
			case n < 30:
				return delay, storetest.Fault{After: errTrouble}
			case n < 33:
				return time.Duration(draw(120)) * time.Second, storetest.Fault{} // as if it were paused
			}
			return delay, storetest.Fault{}
		})
		k := keeper(always.over(memory), fmt.Sprint(i))
		wg.Go(func() {
			for ctx.Err() == nil {
				l, err := k.Try(ctx, account)
				if err != nil {
					if draw(4) == 0 {
						_ = k.Ask(ctx, account)
					}
					time.Sleep(time.Duration(draw(10)) * time.Second)
					continue
				}
				mu.Lock()
				fences = append(fences, l.Fence())
				mu.Unlock()
				bound, unbind := l.Bind(ctx)
				c.mu.Lock()
				c.lease, c.bound = l, bound
				c.mu.Unlock()
				select {
				case <-bound.Done():
				case <-time.After(time.Duration(draw(400)) * time.Second):
				}
				unbind()
				_ = l.Release(context.WithoutCancel(ctx))
				c.mu.Lock()
				c.lease = nil
				c.mu.Unlock()
			}
		})
	}
	for ctx.Err() == nil {
		var who []string
		for i, c := range all {
			if c.may() {
				who = append(who, fmt.Sprint(i))
			}
		}
		if len(who) > 1 {
			t.Fatalf("seed %d: %s believe that they may act", seed, strings.Join(who, " and "))
		}
		time.Sleep(250 * time.Millisecond)
	}
	wg.Wait()
	for i := range len(fences) - 1 {
		if fences[i+1] <= fences[i] {
			t.Errorf("seed %d: numbers %v", seed, fences)
		}
	}
	if len(fences) < 3 {
		t.Errorf("seed %d: only %d changes of hands: this proves little", seed, len(fences))
	}
}

func TestAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		a, b := keeper(s, "a"), keeper(s, "b")
		l := take(t, a)
		began := time.Now()
		// A holder that is alive is not waited for by somebody without patience.
		if _, err := b.Acquire(t.Context(), account, 0, nil); time.Since(began) != 0 || err == nil {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		// With patience it is asked, and hands over when it can.
		time.AfterFunc(90*time.Second, func() {
			if _, asked := l.Asked(); asked {
				_ = l.Release(t.Context())
			}
		})
		told := 0
		got, err := b.Acquire(t.Context(), account, 5*time.Minute, func(h *HeldError) {
			if told++; h.By.Name != "a" {
				t.Errorf("told to wait for %s", h.By.Name)
			}
		})
		if took := time.Since(began); err != nil || took < 90*time.Second || took > 92*time.Second || told != 1 {
			t.Fatalf("after %s, told %d times: %v", took, told, err)
		}
		_ = got.Release(t.Context())
	})
}

// Nobody has to be patient with the dead.
func TestAcquireFromTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		dead, err := json.Marshal(doc{V: 1, Holder: Holder{ID: "dead", Name: "dead"}, Fence: 7, Seconds: 60, Renewed: time.Now().Add(-2 * time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create(t.Context(), key(account), dead); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		l, err := keeper(s, "b").Acquire(t.Context(), account, 0, nil)
		if took := time.Since(began); err != nil || took < Term || took > Term+2*time.Second {
			t.Fatalf("after %s: %v", took, err)
		}
		_ = l.Release(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		other := take(t, keeper(s, "c"))
		if _, err := keeper(s, "d").Acquire(ctx, account, time.Hour, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting ends with the context: %v", err)
		}
		_ = other.Release(t.Context())
	})
}

package lease

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// Two who wait ask in turns, each a moment after the other: the holder renews
// all the same.
func TestManyWhoAskDoNotKeepTheHolderFromRenewing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		l := take(t, keeper(s, "a"))
		var wg sync.WaitGroup
		defer wg.Wait()
		for i, name := range []string{"b", "c", "d"} {
			time.Sleep(time.Duration(i) * 300 * time.Millisecond)
			wg.Go(func() {
				_, err := keeper(s, name).Acquire(t.Context(), account, 3*Term, nil)
				if _, ok := errors.AsType[*HeldError](err); !ok {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		for range 3 * 60 {
			time.Sleep(Term / 60)
			if err := l.Check(); err != nil {
				t.Error(err)
				break
			}
		}
	})
}

// A lease that has only its margin left is not given back but left to run out:
// what was sent while it was ours may be on its way until then.
func TestWhatIsLostIsNotGivenToOthersEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		l := take(t, keeper(s, "a"))
		b := keeper(s, "b")
		held(t, b)
		l.mu.Lock()
		l.renewed.awake = l.renewed.awake.Add(-Term * 3 / 4) // it was paused for so long
		l.mu.Unlock()
		until := l.Until()
		if l.Check() == nil {
			t.Fatal("it is not lost")
		}
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
		for time.Now().Before(until) {
			if _, err := b.Try(t.Context(), account); err == nil {
				t.Fatalf("b has it %s before it ends", time.Until(until))
			}
			time.Sleep(time.Second)
		}
	})
}

// Who gave up waiting does not keep others from the lease.
func TestAWishEndsWithWhoeverHadIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		a, b := keeper(s, "a"), keeper(s, "b")
		l := take(t, a)
		if _, err := b.Acquire(t.Context(), account, 5*time.Second, nil); err == nil {
			t.Fatal("b has what a has")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := keeper(s, "c").Acquire(ctx, account, time.Hour, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		time.Sleep(Term)
		if who, asked := l.Asked(); asked {
			t.Errorf("%s is still waited for", who.Name)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		take(t, keeper(s, "d"))
	})
}

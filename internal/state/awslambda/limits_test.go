package awslambda

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

// 100 reads at 5 a second take about 19 seconds: one second's allowance is
// free.
func TestLimiterPacesTheSharedQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.answer["ListAliases"] = page("Aliases", nil, "")
		c := w.client(t, func(o *Options) { o.Limits = NewLimits(5, 60) })
		var n state.Needs
		for i := range 99 {
			n.Aliases = append(n.Aliases, string(rune('A'+i)))
		}
		began := time.Now()
		if err := c.Look(t.Context(), &state.Snapshot{}, n); err != nil {
			t.Fatal(err)
		}
		// 99 calls and the identity: (100-5)/5.
		if took := time.Since(began).Round(10 * time.Millisecond); took != 19*time.Second {
			t.Errorf("took %v, want 19s", took)
		}
		if s := c.Calls(); s.Total() != 100 || s.Waited < 19*time.Second || s.Throttled != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// GetFunction has a quota of its own and spends nothing of the shared one.
func TestGetFunctionHasItsOwnBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.answer["GetFunction"] = jsonReply(map[string]any{"Configuration": config("f")})
		c := w.client(t, func(o *Options) { o.Limits = NewLimits(1, 60) })
		began := time.Now()
		for range 121 {
			if _, err := c.Function(t.Context(), "f"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began).Round(100 * time.Millisecond); took != time.Second {
			t.Errorf("121 reads took %v, want about 1s at 60 a second with one second free", took)
		}
	})
}

// All clients of one account and Region spend from the same bucket.
func TestLimitsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.answer["ListFunctions"] = page("Functions", nil, "")
		limits := NewLimits(2, 60)
		began := time.Now()
		var wg sync.WaitGroup
		for range 5 {
			c := w.client(t, func(o *Options) { o.Limits = limits })
			wg.Go(func() {
				if _, err := c.Observe(t.Context(), state.Query{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began).Round(10 * time.Millisecond); took != 4*time.Second {
			t.Errorf("10 calls at 2 a second took %v, want 4s", took)
		}
		if got := limits.Stats().Total(); got != 10 {
			t.Errorf("limits counted %d calls, want 10", got)
		}
	})
}

// A 429 halves the rate, its Retry-After is waited out by everybody, the
// retries are counted, and success brings the rate back.
func TestThrottlingSlowsAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		ok := jsonReply(map[string]any{"Functions": []any{}})
		w.answer["ListFunctions"] = inTurn(always(func() *http.Response {
			return failure(429, "TooManyRequestsException", "Rate exceeded", "Retry-After", "4")
		}), ok)
		limits := NewLimits(4, 60)
		c := w.client(t, func(o *Options) { o.Limits = limits })
		began := time.Now()
		observe(t, c, state.Query{})
		if took := time.Since(began); took < 4*time.Second || took > 6*time.Second {
			t.Errorf("took %v, want what Retry-After asks for and little more", took)
		}
		if s := c.Calls(); s.Calls["ListFunctions"] != 2 || s.Throttled != 1 {
			t.Errorf("stats %+v, want the retry counted", s)
		}
		if shared, get := limits.Rates(); shared >= 3 || get != 60 {
			t.Errorf("rates %v and %v after one 429, want about 2 and 60", shared, get)
		}
		began = time.Now()
		for range 100 {
			if shared, _ := limits.Rates(); shared == 4 {
				break
			}
			observe(t, c, state.Query{})
		}
		if took := time.Since(began); took < 5*time.Second || took > 15*time.Second {
			t.Errorf("back at full rate after %v, want about 10s: half of the way", took)
		}
	})
}

func TestRateNeverFallsBelowTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(5)
		for range 20 {
			pass(t, time.Millisecond)
			b.throttled(time.Now(), 0)
		}
		if got := b.rate(); got != slowest {
			t.Errorf("rate %v, want %v", got, slowest)
		}
		small := newBucket(0.1) // configured below the floor: that is the floor
		small.throttled(time.Now(), 0)
		if got := small.rate(); got != 0.1 {
			t.Errorf("rate %v, want 0.1", got)
		}
	})
}

// Eight calls that were under way together are one event.
func TestOneEventHalvesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(8)
		began := time.Now()
		pass(t, time.Second)
		for range 8 {
			b.throttled(began, time.Second)
		}
		if got := b.rate(); got != 4 {
			t.Errorf("rate %v, want 4", got)
		}
	})
}

// Those who wait do not all start at the moment a pause ends.
func TestPauseEndsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(2)
		b.throttled(time.Now(), 10*time.Second) // now 1 a second
		began := time.Now()
		var mu sync.Mutex
		var starts []time.Duration
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := b.wait(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				starts = append(starts, time.Since(began).Round(time.Second))
			})
		}
		wg.Wait()
		for i, s := range starts {
			if want := time.Duration(10+i) * time.Second; s < want {
				t.Errorf("start %d at %v, want not before %v", i, s, want)
			}
		}
	})
}

func TestRetryAfterForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for value, want := range map[string]time.Duration{
			"7": 7 * time.Second, "999999": longestPause, "-3": 0, "": 0, "soon": 0,
			"date": 9 * time.Second,
		} {
			pass(t, time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // dates have whole seconds
			if value == "date" {
				value = time.Now().Add(want).UTC().Format(http.TimeFormat)
			}
			w := newWire()
			w.answer["GetFunction"] = inTurn(always(func() *http.Response {
				return failure(429, "TooManyRequestsException", "", "Retry-After", value)
			}), jsonReply(map[string]any{"Configuration": config("f")}))
			c := w.client(t)
			began := time.Now()
			if _, err := c.Function(t.Context(), "f"); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < want || took > want+2*time.Second {
				t.Errorf("Retry-After %q: took %v, want %v and the SDK's own second at most", value, took, want)
			}
		}
	})
}

// A deadline that would pass before our turn ends the wait at once.
func TestWaitKnowsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(0.01)
		if err := b.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := b.wait(ctx); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
	})
}

// pass lets virtual time go by.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	if err := awscall.Sleep(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// Between being allowed and being sent lies the limiter, and a process that was
// stopped there wakes up with a permission that somebody else has by now.
func TestTheCheckHasTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.answer["UpdateFunctionConfiguration"] = jsonReply(config("f"))
		c := w.client(t, func(o *Options) { o.Limits = NewLimits(1, 60) })
		lost := errors.New("the lease is lost")
		var until time.Time
		writes := c.While(func() error {
			if time.Now().Before(until) {
				return nil
			}
			return lost
		})
		until = time.Now().Add(2500 * time.Millisecond) // the identity and two changes, a second apart
		var got []error
		for range 4 {
			_, err := writes.SetLayers(t.Context(), "f", nil, "")
			got = append(got, err)
		}
		if got[0] != nil || got[1] != nil {
			t.Errorf("while it was allowed: %v", got[:2])
		}
		for _, err := range got[2:] {
			if state.KindOf(err) != state.Barred || !errors.Is(err, lost) {
				t.Errorf("afterwards: %v", err)
			}
		}
		if n := c.Calls().Calls["UpdateFunctionConfiguration"]; n != 2 {
			t.Errorf("%d changes were sent, want 2", n)
		}
	})
}

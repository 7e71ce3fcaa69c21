package round_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// killed plays a round that is killed at the n-th call of an operation: from then on
// nothing reaches the store or AWS. done is whether AWS still did that call.
func (f *fixture) killed(t *testing.T, operation string, n int32, done bool) {
	t.Helper()
	var dead atomic.Bool
	var count atomic.Int32
	f.world.OnCall(func(c awssim.Call) awssim.Fault {
		switch {
		case dead.Load():
			return awssim.Reset()
		case c.Operation == operation && count.Add(1) >= n && dead.CompareAndSwap(false, true) && done:
			return awssim.LostAnswer()
		case dead.Load():
			return awssim.Reset()
		}
		return awssim.Fault{}
	})
	r := f.round()
	r.Store = storetest.Faulty(f.store, func(context.Context, storetest.Call) storetest.Fault {
		if dead.Load() {
			return storetest.Fault{Before: errors.New("killed")}
		}
		return storetest.Fault{}
	})
	_, _ = r.Apply(t.Context()) // what it says nobody hears
	f.world.OnCall(nil)
	if !dead.Load() {
		t.Fatalf("%s was not called %d times", operation, n)
	}
}

// ends counts how the records of the history ended, and names those that say of a
// write that was not made that it failed.
func ends(t *testing.T, s store.Store) (count map[string]int) {
	t.Helper()
	count = map[string]int{}
	for e, err := range history.Open(s, "test").Entries(t.Context(), history.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Cause == history.CauseRuling || e.Kind == plan.KindServe {
			continue
		}
		what := string(e.Status)
		if e.Interrupted && e.Status != plan.StatusApplied {
			what = "interrupted"
		}
		if strings.Contains(e.Error, "not done") != (e.Interrupted && e.Status == plan.StatusSkipped) || strings.Contains(e.Error, "does not have what was meant") {
			t.Errorf("%s: %s, interrupted %v: %s", e.Function, e.Status, e.Interrupted, e.Error)
		}
		count[what]++
	}
	return count
}

// H3: what was begun when layerd was killed is interrupted, not done, and no failure;
// what AWS did is applied. The next round does the rest.
func TestH3KilledInTheMiddleOfARollout(t *testing.T) {
	t.Parallel()
	const functions = 79
	for _, n := range []int32{1, 2, 63, 78, 79} {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("H3 at write %d, done %v", n, done), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, functions, awssim.Options{Settle: 2 * time.Second})
					f.killed(t, "UpdateFunctionConfiguration", n, done)
					time.Sleep(time.Minute)
					written := functions - len(f.behind(5))
					open, err := history.Open(f.store, "test").Unfinished(t.Context())
					if err != nil || len(open) == 0 {
						t.Fatalf("open records: %d, %v", len(open), err)
					}
					begun := len(open) + ends(t, f.store)["applied"]
					f.apply(t.Context())
					want := map[string]int{"applied": functions}
					if begun > written {
						want["interrupted"] = begun - written
					}
					if got := ends(t, f.store); fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("of %d that were begun AWS did %d; the history has %v, want %v", begun, written, got, want)
					}
					if left := f.behind(5); left != nil {
						t.Errorf("left behind: %v", left)
					}
					f.world.ResetCalls()
					f.apply(t.Context())
					if f.world.Writes() != 0 {
						t.Error("the last round wrote once more")
					}
				})
			})
		}
	}
}

// H3: what somebody did between the kill and the look is told apart from what
// layerd did.
func TestH3KilledAndThenChangedBySomebody(t *testing.T) {
	set := func(number int64, more ...string) func(*fixture) {
		return func(f *fixture) {
			f.world.EditFunction("makoto-0000", func(fn *awssim.Function) {
				fn.Layers = append(slices.Clone(more), f.world.LayerARN("common", number))
			})
		}
	}
	for _, tt := range []struct {
		name        string
		done        bool
		then        func(*fixture)
		status      plan.Status
		interrupted bool
		says        string
	}{
		{"nothing", false, func(*fixture) {}, plan.StatusSkipped, true, "interrupted, not done"},
		{"nothing, and it was done", true, func(*fixture) {}, plan.StatusApplied, false, ""},
		{"another layer was added", false, set(4, datadog), plan.StatusSkipped, true, "interrupted, not done"},
		{"it was done, and another layer was added", true, set(5, datadog), plan.StatusApplied, false, "another writer changed other layers"},
		{"a version that nobody asked for", false, set(2), plan.StatusFailed, true, "somebody else has changed the function since"},
		{"it is gone", false, func(f *fixture) { f.world.DropFunction("makoto-0000") }, plan.StatusSkipped, true, "the function is gone"},
	} {
		t.Run("H3 "+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 1, awssim.Options{Settle: 2 * time.Second})
				f.killed(t, "UpdateFunctionConfiguration", 1, tt.done)
				time.Sleep(time.Minute)
				tt.then(f)
				f.apply(t.Context())
				var first history.Entry
				for e, err := range history.Open(f.store, "test").Entries(t.Context(), history.Query{Function: "makoto-0000"}) {
					if err != nil {
						t.Fatal(err)
					}
					first = e
				}
				if first.Status != tt.status || first.Interrupted != tt.interrupted || !strings.Contains(first.Error, tt.says) || tt.says == "" && first.Error != "" {
					t.Errorf("%s, interrupted %v: %s", first.Status, first.Interrupted, first.Error)
				}
			})
		})
	}
}

// H3: behind an alias a write has two halves. Killed before the first, nothing was
// done; killed between them, callers have the old layers, and the next round goes on.
func TestH3KilledBeforeTheAlias(t *testing.T) {
	for operation, want := range map[string]string{
		"UpdateFunctionConfiguration": "interrupted, not done", "PublishVersion": "interrupted: layerd was stopped before live served the new layers",
		"UpdateAlias": "interrupted: layerd was stopped before live served the new layers",
	} {
		t.Run("H3 "+operation, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 3, awssim.Options{Settle: 2 * time.Second})
				f.serveLive(3)
				f.spreads(func(e *desired.Environment) { e.Rollout = desired.Rollout{} })
				f.killed(t, operation, 2, false)
				time.Sleep(time.Minute)
				f.apply(t.Context())
				said := 0
				for e, err := range history.Open(f.store, "test").Entries(t.Context(), history.Query{}) {
					switch {
					case err != nil:
						t.Fatal(err)
					case strings.HasPrefix(e.Error, want) && e.Interrupted:
						said++
					case e.Error != "" && !strings.HasPrefix(e.Error, "interrupted"): // others are begun at the same time
						t.Errorf("%s %s: %s", e.Step, e.Status, e.Error)
					}
				}
				if said == 0 {
					t.Error("nothing is said of the interruption")
				}
				f.world.ResetCalls()
				if f.apply(t.Context()); f.world.Writes() != 0 {
					t.Error("the last round wrote once more")
				}
			})
		})
	}
}

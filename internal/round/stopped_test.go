package round_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/store/storetest"
)

// counted calls do at the n-th call of AWS or the store, and reports by reached
// whether there were so many.
func (f *fixture) counted(n int, do func()) (reached func() bool) {
	calls := make(chan int, 1) // the count: calls come from many goroutines
	calls <- 0
	step := func() {
		c := <-calls + 1
		calls <- c
		if c == n {
			do()
		}
	}
	f.world.OnCall(func(awssim.Call) awssim.Fault { step(); return awssim.Fault{} })
	f.store = storetest.Faulty(f.store, func(context.Context, storetest.Call) storetest.Fault { step(); return storetest.Fault{} })
	return func() bool {
		c := <-calls
		calls <- c
		return c >= n
	}
}

// Whenever it is told to stop, a round says that it was interrupted, and not that
// AWS or the store failed: neither did.
func TestToldToStopIsNoFailure(t *testing.T) {
	for name, do := range map[string]func(round.Round, context.Context) (round.Result, error){
		"plan": round.Round.Plan, "apply": round.Round.Apply, "plan, aliased": round.Round.Plan, "apply, aliased": round.Round.Apply,
	} {
		t.Run(name, func(t *testing.T) {
			aliased := strings.HasSuffix(name, "aliased")
			shown := 0
			for n := 1; ; n++ {
				reached := false
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, 3, awssim.Options{})
					f.world.PutAlarm(awssim.Alarm{Name: "quiet", State: "OK"})
					f.spreads(func(e *desired.Environment) {
						e.Rollout = desired.Rollout{Alarms: []string{"quiet"}}
						if aliased {
							e.Alias = "live"
						}
					})
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					was := f.counted(n, cancel)
					r, err := do(f.round(), ctx)
					if reached = was(); !reached {
						return
					}
					if !errors.Is(err, context.Canceled) {
						t.Errorf("call %d: the round ends with %v", n, err)
					}
					for _, s := range r.Steps() {
						if s.Held != nil && strings.Contains(s.Held.Reason, "context") {
							t.Errorf("call %d: held by %s: %s", n, s.Held.By, s.Held.Reason)
						}
					}
					for _, failure := range failures(r) {
						shown++
						if failure.Code != "interrupted" || !failure.Retryable || strings.Contains(failure.Message, "context") {
							t.Errorf("call %d: failure %+v", n, failure)
						}
					}
				})
				if !reached {
					break
				}
			}
			if shown < 5 {
				t.Errorf("only %d interruptions were shown", shown)
			}
		})
	}
}

// A lease that is lost is a failure of the environment, by its name, and never a
// round that ends as if all were done.
func TestALostLeaseIsAFailure(t *testing.T) {
	cut := 0
	for n := 1; ; n++ {
		reached := false
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, 3, awssim.Options{})
			l := &losable{lost: make(chan struct{})}
			was := f.counted(n, func() { close(l.lost) })
			r := f.round()
			r.Lease = func(context.Context, string) (round.Lease, error) { return l, nil }
			result, err := r.Apply(t.Context())
			if reached = was(); !reached {
				return
			}
			if err != nil {
				t.Fatalf("call %d: %v", n, err)
			}
			left := slices.ContainsFunc(result.Steps(), func(s plan.Step) bool { return s.Held == nil && !s.Done() })
			failed := failures(result)
			for _, failure := range failed {
				cut++
				if failure.Code != "lease_lost" || !failure.Retryable {
					t.Errorf("call %d: failure %+v", n, failure)
				}
			}
			if left && len(failed) == 0 {
				t.Errorf("call %d: not everything was done, and nothing failed: %+v", n, result.Steps())
			}
		})
		if !reached {
			break
		}
	}
	if cut < 5 {
		t.Errorf("only %d rounds were cut short", cut)
	}
}

// losable is a lease until it is lost.
type losable struct {
	lasting
	lost chan struct{}
}

func (l *losable) Check() error {
	select {
	case <-l.lost:
		return lease.ErrLost
	default:
		return nil
	}
}

func (l *losable) Bind(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		select {
		case <-l.lost:
			cancel(lease.ErrLost)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

func failures(r round.Result) (list []plan.Failure) {
	for _, p := range r.Plans {
		for _, region := range p.Regions {
			if region.Failure != nil {
				list = append(list, *region.Failure)
			}
		}
	}
	return list
}

// What was done of a later wave is in the result also when it is stopped there.
func TestStoppedInALaterWave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 12, awssim.Options{})
		f.spreads(func(e *desired.Environment) { e.Rollout.Waves, e.Rollout.Bake = waves(2), time.Minute })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == "UpdateFunctionConfiguration" && len(f.behind(5)) < 8 {
				cancel()
			}
			return awssim.Fault{}
		})
		r, err := f.round().ApplyThrough(ctx, nil)
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if changed, said := 12-len(f.behind(5)), statuses(r)[plan.StatusApplied]; said != changed || changed < 4 || changed == 12 {
			t.Errorf("%d functions are changed, the result has %d", changed, said)
		}
	})
}

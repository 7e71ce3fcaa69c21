package round_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/round"
)

// refusing lets AWS refuse an operation on one function.
func refusing(op, function string, fault func(awssim.Call) awssim.Fault) func(awssim.Call) awssim.Fault {
	return func(c awssim.Call) awssim.Fault {
		if c.Operation == op && strings.TrimSuffix(c.Resource, ":live") == function {
			return fault(c)
		}
		return awssim.Fault{}
	}
}

// passes makes rounds for so long: a minute apart in the first hour, and then as
// often as a test can afford.
func (f *fixture) passes(t *testing.T, d time.Duration) (last round.Result) {
	t.Helper()
	return f.passesEvery(t, d, 31*time.Minute)
}

// passesEvery is passes with how far apart rounds are after the first hour.
func (f *fixture) passesEvery(t *testing.T, d, apart time.Duration) (last round.Result) {
	t.Helper()
	began := time.Now()
	for time.Since(began) < d {
		last = f.apply(t.Context())
		time.Sleep(time.Minute)
		if time.Since(began) > time.Hour {
			time.Sleep(apart - time.Minute)
		}
	}
	return last
}

func (f *fixture) writesTo(function string) (n int) {
	for _, c := range f.world.Calls() {
		if c.Write && strings.TrimSuffix(c.Resource, ":live") == function {
			n++
		}
	}
	return n
}

// kmsGone is what AWS answers about a function whose key is gone.
var kmsGone = answers(502, "KMSNotFoundException")

// refusals are answers of AWS that stay with one function.
var refusals = map[string]func(awssim.Call) awssim.Fault{
	"key": kmsGone, "parameter": answers(400, "InvalidParameterValueException"), "denied": awssim.Denied,
	"signing": answers(400, "CodeVerificationFailedException"), "500": func(awssim.Call) awssim.Fault { return awssim.ServerError() },
	"conflict": answers(409, "ResourceConflictException"), "throttled": func(awssim.Call) awssim.Fault { return awssim.Throttle() },
	"unknown": answers(418, "TeapotException"),
}

// TestO3OneRefusedFunctionStopsNoRollout: one of 13 functions is refused for good, in
// waves. After three tries it is blocked with AWS's words, the others get it, and
// in three days it is tried daily and not more often.
func TestO3OneRefusedFunctionStopsNoRollout(t *testing.T) {
	t.Parallel()
	for _, name := range nightly.Sample(slices.Sorted(maps.Keys(refusals)), 1) {
		fault := refusals[name]
		for _, at := range nightly.SampleOrCI([]int{0, 12}, 1) {
			t.Run(fmt.Sprintf("O3 %s, %d", name, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, 13, awssim.Options{})
					f.spreads(func(e *desired.Environment) { e.Rollout.Waves = waves(3, 1.0); e.Rollout.Bake = time.Minute })
					bad := fmt.Sprintf("makoto-%04d", at)
					f.world.OnCall(refusing("UpdateFunctionConfiguration", bad, fault))
					f.passes(t, time.Hour)
					if left := f.behind(5); !slices.Equal(left, []string{bad}) {
						t.Fatalf("behind after an hour: %v", left)
					}
					if ro := f.rollout(t); ro.Stage != rollout.StageDone {
						t.Errorf("the rollout is %s: %s", ro.Stage, ro.Reason)
					}
					f.world.ResetCalls()
					f.passes(t, 3*24*time.Hour)
					// A try is up to five calls where AWS gives no answer, and each is sent up to
					// eight times where it asks for fewer.
					tries := f.writesTo(bad)
					if name == "throttled" {
						tries /= 8 * 5
					} else if name == "500" || name == "conflict" {
						tries /= 5
					}
					if tries < 2 || tries > 3 {
						t.Errorf("tried %d times in three days", tries)
					}
					region := f.apply(t.Context()).Plans[0].Regions[0]
					if len(region.Blocked) != 1 || region.Blocked[0].Function != bad || region.InSync || !strings.Contains(region.Blocked[0].Reason, "AWS refused it") {
						t.Errorf("%+v, in sync %v", region.Blocked, region.InSync)
					}
					if len(region.Steps) > 0 {
						t.Errorf("steps: %+v", region.Steps)
					}
				})
			})
		}
	}
}

// blocked plays until a function is blocked by its key.
func blocked(t *testing.T, functions int) (*fixture, string) {
	f := newFixture(t, functions, awssim.Options{})
	bad := "makoto-0002"
	f.world.OnCall(refusing("UpdateFunctionConfiguration", bad, kmsGone))
	last := f.passes(t, 10*time.Minute)
	if b := last.Plans[0].Regions[0].Blocked; len(b) != 1 || b[0].Function != bad || !strings.Contains(b[0].Reason, "KMSNotFoundException: in AWS's own words") {
		t.Fatalf("blocked: %+v", b)
	}
	if n := f.writesTo(bad); n != 3 {
		t.Fatalf("tried %d times", n)
	}
	f.world.ResetCalls()
	return f, bad
}

// What has AWS try again: the function is changed, Git asks for something else, a
// person says so, a day has gone by. Nothing else does: not a restart, which knows
// what was counted, nor another function's change.
func TestO3TriedAgain(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	for _, c := range []struct {
		name string
		do   func(*fixture, string)
		wait time.Duration
		want int // tries
	}{
		{"nothing", func(*fixture, string) {}, 23 * time.Hour, 0},
		{"the function", func(f *fixture, bad string) {
			f.world.EditFunction(bad, func(fn *awssim.Function) { fn.Environment = map[string]string{"KEY": "new"} })
		}, 10 * time.Minute, 3},
		{"another function", func(f *fixture, _ string) {
			f.world.EditFunction("makoto-0001", func(fn *awssim.Function) { fn.Environment = map[string]string{"KEY": "new"} })
		}, time.Hour, 0},
		{"the wish", func(f *fixture, _ string) { f.want("1.3.0") }, 10 * time.Minute, 3},
		{"the wish and back", func(f *fixture, bad string) {
			f.want("1.4.0") // which it has
			f.passes(f.t.(*testing.T), 2*time.Minute)
			f.want("1.5.0")
		}, 10 * time.Minute, 0},
		{"a person", func(f *fixture, _ string) {
			done, err := f.round().Retry(f.t.Context(), round.Retry{Environment: "prod", By: "sato", Reason: "the key is back"})
			if err != nil || len(done.Tried) != 1 || len(done.Tried[0].Functions) != 1 {
				f.t.Errorf("%+v, %v", done, err)
			}
		}, 10 * time.Minute, 3},
		{"a day", func(*fixture, string) {}, 25 * time.Hour, 1},
	} {
		t.Run("O3 "+c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, bad := blocked(t, 5)
				c.do(f, bad)
				f.world.ResetCalls()
				f.passes(t, c.wait)
				if n := f.writesTo(bad); n != c.want {
					t.Errorf("tried %d times, want %d", n, c.want)
				}
				f.world.OnCall(nil) // and once AWS takes it, at the latest a day later it has it
				f.passes(t, 25*time.Hour)
				want := int64(5)
				if c.name == "the wish" {
					want = 3
				}
				if left := f.behind(want); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
				f.world.ResetCalls()
				if last := f.apply(t.Context()); f.world.Writes() != 0 || !last.Plans[0].Regions[0].InSync {
					t.Errorf("%d writes, %+v", f.world.Writes(), last.Plans[0].Regions[0].Blocked)
				}
			})
		})
	}
}

// A repair that AWS refuses is counted as a change is.
func TestO3AHealThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 5, awssim.Options{})
		f.apply(t.Context())
		bad := "makoto-0003"
		f.world.EditFunction(bad, func(fn *awssim.Function) { fn.Layers = []string{f.world.LayerARN("common", 2)} })
		f.world.OnCall(refusing("UpdateFunctionConfiguration", bad, kmsGone))
		f.world.ResetCalls()
		last := f.passes(t, 23*time.Hour)
		if n := f.writesTo(bad); n != 3 {
			t.Errorf("%d tries", n)
		}
		region := last.Plans[0].Regions[0]
		if len(region.Blocked) != 1 || len(region.Drift) == 0 || region.InSync {
			t.Errorf("%+v, %+v", region.Blocked, region.Drift)
		}
	})
}

// More blocked functions than the environment takes hold what is left.
func TestO3MaxBlocked(t *testing.T) {
	for _, most := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, 13, awssim.Options{})
			f.spreads(func(e *desired.Environment) { e.Rollout.Waves = waves(3, 1.0); e.MaxBlocked = &most })
			f.world.OnCall(refusing("UpdateFunctionConfiguration", "", nil))
			first := f.round()
			p, err := first.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			bad := ""
			for _, s := range p.Plans[0].Regions[0].Steps {
				if s.Wave == 1 {
					bad = s.Function
				}
			}
			f.world.OnCall(refusing("UpdateFunctionConfiguration", bad, kmsGone))
			last := f.passes(t, time.Hour)
			failure := last.Plans[0].Regions[0].Failure
			left := len(f.behind(5))
			if most == 0 && (failure == nil || failure.Code != "max_blocked" || left != 11) || most == 1 && (failure != nil || left != 1) {
				t.Errorf("max_blocked %d: %d left, %+v", most, left, failure)
			}
		})
	}
}

// Callers come by an alias: what is refused of it blocks as well, wherever the
// function has come, in a canary and without, and its share of calls is taken
// back where that is not refused.
func TestO3AnAliasThatIsRefused(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	for _, canary := range []bool{true, false} {
		for _, op := range []string{"UpdateFunctionConfiguration", "PublishVersion", "UpdateAlias"} {
			for _, from := range nightly.SampleOrCI([]int{0, 1}, 1) { // the first or the second call of it
				t.Run(fmt.Sprintf("O3 %s, canary %v, from %d", op, canary, from), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { refuseAlias(t, op, canary, from) })
				})
			}
		}
	}
}

func refuseAlias(t *testing.T, op string, canary bool, from int) {
	f := newFixture(t, 13, awssim.Options{})
	for i := range 13 {
		name := fmt.Sprintf("makoto-%04d", i)
		f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
	}
	f.spreads(func(e *desired.Environment) {
		e.Alias, e.Rollout.Waves, e.Rollout.Bake = "live", waves(3, 1.0), time.Minute
		if canary {
			e.Rollout.Canary = &desired.Canary{Weight: 0.1, Bake: 2 * time.Minute}
		}
	})
	bad := "makoto-0004"
	var calls atomic.Int32
	f.world.OnCall(refusing(op, bad, func(c awssim.Call) awssim.Fault {
		if int(calls.Add(1)) <= from {
			return awssim.Fault{}
		}
		return kmsGone(c)
	}))
	f.passes(t, 3*time.Hour)
	served := 0
	for i := range 13 {
		name := fmt.Sprintf("makoto-%04d", i)
		a, _ := f.world.Alias(name, "live")
		v, _ := f.world.Function(name + ":" + a.Version)
		if slices.Contains(v.Layers, f.world.LayerARN("common", 5)) && len(a.Weights) == 0 {
			served++
		}
	}
	if served < 12 {
		t.Errorf("%d of 13 are served", served)
	}
	if ro := f.rollout(t); ro.Open() {
		t.Errorf("the rollout is %s in wave %d", ro.Stage, ro.Wave)
	}
	f.world.ResetCalls()
	f.passes(t, 24*time.Hour)
	if n := f.writesTo(bad); n > 6 {
		t.Errorf("%d writes in a day", n)
	}
}

// A rollout that is not well goes back everywhere but where AWS refuses it, and ends.
func TestO3ARollbackIsNotStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 13, awssim.Options{})
		f.apply(t.Context())
		f.want("1.4.0")
		f.apply(t.Context()) // 1.4.0 was proven
		f.want("1.5.0")
		f.spreads(func(e *desired.Environment) { e.Rollout.Bake = 10 * time.Minute; e.Rollout.Alarms = []string{"errors"} })
		f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "OK"})
		f.apply(t.Context())
		bad := "makoto-0004"
		f.world.OnCall(refusing("UpdateFunctionConfiguration", bad, kmsGone))
		f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "ALARM", Reason: "threshold crossed"})
		f.world.ResetCalls()
		last := f.passes(t, time.Hour)
		if left := f.behind(4); !slices.Equal(left, []string{bad}) {
			t.Errorf("not back: %v", left)
		}
		if ro := f.rollout(t); ro.Stage != rollout.StageRolledBack {
			t.Errorf("the rollout is %s", ro.Stage)
		}
		region := last.Plans[0].Regions[0]
		if len(region.Blocked) != 1 || region.Blocked[0].Function != bad {
			t.Errorf("blocked: %+v", region.Blocked)
		}
		f.passes(t, 22*time.Hour)
		if n := f.writesTo(bad); n > 6 {
			t.Errorf("%d tries in a day", n)
		}
	})
}

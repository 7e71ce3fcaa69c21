package round_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// A rollout of which nothing was changed, since its only function was deleted
// just then, has nothing to be watched and ends. What it was to bring has not
// come through.
func TestRolloutThatChangedNothingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 1, awssim.Options{Settle: 2 * time.Second})
		f.spreads(func(e *desired.Environment) {
			e.Rollout = desired.Rollout{Waves: waves(1, 3), Bake: 5 * time.Minute}
		})
		var once sync.Once
		f.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == "UpdateFunctionConfiguration" {
				once.Do(func() { go f.world.DropFunction(c.Resource) })
				return awssim.Throttle()
			}
			return awssim.Fault{}
		})
		f.rounds(t, 20)
		if got := stageOf(t, f); !strings.HasPrefix(got, "done") {
			t.Errorf("the rollout is %s", got)
		}
		past, err := history.Open(f.store, "test").Past(t.Context(), "prod", region)
		if err != nil {
			t.Fatal(err)
		}
		for layer, p := range past.Layers {
			if p.Proven != 0 {
				t.Errorf("%s %d is said to be well, and never ran", layer, p.Proven)
			}
		}
	})
}

// What a pin brings is judged, and quarantined, like what all functions get:
// else it would come again at once, and for ever.
func TestPinThatBreaksIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		f.want("1.4.0")
		v, err := desired.ParseVersion("1.5.0")
		if err != nil {
			t.Fatal(err)
		}
		f.spreads(func(e *desired.Environment) {
			e.Rollout = desired.Rollout{SmokeTests: []desired.SmokeTest{smoke}}
			e.Layers[0].Pins = []desired.Pin{{Version: v, Functions: []desired.Selector{{Name: "makoto-0003"}}, Until: time.Now().AddDate(0, 0, 7)}}
		})
		f.breaks(5)
		f.rounds(t, 20)
		if n := f.world.Count("UpdateFunctionConfiguration"); n != 2 {
			t.Errorf("%d updates, want one there and one back: %+v", n, f.rollout(t))
		}
	})
}

// Callers that only get what $LATEST has already get it by a rollout like any:
// what breaks is not given to them again.
func TestServeThatBreaksIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 4, awssim.Options{Settle: 2 * time.Second})
		for i := range 4 {
			name := fmt.Sprintf("makoto-%04d", i)
			f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
			f.world.EditFunction(name, func(fn *awssim.Function) {
				fn.Layers[slices.Index(fn.Layers, f.world.LayerARN("common", 4))] = f.world.LayerARN("common", 5)
			})
		}
		f.spreads(func(e *desired.Environment) {
			e.Alias = "live"
			e.Rollout = desired.Rollout{Waves: waves(1), SmokeTests: []desired.SmokeTest{smoke}}
		})
		f.breaks(5)
		r := f.rounds(t, 20)
		if n := f.world.Count("UpdateAlias"); n != 2 {
			t.Errorf("%d moves of aliases, want one there and one back: %+v\n%+v", n, f.rollout(t), r.Plans[0].Regions[0].Steps)
		}
	})
}

// A rollout that has begun goes on while the newest commit is invalid, or Git
// out of reach; one that has not waits.
func TestRolloutGoesOnWithoutGit(t *testing.T) {
	for _, begun := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
			f.spreads(func(e *desired.Environment) {
				e.Rollout = desired.Rollout{Waves: waves(2), Bake: 5 * time.Minute}
			})
			if begun {
				f.rounds(t, 1)
			}
			for range 20 {
				r := f.round()
				r.Origins = map[string]round.Origin{"prod": {Revision: "c0ffee", Held: "the newest commit is invalid"}}
				if _, err := r.Apply(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
			}
			want := map[bool]int{true: 0, false: 6}[begun]
			if n := len(f.behind(5)); n != want {
				t.Errorf("begun %t: %d are behind, want %d", begun, n, want)
			}
		})
	}
}

// Too many blocked functions hold a rollout, and do not end it: what it brings
// has not come through.
func TestMaxBlockedHoldsARolloutUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		most := 0
		f.spreads(func(e *desired.Environment) {
			e.MaxBlocked = &most
			e.Rollout = desired.Rollout{Waves: waves(2), Bake: 5 * time.Minute, SmokeTests: []desired.SmokeTest{smoke}}
		})
		f.rounds(t, 2)
		f.world.PutFunction(awssim.Function{Name: "makoto-image", PackageType: "Image"})
		f.rounds(t, 20)
		if got := stageOf(t, f); got != "bake 1/2" {
			t.Errorf("the rollout is %s", got)
		}
		if n := f.world.Count("Invoke"); n != 1 {
			t.Errorf("%d smoke tests for one wave", n)
		}
		f.world.DropFunction("makoto-image")
		f.rounds(t, 20)
		if got := stageOf(t, f); got != "done 2/2" || len(f.behind(5)) != 0 {
			t.Errorf("the rollout is %s, %v behind", got, f.behind(5))
		}
	})
}

// Too many blocked functions hold what is new, and neither what goes back nor the
// end of a rollout that is complete.
func TestMaxBlockedHoldsNoEnd(t *testing.T) {
	most := 0
	blocked := func(f *fixture) {
		f.world.PutFunction(awssim.Function{Name: "makoto-image", PackageType: "Image"})
	}
	for name, tc := range map[string]struct {
		rules func(*fixture) desired.Rollout
		stage string
	}{
		"going back": {func(f *fixture) desired.Rollout {
			f.breaks(5)
			return desired.Rollout{Waves: waves(2), Bake: 5 * time.Minute, SmokeTests: []desired.SmokeTest{smoke}}
		}, "rolled_back 1/2"},
		"a watch": {func(f *fixture) desired.Rollout {
			f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "OK"})
			return desired.Rollout{Alarms: []string{"errors"}, Watch: 10 * time.Minute}
		}, "done 1/1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
				f.spreads(func(e *desired.Environment) { e.MaxBlocked, e.Rollout = &most, tc.rules(f) })
				for range 10 {
					if f.rounds(t, 1); f.rollout(t).Stage == rollout.StageWatching {
						break
					}
					if f.rollout(t).Stage == rollout.StageBake && name == "going back" {
						break
					}
				}
				blocked(f)
				f.rounds(t, 20)
				if got := stageOf(t, f); got != tc.stage {
					t.Errorf("the rollout is %s, want %s: %+v", got, tc.stage, f.rollout(t))
				}
			})
		})
	}
}

// A layer that takes the place of another one, half way through that one's
// rollout, goes back from every function when it breaks.
func TestReplacedLayerGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		f.world.PutLayerVersion(awssim.LayerVersion{Name: "fresh", Description: "v1.0.0"})
		bad := f.world.LayerARN("fresh", 1)
		rules := desired.Rollout{Waves: waves(2), Bake: 5 * time.Minute, SmokeTests: []desired.SmokeTest{smoke}}
		f.spreads(func(e *desired.Environment) { e.Rollout = rules })
		f.world.OnInvoke(func(in awssim.Invocation) awssim.Result {
			if slices.Contains(in.Layers, bad) {
				return awssim.Result{FunctionError: "Unhandled"}
			}
			return awssim.Result{}
		})
		f.rounds(t, 2)
		f.want("1.0.0")
		f.spreads(func(e *desired.Environment) {
			e.Rollout = rules
			e.Layers[0].Name, e.Layers[0].Layer = "fresh", state.NewLayerARN("aws", region, accountID, "fresh")
		})
		f.rounds(t, 40)
		for _, fn := range f.world.Functions() {
			if slices.Contains(fn.Layers, bad) {
				t.Errorf("%s still has what broke: %v; %+v", fn.Name, fn.Layers, f.rollout(t))
			}
		}
	})
}

// A function that gets no more of a rollout while it has its share of calls, of
// whatever it is that is in the way, is left with all its calls at what it had.
func TestShareOfCallsIsNotLeftBehind(t *testing.T) {
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	for name, block := range map[string]func(*fixture){
		"unreleased work": func(f *fixture) {
			f.world.EditFunction("makoto-0001", func(fn *awssim.Function) { fn.MemorySize = 1024 })
		},
		"not selected any more": func(f *fixture) {
			f.spreads(func(e *desired.Environment) { e.Layers[0].Except = []desired.Selector{{Name: "makoto-0001"}} })
		},
		"no alias any more": func(f *fixture) { f.spreads(func(e *desired.Environment) { e.Alias = "" }) },
		"another alias":     func(f *fixture) { f.spreads(func(e *desired.Environment) { e.Alias = "prod" }) },
		"no layer any more": func(f *fixture) { f.spreads(func(e *desired.Environment) { e.Layers = nil }) },
		"rolled back by hand": func(f *fixture) {
			if _, err := history.Open(f.store, "test").Rulings().Quarantine(f.t.Context(), backBy(f)); err != nil {
				f.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 4, awssim.Options{Settle: 2 * time.Second})
				f.serveLive(4)
				f.rounds(t, 2)
				if a, _ := f.world.Alias("makoto-0001", "live"); a.Weights["2"] != 0.1 {
					t.Fatalf("live is %+v", a)
				}
				block(f)
				f.rounds(t, 30)
				if a, _ := f.world.Alias("makoto-0001", "live"); a.Version != "1" || len(a.Weights) > 0 {
					t.Errorf("live is %+v, the rollout %s", a, stageOf(t, f))
				}
				if f.world.ResetCalls(); true {
					f.rounds(t, 3)
				}
				if n := f.world.Writes(); n != 0 {
					t.Errorf("%d writes more", n)
				}
			})
		})
	}
}

// serveLive gives each function an alias, and the environment a canary.
func (f *fixture) serveLive(functions int) {
	for i := range functions {
		fn := fmt.Sprintf("makoto-%04d", i)
		f.world.PutAlias(awssim.Alias{Function: fn, Name: "live", Version: f.world.PutVersion(fn)})
	}
	f.spreads(func(e *desired.Environment) {
		e.Alias = "live"
		e.Rollout = desired.Rollout{Bake: 5 * time.Minute, Canary: &desired.Canary{Weight: 0.1, Bake: 5 * time.Minute}}
	})
}

// The word that a version failed is written before that its rollout goes back. A
// process that ends in between has decided: what was said to be bad is taken
// away, also when the next look finds nothing.
func TestQuarantinedByItsOwnRolloutGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		f.spreads(func(e *desired.Environment) {
			e.Rollout = desired.Rollout{Waves: waves(2), Bake: 5 * time.Minute, Alarms: []string{"errors"}}
		})
		f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "OK"})
		before := f.world.Functions()
		f.rounds(t, 2)
		log := history.Open(f.store, "test")
		ro := f.rollout(t)
		if _, err := log.Rulings().Quarantine(t.Context(), ruling.Quarantine{
			Environment: "prod", Region: region, Layer: ro.Targets[0].Layer, Name: "common", Number: 5, Semver: "1.5.0",
			By: "layerd", Reason: "alarm errors rings", At: time.Now(), Rollout: ro.ID,
		}); err != nil {
			t.Fatal(err)
		}
		f.rounds(t, 20)
		for i, fn := range f.world.Functions() {
			if !slices.Equal(fn.Layers, before[i].Layers) {
				t.Errorf("%s has %v, and had %v; the rollout is %s", fn.Name, fn.Layers, before[i].Layers, stageOf(t, f))
			}
		}
	})
}

// TestRollbackPassesWhatCameSince: closed windows, freezes, mode observe and a
// missing approval hold what is new, and nothing that goes back.
func TestRollbackPassesWhatCameSince(t *testing.T) {
	for name, change := range map[string]func(*desired.Environment){
		"mode observe": func(e *desired.Environment) { e.Observe = true },
		"approval":     func(e *desired.Environment) { e.ApprovalRequired = true },
		"freeze": func(e *desired.Environment) {
			e.Calendar.Freezes = []window.Freeze{{From: time.Now(), Until: time.Now().AddDate(0, 0, 3), Reason: "launch"}}
		},
		"window": func(e *desired.Environment) {
			w, err := window.Parse("daily 12:00-13:00 UTC", time.UTC)
			if err != nil {
				panic(err)
			}
			e.Calendar.Windows = []window.Window{w}
		},
		"no rollout key": func(e *desired.Environment) { e.Rollout.Waves, e.Rollout.Bake = nil, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
				f.spreads(func(e *desired.Environment) {
					e.Rollout = desired.Rollout{Waves: waves(2), Bake: 15 * time.Minute, Alarms: []string{"errors"}}
				})
				f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "OK"})
				before := f.world.Functions()
				f.rounds(t, 2)
				f.spreads(change)
				f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "ALARM"})
				f.rounds(t, 20)
				for i, fn := range f.world.Functions() {
					if !slices.Equal(fn.Layers, before[i].Layers) {
						t.Errorf("%s has %v, and had %v; the rollout is %s", fn.Name, fn.Layers, before[i].Layers, stageOf(t, f))
					}
				}
			})
		})
	}
}

// TestQuarantinedDoesNotComeBack by another way than Git's own number.
func TestQuarantinedDoesNotComeBack(t *testing.T) {
	pin := func(e *desired.Environment) {
		v, err := desired.ParseVersion("1.5.0")
		if err != nil {
			panic(err)
		}
		e.Layers[0].Pins = []desired.Pin{{Version: v, Functions: []desired.Selector{{Name: "makoto-0001"}}, Until: time.Now().AddDate(0, 0, 7)}}
	}
	for name, change := range map[string]func(*fixture){
		"pin":                func(f *fixture) { f.spreads(pin) },
		"drift":              func(f *fixture) { f.meddle("makoto-0001", 3) },
		"drift to it":        func(f *fixture) { f.meddle("makoto-0001", 5) },
		"a new function":     func(f *fixture) { f.world.PutFunction(awssim.Function{Name: "makoto-9999"}) },
		"another alias":      func(f *fixture) { f.spreads(func(e *desired.Environment) { e.Alias = "other" }) },
		"no smoke test":      func(f *fixture) { f.spreads(func(e *desired.Environment) { e.Rollout = desired.Rollout{} }) },
		"the number itself":  func(f *fixture) { f.asks("5") },
		"the latest":         func(f *fixture) { f.asks("latest") },
		"a range":            func(f *fixture) { f.asks("^1.2") },
		"an approval":        func(f *fixture) { f.spreads(func(e *desired.Environment) { e.ApprovalRequired = true }) },
		"a function deleted": func(f *fixture) { f.world.DropFunction("makoto-0003") },
		"made again": func(f *fixture) {
			f.world.DropFunction("makoto-0001")
			f.world.PutFunction(awssim.Function{Name: "makoto-0001"})
		},
		"twice the same file": func(f *fixture) { f.tree.Environments[0].Layers[0].At.Line++ },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
				f.spreads(func(e *desired.Environment) {
					e.NewFunctionsNow = true
					e.Rollout = desired.Rollout{Waves: waves(2), SmokeTests: []desired.SmokeTest{smoke}}
				})
				f.breaks(5)
				f.rounds(t, 5)
				if got := stageOf(t, f); got != "rolled_back 1/2" {
					t.Fatalf("the rollout is %s", got)
				}
				f.world.OnInvoke(func(awssim.Invocation) awssim.Result { return awssim.Result{} })
				change(f)
				f.rounds(t, 10)
				bad := f.world.LayerARN("common", 5)
				for _, fn := range f.world.Functions() {
					if slices.Contains(fn.Layers, bad) {
						t.Errorf("%s has %v", fn.Name, fn.Layers)
					}
				}
			})
		})
	}
}

// meddle is what somebody else does to a function.
func (f *fixture) meddle(name string, number int64) {
	f.world.EditFunction(name, func(fn *awssim.Function) {
		i := slices.IndexFunc(fn.Layers, func(l string) bool { return strings.Contains(l, ":layer:common:") })
		fn.Layers[i] = f.world.LayerARN("common", number)
	})
}

// asks has Git ask for a version in other words.
func (f *fixture) asks(version string) {
	v, err := desired.ParseVersion(version)
	if err != nil {
		f.t.Fatal(err)
	}
	f.tree.Environments[0].Layers[0].Version = v
}

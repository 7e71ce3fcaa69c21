package round_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/round"
)

// sharing is a canary on five functions, of which one is refused whatever moves its
// alias once that has a share of calls; the rollout of the others is over.
func sharing(t *testing.T) (f *fixture, bad string) {
	f, bad = newFixture(t, 5, awssim.Options{}), "makoto-0002"
	f.serveLive(5)
	f.canaries("1.5.0")
	given := false
	f.world.OnCall(refusing("UpdateAlias", bad, func(c awssim.Call) awssim.Fault {
		if !given {
			given = true
			return awssim.Fault{}
		}
		return awssim.Denied(c)
	}))
	f.passes(t, time.Hour)
	if a, _ := f.world.Alias(bad, "live"); len(a.Weights) != 1 {
		t.Fatalf("no share: %+v", a)
	}
	if ro := f.rollout(t); ro.Open() {
		t.Fatalf("the rollout is %s", ro.Stage)
	}
	return f, bad
}

func (f *fixture) canaries(version string) {
	f.want(version)
	f.spreads(func(e *desired.Environment) {
		e.Alias, e.Rollout.Waves, e.Rollout.Bake = "live", waves(3, 1.0), time.Minute
		e.Rollout.Canary = &desired.Canary{Weight: 0.1, Bake: time.Minute}
	})
}

// O3: a share of calls that could not be taken back while the rollout was under way is
// layerd's own still when that is over, and no canary of somebody's: whatever comes
// next, the function's callers get one version again, and the one that is asked for.
func TestO3AShareOutlivesItsRollout(t *testing.T) {
	t.Parallel()
	ways := map[string]struct {
		do   func(*fixture)
		want int64
	}{
		"nothing":        {func(*fixture) {}, 5},
		"a restart":      {func(f *fixture) { f.passes(f.t.(*testing.T), 25*time.Hour) }, 5},
		"another commit": {func(f *fixture) { f.canaries("1.3.0"); f.passes(f.t.(*testing.T), 2*time.Hour) }, 3},
		"two commits": {func(f *fixture) {
			f.canaries("1.3.0")
			f.passes(f.t.(*testing.T), 2*time.Hour)
			f.canaries("1.2.0")
			f.passes(f.t.(*testing.T), 2*time.Hour)
		}, 2},
		"no canary any more": {func(f *fixture) {
			f.canaries("1.3.0")
			f.spreads(func(e *desired.Environment) { e.Rollout.Canary = nil })
			f.passes(f.t.(*testing.T), 2*time.Hour)
		}, 3},
		"a rollback": {func(f *fixture) {
			if _, err := f.round().Rollback(f.t.Context(), round.Rollback{Environment: "prod", Layer: "common", To: "4", By: "sato", Reason: "x"}); err != nil {
				f.t.Error(err)
			}
			f.passes(f.t.(*testing.T), 2*time.Hour)
		}, 4},
		"a rollback, and another commit": {func(f *fixture) {
			if _, err := f.round().Rollback(f.t.Context(), round.Rollback{Environment: "prod", Layer: "common", To: "4", By: "sato", Reason: "x"}); err != nil {
				f.t.Error(err)
			}
			f.passes(f.t.(*testing.T), 2*time.Hour)
			f.canaries("1.3.0")
			f.passes(f.t.(*testing.T), 2*time.Hour)
		}, 3},
		"a hand on the layers": {func(f *fixture) {
			f.world.EditFunction("makoto-0002", func(fn *awssim.Function) {
				fn.Layers = []string{f.world.LayerARN("common", 2), datadog}
			})
			f.passes(f.t.(*testing.T), 2*time.Hour)
		}, 5},
	}
	for _, name := range nightly.Sample(nightly.SampleOrCI(slices.Sorted(maps.Keys(ways)), 3), 1) {
		then := ways[name]
		t.Run("O3 "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, bad := sharing(t)
				then.do(f)
				f.world.OnCall(nil)
				last := f.passes(t, 26*time.Hour)
				for i := range 5 {
					function := fmt.Sprintf("makoto-%04d", i)
					a, _ := f.world.Alias(function, "live")
					served, _ := f.world.Function(function + ":" + a.Version)
					if len(a.Weights) > 0 || !slices.Contains(served.Layers, f.world.LayerARN("common", then.want)) {
						t.Errorf("%s: %+v serves %v; blocked %+v", function, a, served.Layers, last.Plans[0].Regions[0].Blocked)
					}
				}
				if ro := f.rollout(t); ro.Open() {
					t.Errorf("the rollout is %s", ro.Stage)
				}
				f.world.ResetCalls()
				if f.apply(t.Context()); f.world.Writes() > 0 {
					t.Errorf("%d writes to %s in a quiet round", f.world.Writes(), bad)
				}
			})
		})
	}
}

// What somebody has made of that share since is somebody's.
func TestO3AShareThatIsNoLongerOurs(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	for name, edit := range map[string]func(*awssim.Alias){
		"another version": func(a *awssim.Alias) { a.Weights = map[string]float64{"1": 0.1}; a.Version = "2" },
		"two versions":    func(a *awssim.Alias) { a.Weights = maps.Clone(a.Weights); a.Weights["3"] = 0.2 },
	} {
		t.Run("O3 "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, bad := sharing(t)
				f.setAlias(bad, edit)
				was, _ := f.world.Alias(bad, "live")
				f.world.OnCall(nil)
				f.canaries("1.3.0")
				last := f.passes(t, 26*time.Hour)
				if is, _ := f.world.Alias(bad, "live"); !maps.Equal(is.Weights, was.Weights) || is.Version != was.Version {
					t.Errorf("%+v, and was %+v", is, was)
				}
				blocked := last.Plans[0].Regions[0].Blocked
				if len(blocked) != 1 || !strings.Contains(blocked[0].Reason, "somebody") {
					t.Errorf("blocked: %+v", blocked)
				}
			})
		})
	}
}

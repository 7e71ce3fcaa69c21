package round_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
)

// TestNoStandstill plays generated worlds in which AWS refuses some functions for
// good, each by an error of its own, with waves, bakes, canaries and aliases: within
// six hours all others have what Git asks for, each that has not is blocked with a
// reason, and a day of it takes a bounded number of writes.
func TestNoStandstill(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	// The first three have waves of nothing but functions that are refused by what may
	// be of all of them.
	seeds := nightly.Sample([]int{78, 140, 173}, 1)
	if !testing.Short() {
		seeds = append(seeds, nightly.SampleOrCI([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 4)...)
	}
	if nightly.On() {
		seeds = nil
		for seed := range 200 {
			seeds = append(seeds, seed)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { standstill(t, rand.New(rand.NewPCG(uint64(seed), 3))) })
		})
	}
}

func standstill(t *testing.T, rnd *rand.Rand) {
	n := 5 + rnd.IntN(9)
	f := newFixture(t, n, awssim.Options{})
	alias := rnd.IntN(2) == 0
	kinds := slices.Sorted(maps.Keys(refusals))
	ops := []string{"UpdateFunctionConfiguration"}
	if alias {
		ops = append(ops, "PublishVersion", "UpdateAlias")
	}
	type refusal struct{ op, kind string }
	bad := map[string]refusal{}
	for i := range n {
		name := fmt.Sprintf("makoto-%04d", i)
		if alias {
			f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
		}
		if rnd.IntN(3) == 0 {
			bad[name] = refusal{ops[rnd.IntN(len(ops))], kinds[rnd.IntN(len(kinds))]}
		}
	}
	f.spreads(func(e *desired.Environment) {
		e.Rollout.Waves = [][]desired.Wave{nil, waves(1, 1.0), waves(3, 1.0), waves(0.3, 1.0)}[rnd.IntN(4)]
		e.Rollout.Bake = time.Duration(rnd.IntN(3)) * time.Minute
		if alias {
			e.Alias = "live"
			if rnd.IntN(2) == 0 {
				e.Rollout.Canary = &desired.Canary{Weight: 0.1, Bake: 2 * time.Minute}
			}
		}
	})
	f.world.OnCall(func(c awssim.Call) awssim.Fault {
		for name, r := range bad {
			if fault := refusing(r.op, name, refusals[r.kind])(c); fault != (awssim.Fault{}) {
				return fault
			}
		}
		return awssim.Fault{}
	})
	f.passesEvery(t, 6*time.Hour, 10*time.Minute)
	region := f.apply(t.Context()).Plans[0].Regions[0]
	blocked := map[string]bool{}
	for _, b := range region.Blocked {
		blocked[b.Function] = b.Reason != ""
	}
	for i := range n {
		name := fmt.Sprintf("makoto-%04d", i)
		fn, _ := f.world.Function(name)
		if alias {
			a, _ := f.world.Alias(name, "live")
			fn, _ = f.world.Function(name + ":" + a.Version)
		}
		_, refused := bad[name]
		if has := slices.Contains(fn.Layers, f.world.LayerARN("common", 5)); !has && (!refused || !blocked[name] && region.Failure == nil) {
			t.Errorf("%s does not have it, by %+v; blocked: %v; failure %+v", name, bad[name], region.Blocked, region.Failure)
		}
	}
	f.world.ResetCalls()
	f.passes(t, 24*time.Hour)
	for name := range bad {
		if w := f.writesTo(name); w > 2*8*5+10 {
			t.Errorf("%d writes to %s in a day, by %+v", w, name, bad[name])
		}
	}
}

// TestNoStandstillBehindTheFirstWave: all functions of the first wave, one or several,
// are refused for good by what may be of all functions. Each is blocked, and not
// anew after each later wave; the others have it within eight hours, and a day of it
// takes a try or two, and as many that were left off for another one's.
func TestNoStandstillBehindTheFirstWave(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	for _, kind := range nightly.SampleOrCI([]string{"500", "throttled", "denied"}, 1) {
		for i, op := range []string{"UpdateFunctionConfiguration", "PublishVersion", "UpdateAlias"} {
			for first := 1; first <= 3; first++ {
				if !nightly.On() && first != 1+i {
					continue // by day each operation once with each kind, and each number of functions
				}
				t.Run(fmt.Sprintf("%s of %s, %d", kind, op, first), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { behindTheFirstWave(t, op, kind, first) })
				})
			}
		}
	}
}

func behindTheFirstWave(t *testing.T, op, kind string, first int) {
	const n = 8
	f := newFixture(t, n, awssim.Options{})
	for i := range n {
		name := fmt.Sprintf("makoto-%04d", i)
		f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
	}
	f.spreads(func(e *desired.Environment) {
		e.Alias = "live"
		e.Rollout.Waves = waves(first, first+2, 1.0)
		e.Rollout.Bake = time.Minute
		e.Rollout.Canary = &desired.Canary{Weight: 0.1, Bake: time.Minute}
	})
	bad := map[string]bool{}
	p, err := f.round().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Plans[0].Regions[0].Steps {
		if s.Wave == 1 {
			bad[s.Function] = true
		}
	}
	if len(bad) != first {
		t.Fatalf("the first wave is %v", bad)
	}
	f.world.OnCall(func(c awssim.Call) awssim.Fault {
		for name := range bad {
			if fault := refusing(op, name, refusals[kind])(c); fault != (awssim.Fault{}) {
				return fault
			}
		}
		return awssim.Fault{}
	})
	region := f.passesEvery(t, 8*time.Hour, 10*time.Minute).Plans[0].Regions[0]
	for i := range n {
		name := fmt.Sprintf("makoto-%04d", i)
		a, _ := f.world.Alias(name, "live")
		fn, _ := f.world.Function(name + ":" + a.Version)
		has := slices.Contains(fn.Layers, f.world.LayerARN("common", 5)) && len(a.Weights) == 0
		blocked := slices.ContainsFunc(region.Blocked, func(b plan.Blocked) bool { return b.Function == name })
		if has == bad[name] || blocked != bad[name] {
			t.Errorf("%s: has it %v, blocked %v", name, has, blocked)
		}
	}
	f.world.ResetCalls()
	f.passes(t, 24*time.Hour)
	most := map[string]int{"500": 5, "throttled": 8 * 5, "denied": 1}[kind]
	for name := range bad {
		if w := f.writesTo(name); w > 4*most {
			t.Errorf("%d writes to %s in a day, where a try takes %d", w, name, most)
		}
	}
}

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
)

// TestNoStandstill plays generated worlds in which AWS refuses some functions for
// good, each by an error of its own, with waves, bakes, canaries and aliases: within
// six hours all others have what Git asks for, each that has not is blocked with a
// reason, and a day of it takes a bounded number of writes.
func TestNoStandstill(t *testing.T) {
	seeds := 12
	if nightly.On() {
		seeds = 200
	}
	for seed := range seeds {
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
	f.passes(t, 6*time.Hour)
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

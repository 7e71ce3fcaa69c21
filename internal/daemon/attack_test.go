package daemon

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
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

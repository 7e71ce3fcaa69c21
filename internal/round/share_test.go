package round_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/round"
)

// A person rolls back in the middle of a canary, and AWS does not take the share
// back on one function in that round: it is taken in a later one, and until then
// the environment is not in sync.
func TestARollbackTakesEveryShareBack(t *testing.T) {
	for name, fault := range map[string]func(awssim.Call) awssim.Fault{
		"nothing": func(awssim.Call) awssim.Fault { return awssim.Fault{} },
		"key":     kmsGone, "500": func(awssim.Call) awssim.Fault { return awssim.ServerError() },
		"denied": awssim.Denied,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 4, awssim.Options{})
				for i := range 4 {
					name := fmt.Sprintf("makoto-%04d", i)
					f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
				}
				f.want("1.4.0")
				f.spreads(func(e *desired.Environment) { e.Alias = "live" })
				f.apply(t.Context())
				f.want("1.5.0")
				f.spreads(func(e *desired.Environment) {
					e.Alias = "live"
					e.Rollout = desired.Rollout{Bake: time.Minute, Canary: &desired.Canary{Weight: 0.1, Bake: time.Hour}}
				})
				f.passes(t, 2*time.Minute)
				shares := func() (n int) {
					for i := range 4 {
						if a, _ := f.world.Alias(fmt.Sprintf("makoto-%04d", i), "live"); len(a.Weights) > 0 {
							n++
						}
					}
					return n
				}
				if n := shares(); n != 4 {
					t.Fatalf("%d shares", n)
				}
				f.world.OnCall(refusing("UpdateAlias", "makoto-0001", fault))
				back, err := f.round().Rollback(t.Context(), round.Rollback{Environment: "prod", Layer: "common", To: "1.4.0", By: "sato", Reason: "it leaks"})
				if err != nil {
					t.Fatal(err)
				}
				r := back.Result
				if n := shares(); n > 0 && (r.Plans[0].Regions[0].InSync || name == "nothing") {
					t.Errorf("%d shares are left, and it is in sync", n)
				}
				r = f.apply(t.Context())
				if n := shares(); n > 0 && r.Plans[0].Regions[0].InSync {
					t.Errorf("a round later %d shares are left, and it is in sync", n)
				}
				f.world.OnCall(nil)
				f.passes(t, 5*time.Minute)
				if n := shares(); n != 0 {
					t.Errorf("%d shares are left", n)
				}
			})
		})
	}
}

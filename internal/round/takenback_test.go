package round_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/round"
)

// P4: a share of calls that layerd itself took back, for a person or because Git does
// not select the function any more, was taken by nobody else: it halts no rollout, and
// the function is not left alone for it.
func TestP4WhatLayerdTookBackIsNobodyElses(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	for name, do := range map[string]func(f *fixture, bad string){
		"rollback": func(f *fixture, bad string) {
			if _, err := f.round().Rollback(f.t.Context(), round.Rollback{Environment: "prod", Layer: "common", To: "4", Functions: bad, By: "sato", Reason: "x"}); err != nil {
				f.t.Error(err)
			}
		},
		"deselected": func(f *fixture, bad string) {
			f.spreads(func(e *desired.Environment) { e.Layers[0].Except = []desired.Selector{{Name: bad}} })
		},
	} {
		for _, reaction := range []desired.Reaction{desired.Halt, desired.RollBack, desired.Reaction("continue")} {
			t.Run(fmt.Sprintf("P4 %s, %s", name, reaction), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f, bad := newFixture(t, 5, awssim.Options{}), "makoto-0001"
					f.serveLive(5)
					f.canaries("1.5.0")
					f.spreads(func(e *desired.Environment) {
						e.Rollout.Waves, e.Rollout.OnUnknown = nil, reaction
						e.Rollout.Canary.Bake = 10 * time.Minute
					})
					f.apply(t.Context())
					if a, _ := f.world.Alias(bad, "live"); len(a.Weights) != 1 {
						t.Fatalf("no share: %+v", a)
					}
					do(f, bad)
					for range 30 {
						last := f.apply(t.Context())
						for _, b := range last.Plans[0].Regions[0].Blocked {
							if strings.Contains(b.Reason, "somebody else") {
								t.Fatalf("%+v", b)
							}
						}
						time.Sleep(time.Minute)
					}
					if ro := f.rollout(t); ro.Stage != rollout.StageDone || len(ro.Left) > 0 {
						t.Errorf("the rollout is %s, left %v: %s", ro.Stage, ro.Left, ro.Reason)
					}
					a, _ := f.world.Alias(bad, "live")
					if len(a.Weights) > 0 || a.Version != "1" {
						t.Errorf("%+v", a)
					}
					if _, err := f.round().Retry(t.Context(), round.Retry{Environment: "prod", By: "sato", Reason: "y"}); err != nil {
						t.Error(err)
					}
					f.spreads(func(e *desired.Environment) { e.Layers[0].Except = nil })
					f.passes(t, time.Hour)
					a, _ = f.world.Alias(bad, "live")
					served, _ := f.world.Function(bad + ":" + a.Version)
					if len(a.Weights) > 0 || !slices.Contains(served.Layers, f.world.LayerARN("common", 5)) {
						t.Errorf("at the end %+v serves %v", a, served.Layers)
					}
				})
			})
		}
	}
}

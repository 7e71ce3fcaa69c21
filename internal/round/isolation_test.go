package round_test

import (
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// What AWS refuses to one environment that asks for more than the others is that
// one's failure, also where they share an account, a Region and a role.
func TestWhatIsRefusedToOneEnvironmentIsItsOwn(t *testing.T) {
	for name, change := range map[string]func(e *desired.Environment){
		"tags": func(e *desired.Environment) {
			e.Layers[0].Functions = []desired.Selector{{Name: "other-*", Tags: map[string]string{"team": "platform"}}}
		},
		"a layer": func(e *desired.Environment) {
			e.Layers[0].Layer = state.NewLayerARN("aws", region, accountID, "forbidden")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 3, awssim.Options{})
				dev := f.tree.Environments[0]
				dev.Name, dev.Layers = "dev", []desired.LayerWish{dev.Layers[0]}
				dev.Layers[0].Functions = []desired.Selector{{Name: "other-*"}}
				change(&dev)
				f.tree.Names = []string{"dev", "prod"}
				f.tree.Environments = append([]desired.Environment{dev}, f.tree.Environments...)
				f.world.OnCall(func(c awssim.Call) awssim.Fault {
					layer, _ := c.Input.(*lambda.ListLayerVersionsInput)
					if c.Operation == "GetResources" || layer != nil && *layer.LayerName == "forbidden" {
						return awssim.Denied(c)
					}
					return awssim.Fault{}
				})
				r := f.apply(t.Context())
				for _, p := range r.Plans {
					if failed := p.Regions[0].Failure != nil; failed != (p.Environment == "dev") {
						t.Errorf("%s: %+v", p.Environment, p.Regions[0].Failure)
					}
				}
				if n := statuses(r); n[plan.StatusApplied] != 3 {
					t.Errorf("results are %v", n)
				}
			})
		})
	}
}

package daemon

import (
	"reflect"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/daemon/metrics"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
)

// TestFiguresStayWhileTheyAreShown: Prometheus reads what Status returned without a
// lock, and a round that ends meanwhile must not write into it.
func TestFiguresStayWhileTheyAreShown(t *testing.T) {
	env := desired.Environment{Name: "prod", Account: "123456789012", Region: "ap-northeast-1"}
	w := &desiredView{tree: desired.Tree{Names: []string{"prod"}, Environments: []desired.Environment{env}}}
	a := newAccount(&Daemon{Options: Options{Metrics: metrics.New("")}}, env.Account)
	a.holding, a.envs["prod"] = true, &envState{}
	round := func(by plan.By) *metrics.Figures {
		step := plan.Step{ID: string(by), Kind: plan.KindAttach, Layer: "common", Function: "f", Held: &plan.Held{By: by}}
		region := plan.Region{
			Want: env, Steps: []plan.Step{step}, Drift: []plan.Drift{{Kind: string(by)}}, Blocked: []plan.Blocked{{Function: string(by)}},
		}
		a.countRound(plan.Plan{Environment: "prod", Regions: []plan.Region{region}}, time.Time{}, 0)
		var s metrics.Status
		a.status(&s, w, time.Now())
		return s.Environments[0].Figures
	}
	first := round(plan.ByWindow)
	second := round(plan.ByApproval)
	if !reflect.DeepEqual(first.Held, map[string]int{"window": 1}) || first.Approval || !reflect.DeepEqual(first.Drift, map[string]int{"window": 1}) {
		t.Errorf("the next round wrote into what is shown: %+v", first)
	}
	if !reflect.DeepEqual(second.Held, map[string]int{"approval": 1}) || !second.Approval {
		t.Errorf("the last round is not shown: %+v", second)
	}
}

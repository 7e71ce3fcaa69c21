package reconcile

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// Who was left alone is who has what is in quarantine, and not who was returned
// by the very plan; and of quarantines only those count that hold here.
func TestStatus(t *testing.T) {
	const layer = state.LayerARN("arn:aws:lambda:eu-west-1:123456789012:layer:common")
	bad, good := layer.Version(13), layer.Version(12)
	function := func(name string, v state.LayerVersionARN) state.Function {
		return state.Function{Name: name, Layers: []state.LayerVersionARN{v}}
	}
	snap := &state.Snapshot{Functions: []state.Function{
		function("a", good), function("b", bad), function("c", layer.Version(14)), function("d", bad), function("untouched", bad),
	}}
	q := ruling.Quarantine{Region: "eu-west-1", Layer: layer, Number: 13, Rollout: "r"}
	elsewhere, ended, lifted := q, q, q
	elsewhere.Region, ended.Ended, lifted.Number = "eu-west-2", time.Unix(1, 0), 11
	in := Input{
		Regions: []Region{{}, {
			Want: desired.Environment{Region: "eu-west-1"}, Have: snap, Rollout: &rollout.Rollout{ID: "r", Stage: rollout.StageRolledBack},
			Changed: []rollout.Changed{{Function: "a"}, {Function: "b"}, {Function: "c"}, {Function: "d"}, {Function: "gone"}},
		}},
		Quarantines: []ruling.Quarantine{elsewhere, q, ended, lifted},
	}
	p := plan.Region{
		Want: in.Regions[1].Want, Lifted: []ruling.Quarantine{lifted}, LeftAlone: []string{"c", "d"},
		Steps: []plan.Step{
			{Function: "b", Cause: plan.CauseRollback, Result: &plan.Result{Status: plan.StatusApplied}},
			{Function: "d", Cause: plan.CauseRollback, Result: &plan.Result{Status: plan.StatusFailed, Error: "no"}},
		},
	}
	got := Status(in, 1, p)
	want := &plan.RolloutStatus{Last: in.Regions[1].Rollout, Changed: in.Regions[1].Changed, LeftAlone: []string{"d"}, Quarantines: []ruling.Quarantine{q}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	in.Regions[1].Rollout = &rollout.Rollout{ID: "r", Stage: rollout.StageRollingBack}
	if got := Status(in, 1, p).LeftAlone; !cmp.Equal(got, p.LeftAlone) {
		t.Errorf("while it goes back %v are left alone, and the plan says %v", got, p.LeftAlone)
	}
	if got := Status(Input{Regions: make([]Region, 1)}, 0, plan.Region{}); got == nil || got.Last != nil || got.Quarantines != nil {
		t.Errorf("nothing ever happened: %+v", got)
	}
}

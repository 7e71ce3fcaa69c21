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

// Functions are counted as the round left them: what was applied has moved, what was
// held or failed has not, and what callers get through an alias is another matter.
func TestStatusCountsFunctions(t *testing.T) {
	const layer, other = state.LayerARN("arn:aws:lambda:eu-west-1:123456789012:layer:common"), state.LayerARN("arn:aws:lambda:eu-west-1:123456789012:layer:other")
	snap := &state.Snapshot{Functions: []state.Function{
		{Name: "a", Layers: state.Layers{layer.Version(1)}}, {Name: "b", Layers: state.Layers{other.Version(9), layer.Version(1)}},
		{Name: "c", Layers: state.Layers{layer.Version(2)}}, {Name: "d"}, {Name: "e", Layers: state.Layers{layer.Version(3)}},
	}}
	step := func(function string, kind plan.Kind, from, to int64, status plan.Status) plan.Step {
		s := plan.Step{Kind: kind, Function: function, LayerARN: layer, Result: &plan.Result{Status: status}}
		if from > 0 {
			s.From = layer.Version(from)
		}
		if to > 0 {
			s.To = layer.Version(to)
		}
		return s
	}
	in := Input{Regions: []Region{{Want: desired.Environment{Layers: []desired.LayerWish{{Name: "common", Layer: layer}}}, Have: snap}}}
	p := plan.Region{Steps: []plan.Step{
		step("a", plan.KindAttach, 1, 2, plan.StatusApplied), step("b", plan.KindAttach, 1, 2, plan.StatusFailed), step("d", plan.KindAttach, 0, 2, plan.StatusApplied),
		step("e", plan.KindDetach, 3, 0, plan.StatusApplied), step("c", plan.KindServe, 1, 2, plan.StatusApplied), {Kind: plan.KindAttach, Function: "b", From: layer.Version(1), To: layer.Version(2)},
	}}
	if diff := cmp.Diff(Status(in, 0, p).Functions, map[state.LayerVersionARN]int{layer.Version(1): 1, layer.Version(2): 3}); diff != "" {
		t.Errorf("(-have +want):\n%s", diff)
	}
}

package reconcile

import (
	"slices"
	"testing"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// TestWhatWaitsIsKeptOnce: a function that waits for its first layers is remembered
// once, however many of them it waits for, and one that is held already is not again.
// What that costs for a fleet is in BenchmarkDecide100000New.
func TestWhatWaitsIsKeptOnce(t *testing.T) {
	r := &region{world: &world{snap: &state.Snapshot{Functions: []state.Function{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}}}}
	r.past.Functions = map[string]plan.FunctionPast{"d": {Kept: true}}
	held := &plan.Held{By: plan.ByLimit}
	for _, layer := range []string{"common", "other"} {
		for _, s := range []plan.Step{
			{Function: "b", New: true, Held: held}, {Function: "a", New: true, Held: held}, {Function: "c", New: true}, {Function: "d", New: true, Held: held},
			{Function: "gone", New: true, Held: held},
		} {
			s.Layer = layer
			r.plan.Steps = append(r.plan.Steps, s)
		}
	}
	r.keep()
	if want := []string{"a", "b"}; !slices.Equal(r.plan.Learned.Kept, want) {
		t.Errorf("kept %v, want %v", r.plan.Learned.Kept, want)
	}
}

package daemon

import (
	"slices"

	"github.com/layerd/layerd/internal/reconcile"
)

// only leaves those steps out of a plan that the round is not about. What says
// how the whole of it goes is left out with them.
func (p *pass) only(plan reconcile.Plan) reconcile.Plan {
	if p.Only == nil {
		return plan
	}
	for i := range plan.Regions {
		r := &plan.Regions[i]
		r.Steps = p.chosenOf(r.Steps)
		r.Waves, r.Lasts, r.InSync = nil, 0, false
	}
	return plan
}

// chosenOf are the steps that the round is about.
func (p *pass) chosenOf(steps []reconcile.Step) []reconcile.Step {
	if p.Only == nil {
		return steps
	}
	return slices.DeleteFunc(steps, func(s reconcile.Step) bool { return !p.Only(s) })
}

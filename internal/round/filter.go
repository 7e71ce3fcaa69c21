package round

import (
	"slices"

	"github.com/layerd/layerd/internal/plan"
)

// only leaves those steps out of a plan that the round is not about.
func (p *Run) only(planned plan.Plan) plan.Plan {
	if p.Only == nil {
		return planned
	}
	return planned.Only(p.Only)
}

// chosenOf are the steps that the round is about.
func (p *Run) chosenOf(steps []plan.Step) []plan.Step {
	if p.Only == nil {
		return steps
	}
	return slices.DeleteFunc(steps, func(s plan.Step) bool { return !p.Only(s) })
}

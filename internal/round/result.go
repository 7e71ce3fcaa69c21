package round

import (
	"slices"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
)

// Result is what one round found and did, and what it decided from.
type Result struct {
	plan.Report
	// Decisions are what the plans were made from, in the order of Plans.
	Decisions []Decision
	// Unfinished are records of earlier rounds that have no end: whoever made
	// them was killed in between.
	Unfinished []history.Entry
}

// Decision is one environment's plan and all that was looked at for it, AWS as it
// was observed included. Nobody has to read or look again to explain a plan.
type Decision struct {
	Input reconcile.Input // without Regions where something failed before it was complete
	Plan  plan.Plan
}

// add takes a decision into the result.
func (r *Result) add(d Decision) {
	r.Plans, r.Decisions = append(r.Plans, d.Plan), append(r.Decisions, d)
}

// decision finds the decision about an environment.
func (r *Result) decision(environment string) (Decision, bool) {
	i := slices.IndexFunc(r.Decisions, func(d Decision) bool { return d.Plan.Environment == environment })
	if i < 0 {
		return Decision{}, false
	}
	return r.Decisions[i], true
}

// Region returns what was known of the i-th Region of the plan; ok = it was read
// in whole.
func (d Decision) Region(i int) (known reconcile.Region, ok bool) {
	if i >= len(d.Input.Regions) || d.Input.Regions[i].Have == nil || d.Plan.Regions[i].Failure != nil {
		return reconcile.Region{}, false
	}
	return d.Input.Regions[i], true
}

package present

import (
	"github.com/layerd/layerd/internal/plan"
)

// results shows what was done, what failed and what was left, in this order:
// the failures are last, where the eye is when the prompt returns.
func (p *planPage) results(runs []plan.Step) {
	by := map[plan.Status][]plan.Step{}
	for _, s := range runs {
		status := plan.Status("")
		if s.Result != nil {
			status = s.Result.Status
		}
		by[status] = append(by[status], s)
	}
	done := groupSteps(by[plan.StatusApplied])
	for _, g := range done {
		p.group(2, p.Page.Good("✓"), g.done(), widest(done), g)
	}
	p.unsettled(by[plan.StatusApplied])
	left := groupSteps(by[plan.StatusSkipped])
	for _, g := range left {
		p.group(2, p.Page.Faint("·"), "skipped", widest(left), g)
		p.told(g.steps)
	}
	failed := groupSteps(by[plan.StatusFailed])
	for _, g := range failed {
		p.group(2, p.Page.Bad("✗"), "failed", widest(failed), g)
		p.told(g.steps)
	}
	// A Region that could not be begun has steps without a result.
	p.groups(2, groupSteps(by[""]))
}

// told writes why each step ended as it did; the same reason of many functions stands once.
func (p *planPage) told(steps []plan.Step) {
	var order []string
	names := map[string][]string{}
	for _, s := range steps {
		why := s.Result.Error
		if why == "" {
			continue
		}
		if names[why] == nil {
			order = append(order, why)
		}
		name := subject(s)
		if s.Result.RequestID != "" {
			name += " (request " + s.Result.RequestID + ")"
		}
		names[why] = append(names[why], name)
	}
	for _, why := range order {
		p.Linef(6, "%s", why)
		shown := p.some(len(names[why]))
		for _, name := range names[why][:shown] {
			p.Linef(8, "%s", name)
		}
		p.more(8, len(names[why])-shown)
	}
}

// unsettled: a step can be applied and still have something to say, such as a
// version that was changed but not yet seen.
func (p *planPage) unsettled(steps []plan.Step) {
	var said []plan.Step
	for _, s := range steps {
		if s.Result.Error != "" {
			said = append(said, s)
		}
	}
	p.told(said)
}

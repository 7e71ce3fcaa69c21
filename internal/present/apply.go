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
	p.reasons(by[plan.StatusApplied]) // what was done can still have something to say: changed, but not yet seen
	left := groupSteps(by[plan.StatusSkipped])
	for _, g := range left {
		p.group(2, p.Page.Faint("·"), "skipped", widest(left), g)
		p.reasons(g.steps)
	}
	failed := groupSteps(by[plan.StatusFailed])
	for _, g := range failed {
		p.group(2, p.Page.Bad("✗"), "failed", widest(failed), g)
		p.reasons(g.steps)
	}
	// A Region that could not be begun has steps without a result.
	p.groups(2, groupSteps(by[""]))
}

// reasons writes why each step ended as it did, where there is something to say; the
// same reason of many functions stands once.
func (p *planPage) reasons(steps []plan.Step) {
	var byReason grouped[string, string]
	for _, s := range steps {
		if s.Result.Error == "" {
			continue
		}
		name := subject(s)
		if s.Result.RequestID != "" {
			name += " (request " + s.Result.RequestID + ")"
		}
		byReason.add(s.Result.Error, name)
	}
	for _, why := range byReason.keys {
		names := byReason.of[why]
		p.Linef(6, "%s", why)
		shown := p.some(len(names))
		for _, name := range names[:shown] {
			p.Linef(8, "%s", name)
		}
		p.more(8, len(names)-shown)
	}
}

package present

import (
	"fmt"
	"strings"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/words"
)

// rollout shows where the rollout of a Region is, and in a plan which waves are
// still to come.
func (p *planPage) rollout(r plan.Region) {
	if ro := r.Rollout; ro != nil {
		draw := p.Page.Good
		switch {
		case ro.Failed():
			draw = p.Page.Bad
		case ro.Open():
			draw = p.Page.Held
		}
		reason := ro.Reason
		if reason != "" {
			reason = ": " + reason
		}
		p.Linef(2, "rollout: %s%s", draw(stageText(r)), reason)
		p.Linef(4, "%s", p.Page.Faint(begunText(r)))
		if len(ro.Findings) > 1 {
			shown := p.some(len(ro.Findings))
			for _, f := range ro.Findings[:shown] {
				p.Linef(4, "%s %s", p.Page.Warn("!"), f)
			}
			p.more(4, len(ro.Findings)-shown)
		}
	}
	if text := wavesText(r); text != "" && !p.Applied {
		p.Linef(2, "%s", text)
	}
}

// begunText returns which commit the rollout is of, and since when it runs.
func begunText(r plan.Region) string {
	ro := r.Rollout
	text := words.Count(ro.Total, "function") + ", begun " + words.Moment(ro.Begun, r.Want.Zone)
	if ro.Revision != "" {
		text = "revision " + words.Commit(ro.Revision) + ", " + text
	}
	if !ro.Since.Equal(ro.Begun) && !ro.Since.IsZero() {
		text += ", at this since " + words.Clock(ro.Since, r.Want.Zone)
	}
	return text
}

// wavesText returns "wave 1: 1 function, wave 2: 21, wave 3: 190; each is watched for
// 10m; about 42m in all"; empty where all is changed at once and nothing is
// watched.
func wavesText(r plan.Region) string {
	rules := r.Want.Rollout
	checks := rules.Bake > 0 || len(rules.SmokeTests) > 0 || len(rules.Alarms) > 0
	if len(r.Waves) == 0 || len(r.Waves) == 1 && !checks {
		return ""
	}
	var waves []string
	for _, w := range r.Waves {
		size := fmt.Sprint(w.Functions)
		switch {
		case w.Functions == 0:
			size = "changed"
		case len(waves) == 0:
			size = words.Count(w.Functions, "function")
		}
		waves = append(waves, fmt.Sprintf("wave %d: %s", w.Wave, size))
	}
	text := strings.Join(waves, ", ")
	if rules.Bake > 0 {
		text += "; each is watched for " + words.Span(rules.Bake)
	}
	if r.Remaining > 0 {
		text += "; about " + words.Span(r.Remaining) + " in all"
		if r.Rollout.Open() {
			text = strings.TrimSuffix(text, " in all") + " left"
		}
	}
	return text
}

// rolloutText returns the rollout in one sentence.
func rolloutText(r plan.Region) string {
	text := "the rollout of " + words.Commit(r.Rollout.Revision) + ": " + stageText(r)
	if r.Rollout.Revision == "" {
		text = "the rollout: " + stageText(r)
	}
	if r.Rollout.Reason != "" {
		text += ": " + r.Rollout.Reason
	}
	return text
}

// unwell returns how many rollouts did not come through, as parts of the summary.
func unwell(r plan.Report) []string {
	halted, back := 0, 0
	for _, planned := range r.Plans {
		for _, region := range planned.Regions {
			if ro := region.Rollout; ro != nil {
				switch ro.Stage {
				case rollout.StageHalted:
					halted++
				case rollout.StageRollingBack, rollout.StageRolledBack:
					back++
				}
			}
		}
	}
	var parts []string
	if halted > 0 {
		parts = append(parts, words.Count(halted, "rollout")+" halted")
	}
	if back > 0 {
		parts = append(parts, words.Count(back, "rollout")+" went back")
	}
	return parts
}

func (b *comment) rollout(r plan.Region, v Options) {
	if ro := r.Rollout; ro != nil {
		mark := "🌊"
		if ro.Failed() {
			mark = "❌"
		}
		b.f("%s %s (%s)\n\n", mark, rolloutText(r), begunText(r))
		if len(ro.Findings) > 1 {
			shown := min(len(ro.Findings), someItems)
			for _, f := range ro.Findings[:shown] {
				b.f("- %s\n", f)
			}
			if more := len(ro.Findings) - shown; more > 0 {
				b.f("- … and %d more\n", more)
			}
			b.f("\n")
		}
	}
	if text := wavesText(r); text != "" && !v.Applied {
		b.f("Rollout: %s\n\n", text)
	}
}

// Waiting returns what the rollout of a plan that is due next waits for; empty =
// it does not.
func Waiting(planned plan.Plan) string {
	var next *plan.Region
	for i, r := range planned.Regions {
		if !r.Due.IsZero() && (next == nil || r.Due.Before(next.Due)) {
			next = &planned.Regions[i]
		}
	}
	if next == nil || next.Rollout == nil {
		return ""
	}
	name := planned.Environment
	if len(planned.Regions) > 1 {
		name += " · " + next.Want.Region
	}
	return name + ": " + stageText(*next)
}

// stageText returns where the rollout of a Region is, as a sentence without its
// end.
func stageText(r plan.Region) string {
	ro := r.Rollout
	wave := fmt.Sprintf("wave %d of %d", ro.Wave, ro.Waves)
	watched := "is watched"
	if judged := ro.VerdictDue(r.Want.Rules()); !judged.IsZero() {
		watched += " until " + words.Clock(judged, r.Want.Zone)
	}
	switch ro.Stage {
	case rollout.StageCanary:
		return wave + " gets a share of the calls"
	case rollout.StageCanaryBake:
		return wave + " with a share of the calls " + watched
	case rollout.StageChange:
		return wave + " is being changed"
	case rollout.StageBake:
		return wave + " " + watched
	case rollout.StageHalted:
		return "halted in " + wave
	case rollout.StageRollingBack:
		return "going back"
	case rollout.StageWatching:
		return "complete, and " + watched
	case rollout.StageRolledBack:
		return "went back"
	case rollout.StageSuperseded:
		return "ended after " + wave + ", a newer commit takes over"
	default:
		return "complete"
	}
}

// UnderWay returns where the rollouts are that have not ended; empty = there is none.
func UnderWay(r plan.Report) string {
	text := ""
	for _, p := range r.Plans {
		for _, region := range p.Regions {
			if !region.Rollout.Open() {
				continue
			}
			if text != "" {
				text += "; "
			}
			text += p.Environment + ": " + stageText(region)
		}
	}
	return text
}

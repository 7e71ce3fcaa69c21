package main

import (
	"fmt"
	"strings"

	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/words"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/rollout"
)

// rollout shows where the rollout of a Region is, and in a plan which waves are
// still to come.
func (p *planPage) rollout(r plan.Region) {
	if ro := r.Rollout; ro != nil {
		draw := p.page.good
		switch {
		case rolloutCode(ro) != exitOK:
			draw = p.page.bad
		case ro.Open():
			draw = p.page.held
		}
		text := draw(stageText(r))
		if ro.Reason != "" {
			text += ": " + ro.Reason
		}
		p.linef(2, "rollout: %s", text)
		p.linef(4, "%s", p.page.faint(begunText(r)))
		if len(ro.Findings) > 1 {
			shown := p.some(len(ro.Findings))
			for _, f := range ro.Findings[:shown] {
				p.linef(4, "%s %s", p.page.warn("!"), f)
			}
			p.more(4, len(ro.Findings)-shown)
		}
	}
	if text := wavesText(r); text != "" && !p.applied {
		p.linef(2, "%s", text)
	}
}

// begunText is of which commit the rollout is, and since when it is.
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

// wavesText is "wave 1: 1 function, wave 2: 21, wave 3: 190; each is watched for
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

// rolloutText is the rollout in one sentence.
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

// unwell counts the rollouts that did not come through.
func unwell(r round.Result) []string {
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

func markdownRollout(b *strings.Builder, r plan.Region, v view) {
	if ro := r.Rollout; ro != nil {
		mark := "🌊"
		if rolloutCode(ro) != exitOK {
			mark = "❌"
		}
		fmt.Fprintf(b, "%s %s (%s)\n\n", mark, escape(rolloutText(r)), escape(begunText(r)))
		if len(ro.Findings) > 1 {
			for _, f := range ro.Findings[:min(len(ro.Findings), someItems)] {
				fmt.Fprintf(b, "- %s\n", escape(f))
			}
			b.WriteByte('\n')
		}
	}
	if text := wavesText(r); text != "" && !v.applied {
		fmt.Fprintf(b, "Rollout: %s\n\n", text)
	}
}

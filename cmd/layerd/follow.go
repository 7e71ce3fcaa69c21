package main

import (
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/words"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/rollout"
)

// following gives what ApplyThrough tells what it waits for: on a terminal the
// status line, elsewhere a line for each thing that is waited for.
func (a *app) following() func(plan.Plan, time.Time) {
	said := ""
	return func(planned plan.Plan, _ time.Time) {
		text := waitsAt(planned)
		switch {
		case text == "":
		case a.progress != nil:
			a.progress.note(text)
		case text != said:
			a.say("%s", text)
			said = text
		}
	}
}

// waitsAt says what the rollout of a plan that is due next waits for; empty =
// it does not.
func waitsAt(planned plan.Plan) string {
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

// stageText says where the rollout of a Region is, as a sentence without its
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

// leftAt says where the rollouts of an apply are that was interrupted; empty =
// none is under way.
func leftAt(result round.Result) string {
	text := ""
	for _, p := range result.Plans {
		for _, r := range p.Regions {
			if !r.Rollout.Open() {
				continue
			}
			if text != "" {
				text += "; "
			}
			text += p.Environment + ": " + stageText(r)
		}
	}
	return text
}

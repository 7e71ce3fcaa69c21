package plan

import (
	"slices"
	"time"

	"github.com/layerd/layerd/internal/rollout"
)

// Begins returns the rollout that applying a plan begins; nil when no step of
// one may run, or when one is under way. before is the last one there was: what
// was changed before a newer commit took over is undone with the new one.
func Begins(p Region, before *rollout.Rollout, id, revision string, now time.Time) *rollout.Rollout {
	if before.Open() || !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.InRollout() && s.Held == nil }) {
		return nil
	}
	total := 0
	for _, w := range p.Waves {
		total += w.Functions
	}
	return rollout.New(before, id, revision, p.Targets, len(p.Waves), total, p.Want.Rules(), now)
}

// lower returns the lower of two waves, of which 0 is none.
func lower(a, b int) int {
	if a == 0 {
		return b
	}
	return min(a, b)
}

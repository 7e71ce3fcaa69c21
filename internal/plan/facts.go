package plan

import (
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
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
	asked := askedBy(p.Steps)
	if len(asked) == 1 && asked[0].Revision != "" {
		revision = asked[0].Revision
	}
	r := rollout.New(before, id, revision, p.Targets, len(p.Waves), total, p.Want.Rules(), now)
	r.Asked = asked
	return r
}

// askedBy returns who asked for what a rollout is to do, each once, in the order of the
// steps.
func askedBy(steps []Step) []desired.Asked {
	var list []desired.Asked
	for _, s := range steps {
		if s.InRollout() && s.Asked != nil && !slices.Contains(list, *s.Asked) && len(list) < maxAsked {
			list = append(list, *s.Asked)
		}
	}
	return list
}

// maxAsked bounds how many commits a rollout names.
const maxAsked = 10

// lower returns the lower of two waves, of which 0 is none.
func lower(a, b int) int {
	if a == 0 {
		return b
	}
	return min(a, b)
}

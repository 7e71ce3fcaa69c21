package round

import (
	"context"
	"fmt"

	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// fewPackages is how many packages a note names.
const fewPackages = 12

// inside notes which packages change where a layer goes from one version to another, if
// it is known already what is in both: layerd find and diff remember what they read. No
// archive is read for it.
func (p *Run) inside(ctx context.Context, planned *plan.Plan) {
	if p.Store == nil {
		return
	}
	memory := inspect.Memory{Store: p.Store, Log: p.Log}
	type move struct{ from, to state.LayerVersionARN }
	for i := range planned.Regions {
		r := &planned.Regions[i]
		seen := map[move]bool{}
		for _, s := range r.Steps {
			m := move{s.From, s.To}
			if m.from == m.to || m.from.Number() == 0 || m.to.Number() == 0 || seen[m] {
				continue
			}
			seen[m] = true
			was, ok := memory.Get(ctx, m.from)
			if !ok {
				continue
			}
			will, ok := memory.Get(ctx, m.to)
			if !ok {
				continue
			}
			r.Notes = append(r.Notes, plan.Note{Code: "packages_change", Message: fmt.Sprintf("%s %s → %s: %s",
				s.Layer, m.from.Label(s.FromVersion), m.to.Label(s.ToVersion), packagesChange(was, will))})
		}
	}
}

func packagesChange(was, will inspect.Contents) string {
	text := "no package is another"
	if changes := inspect.ComparePackages(was, will); len(changes) > 0 {
		text = inspect.Line(changes, fewPackages)
	}
	if len(was.Doubts)+len(will.Doubts)+len(was.Bare)+len(will.Bare) > 0 {
		text += "; not all that is in them is known"
	}
	return text
}

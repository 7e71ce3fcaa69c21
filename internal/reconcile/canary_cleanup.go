package reconcile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
)

// endOrphanedCanaries takes back the shares of calls that the rollout gave and with which
// nothing is to be done any more: the function is blocked or not selected, its
// layer was rolled back by a person, or Git names another alias. Nobody would
// ever give these callers one version again, and once the rollout is over
// nobody knows whose share that is. It releases nothing: all calls go to what
// most have gone to, so that it waits for nobody.
func (r *region) endOrphanedCanaries() {
	if r.rollout != nil && r.rollout.Stage == rollout.StageRollingBack {
		return // they go back with the rest
	}
	for _, c := range r.shared {
		if c.Canary && c.AliasAfter != "" && c.Alias != state.LatestPublished && !r.stillRollingOut(c) {
			r.resetWeights(c)
		}
	}
}

// stillRollingOut reports whether something is planned, held or not, that ends the share,
// or that nobody knows yet.
func (r *region) stillRollingOut(c rollout.Changed) bool {
	_, known := r.snap.Served[state.Qualified{Function: c.Function, Qualifier: c.Alias}]
	selected := r.want.Alias == c.Alias && slices.ContainsFunc(r.wishes, func(w *wish) bool {
		f, ok := r.snap.Function(c.Function)
		return ok && w.Selects(f)
	})
	return selected && !known || slices.ContainsFunc(r.plan.Steps, func(s plan.Step) bool {
		return s.Kind == plan.KindServe && s.Function == c.Function && s.Serving.Qualifier == c.Alias
	})
}

func (r *region) resetWeights(c rollout.Changed) {
	f, ok := r.snap.Function(c.Function)
	if !ok {
		return
	}
	a, known := r.alias(c.Function, c.Alias)
	if !known || len(a.Weights) != 1 || a.Weights[c.AliasAfter] == 0 || a.Version != cmp.Or(c.AliasServes, c.AliasBefore) || c.Altered(&a, r.want.Rules()) != "" {
		return // not ours, or not any more
	}
	r.plan.Steps = append(r.plan.Steps, plan.Step{
		Kind: plan.KindServe, ID: fmt.Sprintf("%s/%s/%s", plan.KindServe, c.Alias, c.Function), Layer: r.layersChanged(c), Function: c.Function,
		Cause: plan.CauseRollback, Wave: c.Wave, List: f.Layers,
		Reason: fmt.Sprintf("version %s gets a share of the calls of %s, and is not to get more: all go to version %s again",
			c.AliasAfter, c.Alias, a.Version),
		Serving: &plan.Serving{Qualifier: c.Alias, Served: state.Served{Version: a.Version}, Alias: a, Version: a.Version},
	})
}

package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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
	for _, c := range r.outlived() {
		if !r.stillRollingOut(c) || r.keptAway(c.Function) {
			r.resetWeights(c)
		}
	}
}

// keptAway reports whether a quarantine holds something of a function: nobody knows when
// it ends, and until then its callers would have a share of what may be bad.
func (r *region) keptAway(function string) bool {
	return slices.ContainsFunc(r.plan.Steps, func(s plan.Step) bool {
		return s.Function == function && (s.Quarantined != "" || r.quarantineReason(s) != "")
	})
}

// outlived returns what gave the shares of calls that rollouts left which have ended,
// on functions whose alias the one under way has not moved.
func (r *world) outlived() []rollout.Changed {
	if r.last == nil {
		return nil
	}
	var list []rollout.Changed
	for _, s := range r.last.Shares {
		if c := r.changedHere(s.Function); c == nil || c.AliasAfter == "" {
			list = append(list, s.Changed())
		}
	}
	return list
}

// ownShare reports whether the share of calls on an alias is what a rollout left that
// has ended.
func (r *world) ownShare(function string, a state.Alias) bool {
	return r.last != nil && slices.ContainsFunc(r.last.Shares, func(s rollout.Share) bool { return s.Function == function && s.On(a) })
}

// SharesLeft returns those of shares that may still be there.
func SharesLeft(shares []rollout.Share, have *state.Snapshot) []rollout.Share {
	return slices.DeleteFunc(shares, func(s rollout.Share) bool {
		aliases, known := have.Aliases[s.Function]
		return known && !slices.ContainsFunc(aliases, s.On)
	})
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

// layersOn names the layers that the environment selects a function for.
func (r *world) layersOn(f state.Function) string {
	var names []string
	for _, w := range r.wishes {
		if w.Selects(f) {
			names = append(names, w.Name)
		}
	}
	return strings.Join(names, "+")
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
		Kind: plan.KindServe, ID: fmt.Sprintf("%s/%s/%s", plan.KindServe, c.Alias, c.Function), Layer: cmp.Or(r.layersChanged(c), r.layersOn(f)), Function: c.Function,
		Cause: plan.CauseRollback, Wave: c.Wave, List: f.Layers,
		Reason: fmt.Sprintf("version %s gets a share of the calls of %s, and is not to get more: all go to version %s again",
			c.AliasAfter, c.Alias, a.Version),
		Serving: &plan.Serving{Qualifier: c.Alias, Served: state.Served{Version: a.Version}, Alias: a, Version: a.Version},
	})
}

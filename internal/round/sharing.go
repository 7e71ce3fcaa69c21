package round

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// settledShare returns how a grant without an end ended: by what the policy of the version
// has now. known is false while it cannot be read.
func settledShare(ctx context.Context, s *seen, e history.Entry) (out apply.Outcome, known bool) {
	if e.Sharing == nil {
		return notDone("the record does not say for whom it was"), true
	}
	v := e.To
	if v == "" {
		v = e.From
	}
	policy, err := s.cloud.LayerPolicy(ctx, v)
	gone := state.KindOf(err) == state.Gone
	if err != nil && !gone {
		return apply.Outcome{}, false
	}
	have, there := policy.Grant(e.Sharing.Sid)
	there = there && have == state.Grant(*e.Sharing)
	switch granting := e.To != ""; {
	case gone && granting:
		return notDone("the version is gone"), true
	case there && !granting:
		return notDone("layerd was stopped before the grant was taken back"), true
	case !there && granting:
		return notDone("layerd was stopped before the version was shared"), true
	}
	return apply.Outcome{Result: plan.Result{Status: plan.StatusApplied}}, true
}

// grantUnknown reports whether a line of an approval is of a grant on a version of which
// the policy was asked for and could not be read: it may still have to be made. A line
// from before the version had a number is of any version of the layer.
func grantUnknown(r plan.Region, line string) bool {
	return slices.ContainsFunc(r.Needs.Policies, func(v state.LayerVersionARN) bool {
		rest, ok := strings.CutPrefix(line, strings.Join([]string{r.Want.Region, string(plan.KindShare), string(v.Layer()), ""}, " "))
		_, target, _ := strings.Cut(rest, " ")
		return ok && (target == strconv.FormatInt(v.Number(), 10) || strings.HasPrefix(target, "sha256:"))
	})
}

// forgetPolicies forgets the policies of the versions on which it was tried to change
// grants. Those of what was left out stay: reading them again while AWS refuses something
// is a call for each version in each round.
func (l *Cache) forgetPolicies(at Place, r plan.Region) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.places[at]
	if k == nil {
		return
	}
	policies := maps.Clone(k.policies)
	for _, s := range r.Steps {
		if s.Kind == plan.KindShare && s.Result != nil && s.Result.Status != plan.StatusHeld && !s.Result.Untried {
			delete(policies, s.From)
			delete(policies, s.To)
		}
	}
	k.policies = policies
}

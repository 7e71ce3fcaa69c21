package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// Altered returns what somebody else has made of an alias through which a function's
// callers get a share of the new version; empty = it carries exactly what the
// rollout gave it. Nil is an alias that is gone. Whoever took a share away, or gave
// more, has a reason that nobody here knows: what is watched is not what was set,
// and the alias is not moved any further.
//
// The share is that of the rules, since the record has none: whoever changes it in
// the middle of a canary finds the aliases at another one as well.
func (c Changed) Altered(a *state.Alias, rules desired.Rollout) string {
	if !c.Canary || c.Failed || c.AliasAfter == "" || c.Alias == state.LatestPublished {
		return ""
	}
	serves := cmp.Or(c.AliasServes, c.AliasBefore)
	share, has := 0.0, false
	if a != nil {
		share, has = a.Weights[c.AliasAfter]
	}
	switch {
	case a == nil:
		return fmt.Sprintf("its alias %s is gone, and version %s had a share of its calls", c.Alias, c.AliasAfter)
	case a.Version != serves:
		return fmt.Sprintf("its alias %s was moved from version %s to version %s by somebody else", c.Alias, serves, a.Version)
	case len(a.Weights) == 0:
		return fmt.Sprintf("the share of calls that version %s had of its alias %s was taken away by somebody else", c.AliasAfter, c.Alias)
	case !has || len(a.Weights) > 1:
		others := slices.Sorted(maps.Keys(a.Weights))
		return fmt.Sprintf("its alias %s shares its calls with version %s and not with %s: somebody else changed it", c.Alias, others[0], c.AliasAfter)
	case rules.Canary != nil && math.Abs(share-rules.Canary.Weight) > 1e-6:
		return fmt.Sprintf("its alias %s gives %.0f %% of its calls to version %s and not %.0f %%: somebody else changed it",
			c.Alias, 100*share, c.AliasAfter, 100*rules.Canary.Weight)
	}
	return ""
}

package round

import (
	"context"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
)

// maxRuntimes is how many functions are asked for the version of their runtime once a
// verdict is not good: a rollback must not wait for the whole fleet, and what moved a
// runtime has moved it for many.
const maxRuntimes = 20

// blameRuntimes puts functions whose runtime is at another version than before the
// rollout ahead of what the checks found: that changes what a function does without a
// new RevisionId, as a layer does. What follows from the verdict stays as it is.
func (p *Run) blameRuntimes(ctx context.Context, in *reconcile.Input, i int, found []health.Finding, reason string, findings []string) (string, []string) {
	asked, unread := p.runtimesOf(ctx, in, i, found)
	moved := health.RuntimesMoved(asked)
	if len(moved) > 0 {
		reason = headline(moved) + "; " + reason
	}
	if unread != nil {
		findings = append(slices.Clone(findings), "whether a runtime has moved as well is not known: "+unread.Error())
	}
	return reason, slices.Concat(moved, findings)
}

// runtimesOf reads which versions of their runtimes functions start with. The first
// answer that is none ends it, since the others would meet the same.
func (p *Run) runtimesOf(ctx context.Context, in *reconcile.Input, i int, found []health.Finding) (asked []health.Runtime, unread error) {
	r := in.Regions[i]
	if !r.Rollout.Open() { // it is watched, and what it changed was not read for the round
		if r.Changed, unread = p.changed(ctx, r.Want, r.Rollout); unread != nil {
			return nil, unread
		}
	}
	cloud := p.seenFor(r.Want).cloud
	for _, c := range suspects(r.Changed, found) {
		now, err := runtimeOf(ctx, cloud, c)
		switch {
		case ctx.Err() != nil:
			return asked, nil // stopped
		case state.KindOf(err) == state.Gone:
		case err != nil:
			return asked, err
		}
		asked = append(asked, health.Runtime{Function: c.Function, Before: c.Runtime, Now: now})
	}
	return asked, nil
}

// suspects returns the functions to ask: those that the findings are about, then one of
// each version of a runtime there was before, then others.
func suspects(changed []rollout.Changed, found []health.Finding) []rollout.Changed {
	bad, seen := map[string]bool{}, map[string]bool{}
	for _, f := range found {
		if f.Status == health.Bad {
			name, _, _ := strings.Cut(f.About, ":")
			bad[name] = true
		}
	}
	var first, second, rest []rollout.Changed
	for _, c := range changed {
		switch {
		case c.Runtime == "":
			continue
		case bad[c.Function]:
			first = append(first, c)
		case !seen[c.Runtime]:
			second = append(second, c)
		default:
			rest = append(rest, c)
		}
		seen[c.Runtime] = true
	}
	all := slices.Concat(first, second, rest)
	return all[:min(len(all), maxRuntimes)]
}

// runtimeOf reads the version of the runtime that callers of a changed function get: of
// the version that a canary gives them, where it is one.
func runtimeOf(ctx context.Context, cloud Cloud, c rollout.Changed) (string, error) {
	qualifier := c.Alias
	if c.Canary {
		qualifier = c.AliasAfter
	}
	if qualifier == "" {
		f, err := cloud.Function(ctx, c.Function)
		return f.RuntimeVersion, err
	}
	s, err := cloud.Served(ctx, state.Qualified{Function: c.Function, Qualifier: qualifier})
	return s.RuntimeVersion, err
}

package round

import (
	"context"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/why"
)

// someChanges is how many of a function's last changes belong to an answer.
const someChanges = 5

// Why decides as Plan does, and answers why one function has the layers it has. The
// answer has no environment where nobody has heard of the function: the result
// has what was looked at.
func (r Round) Why(ctx context.Context, function string) (why.Answer, Result, error) {
	p, err := r.begin(ctx)
	if err != nil {
		return why.Answer{}, Result{}, err
	}
	for _, env := range p.chosen {
		p.result.add(p.plan(ctx, env))
	}
	if err := ctx.Err(); err != nil {
		return why.Answer{}, Result{}, err
	}
	var places []why.Place
	for _, d := range p.result.Decisions {
		for i := range d.Plan.Regions {
			place, err := p.place(ctx, d, i, function)
			if err != nil {
				return why.Answer{}, Result{}, err
			}
			places = append(places, place)
		}
	}
	return why.Ask(function, places), p.result, ctx.Err()
}

// place gathers what the i-th Region of a decision knows of a function.
func (p *Run) place(ctx context.Context, d Decision, i int, function string) (why.Place, error) {
	region := d.Plan.Regions[i]
	place := why.Place{Region: region, Digest: d.Plan.Digest, Approvals: why.Valid(d.Input.Approvals, region.Want, p.Now())}
	if known, ok := d.Region(i); ok {
		place.Have = known.Have
		if f, ok := place.Function(function); ok && place.Wanted(f) {
			place.Aliases, place.Unread = aliasesOf(ctx, p.seenFor(region.Want).cloud, function)
		}
	}
	if p.log == nil {
		return place, nil
	}
	var err error
	place.Changes, place.Put, err = remembered(ctx, p.log, region.Want, function)
	return place, err
}

// aliasesOf reads the aliases of one function, and through each of them the
// version that it serves: two or three calls, where the sweep of all published
// versions would be hundreds. unread is why not all is known; empty = all is.
func aliasesOf(ctx context.Context, cloud Cloud, function string) (all []why.Alias, unread string) {
	var snap state.Snapshot
	if err := cloud.Look(ctx, &snap, state.Needs{Aliases: []string{function}}); err != nil {
		return nil, err.Error()
	}
	for _, alias := range snap.Aliases[function] {
		if alias.Version == "$LATEST" {
			continue
		}
		f, err := cloud.Function(ctx, function+":"+alias.Name)
		if err != nil {
			return all, err.Error()
		}
		all = append(all, why.Alias{Name: alias.Name, Version: alias.Version, Layers: f.Layers})
	}
	return all, ""
}

// remembered reads what was done to the function: the last few changes, and for
// each layer of the environment what put its version there.
func remembered(ctx context.Context, log *history.Log, want desired.Environment, function string) ([]history.Entry, map[state.LayerARN]history.Entry, error) {
	var changes []history.Entry
	put := map[state.LayerARN]history.Entry{}
	var missing []state.LayerARN
	for _, w := range want.Layers {
		missing = append(missing, w.Layer)
	}
	q := history.Query{Environment: want.Name, Region: want.Region, Function: function}
	for e, err := range log.Entries(ctx, q) {
		if err != nil {
			return nil, nil, fmt.Errorf("read what was done to %s: %w", function, err)
		}
		if len(changes) < someChanges {
			changes = append(changes, e)
		}
		if i := slices.Index(missing, e.LayerARN); i >= 0 && e.Status == plan.StatusApplied {
			put[e.LayerARN] = e
			missing = slices.Delete(missing, i, i+1)
		}
		if len(changes) == someChanges && len(missing) == 0 {
			break
		}
	}
	return changes, put, nil
}

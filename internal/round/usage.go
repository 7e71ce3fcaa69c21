package round

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// Examiner is what counting usage needs of an account beside a Cloud.
type Examiner interface {
	// Measure asks for metrics in points of a length; the answers are in the order
	// of the list.
	Measure(ctx context.Context, list []health.Measure, from, to time.Time, point time.Duration) ([]health.Sum, error)
	CodeQuota(ctx context.Context) (state.CodeQuota, error)
}

// UsageQuery is what Usage counts.
type UsageQuery struct {
	Layers []string // globs on the name in Git; empty = all
	Span   inspect.Span
	Sizes  int // of at most so many layer versions that no function has, AWS is asked for the size
	// Examine returns who examines an account, Region and role.
	Examine func(context.Context, desired.Environment) (Examiner, error)
}

// Usage decides as Plan does, and reads who uses what of the layers. The places are
// those of the plan's Regions that could be read; what of one could not be is named in
// it. Nothing is changed.
func (r Round) Usage(ctx context.Context, q UsageQuery) ([]inspect.UsagePlace, Result, error) {
	p, err := r.begin(ctx)
	if err != nil {
		return nil, Result{}, err
	}
	for _, env := range p.chosen {
		p.result.add(p.plan(ctx, env))
	}
	var places []inspect.UsagePlace
	for _, d := range p.result.Decisions {
		for i := range d.Plan.Regions {
			if _, ok := d.Region(i); !ok || ctx.Err() != nil {
				continue
			}
			place, err := p.usage(ctx, d, i, q)
			if err != nil {
				return nil, Result{}, err
			}
			places = append(places, place)
		}
	}
	return places, p.result, ctx.Err()
}

// usage reads what the i-th Region of a decision uses.
func (p *Run) usage(ctx context.Context, d Decision, i int, q UsageQuery) (inspect.UsagePlace, error) {
	place := inspect.UsagePlace{Plan: d.Plan.Regions[i], Have: d.Input.Regions[i].Have}
	for _, w := range reconcile.Wants(d.Input, i) {
		if len(q.Layers) == 0 || slices.ContainsFunc(q.Layers, func(glob string) bool { return desired.Glob(glob, w.Name) }) {
			place.Layers = append(place.Layers, w)
		}
	}
	if len(place.Layers) == 0 {
		return place, nil
	}
	u := &using{Run: p, UsagePlace: &place, seen: p.seenFor(place.Plan.Want)}
	u.look(ctx, state.Needs{Uses: true, Tags: u.needsTags()})
	u.look(ctx, state.Needs{Aliases: place.Versioned()})
	u.look(ctx, state.Needs{Probes: place.Sizeless(q.Sizes)})
	u.noteUnsized()
	u.measure(ctx, q)
	var err error
	place.Since, err = p.since(ctx, d, i, place)
	return place, err
}

// using is one place that is being read.
type using struct {
	*Run
	*inspect.UsagePlace
	seen *seen
}

// needsTags reports whether the owners have still to be read.
func (u *using) needsTags() bool {
	return u.Plan.Want.OwnerTag != "" && slices.ContainsFunc(u.Have.Functions, func(f state.Function) bool { return f.Tags == nil })
}

// unread notes what could not be read.
func (u *using) unread(what string, err error) {
	for reason := range strings.SplitSeq(err.Error(), "\n") {
		u.Unread = append(u.Unread, inspect.Unread{What: what, Reason: reason})
	}
}

// look reads what is not known of the place, of what its plan and those of other
// environments have read already.
func (u *using) look(ctx context.Context, n state.Needs) {
	if shared := u.seen.snapshot(); shared != nil {
		u.Have = shared
	}
	have := *u.Have
	n.Uses = n.Uses && have.Uses == nil
	n.Aliases = slices.DeleteFunc(n.Aliases, func(f string) bool { return have.Aliases[f] != nil })
	if n.Empty() {
		return
	}
	have.Aliases, have.Probes = maps.Clone(have.Aliases), maps.Clone(have.Probes)
	what := "sizes of layer versions"
	switch {
	case n.Uses || n.Tags:
		what = "published versions and owners"
	case len(n.Aliases) > 0:
		what = "aliases"
	}
	if err := u.seen.cloud.Look(ctx, &have, n); err != nil {
		u.unread(what, err)
	}
	u.seen.mu.Lock()
	defer u.seen.mu.Unlock()
	u.seen.snap = &have
	u.Have = &have
}

// noteUnsized notes that sizes were refused, which a probe takes for an answer.
func (u *using) noteUnsized() {
	refused, reason := 0, ""
	for _, v := range u.Sizeless(math.MaxInt) {
		if p := u.Have.Probes[v]; p.Reason != "" {
			refused++
			reason = cmp.Or(reason, p.Reason)
		}
	}
	if refused > 0 {
		u.Unread = append(u.Unread, inspect.Unread{
			What: "sizes of layer versions", Reason: fmt.Sprintf("GetLayerVersionByArn of %s: %s", words.Count(refused, "version"), reason),
		})
	}
}

// measure reads the metrics and the quota.
func (u *using) measure(ctx context.Context, q UsageQuery) {
	examiner, err := q.Examine(ctx, u.Plan.Want)
	if err != nil {
		u.unread("metrics and quota", err)
		return
	}
	asked := inspect.Measures(u.Series())
	answers, err := examiner.Measure(ctx, asked, q.Span.From, q.Span.To, q.Span.Point)
	if err != nil {
		u.unread("metrics", err)
	} else {
		u.Calls = inspect.Calls(asked, answers)
	}
	quota, err := examiner.CodeQuota(ctx)
	if err != nil {
		u.unread("quota", err)
		return
	}
	u.Quota = &quota
}

// since returns what answers since when a function should have had a version: since it
// was seen to have another than was applied, since Git asks for it, or since the version
// was first applied here.
func (p *Run) since(ctx context.Context, d Decision, i int, place inspect.UsagePlace) (func(reconcile.Wanting, state.Function) (time.Time, string), error) {
	past, want := d.Input.Regions[i].Past, place.Plan.Want
	asks := desired.Asks{}
	if o := p.origin(want.Name); o.Asks != nil && len(inspect.CountUsage(place).Behind) > 0 {
		asks = o.Asks(want.Region)
	}
	first, err := p.firstApplied(ctx, want)
	return func(w reconcile.Wanting, f state.Function) (time.Time, string) {
		if seen, ok := past.Functions[f.Name].Drift[w.Layer]; ok {
			return seen.Since, "seen to have another than was applied"
		}
		if asked, when, ok := asks.Since(w.LayerWish, f); ok && !asked.Earlier && !when.IsZero() {
			return when, "asked for by " + asked.Revision
		}
		target, _ := w.On(&f)
		if at, ok := first[w.Layer.Version(target.Number)]; ok {
			return at, "first applied here"
		}
		return time.Time{}, ""
	}, err
}

// firstApplied returns when each version was first applied in a Region.
func (p *Run) firstApplied(ctx context.Context, want desired.Environment) (map[state.LayerVersionARN]time.Time, error) {
	first := map[state.LayerVersionARN]time.Time{}
	if p.log == nil {
		return first, nil
	}
	applied := func(e history.Entry) bool { return e.Status == plan.StatusApplied && e.Function != "" && e.To != "" }
	for e, err := range p.log.Entries(ctx, history.Query{Environment: want.Name, Region: want.Region, Only: applied}) {
		if errors.Is(err, context.Canceled) {
			return first, nil // the round ends by it
		}
		if err != nil {
			return nil, fmt.Errorf("read when versions were applied: %w", err)
		}
		first[e.To] = e.Ended // the newest come first
	}
	return first, nil
}

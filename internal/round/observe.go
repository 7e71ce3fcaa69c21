package round

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// seen is one account, Region and role as it was observed.
type seen struct {
	cloud   Cloud
	before  int // calls that cloud had made before this round
	failure *plan.Failure

	mu   sync.Mutex // guards snap, which environments add to as they look
	snap *state.Snapshot
}

func (s *seen) snapshot() *state.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snap
}

// observe looks at every account, Region and role of the chosen environments
// once, all at the same time; the limiter keeps to the rates.
func (p *Run) observe(ctx context.Context) {
	queries := map[Place]*state.Query{}
	first := map[Place]desired.Environment{}
	own := map[apart]*state.Query{}
	for _, env := range p.chosen {
		for _, e := range slices.Concat(env, p.Trials[env[0].Name]) {
			at := PlaceOf(e)
			if p.refused[e.Account] != nil {
				continue
			}
			if queries[at] == nil {
				queries[at], first[at] = &state.Query{}, e
				p.regions[at] = &seen{}
				p.tell(Progress{Environment: e.Name, Region: e.Region, Phase: "look"})
			}
			if own[apart{at, e.Name}] == nil {
				own[apart{at, e.Name}] = &state.Query{}
			}
			addTo(queries[at], e)
			addTo(own[apart{at, e.Name}], e)
		}
	}
	var g errgroup.Group
	for at, q := range queries {
		s := p.regions[at]
		g.Go(func() error {
			p.see(ctx, first[at], *q, s)
			return nil
		})
	}
	_ = g.Wait() // see returns no error; it is in seen
	p.observeApart(ctx, own)
}

// addTo adds to a query what one environment asks of a place.
func addTo(q *state.Query, e desired.Environment) {
	q.Tags = q.Tags || e.NeedsTags()
	q.Settings = q.Settings || e.Alias != "" // compared with what the alias serves
	for _, w := range e.Layers {
		if w.Owned {
			q.Layers = append(q.Layers, w.Layer)
		}
	}
}

// apart is an environment in a place.
type apart struct {
	place       Place
	environment string
}

// observeApart looks at a place for each environment by itself where AWS refused to
// be looked at for all of them: what is refused may be asked for by one of them only,
// such as tags, or a layer of another name.
func (p *Run) observeApart(ctx context.Context, own map[apart]*state.Query) {
	shared := map[Place]int{}
	for key := range own {
		shared[key.place]++
	}
	var g errgroup.Group
	p.apart = map[apart]*seen{}
	for _, env := range p.chosen {
		for _, e := range slices.Concat(env, p.Trials[env[0].Name]) {
			key := apart{PlaceOf(e), e.Name}
			whole := p.regions[key.place]
			if shared[key.place] < 2 || whole.failure == nil || whole.failure.Code != plan.CodeRefused || p.apart[key] != nil {
				continue
			}
			s := &seen{}
			p.apart[key] = s
			g.Go(func() error {
				p.see(ctx, e, *own[key], s)
				return nil
			})
		}
	}
	_ = g.Wait()
}

// seenFor returns what was observed for an environment; nil where nothing was.
func (p *Run) seenFor(e desired.Environment) *seen {
	if s := p.apart[apart{PlaceOf(e), e.Name}]; s != nil {
		return s
	}
	return p.regions[PlaceOf(e)]
}

func (p *Run) see(ctx context.Context, env desired.Environment, q state.Query, s *seen) {
	defer func() {
		if r := recover(); r != nil {
			s.failure = panicked(r)
			p.Log.Error("panic while looking", "env", env.Name, "region", env.Region, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	var err error
	if s.cloud, err = p.Connect(ctx, env); err == nil {
		s.before = s.cloud.Calls().Total()
		if err = s.cloud.Check(ctx); err == nil {
			var snap state.Snapshot
			if snap, err = s.cloud.Observe(ctx, q); err == nil {
				s.snap = &snap
				return
			}
		}
	}
	s.failure = awsFailure(ctx, err)
	if ctx.Err() == nil {
		p.Log.Debug("region not read", "env", env.Name, "region", env.Region, "err", err)
	}
}

// regionNames returns the Regions of an environment, for people.
func regionNames(regions []reconcile.Region) string {
	var names []string
	for _, r := range regions {
		names = append(names, r.Want.Region)
	}
	return words.Few(names)
}

// decide decides, looks where the decision asks it to, and decides again,
// until nothing more is asked. What could not be read stays unknown, which
// prunes nothing. What earlier rounds looked up is good enough for saying what
// waits; before a version is deleted it is looked up again.
func (p *Run) decide(ctx context.Context, in *reconcile.Input) plan.Plan {
	p.tell(Progress{Environment: in.Regions[0].Want.Name, Region: regionNames(in.Regions), Phase: "decide"})
	before := slices.Clone(in.Regions)
	planned, recalled := p.ask(ctx, in, p.Cache)
	if recalled && slices.ContainsFunc(planned.Regions, prunes) {
		in.Regions = before
		planned, _ = p.ask(ctx, in, nil)
	}
	p.attribute(in, planned)
	return planned
}

// prunes reports whether a version may be deleted now.
func prunes(r plan.Region) bool {
	return slices.ContainsFunc(r.Steps, func(s plan.Step) bool { return s.Kind == plan.KindPrune && s.Held == nil })
}

// ask decides until nothing more is wanted. recalled reports that some of what was
// wanted came from cache.
func (p *Run) ask(ctx context.Context, in *reconcile.Input, cache *Cache) (planned plan.Plan, recalled bool) {
	const rounds = 7 // numbers that lists lack, what is served, uses, aliases and policies, probes, earlier versions; one spare
	for i := range in.Regions {
		in.Regions[i].Refused = nil // all of it is asked again
	}
	planned = p.decideOnce(in)
	known := make([]state.Needs, len(in.Regions)) // what was asked already; what was refused is not asked again
	for range rounds {
		asked := false
		for i, r := range planned.Regions {
			needs := r.Needs.Without(known[i])
			if needs.Empty() || in.Regions[i].Have == nil {
				continue
			}
			asked = true
			old, err := p.look(ctx, in, i, needs, cache)
			known[i] = known[i].And(needs)
			recalled = recalled || old
			in.Regions[i].Refused = errors.Join(in.Regions[i].Refused, err)
		}
		if !asked {
			break
		}
		planned = p.decideOnce(in)
	}
	for _, r := range in.Regions {
		if r.Refused != nil {
			p.Log.Warn("not everything could be read", "env", r.Want.Name, "region", r.Want.Region, "err", r.Refused)
		}
	}
	return planned, recalled
}

// decideOnce decides with what is known now.
func (p *Run) decideOnce(in *reconcile.Input) plan.Plan {
	for i := range in.Regions {
		in.Regions[i].Calls = p.callsOf(in.Regions[i].Want)
	}
	return reconcile.Decide(*in)
}

// look adds what is asked for to the snapshot, which other environments of the
// same place then have as well. When AWS cannot be reached, or another account
// answers, the Region counts as not read: a plan that is half known must not be
// acted on. recalled reports that some of it was looked up by an earlier round.
func (p *Run) look(ctx context.Context, in *reconcile.Input, i int, n state.Needs, cache *Cache) (recalled bool, err error) {
	wanted := n.Artifacts
	if n.Artifacts = nil; !n.Empty() {
		recalled, err = p.lookAtPlace(ctx, in, i, n, cache)
	}
	p.lookInto(ctx, &in.Regions[i], wanted)
	return recalled, err
}

// lookAtPlace is look for what AWS is asked about the place itself.
func (p *Run) lookAtPlace(ctx context.Context, in *reconcile.Input, i int, n state.Needs, cache *Cache) (recalled bool, err error) {
	at := PlaceOf(in.Regions[i].Want)
	s := p.seenFor(in.Regions[i].Want)
	snap := *in.Regions[i].Have
	snap.Aliases, snap.Policies, snap.Probes = maps.Clone(snap.Aliases), maps.Clone(snap.Policies), maps.Clone(snap.Probes)
	snap.Served, snap.Absent = maps.Clone(snap.Served), maps.Clone(snap.Absent)
	rest := cache.fill(at, &snap, n, p.Now())
	recalled = !reflect.DeepEqual(rest, n)
	if !rest.Empty() {
		err = s.cloud.Look(ctx, &snap, rest)
	}
	p.Cache.put(at, snap, p.Now())
	s.mu.Lock()
	s.snap = &snap
	s.mu.Unlock()
	in.Regions[i].Have = &snap
	switch kind := state.KindOf(err); {
	case err == nil:
	case ctx.Err() != nil && state.Elsewhere(err) == nil: // it was not refused, and is not noted beside the failure
		in.Regions[i].Have, in.Regions[i].Unread, err = nil, interrupted(ctx), nil
	case kind == state.Again, kind == state.Stopped, kind == state.Unsure, kind == state.Barred, state.Elsewhere(err) != nil:
		in.Regions[i].Have, in.Regions[i].Unread = nil, awsFailure(ctx, err)
	}
	return recalled, err
}

// callsOf is what looking at the place of an environment has cost in this
// round.
func (p *Run) callsOf(e desired.Environment) int {
	if s := p.seenFor(e); s != nil && s.cloud != nil {
		return s.cloud.Calls().Total() - s.before
	}
	return 0
}

package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/state/awslambda"
	"github.com/layerd/layerd/internal/store"
)

// Round is one pass: look, decide, and, for Apply, do. The zero value lacks
// Connect, which is required; everything else has a meaning when empty.
type Round struct {
	Tree desired.Tree
	// Revision and Author are of the commit that Tree was read from; they go
	// into the record. Repository is its identity, part of every key.
	Revision, Author, Repository string
	// Environments chooses by name; empty = all. Names that the repository
	// does not have are ignored: the caller knows better how to say so.
	Environments []string
	// Store remembers; nil = nothing is remembered and nothing is known. Apply
	// requires one.
	Store   store.Store
	Connect func(context.Context, desired.Environment) (Cloud, error)
	Now     func() time.Time // nil = time.Now
	Rates   reconcile.Rates  // for the cost of a plan
	Log     *slog.Logger     // nil = no log
	// Progress, when not nil, is told what is being done, one call at a time.
	Progress func(Progress)
}

// Progress is what a round is doing right now.
type Progress struct {
	Environment, Region string
	Phase               string // "look", "decide", "apply"
	Done, Total         int    // functions, while applying
}

// pass is a Round under way.
type pass struct {
	Round
	log     *history.Log // nil without a store
	result  Result
	chosen  [][]desired.Environment // by environment, its Regions in order
	regions map[place]*seen
}

// seen is one account, Region and role as it was observed.
type seen struct {
	cloud   Cloud
	snap    *state.Snapshot
	failure *reconcile.Failure
}

// Plan decides and changes nothing: not AWS, not the store. An error means
// that the store could not be read; everything else is in the Result.
func (r Round) Plan(ctx context.Context) (Result, error) {
	p, err := r.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	for _, env := range p.chosen {
		in, err := p.input(ctx, env)
		if err != nil {
			return p.result, err
		}
		p.result.Plans = append(p.result.Plans, p.decide(ctx, &in))
	}
	return p.result, ctx.Err()
}

// begin chooses the environments, reads what is remembered and observes every
// place once.
func (r Round) begin(ctx context.Context) (*pass, error) {
	p := &pass{Round: r, regions: map[place]*seen{}}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	p.result = Result{Past: "none", Revision: r.Revision, Repository: r.Repository, Problems: slices.Clone(r.Tree.Problems)}
	if r.Store != nil {
		p.result.Past = "store"
		p.log = history.Open(r.Store, r.Repository)
		unfinished, err := p.log.Unfinished(ctx)
		if err != nil {
			return nil, fmt.Errorf("read what earlier rounds left: %w", err)
		}
		p.result.Unfinished = unfinished
	}
	p.choose()
	p.observe(ctx)
	return p, nil
}

// choose groups the chosen, valid environments by name. One that uses a key
// that does not act yet is refused whole: ignoring it would be a surprise.
func (p *pass) choose() {
	byName := map[string][]desired.Environment{}
	for _, e := range p.Tree.Environments {
		byName[e.Name] = append(byName[e.Name], e)
	}
	for _, name := range p.Tree.Names {
		if len(p.Environments) > 0 && !slices.Contains(p.Environments, name) {
			continue
		}
		env := byName[name]
		if len(env) == 0 {
			p.result.Skipped = append(p.result.Skipped, name)
			continue
		}
		if len(env[0].NotYet) > 0 {
			p.result.Problems = append(p.result.Problems, env[0].NotYet...)
			p.result.Skipped = append(p.result.Skipped, name)
			continue
		}
		p.chosen = append(p.chosen, env)
	}
}

// observe looks at every account, Region and role of the chosen environments
// once, all at the same time; the limiter keeps to the rates.
func (p *pass) observe(ctx context.Context) {
	queries := map[place]*awslambda.Query{}
	first := map[place]desired.Environment{}
	for _, env := range p.chosen {
		for _, e := range env {
			at := placeOf(e)
			if queries[at] == nil {
				queries[at], first[at] = &awslambda.Query{}, e
				p.regions[at] = &seen{}
				p.tell(Progress{Environment: e.Name, Region: e.Region, Phase: "look"})
			}
			q := queries[at]
			q.Tags = q.Tags || e.NeedsTags()
			for _, w := range e.Layers {
				if w.Owned {
					q.Layers = append(q.Layers, w.Layer)
				}
			}
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
}

func (p *pass) see(ctx context.Context, env desired.Environment, q awslambda.Query, s *seen) {
	var err error
	if s.cloud, err = p.Connect(ctx, env); err == nil {
		if err = s.cloud.Check(ctx); err == nil {
			var snap state.Snapshot
			if snap, err = s.cloud.Observe(ctx, q); err == nil {
				s.snap = &snap
				return
			}
		}
	}
	s.failure = failure(err)
	p.Log.Error("region not read", "env", env.Name, "region", env.Region, "err", err)
}

// failure sorts an error of AWS into what the reader can do about it.
func failure(err error) *reconcile.Failure {
	if wrong, ok := errors.AsType[*state.WrongAccountError](err); ok {
		return &reconcile.Failure{Code: "wrong_account", Message: wrong.Error()}
	}
	switch state.KindOf(err) {
	case state.Again, state.Stopped, state.Unsure:
		return &reconcile.Failure{Code: "aws_unreachable", Message: err.Error(), Retryable: true}
	default:
		return &reconcile.Failure{Code: "aws_refused", Message: err.Error()}
	}
}

// input gathers everything a decision about one environment looks at.
func (p *pass) input(ctx context.Context, env []desired.Environment) (reconcile.Input, error) {
	in := reconcile.Input{Want: env, Now: p.Now(), Rates: p.Rates, PruneStop: p.pruneStop()}
	for _, o := range p.Tree.Environments {
		if o.Name != env[0].Name {
			in.Others = append(in.Others, o)
		}
	}
	for _, e := range env {
		s := p.regions[placeOf(e)]
		in.Have = append(in.Have, s.snap)
		in.Unread = append(in.Unread, s.failure)
		past := reconcile.Past{}
		if p.log != nil {
			var err error
			if past, err = p.log.Past(ctx, e.Name, e.Region); err != nil {
				return in, fmt.Errorf("read the past of %s: %w", e.Name, err)
			}
		}
		in.Past = append(in.Past, past)
	}
	if p.Store != nil {
		approvals, err := ruling.Load(ctx, p.Store, p.Repository, env[0].Name)
		if err != nil {
			return in, err
		}
		in.Approvals = approvals
	}
	return in, nil
}

// pruneStop says why nothing may be pruned anywhere: a file that cannot be
// read may name the very version that would go.
func (p *pass) pruneStop() string {
	for _, problem := range p.Tree.Problems {
		if problem.Severity == desired.Error {
			return fmt.Sprintf("%s is invalid", problem.File)
		}
	}
	return ""
}

// decide decides, looks where the decision asks it to, and decides again,
// until nothing more is asked. What could not be read stays unknown, which
// prunes nothing.
func (p *pass) decide(ctx context.Context, in *reconcile.Input) reconcile.Plan {
	const rounds = 4 // uses, then aliases and policies, then probes; one spare
	p.tell(Progress{Environment: in.Want[0].Name, Phase: "decide"})
	plan := reconcile.Decide(*in)
	refused := make([]error, len(in.Want))
	for range rounds {
		asked := false
		for i, r := range plan.Regions {
			if r.Needs.Empty() || refused[i] != nil {
				continue
			}
			asked = true
			refused[i] = p.look(ctx, in, i, r.Needs)
		}
		if !asked {
			break
		}
		plan = reconcile.Decide(*in)
	}
	for i, err := range refused {
		if err != nil {
			plan.Regions[i].Notes = append(plan.Regions[i].Notes,
				reconcile.Note{Code: "not_everything_read", Message: err.Error()})
			p.Log.Warn("not everything could be read", "env", in.Want[i].Name, "region", in.Want[i].Region, "err", err)
		}
		plan.Regions[i].Cost.Calls += p.callsOf(in.Want[i])
	}
	return plan
}

// look adds what is asked for to the snapshot, which other environments of the
// same place then have as well. When AWS cannot be reached the Region counts
// as not read: a plan that is half known must not be acted on.
func (p *pass) look(ctx context.Context, in *reconcile.Input, i int, n state.Needs) error {
	s := p.regions[placeOf(in.Want[i])]
	snap := *s.snap
	snap.Aliases, snap.Policies, snap.Probes = maps.Clone(snap.Aliases), maps.Clone(snap.Policies), maps.Clone(snap.Probes)
	err := s.cloud.Look(ctx, &snap, n)
	s.snap, in.Have[i] = &snap, &snap
	switch state.KindOf(err) {
	case state.Again, state.Stopped, state.Unsure:
		if err != nil {
			in.Have[i], in.Unread[i] = nil, failure(err)
		}
	}
	return err
}

// callsOf is what looking at the place of an environment has cost so far.
func (p *pass) callsOf(e desired.Environment) int {
	if s := p.regions[placeOf(e)]; s.cloud != nil {
		return s.cloud.Calls().Total()
	}
	return 0
}

func (p *pass) tell(pr Progress) {
	if p.Progress != nil {
		p.Progress(pr)
	}
}

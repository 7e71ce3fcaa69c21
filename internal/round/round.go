package round

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
)

// Round is one pass: look, decide, and, for Apply, do. The zero value lacks
// Connect, which is required; everything else has a meaning when empty.
type Round struct {
	Tree desired.Tree
	// Revision and Author are of the commit that Tree was read from; they go
	// into the record. Repository is its identity, part of every key.
	Revision, Author, Repository string
	// Asked is Origin.Asks of all environments that Origins does not name.
	Asked func(environment, region string) desired.Asks
	// Origins names the environments that come from another commit than that,
	// or that must not change although they are valid.
	Origins map[string]Origin
	// Trials has newer wishes, by environment, that are followed instead of those
	// in Tree once they resolve. Judged is called with what came of each, by
	// environment and Region, before anything is decided, and returns what is
	// followed. It is required where there are trials.
	Trials map[string][]desired.Environment
	Judged func(found map[string]map[string][]desired.Problem) (desired.Tree, map[string]Origin)
	// Environments chooses by name; empty = all. Names that the repository
	// does not have are ignored: reporting them is for the caller.
	Environments []string
	// Store remembers; nil = nothing is remembered and nothing is known. Apply
	// requires one.
	Store   store.Store
	Connect func(context.Context, desired.Environment) (Cloud, error)
	// Artifacts reads archives of layers; nil = none can be read, and nothing is
	// published.
	Artifacts Artifacts
	// Lease returns the lease of an account, and an error where it is not to be
	// had; then the environments of that account are left alone. It is asked
	// once for each account, by Apply only. Nil: there is nobody else.
	Lease func(ctx context.Context, account string) (Lease, error)
	Now   func() time.Time // nil = time.Now
	Rates reconcile.Rates  // for the cost of a plan
	// Watching is why nothing may be done at all, for a Plan that shows what
	// would be; empty = for no such reason.
	Watching string
	// Quarantines are added to those that are kept, for a Plan that shows what a
	// rollback would do before anybody's word is written.
	Quarantines []ruling.Quarantine
	// Only chooses the steps that are planned or carried out; nil = all. Where
	// some are left out the rollout under way stays where it is, and approvals
	// as they are: the rest is for another round.
	Only func(plan.Step) bool
	// Decided, when not nil, is called with each plan before it is carried out; an
	// error leaves the environment alone. Only Apply calls it.
	Decided func(ctx context.Context, planned plan.Plan) error
	// Cache keeps what earlier rounds looked up; nil = look again.
	Cache *Cache
	Log   *slog.Logger // nil = no log
	// Progress, when not nil, is called with what is being done, one call at a time.
	Progress func(Progress)
}

// Origin is where the wish of one environment comes from.
type Origin struct {
	Revision, Author string
	// Held is why nothing new may start there although what is wanted is
	// known; empty = it may.
	Held string
	// Asks returns what this commit and those before it asked for in a Region; nil =
	// nobody knows, and Revision counts as who asked. It is called only where
	// something is to be changed.
	Asks func(region string) desired.Asks
}

// Progress is what a round is doing right now.
type Progress struct {
	Environment, Region string
	Phase               string // "look", "decide", "apply"
	Done, Total         int    // functions, while applying
}

// Run is a Round under way. Its environments may be worked on at the same
// time, once begin has returned.
type Run struct {
	Round
	log     *history.Log // nil without a store
	result  Result
	chosen  [][]desired.Environment // by environment, its Regions in order
	regions map[Place]*seen
	apart   map[apart]*seen          // of environments that had to be looked at by themselves
	unread  sync.Map                 // pasts of environments whose file cannot be read, by name and Region
	beside  *beside                  // nil where nobody else can be at work
	leases  map[string]Lease         // by account; nil without Lease
	refused map[string]*plan.Failure // accounts whose lease was not to be had
}

// Plan decides and changes nothing: not AWS, not the store. An error means
// that the store could not be read, or that ctx ended; everything else is in
// the Result.
func (r Round) Plan(ctx context.Context) (Result, error) {
	p, err := r.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	for _, env := range p.chosen {
		d := p.plan(ctx, env)
		p.inside(ctx, &d.Plan)
		p.result.add(d)
	}
	return p.result, ctx.Err()
}

// begin chooses the environments, reads what is remembered and observes every
// place once.
func (r Round) begin(ctx context.Context) (*Run, error) { return r.beginWith(ctx, nil, nil) }

// beginWith leaves accounts alone whose lease was refused.
func (r Round) beginWith(ctx context.Context, leases map[string]Lease, refused map[string]*plan.Failure) (*Run, error) {
	p := &Run{Round: r, regions: map[Place]*seen{}, leases: leases, refused: refused}
	p.Now = r.clock()
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	p.result = Result{Report: plan.Report{Past: "none", Revision: r.Revision, Repository: r.Repository, Problems: slices.Clone(r.Tree.Problems)}}
	p.choose()
	if r.Store != nil {
		p.result.Past = "store"
		p.log = history.Open(r.Store, r.Repository)
		unfinished, err := p.log.Unfinished(ctx)
		if err != nil {
			return nil, fmt.Errorf("read what earlier rounds left: %w", err)
		}
		p.setUnfinished(unfinished)
	}
	alone := p.log == nil || leases != nil // nobody else is at work, or nothing is known of it
	if !alone {
		if err := p.lookBefore(ctx); err != nil {
			return nil, err
		}
	}
	p.observe(ctx)
	if !alone {
		if err := p.lookAgain(ctx); err != nil {
			return nil, err
		}
	}
	if len(p.Trials) > 0 {
		p.Tree, p.Origins = p.Judged(p.try(ctx))
		p.choose()
	}
	return p, nil
}

// clock returns what the round reads the time from.
func (r Round) clock() func() time.Time {
	if r.Now == nil {
		return time.Now
	}
	return r.Now
}

// Chosen returns the environments that the run is about, each with its Regions in order.
func (p *Run) Chosen() [][]desired.Environment { return p.chosen }

func (p *Run) has(environment string) bool {
	return slices.ContainsFunc(p.chosen, func(env []desired.Environment) bool { return env[0].Name == environment })
}

// choose groups the chosen, valid environments by name. One that uses a key
// that does not act yet is refused whole: ignoring it would be a surprise.
func (p *Run) choose() {
	p.chosen = nil
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
		if len(env[0].Unsupported) > 0 {
			p.result.Problems = append(p.result.Problems, env[0].Unsupported...)
			p.result.Skipped = append(p.result.Skipped, name)
			continue
		}
		p.chosen = append(p.chosen, env)
	}
}

// contain runs what is done about one environment, so that an error or a panic is
// that one's failure and nobody else's.
func (p *Run) contain(ctx context.Context, env []desired.Environment, do func() (plan.Plan, error)) (planned plan.Plan) {
	defer func() {
		if r := recover(); r != nil {
			planned = undecided(env).Failed(panicked(r))
			p.Log.Error("panic in an environment", "env", env[0].Name, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	planned, err := do()
	if err != nil {
		if len(planned.Regions) == 0 {
			planned = undecided(env)
		}
		planned = planned.Failed(storeFailure(ctx, err))
		if ctx.Err() == nil {
			p.Log.Error("environment not done", "env", env[0].Name, "err", err)
		}
	}
	return planned
}

// undecided is the plan of an environment about which nothing was decided.
func undecided(env []desired.Environment) plan.Plan {
	planned := plan.Plan{Environment: env[0].Name, Digest: ruling.Digest(nil)}
	for _, e := range env {
		planned.Regions = append(planned.Regions, plan.Region{Want: e})
	}
	return planned
}

// plan decides about one environment.
func (p *Run) plan(ctx context.Context, env []desired.Environment) (d Decision) {
	d.Plan = p.contain(ctx, env, func() (_ plan.Plan, err error) {
		if d.Input, err = p.input(ctx, env); err != nil {
			return plan.Plan{}, err
		}
		return p.foresee(ctx, &d.Input, p.only(p.checkAlarms(ctx, &d.Input, p.decide(ctx, &d.Input)))), nil
	})
	return d
}

// origin is where the wish of an environment comes from.
func (p *Run) origin(environment string) Origin {
	if o, ok := p.Origins[environment]; ok {
		return o
	}
	o := Origin{Revision: p.Revision, Author: p.Author}
	if p.Asked != nil {
		o.Asks = func(region string) desired.Asks { return p.Asked(environment, region) }
	}
	return o
}

// input gathers everything a decision about one environment looks at.
func (p *Run) input(ctx context.Context, env []desired.Environment) (reconcile.Input, error) {
	in := reconcile.Input{
		Now: p.Now(), Rates: p.Rates, PruneStop: p.pruneStop(), Stale: p.origin(env[0].Name).Held, Unleased: p.Watching,
		Revision: p.origin(env[0].Name).Revision,
	}
	for _, e := range env {
		r := reconcile.Region{Want: e, Unread: p.refused[e.Account], Begun: p.begunIn(e)}
		if r.Unread == nil {
			s := p.seenFor(e)
			r.Have, r.Unread = s.snapshot(), s.failure
		}
		var err error
		if r.Past, err = p.past(ctx, e); err != nil {
			return in, fmt.Errorf("read the past of %s: %w", e.Name, err)
		}
		in.Regions = append(in.Regions, r)
	}
	var err error
	if in.Others, err = p.others(ctx, in.Regions); err != nil {
		return in, err
	}
	if in.Published, err = p.published(ctx, in.Regions); err != nil {
		return in, err
	}
	if err := p.rollouts(ctx, &in); err != nil {
		return in, fmt.Errorf("read the rollouts of %s: %w", env[0].Name, err)
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

// past reads what was done and found before, unless it is known for sure.
func (p *Run) past(ctx context.Context, e desired.Environment) (plan.Past, error) {
	if p.log == nil {
		return p.Cache.lastPast(e.Name, e.Region), nil
	}
	if p.beside != nil {
		if past, known := p.beside.pasts[placeName(e)]; known {
			return past, nil
		}
	}
	if past, ours := p.Cache.Past(e, p.fence(e.Account), p.Now()); ours {
		return past, nil
	}
	past, err := p.log.Past(ctx, e.Name, e.Region)
	if err == nil {
		p.Cache.putPast(e, past, p.Now())
	}
	return past, err
}

// fence is the number of our hold of an account's lease, or 0.
func (p *Run) fence(account string) int64 {
	if l := p.leases[account]; l != nil && l.Check() == nil {
		return l.Fence()
	}
	return 0
}

// pruneStop returns why nothing may be pruned anywhere: a file that cannot be
// read may name the very version that would go.
func (p *Run) pruneStop() string {
	for _, problem := range p.Tree.Problems {
		if problem.Severity == desired.Error {
			return fmt.Sprintf("%s is invalid", problem.File)
		}
	}
	return ""
}

func (p *Run) tell(pr Progress) {
	if p.Progress != nil {
		p.Progress(pr)
	}
}

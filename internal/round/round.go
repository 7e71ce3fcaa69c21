package round

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// Round is one pass: look, decide, and, for Apply, do. The zero value lacks
// Connect, which is required; everything else has a meaning when empty.
type Round struct {
	Tree desired.Tree
	// Revision and Author are of the commit that Tree was read from; they go
	// into the record. Repository is its identity, part of every key.
	Revision, Author, Repository string
	// Origins names the environments that come from another commit than that,
	// or that must not change although they are valid.
	Origins map[string]Origin
	// Trials has newer wishes, by environment, that are followed instead of those
	// in Tree once they resolve. Judged hears what came of each, by environment
	// and Region, before anything is decided, and returns what is followed. It is
	// required where there are trials.
	Trials map[string][]desired.Environment
	Judged func(found map[string]map[string][]desired.Problem) (desired.Tree, map[string]Origin)
	// Environments chooses by name; empty = all. Names that the repository
	// does not have are ignored: the caller knows better how to say so.
	Environments []string
	// Store remembers; nil = nothing is remembered and nothing is known. Apply
	// requires one.
	Store   store.Store
	Connect func(context.Context, desired.Environment) (Cloud, error)
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
	// Decided, when not nil, is told of each plan before it is carried out; an
	// error leaves the environment alone. Only Apply calls it.
	Decided func(ctx context.Context, planned plan.Plan) error
	// Cache keeps what earlier rounds looked up; nil = look again.
	Cache *Cache
	Log   *slog.Logger // nil = no log
	// Progress, when not nil, is told what is being done, one call at a time.
	Progress func(Progress)
}

// Origin is where the wish of one environment comes from.
type Origin struct {
	Revision, Author string
	// Held is why nothing new may start there although what is wanted is
	// known; empty = it may.
	Held string
}

// Progress is what a round is doing right now.
type Progress struct {
	Environment, Region string
	Phase               string // "look", "decide", "apply"
	Done, Total         int    // functions, while applying
}

// Run is a Round under way. Its environments may be worked on at the same
// time; begin has to be over before.
type Run struct {
	Round
	log     *history.Log // nil without a store
	result  Result
	chosen  [][]desired.Environment // by environment, its Regions in order
	regions map[Place]*seen
	leases  map[string]Lease         // by account; nil without Lease
	refused map[string]*plan.Failure // accounts whose lease was not to be had
}

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

// Plan decides and changes nothing: not AWS, not the store. An error means
// that the store could not be read, or that ctx ended; everything else is in
// the Result.
func (r Round) Plan(ctx context.Context) (Result, error) {
	p, err := r.begin(ctx)
	if err != nil {
		return Result{}, err
	}
	for _, env := range p.chosen {
		p.result.add(p.plan(ctx, env))
	}
	return p.result, ctx.Err()
}

// begin chooses the environments, reads what is remembered and observes every
// place once.
func (r Round) begin(ctx context.Context) (*Run, error) { return r.beginWith(ctx, nil, nil) }

// beginWith leaves accounts alone whose lease was refused.
func (r Round) beginWith(ctx context.Context, leases map[string]Lease, refused map[string]*plan.Failure) (*Run, error) {
	p := &Run{Round: r, regions: map[Place]*seen{}, leases: leases, refused: refused}
	if p.Now == nil {
		p.Now = time.Now
	}
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
		p.result.Unfinished = slices.DeleteFunc(unfinished, func(e history.Entry) bool { return !p.has(e.Environment) })
		p.result.Interrupted = len(p.result.Unfinished)
	}
	p.observe(ctx)
	if len(p.Trials) > 0 {
		p.Tree, p.Origins = p.Judged(p.try(ctx))
		p.choose()
	}
	return p, nil
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

// observe looks at every account, Region and role of the chosen environments
// once, all at the same time; the limiter keeps to the rates.
func (p *Run) observe(ctx context.Context) {
	queries := map[Place]*state.Query{}
	first := map[Place]desired.Environment{}
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
			q := queries[at]
			q.Tags = q.Tags || e.NeedsTags()
			q.Settings = q.Settings || e.Alias != "" // compared with what the alias serves
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
	s.failure = failure(err)
	if ctx.Err() == nil {
		p.Log.Error("region not read", "env", env.Name, "region", env.Region, "err", err)
	}
}

// failure sorts an error of AWS into what the reader can do about it.
func failure(err error) *plan.Failure {
	if elsewhere := state.Elsewhere(err); elsewhere != nil {
		return &plan.Failure{Code: CodeWrongAccount, Message: elsewhere.Error()}
	}
	switch state.KindOf(err) {
	case state.Again, state.Stopped, state.Unsure:
		return &plan.Failure{Code: "aws_unreachable", Message: err.Error(), Retryable: true}
	default:
		return &plan.Failure{Code: CodeRefused, Message: err.Error()}
	}
}

// CodeWrongAccount is the code of a failure of credentials or answers that are
// another account's.
const CodeWrongAccount = "wrong_account"

// CodeRefused is the code of a failure that AWS answers with each time.
const CodeRefused = "aws_refused"

// panicked is the failure of what ended in a panic: its environment's alone.
func panicked(p any) *plan.Failure {
	return &plan.Failure{Code: "internal", Message: fmt.Sprintf("a mistake in layerd (panic): %v", p)}
}

// codeStore is the code of a failure that is the store's.
const codeStore = "store_failed"

// storeFailure is why an environment was left alone whose past or rulings could
// not be read or written.
func storeFailure(err error) *plan.Failure {
	return &plan.Failure{Code: codeStore, Message: err.Error(), Retryable: errors.Is(err, store.ErrBusy)}
}

// contain runs what is done about one environment, so that an error or a panic is
// that one's failure and nobody else's.
func (p *Run) contain(env []desired.Environment, do func() (plan.Plan, error)) (planned plan.Plan) {
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
		planned = planned.Failed(storeFailure(err))
		if !errors.Is(err, context.Canceled) {
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
	d.Plan = p.contain(env, func() (_ plan.Plan, err error) {
		if d.Input, err = p.input(ctx, env); err != nil {
			return plan.Plan{}, err
		}
		return p.only(p.checkAlarms(ctx, &d.Input, p.decide(ctx, &d.Input))), nil
	})
	return d
}

// origin is where the wish of an environment comes from.
func (p *Run) origin(environment string) Origin {
	if o, ok := p.Origins[environment]; ok {
		return o
	}
	return Origin{Revision: p.Revision, Author: p.Author}
}

// input gathers everything a decision about one environment looks at.
func (p *Run) input(ctx context.Context, env []desired.Environment) (reconcile.Input, error) {
	in := reconcile.Input{
		Now: p.Now(), Rates: p.Rates, PruneStop: p.pruneStop(), Stale: p.origin(env[0].Name).Held, Unleased: p.Watching,
	}
	for _, o := range p.Tree.Environments {
		if o.Name != env[0].Name {
			in.Others = append(in.Others, o)
		}
	}
	for _, e := range env {
		r := reconcile.Region{Want: e, Unread: p.refused[e.Account]}
		if r.Unread == nil {
			s := p.regions[PlaceOf(e)]
			r.Have, r.Unread = s.snapshot(), s.failure
		}
		var err error
		if r.Past, err = p.past(ctx, e); err != nil {
			return in, fmt.Errorf("read the past of %s: %w", e.Name, err)
		}
		in.Regions = append(in.Regions, r)
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

// decide decides, looks where the decision asks it to, and decides again,
// until nothing more is asked. What could not be read stays unknown, which
// prunes nothing. What earlier rounds looked up is good enough for saying what
// waits; before a version is deleted it is looked up again.
func (p *Run) decide(ctx context.Context, in *reconcile.Input) plan.Plan {
	p.tell(Progress{Environment: in.Regions[0].Want.Name, Phase: "decide"})
	before := slices.Clone(in.Regions)
	planned, recalled := p.ask(ctx, in, p.Cache)
	if recalled && slices.ContainsFunc(planned.Regions, prunes) {
		in.Regions = before
		planned, _ = p.ask(ctx, in, nil)
	}
	return planned
}

// prunes reports whether a version may be deleted now.
func prunes(r plan.Region) bool {
	return slices.ContainsFunc(r.Steps, func(s plan.Step) bool { return s.Kind == plan.KindPrune && s.Held == nil })
}

// ask decides until nothing more is wanted. recalled reports that some of what was
// wanted came from cache.
func (p *Run) ask(ctx context.Context, in *reconcile.Input, cache *Cache) (planned plan.Plan, recalled bool) {
	const rounds = 6 // what is served, uses, aliases and policies, probes, earlier versions; one spare
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
	at := PlaceOf(in.Regions[i].Want)
	s := p.regions[at]
	snap := *in.Regions[i].Have
	snap.Aliases, snap.Policies, snap.Probes = maps.Clone(snap.Aliases), maps.Clone(snap.Policies), maps.Clone(snap.Probes)
	snap.Served = maps.Clone(snap.Served)
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
	case kind == state.Again, kind == state.Stopped, kind == state.Unsure, state.Elsewhere(err) != nil:
		in.Regions[i].Have, in.Regions[i].Unread = nil, failure(err)
	}
	return recalled, err
}

// callsOf is what looking at the place of an environment has cost in this
// round.
func (p *Run) callsOf(e desired.Environment) int {
	if s := p.regions[PlaceOf(e)]; s != nil && s.cloud != nil {
		return s.cloud.Calls().Total() - s.before
	}
	return 0
}

func (p *Run) tell(pr Progress) {
	if p.Progress != nil {
		p.Progress(pr)
	}
}

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/words"

	"github.com/layerd/layerd/internal/plan"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// someChanges is how many of a function's last changes are told.
const someChanges = 5

func (a *app) whyCommand() *cobra.Command {
	var f roundFlags
	cmd := &cobra.Command{
		Use:   "why FUNCTION --repo PATH|URL",
		Short: "Say why a function has the layers it has",
		Long: `why answers for one function: what it has, what it should have and which line of
which file says so, what holds it or blocks it, who put it there and when, and
what was done to it lately. It asks what plan asks and changes nothing.

Exit codes are those of plan; a function that nobody has heard of is 64.`,
		Example: `  layerd why makoto-chat-handler-prod --repo .
  layerd why makoto-api-prod --repo . --env prod --output json`,
		Args: arguments("FUNCTION"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.why(cmd.Context(), &f, args[0]) },
	}
	f.addTo(a, cmd, "text", "json")
	return cmd
}

func (a *app) why(ctx context.Context, f *roundFlags, function string) error {
	r, err := a.prepare(ctx, f, a.openToRead)
	if err != nil {
		return err
	}
	defer r.close()
	w := &watcher{seen: map[string]*watched{}}
	r.round.Connect = w.watch(r.round.Connect)
	result, err := r.round.Plan(ctx)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	places, err := w.places(ctx, r.round, result, function)
	if err != nil {
		return err
	}
	r.endProgress()
	code := planCode(result, f.envs, false)
	v := answerWhy(result, places, function)
	if len(v.Environments) == 0 {
		return a.unknownFunction(function, places, result, code)
	}
	if f.output.value == "json" {
		err = a.printJSON(v)
	} else {
		err = a.print(renderWhy(v, places, f, a.palette(), width(a.out), a.now()))
	}
	if err != nil {
		return err
	}
	return exit(code)
}

// unknownFunction: where everything was read the name is wrong; where not, the
// function may be in what was not read.
func (a *app) unknownFunction(name string, places []whyPlace, result round.Result, code int) error {
	var names []string
	for _, p := range places {
		if p.region.Failure != nil {
			return &exitError{code: worst(code, failureCode(p.region.Failure)), err: fmt.Errorf("no function %q in what could be read; %s in %s was not: %s",
				name, p.region.Want.Name, p.region.Want.Region, p.region.Failure.Message), hint: failureHint(*p.region.Failure)}
		}
		for _, f := range p.snap.Functions {
			names = append(names, f.Name)
		}
	}
	if len(result.Skipped) > 0 {
		return &exitError{code: worst(code, exitInvalid), err: fmt.Errorf("no function %q in what could be read; these environments are invalid: %s",
			name, listOr(result.Skipped)), hint: "see layerd validate"}
	}
	return usage("why looks at the accounts and regions of the repository's environments",
		"no function %q in %s%s", name, words.Count(len(places), "environment"), didYouMean(name, names))
}

// watcher keeps what a round saw of AWS, which a plan leaves out.
type watcher struct {
	mu   sync.Mutex // guards seen: environments are connected to at the same time
	seen map[string]*watched
}

// watched is one account, Region and role.
type watched struct {
	round.Cloud
	snap *state.Snapshot // nil: not read
}

func (w *watched) Observe(ctx context.Context, q state.Query) (state.Snapshot, error) {
	snap, err := w.Cloud.Observe(ctx, q)
	if err == nil {
		w.snap = &snap
	}
	return snap, err
}

func (w *watched) Look(ctx context.Context, s *state.Snapshot, n state.Needs) error {
	err := w.Cloud.Look(ctx, s, n)
	if w.snap != nil {
		w.snap.Served = s.Served // what callers get, for whoever goes back
	}
	return err
}

func watchKey(e desired.Environment) string {
	return store.Key(e.Account, e.Region, e.Role, e.ExternalID)
}

func (w *watcher) watch(connect connector) connector {
	return func(ctx context.Context, env desired.Environment) (round.Cloud, error) {
		cloud, err := connect(ctx, env)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		seen := &watched{Cloud: cloud}
		w.seen[watchKey(env)] = seen
		return seen, nil
	}
}

// whyPlace is what one environment and Region knows of one function.
type whyPlace struct {
	region  plan.Region
	digest  string          // of the environment's plan
	snap    *state.Snapshot // nil: not read
	aliases []servedAlias
	unread  string          // why the aliases are not known; empty = they are
	changes []history.Entry // the last ones, newest first
	put     map[state.LayerARN]history.Entry
	given   []ruling.Approval // that hold now
}

// servedAlias is an alias and the layers of the version that it serves.
type servedAlias struct {
	name, version string
	layers        []state.LayerVersionARN
}

func (w *watcher) places(ctx context.Context, r round.Round, result round.Result, function string) ([]whyPlace, error) {
	var places []whyPlace
	for _, planned := range result.Plans {
		for _, region := range planned.Regions {
			p := whyPlace{region: region, digest: planned.Digest}
			seen := w.seen[watchKey(region.Want)]
			if seen != nil && region.Failure == nil {
				p.snap = seen.snap
			}
			if p.snap == nil && region.Failure == nil {
				p.snap = &state.Snapshot{}
			}
			f, _ := p.function(function)
			if slices.ContainsFunc(region.Want.Layers, func(w desired.LayerWish) bool { return f.Name != "" && w.Selects(f) }) {
				p.aliases, p.unread = seen.served(ctx, function)
			}
			if r.Store != nil {
				if err := p.remember(ctx, history.Open(r.Store, r.Repository), function); err != nil {
					return nil, err
				}
				approvals, err := ruling.Load(ctx, r.Store, r.Repository, region.Want.Name)
				if err != nil {
					return nil, err
				}
				p.given = keep(approvals, func(a ruling.Approval) bool { return a.Valid(region.Want.Calendar, r.Now()) })
			}
			places = append(places, p)
		}
	}
	return places, ctx.Err()
}

func (p whyPlace) function(name string) (state.Function, bool) {
	if p.snap == nil {
		return state.Function{}, false
	}
	return p.snap.Function(name)
}

// served reads the aliases of one function, and through each of them the
// version that it serves: two or three calls, where the sweep of all published
// versions would be hundreds.
func (w *watched) served(ctx context.Context, function string) ([]servedAlias, string) {
	var snap state.Snapshot
	if err := w.Cloud.Look(ctx, &snap, state.Needs{Aliases: []string{function}}); err != nil {
		return nil, err.Error()
	}
	var all []servedAlias
	for _, alias := range snap.Aliases[function] {
		if alias.Version == "$LATEST" {
			continue
		}
		f, err := w.Function(ctx, function+":"+alias.Name)
		if err != nil {
			return all, err.Error()
		}
		all = append(all, servedAlias{alias.Name, alias.Version, f.Layers})
	}
	return all, ""
}

// remember reads what was done to the function here: the last few changes, and
// for each layer of the environment what put its version there.
func (p *whyPlace) remember(ctx context.Context, log *history.Log, function string) error {
	p.put = map[state.LayerARN]history.Entry{}
	var missing []state.LayerARN
	for _, w := range p.region.Want.Layers {
		missing = append(missing, w.Layer)
	}
	q := history.Query{Environment: p.region.Want.Name, Region: p.region.Want.Region, Function: function}
	for e, err := range log.Entries(ctx, q) {
		if err != nil {
			return fmt.Errorf("read what was done to %s: %w", function, err)
		}
		if len(p.changes) < someChanges {
			p.changes = append(p.changes, e)
		}
		if i := slices.Index(missing, e.LayerARN); i >= 0 && e.Status == plan.StatusApplied {
			p.put[e.LayerARN] = e
			missing = slices.Delete(missing, i, i+1)
		}
		if len(p.changes) == someChanges && len(missing) == 0 {
			break
		}
	}
	return nil
}

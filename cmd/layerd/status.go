package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
)

// statusReader gathers what the store knows of a repository.
type statusReader struct {
	store      store.Store
	repository string
	tree       desired.Tree // zero without a repository
	now        time.Time
	envs       []string
}

// choose returns which environments are meant: those of the command line, else those that
// layerd has worked on and those of the repository. One that was forgotten is over.
func (g *statusReader) choose(ctx context.Context, spec store.Spec, chosen []string) error {
	if g.repository == "" {
		return nil
	}
	if err := knowsRepository(ctx, g.store, spec, g.repository); err != nil {
		return refuseStranger(err)
	}
	if len(chosen) > 0 {
		for _, env := range chosen {
			if err := knowsEnvironment(ctx, g.store, spec, g.repository, env, g.tree.Names); err != nil {
				return err
			}
		}
		g.envs = slices.Compact(slices.Sorted(slices.Values(chosen)))
		return nil
	}
	known, err := environmentsOf(ctx, g.store, g.repository)
	if err != nil {
		return err
	}
	forgotten, err := ruling.LoadForgotten(ctx, g.store, g.repository)
	if err != nil {
		return err
	}
	known = slices.DeleteFunc(known, func(env string) bool { _, over := forgotten[env]; return over })
	g.envs = slices.Compact(slices.Sorted(slices.Values(append(known, g.tree.Names...))))
	return nil
}

func (g *statusReader) facts(ctx context.Context) (present.StatusFacts, error) {
	f := present.StatusFacts{Repository: g.repository, At: g.now.UTC()}
	if g.repository == "" {
		return f, nil
	}
	book := notify.NewBook(g.store, g.repository, notify.Options{})
	told, err := book.Environments(ctx)
	if err != nil {
		return f, err
	}
	if f.Alerts, err = book.Alerts(ctx, ""); err != nil {
		return f, err
	}
	for _, env := range g.envs {
		e, err := g.environment(ctx, book, env)
		if err != nil {
			return f, err
		}
		e.Told = slices.Contains(told, env)
		f.Environments = append(f.Environments, e)
	}
	return f, nil
}

func (g *statusReader) environment(ctx context.Context, book *notify.Book, env string) (e present.EnvironmentFacts, err error) {
	e.Name = env
	if e.Alerts, err = book.Alerts(ctx, env); err != nil {
		return e, err
	}
	if e.Pending, err = g.pending(ctx, env); err != nil {
		return e, err
	}
	if e.Quarantines, err = ruling.LoadQuarantines(ctx, g.store, g.repository, env); err != nil {
		return e, err
	}
	log := history.Open(g.store, g.repository)
	for entry, err := range log.Entries(ctx, history.Query{Environment: env, Only: wasApplied}) {
		if err != nil {
			return e, err
		}
		e.Applied = &entry
		break
	}
	accounts := map[string]bool{}
	if e.Regions, err = g.regions(ctx, log, env, accounts); err != nil {
		return e, err
	}
	if len(accounts) == 0 && e.Applied != nil && e.Applied.Account != "" {
		accounts[e.Applied.Account] = true // before it was remembered of each function
	}
	e.Accounts, err = g.accounts(ctx, accounts)
	return e, err
}

func wasApplied(e history.Entry) bool {
	return e.Status == plan.StatusApplied && e.Cause != history.CauseRuling && e.Kind != history.KindRollout
}

// pending returns the plans of an environment that wait for an approval, the latest
// first. One that was approved, or after which something was approved, waits no more.
func (g *statusReader) pending(ctx context.Context, env string) ([]ruling.PendingPlan, error) {
	list, err := ruling.Pending(ctx, g.store, g.repository, env, "")
	if err != nil {
		return nil, err
	}
	approvals, err := ruling.Load(ctx, g.store, g.repository, env)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(p ruling.PendingPlan) bool {
		return slices.ContainsFunc(approvals, func(a ruling.Approval) bool { return a.Digest == p.Digest || a.At.After(p.At) })
	})
	slices.SortFunc(list, func(a, b ruling.PendingPlan) int { return b.At.Compare(a.At) })
	return list, nil
}

// regions returns what stands in each Region of an environment, and adds the accounts
// that are known of it.
func (g *statusReader) regions(ctx context.Context, log *history.Log, env string, accounts map[string]bool) ([]present.RegionFacts, error) {
	names := map[string]bool{}
	for _, e := range g.tree.Environments {
		if e.Name == env {
			names[e.Region], accounts[e.Account] = true, true
		}
	}
	for _, path := range [][]string{{"rollout"}, {"past", "function"}, {"past", "layer"}} {
		full := append(append([]string{path[0], g.repository}, path[1:]...), env)
		below, err := namesBelow(ctx, g.store, full...)
		if err != nil {
			return nil, err
		}
		for _, region := range below {
			names[region] = true
		}
	}
	var list []present.RegionFacts
	for _, region := range slices.Sorted(maps.Keys(names)) {
		known, err := log.Standing(ctx, env, region)
		if err != nil {
			return nil, err
		}
		for _, f := range known.Past.Functions {
			if f.Account != "" && len(g.tree.Environments) == 0 {
				accounts[f.Account] = true
			}
		}
		list = append(list, present.RegionFacts{Region: region, Rollout: known.Rollout, Layers: standingLayers(known)})
	}
	return list, nil
}

// standingLayers returns what stands of each layer that was ever worked with in a Region.
func standingLayers(s history.Standing) []present.StatusLayer {
	var list []present.StatusLayer
	for _, arn := range slices.Sorted(maps.Keys(s.Past.Layers)) {
		stands := s.Of(arn)
		list = append(list, present.StatusLayer{Layer: arn.Name(), Number: stands.Number, Version: versionOf(s.Past.Layers[arn], stands.Number), Coming: stands.Coming})
	}
	return list
}

// versionOf returns the semantic version that a number was applied as; "" = not known.
func versionOf(p plan.LayerPast, number int64) string {
	for _, version := range slices.Sorted(maps.Keys(p.Numbers)) {
		if p.Numbers[version] == number {
			return version
		}
	}
	return ""
}

// accounts looks at the leases of accounts. It takes none.
func (g *statusReader) accounts(ctx context.Context, known map[string]bool) ([]present.AccountFacts, error) {
	keeper := lease.New(g.store, lease.Holder{Name: "status"}, 0)
	var list []present.AccountFacts
	for _, account := range slices.Sorted(maps.Keys(known)) {
		v, there, err := keeper.Look(ctx, account)
		if err != nil {
			return nil, err
		}
		if !there {
			v = lease.View{}
		}
		if v.By.Repository != g.repository {
			v.Looked = nil // environments of the same names, of another repository
		}
		list = append(list, present.AccountFacts{Account: account, View: v, ByHand: strings.HasSuffix(v.By.Name, byApply)})
	}
	return list, nil
}

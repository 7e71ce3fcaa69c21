package daemon

import (
	"context"
	"maps"
	"slices"
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

// StatusReader gathers what the store knows of a repository, for the status of it. It
// asks AWS nothing.
type StatusReader struct {
	Store      store.Store
	Repository string       // empty = the store knows none
	Tree       desired.Tree // zero = the repository was not read
	Now        time.Time
	Chosen     []string // the environments that are meant; see All
}

// All returns the environments that layerd has worked on and those of the repository,
// sorted. One that was forgotten is over.
func (g StatusReader) All(ctx context.Context) ([]string, error) {
	if g.Repository == "" {
		return nil, nil
	}
	known, err := EnvironmentsOf(ctx, g.Store, g.Repository)
	if err != nil {
		return nil, err
	}
	forgotten, err := ruling.LoadForgotten(ctx, g.Store, g.Repository)
	if err != nil {
		return nil, err
	}
	known = slices.DeleteFunc(known, func(env string) bool { _, over := forgotten[env]; return over })
	return slices.Compact(slices.Sorted(slices.Values(append(known, g.Tree.Names...)))), nil
}

// Facts returns what the store knows of the environments that are meant.
func (g StatusReader) Facts(ctx context.Context) (present.StatusFacts, error) {
	f := present.StatusFacts{Repository: g.Repository, At: g.Now.UTC()}
	if g.Repository == "" {
		return f, nil
	}
	book := notify.NewBook(g.Store, g.Repository, notify.Options{})
	told, err := book.Environments(ctx)
	if err != nil {
		return f, err
	}
	if f.Alerts, err = book.Alerts(ctx, ""); err != nil {
		return f, err
	}
	for _, env := range g.Chosen {
		e, err := g.environment(ctx, book, env)
		if err != nil {
			return f, err
		}
		e.Told = slices.Contains(told, env)
		f.Environments = append(f.Environments, e)
	}
	return f, nil
}

func (g StatusReader) environment(ctx context.Context, book *notify.Book, env string) (e present.EnvironmentFacts, err error) {
	e.Name = env
	if e.Alerts, err = book.Alerts(ctx, env); err != nil {
		return e, err
	}
	if e.Pending, err = g.pending(ctx, env); err != nil {
		return e, err
	}
	if e.Quarantines, err = ruling.LoadQuarantines(ctx, g.Store, g.Repository, env); err != nil {
		return e, err
	}
	log := history.Open(g.Store, g.Repository)
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
func (g StatusReader) pending(ctx context.Context, env string) ([]ruling.PendingPlan, error) {
	list, err := ruling.Pending(ctx, g.Store, g.Repository, env, "")
	if err != nil {
		return nil, err
	}
	approvals, err := ruling.Load(ctx, g.Store, g.Repository, env)
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
func (g StatusReader) regions(ctx context.Context, log *history.Log, env string, accounts map[string]bool) ([]present.RegionFacts, error) {
	names := map[string]bool{}
	for _, e := range g.Tree.Environments {
		if e.Name == env {
			names[e.Region], accounts[e.Account] = true, true
		}
	}
	for _, path := range [][]string{{"rollout"}, {"past", "function"}, {"past", "layer"}} {
		full := append(append([]string{path[0], g.Repository}, path[1:]...), env)
		below, err := store.NamesBelow(ctx, g.Store, full...)
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
			if f.Account != "" && len(g.Tree.Environments) == 0 {
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
func (g StatusReader) accounts(ctx context.Context, known map[string]bool) ([]present.AccountFacts, error) {
	keeper := lease.New(g.Store, lease.Holder{Name: "status"}, 0)
	var list []present.AccountFacts
	for _, account := range slices.Sorted(maps.Keys(known)) {
		v, there, err := keeper.Look(ctx, account)
		if err != nil {
			return nil, err
		}
		if !there {
			v = lease.View{}
		}
		if v.By.Repository != g.Repository {
			v.Looked = nil // environments of the same names, of another repository
		}
		list = append(list, present.AccountFacts{Account: account, View: v, ByHand: v.By.ByHand()})
	}
	return list, nil
}

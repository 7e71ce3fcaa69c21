package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// fleet is what the environments of a repository look at: each account and Region once,
// however many environments are in it.
type fleet struct {
	app     *app
	repo    repoFlags
	src     source
	connect func(context.Context, desired.Environment) (daemon.Connection, error)
	memory  *inspect.Memory
	places  []*fleetPlace
	skipped []inspect.Gap // environments whose files are invalid
	end     func()
}

// fleetPlace is one account and Region, and the environments in it. What it is looked at
// with is the first one's role.
type fleetPlace struct {
	environments []desired.Environment
	beside       []desired.Environment // others of the account and Region, which were not asked for
	at           inspect.Place
	fetched      int
	gaps         []string
	err          error
}

// fleet reads the desired state and finds out what is to be looked at. It asks AWS nothing.
func (a *app) fleet(ctx context.Context, f *roundFlags) (*fleet, error) {
	src, err := a.load(ctx, f.repo)
	if err != nil {
		return nil, err
	}
	if err := checkEnvironments(src.tree, f.envs); err != nil {
		return nil, err
	}
	spec, err := a.whichStore(f.store, src.tree)
	if err != nil {
		return nil, err
	}
	connect, err := connecting(ctx, a, daemon.AWSOptions{RequestsPerSecond: f.rate, Logger: a.logger()}, daemon.Examiner)
	if err != nil {
		return nil, err
	}
	s, err := a.openMemory(ctx, spec)
	if err != nil {
		return nil, err
	}
	_, end := a.startProgress()
	x := &fleet{app: a, repo: f.repo, src: src, connect: connect, memory: &inspect.Memory{Store: s, Log: a.logger()}, end: func() {
		end()
		if s != nil {
			_ = s.Close() // what is in it can be read again
		}
	}}
	x.choose(f.envs)
	return x, nil
}

// openMemory opens a store to keep in it what was read, and to read only where it takes
// nothing; nil where there is none. It makes none: find is no reason for a store.
func (a *app) openMemory(ctx context.Context, spec store.Spec) (store.Store, error) {
	s, err := a.openToRead(ctx, spec)
	if s == nil || err != nil {
		return nil, err
	}
	w, err := a.openToWrite(ctx, spec)
	if err != nil {
		return s, nil
	}
	_ = s.Close() // nothing was read
	return w, nil
}

func (x *fleet) close() { x.end() }

// choose sorts the environments into places.
func (x *fleet) choose(names []string) {
	asked := func(name string) bool { return len(names) == 0 || slices.Contains(names, name) }
	valid := map[string]bool{}
	for _, e := range x.src.tree.Environments {
		valid[e.Name] = true
		if !asked(e.Name) {
			continue
		}
		i := slices.IndexFunc(x.places, func(p *fleetPlace) bool {
			return p.environments[0].Account == e.Account && p.environments[0].Region == e.Region
		})
		if i < 0 {
			x.places = append(x.places, &fleetPlace{})
			i = len(x.places) - 1
		}
		x.places[i].environments = append(x.places[i].environments, e)
	}
	for _, e := range x.src.tree.Environments {
		for _, p := range x.places {
			if first := p.environments[0]; !asked(e.Name) && first.Account == e.Account && first.Region == e.Region {
				p.beside = append(p.beside, e)
			}
		}
	}
	for _, name := range x.src.tree.Names {
		if asked(name) && !valid[name] {
			x.skipped = append(x.skipped, inspect.Gap{Environments: []string{name}, Reason: "its file is invalid: see " + validateLine(x.repo)})
		}
	}
}

// find looks at all places and returns who carries what is looked for. An error is about
// what was not looked at, which is among the gaps as well.
func (x *fleet) find(ctx context.Context, queries []inspect.Query) (found inspect.Findings, fetched int, err error) {
	var g errgroup.Group
	g.SetLimit(4)
	for _, p := range x.places {
		g.Go(func() error {
			p.err = x.look(ctx, p, queries)
			return nil
		})
	}
	_ = g.Wait() // each keeps its own
	var places []inspect.Place
	var failed []error
	for _, p := range x.places {
		places = append(places, p.at)
		fetched += p.fetched
		if p.err != nil {
			failed = append(failed, p.err)
			p.gaps = append(p.gaps, p.err.Error())
		}
	}
	found = inspect.Find(places, queries)
	for _, p := range x.places {
		for _, why := range p.gaps {
			found.Gaps = append(found.Gaps, inspect.Gap{Account: p.environments[0].Account, Region: p.environments[0].Region, Environments: p.names(), Reason: why})
		}
	}
	found.Gaps = append(found.Gaps, x.skipped...)
	if len(x.skipped) > 0 {
		failed = append(failed, exit(exitInvalid))
	}
	return found, fetched, errors.Join(failed...)
}

func (p *fleetPlace) names() (names []string) {
	for _, e := range p.environments {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// look reads one place: its functions and layers, what is in those, and the aliases that
// lead to what was found.
func (x *fleet) look(ctx context.Context, p *fleetPlace, queries []inspect.Query) error {
	p.at.Have.Account, p.at.Have.Region = p.environments[0].Account, p.environments[0].Region
	conn, err := x.connect(ctx, p.environments[0])
	if err != nil {
		return err
	}
	q := state.Query{}
	for _, e := range p.environments {
		q.Tags = q.Tags || e.NeedsTags()
		for _, w := range e.Layers {
			q.Layers = append(q.Layers, w.Layer)
		}
	}
	have, err := conn.Observe(ctx, q)
	if err != nil {
		return err
	}
	p.at.Have = have
	p.at.Selected, p.at.Label = p.selected, p.label()
	if err := p.more(ctx, conn, state.Needs{Uses: true}, "published versions"); err != nil {
		return err
	}
	library := inspect.Library{Memory: x.memory, Read: conn.LayerContents, Progress: x.progress(p)}
	shelf, err := library.Open(ctx, inspect.LayerVersions(p.at.Have))
	p.at.Contents, p.at.Unread, p.fetched = shelf.Contents, shelf.Unread, shelf.Fetched
	if err != nil {
		return err
	}
	return p.more(ctx, conn, state.Needs{Aliases: inspect.Carrying(p.at, queries)}, "aliases")
}

// more looks at something that may be denied by itself: then it is a gap, and the rest
// goes on.
func (p *fleetPlace) more(ctx context.Context, conn daemon.Connection, needs state.Needs, what string) error {
	err := conn.Look(ctx, &p.at.Have, needs)
	if err == nil {
		return nil
	}
	p.gaps = append(p.gaps, fmt.Sprintf("%s were not read: %v", what, err))
	switch state.KindOf(err) {
	case state.Again, state.Stopped, state.Barred:
		return err
	}
	return nil
}

// selected returns the environments that select a function, also those that were not
// asked for: what they manage is not unmanaged.
func (p *fleetPlace) selected(f *state.Function) (names []string) {
	for _, e := range slices.Concat(p.environments, p.beside) {
		if e.Selects(f) && !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	return names
}

// label returns what names layer versions as people do.
func (p *fleetPlace) label() func(state.LayerVersionARN) string {
	catalogs := map[state.LayerARN]catalog.Catalog{}
	for _, e := range p.environments {
		for _, w := range e.Layers {
			catalogs[w.Layer] = catalog.New(w, &p.at.Have, nil)
		}
	}
	return func(v state.LayerVersionARN) string {
		layer, n, ok := v.Split()
		if !ok {
			return ""
		}
		c, known := catalogs[layer]
		if !known {
			return ""
		}
		return c.Label(n)
	}
}

// progress shows how many archives were read.
func (x *fleet) progress(p *fleetPlace) func(done, of int) {
	return func(done, of int) {
		if x.app.shown != nil {
			x.app.shown.work(fmt.Sprintf("%s: read %d of %s", p.environments[0].Region, done, words.Count(of, "archive")), done == of)
		}
	}
}

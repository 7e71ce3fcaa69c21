package daemon

import (
	"maps"
	"slices"

	"github.com/layerd/layerd/internal/round"

	"github.com/layerd/layerd/internal/desired"
)

// trial is what the newest commit wants of an environment while it is not known
// to resolve in all of its Regions. Every round tries it again: what it asks
// for may be published at any time.
type trial struct {
	envs []desired.Environment
	good good   // what becomes the last good commit once it resolves
	held string // why nothing new may start should it be followed; empty = it may
	// fallback is set where the last good commit is followed while this one does
	// not resolve, and begun where a rollout of that commit goes on.
	fallback, begun bool
}

// verdict is what a commit's wish came to in AWS.
type verdict struct {
	hash string
	// found has an element for each Region that was read since the commit was
	// seen, as it was last read.
	found map[string][]desired.Problem
}

// problems returns those of all Regions, each once.
func (v verdict) problems() []desired.Problem {
	var list []desired.Problem
	for _, region := range slices.Sorted(maps.Keys(v.found)) {
		list = appendNew(list, errorsOnly(v.found[region]))
	}
	return list
}

// try puts the newest commit of an environment, which loads, on trial. It needs
// mu. The last good commit stays in force meanwhile, but for one of another
// account: whoever has the lease there does not look here.
func (d *Daemon) try(w *wanted, name string, envs []desired.Environment, stale string) {
	c := d.taken.commit
	g := good{hash: c.Hash, author: c.Author, subject: c.Subject, when: c.When, files: c.Files, at: d.taken.at, envs: envs}
	t := trial{envs: envs, good: g, held: d.holdStale(name, g, stale)}
	w.follow(name, envs, g, t.held)
	if last := d.good[name]; last != nil {
		if old := last.envs; len(old) > 0 && old[0].Account == envs[0].Account {
			held := d.holdStale(name, *last, stale)
			t.fallback, t.begun = true, d.holdStale(name, *last, "not begun") == ""
			w.follow(name, old, *last, held)
		}
	}
	w.trials[name] = t
	if v, ok := d.verdicts[name]; ok && v.hash == c.Hash {
		w.settle(name, v)
	}
}

// settle is the decision which commit an environment follows once the newest
// one loads and was tried: the newest, unless it is known not to resolve
// somewhere and there is a last good one. A Region that could not be read is no
// problem of the commit: it is told as such, and the others go on.
func (w *wanted) settle(name string, v verdict) {
	t := w.trials[name]
	problems := v.problems()
	// With an error anywhere nothing is pruned anywhere, found in loading or here.
	was := w.invalid[name]
	w.tree.Problems = slices.DeleteFunc(slices.Clone(w.tree.Problems), func(p desired.Problem) bool { return slices.Contains(was, p) })
	w.tree.Problems = append(w.tree.Problems, problems...)
	if len(problems) == 0 {
		delete(w.invalid, name)
		w.follow(name, t.envs, t.good, t.held)
		return
	}
	w.invalid[name] = problems
	if o := w.origins[name]; t.fallback && !t.begun {
		o.Held = notValid(t.good.hash, problems)
		w.origins[name] = o
	}
}

// resolves reports whether the commit was tried in all Regions and resolves.
func (t trial) resolves(v verdict) bool {
	return len(v.problems()) == 0 && !slices.ContainsFunc(t.envs, func(e desired.Environment) bool {
		_, read := v.found[e.Region]
		return !read
	})
}

// judged keeps what a round found when it tried the newest commits, and returns
// what that round follows. A commit that resolves in all Regions is the last
// good one from now on.
func (d *Daemon) judged(w *wanted, found map[string]map[string][]desired.Problem) *wanted {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := *w
	next.origins, next.subject, next.when = maps.Clone(w.origins), maps.Clone(w.subject), maps.Clone(w.when)
	next.invalid, next.trials = maps.Clone(w.invalid), maps.Clone(w.trials)
	for name, regions := range found {
		t := next.trials[name]
		v := verdict{hash: t.good.hash, found: map[string][]desired.Problem{}}
		if old, ok := d.verdicts[name]; ok && old.hash == v.hash {
			maps.Copy(v.found, old.found)
		}
		maps.Copy(v.found, regions)
		d.verdicts[name], d.wanted = v, nil
		next.settle(name, v)
		// An environment that was removed meanwhile must not come back.
		if t.resolves(v) && slices.Contains(w.tree.Names, name) {
			g := t.good
			d.good[name] = &g
			delete(next.trials, name)
		}
	}
	return &next
}

// newRound is a round over some environments as they are followed now. When the
// round has tried the newest commits, w is what that came to.
func (a *account) newRound(w **wanted, names []string) round.Round {
	now := *w
	trials := map[string][]desired.Environment{}
	for _, name := range names {
		if t, ok := now.trials[name]; ok {
			trials[name] = t.envs
		}
	}
	return round.Round{
		Tree: now.tree, Revision: now.newest, Origins: now.origins, Repository: a.Repository, Environments: names,
		Trials: trials, Judged: func(found map[string]map[string][]desired.Problem) (desired.Tree, map[string]round.Origin) {
			*w = a.judged(now, found)
			return (*w).tree, (*w).origins
		},
		Connect: a.Connect, Rates: a.Rates, Cache: a.looks, Log: a.Log, Progress: a.touch,
	}
}

// errorsOnly leaves warnings out.
func errorsOnly(list []desired.Problem) []desired.Problem {
	return slices.DeleteFunc(slices.Clone(list), func(p desired.Problem) bool { return p.Severity != desired.Error })
}

// appendNew appends what list does not have yet.
func appendNew(list, more []desired.Problem) []desired.Problem {
	for _, p := range more {
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

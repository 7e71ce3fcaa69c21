package daemon

import (
	"maps"
	"slices"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/round"
)

// trial is the newest commit of an environment while it is not known to resolve
// in all of the environment's Regions. Every round tries it again: what it asks
// for may be published at any time.
type trial struct {
	envs      []desired.Environment
	candidate lastGood // what becomes the last good commit once it resolves
	held      string   // why nothing new may start should it be followed; empty = it may
	// fallback is set where the last good commit is followed while this one does
	// not resolve, and begun where a rollout of that commit continues.
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

// startTrial puts the newest commit of an environment, which loads, on trial.
// It needs mu. The last good commit stays in force meanwhile, but for one of
// another account: whoever has the lease there does not look here.
func (d *Daemon) startTrial(w *desiredView, name string, envs []desired.Environment, stale string) {
	c := d.loaded.commit
	g := lastGood{hash: c.Hash, author: c.Author, subject: c.Subject, when: c.When, files: c.Files, at: d.loaded.at, envs: envs}
	t := trial{envs: envs, candidate: g, held: d.holdReason(name, g, stale)}
	w.use(name, envs, g, t.held)
	if last := d.lastGood[name]; last != nil {
		if old := last.envs; len(old) > 0 && old[0].Account == envs[0].Account {
			held := d.holdReason(name, *last, stale)
			t.fallback, t.begun = true, d.holdReason(name, *last, "not begun") == ""
			w.use(name, old, *last, held)
		}
	}
	w.trials[name] = t
	if v, ok := d.verdicts[name]; ok && v.hash == c.Hash {
		w.applyVerdict(name, v)
	}
}

// applyVerdict is the decision which commit an environment follows once the newest
// one loads and was tried: the newest, unless it is known not to resolve
// somewhere and there is a last good one. A Region that could not be read is no
// problem of the commit: it is reported as such, and the others go on.
func (w *desiredView) applyVerdict(name string, v verdict) {
	t := w.trials[name]
	problems := v.problems()
	// With an error anywhere nothing is pruned anywhere, found in loading or here.
	was := w.invalid[name]
	w.tree.Problems = slices.DeleteFunc(slices.Clone(w.tree.Problems), func(p desired.Problem) bool { return slices.Contains(was, p) })
	w.tree.Problems = append(w.tree.Problems, problems...)
	if len(problems) == 0 {
		delete(w.invalid, name)
		w.use(name, t.envs, t.candidate, t.held)
		return
	}
	w.invalid[name] = problems
	if o := w.origins[name]; t.fallback && !t.begun {
		o.Held = invalidReason(t.candidate.hash, problems)
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

// onVerdicts keeps what a round found when it tried the newest commits, and
// returns what that round follows. A commit that resolves in all Regions is the
// last good one from now on.
func (d *Daemon) onVerdicts(w *desiredView, found map[string]map[string][]desired.Problem) *desiredView {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := *w
	next.origins, next.subjects, next.committed = maps.Clone(w.origins), maps.Clone(w.subjects), maps.Clone(w.committed)
	next.invalid, next.trials = maps.Clone(w.invalid), maps.Clone(w.trials)
	for name, regions := range found {
		t := next.trials[name]
		v := verdict{hash: t.candidate.hash, found: map[string][]desired.Problem{}}
		if old, ok := d.verdicts[name]; ok && old.hash == v.hash {
			maps.Copy(v.found, old.found)
		}
		maps.Copy(v.found, regions)
		d.verdicts[name], d.view = v, nil
		next.applyVerdict(name, v)
		// An environment that was removed meanwhile must not come back.
		if t.resolves(v) && slices.Contains(w.tree.Names, name) {
			g := t.candidate
			d.lastGood[name] = &g
			delete(next.trials, name)
		}
	}
	return &next
}

// newRound is a round over some environments as they are followed now. When the
// round has tried the newest commits, w is what that came to.
func (a *account) newRound(w **desiredView, names []string) round.Round {
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
			*w = a.onVerdicts(now, found)
			return (*w).tree, (*w).origins
		},
		Connect: a.Connect, Artifacts: a.Artifacts, Rates: a.Rates, Cache: a.cache, Log: a.Log, Progress: a.noteProgress,
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

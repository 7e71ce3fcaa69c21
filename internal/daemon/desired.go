package daemon

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/words"
)

// desiredView is the desired state at one moment: each environment as the newest
// commit wants it, or, where that is invalid or does not resolve, as the last
// good one did (trial.go).
type desiredView struct {
	computedAt time.Time // wishes change with time, as pins end
	// tree has the environments that are followed. Its problems are those of
	// the newest commit: with an invalid file anywhere nothing is pruned.
	tree           desired.Tree
	origins        map[string]round.Origin
	subjects       map[string]string            // of the commit, by environment
	committed      map[string]time.Time         // of the commit, by environment
	invalid        map[string][]desired.Problem // why the newest commit is not followed, by environment
	trials         map[string]trial             // newest commits that are not known to resolve, by environment
	unattributed   []desired.Problem            // errors that no environment's invalid has
	noEnvironments bool                         // the newest commit has no environment at all, or none was read
	newest         string                       // the newest commit seen
	lineage        *Lineage                     // of that; nil = not known
	stale          bool                         // Git counted as not read
}

// viewMaxAge bounds how old a view may be: a pin that ends is noticed this
// late. Windows and freezes are asked at each round.
const viewMaxAge = 5 * time.Minute

// desired returns the current view. The caller must not change it.
func (d *Daemon) desired() *desiredView {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if w := d.view; w != nil && now.Sub(w.computedAt) < viewMaxAge && !now.Before(w.computedAt) && w.stale == (d.head.staleReason() != "") {
		return w
	}
	d.view = d.computeView(now)
	return d.view
}

// computeView needs mu. It combines what was read and reads nothing itself:
// Health waits for it.
func (d *Daemon) computeView(now time.Time) *desiredView {
	w := &desiredView{
		computedAt: now, origins: map[string]round.Origin{}, subjects: map[string]string{}, committed: map[string]time.Time{},
		invalid: map[string][]desired.Problem{}, trials: map[string]trial{}, newest: d.loaded.commit.Hash, lineage: d.lineage,
	}
	tree := d.loaded.tree
	w.tree = desired.Tree{Store: tree.Store, Names: tree.Names, Problems: tree.Problems}
	if len(tree.Names) == 0 {
		// No commit was read, or the newest has no environment at all, which is
		// a problem and not a wish.
		for name := range d.lastGood {
			w.tree.Names = append(w.tree.Names, name)
		}
		slices.Sort(w.tree.Names)
		w.noEnvironments = true
	} else {
		// What was removed is not followed any more, whatever becomes of Git.
		maps.DeleteFunc(d.lastGood, func(name string, _ *lastGood) bool { return !slices.Contains(tree.Names, name) })
		maps.DeleteFunc(d.verdicts, func(name string, _ verdict) bool { return !slices.Contains(tree.Names, name) })
	}
	stale := d.head.staleReason()
	w.stale = stale != ""
	if d.head.unread {
		stale = fmt.Sprintf("the newest commit %s is still being read", words.Commit(d.head.commit.Hash))
	}
	for _, name := range w.tree.Names {
		d.computeEnvironment(w, tree, name, stale)
	}
	w.unattributed = slices.DeleteFunc(slices.Clone(tree.Problems), func(p desired.Problem) bool {
		return p.Severity != desired.Error || !w.noEnvironments && w.covers(p)
	})
	return w
}

// covers reports whether a problem is reported with an environment's.
func (w *desiredView) covers(p desired.Problem) bool {
	for _, list := range w.invalid {
		if slices.Contains(list, p) {
			return true
		}
	}
	return false
}

// computeEnvironment needs mu.
func (d *Daemon) computeEnvironment(w *desiredView, tree desired.Tree, name, stale string) {
	envs := named(tree.Environments, name)
	c := d.loaded.commit
	if len(envs) > 0 && len(envs[0].Unsupported) == 0 {
		if g := d.lastGood[name]; g != nil && g.hash == c.Hash {
			g.at, g.envs = d.loaded.at, envs
			w.use(name, envs, *g, d.holdReason(name, *g, stale))
			return
		}
		d.startTrial(w, name, envs, stale)
		return
	}
	if c.Files != nil {
		w.invalid[name] = errorsFor(tree.Problems, name)
		if len(envs) > 0 {
			w.invalid[name] = append(w.invalid[name], envs[0].Unsupported...)
		}
	}
	g := d.lastGood[name]
	if g == nil {
		return // it was never valid: there is nothing to follow
	}
	if envs = g.envs; len(envs) == 0 {
		return // it could not be read
	}
	held := stale
	if ps := w.invalid[name]; len(ps) > 0 {
		held = invalidReason(c.Hash, ps)
	}
	w.use(name, envs, *g, d.holdReason(name, *g, held))
}

// invalidReason returns why nothing new starts while a newer commit is not
// followed.
func invalidReason(hash string, ps []desired.Problem) string {
	return fmt.Sprintf("the newest commit %s is not valid here: %s: %s", words.Commit(hash), placeOfProblem(ps[0]), ps[0].Message)
}

func placeOfProblem(p desired.Problem) string {
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// holdReason needs mu. It returns why, or "" for a rollout that has begun: that
// one continues whatever happened to Git since.
func (d *Daemon) holdReason(name string, g lastGood, why string) string {
	if m := d.revisions[name]; m != nil && m.Attempted == g.hash && m.Applied != g.hash && g.hash != "" {
		return ""
	}
	return why
}

// use makes envs, as g wanted them, what is followed of an environment.
func (w *desiredView) use(name string, envs []desired.Environment, g lastGood, held string) {
	others := slices.DeleteFunc(slices.Clone(w.tree.Environments), func(e desired.Environment) bool { return e.Name == name })
	w.tree.Environments = slices.Concat(others, envs)
	followed := gitrepo.Commit{Hash: g.hash, Author: g.author, Subject: g.subject, When: g.when}
	w.origins[name] = round.Origin{
		Revision: g.hash, Author: g.author, Held: held, Asks: func(region string) desired.Asks { return w.lineage.Asks(followed, envs, region) },
	}
	w.subjects[name], w.committed[name] = g.subject, g.when
}

// zone is the one for messages about no single environment: that of all of them,
// or UTC where they have several.
func (w *desiredView) zone() *time.Location {
	zone := time.UTC
	for i, e := range w.tree.Environments {
		if i > 0 && e.Zone.String() != zone.String() {
			return time.UTC
		}
		zone = e.Zone
	}
	return zone
}

// accounts lists the accounts of all environments that are followed.
func (w *desiredView) accounts() []string {
	var list []string
	for _, e := range w.tree.Environments {
		list = append(list, e.Account)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// of lists the environments of one account.
func (w *desiredView) of(account string) []string {
	var list []string
	for _, e := range w.tree.Environments {
		if e.Account == account && !slices.Contains(list, e.Name) {
			list = append(list, e.Name)
		}
	}
	return list
}

func named(all []desired.Environment, name string) []desired.Environment {
	var list []desired.Environment
	for _, e := range all {
		if e.Name == name {
			list = append(list, e)
		}
	}
	return list
}

// errorsFor returns the problems that make an environment invalid.
func errorsFor(all []desired.Problem, name string) []desired.Problem {
	var list []desired.Problem
	for _, p := range all {
		if p.Severity == desired.Error && (p.Environment == name || p.Environment == "") {
			list = append(list, p)
		}
	}
	return list
}

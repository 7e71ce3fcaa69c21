package daemon

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/words"

	"github.com/layerd/layerd/internal/desired"
)

// wanted is what is followed at one moment: each environment as the newest
// commit wants it, or, where that is invalid or does not resolve, as the last
// good one did (trial.go).
type wanted struct {
	at time.Time // when it was worked out; wishes change with time, as pins end
	// tree has the environments that are followed. Its problems are those of
	// the newest commit: with an invalid file anywhere nothing is pruned.
	tree    desired.Tree
	origins map[string]round.Origin
	subject map[string]string            // of the commit, by environment
	when    map[string]time.Time         // of the commit, by environment
	invalid map[string][]desired.Problem // why the newest commit is not followed, by environment
	trials  map[string]trial             // newest commits that are not known to resolve, by environment
	whole   []desired.Problem            // errors that no environment's invalid has
	nowhere bool                         // the newest commit has no environment at all, or none was read
	newest  string                       // the newest commit seen
	stale   bool                         // Git counted as not read
}

// wantedFor bounds how old a wanted may be: a pin that ends is noticed this
// late. Windows and freezes are asked at each round.
const wantedFor = 5 * time.Minute

// wants gives what is followed now. The caller must not change it.
func (d *Daemon) wants() *wanted {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if w := d.wanted; w != nil && now.Sub(w.at) < wantedFor && !now.Before(w.at) && w.stale == (d.head.stale() != "") {
		return w
	}
	d.wanted = d.workOut(now)
	return d.wanted
}

// workOut needs mu. It puts together what was read and reads nothing itself:
// whoever asks for health waits for it.
func (d *Daemon) workOut(now time.Time) *wanted {
	w := &wanted{
		at: now, origins: map[string]round.Origin{}, subject: map[string]string{}, when: map[string]time.Time{},
		invalid: map[string][]desired.Problem{}, trials: map[string]trial{}, newest: d.taken.commit.Hash,
	}
	tree := d.taken.tree
	w.tree = desired.Tree{Store: tree.Store, Names: tree.Names, Problems: tree.Problems}
	if len(tree.Names) == 0 {
		// No commit was read, or the newest has no environment at all, which is
		// a problem and not a wish.
		for name := range d.good {
			w.tree.Names = append(w.tree.Names, name)
		}
		slices.Sort(w.tree.Names)
		w.nowhere = true
	} else {
		// What was removed is not followed any more, whatever becomes of Git.
		maps.DeleteFunc(d.good, func(name string, _ *good) bool { return !slices.Contains(tree.Names, name) })
		maps.DeleteFunc(d.verdicts, func(name string, _ verdict) bool { return !slices.Contains(tree.Names, name) })
	}
	stale := d.head.stale()
	w.stale = stale != ""
	if d.head.unread {
		stale = fmt.Sprintf("the newest commit %s is still being read", words.Commit(d.head.commit.Hash))
	}
	for _, name := range w.tree.Names {
		d.workOutOne(w, tree, name, stale)
	}
	w.whole = slices.DeleteFunc(slices.Clone(tree.Problems), func(p desired.Problem) bool {
		return p.Severity != desired.Error || !w.nowhere && w.tells(p)
	})
	return w
}

// tells reports whether a problem is told with an environment's.
func (w *wanted) tells(p desired.Problem) bool {
	for _, list := range w.invalid {
		if slices.Contains(list, p) {
			return true
		}
	}
	return false
}

// workOutOne needs mu.
func (d *Daemon) workOutOne(w *wanted, tree desired.Tree, name, stale string) {
	envs := named(tree.Environments, name)
	c := d.taken.commit
	if len(envs) > 0 && len(envs[0].NotYet) == 0 {
		if g := d.good[name]; g != nil && g.hash == c.Hash {
			g.at, g.envs = d.taken.at, envs
			w.follow(name, envs, *g, d.holdStale(name, *g, stale))
			return
		}
		d.try(w, name, envs, stale)
		return
	}
	if c.Files != nil {
		w.invalid[name] = errorsOf(tree.Problems, name)
		if len(envs) > 0 {
			w.invalid[name] = append(w.invalid[name], envs[0].NotYet...)
		}
	}
	g := d.good[name]
	if g == nil {
		return // it was never valid: there is nothing to follow
	}
	if envs = g.envs; len(envs) == 0 {
		return // it could not be read
	}
	held := stale
	if ps := w.invalid[name]; len(ps) > 0 {
		held = notValid(c.Hash, ps)
	}
	w.follow(name, envs, *g, d.holdStale(name, *g, held))
}

// notValid is why nothing new starts while a newer commit is not followed.
func notValid(hash string, ps []desired.Problem) string {
	return fmt.Sprintf("the newest commit %s is not valid here: %s: %s", words.Commit(hash), placeOfProblem(ps[0]), ps[0].Message)
}

func placeOfProblem(p desired.Problem) string {
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// holdStale needs mu. A rollout that has begun goes on whatever happened to
// Git since.
func (d *Daemon) holdStale(name string, g good, why string) string {
	if m := d.memory[name]; m != nil && m.Attempted == g.hash && m.Applied != g.hash && g.hash != "" {
		return ""
	}
	return why
}

func (w *wanted) follow(name string, envs []desired.Environment, g good, held string) {
	others := slices.DeleteFunc(slices.Clone(w.tree.Environments), func(e desired.Environment) bool { return e.Name == name })
	w.tree.Environments = slices.Concat(others, envs)
	w.origins[name] = round.Origin{Revision: g.hash, Author: g.author, Held: held}
	w.subject[name], w.when[name] = g.subject, g.when
}

// accounts lists the accounts of all environments that are followed.
func (w *wanted) accounts() []string {
	var list []string
	for _, e := range w.tree.Environments {
		list = append(list, e.Account)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// of lists the environments of one account.
func (w *wanted) of(account string) []string {
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

// errorsOf gives the problems that make an environment invalid.
func errorsOf(all []desired.Problem, name string) []desired.Problem {
	var list []desired.Problem
	for _, p := range all {
		if p.Severity == desired.Error && (p.Environment == name || p.Environment == "") {
			list = append(list, p)
		}
	}
	return list
}

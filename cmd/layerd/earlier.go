package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// A rollback by hand is for the night in which nothing else works: it needs the store
// and AWS, and no valid file. What the newest commit wants of the environment is only
// the first place where it finds out which layer and which functions are meant.

// newestFor reads what Git wants of an environment now. unusable is why that cannot be
// gone back from, and nil where it can; err ends the command, and is about what was
// typed.
func (a *app) newestFor(ctx context.Context, f repoFlags, env string) (src source, unusable, err error) {
	src, err = a.load(ctx, f)
	switch {
	case err != nil && (ctx.Err() != nil || codeOf(err) == exitUsage):
		return src, nil, err
	case err != nil:
		id, idErr := gitrepo.Identity(f.repo)
		if idErr != nil {
			return src, nil, err
		}
		return source{repository: id}, err, nil
	}
	if err := checkEnvironments(src.tree, []string{env}); err != nil {
		return src, nil, err
	}
	if _, unusable = environmentsNamed(src.tree, env); unusable != nil && src.tree.Store == "" {
		// Where layerd.yaml is what is wrong it does not name the store any more, and a
		// word in another one is read by nobody.
		for before := range a.validBefore(ctx, src, env) {
			src.tree.Store = before.tree.Store
			break
		}
	}
	return src, unusable, nil
}

// knowing returns an opener that does not make a store where only the store could know
// what the environment wants.
func (a *app) knowing(src source, unusable error, env string, open opener) opener {
	if unusable == nil || len(src.tree.Names) > 0 {
		return open
	}
	return func(ctx context.Context, spec store.Spec) (store.Store, error) {
		s, err := a.openToRead(ctx, spec)
		if err != nil || s == nil {
			return nil, cmp.Or(err, unusable)
		}
		kept, _, err := daemon.LastGood(ctx, s, src.repository, env)
		_ = s.Close() // only read
		if err != nil || kept.Hash == "" {
			return nil, cmp.Or(err, unusable)
		}
		return open(ctx, spec)
	}
}

// rollBack makes a rollback from what the newest commit wants of the environment. Where
// that is unusable, or asks for what is not there, it goes by the last one that was good.
func (a *app) rollBack(ctx context.Context, r *prepared, src source, unusable error, ask round.Rollback, suggest func(...string) string) (round.Return, error) {
	tried, told := map[string]bool{}, false
	if unusable == nil {
		back, err := r.round.Rollback(ctx, ask)
		refused, ok := errors.AsType[*round.Refusal](err)
		if !ok || refused.Code != round.RefusedInvalid {
			return back, err
		}
		unusable = refusal(refused, ask.Environment, ask.Functions, suggest)
		tried[asksOf(src.tree, ask)] = true
	}
	for before := range a.before(ctx, r.round.Store, src, ask.Environment) {
		asks := asksOf(before.tree, ask)
		if tried[asks] {
			continue
		}
		if !told {
			a.say("warning: %s", briefly(unusable))
			told = true
		}
		tried[asks] = true
		a.say("going by what commit %s asked for", words.Commit(before.revision))
		r.round.Tree, r.round.Revision, r.round.Author, r.round.Asked = before.tree, before.revision, before.author, nil
		back, err := r.round.Rollback(ctx, ask)
		if refused, ok := errors.AsType[*round.Refusal](err); ok && refused.Code == round.RefusedInvalid {
			continue
		}
		return back, err
	}
	return round.Return{}, unusable
}

// briefly returns an error in one line.
func briefly(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*exitError](err); ok && len(e.list) > 0 {
		text = fmt.Sprintf("%v: %s", e.err, e.list[0])
	}
	return text
}

// asksOf returns what a tree asks for of the layer that is to go back, for comparing.
func asksOf(t desired.Tree, ask round.Rollback) string {
	var asks []string
	for _, e := range t.Environments {
		for _, w := range e.Layers {
			if e.Name == ask.Environment && w.Name == ask.Layer {
				asks = append(asks, fmt.Sprint(e.Region, w.Layer, w.Version.Kind, w.Version.Text, len(e.Unsupported)))
			}
		}
	}
	return strings.Join(asks, " ")
}

// before yields what was asked for of an environment before the newest commit, the
// latest first: as Git has it, and as a daemon has kept it, which helps where Git is out
// of reach.
func (a *app) before(ctx context.Context, s store.Store, src source, env string) iter.Seq[source] {
	return func(yield func(source) bool) {
		for before := range a.validBefore(ctx, src, env) {
			if settled, err := a.settle(ctx, before, s); err == nil && !yield(src.with(env, settled)) {
				return
			}
		}
		if s == nil {
			return
		}
		commit, at, err := daemon.LastGood(ctx, s, src.repository, env)
		if err != nil {
			a.logger().Warn("last good commit not read", "env", env, "err", err)
			return
		}
		if commit.Hash == "" {
			return
		}
		kept := src.at(commit)
		kept.tree, err = a.want(ctx, kept, desired.Options{Now: at})
		if _, invalid := environmentsNamed(kept.tree, env); err == nil && invalid == nil {
			yield(src.with(env, kept))
		}
	}
}

// validBefore yields the commits of the branch at which an environment was valid, the
// newest first, each as it was when it was made: a pin may have ended since.
func (a *app) validBefore(ctx context.Context, src source, env string) iter.Seq[source] {
	return func(yield func(source) bool) {
		if src.past == nil || src.revision == "" {
			return
		}
		past, err := src.past(ctx)
		if err != nil {
			a.logger().Warn("commits before the newest not read", "revision", src.revision, "err", err)
		}
		for _, c := range past.Commits {
			if c.Files == nil {
				continue
			}
			before := src.at(c)
			if before.tree, err = a.want(ctx, before, desired.Options{Now: c.When}); err != nil {
				return // the command was stopped
			}
			if _, invalid := environmentsNamed(before.tree, env); invalid == nil && !yield(before) {
				return
			}
		}
	}
}

// at returns the source of another commit of the same repository, without its tree.
func (s source) at(c gitrepo.Commit) source {
	return source{files: c.Files, revision: c.Hash, author: c.Author, when: c.When, repository: s.repository}
}

// with returns the source with one environment as it was before. The others stay as they
// are now: they may hold functions since.
func (s source) with(env string, before source) source {
	made := before
	if len(s.tree.Names) > 0 {
		made.tree = s.tree
		made.tree.Environments = slices.DeleteFunc(slices.Clone(s.tree.Environments), func(e desired.Environment) bool { return e.Name == env })
		for _, e := range before.tree.Environments {
			if e.Name == env {
				made.tree.Environments = append(made.tree.Environments, e)
			}
		}
	}
	// What is wrong with it is said apart, and does not make what is done a failure.
	made.tree.Problems = slices.DeleteFunc(slices.Clone(made.tree.Problems), func(p desired.Problem) bool {
		return p.Severity == desired.Error && concerns(p, []string{env})
	})
	return made
}

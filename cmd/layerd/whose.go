package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// repositoryOf returns whose past and rulings are meant. Without --repo that is
// the only repository that the store knows below one of kinds; empty when it
// knows none. One store may serve several repositories, each with a prod of its
// own, so that a guess could release the wrong plan.
func repositoryOf(ctx context.Context, s store.Store, repo string, kinds ...string) (string, error) {
	if repo != "" {
		return gitrepo.Identity(repo)
	}
	names, err := repositories(ctx, s, kinds...)
	if err != nil {
		return "", err
	}
	switch len(names) {
	case 0:
		return "", nil
	case 1:
		return names[0], nil
	}
	return "", usage("name one with --repo", "the store knows %d repositories: %s", len(names), strings.Join(names, ", "))
}

// repositories lists the repositories that have anything below one of kinds,
// sorted.
func repositories(ctx context.Context, s store.Store, kinds ...string) ([]string, error) {
	var names []string
	for _, kind := range kinds {
		below, err := store.NamesBelow(ctx, s, kind)
		if err != nil {
			return nil, err
		}
		names = append(names, below...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// strangerError is that of a store which is full of other repositories.
type strangerError struct {
	repository string
	spec       store.Spec
	known      []string
}

func (e *strangerError) Error() string {
	return fmt.Sprintf("%s knows nothing of %s", e.spec, e.repository)
}

// hint names the repositories that the store knows.
func (e *strangerError) hint() string {
	return fmt.Sprintf("it knows %s: name that one with --repo, or another store with --store", words.Few(e.known))
}

// knowsRepository returns a *strangerError where layerd has never worked on the
// repository in this store, and has on others: then one of the two is not the one
// that was meant. A store that knows none may be new, as the repository.
func knowsRepository(ctx context.Context, s store.Store, spec store.Spec, repository string) error {
	known, err := repositories(ctx, s, daemon.WorkedKinds()...)
	if err != nil || len(known) == 0 || slices.Contains(known, repository) {
		return err
	}
	return &strangerError{repository, spec, known}
}

// knowsEnvironment returns a usage error where nobody has ever heard of an environment:
// it has no file, as far as that was read, and layerd has never worked on it.
func knowsEnvironment(ctx context.Context, s store.Store, spec store.Spec, repository, env string, files []string) error {
	if slices.Contains(files, env) {
		return nil
	}
	known, err := daemon.EnvironmentsOf(ctx, s, repository)
	if err != nil || slices.Contains(known, env) {
		return err
	}
	known = append(known, files...)
	slices.Sort(known)
	known = slices.Compact(known)
	if len(known) == 0 {
		return nil // nobody knows any
	}
	return lacks("environments: "+strings.Join(known, ", "), "no environment %q of %s in %s%s", env, repository, spec, didYouMean(env, known))
}

// refuseStranger makes the error of a store that does not know the repository one of
// the command line.
func refuseStranger(err error) error {
	if stranger, ok := errors.AsType[*strangerError](err); ok {
		return usage(stranger.hint(), "%w", err)
	}
	return err
}

// warnStranger warns that the store does not know the repository, for commands that may
// be the first of it.
func (a *app) warnStranger(err error) error {
	if stranger, ok := errors.AsType[*strangerError](err); ok {
		a.say("warning: %v; %s", stranger, stranger.hint())
		return nil
	}
	return err
}

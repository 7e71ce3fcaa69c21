package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// soon is how long a person waits for the Tab key. What is not known then is not
// offered.
const soon = 700 * time.Millisecond

// typing is a command line that is being typed, and what is known about it on this
// machine.
type typing struct {
	src        source
	repository string      // identity; empty = not known
	store      store.Store // nil = none on this machine
}

// offer returns what may stand at the place that is being typed. args are the
// arguments before it, or all of them for a flag.
type offer func(ctx context.Context, t typing, args []string) []string

// complete completes arguments, with an offer for each place.
func (a *app) complete(offers ...offer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(offers) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.completeFlag(offers[len(args)])(cmd, args, begun)
	}
}

// completeFlag completes a flag's value. It never goes to the network, never makes a
// store and never says what went wrong: whoever types is told when they press Enter.
func (a *app) completeFlag(offered offer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		const no = cobra.ShellCompDirectiveNoFileComp
		ctx, cancel := context.WithTimeout(cmd.Context(), soon)
		defer cancel()
		a.assume(cmd)
		found := make(chan []string, 1)
		go func() {
			t := a.typed(ctx, cmd)
			if t.store != nil {
				defer t.store.Close()
			}
			found <- offered(ctx, t, args)
		}()
		select {
		case names := <-found:
			names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, begun) })
			slices.Sort(names)
			return slices.Compact(names), no
		case <-ctx.Done():
			return nil, no
		}
	}
}

// typed reads what the flags name, as far as it is on this machine.
func (a *app) typed(ctx context.Context, cmd *cobra.Command) (t typing) {
	value := func(name string) string {
		text, _ := cmd.Flags().GetString(name) // no flag, no value
		return text
	}
	f := repoFlags{repo: value("repo"), path: value("path"), ref: value("ref")}
	if isFolder(f.repo) {
		if src, err := a.load(ctx, f); err == nil {
			t.src = src
		}
	}
	if cmd.Flags().Lookup("store") == nil {
		return t
	}
	spec, err := a.whichStore(storeFlags{store: value("store")}, t.src.tree)
	if err != nil || spec.Kind != store.KindSQLite {
		return t // a table is not on this machine
	}
	if t.store, err = a.openToRead(ctx, spec); err != nil || t.store == nil {
		t.store = nil
		return t
	}
	if f.repo != "" {
		t.repository, _ = gitrepo.Identity(f.repo) // unknown: nothing of the store is offered
	} else {
		t.repository, _ = repositoryOf(ctx, t.store, "", daemon.WorkedKinds()...)
	}
	return t
}

// past lists the environments that the store knows.
func (t typing) past(ctx context.Context) []string {
	if t.store == nil || t.repository == "" {
		return nil
	}
	names, _ := daemon.EnvironmentsOf(ctx, t.store, t.repository) // what cannot be read is not offered
	return names
}

// offerEnvironments offers those that have a file; where no repository is here, those
// of the past.
func offerEnvironments(ctx context.Context, t typing, _ []string) []string {
	if len(t.src.tree.Names) > 0 {
		return slices.Clone(t.src.tree.Names)
	}
	return t.past(ctx)
}

// offerEver offers also those whose file is gone.
func offerEver(ctx context.Context, t typing, _ []string) []string {
	return append(slices.Clone(t.src.tree.Names), t.past(ctx)...)
}

// offerGone offers only those.
func offerGone(ctx context.Context, t typing, _ []string) []string {
	return slices.DeleteFunc(t.past(ctx), func(name string) bool { return slices.Contains(t.src.tree.Names, name) })
}

// offerLayers offers those of the environment that is the first argument, or of all.
func offerLayers(_ context.Context, t typing, args []string) (names []string) {
	for _, e := range t.src.tree.Environments {
		for _, w := range e.Layers {
			if len(args) == 0 || e.Name == args[0] {
				names = append(names, w.Name)
			}
		}
	}
	return names
}

// offerDigests offers the plans of an environment that wait for an approval.
func offerDigests(ctx context.Context, t typing, args []string) (digests []string) {
	if t.store == nil || t.repository == "" {
		return nil
	}
	waiting, _ := ruling.Pending(ctx, t.store, t.repository, args[0], "")
	for _, w := range waiting {
		if _, approved, err := ruling.Find(ctx, t.store, t.repository, args[0], w.Digest); err == nil && !approved {
			digests = append(digests, words.Digest(w.Digest))
		}
	}
	return digests
}

// offerFunctions offers those that layerd has seen, in the environment that is the
// first argument or in all.
func offerFunctions(ctx context.Context, t typing, args []string) (names []string) {
	if t.store == nil || t.repository == "" {
		return nil
	}
	envs := t.past(ctx)
	if len(args) > 0 {
		envs = args[:1]
	}
	for _, env := range envs {
		regions, _ := store.NamesBelow(ctx, t.store, "past", t.repository, "function", env)
		for _, region := range regions {
			below, _ := store.NamesBelow(ctx, t.store, "past", t.repository, "function", env, region)
			names = append(names, below...)
		}
	}
	return names
}

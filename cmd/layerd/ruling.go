package main

import (
	"context"
	"os/user"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/store"
)

// rulingFlags are those of a person's decision: about which repository, in which
// store, by whom and why.
type rulingFlags struct {
	repo       repoFlags
	store      storeFlags
	by, reason string
}

// add adds the flags; by and reason are the help of these two.
func (f *rulingFlags) add(cmd *cobra.Command, by, reason string) {
	f.repo.add(cmd)
	f.store.add(cmd)
	cmd.Flags().StringVar(&f.by, "by", "", by+" (default: the user of this machine)")
	cmd.Flags().StringVar(&f.reason, "reason", "", reason)
}

// person returns who decides: by, or else the user of this machine.
func person(by string) (string, error) {
	if by != "" {
		return by, nil
	}
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return "", usage("", "who decides this? the machine does not name its user; pass --by NAME")
	}
	return u.Username, nil
}

// openRulings opens the store that a decision is written to. One in memory is
// refused with unkept, the error, and hint.
func (a *app) openRulings(ctx context.Context, f storeFlags, t desired.Tree, unkept, hint string) (store.Store, store.Spec, error) {
	spec, err := a.pastStore(f, t)
	if err != nil {
		return nil, spec, err
	}
	if spec.Kind == store.KindMemory {
		return nil, spec, usage(hint, "%s", unkept)
	}
	s, err := a.openStore(ctx, spec)
	return s, spec, err
}

// hasPast refuses a store in which layerd has never worked on anything, and does not
// make it: "nothing to do" would be said of the wrong one.
func (a *app) hasPast(ctx context.Context, f storeFlags, t desired.Tree) error {
	spec, err := a.pastStore(f, t)
	if err != nil || spec.Kind == store.KindMemory {
		return err // what is in memory is refused with a word of its own
	}
	s, err := a.openToRead(ctx, spec)
	if err != nil {
		return err
	}
	if s != nil {
		defer s.Close()
		known, err := repositories(ctx, s, daemon.WorkedKinds()...)
		if err != nil || len(known) > 0 {
			return err
		}
	}
	return usage("name the store that the daemon uses, with --store", "%s knows no repository: layerd has never worked with it", spec)
}

// ruledRepository returns the repository that a decision is about: --repo, else the
// only one that the store knows below one of kinds. A store that knows none cannot
// tell, and a decision in the wrong place would never be found.
func ruledRepository(ctx context.Context, s store.Store, spec store.Spec, repo, hint string, kinds ...string) (string, error) {
	name, err := repositoryOf(ctx, s, repo, kinds...)
	if err == nil && name == "" {
		err = usage(hint, "%s knows no repository yet", spec)
	}
	return name, err
}

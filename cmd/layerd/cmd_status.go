package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/store"
)

// statusFlags say of which repository, and how the answer ends.
type statusFlags struct {
	repo     repoFlags
	store    storeFlags
	envs     []string
	output   oneOf
	verbose  bool
	detailed bool
}

func (a *app) statusCommand() *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say on one screen whether all is right, and who must act",
		Long: `status shows what is not all right, since when, and the command to begin with;
then of each environment what was applied last, which versions are proven, what
is under way, and how long ago a daemon looked at it. It reads the store, or
asks a daemon with --server (the address of its http.listen), and AWS nothing.

Silence is not success: what a daemon found lasts until it finds something
else, and where none has looked for 15 minutes, or for three of its intervals,
the answer is not known. --repo says whose status is meant and in which store
it is; without it the only repository that the store knows is meant.

Exit codes: 0 answered, whatever the answer is (with --detailed-exitcode 2
unless all is right), 1 the store is not there or cannot be read, or --server
names something else, 75 the daemon cannot be reached or has no answer now.`,
		Example: `  layerd status
  layerd status --repo . --env prod -v
  layerd status --server http://127.0.0.1:8080
  layerd status --output json --detailed-exitcode`,
		Annotations: map[string]string{withoutRepo: "yes"},
		Args:        arguments(),
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context(), f) },
	}
	f.repo.add(cmd)
	f.store.add(cmd)
	cmd.Flags().Lookup("server").Usage = "ask the daemon at `URL` instead of a store, as http://127.0.0.1:8080"
	for _, own := range []string{"repo", "ref", "path", "store"} { // a daemon has one repository and one store
		cmd.MarkFlagsMutuallyExclusive("server", own)
	}
	envsFlag(cmd, &f.envs)
	// The flag exists, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("env", a.completeFlag(offerEver))
	cmd.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit 2 unless all is right")
	verboseFlag(cmd, &f.verbose)
	outputFlag(cmd, &f.output, "text", "json")
	return cmd
}

func (a *app) status(ctx context.Context, f statusFlags) error {
	if f.store.server != "" {
		s, err := askStatus(ctx, f.store.server, f.envs)
		if err != nil {
			return err
		}
		return a.showStatus(f, s)
	}
	h := historyFlags{repo: f.repo, store: f.store, envs: f.envs}
	tree, err := a.historyTree(ctx, h)
	if err != nil {
		return err
	}
	spec, err := a.pastStore(f.store, tree)
	if err != nil {
		return err
	}
	s, err := a.openToRead(ctx, spec)
	if err != nil {
		return err
	}
	if s == nil {
		return &exitError{code: exitFailed, err: fmt.Errorf("nothing is known: %s is not there", spec), hint: "name the store that the daemon uses with --store"}
	}
	defer s.Close()
	repository, err := repositoryOf(ctx, s, f.repo.repo, daemon.WorkedKinds()...)
	if err != nil {
		return err
	}
	g := daemon.StatusReader{Store: s, Repository: repository, Tree: tree, Now: a.now()}
	if g.Chosen, err = chooseStatus(ctx, g, spec, f.envs); err != nil {
		return err
	}
	facts, err := g.Facts(ctx)
	if err != nil {
		return err
	}
	facts.Command, facts.Zone = f.command, tree.Zone(f.envs)
	return a.showStatus(f, present.StatusOf(facts))
}

// chooseStatus returns which environments are meant: those of the command line, else all.
func chooseStatus(ctx context.Context, g daemon.StatusReader, spec store.Spec, chosen []string) ([]string, error) {
	if g.Repository == "" {
		return nil, nil
	}
	if err := knowsRepository(ctx, g.Store, spec, g.Repository); err != nil {
		return nil, refuseStranger(err)
	}
	for _, env := range chosen {
		if err := knowsEnvironment(ctx, g.Store, spec, g.Repository, env, g.Tree.Names); err != nil {
			return nil, err
		}
	}
	if len(chosen) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(chosen))), nil
	}
	return g.All(ctx)
}

// command returns what a person can copy.
func (f statusFlags) command(parts ...string) string {
	return suggest(f.repo, f.store, parts...)
}

func (a *app) showStatus(f statusFlags, s present.Status) error {
	var err error
	if f.output.value == "json" {
		err = a.printJSON(s)
	} else {
		err = a.print(s.Text(present.Options{Palette: a.palette(), Width: width(a.out), Verbose: f.verbose}))
	}
	if err == nil && f.detailed && s.Verdict != present.VerdictAllRight {
		return exit(exitChanges)
	}
	return err
}

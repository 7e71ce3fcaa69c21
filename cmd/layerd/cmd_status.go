package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/present"
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
is under way, and how long ago a daemon looked at it. It reads the store and
asks AWS nothing.

Silence is not success: what a daemon found lasts until it finds something
else, and where none has looked for 15 minutes, or for three of its intervals,
the answer is not known. --repo says whose status is meant and in which store
it is; without it the only repository that the store knows is meant.

Exit codes: 0 answered, whatever the answer is (with --detailed-exitcode 2
unless all is right), 1 the store is not there or cannot be read.`,
		Example: `  layerd status
  layerd status --repo . --env prod -v
  layerd status --output json --detailed-exitcode`,
		Annotations: map[string]string{withoutRepo: "yes"},
		Args:        arguments(),
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context(), f) },
	}
	f.repo.add(cmd)
	f.store.add(cmd)
	envsFlag(cmd, &f.envs)
	// The flag exists, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("env", a.completeFlag(offerEver))
	cmd.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit 2 unless all is right")
	verboseFlag(cmd, &f.verbose)
	outputFlag(cmd, &f.output, "text", "json")
	return cmd
}

func (a *app) status(ctx context.Context, f statusFlags) error {
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
	repository, err := repositoryOf(ctx, s, f.repo.repo, workedKinds()...)
	if err != nil {
		return err
	}
	g := statusReader{store: s, repository: repository, tree: tree, now: a.now()}
	if err := g.choose(ctx, spec, f.envs); err != nil {
		return err
	}
	facts, err := g.facts(ctx)
	if err != nil {
		return err
	}
	facts.Command, facts.Zone = f.command, zoneOf(tree, f.envs)
	return a.showStatus(f, present.StatusOf(facts))
}

// command returns what a person can copy.
func (f statusFlags) command(parts ...string) string {
	if parts[0] == "retry" {
		parts = append(parts, "--reason", someReason)
	}
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

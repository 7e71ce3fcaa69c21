package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/store"
)

// roundFlags are what plan and apply have in common.
type roundFlags struct {
	repo    repoFlags
	store   storeFlags
	envs    []string
	output  oneOf
	rate    float64
	verbose bool
	commits bool // what is in no commit is refused
}

func (f *roundFlags) add(a *app, cmd *cobra.Command) {
	f.addTo(a, cmd, "text", "json", "markdown", "github")
	verboseFlag(cmd, &f.verbose)
}

// addTo adds what every command has that looks at AWS.
func (f *roundFlags) addTo(a *app, cmd *cobra.Command, outputs ...string) {
	f.repo.add(cmd)
	f.store.add(cmd)
	a.envFlag(cmd, &f.envs)
	outputFlag(cmd, &f.output, outputs...)
	rateFlag(cmd, &f.rate, 5)
}

// suggest returns a command with the same repository and store.
func (f *roundFlags) suggest(command ...string) string { return suggest(f.repo, f.store, command...) }

// planLine returns the command that shows the same plan.
func (f *roundFlags) planLine(more ...string) string {
	command := []string{"plan"}
	for _, env := range f.envs {
		command = append(command, "--env", env)
	}
	return f.suggest(append(command, more...)...)
}

func (f *roundFlags) check() error {
	if err := checkRate(f.rate); err != nil {
		return err
	}
	return f.store.check()
}

func (a *app) planCommand() *cobra.Command {
	var f roundFlags
	var detailed bool
	cmd := &cobra.Command{
		Use:   "plan --repo PATH|URL",
		Short: "Show what would be done; change nothing",
		Long: `plan compares what Git wants with what AWS has and shows every step, what holds
it and until when. It changes nothing, neither AWS nor the store.

Exit codes: 0 decided, also when there are changes (2 with --detailed-exitcode),
1 a limit was passed or an environment could not be read, 75 try again, 78 the
desired state is invalid somewhere.`,
		Example: `  layerd plan --repo .
  layerd plan --repo https://github.com/acme/layers.git --env prod -v
  layerd plan --repo . --output markdown --detailed-exitcode`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.prepare(cmd.Context(), &f, a.openToRead)
			if err != nil {
				return err
			}
			defer r.close()
			r.round.Asked = nil // a plan names nobody, and looking for them costs a fetch
			result, err := r.round.Plan(cmd.Context())
			r.endProgress()
			return a.finish(&f, r, result.Report, err, func() int { return planCode(result.Report, f.envs, detailed) })
		},
	}
	f.add(a, cmd)
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when there is something to do")
	return cmd
}

// errInterrupted stands below a long result.
var errInterrupted = errors.New("interrupted before everything was done")

// prepared is a round that is ready to go.
type prepared struct {
	round       round.Round
	spec        store.Spec
	applied     bool
	endProgress func()
	// digest returns as much of a plan's digest as approve needs.
	digest func(environment, digest string) string
}

func (p prepared) close() {
	p.endProgress()
	if p.round.Store != nil {
		_ = p.round.Store.Close() // everything was written; nothing can be lost here
	}
}

// opener opens a store for writing, or for reading.
type opener = func(context.Context, store.Spec) (store.Store, error)

// prepare reads the desired state and opens the store. It asks Lambda nothing.
func (a *app) prepare(ctx context.Context, f *roundFlags, open opener) (prepared, error) {
	if err := f.check(); err != nil {
		return prepared{}, err
	}
	src, err := a.load(ctx, f.repo)
	if err != nil {
		return prepared{}, err
	}
	if err := checkEnvironments(src.tree, f.envs); err != nil {
		return prepared{}, err
	}
	if f.commits {
		if err := src.committed(); err != nil {
			return prepared{}, err
		}
	}
	return a.prepareFrom(ctx, f, src, open)
}

// prepareFrom is prepare with a desired state that was read.
func (a *app) prepareFrom(ctx context.Context, f *roundFlags, src source, open opener) (p prepared, err error) {
	if p.spec, err = a.whichStore(f.store, src.tree); err != nil {
		return prepared{}, err
	}
	report, end := a.startProgress()
	p.endProgress = end
	log := a.logger()
	connect, err := a.connector(ctx, daemon.AWSOptions{RequestsPerSecond: f.rate, Logger: log})
	if err != nil {
		return prepared{}, err
	}
	s, err := open(ctx, p.spec)
	if err != nil {
		return prepared{}, err
	}
	if src, err = a.settle(ctx, src, s); err != nil {
		_ = s.Close() // nothing was written
		return prepared{}, err
	}
	p.digest = func(env, digest string) string { return shortest(ctx, s, src.repository, env, digest) }
	p.round = round.Round{
		Tree: src.tree, Revision: src.revision, Author: src.author, Asked: src.asked(), Repository: src.repository, Environments: f.envs,
		Store: s, Connect: connect, Now: a.now, Artifacts: archivesOf(src, connect, s, log), Rates: reconcile.Rates{Requests: f.rate}, Log: log, Progress: report,
	}
	return p, nil
}

// finish shows a result, also the part of one that was reached before an
// error, and ends with the worse of both.
func (a *app) finish(f *roundFlags, p prepared, result plan.Report, err error, code func() int) error {
	if err != nil && len(result.Plans) == 0 {
		return err
	}
	if printErr := a.show(f, p, result); printErr != nil {
		return printErr
	}
	if err == nil {
		return exit(code())
	}
	end := &exitError{code: worst(code(), codeOf(err)), err: err}
	if interrupted(err) {
		end.err, end.hint = errInterrupted, "what is shown above was done; run it again, it goes on from there"
		if where := present.UnderWay(result); where != "" {
			end.hint = "the rollout stays where it is (" + where + "); the next apply, or the daemon, goes on from there"
		}
	}
	return end
}

func (a *app) show(f *roundFlags, p prepared, result plan.Report) error {
	v := a.options(f, p)
	switch f.output.value {
	case "json":
		return a.printJSON(result.Document())
	case "markdown":
		return a.print(present.Markdown(result, v))
	case "github":
		return a.printFor("github", present.GitHub(result, v, f.repo.root()))
	default:
		return a.print(present.Text(result, v))
	}
}

// options returns how a result is shown on standard output.
func (a *app) options(f *roundFlags, p prepared) present.Options {
	return present.Options{
		Palette: a.palette(), Width: width(a.out), Verbose: f.verbose, Applied: p.applied, Now: a.now(), Rate: f.rate, Store: p.spec.String(),
		Commands: present.Commands{
			Approve: func(env, digest string) string { return f.suggest("approve", env, p.digest(env, digest)) },
			Retry:   func(env string) string { return f.suggest("retry", env, "--reason", someReason) },
			Plan:    f.planLine(), All: "all with -v", Advice: failureHint,
		},
	}
}

// root returns where the files of the desired state are, seen from the folder of a
// CI job: annotations name files that way.
func (f *repoFlags) root() string {
	if isFolder(f.repo) && !filepath.IsAbs(f.repo) {
		return filepath.ToSlash(filepath.Join(f.repo, f.path))
	}
	return f.path
}

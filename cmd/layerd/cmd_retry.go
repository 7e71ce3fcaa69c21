package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/words"
)

func (a *app) retryCommand() *cobra.Command {
	var f rulingFlags
	cmd := &cobra.Command{
		Use:   "retry ENV [LAYER] --reason TEXT",
		Short: "Let a version that failed, or was rolled back, come again",
		Long: `retry lifts the quarantines of an environment, or of one of its layers, and lets
a rollout that halted go on: its wave is watched and judged once more. Functions
that are blocked since AWS refused them are tried again at once. What Git
asks for then comes as any change does, in waves, in the window and with an
approval where one is required. Do it once the reason is gone; a version that is
still bad goes back again.

Nothing to lift is not an error: it says so and exits 0. A store in which layerd
has never worked is one: then another is meant.`,
		Example: `  layerd retry prod --repo . --reason "the database is back"
  layerd retry prod makoto-common --repo . --reason "the alarm was wrong"`,
		Args:              arguments("ENV", "[LAYER]"),
		ValidArgsFunction: a.complete(offerEnvironments, offerLayers),
		RunE: func(cmd *cobra.Command, args []string) error {
			layer := ""
			if len(args) > 1 {
				layer = args[1]
			}
			return a.retry(cmd.Context(), f, args[0], layer)
		},
	}
	f.add(cmd, "who says so", "why, for the history; required")
	return cmd
}

func (a *app) retry(ctx context.Context, f rulingFlags, env, layer string) error {
	if f.reason == "" {
		return usage(`say in a few words what has changed: --reason "the database is back"`, "--reason is missing")
	}
	by, err := person(f.by)
	if err != nil {
		return err
	}
	src, err := a.load(ctx, f.repo)
	if err != nil {
		return err
	}
	regions, err := environmentsNamed(src.tree, env)
	if err != nil {
		return err
	}
	if err := a.hasPast(ctx, f.store, src.tree); err != nil {
		return err
	}
	s, spec, err := a.openRulings(ctx, f.store, src.tree, "memory: has no quarantines", "name the store that the daemon uses")
	if err != nil {
		return err
	}
	defer s.Close()
	repository, err := gitrepo.Identity(f.repo.repo)
	if err != nil {
		return err
	}
	if err := refuseStranger(knowsRepository(ctx, s, spec, repository)); err != nil {
		return err
	}
	done, err := round.Round{Tree: src.tree, Store: s, Repository: repository}.Retry(ctx, round.Retry{Environment: env, Layer: layer, By: by, Reason: f.reason})
	if refused, ok := errors.AsType[*round.Refusal](err); ok {
		return refusal(refused, env, "", func(command ...string) string { return suggest(f.repo, f.store, command...) })
	}
	if err != nil {
		return err
	}
	return a.tellRetried(done, regions[0], layer, suggest(f.repo, f.store, "apply", "--env", env))
}

func (a *app) tellRetried(r round.Retried, e desired.Environment, layer, apply string) error {
	p := &present.Page{Palette: a.palette(), Width: width(a.out)}
	if len(r.Lifted)+len(r.Resumed)+len(r.Tried) == 0 {
		what := e.Name
		if layer != "" {
			what = layer + " in " + e.Name
		}
		p.Linef(0, "nothing to do: no version of %s is in quarantine, and no rollout of it halted", what)
		p.Linef(2, "the daemon tries again what could not be published or read")
		return a.print(p.String())
	}
	for _, q := range r.Lifted {
		some := ""
		if q.Functions != "" {
			some = " on " + q.Functions
		}
		why := ""
		if q.Reason != "" {
			why = ": " + q.Reason
		}
		p.Linef(0, "%s %s · %s  %s %s%s may come again", p.Good("✓"), p.Bold(q.Environment), q.Region, q.Name, words.Version(q.Number, q.Semver), some)
		p.Linef(2, "held since %s by %s%s", words.Moment(q.At, e.Zone), q.By, why)
	}
	for _, x := range r.Resumed {
		p.Linef(0, "%s %s · %s  the rollout of %s goes on: wave %d of %d is judged once more", p.Good("✓"), p.Bold(x.Environment.Name),
			x.Environment.Region, words.Commit(x.Rollout.Revision), x.Rollout.Wave, x.Rollout.Waves)
		p.Linef(2, "it halted %s: %s", words.Moment(x.Rollout.Since, e.Zone), x.Rollout.Reason)
	}
	for _, x := range r.Tried {
		p.Linef(0, "%s %s · %s  what was refused, or left alone, is tried again on %s: %s", p.Good("✓"), p.Bold(x.Environment.Name), x.Environment.Region,
			words.Count(len(x.Functions), "function"), words.Few(x.Functions))
	}
	p.Linef(2, "the daemon goes on in its next round; without one:")
	p.Copy(4, apply)
	return a.print(p.String())
}

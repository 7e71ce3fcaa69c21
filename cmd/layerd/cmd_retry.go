package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
)

func (a *app) retryCommand() *cobra.Command {
	var f approveFlags
	cmd := &cobra.Command{
		Use:   "retry ENV [LAYER] --reason TEXT",
		Short: "Let a version that failed, or was rolled back, come again",
		Long: `retry lifts the quarantines of an environment, or of one of its layers, and lets
a rollout that halted go on: its wave is watched and judged once more. What Git
asks for then comes as any change does, in waves, in the window and with an
approval where one is required. Do it once the reason is gone; a version that is
still bad goes back again.

Nothing to lift is not an error: it says so and exits 0.`,
		Example: `  layerd retry prod --repo . --reason "the database is back"
  layerd retry prod makoto-common --repo . --reason "the alarm was wrong"`,
		Args:              arguments("ENV", "[LAYER]"),
		ValidArgsFunction: a.completeLayers,
		RunE: func(cmd *cobra.Command, args []string) error {
			layer := ""
			if len(args) > 1 {
				layer = args[1]
			}
			return a.retry(cmd.Context(), f, args[0], layer)
		},
	}
	f.repo.add(cmd)
	f.store.add(cmd)
	cmd.Flags().StringVar(&f.by, "by", "", "who says so (default: the user of this machine)")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for the history; required")
	return cmd
}

func (a *app) retry(ctx context.Context, f approveFlags, env, layer string) error {
	if f.reason == "" {
		return usage(`say in a few words what has changed: --reason "the database is back"`, "--reason is missing")
	}
	by, err := approver(f.by)
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
	spec, err := a.whichStore(f.store, src.tree)
	if err != nil {
		return err
	}
	if spec.Kind == store.KindMemory {
		return usage("name the store that the daemon uses", "memory: has no quarantines")
	}
	s, err := a.openStore(ctx, spec)
	if err != nil {
		return err
	}
	defer s.Close()
	repository, err := gitrepo.Identity(f.repo.repo)
	if err != nil {
		return err
	}
	again := &retrying{log: history.Open(s, repository), now: a.now, by: by, reason: f.reason}
	if again.held, err = ruling.LoadQuarantines(ctx, s, repository, env); err != nil {
		return err
	}
	if layer != "" {
		var names []string
		for _, q := range again.held {
			names = append(names, q.Name)
		}
		if err := checkLayer(regions, layer, names); err != nil {
			return err
		}
	}
	if err := again.lift(ctx, layer); err != nil {
		return err
	}
	for _, e := range regions {
		if err := again.resume(ctx, e, layer); err != nil {
			return err
		}
	}
	return a.tellRetried(again, regions[0], layer)
}

// retrying is one retry: what held, and what was done about it.
type retrying struct {
	log        *history.Log
	now        func() time.Time
	by, reason string
	held       []ruling.Quarantine
	lifted     []ruling.Quarantine
	resumed    []resumedRollout
}

type resumedRollout struct {
	environment desired.Environment
	rollout     rollout.Rollout // as it was
}

// lift lifts all quarantines, or those of one layer.
func (r *retrying) lift(ctx context.Context, layer string) error {
	for _, q := range r.held {
		if layer != "" && q.Name != layer {
			continue
		}
		ok, err := r.log.Rulings().Lift(ctx, q, r.by, r.reason, r.now())
		if err != nil {
			return fmt.Errorf("lift the quarantine of %s %d: %w", q.Name, q.Number, err)
		}
		if ok {
			r.lifted = append(r.lifted, q)
		}
	}
	return nil
}

// resume lets a rollout that halted go on, where it brings the layer.
func (r *retrying) resume(ctx context.Context, e desired.Environment, layer string) error {
	ro, err := r.log.Rollout(ctx, e.Name, e.Region)
	if err != nil || ro == nil || ro.Stage != rollout.StageHalted {
		return err
	}
	if layer != "" && !slices.ContainsFunc(ro.Targets, func(t rollout.Target) bool { return t.Name == layer }) {
		return nil
	}
	ok, err := r.log.Resume(ctx, e.Name, e.Region, ro.ID, r.by, r.reason)
	if err != nil {
		return fmt.Errorf("let the rollout of %s go on: %w", e.Name, err)
	}
	if ok {
		r.resumed = append(r.resumed, resumedRollout{e, *ro})
	}
	return nil
}

func (a *app) tellRetried(r *retrying, e desired.Environment, layer string) error {
	p := &page{palette: a.palette(), width: width(a.out)}
	if len(r.lifted)+len(r.resumed) == 0 {
		what := e.Name
		if layer != "" {
			what = layer + " in " + e.Name
		}
		p.linef(0, "nothing to do: no version of %s is in quarantine, and no rollout of it halted", what)
		return a.print(p.String())
	}
	for _, q := range r.lifted {
		some := ""
		if q.Functions != "" {
			some = " on " + q.Functions
		}
		why := ""
		if q.Reason != "" {
			why = ": " + q.Reason
		}
		p.linef(0, "%s %s · %s  %s %s%s may come again", p.good("✓"), p.bold(q.Environment), q.Region, q.Name, numbered(q.Number, q.Semver), some)
		p.linef(2, "held since %s by %s%s", moment(q.At, e.Zone), q.By, why)
	}
	for _, x := range r.resumed {
		p.linef(0, "%s %s · %s  the rollout of %s goes on: wave %d of %d is judged once more", p.good("✓"), p.bold(x.environment.Name),
			x.environment.Region, shorten(x.rollout.Revision), x.rollout.Wave, x.rollout.Waves)
		p.linef(2, "it halted %s: %s", moment(x.rollout.Since, e.Zone), x.rollout.Reason)
	}
	p.linef(2, "the daemon goes on in its next round; without one: layerd apply")
	return a.print(p.String())
}

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

func (a *app) forgetCommand() *cobra.Command {
	var f rulingFlags
	cmd := &cobra.Command{
		Use:   "forget ENV",
		Short: "End the alert of an environment that was removed on purpose",
		Long: `forget confirms that an environment's file was removed from the repository on
purpose. The daemon then resolves its alerts and sends no further messages.
Nothing is detached and no history is deleted. If the file comes back, the
daemon begins with a first look again.

An environment that still has a file is not forgotten: remove the file first. To
know that, forget reads --repo; without it the daemon must have reported that
the file is gone.`,
		Example: `  layerd forget dev --repo . --reason "closed in November"
  layerd forget dev --store dynamodb:layerd`,
		Args: arguments("ENV"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.forget(cmd.Context(), f, args[0])
		},
	}
	f.add(cmd, "who says so", "why, for the history")
	return cmd
}

func (a *app) forget(ctx context.Context, f rulingFlags, env string) error {
	var src source
	if f.repo.repo != "" {
		var err error
		if src, err = a.load(ctx, f.repo); err != nil {
			return err
		}
		if slices.Contains(src.tree.Names, env) {
			return usage("remove the file first; as long as it is there, layerd manages it",
				"environments/%s.yaml is in the repository", env)
		}
	}
	by, err := person(f.by)
	if err != nil {
		return err
	}
	s, spec, err := a.openRulings(ctx, f.store, src.tree, "what is forgotten in memory: is remembered at once", "name the store that the daemon uses")
	if err != nil {
		return err
	}
	defer s.Close()
	repository, err := ruledRepository(ctx, s, spec, f.repo.repo,
		"name the repository with --repo, or the store that the daemon uses", "alert", "history", "past")
	if err != nil {
		return err
	}
	if err := refuseStranger(knowsRepository(ctx, s, spec, repository)); err != nil {
		return err
	}
	if err := mayForget(ctx, s, spec, repository, env, f.repo.repo != ""); err != nil {
		return err
	}
	asked := ruling.Forgotten{Environment: env, By: by, At: a.now().UTC(), Reason: f.reason}
	given, err := history.Open(s, repository).Rulings().Forget(ctx, asked)
	if err != nil {
		return fmt.Errorf("forget %s: %w", env, err)
	}
	return a.tellForgotten(asked, given, spec)
}

// mayForget refuses names that nobody was ever told of: forgetting "prd" must
// not end in a calm "done". Who did not read the repository believes the
// daemon's alert.
func mayForget(ctx context.Context, s store.Store, spec store.Spec, repository, env string, read bool) error {
	book := notify.NewBook(s, repository, notify.Options{})
	known, err := book.Environments(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(known, env) {
		hint := "nor of any other, so that there is no alert to end"
		if len(known) > 0 {
			hint = "told of: " + strings.Join(known, ", ")
		}
		return usage(hint, "no daemon has told of an environment %q in %s%s", env, spec, didYouMean(env, known))
	}
	if read {
		return nil
	}
	if _, ok, err := ruling.FindForgotten(ctx, s, repository, env); ok || err != nil {
		return err
	}
	alerts, err := book.Alerts(ctx, env)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(alerts, func(a notify.Alert) bool { return a.Kind == notify.EnvironmentRemoved }) {
		return usage("name the repository with --repo, so that forget can look",
			"no daemon has seen that the file of %s is gone", env)
	}
	return nil
}

func (a *app) tellForgotten(asked, given ruling.Forgotten, spec store.Spec) error {
	p := &present.Page{Palette: a.palette(), Width: width(a.out)}
	if given.At.Equal(asked.At) && given.By == asked.By {
		p.Linef(0, "%s forgotten: %s, as %s, in %s", p.Good("✓"), p.Bold(given.Environment), given.By, spec)
		p.Linef(2, "its alerts end when the daemon looks next, within a minute; its history stays")
	} else {
		p.Linef(0, "%s forgotten already by %s, %s: %s", p.Good("✓"), given.By, words.Moment(given.At, nil), p.Bold(given.Environment))
	}
	return a.print(p.String())
}

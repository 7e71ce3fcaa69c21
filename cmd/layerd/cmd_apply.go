package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/state"
)

func (a *app) applyCommand() *cobra.Command {
	var f roundFlags
	cmd := &cobra.Command{
		Use:   "apply --repo PATH|URL",
		Short: "Do one round: what may be done now is done, the rest waits",
		Long: `apply makes the decision that plan shows and carries out what may be done now.
Windows, freezes and approvals hold for it as they do for the daemon.

Exit codes: 0 done, 1 something failed, 3 something waits for a window or an
approval, 75 try again, 78 the desired state is invalid somewhere.`,
		Example: `  layerd apply --repo https://github.com/acme/layers.git
  layerd apply --repo . --env dev --output json`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.prepare(cmd.Context(), &f, a.openStore)
			if err != nil {
				return err
			}
			defer r.close()
			r.applied = true
			result, err := r.round.Apply(cmd.Context())
			r.endProgress()
			return a.finish(&f, r, result, err, func() int { return applyCode(result, f.envs) })
		},
	}
	f.add(a, cmd)
	return cmd
}

// interrupted says whether an error is only our own context's end.
func interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || state.KindOf(err) == state.Stopped
}

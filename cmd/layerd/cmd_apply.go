package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state"
)

func (a *app) applyCommand() *cobra.Command {
	var f roundFlags
	var patience time.Duration
	var allowDirty bool
	cmd := &cobra.Command{
		Use:   "apply --repo PATH|URL",
		Short: "Do what may be done now; the rest waits",
		Long: `apply makes the decision that plan shows and carries out what may be done now.
Windows, freezes and approvals hold for it as they do for the daemon. A folder
of a Git working tree is applied when its files are those of a commit, else only
with --allow-dirty.

A rollout in waves is followed to its end: each wave is changed, watched and
judged before the next, and what is not well goes back. Ctrl-C leaves the
rollout where it is; the next apply, or the daemon, goes on from there.

One layerd acts on an account at a time: where a daemon on the same store has
the account's lease, apply leaves it alone and exits 75. With --lease-timeout it
asks the daemon for the lease, which gives it between two rounds.

Exit codes: 0 done, 1 something failed, or a rollout halted or went back, 3
something waits for a window or an approval, 75 try again, 78 the desired state
is invalid somewhere.`,
		Example: `  layerd apply --repo https://github.com/acme/layers.git
  layerd apply --repo . --env dev --output json`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.commits = !allowDirty
			r, err := a.prepare(cmd.Context(), &f, a.openStore)
			if err != nil {
				return err
			}
			defer r.close()
			r.applied = true
			leases := a.newLeases(r, patience)
			defer leases.release(cmd.Context())
			r.round.Lease = leases.take
			result, err := r.round.ApplyThrough(cmd.Context(), a.following())
			leases.noteLooked(result.Report)
			r.endProgress()
			return a.finish(&f, r, result.Report, err, func() int { return applyCode(result.Report, f.envs) })
		},
	}
	f.add(a, cmd)
	cmd.Flags().BoolVar(&allowDirty, "allow-dirty", false, "apply a local folder also where its files are not those of a commit")
	cmd.Flags().DurationVar(&patience, "lease-timeout", 0, "wait so long for the lease of an account that a daemon has (default: not at all)")
	return cmd
}

// leases are those that one apply takes, one for each account.
type leases struct {
	*app
	keeper   *lease.Keeper
	patience time.Duration
	taken    []*lease.Lease
}

func (a *app) newLeases(p prepared, patience time.Duration) *leases {
	me := lease.Holder{Name: processName() + lease.ByApply, Repository: p.round.Repository}
	return &leases{app: a, keeper: lease.ThisProcess().Keeper(p.round.Store, me, 0), patience: patience}
}

// lookLasts is for how long an apply's look counts: that a daemon's does, see
// daemon.staleAfter.
const lookLasts = 15 * time.Minute

// noteLooked has the leases say which environments were read completely, for layerd
// status: an apply that finds nothing to do leaves no other trace in the store.
func (l *leases) noteLooked(r plan.Report) {
	now := l.now()
	for _, p := range r.Plans {
		if slices.ContainsFunc(p.Regions, func(r plan.Region) bool { return r.Failure != nil }) {
			continue
		}
		for _, one := range l.taken {
			if slices.ContainsFunc(p.Regions, func(r plan.Region) bool { return r.Want.Account == one.Account() }) {
				one.Looked(p.Environment, lease.Look{At: now, Until: now.Add(lookLasts)})
			}
		}
	}
}

// take is round.Round.Lease. What an earlier round of this apply took is ours
// still, as long as it lasts.
func (l *leases) take(ctx context.Context, account string) (round.Lease, error) {
	for _, one := range l.taken {
		if one.Account() == account {
			return one, one.Check()
		}
	}
	got, err := l.keeper.Acquire(ctx, account, l.patience, func(h *lease.HeldError) {
		l.shown.wait(fmt.Sprintf("waiting for the lease of account %s, which %s has", account, h.By.Name), l.now().Add(l.patience))
	})
	l.shown.clear()
	if err != nil {
		return nil, err // not got: a nil *Lease in an interface is not nil
	}
	l.taken = append(l.taken, got)
	return got, nil
}

// release releases them, also after an interrupt.
func (l *leases) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, one := range l.taken {
		if err := one.Release(ctx); err != nil {
			l.say("the lease of account %s was not given back and runs out within a minute: %v", one.Account(), err)
		}
	}
}

// interrupted reports whether an error is only our own context's end.
func interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || state.KindOf(err) == state.Stopped
}

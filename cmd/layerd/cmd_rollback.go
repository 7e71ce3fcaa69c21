package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// rollbackFlags are those of one rollback.
type rollbackFlags struct {
	round         roundFlags
	to, functions string
	by, reason    string
	dry           bool
	patience      time.Duration
}

func (a *app) rollbackCommand() *cobra.Command {
	var f rollbackFlags
	cmd := &cobra.Command{
		Use:   "rollback ENV LAYER --reason TEXT",
		Short: "Take a layer back to the version before, at once",
		Long: `rollback brings all functions of an environment back to an earlier version of
one layer, now: no window, freeze, approval, wave or bake holds it, and nothing
else is changed. The version that Git asks for is kept from coming back until
Git asks for another one, or until layerd retry. Git itself stays as it is:
change it when there is time.

Without --to it goes back to the version that last came through a whole rollout
well, else to the one that was applied before, else to what most functions had
before layerd. --to takes a semantic version, which means what it means in Git,
or an AWS version number. It must be live, and have been in the environment
before or be lower than what each of the functions has: anything else is a
change, and goes through Git. --functions limits it to some functions.

The word is written first and the lease asked for then: where a daemon has it
and does not give it away in time, that daemon does the rollback in its next
round, and this command exits 75. A second rollback with another --to replaces
the first; the same command once more goes on, and no further back.

Exit codes: 0 done, 1 something failed, 3 something waits, 64 there is no such
version or nothing to go back to, 75 the daemon does it, 78 the desired state is
invalid.`,
		Example: `  layerd rollback prod makoto-common --repo . --reason "it times out"
  layerd rollback prod makoto-common --repo . --to 1.4.1 --dry-run
  layerd rollback prod makoto-common --repo . --to 12 \
      --functions 'makoto-chat-*' --reason "only chat is broken"`,
		Args:              arguments("ENV", "LAYER"),
		ValidArgsFunction: a.completeLayers,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := filled(cmd, "to", "functions"); err != nil {
				return err
			}
			return a.rollback(cmd.Context(), &f, args[0], args[1])
		},
	}
	f.round.repo.add(cmd)
	f.round.store.add(cmd)
	outputFlag(cmd, &f.round.output, "text", "json", "markdown", "github")
	verboseFlag(cmd, &f.round.verbose)
	cmd.Flags().StringVar(&f.to, "to", "", "`VERSION` to go back to, 1.4.1 or 12 (default: the last good one)")
	cmd.Flags().StringVar(&f.functions, "functions", "", "only functions whose names match `GLOB` (default: all)")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "show what would be done; change and write nothing")
	cmd.Flags().StringVar(&f.by, "by", "", "who rolls back (default: the user of this machine)")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for the history; required")
	cmd.Flags().DurationVar(&f.patience, "lease-timeout", 2*time.Minute, "wait so long for the lease of an account that a daemon has")
	rateFlag(cmd, &f.round.rate, 15) // all that AWS gives: whoever rolls back does not want to be polite
	return cmd
}

func (a *app) rollback(ctx context.Context, f *rollbackFlags, env, layer string) error {
	if f.reason == "" && !f.dry {
		return usage(`say in a few words what is wrong: --reason "it times out"`, "--reason is missing")
	}
	by, err := person(f.by)
	if err != nil {
		return err
	}
	f.round.envs = []string{env}
	open := a.openStore
	if f.dry {
		open = a.openToRead
	}
	r, err := a.prepare(ctx, &f.round, open)
	if err != nil {
		return err
	}
	defer r.close()
	if r.spec.Kind == store.KindMemory && !f.dry {
		return usage("name the store that the daemon uses", "a rollback in memory: is forgotten at once")
	}
	if _, err := environmentsNamed(r.round.Tree, env); err != nil {
		return err
	}
	if r.round.Store != nil {
		if err := a.warnStranger(knowsRepository(ctx, r.round.Store, r.spec, r.round.Repository)); err != nil {
			return err
		}
	}
	if !f.dry {
		leases := a.newLeases(r, f.patience)
		defer leases.release(ctx)
		r.round.Lease = leases.take
	}
	back, err := r.round.Rollback(ctx, round.Rollback{
		Environment: env, Layer: layer, To: f.to, Functions: f.functions, By: by, Reason: f.reason, DryRun: f.dry,
		Going: func(back round.Return) {
			r.endProgress()
			if !f.dry {
				a.sayRaw(goesBack(back, "goes back", present.Options{Width: width(a.err), Rate: f.round.rate}))
			}
		},
	})
	r.endProgress()
	r.applied = back.Written
	if !back.Written {
		return a.notWritten(f, r, back, err)
	}
	return a.writtenBack(f, r, back, err)
}

// notWritten ends a rollback of which no word was written.
func (a *app) notWritten(f *rollbackFlags, r prepared, back round.Return, err error) error {
	if refused, ok := errors.AsType[*round.Refusal](err); ok {
		return refusal(refused, f.round.envs[0], f.functions)
	}
	if err != nil {
		return err
	}
	if w := back.Given; w != nil {
		a.say("%s of %s is back at %s already: rolled back by %s, %s", w.Name, w.Environment, w.To, w.By, words.Moment(w.At, nil))
		return nil
	}
	if f.round.output.value == "text" {
		if err := a.print(goesBack(back, "would go back", a.options(&f.round, r))); err != nil {
			return err
		}
	}
	return a.finish(&f.round, r, back.Report, nil, func() int { return planCode(back.Report, f.round.envs, false) })
}

// writtenBack ends a rollback whose word is written, however much of it was done.
func (a *app) writtenBack(f *rollbackFlags, r prepared, back round.Return, err error) error {
	code := func() int {
		if c := applyCode(back.Report, f.round.envs); c != exitOK || !keepsBad(back) {
			return c
		}
		return exitFailed // callers have what was to go away, and nobody may read the list
	}
	err = a.finish(&f.round, r, back.Report, err, code)
	q := back.Back[0]
	switch {
	case leaseHeld(back.Report):
		return &exitError{code: exitRetry, err: errors.New("the rollback is written, and the daemon that has the lease does it in its next round"),
			hint: "watch it with layerd history --env " + words.ShellQuote(q.Environment) + "; or run this again with a longer --lease-timeout"}
	case interrupted(err) || errors.Is(err, errInterrupted):
		return &exitError{code: codeOf(err), err: errInterrupted,
			hint: "the rollback is written: run it again, or let the daemon go on; layerd retry takes it back"}
	}
	if code() == exitOK {
		a.say("%s stays away from %s until Git asks for another version, or until layerd retry %s %s",
			words.Version(q.Number, q.Semver), q.Environment, words.ShellQuote(q.Environment), words.ShellQuote(q.Name))
	}
	return err
}

// keepsBad reports whether a function could not be brought back.
func keepsBad(back round.Return) bool {
	name := back.Back[0].Name
	return slices.ContainsFunc(back.Plans, func(p plan.Plan) bool {
		return slices.ContainsFunc(p.Regions, func(r plan.Region) bool {
			return slices.ContainsFunc(r.Blocked, func(b plan.Blocked) bool {
				return !b.Permanent && (b.Layer == "" || slices.Contains(strings.Split(b.Layer, "+"), name))
			})
		})
	})
}

func leaseHeld(result plan.Report) bool {
	return slices.ContainsFunc(result.Plans, func(p plan.Plan) bool {
		return slices.ContainsFunc(p.Regions, func(r plan.Region) bool { return r.Failure != nil && r.Failure.Code == "lease_held" })
	})
}

// refusal is how a person's word ends that was not written, in the words of the
// command line.
func refusal(r *round.Refusal, env, functions string) error {
	others := offered(r)
	switch r.Code {
	case round.RefusedUnread:
		return &exitError{code: failureCode(r.Failure), err: r, hint: failureHint(*r.Failure)}
	case round.RefusedInvalid:
		return &exitError{code: exitInvalid, err: r, hint: "see layerd plan"}
	case round.RefusedLayer:
		return usage("layers: "+strings.Join(r.Names, ", "), "%w%s", r, didYouMean(r.Asked, r.Names))
	case round.RefusedGlob:
		return usage("quote it for the shell: --functions 'makoto-chat-*'", "--functions %w", r)
	case round.RefusedFunctions:
		return usage("see layerd plan -v for the names", "--functions %w%s", r, didYouMean(functions, r.Names))
	case round.RefusedText:
		if others == "" {
			others = "a semantic version such as 1.4.1, or an AWS version number such as 12"
		}
		return usage(others, "--to %w", r)
	case round.RefusedUnknown:
		return usage("say which one with --to; "+others, "%w", r)
	case round.RefusedAsked:
		return usage("what Git asks for comes by itself, or by layerd retry; "+others, "%w", r)
	case round.RefusedQuarantined:
		return usage(fmt.Sprintf("layerd retry %s %s lets it come again; %s", words.ShellQuote(env), words.ShellQuote(r.Asked), others), "%w", r)
	case round.RefusedForward:
		return usage(fmt.Sprintf("in %s %s; %s", r.Region, r.Since, others), "%w", r)
	}
	return usage(others, "%w", r)
}

// offered returns the versions that could be gone back to, for a hint; empty where
// the refusal is not about versions.
func offered(r *round.Refusal) string {
	switch {
	case r.Others == nil:
		return ""
	case len(r.Others) > 0:
		return "may be gone back to: " + strings.Join(r.Others, ", ")
	case r.Foreign:
		return "its versions are not ours to list: give an AWS version number with --to"
	}
	return "there is no other version to go back to"
}

// goesBack returns what is about to be done, or would be.
func goesBack(back round.Return, verb string, v present.Options) string {
	var going []present.Going
	for _, b := range back.Back {
		going = append(going, present.Going{Quarantine: b.Quarantine, To: b.To})
	}
	return present.GoesBack(going, back.Plans[0].Regions, verb, v)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/round"

	"github.com/layerd/layerd/internal/plan"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
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
	cmd.Flags().BoolVarP(&f.round.verbose, "verbose", "v", false, "name every function and every reason")
	cmd.Flags().StringVar(&f.to, "to", "", "`VERSION` to go back to, 1.4.1 or 12 (default: the last good one)")
	cmd.Flags().StringVar(&f.functions, "functions", "", "only functions whose names match `GLOB` (default: all)")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "show what would be done; change and write nothing")
	cmd.Flags().StringVar(&f.by, "by", "", "who rolls back (default: the user of this machine)")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for the history; required")
	cmd.Flags().DurationVar(&f.patience, "lease-timeout", 2*time.Minute, "wait so long for the lease of an account that a daemon has")
	// All that AWS gives: whoever rolls back does not want to be polite.
	cmd.Flags().Float64Var(&f.round.rate, "requests-per-second", 15, "AWS `CALLS` per account and Region, of the 15 all share")
	return cmd
}

func (a *app) rollback(ctx context.Context, f *rollbackFlags, env, layer string) error {
	if f.reason == "" && !f.dry {
		return usage(`say in a few words what is wrong: --reason "it times out"`, "--reason is missing")
	}
	by, err := approver(f.by)
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
		return usage("name the store that the daemon uses", "a rollback in memory: is forgotten at once, and the version comes back")
	}
	back := &goingBack{flags: f, layer: layer, by: by, now: a.now()}
	if err := back.resolve(ctx, r); err != nil {
		return err
	}
	r.round.Only = func(s plan.Step) bool {
		// Callers' part of it may have to wait for what else they would get.
		ours := s.Cause == plan.CauseRollback || s.Kind == plan.KindServe && s.Held != nil
		return ours && slices.Contains(strings.Split(s.Layer, "+"), layer)
	}
	would := r.round
	would.Quarantines = back.quarantines()
	planned, err := would.Plan(ctx)
	r.endProgress()
	if err != nil {
		return err
	}
	back.reckon(&planned, f.round.rate)
	if given, yes := back.already(planned); yes {
		w := back.words[0]
		if given == nil {
			return usage(w.others, "%s has %s of %s already", env, w.label, layer)
		}
		a.say("%s of %s is back at %s already: rolled back by %s, %s", layer, env, w.label, given.By, moment(given.At, nil))
		return nil
	}
	if f.dry {
		if f.round.output.value == "text" {
			if err := a.print(back.announce(planned, "would go back", a.palette(), width(a.out))); err != nil {
				return err
			}
		}
		return a.finish(&f.round, r, planned, nil, func() int { return planCode(planned, f.round.envs, false) })
	}
	a.sayRaw(back.announce(planned, "goes back", palette{}, width(a.err)))
	return a.carryBack(ctx, f, r, back)
}

// carryBack writes the word, and then does what it says.
func (a *app) carryBack(ctx context.Context, f *rollbackFlags, r prepared, back *goingBack) error {
	rulings := history.Open(r.round.Store, r.round.Repository).Rulings()
	for _, q := range back.quarantines() {
		if _, err := rulings.Quarantine(ctx, q); err != nil {
			return fmt.Errorf("write the rollback of %s: %w", q.Name, err)
		}
	}
	r.applied = true
	leases := a.newLeases(r, f.patience)
	defer leases.release(ctx)
	r.round.Lease = leases.take
	result, err := r.round.Apply(ctx)
	r.endProgress()
	code := func() int { return applyCode(result, f.round.envs) }
	err = a.finish(&f.round, r, result, err, code)
	env := back.words[0].Environment
	switch {
	case leaseHeld(result):
		return &exitError{code: exitRetry, err: errors.New("the rollback is written, and the daemon that has the lease does it in its next round"),
			hint: "watch it with layerd history --env " + shellQuote(env) + "; or run this again with a longer --lease-timeout"}
	case interrupted(err) || errors.Is(err, errInterrupted):
		return &exitError{code: codeOf(err), err: errInterrupted,
			hint: "the rollback is written: run it again, or let the daemon go on; layerd retry takes it back"}
	}
	if code() == exitOK {
		q := back.words[0]
		a.say("%s stays away from %s until Git asks for another version, or until layerd retry %s %s",
			numbered(q.Number, q.Semver), env, shellQuote(env), shellQuote(q.Name))
	}
	return err
}

func leaseHeld(result round.Result) bool {
	return slices.ContainsFunc(result.Plans, func(p plan.Plan) bool {
		return slices.ContainsFunc(p.Regions, func(r plan.Region) bool { return r.Failure != nil && r.Failure.Code == "lease_held" })
	})
}

// goingBack is one rollback by hand: what is asked for, and in each Region that
// could be read the word for it.
type goingBack struct {
	flags     *rollbackFlags
	layer, by string
	now       time.Time
	words     []word
}

// word is what keeps a version away in one Region.
type word struct {
	ruling.Quarantine
	label  string // what it goes back to, for people
	others string // what else could be gone back to
	there  bool   // every function that has the layer has that version
	given  bool   // it holds already
}

// resolve finds what to keep away and what to go back to in each Region.
func (b *goingBack) resolve(ctx context.Context, r prepared) error {
	env := b.flags.round.envs[0]
	regions, err := environmentsNamed(r.round.Tree, env)
	if err != nil {
		return err
	}
	if err := checkLayer(regions, b.layer, nil); err != nil {
		return err
	}
	w := &watcher{seen: map[string]*watched{}}
	look := r.round
	look.Connect = w.watch(look.Connect)
	result, err := look.Plan(ctx)
	if err != nil {
		return err
	}
	if len(result.Plans) == 0 {
		return &exitError{code: exitInvalid, err: fmt.Errorf("environment %s uses what is not supported yet", env), hint: "see layerd plan"}
	}
	for _, region := range result.Plans[0].Regions {
		l, err := findLayer(ctx, r.round, w, region, b.layer)
		if err == nil {
			err = b.word(l)
		}
		if err != nil {
			return err // half of an environment is not what was asked for
		}
	}
	return nil
}

// word makes the word for one Region.
func (b *goingBack) word(l liveLayer) error {
	f := b.flags
	q := ruling.Quarantine{
		Environment: l.region.Want.Name, Region: l.region.Want.Region, Layer: l.wish.Layer, Name: b.layer, Number: l.back.Asked, Semver: l.back.Label(l.back.Asked),
		Functions: f.functions, ByPerson: true, By: b.by, Reason: f.reason, At: b.now.UTC(),
	}
	if err := q.Check(); err != nil {
		return usage("quote it for the shell: --functions 'makoto-chat-*'", "--functions %w", err)
	}
	functions := l.selected(f.functions)
	if len(functions) == 0 {
		return usage("see layerd plan -v for the names", "--functions %q matches no function that %s selects in %s%s",
			f.functions, b.layer, l.place(), didYouMean(f.functions, l.names()))
	}
	held, again := l.holds(q)
	var err error
	switch {
	case f.to != "":
		q.RevertTo, err = l.resolve(f.to, f.functions)
	case again:
		q.RevertTo = held.RevertTo // the same command once more goes on, and no further back
	default:
		q.RevertTo, err = l.lastGood(f.functions)
	}
	if err != nil {
		return err
	}
	version, others := l.back.Show(q.RevertTo), l.others(q.RevertTo, f.functions)
	if q.RevertTo == l.back.Asked {
		return usage("what Git asks for comes by itself, or by layerd retry; "+others, "%s is what Git asks for in %s", version, l.place())
	}
	if err := l.may(q.RevertTo, f.functions); err != nil {
		return err
	}
	w := word{Quarantine: q, label: version, others: others, there: l.all(functions, q.RevertTo)}
	if again && held.RevertTo == q.RevertTo {
		w.Quarantine, w.given = held, true
	}
	b.words = append(b.words, w)
	return nil
}

// quarantines are the words as they are written.
func (b *goingBack) quarantines() []ruling.Quarantine {
	var list []ruling.Quarantine
	for _, w := range b.words {
		list = append(list, w.Quarantine)
	}
	return list
}

// already says that there is nothing to go back from: every function has what is
// asked for, and its callers too. given is the word by which that is so, nil =
// nobody's.
func (b *goingBack) already(planned round.Result) (given *word, yes bool) {
	for i, w := range b.words {
		if !w.there || len(allSteps(planned)) > 0 {
			return nil, false
		}
		if w.given {
			given = &b.words[i]
		}
	}
	return given, true
}

// reckon says of each Region what going back costs at the rate it is done at.
func (b *goingBack) reckon(planned *round.Result, rate float64) {
	for i := range planned.Plans {
		for j := range planned.Plans[i].Regions {
			r := &planned.Plans[i].Regions[j]
			writes, reads := 0, 0
			for _, s := range r.Steps {
				switch {
				case s.Held != nil:
				case s.Kind == plan.KindServe && s.Serving.Version == "":
					writes, reads = writes+2, reads+2
				case s.Kind == plan.KindServe:
					writes, reads = writes+1, reads+2
				default:
					writes, reads = writes+1, reads+3
				}
			}
			r.Cost = plan.Cost{Calls: writes + reads, Seconds: max(float64(writes)/rate, float64(reads)/60)}
		}
	}
}

// announce says what is about to be done, before it is.
func (b *goingBack) announce(planned round.Result, verb string, colours palette, columns int) string {
	p := &page{palette: colours, width: columns}
	for _, q := range b.words {
		n, cost, waits := 0, plan.Cost{}, 0
		for _, region := range planned.Plans[0].Regions {
			if region.Want.Region != q.Region {
				continue
			}
			cost = region.Cost
			names := map[string]bool{}
			for _, s := range region.Steps {
				names[s.Function] = true
				if s.Held != nil {
					waits++
				}
			}
			n = len(names)
		}
		p.linef(0, "%s · %s  %s %s: %s → %s", p.bold(q.Environment), q.Region, q.Name, verb, numbered(q.Number, q.Semver), q.label)
		switch {
		case n == 0:
			p.linef(2, "no function has it: it is only kept from coming")
		case waits > 0:
			p.linef(2, "%s, of whose steps %d must wait", count(n, "function"), waits)
		default:
			p.linef(2, "%s, about %s at %g requests/s", count(n, "function"), span(time.Duration(cost.Seconds*float64(time.Second))+time.Second), b.flags.round.rate)
		}
	}
	return p.String()
}

// matches says whether a name is one of those that a glob means; empty = all.
func matches(glob, name string) bool {
	if glob == "" {
		return true
	}
	ok, err := path.Match(glob, name)
	return ok && err == nil
}

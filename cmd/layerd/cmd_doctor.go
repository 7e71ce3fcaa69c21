package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/words"
)

// doctorFlags say what is to be examined.
type doctorFlags struct {
	repo   repoFlags
	store  storeFlags
	env    string
	rate   float64
	region string

	layer                   string
	runtimes, architectures []string

	probe     bool
	probeRole string
	output    oneOf

	config    string
	noMessage bool
}

func (a *app) doctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor {FUNCTION[:ALIAS] | --layer FILE|ARN | --repo PATH|URL}",
		Short: "Say whether a function, an archive or a set-up is right",
		Long: `doctor FUNCTION looks at one function as it is live: which layers it has and
whether they exist, whether what is in them fits its runtime, what hides what,
how large it all is, and who else writes to it. With --env and --repo also what
Git asks of it; without them AWS alone is looked at, in --region.
FUNCTION:ALIAS looks at what the alias serves. Of variables only those are read
that are meant to name a layer's version. docs/doctor.md lists what it can
find.

--probe makes a temporary function of the same runtime, architecture and layers
with the role that --probe-role names, imports what layer.yaml lists under
imports, shows path, versions and the names of variables, and removes the
function. Its name is in the store before it is made: after a kill, the next
doctor FUNCTION removes it. It needs lambda:CreateFunction, InvokeFunction,
DeleteFunction and TagResource on layerd-probe-*, and iam:PassRole on the role.

doctor --layer looks into an archive, a zip here or a layer version's: runtimes
and architectures are those of layer.yaml or of the version, or of the flags.

doctor without either examines what layerd needs for one environment, or
without --env for all: Git, credentials, each permission, the store, the clock
and the window. Every line that is not ✓ says what to do, and names the IAM
action that is missing and on what.

It changes nothing at AWS. A permission to read is tried by reading. The one to
update is tried with an update that names no setting and a RevisionId that
cannot match: AWS checks the permission first, answers 403 without it and 412
with it. (A policy that allows updates only with a condition on lambda:Layer
that needs the key to be there denies this one too.) The one to delete layer
versions, tried only where retention is set, is tried on version 2147483647,
which was never published: AWS answers 204 with the permission. In the store it
writes one value of its own.

With --config it examines what the daemon would be started with: the file, every
secret that it names (read, and never shown), the branch and the store that it
names where --repo and --store do not, and everybody who is told, with one test
message each. It reads as whoever runs it: of what the daemon's own user may
read, and of credentials that systemd gives to the unit alone, it knows nothing.

Exit codes: 0 all is well, 1 something is not, or (of a set-up) could not be
examined. Of a function or an archive, warnings and what is unknown are 0.`,
		Example: `  layerd doctor makoto-chat-handler-prod --env prod --repo .
  layerd doctor makoto-chat-handler-prod:live --region ap-northeast-1
  layerd doctor --layer dist/makoto-common-1.4.2.zip --runtime python3.12
  layerd doctor --env prod --repo .
  layerd doctor --env prod --repo https://github.com/acme/layers.git -o json
  layerd doctor --config /etc/layerd/layerd.yaml`,
		Args: arguments("[FUNCTION]"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.completeFlag(offerFunctions)(cmd, args, begun)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.doctorOf(cmd, &f, args) },
	}
	f.add(cmd)
	// The flag exists, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("env", a.completeFlag(offerEnvironments))
	return cmd
}

func (f *doctorFlags) add(cmd *cobra.Command) {
	f.repo.add(cmd)
	f.store.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.env, "env", "", "the environment `ENV` is examined (default: all)")
	fs.StringVar(&f.layer, "layer", "", "examine an archive: a zip, or the ARN of a layer version, `FILE|ARN`")
	fs.StringVar(&f.region, "region", "", "only this `REGION`; without a repository the one to look in (default AWS_REGION)")
	fs.BoolVar(&f.probe, "probe", false, "import the layers' modules in a temporary function, which is removed again")
	fs.StringVar(&f.probeRole, "probe-role", "", "the `ROLE` of the temporary function, which may do nothing")
	fs.StringArrayVar(&f.runtimes, "runtime", nil, "with --layer: it is for this `RUNTIME` (may be repeated)")
	fs.StringArrayVar(&f.architectures, "architecture", nil, "with --layer: it is for `x86_64|arm64` (may be repeated)")
	rateFlag(cmd, &f.rate, 5)
	fs.StringVar(&f.config, "config", "", "examine the daemon's configuration as well: `FILE|env:NAME`")
	fs.BoolVar(&f.noMessage, "no-message", false, "do not send the test message to those that the configuration names")
	outputFlag(cmd, &f.output, "text", "json", "sarif")
}

// doctorOf does what the command line asks for: a function, an archive or a set-up.
func (a *app) doctorOf(cmd *cobra.Command, f *doctorFlags, args []string) error {
	given := func(name string) bool { return cmd.Flags().Changed(name) }
	of := "a set-up"
	switch {
	case len(args) > 0 && given("layer"):
		return usage("name one of them", "doctor FUNCTION and --layer are two questions")
	case len(args) > 0:
		of = "a function"
	case given("layer"):
		of = "an archive"
	}
	for _, x := range []struct{ flag, of, hint string }{
		{"runtime", "an archive", "a function has one of its own"}, {"architecture", "an archive", "a function has one of its own"},
		{"probe", "a function", "name the function"}, {"probe-role", "a function", "name the function"},
		{"config", "a set-up", "leave it out"}, {"no-message", "a set-up", "leave it out"},
	} {
		if given(x.flag) && of != x.of {
			return usage(x.hint, "--%s says nothing about %s", x.flag, of)
		}
	}
	if of == "a set-up" && given("region") {
		return usage("name an environment with --env; its file says which Regions it has", "--region says nothing about %s", of)
	}
	if of == "a set-up" && f.output.value == "sarif" {
		return usage("sarif is for a function or an archive; take json", "a set-up has no place in code")
	}
	switch of {
	case "a function":
		return a.doctorFunction(cmd.Context(), cmd, f, args[0])
	case "an archive":
		return a.doctorLayer(cmd.Context(), cmd, f)
	}
	return a.doctor(cmd.Context(), f)
}

// check is one part of an examination. It adds a result for each thing it
// looked at, and one with the reason for each that it could not.
type check func(ctx context.Context, x *examination)

// doctorChecks are made in this order; a later one may rely on what an earlier
// one found. To examine something more, add it here.
func doctorChecks() []check {
	return []check{checkConfig, checkGit, checkEnvironment, checkWindow, checkStore, checkSameStore, checkAWS, checkNotify}
}

// What all environments share is examined once, then each of them, and what others
// notice at the end.
var (
	sharedChecks      = []check{checkConfig, checkGit, checkNames, checkStore, checkSameStore, checkNotify}
	environmentChecks = []check{checkEnvironment, checkWindow, checkAWS}
)

func (a *app) doctor(ctx context.Context, f *doctorFlags) error {
	if err := checkRate(f.rate); err != nil {
		return err
	}
	if err := f.store.check(); err != nil {
		return err
	}
	v, err := a.examine(ctx, f)
	if err != nil {
		return err
	}
	if f.output.value == "json" {
		err = a.printJSON(v)
	} else {
		err = a.print(renderDoctor(v, a.palette(), width(a.out)))
	}
	if err == nil && !v.Healthy {
		err = exit(exitFailed)
	}
	return err
}

// examine makes the checks of the environment that was named, or of all.
func (a *app) examine(ctx context.Context, f *doctorFlags) (doctorView, error) {
	x := &examination{app: a, flags: f, env: f.env}
	if f.env != "" {
		err := x.make(ctx, doctorChecks())
		return x.view(), err
	}
	if err := x.make(ctx, sharedChecks); err != nil {
		return doctorView{}, err
	}
	all := x.view()
	all.Environments = []doctorView{}
	for _, name := range x.src.tree.Names {
		one := &examination{app: a, flags: f, env: name, daemon: x.daemon, src: x.src}
		if err := one.make(ctx, environmentChecks); err != nil {
			return doctorView{}, err
		}
		v := one.view()
		all.Healthy = all.Healthy && v.Healthy
		all.Environments = append(all.Environments, v)
	}
	return all, nil
}

// make makes checks until the command line is found wrong or ctx ends.
func (x *examination) make(ctx context.Context, checks []check) error {
	for _, c := range checks {
		c(ctx, x)
		if x.misused != nil {
			return x.misused
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (x *examination) view() doctorView {
	return doctorView{FormatVersion: "1", Environment: x.env, Healthy: inspect.Healthy(x.results), Checks: x.results}
}

// doctorView is the JSON of doctor.
type doctorView struct {
	FormatVersion string           `json:"format_version"`
	Environment   string           `json:"environment"` // empty: all of them, and Checks is what they share
	Healthy       bool             `json:"healthy"`
	Checks        []inspect.Result `json:"checks"`
	// Environments are all of them, where none was named.
	Environments []doctorView `json:"environments,omitempty"`
}

// renderDoctor writes a line for each check; – is for what is not needed.
func renderDoctor(v doctorView, p present.Palette, width int) string {
	pg := &present.Page{Palette: p, Width: width}
	renderChecks(pg, v)
	for _, one := range v.Environments {
		pg.Blank()
		pg.Linef(0, "%s", p.Bold(one.Environment))
		renderChecks(pg, one)
	}
	return pg.String()
}

func renderChecks(pg *present.Page, v doctorView) {
	p := pg.Palette
	widest, bad, unknown := 0, 0, 0
	for _, r := range v.Checks {
		widest = max(widest, foreign.Width(r.Check))
	}
	marks := map[inspect.Verdict]foreign.Styled{inspect.OK: p.Good("✓"), inspect.NotNeeded: p.Faint("–")}
	region := ""
	for _, r := range v.Checks {
		if r.Region != region {
			region = r.Region
			pg.Linef(0, "%s", p.Bold(cmp.Or(region, "everywhere")))
		}
		mark, known := marks[r.Verdict]
		if !known {
			mark = p.Bad("✗")
			if r.Verdict == inspect.Unknown {
				unknown++
			} else {
				bad++
			}
		}
		pg.Hangf(2, 4, "%s %s  %s", mark, present.Pad(r.Check, widest), r.Reason)
		if r.Fix != "" {
			pg.Linef(6, "→ %s", r.Fix)
		}
	}
	pg.Linef(0, "%s", verdict(v, p, bad, unknown))
}

// verdict returns the last line. A check that could not be made is counted apart: it
// depends on something that is wrong, and is no work of its own.
func verdict(v doctorView, p present.Palette, bad, unknown int) foreign.Styled {
	name := p.Bold(cmp.Or(v.Environment, "what all environments share"))
	switch {
	case bad+unknown == 0:
		return name + " is set up as it must be"
	case unknown == 0:
		return foreign.Styledf("%s: %s to put right", name, words.Count(bad, "thing"))
	case bad == 0:
		return foreign.Styledf("%s: %s could not be made", name, words.Count(unknown, "check"))
	default:
		return foreign.Styledf("%s: %s to put right, %s not made", name, words.Count(bad, "thing"), words.Count(unknown, "check"))
	}
}

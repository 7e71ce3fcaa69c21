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
	layer  string
	rate   float64
	output oneOf

	config    string
	noMessage bool
}

func (a *app) doctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor --env ENV {--repo PATH|URL | --config FILE|env:NAME}",
		Short: "Say whether a set-up is right, and what is missing",
		Long: `doctor --env examines what layerd needs for one environment: Git, credentials,
each permission, the store, the clock and the window. Every line that is not ✓
says what to do, and names the IAM action that is missing and on what.

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

Exit codes: 0 all is well, 1 something is not, or could not be examined.`,
		Example: `  layerd doctor --env prod --repo .
  layerd doctor --env prod --repo https://github.com/acme/layers.git -o json
  layerd doctor --env prod --config /etc/layerd/layerd.yaml`,
		Args: arguments("[FUNCTION]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 || f.layer != "" {
				return usage("examine a set-up with: layerd doctor --env ENV --repo .",
					"examining a function or an archive is not supported yet")
			}
			return a.doctor(cmd.Context(), &f)
		},
	}
	f.repo.add(cmd)
	f.store.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.env, "env", "", "the environment `ENV` is examined")
	fs.StringVar(&f.layer, "layer", "", "a layer archive to examine (not supported yet)")
	rateFlag(cmd, &f.rate, 5)
	fs.StringVar(&f.config, "config", "", "examine the daemon's configuration as well: `FILE|env:NAME`")
	fs.BoolVar(&f.noMessage, "no-message", false, "do not send the test message to those that the configuration names")
	outputFlag(cmd, &f.output, "text", "json")
	// The flag exists, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("env", a.completeEnvironments)
	return cmd
}

// check is one part of an examination. It adds a result for each thing it
// looked at, and one with the reason for each that it could not.
type check func(ctx context.Context, x *examination)

// doctorChecks are made in this order; a later one may rely on what an earlier
// one found. To examine something more, add it here.
func doctorChecks() []check {
	return []check{checkConfig, checkGit, checkWindow, checkStore, checkSameStore, checkAWS, checkNotify}
}

func (a *app) doctor(ctx context.Context, f *doctorFlags) error {
	if f.env == "" {
		return usage("name one with --env", "doctor examines one environment: --env is missing")
	}
	if err := checkRate(f.rate); err != nil {
		return err
	}
	if err := f.store.check(); err != nil {
		return err
	}
	x := &examination{app: a, flags: f}
	for _, c := range doctorChecks() {
		c(ctx, x)
		if x.misused != nil {
			return x.misused
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	v := doctorView{FormatVersion: "1", Environment: f.env, Healthy: inspect.Healthy(x.results), Checks: x.results}
	var err error
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

// doctorView is the JSON of doctor.
type doctorView struct {
	FormatVersion string           `json:"format_version"`
	Environment   string           `json:"environment"`
	Healthy       bool             `json:"healthy"`
	Checks        []inspect.Result `json:"checks"`
}

// renderDoctor writes a line for each check; – is for what is not needed.
func renderDoctor(v doctorView, p present.Palette, width int) string {
	pg := &present.Page{Palette: p, Width: width}
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
	return pg.String()
}

// verdict returns the last line. A check that could not be made is counted apart: it
// depends on something that is wrong, and is no work of its own.
func verdict(v doctorView, p present.Palette, bad, unknown int) foreign.Styled {
	name := p.Bold(v.Environment)
	switch {
	case v.Healthy:
		return name + " is set up as it must be"
	case unknown == 0:
		return foreign.Styledf("%s: %s to put right", name, words.Count(bad, "thing"))
	case bad == 0:
		return foreign.Styledf("%s: %s could not be made", name, words.Count(unknown, "check"))
	default:
		return foreign.Styledf("%s: %s to put right, %s not made", name, words.Count(bad, "thing"), words.Count(unknown, "check"))
	}
}

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/words"
)

func (a *app) whyCommand() *cobra.Command {
	var f roundFlags
	cmd := &cobra.Command{
		Use:   "why FUNCTION --repo PATH|URL",
		Short: "Say why a function has the layers it has",
		Long: `why answers for one function: what it has, what it should have and which line of
which file says so, what holds it or blocks it, who put it there and when, and
what was done to it lately. It asks what plan asks and changes nothing.

Exit codes are those of plan; a function that nobody has heard of is 64.`,
		Example: `  layerd why makoto-chat-handler-prod --repo .
  layerd why makoto-api-prod --repo . --env prod --output json`,
		Args:              arguments("FUNCTION"),
		ValidArgsFunction: a.complete(offerFunctions),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.why(cmd.Context(), &f, args[0]) },
	}
	f.addTo(a, cmd, "text", "json")
	return cmd
}

func (a *app) why(ctx context.Context, f *roundFlags, function string) error {
	r, err := a.prepare(ctx, f, a.openToRead)
	if err != nil {
		return err
	}
	defer r.close()
	if r.round.Store != nil {
		if err := a.warnStranger(knowsRepository(ctx, r.round.Store, r.spec, r.round.Repository)); err != nil {
			return err
		}
	}
	answer, result, err := r.round.Why(ctx, function)
	if err != nil {
		return err
	}
	r.endProgress()
	code := planCode(result.Report, f.envs, false)
	if len(answer.Environments) == 0 {
		return a.unknownFunction(f, function, result, code)
	}
	if f.output.value == "json" {
		err = a.printJSON(present.WhyDocument(answer, result.Report))
	} else {
		err = a.print(present.Why(answer, result.Report, a.options(f, r)))
	}
	if err != nil {
		return err
	}
	return exit(code)
}

// unknownFunction: where everything was read the name is wrong; where not, the
// function may be in what was not read.
func (a *app) unknownFunction(f *roundFlags, name string, result round.Result, code int) error {
	var names []string
	places := 0
	for _, d := range result.Decisions {
		for i, r := range d.Plan.Regions {
			places++
			if r.Failure != nil {
				return &exitError{code: worst(code, failureCode(r.Failure)), err: fmt.Errorf("no function %q in what could be read; %s in %s was not: %s",
					name, r.Want.Name, r.Want.Region, r.Failure.Message), hint: failureHint(*r.Failure)}
			}
			if known, ok := d.Region(i); ok {
				for _, f := range known.Have.Functions {
					names = append(names, f.Name)
				}
			}
		}
	}
	if len(result.Skipped) > 0 {
		return &exitError{code: worst(code, exitInvalid), err: fmt.Errorf("no function %q in what could be read; these environments are invalid: %s",
			name, listOr(result.Skipped)), hint: "see " + validateLine(f.repo), repo: true}
	}
	return lacks("why looks at the accounts and regions of the repository's environments",
		"no function %q in %s%s", name, words.Count(places, "environment"), didYouMean(name, names))
}

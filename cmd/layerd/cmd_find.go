package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/words"
)

// findFlags say what is looked for, and where.
type findFlags struct {
	roundFlags
	osv      string
	detailed bool
}

func (a *app) findCommand() *cobra.Command {
	var f findFlags
	cmd := &cobra.Command{
		Use:   "find PACKAGE --repo PATH|URL",
		Short: "Say who carries a package: layers, functions, versions, aliases",
		Long: `find names every layer version that has a package, and who has that layer
version: functions, their published versions, and the aliases that lead there,
in the accounts and Regions of the repository's environments, whether one of
them selects a function or not. It looks into all live versions of the
repository's layers, and into every layer version that any function has, those
of other accounts too. The function's own package is not looked
into.

PACKAGE is written as its own tools write it:

  urllib3<2.2.2            of PyPI, with specifiers of PEP 440
  npm:lodash@<4.17.21      of npm, with a range of npm; npm:@scope/name@^1
  pkg:npm/lodash@4.17.20   a package URL
  requests                 every version

--osv takes a file of advisories in OSV's format instead, or beside it: one
document, a list, or a line for each.

An archive is read by the pieces that say what is in it. What was found is kept
in the store, where there is one, and not read again. What cannot be read is
unknown, and named.

Exit codes: 0 all was read, whatever was found (2 with --detailed-exitcode where
something was), 1 something is unknown, 75 try again, 78 the desired state is
invalid somewhere.`,
		Example: `  layerd find 'urllib3<2.2.2' --repo .
  layerd find npm:lodash --repo . --env prod -o csv
  layerd find --osv advisories.json --repo . --detailed-exitcode`,
		Args: arguments("[PACKAGE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := filled(cmd, "osv"); err != nil {
				return err
			}
			return a.find(cmd.Context(), &f, args)
		},
	}
	f.addTo(a, cmd, "text", "json", "csv")
	verboseFlag(cmd, &f.verbose)
	cmd.Flags().StringVar(&f.osv, "osv", "", "`FILE` of advisories in OSV's format")
	cmd.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit 2 when something was found")
	return cmd
}

func (a *app) find(ctx context.Context, f *findFlags, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	queries, advisories, err := a.wanted(f, args)
	if err != nil {
		return err
	}
	places, err := a.fleet(ctx, &f.roundFlags)
	if err != nil {
		return err
	}
	defer places.close()
	found, fetched, err := places.find(ctx, queries)
	if err != nil && ctx.Err() != nil {
		return err
	}
	answer := present.FindDocument(found, fetched)
	answer.Queries, answer.Advisories = append(answer.Queries, args...), advisories
	if printErr := a.showFind(f, answer); printErr != nil {
		return printErr
	}
	code := codeOf(err)
	if !found.Whole() {
		code = worst(code, exitFailed)
		if err != nil && codeOf(err) == exitRetry {
			code = exitRetry
		}
	}
	if f.detailed && len(found.Found) > 0 {
		code = worst(code, exitChanges)
	}
	return exit(code)
}

func (a *app) showFind(f *findFlags, answer present.Find) error {
	switch f.output.value {
	case "json":
		return a.printJSON(answer)
	case "csv":
		return a.print(answer.CSV())
	}
	return a.print(answer.Text(present.Options{Palette: a.palette(), Width: width(a.out), Verbose: f.verbose, Now: a.now()}))
}

// wanted returns what is looked for.
func (a *app) wanted(f *findFlags, args []string) (queries []inspect.Query, from *present.FindAdvisories, err error) {
	if len(args) == 0 && f.osv == "" {
		return nil, nil, usage("such as layerd find 'urllib3<2.2.2', or --osv FILE for advisories", "which package? PACKAGE is missing")
	}
	for _, text := range args {
		q, err := inspect.ParseQuery(text)
		if wrong, ok := errors.AsType[*inspect.QueryError](err); ok {
			return nil, nil, usage(wrong.Suggestion, "PACKAGE %s: %s", words.ShellQuote(wrong.Query), wrong.Message)
		}
		if err != nil {
			return nil, nil, err
		}
		queries = append(queries, q)
	}
	if f.osv == "" {
		return queries, nil, nil
	}
	data, err := advisories(f.osv)
	if err != nil {
		return nil, nil, usage("download them as osv.dev has them: a JSON document, or a line for each", "--osv %s: %w", f.osv, plainCause(err))
	}
	all, err := inspect.ParseOSV(data)
	if err != nil {
		return nil, nil, &exitError{code: exitInvalid, err: fmt.Errorf("--osv %s: %w", f.osv, err), hint: "it takes documents of OSV (JSON): one, a list, or a line for each"}
	}
	return append(queries, all.Queries...), &present.FindAdvisories{File: f.osv, Read: all.Read, Withdrawn: all.Withdrawn, Others: all.Others}, nil
}

// mostAdvisories is how large a file of advisories may be, in bytes: all of PyPI's and
// npm's together are smaller.
const mostAdvisories = 512 << 20

func advisories(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, mostAdvisories+1))
	if err == nil && len(data) > mostAdvisories {
		err = fmt.Errorf("it is larger than %d MB", mostAdvisories>>20)
	}
	return data, err
}

package main

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// historyFlags choose entries.
type historyFlags struct {
	repo            repoFlags
	store           storeFlags
	envs            []string
	layer, function string
	since, until    string
	limit           int
	output          oneOf
	verbose         bool
}

func (a *app) historyCommand() *cobra.Command {
	var f historyFlags
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show what was done, the latest first",
		Long: `history shows what was done to functions and layer versions, why, for which
commit and by whose word, and what people decided. It reads the store and asks
AWS nothing. --repo says whose history is meant and, by its layerd.yaml, in
which store it is; without it the only repository that the store knows is meant.

--limit counts rollouts, rounds and decisions, each of which is shown whole:
half of a change would look like a smaller one. What is left out is named below;
in CSV that line is on standard error.`,
		Example: `  layerd history --repo . --env prod
  layerd history --function 'makoto-chat-*' --since 7d
  layerd history --since 2026-11-01 --limit 0 --output csv`,
		Annotations: map[string]string{withoutRepo: "yes"},
		Args:        arguments(),
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.history(cmd.Context(), f) },
	}
	f.repo.add(cmd)
	f.store.add(cmd)
	envsFlag(cmd, &f.envs)
	fs := cmd.Flags()
	fs.StringVar(&f.layer, "layer", "", "only this layer (glob)")
	fs.StringVar(&f.function, "function", "", "only this function (glob)")
	fs.StringVar(&f.since, "since", "", "from then on: 7d, 12h, a date or RFC 3339")
	fs.StringVar(&f.until, "until", "", "up to then, likewise")
	fs.IntVar(&f.limit, "limit", 50, "at most so many rollouts, rounds and decisions, each whole; 0 for all")
	// The flags exist, so none of these can fail.
	_ = cmd.RegisterFlagCompletionFunc("env", a.completeFlag(offerEver))
	_ = cmd.RegisterFlagCompletionFunc("layer", a.completeFlag(offerLayers))
	_ = cmd.RegisterFlagCompletionFunc("function", a.completeFlag(offerFunctions))
	verboseFlag(cmd, &f.verbose)
	outputFlag(cmd, &f.output, "text", "json", "csv")
	return cmd
}

func (a *app) history(ctx context.Context, f historyFlags) error {
	if f.limit < 0 {
		return usage("0 shows all", "--limit %d is negative", f.limit)
	}
	tree, err := a.historyTree(ctx, f)
	if err != nil {
		return err
	}
	zone := tree.Zone(f.envs)
	since, err := parseWhen("since", f.since, zone, a.now())
	if err != nil {
		return err
	}
	until, err := parseWhen("until", f.until, zone, a.now())
	if err != nil {
		return err
	}
	spec, err := a.pastStore(f.store, tree)
	if err != nil {
		return err
	}
	s, err := a.openToRead(ctx, spec)
	if err != nil {
		return err
	}
	var page history.Page
	if s != nil {
		defer s.Close()
		repository, err := repositoryOf(ctx, s, f.repo.repo, "history")
		if err != nil {
			return err
		}
		if page, err = history.Open(s, repository).Page(ctx, history.Query{Since: since, Until: until, Only: f.means}, f.limit); err != nil {
			return err
		}
		if err := f.known(ctx, s, spec, repository, page, tree.Names); err != nil {
			return err
		}
	}
	return a.showHistory(f, page, zone, func() string { return f.nothing(s != nil, spec) })
}

// known refuses names that nobody has heard of: "nothing was recorded" would be taken
// for an answer.
func (f historyFlags) known(ctx context.Context, s store.Store, spec store.Spec, repository string, page history.Page, files []string) error {
	if len(page.Entries) == 0 && repository != "" {
		if err := knowsRepository(ctx, s, spec, repository); err != nil {
			return refuseStranger(err)
		}
	}
	for _, env := range f.envs {
		if slices.ContainsFunc(page.Entries, func(e history.Entry) bool { return e.Environment == env }) {
			continue
		}
		if err := knowsEnvironment(ctx, s, spec, repository, env, files); err != nil {
			return err
		}
	}
	return nil
}

// showHistory shows a page, or what nothing returns where there is none.
func (a *app) showHistory(f historyFlags, page history.Page, zone *time.Location, nothing func() string) error {
	switch f.output.value {
	case "json":
		return a.printJSON(present.HistoryDocument(page, f.limit, f.allCommand()))
	case "csv":
		if left := present.LeftOut(page); left != "" {
			a.say("%s; all of them: %s", left, f.allCommand()) // a table has no place for it
		}
		return a.print(present.HistoryCSV(page.Entries))
	}
	if len(page.Entries) == 0 {
		return a.print(nothing())
	}
	return a.print(present.History(page, f.allCommand(), zone, present.Options{Palette: a.palette(), Width: width(a.out), Verbose: f.verbose}))
}

// allCommand returns the command that shows what the limit leaves out.
func (f historyFlags) allCommand() string {
	text := suggest(f.repo, f.store, "history")
	add := func(flag, value string) {
		if value != "" {
			text += " --" + flag + " " + words.ShellQuote(value)
		}
	}
	for _, env := range f.envs {
		add("env", env)
	}
	add("layer", f.layer)
	add("function", f.function)
	add("since", f.since)
	add("until", f.until)
	if f.output.value != "text" {
		add("output", f.output.value)
	}
	if f.verbose {
		text += " -v"
	}
	return text + " --limit 0"
}

// historyTree reads the repository where one is named, for its store and its
// zones. Names of environments are not checked: one that is gone from Git
// still has a past.
func (a *app) historyTree(ctx context.Context, f historyFlags) (desired.Tree, error) {
	if f.repo.repo == "" {
		return desired.Tree{}, f.store.check()
	}
	src, err := a.load(ctx, f.repo)
	if _, git := errors.AsType[*gitrepo.Error](err); git && f.store.store != "" {
		// The store is named, and the address says whose history is meant.
		a.say("warning: %v; its zones and environments are not known", err)
		return desired.Tree{}, f.store.check()
	}
	return src.tree, err
}

// nothing returns why no entry is shown: "nothing was recorded" would be untrue of
// a store that has some which were not asked for.
func (f historyFlags) nothing(there bool, spec store.Spec) string {
	text := foreign.Linef("nothing was recorded in %s", spec)
	switch {
	case !there && spec.Kind != store.KindMemory:
		text = foreign.Linef("nothing was recorded: %s is not there", spec)
	case len(f.envs) > 0 || f.layer != "" || f.function != "" || f.since != "" || f.until != "":
		text = foreign.Linef("nothing in %s is what was asked for", spec)
	}
	if f.repo.repo == "" && f.store.store == "" {
		text += "\n  a repository may name another store in its layerd.yaml: --repo PATH|URL"
	}
	return text + "\n"
}

func (f historyFlags) means(e history.Entry) bool {
	return (len(f.envs) == 0 || slices.Contains(f.envs, e.Environment)) &&
		(f.layer == "" || desired.Glob(f.layer, e.Layer)) &&
		(f.function == "" || desired.Glob(f.function, e.Function))
}

var ago = regexp.MustCompile(`^([0-9]{1,5})([mhdw])$`)

// parseWhen reads --since and --until: an instant, or how long ago.
func parseWhen(flag, text string, zone *time.Location, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if m := ago.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // digits only, and few
		unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[m[2]]
		return now.Add(-time.Duration(n) * unit), nil
	}
	t, err := parseAt(text, zone, now)
	if err != nil {
		return t, usage("write 7d, 12h, 2026-11-01, or an RFC 3339 time", "--%s %q is not a time", flag, text)
	}
	return t, nil
}

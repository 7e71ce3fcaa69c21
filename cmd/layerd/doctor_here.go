package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// examination is what doctor has found so far.
type examination struct {
	app     *app
	flags   *doctorFlags
	env     string // empty: what all environments share
	results []inspect.Result
	misused error // the command line is wrong, not the set-up

	daemon *daemonExam // nil: no configuration, or none that is valid

	src     source
	regions []desired.Environment // empty: the environment is not known
}

func (x *examination) add(r inspect.Result) { x.results = append(x.results, r) }

// fine and wrong add a result of no Region.
func (x *examination) fine(check, format string, args ...any) {
	x.add(inspect.Result{Check: check, Verdict: inspect.OK, Reason: fmt.Sprintf(format, args...)})
}

func (x *examination) wrong(check, fix, format string, args ...any) {
	// One line each: the list of an environment's problems has several.
	reason := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	x.add(inspect.Result{Check: check, Verdict: inspect.Failed, Reason: reason, Fix: fix})
}

// checkGit: the repository can be read, and the branch is there.
func checkGit(ctx context.Context, x *examination) {
	if x.unread() && x.flags.repo.repo == "" {
		x.add(inspect.Skipped("git", "the configuration says which, and is not valid"))
		return
	}
	src, err := x.source(ctx)
	if err != nil {
		if codeOf(err) == exitUsage {
			x.misused = err
			return
		}
		fix := "look at the address, the branch (--ref) and the credentials (LAYERD_GIT_TOKEN, --ssh-key)"
		if x.daemon != nil && x.flags.repo.repo == "" {
			fix = "look at git.url, git.branch and git.auth of the configuration"
		}
		if codeOf(err) == exitRetry {
			fix = "try again; look at the network and the proxy"
		}
		x.wrong("git", fix, "%v", err)
		return
	}
	x.src = src
	switch {
	case src.revision == "":
		x.fine("git", "%s is a folder and no repository: there is no commit to name", cmp.Or(x.flags.repo.repo, x.src.repository))
	case src.when.IsZero():
		x.fine("git", "revision %s", words.Commit(src.revision))
	default:
		x.fine("git", "revision %s, %s ago by %s", words.Commit(src.revision), words.Span(x.app.now().Sub(src.when)), src.author)
	}
}

// checkNames: there are environments, and what is wrong with all of them at once is not
// theirs.
func checkNames(_ context.Context, x *examination) {
	const check = "environments"
	switch names := x.src.tree.Names; {
	case x.src.files == nil:
		x.add(inspect.Skipped(check, "Git was not read"))
	case len(names) == 0:
		x.wrong(check, "see "+validateLine(x.repoFlags()), "the repository has none")
	default:
		x.fine(check, "%s", strings.Join(names, ", "))
	}
}

// checkEnvironment: it is valid, and asks for nothing that this release does not do.
func checkEnvironment(_ context.Context, x *examination) {
	if x.src.files == nil {
		x.add(inspect.Skipped("environment", "Git was not read"))
		return
	}
	regions, err := environmentsNamed(x.src.tree, x.env)
	switch e, _ := errors.AsType[*exitError](err); {
	case e != nil && e.code == exitUsage:
		x.misused = err
		return
	case err != nil:
		x.wrong("environment", "see "+validateLine(x.repoFlags()), "%v", err)
		return
	}
	x.regions = regions
	for _, p := range regions[0].Unsupported {
		x.wrong("environment", "take the key out until it is supported", "%s:%d: %s", p.File, p.Line, p.Message)
	}
	if len(regions[0].Unsupported) == 0 {
		x.fine("environment", "%s: %s, %s", regions[0].File, words.Count(len(regions), "Region"), words.Count(len(regions[0].Layers), "layer"))
	}
}

// checkStore: it can be opened, and one value of doctor's own can be written
// and replaced as everything in the store is.
func checkStore(ctx context.Context, x *examination) {
	const check = "store"
	if x.unread() && x.flags.store.store == "" {
		x.add(inspect.Skipped(check, "the configuration says which, and is not valid"))
		return
	}
	spec, err := x.spec()
	if e, ok := errors.AsType[*exitError](err); ok && e.code == exitUsage {
		x.misused = err
		return
	}
	if err != nil {
		x.wrong(check, "set layerd.yaml's store, or pass --store", "%v", err)
		return
	}
	if spec.Kind == store.KindMemory {
		x.wrong(check, "name one that lasts: sqlite:PATH or dynamodb:TABLE", "memory: forgets everything when the process ends")
		return
	}
	s, err := x.app.openStore(ctx, spec)
	if codeOf(err) == exitUsage {
		x.misused = err
		return
	}
	if err != nil {
		x.wrong(check, storeFix(err), "%s cannot be opened: %v", spec, err)
		return
	}
	defer s.Close()
	took, err := tryStore(ctx, s, store.Key("doctor", x.src.repository, x.env), x.app.now())
	if err != nil {
		x.wrong(check, storeFix(err), "%s: %v", spec, err)
		return
	}
	whose := ""
	if x.daemon != nil && x.daemon.config.Store == "" && x.flags.store.store == "" {
		whose = " (the configuration names none: this is the one of whoever runs doctor)"
	}
	x.fine(check, "can be read and written, %s for a read and two writes: %s%s", took.Round(100*time.Microsecond), spec, whose)
}

// tryStore makes the value or writes over it, twice, and then checks that a
// write which names an old revision is refused: on that all locking is built.
func tryStore(ctx context.Context, s store.Store, key string, now time.Time) (time.Duration, error) {
	data, err := json.Marshal(map[string]any{"v": 1, "at": now.UTC().Format(time.RFC3339)})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	old, err := s.Get(ctx, key)
	var first store.Revision
	if errors.Is(err, store.ErrNotFound) {
		first, err = s.Create(ctx, key, data)
	} else if err == nil {
		first, err = s.Replace(ctx, key, old.Revision, data)
	}
	if err == nil {
		_, err = s.Replace(ctx, key, first, data)
	}
	took := time.Since(began)
	if errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrExists) {
		return took, nil // another doctor is at it, and the store told us so
	}
	if err != nil {
		return took, err
	}
	if _, err := s.Replace(ctx, key, first, data); !errors.Is(err, store.ErrChanged) {
		return took, fmt.Errorf("a write that names an old revision is not refused (%w)", err)
	}
	return took, nil
}

func storeFix(err error) string {
	switch {
	case errors.Is(err, store.ErrNewer):
		return "use a layerd at least as new as the one that wrote it"
	case errors.Is(err, store.ErrCorrupt):
		return "put the last copy of it back; until then nothing is changed"
	case errors.Is(err, store.ErrReadOnly):
		return "let this user write the file and its folder"
	case errors.Is(err, store.ErrBusy):
		return "try again"
	}
	return "look at the path and its permissions, or at the table and its policy"
}

// checkWindow: it opens some time, and when.
func checkWindow(_ context.Context, x *examination) {
	const check = "window"
	if len(x.regions) == 0 {
		x.add(inspect.Skipped(check, "the environment is not known"))
		return
	}
	env, now := x.regions[0], x.app.now()
	switch w := env.Calendar.At(now); {
	case w.Open:
		x.fine(check, "%s", w.Reason)
	case w.NextOpen.IsZero():
		x.wrong(check, "look at change_window and freezes: "+suggest(x.repoFlags(), storeFlags{}, "window", x.env), "%s", w.Reason)
	default:
		x.fine(check, "%s, in %s", w.Reason, words.Span(w.NextOpen.Sub(now)))
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/bump"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/strictyaml"
)

// adoptFlags say what is kept, and who wants it.
type adoptFlags struct {
	repo                      repoFlags
	store                     storeFlags
	env, until, owner, reason string
	branch                    string
	write                     bool
	output                    oneOf
}

func (a *app) adoptCommand() *cobra.Command {
	var f adoptFlags
	cmd := &cobra.Command{
		Use:   "adopt FUNCTION --env ENV --owner NAME --reason TEXT",
		Short: "Keep a change by hand: write it into Git as a pin",
		Long: `adopt is for the case in which the hand was right: it pins a function, in the
file of its environment, to the versions that the function has now, so that
layerd leaves them alone. Only the bytes of the pin are added to the file.

It makes a branch with one commit on top of HEAD and touches neither the working
tree nor what is checked out; push it and open a pull request. --write edits the
file instead, and commits nothing. AWS is only read: a GetFunction for each
Region, and the versions of the layers.`,
		Example: `  layerd adopt makoto-api-prod --env prod --owner sato --reason 'incident 42'
  layerd adopt FUNCTION --env prod --owner sato --reason x --until 2026-12-28`,
		Args:              arguments("FUNCTION"),
		ValidArgsFunction: a.complete(offerFunctions),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.adopt(cmd.Context(), f, args[0]) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.repo.repo, "repo", "", "clone of the desired-state repository, `PATH` (default: this folder if it looks like one, else LAYERD_REPO)")
	fs.StringVar(&f.repo.path, "path", "", "`FOLDER` inside the repository")
	f.store.add(cmd)
	fs.StringVar(&f.env, "env", "", "the environment `ENV`")
	_ = cmd.RegisterFlagCompletionFunc("env", a.completeFlag(offerEnvironments)) // the flag exists
	fs.StringVar(&f.until, "until", "", "last day or instant of the pin, `DATE` (default: it does not end)")
	fs.StringVar(&f.owner, "owner", "", "`NAME` of whom to ask")
	fs.StringVar(&f.reason, "reason", "", "`TEXT`: why the function stays there")
	fs.StringVar(&f.branch, "branch", "", "`NAME` of the branch to make (default: adopt/ENV/FUNCTION)")
	fs.BoolVar(&f.write, "write", false, "edit the file in the working tree, and commit nothing")
	outputFlag(cmd, &f.output, "text", "json")
	return cmd
}

// check refuses what neither Git nor AWS need be asked for.
func (a *app) checkAdopt(f adoptFlags) error {
	for _, must := range [][2]string{{"env", f.env}, {"owner", f.owner}, {"reason", f.reason}} {
		if strings.TrimSpace(must[1]) == "" {
			return usage("a pin says where it is, whom to ask, and why", "--%s is missing", must[0])
		}
	}
	if f.write && f.branch != "" {
		return usage("leave one of them out", "--write edits the file and makes no branch, and --branch makes one")
	}
	if remote.MatchString(f.repo.repo) && !isFolder(f.repo.repo) {
		return usage("clone it and call layerd there", "adopt writes to a clone: %s takes a folder", a.repoName(f.repo))
	}
	return f.store.check()
}

// adopting is what an adoption has read.
type adopting struct {
	adoptFlags
	function string
	src      source
	history  *gitrepo.History // nil = with --write, outside of Git
	file     string           // of the environment, in the repository
	worlds   []inspect.AdoptWorld
}

func (a *app) adopt(ctx context.Context, f adoptFlags, function string) error {
	if err := a.checkAdopt(f); err != nil {
		return err
	}
	if f.branch == "" {
		f.branch = "adopt/" + f.env + "/" + function
	}
	x := &adopting{adoptFlags: f, function: function}
	if err := a.readToAdopt(ctx, x); err != nil {
		return err
	}
	if err := a.lookToAdopt(ctx, x); err != nil {
		return err
	}
	pins, err := inspect.Adopt(x.worlds)
	if cannot, is := errors.AsType[*inspect.CannotAdopt](err); is {
		return usage(cannot.Advice, "%w", cannot)
	}
	if err != nil {
		return err
	}
	now, err := x.edit(pins)
	if err != nil {
		return err
	}
	if err := a.checkAdopted(ctx, x, pins, now); err != nil {
		return err
	}
	view := present.NewAdopt(function, f.env, x.file, pins)
	if f.write {
		err = replaceFiles(filepath.Join(x.repo.repo, x.repo.path), map[string][]byte{x.file: now})
	} else {
		view.Branch = f.branch
		view.Commit, err = a.commitAdopted(x, pins, now)
	}
	if err != nil {
		return err
	}
	if f.output.value == "json" {
		return a.printJSON(view)
	}
	p := &present.Page{Palette: a.palette(), Width: width(a.out)}
	p.Adopt(view)
	if view.Branch != "" {
		p.Copy(2, "git push origin "+view.Branch)
	}
	return a.print(p.String())
}

// readToAdopt reads the repository as HEAD has it, or with --write as it lies there.
func (a *app) readToAdopt(ctx context.Context, x *adopting) (err error) {
	x.src, err = a.load(ctx, x.repo)
	if err != nil {
		return err
	}
	x.history, err = gitrepo.OpenHistory(filepath.Join(x.repo.repo, x.repo.path), "")
	switch {
	case err != nil && x.write:
		x.history = nil
	case err != nil:
		return &exitError{code: codeOf(err), err: err, hint: "adopt makes a commit; --write edits the file and needs no Git"}
	case !x.write:
		if err := x.history.CanBranch(x.branch); err != nil {
			return usage("name another one with --branch, or delete that one", "%w", err)
		}
		_, folder := x.history.Root()
		commit, err := x.history.At(folder, desired.ReadPaths())
		if err != nil {
			return err
		}
		if x.src, err = a.sourceOf(ctx, commit, x.repo.repo); err != nil {
			return err
		}
	}
	return nil
}

// lookToAdopt reads the function in each Region where it is, and the layers that select it.
func (a *app) lookToAdopt(ctx context.Context, x *adopting) error {
	regions, err := environmentsNamed(x.src.tree, x.env)
	if err != nil {
		return err
	}
	x.file = regions[0].File
	if err := x.committed(); err != nil {
		return err
	}
	spec, err := a.whichStore(x.store, x.src.tree)
	if err != nil {
		return err
	}
	s, err := a.openToRead(ctx, spec)
	if err != nil {
		return err
	}
	if s != nil {
		defer s.Close()
	}
	connect, err := connecting(ctx, a, daemon.AWSOptions{Logger: a.logger()}, daemon.Examiner)
	if err != nil {
		return err
	}
	for _, e := range regions {
		at, err := connect(ctx, e)
		if err != nil {
			return err
		}
		w, err := adoptWorld(ctx, at, s, x.src.repository, e, x.function)
		if state.KindOf(err) == state.Gone {
			continue
		}
		if err != nil {
			return err
		}
		x.worlds = append(x.worlds, w)
	}
	if len(x.worlds) == 0 {
		return usage("", "no function %q in account %s, %s", x.function, regions[0].Account, regions[0].Region)
	}
	return nil
}

func adoptWorld(ctx context.Context, at daemon.Connection, s store.Store, repository string, e desired.Environment, function string) (w inspect.AdoptWorld, err error) {
	w = inspect.AdoptWorld{Want: e, Have: &state.Snapshot{}, Applied: map[state.LayerARN]map[string]int64{}}
	if w.Function, err = at.Client.Function(ctx, function); err != nil {
		return w, err
	}
	var past plan.Past
	if s != nil {
		if past, err = history.Open(s, repository).Past(ctx, e.Name, e.Region); err != nil {
			return w, err
		}
	}
	for i := range e.Layers {
		wish := &e.Layers[i]
		if !wish.Owned || !wish.Selects(w.Function) {
			continue
		}
		versions, err := at.Client.Versions(ctx, wish.Layer)
		if err != nil {
			return w, err
		}
		w.Have.Layers = append(w.Have.Layers, state.Layer{ARN: wish.Layer, Versions: versions})
		w.Applied[wish.Layer] = past.Layers[wish.Layer].Numbers
	}
	w.Have.Sort()
	return w, nil
}

// edit returns the environment's file with the pins in it.
func (x *adopting) edit(pins []inspect.Adoption) (now []byte, err error) {
	if now, err = fs.ReadFile(x.src.files, x.file); err != nil {
		return nil, fmt.Errorf("read %s: %w", x.file, err)
	}
	root, _ := strictyaml.Parse(x.file, now, "") // it was read before
	for _, p := range pins {
		list, layer := []string{"pins"}, p.Layer
		if own := root.Get("layers", p.Layer, "pins"); own != nil && slices.ContainsFunc(own.Items, func(n *strictyaml.Node) bool { return n.Position == p.Pinned }) {
			list, layer = []string{"layers", p.Layer, "pins"}, ""
		}
		if now, err = bump.Insert(now, list, p.PinLines(layer, x.function, x.until, x.reason, x.owner)); err != nil {
			return nil, usage("add the pin by hand", "%s: %w; nothing was written", x.file, err)
		}
	}
	return now, nil
}

// checkAdopted reads the repository as it would be: the function has to be pinned, and
// nothing else may have changed.
func (a *app) checkAdopted(ctx context.Context, x *adopting, pins []inspect.Adoption, now []byte) error {
	after, err := a.want(ctx, source{files: overlay{x.src.files, map[string][]byte{x.file: now}}, revision: x.src.revision}, desired.Options{})
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, p := range x.src.tree.Problems {
		known[p.Code+p.Message] = true
	}
	for _, p := range after.Problems {
		if p.Severity != desired.Warning && !known[p.Code+p.Message] {
			return usage(p.Suggestion, "the pin would be wrong: %s; nothing was written", p.Message)
		}
	}
	if err := inspect.CheckAdopted(x.src.tree, after, x.worlds, pins); err != nil {
		return usage("add the pin by hand", "%s: %w; nothing was written", x.file, err)
	}
	return nil
}

// committed refuses to add to a file that is not as HEAD has it: what is adopted has to
// be seen alone.
func (x *adopting) committed() error {
	if !x.write || x.history == nil {
		return nil
	}
	now, err := fs.ReadFile(x.src.files, x.file)
	if err != nil {
		return fmt.Errorf("read %s: %w", x.file, err)
	}
	if was, _, err := x.history.File(x.file); err == nil && !sameLines(was, now) {
		return usage("commit it or take it back", "%s has changes that are not committed; nothing was written", x.file)
	}
	return nil
}

// sameLines compares files whatever their line ends: a checkout may write others.
func sameLines(a, b []byte) bool {
	unix := func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }
	return bytes.Equal(unix(a), unix(b))
}

// commitAdopted makes the branch.
func (a *app) commitAdopted(x *adopting, pins []inspect.Adoption, now []byte) (string, error) {
	by := x.history.Tagger()
	if name, email := a.env("GIT_COMMITTER_NAME"), a.env("GIT_COMMITTER_EMAIL"); name != "" && email != "" {
		by = gitrepo.Tagger{Name: name, Email: email}
	}
	if by.Name == "" || by.Email == "" {
		return "", usage("git config user.name and user.email, or use --write", "Git does not know who you are, and a commit names its author; nothing was written")
	}
	_, folder := x.history.Root()
	message := inspect.AdoptMessage(x.env, x.function, pins, x.reason, x.owner, x.until)
	return x.history.Branch(x.branch, path.Join(folder, x.file), now, message, by, a.now())
}

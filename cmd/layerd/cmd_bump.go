package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/Masterminds/semver/v3"
	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/bump"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/present"
)

// versionFile is the file in a layer's folder that names its version.
const versionFile = "VERSION"

// bumpFlags are the flags of bump.
type bumpFlags struct {
	repo       repoFlags
	store      storeFlags
	envs       []string
	tag, write bool
	output     oneOf
}

func (a *app) bumpCommand() *cobra.Command {
	var f bumpFlags
	cmd := &cobra.Command{
		Use:   "bump LAYER [--repo PATH] [--env ENV]... [--write] [--tag]",
		Short: "Name a layer's next version, from the commits since the last one",
		Long: `bump reads the commits that changed the folder of a layer since its last tag,
LAYER/vX.Y.Z, or since its file VERSION was written, as Conventional Commits: a
breaking change makes a major version, feat a minor one, anything else a patch.
The version is above all that environments ask for and, with --env, above what
is live there.

--write writes it into the file VERSION and, with --env, where these
environments ask for the layer; only the version's bytes change. --tag makes the
tag on HEAD, from a clean tree: write, commit, then tag. Nothing is written
before all has been checked.`,
		Example: `  layerd bump makoto-common
  layerd bump makoto-common --env dev --write
  layerd bump makoto-common --tag`,
		Args:              arguments("LAYER"),
		ValidArgsFunction: a.complete(offerLayers),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.bump(cmd.Context(), f, args[0]) },
	}
	// A working tree is read and written: nothing is fetched, and no branch is chosen.
	cmd.Flags().StringVar(&f.repo.repo, "repo", "", "working tree of the desired-state repository, `PATH` (default: this folder if it looks like one, else LAYERD_REPO)")
	cmd.Flags().StringVar(&f.repo.path, "path", "", "`FOLDER` inside the repository")
	f.store.add(cmd)
	a.envFlag(cmd, &f.envs)
	cmd.Flags().Lookup("env").Usage = "also above what is live in `ENV`, and written there (may be repeated)"
	cmd.Flags().BoolVar(&f.write, "write", false, "write the file VERSION and the files of the environments")
	cmd.Flags().BoolVar(&f.tag, "tag", false, "make the tag LAYER/vX.Y.Z on HEAD")
	outputFlag(cmd, &f.output, "text", "json")
	return cmd
}

// bumping is what a bump has read.
type bumping struct {
	layer   string
	src     source
	root    string // the desired-state repository on disk
	folder  string // of the layer, in root, with slashes
	history *gitrepo.History
	start   bump.Start
}

func (a *app) bump(ctx context.Context, f bumpFlags, layer string) error {
	if err := f.store.check(); err != nil {
		return err
	}
	b, err := a.startBump(ctx, f, layer)
	if err != nil {
		return err
	}
	in, notes, err := a.bumpInput(ctx, f, b)
	if err != nil {
		return err
	}
	decision := bump.Next(in)
	view := present.NewBump(layer, decision)
	view.Notes = append(view.Notes, notes...)
	if err := a.carryOutBump(ctx, f, b, decision.Version, &view); err != nil {
		return err
	}
	view.Hints = append(view.Hints, f.hints(b, decision.Version, view)...)
	if f.output.value == "json" {
		return a.printJSON(view)
	}
	p := &present.Page{Palette: a.palette(), Width: width(a.out)}
	p.Bump(view)
	return a.print(p.String())
}

// hints returns why nothing was written that was asked for, and what comes next.
func (f bumpFlags) hints(b bumping, next *semver.Version, done present.Bump) (list []string) {
	released := b.start.Released
	if next != nil {
		if f.write && len(done.Written) == 0 {
			list = append(list, fmt.Sprintf("the files have %s already, and are not committed", next))
		}
		return list
	}
	switch {
	case f.tag && done.Tag == "" && released.Version != nil:
		list = append(list, fmt.Sprintf("no tag was made: %s has it", released.Where))
	case f.write && !f.tag && b.start.Pending:
		list = append(list, fmt.Sprintf("it has no tag yet: %s", suggest(f.repo, storeFlags{}, "bump", b.layer, "--tag")))
	}
	if released.Version == nil {
		return list
	}
	for _, e := range b.src.tree.Environments {
		for _, w := range e.Layers {
			if !slices.Contains(f.envs, e.Name) || w.Name != b.layer || w.Version.Kind != desired.Exact || !w.Version.Semver.LessThan(released.Version) {
				continue
			}
			hint := fmt.Sprintf("%s asks for %s (%s:%d): bump only writes a new version, so write %s there yourself", e.Name, w.Version.Text, w.At.File, w.At.Line, released.Version)
			if !slices.Contains(list, hint) { // of each Region the same
				list = append(list, hint)
			}
		}
	}
	return list
}

// startBump reads the repository, and what was released of the layer.
func (a *app) startBump(ctx context.Context, f bumpFlags, layer string) (b bumping, err error) {
	if remote.MatchString(f.repo.repo) && !isFolder(f.repo.repo) {
		return b, usage("clone it and call layerd there", "bump reads and writes a working tree: %s takes a folder", a.repoName(f.repo))
	}
	if b.src, err = a.load(ctx, f.repo); err != nil {
		return b, err
	}
	if err := checkEnvironments(b.src.tree, f.envs); err != nil {
		return b, err
	}
	b.layer, b.root = layer, filepath.Join(f.repo.repo, f.repo.path)
	if b.folder, err = layerFolder(b.root, layer); err != nil {
		return b, err
	}
	if b.history, err = gitrepo.OpenHistory(filepath.Join(b.root, filepath.FromSlash(b.folder)), versionFile); err != nil {
		return b, err
	}
	found, err := b.history.Tags(bump.TagPrefix(layer))
	if err != nil {
		return b, err
	}
	var tags []bump.Tagged
	for _, t := range found {
		tags = append(tags, bump.Tagged{Tag: t.Name, Commit: t.Commit, Past: t.Past})
	}
	text, since, err := b.history.File(versionFile)
	b.start = bump.StartOf(layer, tags, string(text), since)
	return b, err
}

// layerFolder returns the folder of the layer that has a name, below the repository's.
func layerFolder(root, layer string) (string, error) {
	entries, err := os.ReadDir(filepath.Join(root, "layers"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the layers: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		d, _ := desired.DescribeLayer(os.DirFS(filepath.Join(root, "layers", e.Name()))) // what is wrong is validate's to tell
		if d.Name == layer {
			return path.Join("layers", e.Name()), nil
		}
		if d.Name != "" {
			names = append(names, d.Name)
		}
	}
	return "", lacks("a layer is what the name: of a layers/*/layer.yaml is", "no layer %q here%s", layer, didYouMean(layer, names))
}

// bumpInput reads what the next version is made of.
func (a *app) bumpInput(ctx context.Context, f bumpFlags, b bumping) (in bump.Input, notes []string, err error) {
	in.Released, in.Tagged = b.start.Released, b.start.Others
	changes, err := b.history.Changes(b.start.Commit)
	if err != nil {
		return in, nil, err
	}
	for _, c := range changes {
		in.Commits = append(in.Commits, bump.Commit{Hash: c.Hash, Message: c.Message})
	}
	if b.start.Commit != "" {
		if in.Unchanged, err = b.history.Same(b.start.Commit); err != nil {
			return in, nil, err
		}
	}
	// As HEAD has it: what bump itself has written and nobody has committed yet must not
	// raise the version once more.
	_, folder := b.history.Root()
	commit, err := b.history.At(path.Dir(path.Dir(folder)), desired.ReadPaths())
	if err != nil {
		return in, nil, err
	}
	tree, err := a.want(ctx, source{files: commit.Files, revision: commit.Hash}, desired.Options{})
	if err != nil {
		return in, nil, err
	}
	in.Taken = bump.Asked(tree, b.layer)
	if len(in.Commits) == 0 || len(f.envs) == 0 {
		return in, nil, nil
	}
	live, notes, err := a.inUse(ctx, f, b)
	in.Taken = append(in.Taken, live...)
	return in, notes, err
}

// carryOutBump checks all that is to be written, and then writes it.
func (a *app) carryOutBump(ctx context.Context, f bumpFlags, b bumping, next *semver.Version, view *present.Bump) error {
	tag := ""
	switch {
	case !f.tag:
	case next != nil:
		tag = bump.TagName(b.layer, next)
	case b.start.Pending:
		tag = bump.TagName(b.layer, b.start.Released.Version)
	}
	if tag != "" {
		if err := taggable(b.history, tag); err != nil {
			return err
		}
	}
	if f.write && next != nil {
		files, err := a.bumpFiles(ctx, f, b, next)
		if err != nil {
			return err
		}
		if err := replaceFiles(b.root, files); err != nil {
			return err
		}
		for name := range files {
			view.Written = append(view.Written, name)
		}
		slices.Sort(view.Written)
	}
	if tag == "" {
		return nil
	}
	by := b.history.Tagger()
	if name, email := a.env("GIT_COMMITTER_NAME"), a.env("GIT_COMMITTER_EMAIL"); name != "" && email != "" {
		by = gitrepo.Tagger{Name: name, Email: email}
	}
	view.Tag = tag
	return b.history.Tag(tag, tag, by, a.now())
}

// taggable refuses to tag what is not as HEAD has it.
func taggable(h *gitrepo.History, tag string) error {
	if err := h.CanTag(tag); err != nil {
		return err
	}
	edited, err := h.Uncommitted()
	if err != nil {
		return err
	}
	if edited != "" {
		return usage("commit it first: the tag is put on HEAD", "%s is not committed, so that %s would be a tag of something else", edited, tag)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// source is a desired-state repository that was read.
type source struct {
	tree       desired.Tree
	files      fs.FS  // what tree was made of, for showing lines of it
	revision   string // commit; "<commit>+dirty" or empty for a folder
	edited     string // a file that is not as the commit has it; see gitrepo.Commit
	author     string // of the commit, for the history
	when       time.Time
	repository string // identity, for the history
	// asks answers who asked for what the tree wants; nil = nobody knows.
	asks func(t desired.Tree, environment, region string) desired.Asks
	past func(context.Context) (gitrepo.Past, error) // what the branch was at before
	// archives returns what lies at a path, for archives of layers; nil = they are not
	// read. See daemon.ArtifactOptions.
	archives func(ctx context.Context, commit, name string) (fs.FS, error)
}

// asked is round.Round.Asked for the tree, also where it was settled since it was read.
func (s source) asked() func(environment, region string) desired.Asks {
	if s.asks == nil {
		return nil
	}
	return func(environment, region string) desired.Asks { return s.asks(s.tree, environment, region) }
}

// remote is what Git takes for an address and not for a path: scheme://… or
// host:path without a slash before the colon.
var remote = regexp.MustCompile(`^([a-z+]+://|[^/]+:)`)

// load reads the desired state that the flags name.
func (a *app) load(ctx context.Context, f repoFlags) (source, error) {
	a.assumed.read = true
	if f.repo == "" {
		return source{}, usage("pass --repo PATH or --repo URL, set "+repoVariable+", or call layerd where layerd.yaml or environments/ is",
			"which desired-state repository? --repo is missing")
	}
	if !remote.MatchString(f.repo) {
		if _, err := os.Stat(f.repo); err != nil {
			return source{}, usage(a.repoName(f)+" takes a folder or a Git URL", "%s %s: %w", a.repoName(f), f.repo, plainCause(err))
		}
		if !isFolder(f.repo) {
			return source{}, usage(a.repoName(f)+" takes the folder that layerd.yaml and environments/ are in", "%s %s is a file", a.repoName(f), f.repo)
		}
	}
	commit, from, err := a.read(ctx, f)
	if err != nil {
		return source{}, err
	}
	src, err := a.sourceOf(ctx, commit, f.repo)
	if err != nil {
		return src, err
	}
	if commit, err = from.again(commit, src.tree); err != nil {
		return src, err
	}
	src.revision, src.edited, src.archives = commit.Hash, commit.Edited, from.archives
	src.past, src.asks = from.past, a.askedIn(ctx, commit, from.past)
	return src, nil
}

// origin is where a commit was read, for what is read of it later.
type origin struct {
	past     func(context.Context) (gitrepo.Past, error)
	archives func(ctx context.Context, commit, name string) (fs.FS, error)
	folder   string // on this machine, read as it lies there; empty = a branch was read
}

// again compares a folder once more with its commit, now that it is known which archives
// of layers lie in it: they belong to what is asked for.
func (o origin) again(c gitrepo.Commit, t desired.Tree) (gitrepo.Commit, error) {
	locations := t.Archives()
	if o.folder == "" || c.Hash == "" || c.Edited != "" || len(locations) == 0 {
		return c, nil
	}
	read := desired.ReadPaths()
	for _, l := range locations {
		for _, pattern := range gitrepo.At(l) {
			read = append(read, strings.ReplaceAll(pattern, "${VERSION}", "*"))
		}
	}
	return gitrepo.Dir(o.folder, read)
}

// askedIn returns what answers who asked for what, once something is to be changed: only
// then is the past of the branch worth reading. Where it cannot be read, nobody knows.
func (a *app) askedIn(
	ctx context.Context, c gitrepo.Commit, past func(context.Context) (gitrepo.Past, error),
) func(t desired.Tree, environment, region string) desired.Asks {
	if c.Hash == "" {
		return nil
	}
	head, edited := strings.CutSuffix(c.Hash, "+dirty")
	lineage := sync.OnceValue(func() *daemon.Lineage {
		read, err := past(ctx)
		if err != nil {
			a.logger().Warn("commits before the newest not read", "revision", c.Hash, "err", err)
		}
		if edited && len(read.Commits) > 0 && read.Commits[0].Hash == head {
			// What lies on disk comes after HEAD, and nobody has signed it.
			read.Commits = append([]gitrepo.Commit{{Hash: c.Hash, Parent: head}}, read.Commits...)
		}
		return daemon.NewLineage(ctx, &daemon.Reader{}, read)
	})
	if edited {
		c.Author, c.Subject = "", ""
	}
	return func(t desired.Tree, environment, region string) desired.Asks {
		var envs []desired.Environment
		for _, e := range t.Environments {
			if e.Name == environment {
				envs = append(envs, e)
			}
		}
		return lineage().Asks(c, envs, region)
	}
}

// sourceOf returns what a commit of the repository at address wants.
func (a *app) sourceOf(ctx context.Context, commit gitrepo.Commit, address string) (source, error) {
	id, err := gitrepo.Identity(address)
	if err != nil {
		return source{}, err
	}
	src := source{files: commit.Files, revision: commit.Hash, edited: commit.Edited, author: commit.Author, when: commit.When, repository: id}
	src.tree, err = a.want(ctx, src, desired.Options{})
	return src, err
}

// want returns what a commit asks for.
func (a *app) want(ctx context.Context, src source, o desired.Options) (desired.Tree, error) {
	var reader daemon.Reader
	if o.Now.IsZero() {
		o.Now = a.now()
	}
	return reader.Load(ctx, src.revision, src.files, o)
}

// settle decides with a store whose a layer is that two environments claim: a single
// commit does not say who had it before.
func (a *app) settle(ctx context.Context, src source, s store.Store) (source, error) {
	if s == nil || !slices.ContainsFunc(src.tree.Problems, func(p desired.Problem) bool { return p.Code == "layer_owned_twice" }) {
		return src, nil
	}
	holders, err := daemon.Holders(ctx, s, src.repository)
	if err == nil {
		src.tree, err = a.want(ctx, src, desired.Options{Holders: holders})
	}
	return src, err
}

// committed refuses files that are in no commit: nobody has reviewed them, and
// nobody finds them again.
func (s source) committed() error {
	hash, isDirty := strings.CutSuffix(s.revision, "+dirty")
	if !isDirty {
		return nil
	}
	what := "what lies in the folder"
	if s.edited != "" {
		what = s.edited
	}
	return usage("commit it, or apply it as it lies there with --allow-dirty", "%s is not as commit %s has it", what, words.Commit(hash))
}

// read reads the commit that the flags name.
func (a *app) read(ctx context.Context, f repoFlags) (c gitrepo.Commit, from origin, err error) {
	if f.ref == "" && isFolder(f.repo) {
		if f.path != "" && !filepath.IsLocal(f.path) {
			return gitrepo.Commit{}, from, usage("it is a folder inside the repository", "--path %s leads out of the repository", f.path)
		}
		folder := filepath.Join(f.repo, f.path)
		commit, err := gitrepo.Dir(folder, desired.ReadPaths())
		if f.path != "" && errors.Is(err, gitrepo.KindPathGone) {
			return gitrepo.Commit{}, from, lacks("it is a folder inside the repository", "--path %s: there is no such folder in %s", f.path, f.repo)
		}
		if !errors.Is(err, gitrepo.KindNotARepository) {
			from.folder, from.archives = folder, daemon.FilesOnDisk(commit.Files)
			from.past = func(context.Context) (gitrepo.Past, error) {
				return gitrepo.DirPast(folder, desired.ReadPaths(), commit.Hash, daemon.MaxLineage)
			}
			return commit, from, err
		}
		// A bare repository has no files on disk: its branch is meant.
	}
	auth, err := a.gitAuth(f)
	if err != nil {
		return gitrepo.Commit{}, from, err
	}
	repo, err := gitrepo.New(gitrepo.Options{URL: f.repo, Branch: f.ref, Path: f.path, Read: desired.ReadPaths(), Auth: auth, MaxBytes: f.maxBytes})
	if err != nil {
		return gitrepo.Commit{}, from, err
	}
	commit, _, err := repo.Pull(ctx, "")
	from.archives = daemon.FilesOf(repo)
	from.past = func(ctx context.Context) (gitrepo.Past, error) { return repo.Past(ctx, commit.Hash, daemon.MaxLineage) }
	return commit, from, err
}

func (a *app) gitAuth(f repoFlags) (gitrepo.Auth, error) {
	auth := gitrepo.Auth{
		Token:      gitrepo.StaticToken(a.env("LAYERD_GIT_TOKEN")),
		SSHKeyFile: f.sshKey, KnownHosts: f.knownHosts,
	}
	for _, file := range [][2]string{{"ssh-key", f.sshKey}, {"known-hosts", f.knownHosts}} {
		if file[1] == "" {
			continue
		}
		if _, err := os.Stat(file[1]); err != nil {
			return auth, usage("", "--%s %s: %w", file[0], file[1], plainCause(err))
		}
	}
	if f.tokenFile != "" {
		data, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return auth, usage("", "--git-token-file %s: %w", f.tokenFile, plainCause(err))
		}
		if auth.Token = gitrepo.StaticToken(string(data)); auth.Token == nil {
			return auth, usage("", "--git-token-file %s is empty", f.tokenFile)
		}
	}
	return auth, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// environmentAsked is environmentsNamed for a command that needs --env.
func environmentAsked(t desired.Tree, name string) ([]desired.Environment, error) {
	if name == "" {
		return nil, lacks("environments: "+strings.Join(t.Names, ", "), "which environment? --env is missing")
	}
	return environmentsNamed(t, name)
}

// environmentsNamed returns the valid environment name, one element per Region.
// Whoever asks for one that exists and is invalid is told what is wrong.
func environmentsNamed(t desired.Tree, name string) ([]desired.Environment, error) {
	if err := checkEnvironments(t, []string{name}); err != nil {
		return nil, err
	}
	var found []desired.Environment
	for _, e := range t.Environments {
		if e.Name == name {
			found = append(found, e)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	var list []string
	for _, p := range t.Problems {
		if p.Severity != desired.Warning && concerns(p, []string{name}) {
			list = append(list, p.Brief())
		}
	}
	return nil, &exitError{code: exitInvalid, err: fmt.Errorf("environment %s is invalid", name), list: list, repo: true}
}

package gitrepo

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
)

// A layout is one way in which the real git, or somebody with an editor, leaves a
// repository. origin has the commit that all layouts have; dir is the folder to
// make, and does not exist yet.
type layout struct {
	name  string
	leave func(t *testing.T, origin, dir string)
	// Of what can be read: dirty when the files on disk are not those of HEAD,
	// bare when there are none.
	dirty, bare bool
	ahead       bool // its branch has commits of its own
	// Of what cannot: the kind, and what its message has to say. Folder is the
	// same for reading the folder as it lies on disk; branch for the branch.
	folder, branch Kind
	says           string
}

func clone(t *testing.T, origin, dir string) {
	t.Helper()
	gitCLI(t, origin, "clone", "-q", origin, dir)
}

// inClone is a layout that begins with a clone.
func inClone(steps ...[]string) func(t *testing.T, origin, dir string) {
	return func(t *testing.T, origin, dir string) {
		clone(t, origin, dir)
		for _, args := range steps {
			gitCLI(t, dir, args...)
		}
	}
}

func config(pairs ...string) func(t *testing.T, origin, dir string) {
	var steps [][]string
	for i := 0; i < len(pairs); i += 2 {
		steps = append(steps, []string{"config", "--add", pairs[i], pairs[i+1]})
	}
	return inClone(steps...)
}

// appended is a clone with more text in its configuration.
func appended(text string) func(t *testing.T, origin, dir string) {
	return func(t *testing.T, origin, dir string) {
		clone(t, origin, dir)
		name := filepath.Join(dir, ".git", "config")
		old, err := os.ReadFile(name)
		check(t, err)
		check(t, os.WriteFile(name, append(old, text...), 0o600))
	}
}

func written(name, text string) func(t *testing.T, origin, dir string) {
	return func(t *testing.T, origin, dir string) {
		clone(t, origin, dir)
		write(t, dir, name, text)
	}
}

func both(kind Kind, says string, l layout) layout {
	l.folder, l.branch, l.says = kind, kind, says
	return l
}

// shapes are the forms in which git itself keeps a repository.
func shapes() []layout {
	return []layout{
		{name: "clone", leave: clone},
		{name: "bare", bare: true, leave: func(t *testing.T, origin, dir string) { gitCLI(t, origin, "clone", "-q", "--bare", origin, dir) }},
		{name: "mirror", bare: true, leave: func(t *testing.T, origin, dir string) { gitCLI(t, origin, "clone", "-q", "--mirror", origin, dir) }},
		{name: "linked working tree", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "worktree", "add", "-q", "-b", filepath.Base(filepath.Dir(dir)), dir)
		}},
		{name: "linked working tree of a bare repository", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "clone", "-q", "--bare", origin, dir+".git")
			gitCLI(t, dir+".git", "worktree", "add", "-q", dir, "main")
		}},
		{name: "objects elsewhere", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "clone", "-q", "--separate-git-dir", dir+".git", origin, dir)
		}},
		{name: "shared objects", leave: func(t *testing.T, origin, dir string) { gitCLI(t, origin, "clone", "-q", "--shared", origin, dir) }},
		{name: "shared objects of shared objects", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "clone", "-q", "--shared", origin, dir+"1")
			gitCLI(t, origin, "clone", "-q", "--shared", dir+"1", dir)
		}},
		{name: "shallow", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "clone", "-q", "--depth=1", "file://"+origin, dir)
		}},
		{name: "partial, checked out", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "config", "uploadpack.allowFilter", "true")
			gitCLI(t, origin, "clone", "-q", "--filter=blob:none", "file://"+origin, dir)
		}},
		{name: "packed", leave: inClone([]string{"gc", "-q", "--aggressive"}, []string{"pack-refs", "--all"})},
		{name: "packed with a commit graph and many indexes", leave: inClone([]string{"repack", "-q", "-ad"}, []string{"multi-pack-index", "write"}, []string{"commit-graph", "write"})},
		both(KindUnsupported, "pack.indexVersion=2", layout{name: "packed with an index of version 1", leave: inClone([]string{"config", "pack.indexVersion", "1"}, []string{"repack", "-q", "-ad"})}),
		{name: "fully packed with bitmaps", leave: inClone([]string{"-c", "repack.writeBitmaps=true", "repack", "-q", "-adf", "--write-bitmap-index"})},
		{name: "as a submodule", leave: func(t *testing.T, origin, dir string) {
			outer := worktree(t, map[string]string{"a": "a"})
			gitCLI(t, outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", origin, "inner")
			check(t, os.Symlink(filepath.Join(outer, "inner"), dir))
		}},
		{name: "detached", leave: inClone([]string{"checkout", "-q", "--detach"})},
		{name: "in the middle of a rebase", leave: inClone([]string{"checkout", "-q", "--detach"}, []string{"update-ref", "REBASE_HEAD", "HEAD"})},
		{name: "worktree config", leave: inClone([]string{"config", "extensions.worktreeConfig", "true"}, []string{"config", "--worktree", "core.sparseCheckout", "false"})},
		{name: "preferring links as refs", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Remove(filepath.Join(dir, ".git", "HEAD")))
			check(t, os.Symlink("refs/heads/main", filepath.Join(dir, ".git", "HEAD")))
		}},
	}
}

// configurations are what stands in .git/config and beside it.
func configurations() []layout {
	return []layout{
		{name: "G2 gh pr checkout", leave: config("branch.topic.remote", "origin", "branch.topic.merge", "refs/pull/12/head", "branch.topic.pushRemote", "git@github.com:me/x.git")},
		{name: "G2 negative refspec", leave: config("remote.origin.fetch", "^refs/heads/wip/*")},
		{name: "G2 refspec of a tag", leave: config("remote.origin.fetch", "+refs/tags/v1:refs/tags/v1")},
		{name: "G2 refspec with two stars", leave: config("remote.origin.fetch", "+refs/*/x*:refs/*")},
		{name: "G2 refspec without a colon", leave: config("remote.origin.fetch", "main", "remote.origin.push", "HEAD")},
		{name: "G2 remote without a URL", leave: config("remote.gone.fetch", "+refs/heads/*:refs/remotes/gone/*", "remote.gone.prune", "true")},
		{name: "G2 branch without a merge", leave: config("branch.x.rebase", "interactive", "branch..merge", "y")},
		{name: "G2 bad values", leave: appended("[core]\n\tbare = perhaps\n\tcompression = very\n[pack]\n\twindow = -1x\n[pull]\n\trebase = merges\n")},
		{name: "G2 includeIf", leave: config("includeIf.gitdir:~/work/.path", "~/.gitconfig-work", "include.path", "/nowhere/at/all", "includeIf.hasconfig:remote.*.url:x.path", "y")},
		{name: "G2 insteadOf", leave: config("url.ssh://git@github.com/.insteadOf", "https://github.com/")},
		{name: "G2 submodules and LFS", leave: config("submodule.docs.active", "true", "submodule.docs.url", "../x", "lfs.repositoryformatversion", "0", "filter.lfs.required", "true")},
		{name: "G2 partial clone", leave: config("core.repositoryformatversion", "1", "extensions.partialClone", "origin", "remote.origin.promisor", "true", "remote.origin.partialclonefilter", "blob:none")},
		{name: "G2 harmless extensions", leave: appended("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpreciousObjects = true\n\tnoop = 1\n\trelativeWorktrees\n\tobjectFormat = sha1\n\trefStorage = files\n")},
		{name: "G2 an extension that version 0 does not know", leave: config("core.repositoryformatversion", "0", "extensions.frobnicate", "1")},
		{name: "G2 unreadable lines", leave: appended("<<<<<<< HEAD\n[branch \"x\n\tmerge = y\n=======\n[core\n>>>>>>> other\n\x00\xff\n")},
		{name: "G2 no configuration", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Remove(filepath.Join(dir, ".git", "config")))
		}},
		{name: "G2 other broken refs", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, ".git/refs/heads/broken", "not a hash\n")
			write(t, dir, ".git/refs/heads/empty", "")
			write(t, dir, ".git/refs/remotes/origin/.DS_Store", "\x00\x01")
		}},
		{name: "G2 a damaged index", leave: written(".git/index", "DIRC damaged")},
		{name: "G2 no index", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Remove(filepath.Join(dir, ".git", "index")))
		}},
		both(KindUnsupported, "sha256", layout{name: "G2 sha256 names", leave: func(t *testing.T, _, dir string) {
			gitCLI(t, filepath.Dir(dir), "init", "-q", "-b", "main", "--object-format=sha256", dir)
			write(t, dir, "layerd.yaml", "x\n")
			gitCLI(t, dir, "add", "-A")
			gitCLI(t, dir, "commit", "-q", "-m", "x")
		}}),
		both(KindUnsupported, "git refs migrate", layout{name: "G2 reftable", leave: config("core.repositoryformatversion", "1", "extensions.refStorage", "reftable")}),
		both(KindUnsupported, "frobnicate", layout{name: "G2 an extension that nobody knows", leave: config("core.repositoryformatversion", "1", "extensions.frobnicate", "1")}),
		both(KindUnsupported, "format version 2", layout{name: "G2 a format of tomorrow", leave: config("core.repositoryformatversion", "2")}),
		{name: "an empty .git is no repository", leave: func(t *testing.T, _, dir string) {
			write(t, dir, "layerd.yaml", "x\n")
			check(t, os.Mkdir(filepath.Join(dir, ".git"), 0o755))
		}, branch: KindNotARepository, says: "without a Git repository", bare: true},
		{name: "a .git file that leads nowhere", leave: func(t *testing.T, origin, dir string) {
			write(t, dir, ".git", "gitdir: /nowhere/at/all\n")
		}, branch: KindNotARepository, folder: KindCorrupt, says: "/nowhere/at/all"},
	}
}

// clean are working trees with what git does not count, or what is not read.
func clean() []layout {
	return []layout{
		{name: "H4 core.fileMode", leave: func(t *testing.T, origin, dir string) {
			config("core.fileMode", "false")(t, origin, dir)
			check(t, os.Chmod(filepath.Join(dir, "layerd.yaml"), 0o755))
		}},
		{name: "H4 other permissions", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Chmod(filepath.Join(dir, "environments/prod.yaml"), 0o755))
		}},
		{name: "H4 info/exclude", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, ".git/info/exclude", "*.swp\n/notes/\n")
			write(t, dir, "environments/.prod.yaml.swp", "x")
			write(t, dir, "notes/x", "x")
		}},
		{name: "H4 a global list of ignored files", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "ignore", "*.bak\n")
			gitCLI(t, dir, "config", "core.excludesFile", filepath.Join(dir, "ignore"))
			write(t, dir, "environments/prod.yaml.bak", "x")
		}},
		{name: "H4 split index", leave: inClone([]string{"update-index", "--split-index"}, []string{"update-index", "--assume-unchanged", "README.md"})},
		{name: "H4 index version 4", leave: inClone([]string{"update-index", "--index-version", "4"})},
		{name: "H4 untracked cache and fsmonitor", leave: inClone([]string{"update-index", "--force-untracked-cache"}, []string{"config", "core.fsmonitor", "/nowhere"})},
		{name: "H4 autocrlf", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "clone", "-q", "-c", "core.autocrlf=true", origin, dir)
			if text, err := os.ReadFile(filepath.Join(dir, "layerd.yaml")); err != nil || !strings.Contains(string(text), "\r\n") {
				t.Fatalf("git wrote %q, %v", text, err)
			}
		}},
		{name: "H4 autocrlf=input with CRLF in the commit", ahead: true, leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "layerd.yaml", "timezone: Asia/Tokyo\r\n")
			gitCLI(t, dir, "commit", "-q", "-am", "windows")
			write(t, dir, "layerd.yaml", "timezone: Asia/Tokyo\n")
		}},
		{name: "H4 attributes", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, ".git/info/attributes", "*.yaml text eol=crlf\n")
			check(t, os.Remove(filepath.Join(dir, "layerd.yaml")))
			gitCLI(t, dir, "checkout", "-q", "--", "layerd.yaml")
		}},
		{name: "H4 sparse checkout", leave: inClone([]string{"sparse-checkout", "set", "--no-cone", "/layerd.yaml", "/layers/", "/environments/"})},
		{name: "H4 sparse checkout in cone mode", leave: inClone([]string{"sparse-checkout", "set", "--cone", "layers", "environments"}, []string{"sparse-checkout", "reapply", "--sparse-index"})},
		{name: "H4 an edit that is staged and taken back", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "layerd.yaml", "x\n")
			gitCLI(t, dir, "add", "-A")
			write(t, dir, "layerd.yaml", "timezone: Asia/Tokyo\n")
		}},
		{name: "H4 edits beside", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "README.md", "x\n")
			write(t, dir, "docs/new.md", "x\n")
			write(t, dir, "layers/common/build.sh", "x\n")
			write(t, dir, "layers/common/deep/layer.yaml", "x\n")
			check(t, os.RemoveAll(filepath.Join(dir, "teams")))
		}},
		{name: "H4 files that changed only in time", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "layerd.yaml", "timezone: Asia/Tokyo\n")
		}},
		{name: "G5 a submodule elsewhere, with edits", ahead: true, leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			gitCLI(t, dir, "-c", "protocol.file.allow=always", "submodule", "add", "-q", origin, "docs/theme")
			gitCLI(t, dir, "commit", "-q", "-m", "theme")
			write(t, dir, "docs/theme/layerd.yaml", "x\n")
		}},
	}
}

// edited are working trees whose files are not the commit's, however it is hidden.
func edited() []layout {
	edit := func(name string, steps ...[]string) func(t *testing.T, origin, dir string) {
		return func(t *testing.T, origin, dir string) {
			inClone(steps...)(t, origin, dir)
			write(t, dir, name, "edited\n")
		}
	}
	all := []layout{
		{name: "H4 an edit", leave: edit("layerd.yaml")},
		{name: "H4 an edit, staged", leave: func(t *testing.T, origin, dir string) {
			edit("layerd.yaml")(t, origin, dir)
			gitCLI(t, dir, "add", "-A")
		}},
		{name: "H4 an edit, assumed unchanged", leave: edit("layerd.yaml", []string{"update-index", "--assume-unchanged", "layerd.yaml"})},
		{name: "H4 an edit, skip-worktree", leave: edit("environments/prod.yaml", []string{"update-index", "--skip-worktree", "environments/prod.yaml"})},
		{name: "H4 an edit, split index", leave: edit("layers/common/layer.yaml", []string{"update-index", "--split-index"})},
		{name: "H4 an edit with the size and time of before", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			name := filepath.Join(dir, "layerd.yaml")
			info, err := os.Stat(name)
			check(t, err)
			write(t, dir, "layerd.yaml", "timezone: Asia/Seoul\n")
			check(t, os.Chtimes(name, info.ModTime(), info.ModTime()))
		}},
		{name: "H4 a new environment", leave: edit("environments/new.yaml")},
		{name: "H4 a new layer", leave: edit("layers/new/layer.yaml")},
		{name: "H4 a new environment that git ignores", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, ".git/info/exclude", "environments/local.yaml\n")
			write(t, dir, "environments/local.yaml", "x\n")
		}},
		{name: "H4 a file that is gone", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Remove(filepath.Join(dir, "environments/prod.yaml")))
		}},
		{name: "H4 a sparse checkout without an environment", leave: inClone([]string{"sparse-checkout", "set", "--no-cone", "/*", "!/environments/prod.yaml"})},
		{name: "H4 a file that is a link now", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Rename(filepath.Join(dir, "layerd.yaml"), filepath.Join(dir, "real.yaml")))
			check(t, os.Symlink("real.yaml", filepath.Join(dir, "layerd.yaml")))
		}},
		{name: "H4 a folder that is a link now", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Rename(filepath.Join(dir, "layers"), filepath.Join(dir, "real")))
			check(t, os.Symlink("real", filepath.Join(dir, "layers")))
		}},
		{name: "H4 a folder that is a file now", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.RemoveAll(filepath.Join(dir, "environments")))
			write(t, dir, "environments", "x")
		}},
		{name: "H4 a merge under way", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "environments/prod.yaml", "<<<<<<< HEAD\n=======\n>>>>>>> x\n")
			write(t, dir, ".git/MERGE_HEAD", gitCLI(t, dir, "rev-parse", "HEAD")+"\n")
		}},
	}
	for i := range all {
		all[i].dirty = true
	}
	return all
}

// TestCorpus reads each layout as a folder and as a branch: what git accepts is
// accepted, or refused with its own word.
func TestCorpus(t *testing.T) {
	origin := worktree(t, desiredFiles())
	for _, group := range [][]layout{shapes(), configurations(), clean(), edited()} {
		for _, l := range group {
			t.Run(l.name, func(t *testing.T) {
				parent, err := filepath.EvalSymlinks(t.TempDir())
				check(t, err)
				dir := filepath.Join(parent, "x")
				l.leave(t, origin, dir)
				l.readAsFolder(t, dir)
				l.readAsBranch(t, dir)
				id, err := Identity(dir)
				if l.folder == "" && (err != nil || id == "") {
					t.Errorf("identity %q, %v", id, err)
				}
			})
		}
	}
}

func (l layout) readAsFolder(t *testing.T, dir string) {
	t.Helper()
	c, err := Dir(dir, desired.ReadPaths())
	switch {
	case l.folder != "":
		l.refused(t, err, l.folder)
	case l.bare && l.branch == "":
		assertKind(t, err, KindNotARepository)
	case l.bare:
		if err != nil || c.Hash != "" {
			t.Errorf("a folder without Git: %q, %v", c.Hash, err)
		}
	default:
		check(t, err)
		want := headOf(t, dir)
		if l.dirty {
			want += dirty
		}
		if c.Hash != want {
			t.Errorf("as a folder %q, want %q", c.Hash, want)
		}
	}
}

// headOf asks git, or the file where git itself refuses the configuration.
func headOf(t *testing.T, dir string) string {
	t.Helper()
	if out, err := runGit(t.Context(), dir, "rev-parse", "HEAD"); err == nil && plumbing.IsHash(out) {
		return out
	}
	return strings.TrimSpace(string(must(os.ReadFile(filepath.Join(dir, ".git/refs/heads/main")))))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (l layout) refused(t *testing.T, err error, want Kind) {
	t.Helper()
	if e := assertKind(t, err, want); !strings.Contains(e.Message, l.says) {
		t.Errorf("message %q does not say %q", e.Message, l.says)
	}
}

func (l layout) readAsBranch(t *testing.T, dir string) {
	t.Helper()
	for _, read := range [][]string{nil, desired.ReadPaths()} {
		r := open(t, Options{URL: dir, Read: read})
		if l.branch != "" {
			_, _, err := r.Pull(t.Context(), "")
			l.refused(t, err, l.branch)
			continue
		}
		if l.ahead {
			pull(t, r)
			continue
		}
		contract(t, r, read)
	}
}

// contract is what every way to reach a repository with desiredFiles on its main
// branch has to keep.
func contract(t *testing.T, r *Repo, read []string) {
	t.Helper()
	c := pull(t, r)
	got, want := map[string]string{}, map[string]string{}
	for name, text := range desiredFiles() {
		if selection(read).file(name) {
			want[name] = text
		}
	}
	err := fs.WalkDir(c.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && selection(read).file(name) {
			var text []byte
			text, err = fs.ReadFile(c.Files, name)
			got[name] = string(text)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if tip, err := r.Tip(t.Context()); err != nil || tip != c.Hash {
		t.Errorf("tip %s, %v; pulled %s", tip, err, c.Hash)
	}
	if again, changed, err := r.Pull(context.WithoutCancel(t.Context()), c.Hash); err != nil || changed {
		t.Errorf("a second pull: %v, %v, %v", again.Hash, changed, err)
	}
}

// O6: a job's clone is detached and has the branch as its remote's only; a branch
// of its own comes before it.
func TestO6BranchOfTheRemote(t *testing.T) {
	origin := worktree(t, desiredFiles())
	first := gitCLI(t, origin, "rev-parse", "HEAD")
	dir := filepath.Join(t.TempDir(), "x")
	clone(t, origin, dir)
	gitCLI(t, dir, "checkout", "-q", "--detach")
	gitCLI(t, dir, "branch", "-q", "-D", "main")
	tip := func(branch, want string) {
		t.Helper()
		if got := pull(t, open(t, Options{URL: dir, Branch: branch})); got.Hash != want {
			t.Errorf("%q is %s, want %s", branch, got.Hash, want)
		}
	}
	for _, branch := range []string{"", "main", "origin/main", "refs/heads/main"} {
		tip(branch, first)
	}
	gitCLI(t, dir, "pack-refs", "--all")
	tip("main", first)
	gitCLI(t, dir, "remote", "add", "fork", origin)
	gitCLI(t, origin, "branch", "topic/x")
	gitCLI(t, dir, "fetch", "-q", "fork")
	tip("fork/main", first)
	tip("fork/topic/x", first)
	gitCLI(t, dir, "tag", "v1")
	for branch, says := range map[string]string{
		"prod":    "there is fork/main, fork/topic/x, origin/main",
		"v1":      "there is a tag of this name, and only branches are followed",
		"topic/x": "there is fork/main",
	} {
		_, _, err := open(t, Options{URL: dir, Branch: branch}).Pull(t.Context(), "")
		if e := assertKind(t, err, KindBranchGone); !strings.Contains(e.Message, says) {
			t.Errorf("%q: message %q does not say %q", branch, e.Message, says)
		}
	}
	gitCLI(t, dir, "checkout", "-q", "-b", "main")
	gitCLI(t, dir, "commit", "-q", "--allow-empty", "-m", "mine")
	tip("main", gitCLI(t, dir, "rev-parse", "HEAD"))
	tip("origin/main", first)
}

// O6: the address of a helper that layerd does not run is answered with the one
// that it reads.
func TestO6CodeCommitHelper(t *testing.T) {
	for raw, says := range map[string]string{
		"codecommit::ap-northeast-1://repo":       "https://git-codecommit.ap-northeast-1.amazonaws.com/v1/repos/repo",
		"codecommit::ap-northeast-1://me@my.repo": "https://git-codecommit.ap-northeast-1.amazonaws.com/v1/repos/my.repo ",
		"codecommit::cn-north-1://repo":           "https://git-codecommit.cn-north-1.amazonaws.com.cn/v1/repos/repo ",
		"codecommit://repo":                       "https://git-codecommit.REGION.amazonaws.com/v1/repos/repo ",
		"codecommit://profile@repo":               "/v1/repos/repo ",
		"codecommit::":                            "/v1/repos/REPOSITORY ",
		"codecommit::x://y/../z":                  "/v1/repos/REPOSITORY ",
	} {
		_, err := New(Options{URL: raw})
		if e := assertKind(t, err, KindInvalid); !strings.Contains(e.Message, says) {
			t.Errorf("%s: message %q does not say %q", raw, e.Message, says)
		}
	}
}

// G2: an origin that layerd cannot follow is a name all the same, and never an error.
func TestG2IdentityOfAnyOrigin(t *testing.T) {
	dir := worktree(t, desiredFiles())
	gitCLI(t, dir, "remote", "add", "origin", "x")
	for origin, want := range map[string]string{
		"https://github.com/acme/x.git":           "github.com/acme/x",
		"https://dev.azure.com/acme/p/_git/x":     "dev.azure.com/acme/p/_git/x",
		"codecommit::ap-northeast-1://x":          "git-codecommit.ap-northeast-1.amazonaws.com/v1/repos/x",
		"codecommit::ap-northeast-1://me@x":       "git-codecommit.ap-northeast-1.amazonaws.com/v1/repos/x",
		"git://example.com/acme/x.git":            "example.com/acme/x",
		"git://example.com:9418/acme/x":           "example.com/acme/x",
		"https://u:" + "pw@h.example/x?q=1#f":     "h.example/x",
		"ftp://h.example/x":                       "h.example/x",
		"ssh://git:" + "pw@h.example:2222/acme/x": "h.example:2222/acme/x",
		"ext::sh -c 'x' %S":                       dir,
		"../other.bundle":                         filepath.Join(filepath.Dir(dir), "other.bundle"),
		"persistent-https://h.example/acme/x":     "h.example/acme/x",
		"-oProxyCommand=x:y":                      dir,
		"https://":                                dir,
		"gh:acme/x":                               "gh/acme/x",
	} {
		gitCLI(t, dir, "config", "--replace-all", "remote.origin.url", origin)
		if got, err := Identity(dir); err != nil || got != want {
			t.Errorf("origin %s: %q, %v; want %q", origin, got, err, want)
		}
	}
	gitCLI(t, dir, "config", "url.https://github.com/.insteadOf", "gh:")
	if got, err := Identity(dir); err != nil {
		t.Errorf("%q, %v", got, err)
	}
	gitCLI(t, dir, "config", "--replace-all", "remote.origin.url", "gh:acme/x")
	if got, err := Identity(dir); err != nil || got != "github.com/acme/x" {
		t.Errorf("rewritten: %q, %v", got, err)
	}
}

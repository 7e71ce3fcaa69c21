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
	"github.com/layerd/layerd/internal/nightly"
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

// TestCorpus reads each layout as a folder and as a branch: what git accepts is
// accepted, or refused with its own word.
func TestCorpus(t *testing.T) {
	nightly.NotShort(t, "it reads folders one after the other")
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
	tip("HEAD", gitCLI(t, dir, "rev-parse", "HEAD"))
}

// A clone whose remote is called otherwise is a clone all the same.
func TestO6AnotherNameForTheRemote(t *testing.T) {
	origin := worktree(t, desiredFiles())
	dir := filepath.Join(t.TempDir(), "x")
	gitCLI(t, origin, "clone", "-q", "-o", "upstream", origin, dir)
	gitCLI(t, dir, "checkout", "-q", "--detach")
	gitCLI(t, dir, "branch", "-q", "-D", "main")
	contract(t, open(t, Options{URL: dir}), nil)
	gitCLI(t, dir, "remote", "set-url", "upstream", "git@github.com:acme/x.git")
	if id, err := Identity(dir); err != nil || id != "github.com/acme/x" {
		t.Errorf("identity %q, %v", id, err)
	}
	gitCLI(t, dir, "remote", "add", "fork", "git@github.com:me/x.git")
	if id, err := Identity(dir); err != nil || id != dir {
		t.Errorf("with two remotes, neither of which is origin: %q, %v", id, err)
	}
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

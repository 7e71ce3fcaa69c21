package gitrepo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo/treefs"
)

func dirHash(t *testing.T, path string) string {
	t.Helper()
	c, err := Dir(path, desired.ReadPaths())
	if err != nil {
		t.Fatal(err)
	}
	return c.Hash
}

func TestDirReadsWhatLiesOnDisk(t *testing.T) {
	dir := worktree(t, desiredFiles())
	c, err := Dir(dir, desired.ReadPaths())
	if err != nil {
		t.Fatal(err)
	}
	if head := gitCLI(t, dir, "rev-parse", "HEAD"); c.Hash != head || c.Author != "花子" || c.Subject != "layers: 共通を 1.4.2 に" {
		t.Errorf("commit %+v, want %s", c, head)
	}
	if err := fstest.TestFS(c.Files, "layerd.yaml", "environments/prod.yaml"); err != nil {
		t.Error(err)
	}
	if _, err := fs.Stat(c.Files, ".git"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf(".git is shown: %v", err)
	}
	write(t, dir, "layerd.yaml", "timezone: UTC\n")
	if got := readFile(t, c.Files, "layerd.yaml"); got != "timezone: UTC\n" {
		t.Errorf("read %q", got)
	}
}

func TestDirDirty(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, dir string){
		"edited":  func(t *testing.T, dir string) { write(t, dir, "layerd.yaml", "x\n") },
		"new":     func(t *testing.T, dir string) { write(t, dir, "environments/new.yaml", "x\n") },
		"staged":  func(t *testing.T, dir string) { write(t, dir, "layerd.yaml", "x\n"); gitCLI(t, dir, "add", "-A") },
		"deleted": func(t *testing.T, dir string) { check(t, os.Remove(filepath.Join(dir, "layerd.yaml"))) },
		"linked": func(t *testing.T, dir string) {
			check(t, os.Remove(filepath.Join(dir, "layerd.yaml")))
			check(t, os.Symlink("README.md", filepath.Join(dir, "layerd.yaml")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := worktree(t, desiredFiles())
			head := gitCLI(t, dir, "rev-parse", "HEAD")
			if got := dirHash(t, dir); got != head {
				t.Fatalf("unchanged: %q, want %q", got, head)
			}
			change(t, dir)
			if got := dirHash(t, dir); got != head+"+dirty" {
				t.Errorf("changed: %q, want %q", got, head+"+dirty")
			}
			// What is beside the folder does not make it dirty.
			if got := dirHash(t, filepath.Join(dir, "teams", "a")); got != head {
				t.Errorf("a folder without changes: %q, want %q", got, head)
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDirIgnoredIsNotDirty(t *testing.T) {
	files := desiredFiles()
	files[".gitignore"] = ".DS_Store\n"
	dir := worktree(t, files)
	write(t, dir, "layers/.DS_Store", "x")
	if got := dirHash(t, dir); strings.HasSuffix(got, dirty) {
		t.Errorf("an ignored file: %q", got)
	}
}

func TestDirWithoutGit(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "layerd.yaml", "x\n")
	c, err := Dir(dir, desired.ReadPaths())
	if err != nil || c.Hash != "" || readFile(t, c.Files, "layerd.yaml") != "x\n" {
		t.Errorf("no git: %+v, %v", c, err)
	}
	gitCLI(t, dir, "init", "-q")
	if got := dirHash(t, dir); got != "" {
		t.Errorf("before the first commit: %q", got)
	}
}

func TestDirRefuses(t *testing.T) {
	_, err := Dir(filepath.Join(t.TempDir(), "nothing"), desired.ReadPaths())
	assertKind(t, err, KindPathGone)
	file := filepath.Join(t.TempDir(), "file")
	write(t, filepath.Dir(file), "file", "x")
	_, err = Dir(file, desired.ReadPaths())
	assertKind(t, err, KindPathGone)
	bare := filepath.Join(t.TempDir(), "x.git")
	gitCLI(t, t.TempDir(), "clone", "-q", "--bare", worktree(t, desiredFiles()), bare)
	_, err = Dir(bare, desired.ReadPaths())
	assertKind(t, err, KindNotARepository)
}

func TestDirLinks(t *testing.T) {
	dir := worktree(t, desiredFiles())
	check(t, os.Symlink("/etc/passwd", filepath.Join(dir, "environments", "evil.yaml")))
	linked := filepath.Join(t.TempDir(), "current") // the folder itself may be named by a link
	check(t, os.Symlink(dir, linked))
	c, err := Dir(linked, desired.ReadPaths())
	check(t, err)
	if _, err := fs.ReadFile(c.Files, "environments/evil.yaml"); !errors.Is(err, treefs.ErrLink) {
		t.Errorf("read through a link: %v", err)
	}
	if head := gitCLI(t, dir, "rev-parse", "HEAD"); c.Hash != head+dirty {
		t.Errorf("hash %q", c.Hash)
	}
}

// layouts are the shapes in which one history lies on a disk.
func TestLocalLayouts(t *testing.T) {
	origin := worktree(t, desiredFiles())
	head := gitCLI(t, origin, "rev-parse", "HEAD")
	for name, make := range map[string]func(t *testing.T, dir string){
		"bare":        func(t *testing.T, dir string) { gitCLI(t, origin, "clone", "-q", "--bare", origin, dir) },
		"linked tree": func(t *testing.T, dir string) { gitCLI(t, origin, "worktree", "add", "-q", "-b", "other", dir) },
		"own store": func(t *testing.T, dir string) {
			gitCLI(t, origin, "clone", "-q", "--separate-git-dir", dir+".git", origin, dir)
		},
		"shared objects": func(t *testing.T, dir string) { gitCLI(t, origin, "clone", "-q", "--shared", origin, dir) },
		"shallow":        func(t *testing.T, dir string) { gitCLI(t, origin, "clone", "-q", "--depth=1", "file://"+origin, dir) },
		"packed": func(t *testing.T, dir string) {
			gitCLI(t, origin, "clone", "-q", "--no-local", origin, dir)
			gitCLI(t, dir, "gc", "-q", "--aggressive")
			gitCLI(t, dir, "pack-refs", "--all")
		},
		"with worktree config": func(t *testing.T, dir string) {
			gitCLI(t, origin, "clone", "-q", origin, dir)
			gitCLI(t, dir, "config", "core.repositoryformatversion", "1")
			gitCLI(t, dir, "config", "extensions.worktreeConfig", "true")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "x")
			make(t, dir)
			c := pull(t, open(t, Options{URL: dir}))
			if c.Hash != head || readFile(t, c.Files, "layerd.yaml") != "timezone: Asia/Tokyo\n" {
				t.Errorf("pulled %s", c.Hash)
			}
			if name == "bare" {
				return
			}
			if got := dirHash(t, dir); got != head {
				t.Errorf("as a folder %q, want %q", got, head)
			}
		})
	}
}

func TestLocalRefuses(t *testing.T) {
	plain := t.TempDir()
	failBoth(t, open(t, Options{URL: plain}), KindNotARepository)
	failBoth(t, open(t, Options{URL: filepath.Join(plain, "nothing")}), KindNotARepository)
	dir := worktree(t, desiredFiles())
	e := failBoth(t, open(t, Options{URL: filepath.Join(dir, "teams")}), KindNotARepository)
	if !strings.Contains(e.Message, dir) {
		t.Errorf("message %q does not name the repository", e.Message)
	}
	gitCLI(t, dir, "config", "core.repositoryformatversion", "1")
	gitCLI(t, dir, "config", "extensions.refStorage", "reftable")
	failBoth(t, open(t, Options{URL: dir}), KindUnsupported)
	_, err := Dir(dir, desired.ReadPaths())
	assertKind(t, err, KindUnsupported)
	write(t, plain, ".git", "nonsense")
	failBoth(t, open(t, Options{URL: plain}), KindNotARepository)
	_, err = Dir(plain, desired.ReadPaths())
	assertKind(t, err, KindCorrupt)
}

func TestLocalMissingObject(t *testing.T) {
	dir := worktree(t, desiredFiles())
	blob := gitCLI(t, dir, "rev-parse", "HEAD:layerd.yaml")
	check(t, os.Remove(filepath.Join(dir, ".git", "objects", blob[:2], blob[2:])))
	_, _, err := open(t, Options{URL: dir}).Pull(t.Context(), "")
	if e := assertKind(t, err, KindCorrupt); !strings.Contains(e.Message, "layerd.yaml") {
		t.Errorf("message %q does not name the file", e.Message)
	}
}

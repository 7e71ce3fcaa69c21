package gitserve

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/layerd/layerd/internal/nightly"
)

// serve starts a server with one repository and returns its clone URL.
func serve(t *testing.T) (*Server, *Repo, string) {
	t.Helper()
	s := New()
	repo := s.Add("acme/layers")
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return s, repo, web.URL + "/acme/layers.git"
}

func commit(t *testing.T, r *Repo, c Change) string {
	t.Helper()
	hash, err := r.Commit(c)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// gitCLI runs the git binary without any configuration of this machine.
func gitCLI(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(t, dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryGit(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A person with git clones, pulls what the demo commits, pushes, is refused when
// somebody was faster, forces, and deletes.
func TestGitCLI(t *testing.T) {
	_, repo, url := serve(t)
	commit(t, repo, Change{Subject: "first", Files: map[string]string{
		"layerd.yaml": "timezone: Asia/Tokyo\n", "environments/prod.yaml": "account: x\n", "environments.txt": "sorts before the folder\n"}})
	dir := t.TempDir()
	gitCLI(t, dir, "clone", "-q", url, "work")
	work := filepath.Join(dir, "work")
	gitCLI(t, work, "fsck", "--strict")
	if got := read(t, work, "environments/prod.yaml"); got != "account: x\n" {
		t.Errorf("cloned %q", got)
	}

	second := commit(t, repo, Change{Subject: "second", Files: map[string]string{"environments/prod.yaml": "account: y\n"}, Delete: []string{"layerd.yaml"}})
	gitCLI(t, work, "pull", "-q", "--ff-only")
	if got := strings.TrimSpace(gitCLI(t, work, "rev-parse", "HEAD")); got != second {
		t.Errorf("pulled %s, want %s", got, second)
	}
	if _, err := os.Stat(filepath.Join(work, "layerd.yaml")); !os.IsNotExist(err) {
		t.Errorf("a deleted file is still there: %v", err)
	}

	write(t, work, "environments/dev.yaml", "account: z\n")
	gitCLI(t, work, "add", ".")
	gitCLI(t, work, "commit", "-q", "-m", "third")
	gitCLI(t, work, "push", "-q", "origin", "HEAD:main")
	if got, want := repo.Head(""), strings.TrimSpace(gitCLI(t, work, "rev-parse", "HEAD")); got != want {
		t.Errorf("after the push main is at %s, want %s", got, want)
	}

	fourth := commit(t, repo, Change{Subject: "by somebody else", Files: map[string]string{"x": "1"}})
	gitCLI(t, work, "commit", "-q", "--allow-empty", "-m", "too late")
	if out, err := tryGit(t, work, "push", "-q", "origin", "HEAD:main"); err == nil || repo.Head("") != fourth {
		t.Errorf("a push over somebody's commit went through: %s", out)
	}
	gitCLI(t, work, "push", "-q", "--force", "origin", "HEAD:main")
	if repo.Head("") == fourth {
		t.Error("a forced push did nothing")
	}
	gitCLI(t, work, "push", "-q", "origin", "HEAD:refs/heads/topic")
	gitCLI(t, work, "push", "-q", "origin", ":topic")
	if got := repo.Head("topic"); got != "" {
		t.Errorf("a deleted branch is at %s", got)
	}
}

// A fetch after many commits of one's own asks several times before it says
// "done"; what is common comes up early or late, as the dates have it.
func TestGitCLIFetchNegotiates(t *testing.T) {
	for name, date := range map[string]string{"common first": "2020-01-01T00:00:00Z", "common last": "2030-01-01T00:00:00Z"} {
		t.Run(name, func(t *testing.T) {
			_, repo, url := serve(t)
			for i := range 3 {
				commit(t, repo, Change{Subject: "more", Files: map[string]string{"n": fmt.Sprint(i)}})
			}
			dir := t.TempDir()
			gitCLI(t, dir, "clone", "-q", url, "work")
			work := filepath.Join(dir, "work")
			t.Setenv("GIT_COMMITTER_DATE", date)
			commits := 20 // more than the 16 that the first request names
			if nightly.On() {
				commits = 40
			}
			for range commits {
				gitCLI(t, work, "commit", "-q", "--allow-empty", "-m", "only here")
			}
			tip := commit(t, repo, Change{Subject: "only there", Files: map[string]string{"m": "1"}})
			gitCLI(t, work, "fetch", "-q")
			if got := strings.TrimSpace(gitCLI(t, work, "rev-parse", "origin/main")); got != tip {
				t.Errorf("fetched %s, want %s", got, tip)
			}
			gitCLI(t, work, "fsck", "--strict")
		})
	}
}

// A large first push is announced with an empty request and comes in chunks.
func TestGitCLIPushLargeIntoEmpty(t *testing.T) {
	_, repo, url := serve(t)
	work := t.TempDir()
	gitCLI(t, work, "init", "-q", "-b", "main")
	noise := make([]byte, 3<<20)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	write(t, work, "big.bin", string(noise))
	gitCLI(t, work, "add", ".")
	gitCLI(t, work, "commit", "-q", "-m", "big")
	gitCLI(t, work, "push", "-q", url, "HEAD:main")
	if repo.Head("main") == "" {
		t.Error("nothing arrived")
	}
}

func TestGoGitClones(t *testing.T) {
	_, repo, url := serve(t)
	want := commit(t, repo, Change{Subject: "first", Files: map[string]string{"a/b/c": "1"}, Links: map[string]string{"a/l": "b"}})
	clone, err := git.CloneContext(t.Context(), memory.NewStorage(), nil, &git.CloneOptions{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	head, err := clone.Head()
	if err != nil || head.Hash().String() != want {
		t.Errorf("HEAD is %v, %v; want %s", head, err, want)
	}
}

func TestAllow(t *testing.T) {
	s := New()
	s.Allow = func(user, password string) bool { return user == "me" && password == "secret" }
	repo := s.Add("acme/layers")
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	url := web.URL + "/acme/layers.git"
	commit(t, repo, Change{Subject: "first", Files: map[string]string{"a": "1"}})
	dir := t.TempDir()
	if out, err := tryGit(t, dir, "ls-remote", url); err == nil {
		t.Errorf("listed without a password: %s", out)
	}
	gitCLI(t, dir, "ls-remote", strings.Replace(url, "http://", "http://me:secret@", 1))
}

func TestUnknownRepository(t *testing.T) {
	_, _, url := serve(t)
	if out, err := tryGit(t, t.TempDir(), "ls-remote", url+"x"); err == nil || !strings.Contains(out, "not found") {
		t.Errorf("listed what is not there: %s", out)
	}
}

func TestMove(t *testing.T) {
	_, repo, _ := serve(t)
	first := commit(t, repo, Change{Subject: "first", Files: map[string]string{"a": "1"}})
	commit(t, repo, Change{Subject: "second", Files: map[string]string{"a": "2"}})
	if err := repo.Move("main", first); err != nil || repo.Head("main") != first {
		t.Errorf("moved to %s, %v", repo.Head("main"), err)
	}
	if err := repo.Move("main", strings.Repeat("1", 40)); err == nil {
		t.Error("moved to a commit that is not there")
	}
	if err := repo.Move("main", ""); err != nil || repo.Head("main") != "" {
		t.Errorf("deleted, and at %q, %v", repo.Head("main"), err)
	}
	if _, err := repo.Commit(Change{Subject: "bad", Files: map[string]string{"../x": "1"}}); err == nil {
		t.Error("a path outside was committed")
	}
}

package gitrepo

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
)

// The secrets of all tests. No message may hold one, in whatever form.
const (
	testToken      = "ghp_S3cret+Tok/en"
	testPassphrase = "correct horse"
)

// assertKind checks the kind of an error, and that neither it nor anything it
// unwraps to says a secret.
func assertKind(t *testing.T, err error, want Kind) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, want) || e.Kind != want {
		t.Fatalf("error %v, want kind %s", err, want)
	}
	if e.Retryable() != (want == KindUnreachable) {
		t.Errorf("retryable %v with kind %s", e.Retryable(), want)
	}
	assertNoSecret(t, err)
	return e
}

func assertNoSecret(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var all secrets
	all.add("x-access-token", testToken)
	all.add("", testToken)
	all.add("git", testToken)
	all.add("", testPassphrase)
	for _, secret := range all {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("a secret is in the error %q", err)
		}
	}
	if strings.ContainsAny(err.Error(), "\n\r\x1b") {
		t.Errorf("the error %q is not fit for one line", err)
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		assertNoSecret(t, u.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range u.Unwrap() {
			assertNoSecret(t, inner)
		}
	}
}

func open(t *testing.T, o Options) *Repo {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Minute // what is to hang has its own; a busy machine is no failure
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pull(t *testing.T, r *Repo) Commit {
	t.Helper()
	c, changed, err := r.Pull(t.Context(), "")
	if err != nil || !changed {
		t.Fatalf("pull: changed %v, %v", changed, err)
	}
	return c
}

func readFile(t *testing.T, fsys fs.FS, name string) string {
	t.Helper()
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// serve starts our own Git server, with middle in between, and returns the
// clone URL.
func serve(t *testing.T, middle func(http.Handler) http.Handler) (*gitserve.Repo, string) {
	t.Helper()
	s := gitserve.New()
	repo := s.Add("acme/layers")
	var h http.Handler = s
	if middle != nil {
		h = middle(s)
	}
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	return repo, web.URL + "/acme/layers.git"
}

func commit(t *testing.T, r *gitserve.Repo, c gitserve.Change) string {
	t.Helper()
	hash, err := r.Commit(c)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

var errNoGit = errors.New("git is not installed")

// runGit runs the git binary without any configuration of this machine.
func runGit(ctx context.Context, dir string, args ...string) (string, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return "", errNoGit
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=花子", "GIT_AUTHOR_EMAIL=hanako@example.com", "GIT_COMMITTER_NAME=c", "GIT_COMMITTER_EMAIL=c@example.com",
		"GIT_AUTHOR_DATE=2026-11-20T10:00:00Z", "GIT_COMMITTER_DATE=2026-11-23T02:00:00Z")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func gitCLI(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := runGit(t.Context(), dir, args...)
	if errors.Is(err, errNoGit) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// worktree makes a repository with one commit by the real git.
func worktree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	gitCLI(t, dir, "init", "-q", "-b", "main")
	for name, text := range files {
		write(t, dir, name, text)
	}
	gitCLI(t, dir, "add", "-A")
	gitCLI(t, dir, "commit", "-q", "-m", "layers: 共通を 1.4.2 に\n\nbody")
	return dir
}

// backend serves a repository with git's own HTTP server, the only one here
// that speaks protocol 2 and shallow fetches.
func backend(t testing.TB, dir string, middle func(http.Handler) http.Handler) string {
	t.Helper()
	var h http.Handler = &cgi.Handler{
		Logger: log.New(io.Discard, "", 0), // it complains when we hang up at the limit
		Stderr: io.Discard,
		Path:   filepath.Join(gitCLI(t, dir, "--exec-path"), "git-http-backend"),
		Env:    []string{"GIT_PROJECT_ROOT=" + filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	}
	if middle != nil {
		h = middle(h)
	}
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	return web.URL + "/" + filepath.Base(dir) + "/.git"
}

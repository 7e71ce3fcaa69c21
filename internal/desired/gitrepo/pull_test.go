package gitrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/desired/gitrepo/treefs"
)

func desiredFiles() map[string]string {
	return map[string]string{
		"README.md":                     "# layers\n",
		"layerd.yaml":                   "timezone: Asia/Tokyo\n",
		"layers/common/layer.yaml":      "name: makoto-common\n",
		"environments/prod.yaml":        "account: \"123456789012\"\n",
		"teams/a/environments/x.yaml":   "account: \"210987654321\"\n",
		"teams/a/layers/日本語/layer.yaml": "name: x\n",
	}
}

// way is one way to reach the same repository.
type way struct {
	name string
	url  func(t *testing.T, dir string) string
}

func ways() []way {
	return []way{
		{"path", func(_ *testing.T, dir string) string { return dir }},
		{"file URL", func(_ *testing.T, dir string) string { return "file://" + dir }},
		{"http", func(t *testing.T, dir string) string { return backend(t, dir, nil) }},
	}
}

func TestPullTellsTheCommit(t *testing.T) {
	for _, way := range ways() {
		t.Run(way.name, func(t *testing.T) {
			dir := worktree(t, desiredFiles())
			r := open(t, Options{URL: way.url(t, dir)})
			got := pull(t, r)
			files := got.Files
			got.Files = nil
			want := Commit{Hash: gitCLI(t, dir, "rev-parse", "HEAD"), Author: "花子", Email: "hanako@example.com",
				Subject: "layers: 共通を 1.4.2 に", When: time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("commit (-want +got):\n%s", diff)
			}
			var names []string
			for name, text := range desiredFiles() {
				names = append(names, name)
				if got := readFile(t, files, name); got != text {
					t.Errorf("%s holds %q, want %q", name, got, text)
				}
			}
			if err := fstest.TestFS(files, names...); err != nil {
				t.Error(err)
			}
			if tip, err := r.Tip(t.Context()); err != nil || tip != want.Hash {
				t.Errorf("tip %s, %v", tip, err)
			}
		})
	}
}

// The second look at the same commit brings nothing, the one after a change
// brings it, and then again nothing.
func TestPullOnlyWhenChanged(t *testing.T) {
	for _, way := range ways() {
		t.Run(way.name, func(t *testing.T) {
			dir := worktree(t, desiredFiles())
			r := open(t, Options{URL: way.url(t, dir)})
			last := pull(t, r).Hash
			for range 2 {
				if c, changed, err := r.Pull(t.Context(), last); err != nil || changed || c.Files != nil {
					t.Fatalf("an unchanged branch: %v, %v, %v", c, changed, err)
				}
			}
			gitCLI(t, dir, "pack-refs", "--all")
			gitCLI(t, dir, "gc", "-q")
			write(t, dir, "environments/prod.yaml", "account: \"1\"\n")
			gitCLI(t, dir, "commit", "-q", "-am", "second")
			c, changed, err := r.Pull(t.Context(), last)
			if err != nil || !changed || c.Subject != "second" {
				t.Fatalf("a changed branch: %v, %v, %v", c, changed, err)
			}
			if _, changed, err := r.Pull(t.Context(), c.Hash); err != nil || changed {
				t.Errorf("the second round changes: %v, %v", changed, err)
			}
		})
	}
}

func TestPullPath(t *testing.T) {
	dir := worktree(t, desiredFiles())
	for _, path := range []string{"teams/a", "teams/a/", "./teams/a"} {
		c := pull(t, open(t, Options{URL: dir, Path: path}))
		if err := fstest.TestFS(c.Files, "environments/x.yaml", "layers/日本語/layer.yaml"); err != nil {
			t.Error(err)
		}
		if _, err := fs.Stat(c.Files, "teams"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what is above the path is shown: %v", err)
		}
	}
}

func TestPullFollowsAForcePush(t *testing.T) {
	repo, url := serve(t, nil)
	first := commit(t, repo, gitserve.Change{Subject: "first", Files: desiredFiles()})
	second := commit(t, repo, gitserve.Change{Subject: "second", Files: map[string]string{"layerd.yaml": "x\n"}})
	r := open(t, Options{URL: url})
	if got := pull(t, r); got.Hash != second {
		t.Fatalf("pulled %s, want %s", got.Hash, second)
	}
	if err := repo.Move("main", first); err != nil {
		t.Fatal(err)
	}
	c, changed, err := r.Pull(t.Context(), second)
	if err != nil || !changed || c.Hash != first || readFile(t, c.Files, "layerd.yaml") != "timezone: Asia/Tokyo\n" {
		t.Errorf("after a forced push back: %v, %v, %v", c.Hash, changed, err)
	}
}

func TestBranchGone(t *testing.T) {
	repo, url := serve(t, nil)
	hash := commit(t, repo, gitserve.Change{Subject: "first", Files: desiredFiles()})
	for i := range 7 {
		commit(t, repo, gitserve.Change{Branch: fmt.Sprintf("topic-%d", i), Subject: "x", Files: desiredFiles()})
	}
	r := open(t, Options{URL: url})
	if got := pull(t, r); got.Hash != hash {
		t.Fatalf("pulled %s", got.Hash)
	}
	if err := repo.Move("main", ""); err != nil {
		t.Fatal(err)
	}
	_, _, err := r.Pull(t.Context(), hash)
	e := assertKind(t, err, KindBranchGone)
	if want := `there is topic-0, topic-1, topic-2, topic-3, topic-4 and 2 more`; !strings.Contains(e.Message, want) {
		t.Errorf("message %q does not say %q", e.Message, want)
	}
	_, err = r.Tip(t.Context())
	assertKind(t, err, KindBranchGone)

	dir := worktree(t, desiredFiles())
	_, err = open(t, Options{URL: dir, Branch: "maim"}).Tip(t.Context())
	assertKind(t, err, KindBranchGone)
	_, err = open(t, Options{URL: backend(t, dir, nil), Branch: "mai"}).Tip(t.Context()) // a prefix of main
	assertKind(t, err, KindBranchGone)
}

func TestPathGone(t *testing.T) {
	repo, url := serve(t, nil)
	first := commit(t, repo, gitserve.Change{Subject: "first", Files: desiredFiles(), Links: map[string]string{"link": "teams"}})
	r := open(t, Options{URL: url, Path: "teams/a"})
	if got := pull(t, r); got.Hash != first {
		t.Fatalf("pulled %s", got.Hash)
	}
	commit(t, repo, gitserve.Change{Subject: "second", Delete: []string{"teams/a"}})
	_, _, err := r.Pull(t.Context(), first)
	assertKind(t, err, KindPathGone)
	for _, path := range []string{"layerd.yaml", "link", "link/a", "nothing/at/all"} {
		_, _, err := open(t, Options{URL: url, Path: path}).Pull(t.Context(), "")
		assertKind(t, err, KindPathGone)
	}
}

func TestEmptyRepository(t *testing.T) {
	_, url := serve(t, nil)
	bare := filepath.Join(t.TempDir(), "x")
	gitCLI(t, t.TempDir(), "init", "-q", bare)
	for _, url := range []string{url, bare, backend(t, bare, nil)} {
		r := open(t, Options{URL: url})
		_, _, err := r.Pull(t.Context(), "")
		assertKind(t, err, KindEmpty)
		_, err = r.Tip(t.Context())
		assertKind(t, err, KindEmpty)
	}
}

func TestLinksAreShownAndNotFollowed(t *testing.T) {
	repo, url := serve(t, nil)
	commit(t, repo, gitserve.Change{Subject: "x", Files: desiredFiles(), Links: map[string]string{"environments/dev.yaml": "../../../etc/passwd"}})
	c := pull(t, open(t, Options{URL: url}))
	info, err := fs.Lstat(c.Files, "environments/dev.yaml")
	if err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link is %v, %v", info, err)
	}
	if _, err := fs.ReadFile(c.Files, "environments/dev.yaml"); !errors.Is(err, treefs.ErrLink) {
		t.Errorf("read a link: %v", err)
	}
}

// G5: a submodule where something is read is an error of that place; elsewhere it
// is a folder, of which nothing is known.
func TestG5Submodule(t *testing.T) {
	dir := worktree(t, desiredFiles())
	head := gitCLI(t, dir, "rev-parse", "HEAD")
	for _, at := range []string{"vendor/sub", "docs/theme", "layers/theme", "layers/common/vendor", "environments/more"} {
		gitCLI(t, dir, "update-index", "--add", "--cacheinfo", "160000,"+head+","+at)
	}
	gitCLI(t, dir, "commit", "-q", "-m", "add submodules")
	for _, url := range []string{dir, backend(t, dir, nil)} {
		_, _, err := open(t, Options{URL: url, Path: "vendor/sub"}).Pull(t.Context(), "")
		assertKind(t, err, KindSubmodule)
		all := pull(t, open(t, Options{URL: url})).Files
		some := pull(t, open(t, Options{URL: url, Read: desired.ReadPaths()})).Files
		for at, sealed := range map[string]fs.FS{"vendor/sub": all, "docs/theme": all, "layers/theme": some} {
			_, err := fs.ReadDir(sealed, at)
			if !errors.Is(err, KindSubmodule) {
				t.Errorf("%s is read: %v", at, err)
			}
			if _, err = fs.Lstat(sealed, at+"/layer.yaml"); !errors.Is(err, KindSubmodule) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("below %s: %v", at, err)
			}
			assertNoSecret(t, err)
		}
		for _, at := range []string{"docs", "vendor", "layers/common/vendor", "environments/more"} {
			if entries, err := fs.ReadDir(some, at); err != nil || len(entries) > 0 {
				t.Errorf("%s, which is not read: %v, %v", at, entries, err)
			}
		}
		readFile(t, some, "layers/common/layer.yaml")
	}
}

func TestLFSPointerIsNotContent(t *testing.T) {
	repo, url := serve(t, nil)
	files := desiredFiles()
	files["layers/common/1.4.2.zip"] = lfsPointer + "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
	commit(t, repo, gitserve.Change{Subject: "x", Files: files})
	c := pull(t, open(t, Options{URL: url}))
	if _, err := fs.Stat(c.Files, "layers/common/1.4.2.zip"); err != nil {
		t.Errorf("the pointer is not listed: %v", err)
	}
	_, err := fs.ReadFile(c.Files, "layers/common/1.4.2.zip")
	if !errors.Is(err, KindLFS) {
		t.Errorf("read a pointer: %v", err)
	}
	assertNoSecret(t, err)
}

func TestOddNames(t *testing.T) {
	dir := worktree(t, desiredFiles())
	write(t, dir, "環境.yaml", "x")
	write(t, dir, "\x83e\x83X\x83g.yaml", "sjis") // Shift_JIS from an old zip
	gitCLI(t, dir, "add", "-A")
	gitCLI(t, dir, "commit", "-q", "-m", "names\r")
	c := pull(t, open(t, Options{URL: dir}))
	if c.Subject != "names" {
		t.Errorf("subject %q", c.Subject)
	}
	if got := readFile(t, c.Files, "\uFFFDe\uFFFDX\uFFFDg.yaml"); got != "sjis" {
		t.Errorf("the file with a name in another encoding holds %q", got)
	}
	if err := fstest.TestFS(c.Files, "環境.yaml"); err != nil {
		t.Error(err)
	}
}

func TestTooLarge(t *testing.T) {
	noise := func(n int) string {
		b, x := make([]byte, n), uint32(7)
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = byte(x >> 24)
		}
		return string(b)
	}
	const limit = 64 << 10
	for name, text := range map[string]string{
		"many bytes on the wire": noise(2 * limit),
		"few bytes, inflated":    strings.Repeat("0", 2*limit),
	} {
		t.Run(name, func(t *testing.T) {
			files := desiredFiles()
			files["big.bin"] = text
			repo, url := serve(t, nil)
			commit(t, repo, gitserve.Change{Subject: "x", Files: files})
			dir := worktree(t, files)
			for _, url := range []string{url, dir, backend(t, dir, nil)} {
				_, _, err := open(t, Options{URL: url, MaxBytes: limit}).Pull(t.Context(), "")
				e := assertKind(t, err, KindTooLarge)
				if !strings.Contains(e.Message, "65536 bytes") {
					t.Errorf("message %q does not name the limit", e.Message)
				}
				if c := pull(t, open(t, Options{URL: url, MaxBytes: 4 * limit})); c.Files == nil {
					t.Error("below the limit nothing came")
				}
			}
		})
	}
}

// The cheap look: one request, one line of answer, whatever else is there.
func TestTipIsCheap(t *testing.T) {
	dir := worktree(t, desiredFiles())
	for i := range 200 {
		write(t, dir, fmt.Sprintf(".git/refs/heads/topic/%d", i), gitCLI(t, dir, "rev-parse", "HEAD")+"\n")
	}
	var requests, answered atomic.Int64
	url := backend(t, dir, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			requests.Add(1)
			next.ServeHTTP(countingWriter{w, &answered}, req)
		})
	})
	r := open(t, Options{URL: url})
	tip, err := r.Tip(t.Context())
	if err != nil || tip != gitCLI(t, dir, "rev-parse", "HEAD") {
		t.Fatalf("tip %s, %v", tip, err)
	}
	if requests.Load() != 1 || answered.Load() > 80 {
		t.Errorf("a look took %d requests and %d bytes", requests.Load(), answered.Load())
	}
	requests.Store(0)
	if _, changed, err := r.Pull(t.Context(), tip); err != nil || changed || requests.Load() != 1 {
		t.Errorf("an unchanged pull took %d requests: %v, %v", requests.Load(), changed, err)
	}
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w countingWriter) Write(p []byte) (int, error) {
	w.n.Add(int64(len(p)))
	return w.ResponseWriter.Write(p)
}

// A server without protocol 2 costs a second request once, not at every look.
func TestTipWithoutProtocol2(t *testing.T) {
	var requests atomic.Int64
	repo, url := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			requests.Add(1)
			next.ServeHTTP(w, req)
		})
	})
	want := commit(t, repo, gitserve.Change{Subject: "x", Files: desiredFiles()})
	r := open(t, Options{URL: url})
	for i, most := range []int64{2, 1, 1} {
		requests.Store(0)
		if tip, err := r.Tip(t.Context()); err != nil || tip != want || requests.Load() > most {
			t.Errorf("look %d: %s, %v with %d requests", i, tip, err, requests.Load())
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	repo, url := serve(t, nil)
	commit(t, repo, gitserve.Change{Subject: "x", Files: desiredFiles()})
	r := open(t, Options{URL: url})
	c := pull(t, r)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, _, err := r.Pull(t.Context(), ""); err != nil {
				t.Error(err)
			}
			if got, err := fs.ReadFile(c.Files, "layerd.yaml"); err != nil || string(got) != "timezone: Asia/Tokyo\n" {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
	all.Wait()
}

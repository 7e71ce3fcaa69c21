package gitrepo

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
)

// What lies at a path is read at any commit, from every kind of server, and with it
// nothing else: the rest of the repository may be large.
func TestAtReadsOnePath(t *testing.T) {
	nightly.NotShort(t, "it reads commits one after the other")
	files := desiredFiles()
	for name, text := range map[string]string{
		"layers/common/common.zip": "zipped", "layers/common/content/python/a/b/c.py": "deep", "layers/common/content/python/a*": "a star", "layers/common/contents/x": "near",
		"models/a.bin": noise(200<<10, 1),
	} {
		files[name] = text
	}
	here := host{name: "this machine", filters: true, options: func(_ *testing.T, dir string) Options { return Options{URL: dir} }}
	for _, h := range append(nightly.Sample(hosts(), 3), here) {
		t.Run(h.name, func(t *testing.T) {
			dir := worktree(t, files)
			o := h.options(t, dir)
			o.Read = desired.ReadPaths()
			if h.filters {
				o.MaxBytes = 64 << 10
			}
			r := open(t, o)
			c := pull(t, r)
			for path, want := range map[string][2]string{
				"layers/common/common.zip":             {"layers/common/common.zip", "zipped"},
				"layers/common/content":                {"layers/common/content/python/a/b/c.py", "deep"},
				"layers/common/content/python/a*":      {"layers/common/content/python/a*", "a star"},
				"layers/common/content/python/a/b":     {"layers/common/content/python/a/b/c.py", "deep"},
				"layers/common/content/python/nothing": {"", ""},
			} {
				at, err := r.At(t.Context(), c.Hash, path)
				if err != nil {
					t.Fatal(err)
				}
				read := map[string]string{}
				if err := fs.WalkDir(at.Files, ".", func(name string, d fs.DirEntry, err error) error {
					if data, readErr := fs.ReadFile(at.Files, name); err == nil && d.Type().IsRegular() && readErr == nil {
						read[name] = string(data)
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				if at.Hash != c.Hash || want[0] != "" && read[want[0]] != want[1] {
					t.Errorf("%s at %s: %v", path, at.Hash, read)
				}
				for name := range read {
					if name != path && !strings.HasPrefix(name, path+"/") {
						t.Errorf("%s: %s is read as well", path, name)
					}
				}
			}
			for _, bad := range []string{"/etc/passwd", "../x", "a//b", ""} {
				if _, err := r.At(t.Context(), c.Hash, bad); err == nil {
					t.Errorf("%q is read", bad)
				}
			}
		})
	}
}

// The commit of a last good wish is not the newest one any more.
func TestAtReadsAnOlderCommit(t *testing.T) {
	dir := worktree(t, map[string]string{"layerd.yaml": "", "a.zip": "first"})
	first := gitCLI(t, dir, "rev-parse", "HEAD")
	if err := os.WriteFile(filepath.Join(dir, "a.zip"), []byte("second"), 0o644); err != nil {
		t.Fatal(err)
	}
	gitCLI(t, dir, "commit", "-qam", "second")
	allowFilter(t, dir)
	for _, url := range []string{dir, backend(t, dir, nil)} {
		at, err := open(t, Options{URL: url, Read: desired.ReadPaths()}).At(t.Context(), first, "a.zip")
		if err != nil {
			t.Fatal(err)
		}
		if data, err := fs.ReadFile(at.Files, "a.zip"); err != nil || string(data) != "first" {
			t.Errorf("%s: %q, %v", url, data, err)
		}
		_, err = open(t, Options{URL: url}).At(t.Context(), strings.Repeat("1", 40), "a.zip")
		if err == nil {
			t.Error("a commit that does not exist was read")
		}
	}
}

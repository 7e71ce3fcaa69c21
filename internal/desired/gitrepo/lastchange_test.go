package gitrepo

import (
	"path/filepath"
	"testing"
)

func TestLastChange(t *testing.T) {
	dir := worktree(t, map[string]string{"README.md": "x\n"})
	commit := func(name, text string) string {
		write(t, dir, name, text)
		gitCLI(t, dir, "add", "-A")
		gitCLI(t, dir, "commit", "-q", "-m", name)
		return gitCLI(t, dir, "rev-parse", "HEAD")
	}
	commit("layers/common/a.py", "1\n")
	touched := commit("layers/common/a.py", "2\n")
	commit("layers/other/b.py", "1\n")
	commit("README.md", "y\n")
	shallow := filepath.Join(t.TempDir(), "shallow")
	gitCLI(t, dir, "clone", "-q", "--depth", "2", "file://"+dir, shallow)
	deeper := filepath.Join(t.TempDir(), "deeper")
	gitCLI(t, dir, "clone", "-q", "--depth", "4", "file://"+dir, deeper)
	for _, tt := range []struct{ name, folder, want string }{
		{"a folder", filepath.Join(dir, "layers/common"), touched},
		{"seen from below", filepath.Join(dir, "layers/other/../common"), touched},
		{"shallow: it may be older", filepath.Join(shallow, "layers/common"), ""},
		{"shallow, and deep enough", filepath.Join(deeper, "layers/common"), touched},
		{"no repository", t.TempDir(), ""},
		{"in no commit", filepath.Join(dir, "nowhere"), ""},
	} {
		c, err := LastChange(tt.folder)
		if err != nil || c.Hash != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, c.Hash, err, tt.want)
		}
	}
	c, err := LastChange(filepath.Join(dir, "layers/common"))
	if err != nil || !c.Holds("a.py", []byte("2\n")) || c.Holds("a.py", []byte("3\n")) || c.Holds("b.py", nil) {
		t.Errorf("what it holds: %+v, %v", c, err)
	}
}

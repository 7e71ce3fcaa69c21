package gitrepo

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// subjects are those of a past, a "?" behind what cannot be read.
func subjects(p Past) string {
	var list []string
	for _, c := range p.Commits {
		if c.Files == nil {
			c.Subject += "?"
		}
		list = append(list, c.Subject)
	}
	return strings.Join(list, " ")
}

// H2: who asked for a version is found in the past of the branch, along its first
// parents, by whatever way the repository is reached and however shallow it is.
func TestH2ThePastOfABranch(t *testing.T) {
	dir := worktree(t, map[string]string{"README.md": "x\n"})
	gitCLI(t, dir, "commit", "-q", "--amend", "-m", "first")
	for i := range 4 {
		write(t, dir, "gitops/environments/prod.yaml", fmt.Sprintf("layers: {x: %d}\n", i/2))
		gitCLI(t, dir, "add", "-A")
		gitCLI(t, dir, "commit", "-q", "--allow-empty", "-m", fmt.Sprint("c", i))
	}
	gitCLI(t, dir, "checkout", "-q", "-b", "side", "HEAD~2")
	gitCLI(t, dir, "commit", "-q", "--allow-empty", "-m", "aside")
	gitCLI(t, dir, "checkout", "-q", "main")
	gitCLI(t, dir, "merge", "-q", "--no-ff", "-m", "merge", "side")
	at := func(rev string) string { return gitCLI(t, dir, "rev-parse", rev) }
	shallow := filepath.Join(t.TempDir(), "shallow")
	gitCLI(t, dir, "clone", "-q", "--depth", "2", "file://"+dir, shallow)

	remote := open(t, Options{URL: backend(t, dir, nil), Path: "gitops"})
	local := open(t, Options{URL: dir, Path: "gitops"})
	for _, tt := range []struct {
		name  string
		read  func(hash string, most int) (Past, error)
		hash  string
		most  int
		want  string
		whole bool
	}{
		{"all, fetched", func(h string, n int) (Past, error) { return remote.Past(t.Context(), h, n) }, at("HEAD"), 20, "merge c3 c2 c1 c0 first?", true},
		{"some, fetched", func(h string, n int) (Past, error) { return remote.Past(t.Context(), h, n) }, at("HEAD"), 3, "merge c3 c2", false},
		{"the branch has moved on", func(h string, n int) (Past, error) { return remote.Past(t.Context(), h, n) }, at("HEAD~2"), 20, "c2 c1 c0 first?", true},
		{"it is not in the branch", func(h string, n int) (Past, error) { return remote.Past(t.Context(), h, n) }, at("side"), 20, "", false},
		{"all, on this machine", func(h string, n int) (Past, error) { return local.Past(t.Context(), h, n) }, at("HEAD"), 20, "merge c3 c2 c1 c0 first?", true},
		{"a folder", func(h string, n int) (Past, error) { return DirPast(filepath.Join(dir, "gitops"), h, n) }, at("HEAD"), 20, "merge c3 c2 c1 c0 first?", true},
		{"a folder that was edited", func(h string, n int) (Past, error) { return DirPast(filepath.Join(dir, "gitops"), h+dirty, n) }, at("HEAD"), 2, "merge c3", false},
		{"a shallow clone", func(h string, n int) (Past, error) { return DirPast(shallow, h, n) }, at("HEAD"), 20, "merge c3", false},
		{"no repository", func(h string, n int) (Past, error) { return DirPast(t.TempDir(), h, n) }, at("HEAD"), 20, "", false},
	} {
		past, err := tt.read(tt.hash, tt.most)
		if err != nil || subjects(past) != tt.want || past.Whole != tt.whole {
			t.Errorf("%s: %s, whole %v, %v; want %s, %v", tt.name, subjects(past), past.Whole, err, tt.want, tt.whole)
		}
		for i := 1; i < len(past.Commits); i++ {
			if past.Commits[i-1].Parent != past.Commits[i].Hash {
				t.Errorf("%s: the parent of %s is %s", tt.name, past.Commits[i-1].Subject, past.Commits[i-1].Parent)
			}
		}
	}
	past, err := local.Past(t.Context(), at("HEAD"), 20)
	if err != nil || past.Commits[1].Tree != past.Commits[2].Tree || past.Commits[2].Tree == past.Commits[3].Tree {
		t.Errorf("trees of the same files differ, or of others do not: %v", err)
	}
}

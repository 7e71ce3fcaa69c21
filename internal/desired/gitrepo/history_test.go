package gitrepo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// branchy is a repository whose layer changed on main and on branches.
type branchy struct {
	testing.TB
	dir string
}

func newBranchy(t *testing.T) branchy {
	b := branchy{t, worktree(t, map[string]string{"README.md": "x\n"})}
	b.commit("layers/common/VERSION", "1.4.2\n", "release")
	b.git("tag", "common/v1.4.2")
	return b
}

func (b branchy) git(args ...string) string { return gitCLI(b, b.dir, args...) }

func (b branchy) commit(name, text, message string) string {
	write(b, b.dir, name, text)
	b.git("add", "-A")
	b.git("commit", "-q", "-m", message)
	return b.git("rev-parse", "HEAD")
}

func (b branchy) open() *History {
	b.Helper()
	h, err := OpenHistory(filepath.Join(b.dir, "layers/common"), "VERSION")
	if err != nil {
		b.Fatal(err)
	}
	return h
}

func (b branchy) subjects(since string) []string {
	b.Helper()
	list, err := b.open().Changes(since)
	if err != nil {
		b.Fatal(err)
	}
	var subjects []string
	for _, c := range list {
		subject, _, _ := strings.Cut(c.Message, "\n")
		subjects = append(subjects, subject)
	}
	return subjects
}

func TestChangesSinceATag(t *testing.T) {
	b := newBranchy(t)
	tagged := b.git("rev-parse", "HEAD")
	b.commit("layers/other/a.py", "1\n", "feat: another layer")
	b.commit("layers/common/a.py", "1\n", "fix: one")
	b.git("checkout", "-q", "-b", "topic")
	b.commit("layers/common/b.py", "1\n", "feat: two")
	b.git("checkout", "-q", "main")
	b.commit("README.md", "y\n", "docs: elsewhere")
	b.git("merge", "-q", "--no-ff", "-m", "Merge topic", "topic")
	b.commit("layers/common/VERSION", "1.5.0\n", "chore: 1.5.0")
	if got, want := b.subjects(tagged), []string{"feat: two", "fix: one"}; !slices.Equal(got, want) {
		t.Errorf("changed by %q, want %q", got, want)
	}
	// A merge that changes the folder itself is a change of its own.
	b.git("checkout", "-q", "-b", "other", "HEAD~1")
	b.commit("layers/common/a.py", "2\n", "fix: on a branch")
	b.git("checkout", "-q", "main")
	b.commit("layers/common/c.py", "2\n", "fix: on main")
	b.git("merge", "-q", "--no-commit", "--no-ff", "other")
	b.commit("layers/common/a.py", "3\n", "Merge by hand")
	if got := b.subjects(b.git("rev-parse", "HEAD~2")); !slices.Contains(got, "Merge by hand") || len(got) != 3 {
		t.Errorf("changed by %q, want the merge as well", got)
	}
	// All of it in packs, from a linked working tree, is the same.
	all := b.subjects("")
	b.git("gc", "-q", "--prune=now")
	linked := filepath.Join(t.TempDir(), "linked")
	b.git("worktree", "add", "-q", "--detach", linked)
	if got := (branchy{b.TB, linked}).subjects(""); !slices.Equal(got, all) {
		t.Errorf("packed and linked: %q, want %q", got, all)
	}
}

func TestTagsOfALayer(t *testing.T) {
	b := newBranchy(t)
	b.git("checkout", "-q", "-b", "hotfix")
	b.commit("layers/common/a.py", "1\n", "fix: hot")
	b.git("tag", "-a", "-m", "hot", "common/v1.4.3")
	b.git("checkout", "-q", "main")
	b.git("tag", "commoner/v9.0.0")
	b.git("pack-refs", "--all")
	b.git("tag", "-a", "-m", "again", "common/v1.4.2-again")
	tags, err := b.open().Tags("common/v")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, tag := range tags {
		got = append(got, tag.Name)
		if tag.Past != (tag.Name != "common/v1.4.3") || len(tag.Commit) != 40 {
			t.Errorf("%+v", tag)
		}
	}
	if want := []string{"common/v1.4.2", "common/v1.4.2-again", "common/v1.4.3"}; !slices.Equal(got, want) {
		t.Errorf("tags %q, want %q", got, want)
	}
}

func TestSinceWhenAFileIsSo(t *testing.T) {
	b := newBranchy(t)
	b.git("checkout", "-q", "-b", "release")
	b.commit("layers/common/VERSION", "1.5.0\n", "1.5.0")
	b.git("checkout", "-q", "main")
	b.commit("layers/common/a.py", "1\n", "fix: meanwhile")
	b.git("merge", "-q", "--no-ff", "-m", "Merge release", "release")
	merged := b.git("rev-parse", "HEAD")
	b.commit("layers/common/a.py", "2\n", "fix: after")
	text, since, err := b.open().File("VERSION")
	if string(text) != "1.5.0\n" || since != merged || err != nil {
		t.Errorf("got %q since %s, %v; want it since the merge %s", text, since, err, merged)
	}
	if text, since, err := b.open().File("nothing"); text != nil || since != "" || err != nil {
		t.Errorf("a file that is not there: %q, %q, %v", text, since, err)
	}
}

func TestShallowHistoryIsRefused(t *testing.T) {
	b := newBranchy(t)
	b.commit("layers/common/a.py", "1\n", "fix: one")
	shallow := filepath.Join(t.TempDir(), "shallow")
	b.git("clone", "-q", "--depth", "1", "file://"+b.dir, shallow)
	_, err := OpenHistory(filepath.Join(shallow, "layers/common"), "VERSION")
	if err == nil || !strings.Contains(err.Error(), "fetch-depth: 0") {
		t.Errorf("got %v, want what to fetch", err)
	}
}

func TestUncommitted(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(b branchy)
		want string
	}{
		"clean":           {func(branchy) {}, ""},
		"edited":          {func(b branchy) { write(b, b.dir, "README.md", "y\n") }, "README.md"},
		"gone":            {func(b branchy) { b.git("rm", "-q", "README.md") }, "README.md"},
		"new":             {func(b branchy) { write(b, b.dir, "layers/common/new.py", "y\n") }, "layers/common/new.py"},
		"new and staged":  {func(b branchy) { write(b, b.dir, "new", "y\n"); b.git("add", "new") }, "new"},
		"other line ends": {func(b branchy) { write(b, b.dir, "README.md", "x\r\n") }, ""},
		"ignored": {func(b branchy) {
			b.commit(".gitignore", "dist/\n*.pyc\n", "ignore")
			write(b, b.dir, "dist/a", "")
			write(b, b.dir, "x/a.pyc", "")
		}, ""},
		"ignored by this tree": {func(b branchy) { write(b, b.dir, ".git/info/exclude", "# own\nmine\n"); write(b, b.dir, "mine", "") }, ""},
		"tracked and ignored": {func(b branchy) {
			b.commit(".gitignore", "VERSION\n", "ignore")
			write(b, b.dir, "layers/common/VERSION", "9.9.9\n")
		}, "layers/common/VERSION"},
		"another repository": {func(b branchy) { write(b, b.dir, "inner/.git/HEAD", "x"); write(b, b.dir, "inner/a", "x") }, ""},
		"a link":             {func(b branchy) { b.link("README.md", "link"); b.git("add", "-A"); b.git("commit", "-qm", "link") }, ""},
		"a link elsewhere": {func(b branchy) {
			b.link("README.md", "link")
			b.git("add", "-A")
			b.git("commit", "-qm", "link")
			b.link("x", "link")
		}, "link"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBranchy(t)
			tt.do(b)
			if got, err := b.open().Uncommitted(); got != tt.want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func (b branchy) link(to, name string) {
	_ = os.Remove(filepath.Join(b.dir, name))
	if err := os.Symlink(to, filepath.Join(b.dir, name)); err != nil {
		b.Fatal(err)
	}
}

func TestTagging(t *testing.T) {
	b := newBranchy(t)
	h := b.open()
	now := time.Unix(1800000000, 0).UTC()
	if err := h.Tag("common/v1.5.0", "common 1.5.0", Tagger{"A", "a@example.com"}, now); err != nil {
		t.Fatal(err)
	}
	if err := h.Tag("common/v1.5.1", "common 1.5.1", Tagger{}, now); err != nil {
		t.Fatal(err)
	}
	if got := b.git("cat-file", "-t", "common/v1.5.0") + " " + b.git("cat-file", "-t", "common/v1.5.1"); got != "tag commit" {
		t.Errorf("types are %q", got)
	}
	if b.git("rev-parse", "common/v1.5.0^{commit}") != h.Head() || b.git("rev-parse", "common/v1.5.1") != h.Head() {
		t.Error("a tag is not on HEAD")
	}
	if got := b.git("fsck", "--no-progress", "--strict"); strings.Contains(got, "error") {
		t.Error(got)
	}
	for _, name := range []string{"common/v1.5.0", "common/v1.4.2", "common", "common/v1.4.2/x"} {
		if err := h.Tag(name, "x", Tagger{}, now); err == nil || !strings.Contains(err.Error(), "there is a tag") {
			t.Errorf("%s: %v, want that there is one", name, err)
		}
	}
}

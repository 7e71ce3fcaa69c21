package gitrepo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSettings(t *testing.T) {
	for text, want := range map[string]settings{
		"":                                       {},
		"[core]\n\tbare = false\n\tignoreCase\n": {"core.bare": {"false"}, "core.ignorecase": {"true"}},
		"\ufeff[Core]\r\n\tBARE = true \r\n":     {"core.bare": {"true"}},
		"[remote \"origin\"]\n url = https://h/x # c\n": {"remote.origin.url": {"https://h/x"}},
		"[remote \"Or\\\"igin\"] url=\"a b \" ; c\n":    {"remote.Or\"igin.url": {"a b "}},
		"[a.B]x=1\n":                           {"a.b.x": {"1"}},
		"[a]x=1\\\n2\n[b]\ny=3":                {"a.x": {"12"}, "b.y": {"3"}},
		"[a]\nx = one  two\t\ny=\nz = \"#\"\n": {"a.x": {"one  two"}, "a.y": {""}, "a.z": {"#"}},
		"[a]\nx=1\nx=2\n":                      {"a.x": {"1", "2"}},
		"[a\nx=1\n[b]y=2\n":                    {"b.y": {"2"}},
		"<<<<<<< HEAD\n[a]\n=======\nx=1\n>>>>>>> b\ny z w\nq=\"open\nr=\\q\n": {"a.x": {"1"}},
		"x=1\n[]\n[\"\"]\n[a \"b\nx=2\n\x00\n":                                 {},
	} {
		file := filepath.Join(t.TempDir(), "config")
		check(t, os.WriteFile(file, []byte(text), 0o600))
		got := settings{}
		readSettings(got, file, 0)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestSettingsOfIncludedFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	write(t, dir, "config", "[include]\npath = more\npath = ~/home\npath = nothing\n[include]\npath = config\n")
	write(t, dir, "more", "[a]x=1\n")
	write(t, dir, "home", "[a]x=2\n")
	got := settings{}
	readSettings(got, filepath.Join(dir, "config"), 0)
	if got.last("a.x") != "2" {
		t.Errorf("read %v", got)
	}
}

// git reads what we read, whatever the values are.
func TestSettingsAgreeWithGit(t *testing.T) {
	dir := worktree(t, map[string]string{"a": "a"})
	file := filepath.Join(dir, ".git", "config")
	for i, value := range []string{"plain", " spaces ", "a # b", "a;b", `q"uo"te`, `back\slash`, "line\nend", "tab\t", "日本語", ""} {
		key := "x." + strings.Repeat("s", i+1) + ".Key"
		gitCLI(t, dir, "config", key, value)
		got := settings{}
		readSettings(got, file, 0)
		if got.last("x."+strings.Repeat("s", i+1)+".key") != value {
			t.Errorf("%q is read as %q", value, got.last("x."+strings.Repeat("s", i+1)+".key"))
		}
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("[a \"b\"]\nc = \"d\\n\" # e\n")
	f.Add("[a\n\\")
	f.Fuzz(func(t *testing.T, text string) {
		p := configParser{rest: text}
		for p.rest != "" {
			before := len(p.rest)
			p.next()
			if len(p.rest) >= before {
				t.Fatalf("stands still at %q", p.rest)
			}
		}
	})
}

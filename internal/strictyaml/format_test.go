package strictyaml

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProblemJSON(t *testing.T) {
	p := Problem{Position: Position{File: "environments/prod.yaml", Line: 4, Column: 3, Length: 7}, Code: "unknown_key", Message: "m", Severity: Error, Environment: "prod"}
	got, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"code":"unknown_key","file":"environments/prod.yaml","line":4,"column":3,"message":"m","suggestion":"","severity":"error"}`
	if string(got) != want {
		t.Errorf("have %s\nwant %s", got, want)
	}
}

// Text from the repository must not end an annotation or begin another.
func TestFormatGitHub(t *testing.T) {
	var b bytes.Buffer
	err := FormatGitHub(&b, []Problem{
		{Position: Position{File: "environments/a,b:c.yaml", Line: 4, Column: 3, Length: 7}, Code: "unknown_key", Message: "50%: x\n::error::y", Suggestion: "z", Severity: Error},
		{Code: "no_environment", Message: "none", Severity: Warning},
		{Position: Position{File: "python/types"}, Code: "shadows_stdlib", Message: "of the whole file", Severity: Error},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "::error file=environments/a%2Cb%3Ac.yaml,line=4,col=3,endColumn=10,title=unknown_key::50%25: x\\n::error::y%0Ahelp: z\n" +
		"::warning title=no_environment::none\n" +
		"::error file=python/types,title=shadows_stdlib::of the whole file\n"
	if diff := cmp.Diff(b.String(), want); diff != "" {
		t.Errorf("annotations (-have +want):\n%s", diff)
	}
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("あ", 300)
	for _, tt := range []struct {
		name, line     string
		column, length int
		shown, below   string
	}{
		{"narrow", "abc: def", 6, 3, "abc: def", "     ^^^"},
		{"wide", "日本: 値段", 5, 2, "日本: 値段", "      ^^^^"},
		{"tabs", "\ta: b", 5, 1, "    a: b", "       ^"},
		{"past the end", "a:", 3, 1, "a:", "  ^"},
		{"beyond the line", "a: b", 4, 99, "a: b", "   ^"},
		{"control characters", "a: \x1b[31mx", 9, 1, `a: \x1b[31mx`, "           ^"},
		{"the end of a long line", long, 300, 1, "…" + strings.Repeat("あ", 11), strings.Repeat(" ", 21) + "^^"},
		{"the start of a long line", long, 1, 1, strings.Repeat("あ", 29) + "…", "^^"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			shown, before, marks := excerpt([]rune(tt.line), tt.column, tt.length, 60)
			if diff := cmp.Diff([]string{shown, before + marks}, []string{tt.shown, tt.below}); diff != "" {
				t.Errorf("excerpt (-have +want):\n%s", diff)
			}
		})
	}
}

// What is in no file has no place to look at.
func TestBrief(t *testing.T) {
	p := Problem{Position: Position{File: "layerd.yaml", Line: 4, Column: 3}, Message: "m"}
	if got, want := p.Brief(), "layerd.yaml:4:3: m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.Position = Position{}
	if got := p.Brief(); got != "m" || p.Place() != "" {
		t.Errorf("got %q at %q", got, p.Place())
	}
}

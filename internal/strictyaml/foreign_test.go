package strictyaml

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/foreign/foreigntest"
)

var annotation = regexp.MustCompile(`^::(?:error|warning) [^:]*::`)

// FuzzFormat: T1, T2. What a file says is shown beside what is wrong with it, hides
// nothing and commands nobody; the marks stand below the place at any width.
func FuzzFormat(f *testing.F) {
	foreigntest.Seed(f)
	f.Fuzz(func(t *testing.T, picks []byte, line string) {
		text := foreigntest.Compose(picks)
		problems := []Problem{
			{Position: Position{File: "f", Line: 1, Column: len(line)%9 + 1, Length: 3}, Code: "c", Message: "m", Suggestion: "s", Severity: Error},
			{Position: Position{File: text, Line: 1, Column: 3}, Code: "c", Message: "m", Severity: Warning},
		}
		foreigntest.Poison(&problems, text)
		file := func(string) []byte { return []byte(text + line + text) }
		for _, look := range []Look{{}, {Width: 40}, {Width: 80, Color: true}} {
			var b bytes.Buffer
			if err := FormatText(&b, file, problems, look); err != nil {
				t.Fatal(err)
			}
			if err := foreigntest.Seen(b.String()); err != nil {
				t.Errorf("%+v: %v", look, err)
			}
			for line := range strings.Lines(b.String()) {
				if excerpt, cut := strings.CutPrefix(line, "1 | "); cut && look.Width > 0 && !look.Color && foreign.Width(excerpt) > look.Width {
					t.Errorf("wider than %d: %q", look.Width, line)
				}
			}
		}
		var b bytes.Buffer
		if err := FormatGitHub(&b, problems); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if !annotation.MatchString(line) || strings.Contains(line, "##[") || foreigntest.Seen(line) != nil {
				t.Errorf("%q", line)
			}
		}
		if n := strings.Count(b.String(), "\n"); n != 2 {
			t.Errorf("%d lines:\n%s", n, b.String())
		}
	})
}

// An excerpt is never wider than its room, and its marks stand below the place.
func TestExcerptFits(t *testing.T) {
	line := []rune("key: 値段 aaaa\tbbbb 日本語の長い文章 \x1b[8m " + strings.Repeat("x あ", 60))
	for _, room := range []int{24, 36, 75, 180} {
		for column := 1; column <= len(line)+1; column++ {
			shown, before, marks := excerpt(line, column, 4, room)
			if w := foreign.Width(shown); w > room {
				t.Fatalf("room %d, column %d: %d wide: %s", room, column, w, shown)
			}
			at := foreign.Width(before)
			if w := foreign.Width(shown); at > w || at+len(marks) > w+1 {
				t.Fatalf("room %d, column %d: the marks stand beside it:\n%s\n%s%s", room, column, shown, before, marks)
			}
		}
	}
}

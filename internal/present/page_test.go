package present

import (
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"
)

func TestLine(t *testing.T) {
	tests := []struct {
		name, text string
		want       string
	}{
		{"fits", "one two three", "  one two three\n"},
		{"spaces are kept", "one  two", "  one  two\n"},
		{"wraps without a trailing space", "one two  three four five", "  one two  three\n    four five\n"},
		{"a long name stands out", "see makoto-very-long-function-name-prod now", "  see\n    makoto-very-long-function-name-prod\n    now\n"},
		{"wide characters count twice", "共通ライブラ リ一覧", "  共通ライブラ\n    リ一覧\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &Page{Width: 18}
			p.Line(2, 2, tt.text)
			if diff := cmp.Diff(p.String(), tt.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
}

func TestLineWithoutAWidth(t *testing.T) {
	p, text := &Page{}, strings.Repeat("one two ", 40)+"three"
	p.Line(2, 2, text)
	if got := p.String(); got != "  "+text+"\n" {
		t.Errorf("broken: %q", got)
	}
}

// A colour is no column, and control characters never reach the terminal.
func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"plain 日本":                    "plain 日本",
		"\x1b[31mred\x1b[0m":          "\x1b[31mred\x1b[0m",
		"gone\x1b[2J\r\nline\x07\x9b": "gone\uFFFD[2J\uFFFD\uFFFDline\uFFFD\uFFFD",
		"\x1b]0;title\x07":            "\uFFFD]0;title\uFFFD",
	} {
		if got := Harmless(text); strings.ToValidUTF8(got, "\uFFFD") != want {
			t.Errorf("Harmless(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestPad(t *testing.T) {
	for _, s := range []string{"", "abc", "関数", "関数-1", Palette{On: true}.Good("関数")} {
		if got := lipgloss.Width(Pad(s, 8)); got != 8 {
			t.Errorf("pad(%q) has %d columns", s, got)
		}
		if got := lipgloss.Width(padLeft(s, 8)); got != 8 {
			t.Errorf("padLeft(%q) has %d columns", s, got)
		}
	}
}

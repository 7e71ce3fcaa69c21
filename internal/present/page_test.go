package present

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/history"
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
		{"Japanese breaks anywhere", "共通ライブラリを確認してください", "  共通ライブラリを\n    確認してくださ\n    い\n"},
		{"but not before a full stop", "共通ライブラリを確認、公開。", "  共通ライブラリを\n    確認、公開。\n"},
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

// T3: what others wrote is cleaned first and styled after: only colours of ours are
// left, whatever way in it takes.
func TestT3CleanFirstStyleAfter(t *testing.T) {
	const evil = "year end \x1b[8m\nlayerd: fine \u202e\u009b8m\x1b[0m"
	const seen = `year end \x1b[8m\nlayerd: fine \u202e\u009b8m\x1b[0m`
	for _, on := range []bool{false, true} {
		p := &Page{Palette: Palette{On: on}}
		p.Line(0, 0, evil)
		p.Linef(0, "%s %s %v", p.Bad(evil), evil, errors.New(evil))
		p.Hangf(0, 0, "%s", p.mark(history.Entry{})+p.Held(evil))
		p.Ends(p.Bold(evil), p.Faint(evil))
		p.Copy(0, evil)
		text := p.String()
		if n := strings.Count(text, seen); n != 8 || strings.Count(text, "\n") != 5 {
			t.Errorf("on %t: seen %d times in\n%q", on, n, text)
		}
		ours := regexp.MustCompile("\x1b\\[(?:1|2|3[0-7])?m").ReplaceAllString(text, "")
		if strings.ContainsAny(ours, "\x1b\u009b\u202e") || !on && ours != text {
			t.Errorf("on %t: hidden in\n%q", on, text)
		}
	}
}

func TestPad(t *testing.T) {
	for _, s := range []foreign.Styled{"", "abc", "関数", "関数-1", Palette{On: true}.Good("関数")} {
		if got := foreign.Width(string(Pad(s, 8))); got != 8 {
			t.Errorf("pad(%q) has %d columns", s, got)
		}
		if got := foreign.Width(padLeft(string(s), 8)); got != 8 {
			t.Errorf("padLeft(%q) has %d columns", s, got)
		}
	}
}

// Package foreigntest has what others may write at its worst, puts it into every
// field of a value, and says what must hold of what is shown then.
//
//	foreigntest.Poison(&report, picks)
//	err := foreigntest.Seen(present.Text(report, options))
//
// It is for tests only.
package foreigntest

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/layerd/layerd/internal/foreign"
)

// hostile are pieces of which texts of others are made here.
var hostile = []string{
	"\x1b[8m", "\u009b8m", "\x9b8m", "\x1b]0;t\x07", "\r", "\n", "\b", "\x00", "\x7f", "\t", "\u202e", "\u2066", "\u200b", "\ufeff", "\U000e0041",
	"\xff", "\xf0\x9f", "\u2028", "\u2029", "\u0085", strings.Repeat("\u0301", 40), "\u200d", "\ufe0f", "::error::x", "::stop-commands::y", "##[group]z",
	"##vso[task.x]", "%0A", "%", "@org/team", "@here", "<!channel>", "<@U1>", "&lt;", "<b>", "</details>", "<!--", "-->", "`", "```", "~~~", "|", "[a](http://x)",
	"![i](x)", "http://x.example", "www.x.example", "#12", "org/repo#3", "GH-4", ":+1:", "$x$", "*b*", "_i_", "~s~", "\\", "- [ ] ", "> ", "# ", "1. ", "===",
	"=1+1", "+1", "-1", "@SUM(A1)", "\"=x", "'=x", "＝x", " ", "  ", "plain", "日本語の文", "👩🏻‍🚀", "é", "x",
}

// Compose returns a text of hostile pieces.
func Compose(picks []byte) string {
	var b strings.Builder
	for _, p := range picks {
		b.WriteString(hostile[int(p)%len(hostile)])
	}
	return b.String()
}

// Seed adds to a fuzz target every piece alone, beside others, and behind a word.
func Seed(f *testing.F) {
	for i := range hostile {
		f.Add([]byte{byte(i)}, "")
		f.Add([]byte{byte(i), byte(i + 1), byte(i)}, "x")
		f.Add([]byte{67, 70, byte(i)}, "a b")
	}
}

// SeedFew adds every piece to a target that takes long, five in a text.
func SeedFew(f *testing.F) {
	for _, picks := range few() {
		f.Add(picks, "a b")
	}
}

// Texts returns every piece, five in a text, for a test that is no fuzz target.
func Texts() []string {
	var texts []string
	for _, picks := range few() {
		texts = append(texts, Compose(picks))
	}
	return texts
}

func few() (list [][]byte) {
	for i := 0; i < len(hostile); i += 5 {
		b := byte(i)
		list = append(list, []byte{b, 67, b + 1, b + 2, 66, b + 3, b + 4}, []byte{b + 4, b})
	}
	return list
}

// enumerations are texts that nobody else writes.
var enumerations = []string{"Kind", "By", "Cause", "Status", "Stage", "Severity", "Verdict"}

// Poison puts text into every exported text that value, a pointer, holds, also in
// what it points to: in front of it or instead, by turns.
func Poison(value any, text string) {
	turn := 0
	poison(reflect.ValueOf(value), text, &turn)
}

func poison(v reflect.Value, text string, turn *int) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && !strings.HasPrefix(v.Type().Elem().PkgPath(), "time") {
			poison(v.Elem(), text, turn)
		}
	case reflect.Interface:
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.CanSet() {
				poison(f, text, turn)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			poison(v.Index(i), text, turn)
		}
	case reflect.String:
		if slices.Contains(enumerations, v.Type().Name()) {
			return
		}
		if *turn++; *turn%2 == 0 && v.String() != "" {
			text = v.String() + " " + text
		}
		v.SetString(text)
	}
}

// ours are the colours that a terminal is shown.
var ours = regexp.MustCompile("\x1b\\[(?:[12]|(?:1;)?3[0-7]|)m")

// Seen returns nil when each character of a text of many lines is seen, but for
// colours of ours.
func Seen(text string) error {
	for line := range strings.Lines(ours.ReplaceAllString(text, "")) {
		line = strings.TrimSuffix(line, "\n")
		if !utf8.ValidString(line) {
			return fmt.Errorf("not UTF-8: %q", line)
		}
		if clean := foreign.Clean(line); clean != line {
			return fmt.Errorf("%q is not clean, %q is", line, clean)
		}
	}
	return nil
}

// IsCommand reports whether GitHub's runner, or another like it, finds a command in a
// line.
func IsCommand(line string) bool {
	return strings.HasPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::") || strings.Contains(line, "##[") || strings.Contains(line, "##vso[")
}

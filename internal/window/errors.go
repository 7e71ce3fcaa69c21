package window

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A ParseError is what is wrong with a text that a user wrote, where, and what
// to write instead.
type ParseError struct {
	Field      string // which argument: window, cron, duration, timezone, from, until or every
	Text       string // that argument as it was written
	Offset     int    // in bytes, of the place in Text; len(Text) when something is missing at the end
	Problem    string // lower case, without Text
	Suggestion string // what to write instead; empty when there is no good guess
}

func (e *ParseError) Error() string {
	s := fmt.Sprintf("%s %q: %s", e.Field, e.Text, e.Problem)
	if e.Suggestion != "" {
		s += fmt.Sprintf("; write %q", e.Suggestion)
	}
	return s
}

// Rune returns Offset counted in characters, which is how editors and YAML
// parsers count columns. The first character is 0.
func (e *ParseError) Rune() int {
	return utf8.RuneCountInString(e.Text[:min(e.Offset, len(e.Text))])
}

// foreign returns the problem with the first character of text that is not
// ASCII, or nil. A Japanese keyboard makes such characters look right: the space
// U+3000, the colon U+FF1A, full-width digits, the wave dash. So the character is
// named, and the suggestion is the whole text in ASCII where that is possible.
func foreign(field, text string) *ParseError {
	for i, r := range text {
		if r >= ' ' && r < utf8.RuneSelf-1 {
			continue
		}
		e := &ParseError{Field: field, Text: text, Offset: i}
		size := utf8.RuneLen(r)
		switch {
		case r == utf8.RuneError || size < 0:
			e.Problem = "not a character of UTF-8 text"
			return e
		case ascii(r) == "":
			e.Problem = fmt.Sprintf("unexpected character %q (%U)", r, r)
		case r < ' ':
			e.Problem = fmt.Sprintf("character %q (%U) must be a space", r, r)
		default:
			e.Problem = fmt.Sprintf("character %q (%U) must be the ASCII %q", r, r, ascii(r))
		}
		e.Suggestion = toASCII(text)
		return e
	}
	return nil
}

// toASCII rewrites a text of full-width characters and Japanese day names in
// ASCII, or returns "" when something is left over.
func toASCII(text string) string {
	text = strings.NewReplacer("毎月", "", "翌日", "", "翌", "", "・", ",", "最終", "last ",
		"第1", "first ", "第１", "first ", "第一", "first ", "第2", "second ", "第２", "second ", "第二", "second ",
		"第3", "third ", "第３", "third ", "第三", "third ", "第4", "fourth ", "第４", "fourth ", "第四", "fourth ",
		"第5", "fifth ", "第５", "fifth ", "第五", "fifth ").Replace(text)
	for _, r := range []struct{ japanese, english string }{
		{"毎日", "daily "}, {"平日", "Mon-Fri "}, {"週末", "Sat,Sun "},
		{"月曜", "Mon"}, {"火曜", "Tue"}, {"水曜", "Wed"}, {"木曜", "Thu"},
		{"金曜", "Fri"}, {"土曜", "Sat"}, {"日曜", "Sun"},
	} {
		text = strings.ReplaceAll(text, r.japanese+"日", r.english+" ")
		text = strings.ReplaceAll(text, r.japanese, r.english+" ")
	}
	var b strings.Builder
	for _, r := range text {
		s := ascii(r)
		if s == "" {
			return ""
		}
		b.WriteString(s)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// ascii returns what a character was meant to be, itself when it is ASCII, and
// "" when that is not known.
func ascii(r rune) string {
	switch {
	case r >= ' ' && r < utf8.RuneSelf-1:
		return string(r)
	case r >= '！' && r <= '～' && r != '～': // the full-width forms of ASCII
		return string(r - '！' + '!')
	case strings.ContainsRune("〜～‐‑‒–—―−ー", r):
		return "-"
	case strings.ContainsRune("、，", r):
		return ","
	case strings.ContainsRune("\t\n\r\u00a0\u2002\u2003\u2009\u202f\u3000", r):
		return " "
	}
	return ""
}

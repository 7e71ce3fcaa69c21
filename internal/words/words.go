// Package words is how numbers, versions, moments and lengths of time are
// written for people, so that the terminal, Slack, the page and a plan's reasons
// use the same words for the same thing.
//
//	words.Count(2, "function")           // 2 functions
//	words.Version(12, "1.4.1")           // 12 (1.4.1)
//	words.Moment(t, tokyo)               // Sat 2026-11-28 02:00 JST
//	words.Span(3*time.Hour+12*time.Minute) // 3h12m
//	words.ShellQuote("my repo")            // 'my repo'
//
// It knows nothing of layers, plans or colours. Every function is a function of
// its arguments.
package words

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/foreign"
)

// moment is with the day of the week, because windows are about weekdays, and
// with the zone, because readers sit in several.
const moment = "Mon 2006-01-02 15:04 MST"

// Count returns "1 function" and "2 functions".
func Count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s") || strings.HasSuffix(noun, "x"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Plural returns one or many with the number in front, where a noun alone does
// not do: "1 function has", "2 functions have".
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Version returns a live version number as people compare it: "12 (1.4.1)",
// "12" when no semantic version is known, "none" for the number 0.
func Version(n int64, semver string) string {
	switch {
	case n == 0:
		return "none"
	case semver == "":
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%d (%s)", n, semver)
}

// NewVersion is Version for one that has no number yet: "new (1.4.2)".
func NewVersion(semver string) string {
	if semver == "" {
		return "new"
	}
	return fmt.Sprintf("new (%s)", semver)
}

// Moment returns an instant in a zone; nil is UTC.
func Moment(t time.Time, zone *time.Location) string { return format(in(t, zone), moment) }

// Clock returns the weekday and the time of a near instant: "Sat 02:00 JST".
func Clock(t time.Time, zone *time.Location) string { return format(in(t, zone), "Mon 15:04 MST") }

// Until returns Moment and how far away it is.
func Until(t, now time.Time, zone *time.Location) string {
	if !t.After(now) {
		return Moment(t, zone)
	}
	return fmt.Sprintf("%s (in %s)", Moment(t, zone), Span(t.Sub(now)))
}

// Opening returns a time with an end: "Sat 2026-11-28 02:00-06:00 JST".
func Opening(start, end time.Time, zone *time.Location) string {
	start, end = in(start, zone), in(end, zone)
	if start.Format(time.DateOnly+"MST") != end.Format(time.DateOnly+"MST") {
		return format(start, moment) + " to " + format(end, moment)
	}
	return start.Format("Mon 2006-01-02 15:04") + format(end, "-15:04 MST")
}

// format is t.Format, with a name for zones that have none: "14:00 -03" reads as
// anything but a zone.
func format(t time.Time, layout string) string {
	if name, _ := t.Zone(); strings.HasPrefix(name, "-") || strings.HasPrefix(name, "+") {
		layout = strings.Replace(layout, "MST", "UTC-07:00", 1)
	}
	return t.Format(layout)
}

func in(t time.Time, zone *time.Location) time.Time {
	if zone == nil {
		return t.UTC()
	}
	return t.In(zone)
}

// Span returns a length of time, rounded to its two largest units of days, hours
// and minutes: "3d4h", "3h12m", "12m", "40s".
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
	d = d.Round(time.Minute)
	parts := []struct {
		n    int
		unit string
	}{{int(d / (24 * time.Hour)), "d"}, {int(d/time.Hour) % 24, "h"}, {int(d/time.Minute) % 60, "m"}}
	for len(parts) > 1 && parts[0].n == 0 {
		parts = parts[1:]
	}
	text := strconv.Itoa(parts[0].n) + parts[0].unit
	if len(parts) > 1 && parts[1].n > 0 {
		text += strconv.Itoa(parts[1].n) + parts[1].unit
	}
	return text
}

// Duration returns a length of time exactly, the way people write it in files:
// 24h, not 24h0m0s.
func Duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// About returns a length of time rounded to what a person says of an estimate:
// seconds below a minute, minutes below an hour, else five minutes.
func About(d time.Duration) string {
	switch {
	case d < time.Minute:
		return Duration(d.Round(time.Second))
	case d < time.Hour:
		return Duration(d.Round(time.Minute))
	}
	return Duration(d.Round(5 * time.Minute))
}

// Commit returns a revision cut to the seven digits that people compare, and
// keeps "+dirty".
func Commit(revision string) string {
	hash, dirty, found := strings.Cut(revision, "+")
	hash = hash[:min(len(hash), 7)]
	if found {
		hash += "+" + dirty
	}
	return hash
}

// Few returns names as a list of at most five, and how many more there are.
func Few(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// Truncate returns text cut to at most n bytes, between characters, with an
// ellipsis where it was cut.
func Truncate(text string, n int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= n {
		return text
	}
	cut := 0
	for i := range text {
		if i > n-len("…") {
			break
		}
		cut = i
	}
	return strings.TrimRight(text[:cut], "\u200c\u200d") + "…" // a joiner joins nothing any more
}

// SomeReason stands in a command where whoever pastes it has to write why.
const SomeReason = `"…"`

// Command returns a command of layerd that a person can paste: each word is quoted for
// the shell where it has to be, but for SomeReason.
func Command(parts ...string) string {
	words := []string{"layerd"}
	for _, word := range parts {
		if word != SomeReason {
			word = ShellQuote(word)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// ShellQuote returns s as a shell reads it back, for commands to be copied: plain
// words as they are, the rest in quotes, and what nobody would see as the bytes it is.
func ShellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@+=,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	if s == foreign.Clean(s) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteString(`\` + string(c))
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return "$'" + b.String() + "'"
}

// plain is a first word that is no name of anything.
var plain = regexp.MustCompile(`^[a-z]+[ ,.]`)

// Sentence returns text with a capital and a full stop. A name in front, of a
// function or of layerd itself, stays as it is.
func Sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if plain.MatchString(text) && !strings.HasPrefix(text, "layerd") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "…") {
		text += "."
	}
	return text
}

// Digest returns as much of a plan's digest as people copy: approve takes it where it
// is the only plan that begins so.
func Digest(digest string) string { return digest[:min(len(digest), 12)] }

package strictyaml

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// FormError is what is wrong with the text of one value.
type FormError struct {
	Code       string
	Message    string
	Suggestion string // the whole text that was meant; "" when there is no good guess
	Advice     string // what to do where no text is meant; before Suggestion
	Offset     int    // in characters, of the place; -1 = all of it
}

func (e *FormError) Error() string { return e.Message }

// At returns e as a problem at the place of n.
func (e *FormError) At(n *Node) Problem {
	at := n.Where()
	if e.Offset >= 0 {
		at = n.Inside(e.Offset)
	}
	suggestion := e.Advice
	if suggestion == "" && e.Suggestion != "" {
		suggestion = Source(e.Suggestion)
	}
	return NewProblem(e.Code, at, e.Message, suggestion)
}

// Form judges a text; the problem is a *FormError, nil when there is none.
type Form func(text string) *FormError

// Shape returns the form that a regular expression describes.
func Shape(code, expression, message string) Form {
	re := regexp.MustCompile(expression)
	return func(text string) *FormError {
		if re.MatchString(text) {
			return nil
		}
		if e := FullWidth(text); e != nil {
			return e
		}
		return &FormError{Code: code, Message: fmt.Sprintf("%q %s", text, message), Offset: -1}
	}
}

// FullWidth returns the problem with the first full-width character, which looks
// right and is not; nil when there is none.
func FullWidth(text string) *FormError {
	at := 0
	for _, r := range text {
		if a := asciiOf(r); a != "" {
			e := &FormError{Code: "full_width", Offset: at, Message: fmt.Sprintf("character %q (%U) must be the ASCII %q", r, r, a)}
			var b strings.Builder
			for _, r := range text {
				if a := asciiOf(r); a != "" {
					b.WriteString(a)
				} else {
					b.WriteRune(r)
				}
			}
			e.Suggestion = b.String()
			return e
		}
		at++
	}
	return nil
}

// asciiOf returns what a full-width or typographic character was meant to be, ""
// for all others.
func asciiOf(r rune) string {
	switch {
	case r >= '！' && r <= '～':
		return string(r - '！' + '!')
	case r == '　' || r == '\u00a0':
		return " "
	case strings.ContainsRune("“”", r):
		return `"`
	case strings.ContainsRune("‘’", r):
		return "'"
	case strings.ContainsRune("〜‐‑‒–—―−", r):
		return "-"
	case r == '、':
		return ","
	}
	return ""
}

// maxDuration is ten years, so that no arithmetic with it can overflow.
const maxDuration = 10 * 366 * 24 * time.Hour

// DurationForm judges what ParseDuration reads.
func DurationForm(text string) *FormError {
	if _, err := ParseDuration(text); err != nil {
		if e := FullWidth(text); e != nil {
			return e
		}
		return &FormError{Code: "bad_duration", Message: err.Error(), Suggestion: likelyDuration(text), Offset: -1}
	}
	return nil
}

// ParseDuration reads 0, 30m, 24h, 7d and sums such as 1d12h. A day is 24 hours.
func ParseDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration such as 30m, 24h or 7d, up to ten years", text)
	if text == "0" {
		return 0, nil
	}
	if text == "" {
		return 0, bad
	}
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "0", text
	}
	n, err := strconv.ParseUint(days, 10, 12)
	if err != nil || strings.ContainsAny(rest, "-+.nuµμ") || strings.Contains(rest, "ms") {
		return 0, bad
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest != "" {
		more, err := time.ParseDuration(rest)
		if err != nil || more > maxDuration {
			return 0, bad
		}
		d += more
	}
	if d > maxDuration {
		return 0, bad
	}
	return d, nil
}

// likelyDuration guesses at "30 min", "1 hour", "7 days", "2w". A month is none, and
// a millisecond is too little.
func likelyDuration(text string) string {
	digits := strings.TrimRight(text, " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > 3650 {
		return ""
	}
	switch strings.ToLower(strings.TrimSpace(text[len(digits):])) {
	case "w", "wk", "wks", "week", "weeks":
		return strconv.Itoa(n*7) + "d"
	case "d", "day", "days":
		return digits + "d"
	case "h", "hr", "hrs", "hour", "hours":
		return digits + "h"
	case "m", "min", "mins", "minute", "minutes":
		return digits + "m"
	case "s", "sec", "secs", "second", "seconds":
		return digits + "s"
	}
	return ""
}

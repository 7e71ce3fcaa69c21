package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"charm.land/lipgloss/v2"

	"github.com/layerd/layerd/internal/state"
)

// page is text for a terminal. Lines are broken between words and never cut:
// a function's name that does not fit stands out over the edge, where it can
// still be copied.
type page struct {
	strings.Builder
	palette
	width int
}

// line writes text behind indent spaces; what does not fit goes on hang
// spaces further in. Spaces within a line stay as many as they are.
func (p *page) line(indent, hang int, text string) {
	text = harmless(text)
	column, gap := indent, 0
	p.WriteString(strings.Repeat(" ", indent))
	for i, word := range strings.Split(text, " ") {
		if i > 0 {
			gap++
		}
		if word == "" {
			continue
		}
		w := lipgloss.Width(word)
		if gap > 0 && column+gap+w > p.width {
			p.WriteString("\n" + strings.Repeat(" ", indent+hang))
			column, gap = indent+hang, 0
		}
		p.WriteString(strings.Repeat(" ", gap) + word)
		column, gap = column+gap+w, 0
	}
	p.WriteByte('\n')
}

// linef is line with a hanging indent of two.
func (p *page) linef(indent int, format string, args ...any) {
	p.line(indent, 2, fmt.Sprintf(format, args...))
}

func (p *page) blank() { p.WriteByte('\n') }

// ends pushes right to the right edge where both fit, else puts it after left.
func (p *page) ends(left, right string) {
	gap := p.width - lipgloss.Width(left) - lipgloss.Width(right)
	p.WriteString(left + strings.Repeat(" ", max(gap, 2)) + right + "\n")
}

// escapes are the control sequences that we write ourselves: colours.
var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// harmless replaces control characters. A repository and AWS are written by
// many, and what they wrote must not rewrite what a terminal shows. Colours
// pass, ours and theirs: they harm nobody.
func harmless(text string) string {
	if strings.IndexFunc(text, unicode.IsControl) < 0 {
		return text
	}
	clean := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return '\uFFFD'
			}
			return r
		}, s)
	}
	var b strings.Builder
	last := 0
	for _, at := range escapes.FindAllStringIndex(text, -1) {
		b.WriteString(clean(text[last:at[0]]) + text[at[0]:at[1]])
		last = at[1]
	}
	return b.String() + clean(text[last:])
}

// pad fills s with spaces up to n columns, as a terminal counts them: a
// Japanese character takes two.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-lipgloss.Width(s)))
}

// padLeft is pad for numbers.
func padLeft(s string, n int) string {
	return strings.Repeat(" ", max(0, n-lipgloss.Width(s))) + s
}

// count writes "1 function" and "2 functions".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "s") || strings.HasSuffix(noun, "x") {
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// label writes a live version as people compare it: "12 (1.4.1)", "12" when no
// semantic version is known, "none" for nothing.
func label(v state.LayerVersionARN, semver string) string {
	n := v.Number()
	switch {
	case v == "":
		return "none"
	case n == 0:
		return string(v)
	case semver == "":
		return fmt.Sprint(n)
	default:
		return fmt.Sprintf("%d (%s)", n, semver)
	}
}

// moment is an instant for people: windows are about weekdays, and readers sit
// in several zones.
func moment(t time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("Mon 2006-01-02 15:04 MST")
}

// until is moment and how far away it is.
func until(t, now time.Time, zone *time.Location) string {
	if !t.After(now) {
		return moment(t, zone)
	}
	return fmt.Sprintf("%s (in %s)", moment(t, zone), span(t.Sub(now)))
}

// span writes a length of time with its two largest units: "3d4h", "3h12m",
// "12m", "40s".
func span(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
	d = d.Round(time.Minute)
	days, hours, minutes := int(d/(24*time.Hour)), int(d/time.Hour)%24, int(d/time.Minute)%60
	parts := []string{fmt.Sprintf("%dd", days), fmt.Sprintf("%dh", hours), fmt.Sprintf("%dm", minutes)}
	switch {
	case days > 0 && hours > 0:
		return parts[0] + parts[1]
	case days > 0:
		return parts[0]
	case hours > 0 && minutes > 0:
		return parts[1] + parts[2]
	case hours > 0:
		return parts[1]
	default:
		return parts[2]
	}
}

// shorten cuts a commit's name to what people compare, and keeps "+dirty".
func shorten(revision string) string {
	hash, dirty, found := strings.Cut(revision, "+")
	if len(hash) > 7 {
		hash = hash[:7]
	}
	if found {
		hash += "+" + dirty
	}
	return hash
}

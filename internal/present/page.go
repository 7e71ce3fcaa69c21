package present

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
)

// Page is text for a terminal. Lines are broken between words and never cut:
// a function's name that does not fit stands out over the edge, where it can
// still be copied.
type Page struct {
	strings.Builder
	Palette
	Width int // in columns; 0 = lines are not broken
}

// Line writes text behind indent spaces; what does not fit goes on hang
// spaces further in. Spaces within a line stay as many as they are.
func (p *Page) Line(indent, hang int, text string) {
	text = Harmless(text)
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
		if p.Width > 0 && gap > 0 && column+gap+w > p.Width {
			p.WriteString("\n" + strings.Repeat(" ", indent+hang))
			column, gap = indent+hang, 0
		}
		p.WriteString(strings.Repeat(" ", gap) + word)
		column, gap = column+gap+w, 0
	}
	p.WriteByte('\n')
}

// Linef is Line with a hanging indent of two.
func (p *Page) Linef(indent int, format string, args ...any) {
	p.Line(indent, 2, fmt.Sprintf(format, args...))
}

func (p *Page) Blank() { p.WriteByte('\n') }

// Ends pushes right to the right edge where both fit, else puts it after left.
func (p *Page) Ends(left, right string) {
	gap := p.Width - lipgloss.Width(left) - lipgloss.Width(right)
	p.WriteString(left + strings.Repeat(" ", max(gap, 2)) + right + "\n")
}

// escapes are the control sequences that we write ourselves: colours.
var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Harmless replaces control characters. A repository and AWS are written by
// many, and what they wrote must not rewrite what a terminal shows. Colours
// pass, ours and theirs: they harm nobody.
func Harmless(text string) string {
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

// Pad fills s with spaces up to n columns, as a terminal counts them: a
// Japanese character takes two.
func Pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-lipgloss.Width(s)))
}

// padLeft is Pad for numbers.
func padLeft(s string, n int) string {
	return strings.Repeat(" ", max(0, n-lipgloss.Width(s))) + s
}

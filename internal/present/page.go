package present

import (
	"strings"

	"github.com/layerd/layerd/internal/foreign"
)

// Page is text for a terminal. Lines are broken between words and never cut:
// a function's name that does not fit stands out over the edge, where it can
// still be copied. What others wrote is cleaned by whatever takes it: only a
// Styled may hold colours.
type Page struct {
	text strings.Builder
	Palette
	Width int // in columns; 0 = lines are not broken
}

// String returns all that was written.
func (p *Page) String() string { return p.text.String() }

// narrow is the least that is left of a line for text behind its hanging indent.
const narrow = 28

// Line writes text of anybody behind indent spaces; what does not fit goes on hang
// spaces further in. Spaces within a line stay as many as they are.
func (p *Page) Line(indent, hang int, text string) { p.line(indent, hang, foreign.Style(text)) }

// Hangf is Line of what foreign.Styledf returns.
func (p *Page) Hangf(indent, hang int, format string, args ...any) {
	p.line(indent, hang, foreign.Styledf(format, args...))
}

// Linef is Hangf with a hanging indent of two.
func (p *Page) Linef(indent int, format string, args ...any) {
	p.line(indent, 2, foreign.Styledf(format, args...))
}

func (p *Page) line(indent, hang int, text foreign.Styled) {
	if p.Width > 0 && p.Width-indent-hang < narrow {
		hang = min(hang, 2) // a column of words is worse than no column
	}
	lines := foreign.Wrap(string(text), p.Width, indent, indent+hang)
	for i, line := range lines {
		in := indent
		if i > 0 {
			in += hang
		}
		p.text.WriteString(strings.Repeat(" ", in) + line + "\n")
	}
}

// Copy writes a command that a reader copies: in one piece, however wide.
func (p *Page) Copy(indent int, command string) {
	p.text.WriteString(strings.Repeat(" ", indent) + foreign.Clean(command) + "\n")
}

// Blank writes an empty line.
func (p *Page) Blank() { p.text.WriteByte('\n') }

// Ends pushes right to the right edge where both fit, else puts it below left.
func (p *Page) Ends(left, right foreign.Styled) {
	gap := p.Width - foreign.Width(string(left)) - foreign.Width(string(right))
	if p.Width > 0 && gap < 2 {
		p.line(0, 2, left)
		p.line(2, 2, right)
		return
	}
	p.text.WriteString(string(left) + strings.Repeat(" ", max(gap, 2)) + string(right) + "\n")
}

// Pad fills s with spaces up to n columns, as a terminal counts them: a
// Japanese character takes two.
func Pad[S ~string](s S, n int) S {
	return s + S(strings.Repeat(" ", max(0, n-foreign.Width(string(s)))))
}

// padLeft is Pad for numbers.
func padLeft(s string, n int) string {
	return strings.Repeat(" ", max(0, n-foreign.Width(s))) + s
}

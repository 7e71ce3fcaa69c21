package main

import (
	"io"
	"os"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"
)

// plainWidth is how wide text is that does not go to a terminal.
const plainWidth = 80

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is how many columns w has.
func width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return plainWidth
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 20 {
		return plainWidth
	}
	return columns
}

// palette draws. Colour never carries the meaning alone: a symbol or a word is
// always beside it. The zero palette draws nothing.
type palette struct{ on bool }

// palette decides once whether there is colour: --color, else NO_COLOR,
// CLICOLOR, CLICOLOR_FORCE, TERM and whether standard output is a terminal.
func (a *app) palette() palette {
	switch a.color.value {
	case "always":
		return palette{true}
	case "never":
		return palette{}
	}
	return palette{colorprofile.Detect(a.out, a.environ) >= colorprofile.ANSI}
}

// The eight basic colours follow the reader's own theme, dark or light.
func (p palette) good(s string) string {
	return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Green))
}
func (p palette) warn(s string) string {
	return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Yellow))
}
func (p palette) bad(s string) string { return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Red)) }
func (p palette) held(s string) string {
	return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Cyan))
}
func (p palette) bold(s string) string  { return p.draw(s, lipgloss.NewStyle().Bold(true)) }
func (p palette) faint(s string) string { return p.draw(s, lipgloss.NewStyle().Faint(true)) }

func (p palette) draw(s string, style lipgloss.Style) string {
	if !p.on || s == "" {
		return s
	}
	return style.Render(s)
}

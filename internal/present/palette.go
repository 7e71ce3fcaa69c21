package present

import (
	"charm.land/lipgloss/v2"

	"github.com/layerd/layerd/internal/foreign"
)

// Palette draws. Colour never carries the meaning alone: a symbol or a word is
// always beside it. The zero Palette draws nothing. What is drawn is cleaned first:
// a text of others has no colour of its own.
type Palette struct{ On bool }

// Good draws what is as it should be. The eight basic colours follow the reader's
// own theme, dark or light.
func (p Palette) Good(s string) foreign.Styled {
	return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Green))
}

// Warn draws what somebody should look at.
func (p Palette) Warn(s string) foreign.Styled {
	return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Yellow))
}

// Bad draws what failed.
func (p Palette) Bad(s string) foreign.Styled {
	return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Red))
}

// Held draws what waits.
func (p Palette) Held(s string) foreign.Styled {
	return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Cyan))
}

// Bold draws what a reader looks for.
func (p Palette) Bold(s string) foreign.Styled { return p.draw(s, lipgloss.NewStyle().Bold(true)) }

// Faint draws what may be passed over.
func (p Palette) Faint(s string) foreign.Styled { return p.draw(s, lipgloss.NewStyle().Faint(true)) }

func (p Palette) draw(s string, style lipgloss.Style) foreign.Styled {
	s = foreign.Clean(s)
	if !p.On || s == "" {
		return foreign.Styled(s)
	}
	return foreign.Styled(style.Render(s))
}

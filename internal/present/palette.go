package present

import "charm.land/lipgloss/v2"

// Palette draws. Colour never carries the meaning alone: a symbol or a word is
// always beside it. The zero Palette draws nothing.
type Palette struct{ On bool }

// The eight basic colours follow the reader's own theme, dark or light.
func (p Palette) Good(s string) string {
	return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Green))
}
func (p Palette) Warn(s string) string {
	return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Yellow))
}
func (p Palette) Bad(s string) string { return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Red)) }
func (p Palette) Held(s string) string {
	return p.draw(s, lipgloss.NewStyle().Foreground(lipgloss.Cyan))
}
func (p Palette) Bold(s string) string  { return p.draw(s, lipgloss.NewStyle().Bold(true)) }
func (p Palette) Faint(s string) string { return p.draw(s, lipgloss.NewStyle().Faint(true)) }

func (p Palette) draw(s string, style lipgloss.Style) string {
	if !p.On || s == "" {
		return s
	}
	return style.Render(s)
}

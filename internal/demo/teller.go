package demo

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/layerd/layerd/internal/foreign"
)

// teller writes the story: a heading a chapter, sentences, and one line for
// every thing that must be true, with a mark that does not depend on colour.
type teller struct {
	Options
	chapter int
	untrue  int
}

func newTeller(o Options) *teller {
	if o.Width <= 0 {
		o.Width = 80
	}
	return &teller{Options: o}
}

func (t *teller) style(s lipgloss.Style, text string) string {
	if !t.Color {
		return text
	}
	return s.Render(text)
}

func (t *teller) line(format string, args ...any) {
	fmt.Fprintf(t.Out, format+"\n", args...)
}

// begins opens a chapter, with the story's time at the right.
func (t *teller) begins(now time.Time, title string) {
	t.chapter++
	head := fmt.Sprintf("%d  %s", t.chapter, title)
	when := now.Format("Mon 2 Jan 15:04 MST")
	gap := max(2, t.Width-lipgloss.Width(head)-lipgloss.Width(when))
	t.line("")
	t.line("%s%s%s", t.style(lipgloss.NewStyle().Bold(true), head), strings.Repeat(" ", gap),
		t.style(lipgloss.NewStyle().Faint(true), when))
}

// says writes what happens, wrapped to the width.
func (t *teller) says(format string, args ...any) {
	for _, line := range wrap(fmt.Sprintf(format, args...), t.Width-3) {
		t.line("   %s", line)
	}
}

// holds records it as a fault when something that must be true is not.
func (t *teller) holds(ok bool, format string, args ...any) {
	mark := t.style(lipgloss.NewStyle().Foreground(lipgloss.Color("2")), "✓")
	if !ok {
		t.untrue++
		mark = t.style(lipgloss.NewStyle().Foreground(lipgloss.Color("1")).Bold(true), "✗")
	}
	for i, line := range wrap(fmt.Sprintf(format, args...), t.Width-5) {
		if i == 0 {
			t.line("   %s %s", mark, line)
			continue
		}
		t.line("     %s", line)
	}
}

// truth is an error when anything so far was not true.
func (t *teller) truth() error {
	if t.untrue > 0 {
		return fmt.Errorf("%w: %d of its claims failed", errUntrue, t.untrue)
	}
	return nil
}

// wrap breaks text into lines of at most so many columns; a longer word stands
// alone. Not lipgloss.Wrap, which breaks names at their hyphens.
func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		lines = append(lines, foreign.Wrap(paragraph, width, 0, 0)...)
	}
	return lines
}

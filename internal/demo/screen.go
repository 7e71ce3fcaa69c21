package demo

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/notify"
)

// screen is the terminal beside which somebody plays. It is a notify.Target:
// what Slack would be sent stands here.
type screen struct {
	PlayOptions
	mu sync.Mutex // guards Out: rounds, deliveries and looks at Git write
}

func newScreen(o PlayOptions) *screen {
	if o.Width <= 0 {
		o.Width = 80
	}
	return &screen{PlayOptions: o}
}

// Name returns the name of the target.
func (s *screen) Name() string { return "screen" }

// stamp is the column of the clock, and what stands below it is indented by.
const (
	stamp  = "15:04:05"
	indent = "            "
	// someNames is how many names of a message are shown; Slack shows them all.
	someNames = 4
)

// Send shows a message. A terminal takes everything at once.
func (s *screen) Send(_ context.Context, m notify.Message) error {
	var b strings.Builder
	mark, style := markOf(m)
	s.head(&b, m.At, mark, style, m.Headline())
	for _, section := range m.Sections {
		s.paragraph(&b, section.Text)
		s.paragraph(&b, section.Detail)
		s.paragraph(&b, names(section))
		if section.Code != "" {
			fmt.Fprintf(&b, "%s%s\n", indent, s.style(bold, "$ "+foreign.Clean(command(section.Code))))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprint(s.Out, b.String())
	return nil
}

// The eight basic colours follow the reader's own theme.
var (
	bold  = lipgloss.NewStyle().Bold(true)
	faint = lipgloss.NewStyle().Faint(true)
	cyan  = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
)

// markOf returns what one sees first. It does not need its colour.
func markOf(m notify.Message) (mark string, style lipgloss.Style) {
	color := lipgloss.NewStyle().Foreground
	switch {
	case m.Status == notify.Resolved, m.Alert.Kind == notify.ChangeApplied:
		return "✓", color(lipgloss.Green)
	case m.Severity == notify.Failure:
		return "✗", color(lipgloss.Red)
	case m.Severity == notify.Warning:
		return "!", color(lipgloss.Yellow)
	default:
		return "•", color(lipgloss.Cyan)
	}
}

var wholeDigest = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}\b`)

// short returns text with digests cut to as much as approve needs: nobody reads 64 digits.
func short(text string) string { return wholeDigest.ReplaceAllString(text, "$1") }

// command returns one that Slack would show as it works beside the demo.
func command(code string) string {
	code = short(code)
	if strings.HasPrefix(code, "layerd approve ") {
		code += " --store $STORE"
	}
	return code
}

// names returns the first items of a section.
func names(s notify.Section) string {
	text := strings.Join(s.Items[:min(len(s.Items), someNames)], ", ")
	if more := s.More + len(s.Items) - someNames; more > 0 && text != "" {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// commit shows that the daemon has seen one.
func (s *screen) commit(c gitrepo.Commit) {
	s.line(time.Now(), "•", faint, fmt.Sprintf("commit %.7s of %s: %s", c.Hash, c.Author, c.Subject))
}

// line shows one line.
func (s *screen) line(at time.Time, mark string, style lipgloss.Style, text string) {
	var b strings.Builder
	s.head(&b, at, mark, style, text)
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprint(s.Out, b.String())
}

// head is the first line of anything: the time, a mark and what it is.
func (s *screen) head(b *strings.Builder, at time.Time, mark string, style lipgloss.Style, text string) {
	lines := s.wrapped(text)
	fmt.Fprintf(b, "%s  %s %s\n", s.style(faint, at.Local().Format(stamp)), s.style(style, mark), s.style(bold, lines[0]))
	for _, line := range lines[1:] {
		fmt.Fprintf(b, "%s%s\n", indent, s.style(bold, line))
	}
}

// paragraph is what stands below; nothing for nothing.
func (s *screen) paragraph(b *strings.Builder, text string) {
	if text == "" {
		return
	}
	for _, line := range s.wrapped(short(text)) {
		fmt.Fprintf(b, "%s%s\n", indent, line)
	}
}

// wrapped breaks text into lines that fit behind the clock. Others wrote parts
// of it, and must not rewrite what the terminal shows.
func (s *screen) wrapped(text string) []string {
	return wrap(foreign.Clean(text), s.Width-len(indent))
}

func (s *screen) style(style lipgloss.Style, text string) string {
	if !s.Color {
		return text
	}
	return style.Render(text)
}

// warnings shows what a log warns of, each as one line.
type warnings struct {
	screen *screen
	attrs  string
}

// Enabled reports whether a record is a warning or worse.
func (w warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle shows one record.
func (w warnings) Handle(_ context.Context, r slog.Record) error {
	text := r.Message + w.attrs
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	mark, color := "!", lipgloss.Yellow
	if r.Level >= slog.LevelError {
		mark, color = "✗", lipgloss.Red
	}
	w.screen.line(r.Time, mark, lipgloss.NewStyle().Foreground(color), text)
	return nil
}

// WithAttrs keeps attributes for every record.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		w.attrs += fmt.Sprintf(" %s=%v", a.Key, a.Value)
	}
	return w
}

// WithGroup ignores groups: nobody here uses one.
func (w warnings) WithGroup(string) slog.Handler { return w }

package notify_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/goldentest"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
)

func golden(t *testing.T, name, got string) {
	t.Helper()
	goldentest.Check(t, filepath.Join("testdata", name+".txt"), got)
}

// show writes a message for people who read the golden files.
func show(m notify.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s (%s %s)\n\n", m.Headline(), m.Severity, m.Alert.Kind)
	for _, s := range m.Sections {
		b.WriteString(s.Text)
		if s.Detail != "" {
			b.WriteString("\n" + s.Detail)
		}
		if len(s.Items) > 0 {
			b.WriteString("\n  " + strings.Join(s.Items, "\n  "))
		}
		if s.More > 0 {
			fmt.Fprintf(&b, "\n  and %d more", s.More)
		}
		if s.Code != "" {
			b.WriteString("\n  $ " + s.Code)
		}
		b.WriteString("\n\n")
	}
	fmt.Fprintf(&b, "  -- %s\n\n", m.Context)
	return b.String()
}

func TestStories(t *testing.T) {
	for _, s := range notifytest.Stories() {
		t.Run(s.Name, func(t *testing.T) {
			messages, err := s.Messages()
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, m := range messages {
				b.WriteString(show(m))
			}
			golden(t, s.Name, b.String())
		})
	}
}

package slack_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/layerd/layerd/internal/foreign/foreigntest"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
)

// FuzzForeignText: T1. Text of others stands in every field of a message, and the
// channel shows it: it mentions nobody, links nowhere and begins no block of code.
func FuzzForeignText(f *testing.F) {
	foreigntest.SeedFew(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := foreigntest.Compose(picks) + more
		plain := notifytest.Plain()
		plain.Sections = []notify.Section{{Text: "t", Detail: "d", Items: []string{"i", "j"}, Code: "c"}, {Text: text}}
		plain.Title = strings.Repeat("long ", 40)
		messages := []notify.Message{plain, notifytest.Plain()}
		foreigntest.Poison(&messages, text)
		synctest.Test(t, func(t *testing.T) {
			fake := &fakeSlack{}
			w := open(t, fake)
			for _, m := range messages {
				m.Alert = notifytest.Plain().Alert
				if err := w.Send(t.Context(), m); err != nil {
					t.Errorf("%q: %v", text, err)
				}
			}
			for _, p := range fake.took {
				for _, b := range p.Blocks {
					if b.Text == nil {
						continue
					}
					if bare := strings.TrimSuffix(b.Text.Text, "```"); strings.Count(bare, "`") != 3*(len(b.Text.Text)-len(bare))/3 {
						t.Errorf("code of others: %q", b.Text.Text)
					}
					if lines := strings.Count(b.Text.Text, "\n"); lines > 3 {
						t.Errorf("lines of others: %q", b.Text.Text)
					}
				}
			}
		})
	})
}

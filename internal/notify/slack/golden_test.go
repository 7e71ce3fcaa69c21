package slack_test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/layerd/layerd/internal/goldentest"
	"github.com/layerd/layerd/internal/notify/notifytest"
)

// TestStories shows what a channel shows.
func TestStories(t *testing.T) {
	for _, s := range notifytest.Stories() {
		t.Run(s.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				messages, err := s.Messages()
				if err != nil {
					t.Fatal(err)
				}
				fake := &fakeSlack{}
				w := open(t, fake)
				for _, m := range messages {
					if err := w.Send(t.Context(), m); err != nil {
						t.Errorf("%s: %v", m.Title, err)
					}
				}
				var b strings.Builder
				for _, p := range fake.took {
					b.WriteString(render(p) + "\n" + strings.Repeat("-", 72) + "\n\n")
				}
				goldentest.Check(t, filepath.Join("testdata", s.Name+".txt"), b.String())
			})
		})
	}
}

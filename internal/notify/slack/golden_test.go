package slack_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/notify/notifytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestStories shows what a channel shows.
func TestStories(t *testing.T) {
	for _, s := range notifytest.Stories() {
		t.Run(s.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				messages, err := s.Messages(t.Context())
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
				golden(t, s.Name, b.String())
			})
		})
	}
}

// golden compares text with a file that a person has read.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, string(want)); diff != "" {
		t.Errorf("%s (-got +want):\n%s", name, diff)
	}
}

package daemon_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// What is kept of one environment is damaged: that is told once, however well
// the store works for the others, and the others go on.
func TestDamageInOneEnvironment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		p := s.start("one")
		defer p.stop()
		time.Sleep(3 * time.Minute)
		s.slack.take()
		key := store.Key("past", "acme", "function", "dev", region, "makoto-00")
		if v, err := s.store.Get(t.Context(), key); err == nil {
			if _, err := s.store.Replace(t.Context(), key, v.Revision, []byte("nonsense")); err != nil {
				t.Fatal(err)
			}
		} else if _, err := s.store.Create(t.Context(), key, []byte("nonsense")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Hour)
		titles := s.slack.titles()
		if strings.Count(titles, "opened: dev: layerd's records of it cannot be read") != 1 || strings.Count(titles, "\n") != 1 {
			t.Errorf("told:\n%s", titles)
		}
		s.meddle(otherAccount, "makoto-01", 3)
		time.Sleep(2 * time.Minute)
		if n := s.has(otherAccount, 3); n != 0 {
			t.Error("prod was not healed")
		}
	})
}

package daemon_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The daemon that has the account follows a commit and goes. Whoever comes next
// looked at Git before that commit: it must not go back to what it knows.
func TestTheNextHolderDoesNotGoBack(t *testing.T) {
	for name, unreachable := range map[string]bool{"Git answers": false, "Git does not": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 3)
				s.interval = 10 * time.Minute
				first := s.start("one")
				time.Sleep(5 * time.Second)
				var down atomic.Bool
				s.wrapGit = func(to http.RoundTripper) http.RoundTripper { return outage{to, &down} }
				second := s.start("two")
				defer second.stop()
				s.wrapGit = nil
				// Between two looks of the second, and just before one of the first.
				time.Sleep(8 * time.Minute)
				s.commit("Raise", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "")})
				down.Store(unreachable)
				first.stop()
				first = s.start("one again")
				for i := 0; s.has(accountID, 5) < 3; i++ {
					if i == 600 {
						// The second was quicker: it has the account and knows nothing
						// of the commit until Git answers.
						down.Store(false)
					}
					if i > 1300 {
						t.Fatal("it was not applied")
					}
					time.Sleep(time.Second)
				}
				first.stop()
				writes := s.world.Writes()
				for range 60 {
					time.Sleep(2 * time.Second)
					if n := s.has(accountID, 5); n != 3 {
						t.Fatalf("%d of 3 have 5, after %d writes", n, s.world.Writes()-writes)
					}
				}
			})
		})
	}
}

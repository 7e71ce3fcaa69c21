package daemon_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/nightly"
)

// Git goes away. Fourteen minutes later all is as it was; a window that opens
// after the fifteenth starts nothing, however lately that was worked out.
func TestNothingStartsAfterFifteenMinutesWithoutGit(t *testing.T) {
	for _, offset := range nightly.Sample([]int{0, 1, 2, 3, 4, 5}, 2) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, 3)
			var down atomic.Bool
			s.wrapGit = func(to http.RoundTripper) http.RoundTripper { return outage{to, &down} }
			time.Sleep(time.Duration(offset) * time.Minute)
			p := s.start("one")
			defer p.stop()
			time.Sleep(time.Until(time.Date(2000, 1, 1, 1, 40, 0, 0, time.UTC)))
			s.commit("Raise", map[string]string{
				"environments/prod.yaml": envFile(otherAccount, "1.5.0", "change_window: \"Saturday 02:00-06:00 UTC\"\n"),
			})
			time.Sleep(3 * time.Minute)
			down.Store(true) // read last before 01:43
			time.Sleep(30 * time.Minute)
			if n := s.has(otherAccount, 5); n != 0 {
				t.Errorf("%d functions were changed after 17 minutes without Git", n)
			}
		})
	}
}

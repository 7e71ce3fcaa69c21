package daemon_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
)

// A window opens while a round of its environment is under way, and closes long
// before the next is due.
func TestAWindowThatOpensDuringARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		s.interval = 30 * time.Minute
		s.commit("Raise", map[string]string{
			"environments/prod.yaml": envFile(otherAccount, "1.5.0", "change_window: \"Saturday 02:00-02:05 UTC\"\nretention: 2 versions\n"),
		})
		// It decides at 01:59:50, looks for who uses what until 02:00:10, and
		// decides again from what was known before.
		s.world.OnCall(func(c awssim.Call) awssim.Fault {
			if now := time.Now().UTC(); c.Operation == "ListFunctions" && now.Hour() == 1 && now.Minute() == 59 {
				return awssim.Delay(20 * time.Second)
			}
			return awssim.Fault{}
		})
		time.Sleep(time.Until(time.Date(2000, 1, 1, 1, 59, 30, 0, time.UTC)))
		p := s.start("one")
		defer p.stop()
		time.Sleep(time.Until(time.Date(2000, 1, 1, 2, 6, 0, 0, time.UTC)))
		if n := s.has(otherAccount, 5); n != 3 {
			t.Errorf("%d of 3 have 5 after the window", n)
		}
	})
}

package plan_test

import (
	"testing"
	"time"

	"github.com/layerd/layerd/internal/plan"
)

// refusedWith is an attempt on a function that was refused with a second one.
func refusedWith(at time.Time) plan.Attempt {
	return plan.Attempt{Function: "a", Aim: "common=5", MayBeAll: true, Shared: true, Revision: "r", Reason: "500", At: at}
}

// What may be of all and is over blocks nobody; what comes back once another function
// was let through is the function's own.
func TestRefusedOnBothSidesOfAFunctionThatWasLetThrough(t *testing.T) {
	began := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		before time.Duration // it was refused with another one, each minute
		rest   time.Duration // from when a third one was let through until it is tried again
		tries  int           // until it is blocked
		own    bool
	}{
		{"a minute, and again", time.Minute, time.Minute, 3, true},
		{"four hours, and again", 4 * time.Hour, time.Minute, 1, true},
		{"four hours, and again in half an hour", 4 * time.Hour, time.Hour / 2, 1, true},
		{"four hours, and again on the next day", 4 * time.Hour, 24 * time.Hour, 4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var list []plan.Refusal
			now := began
			for ; now.Sub(began) <= c.before; now = now.Add(time.Minute) {
				if list = refusedWith(now).After(list, false); list[0].Own {
					t.Fatalf("its own after %s: %+v", now.Sub(began), list)
				}
			}
			list = plan.Doubted(list, now)
			if len(list) != 1 || list[0].Blocks(now) || list[0].Due(now) {
				t.Errorf("blocked although another one was let through: %+v", list)
			}
			if again := plan.Doubted(list, now.Add(time.Minute)); again[0] != list[0] {
				t.Errorf("written again for the next one that is let through: %+v", again)
			}
			now = now.Add(c.rest)
			for try := 1; try <= c.tries; try++ {
				list = refusedWith(now).After(list, false)
				if list[0].Blocks(now) != (try == c.tries) || list[0].Own != c.own {
					t.Errorf("try %d: %+v", try, list)
				}
				if now = now.Add(time.Minute); !c.own {
					now = now.Add(time.Hour)
				}
			}
			if list = (plan.Attempt{Function: "a", Aim: "common=5", Done: true, At: now}).After(list, true); len(list) > 0 {
				t.Errorf("kept although it was let through: %+v", list)
			}
		})
	}
}

package daemon

import (
	"slices"
	"time"

	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/plan"
)

// seenTemporary is a function that a probe of doctor has made.
type seenTemporary struct {
	since time.Time // when it was seen first, by this daemon
	told  bool
}

// noteTemporary logs, once, functions that a probe has left: seen for longer than one takes.
// The list of functions has them, so that no call is made for it; the daemon removes none,
// since it has no right to.
func (a *account) noteTemporary(planned plan.Plan, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range planned.Regions {
		if r.ObservedAt.IsZero() || r.Failure != nil {
			continue // nobody knows what is there
		}
		for at := range a.temporary {
			if at[0] == r.Want.Region && !slices.Contains(r.Temporary, at[1]) {
				delete(a.temporary, at)
			}
		}
		for _, name := range r.Temporary {
			if a.temporary == nil {
				a.temporary = map[[2]string]seenTemporary{}
			}
			at := [2]string{r.Want.Region, name}
			t := a.temporary[at]
			if t.since.IsZero() {
				t.since = now
			}
			if !t.told && now.Sub(t.since) >= inspect.LongestProbe {
				t.told = true
				a.Log.Warn("temporary function of a probe is left", "function", name, "account", a.id, "region", r.Want.Region,
					"do", a.command("doctor", "--env", planned.Environment))
			}
			a.temporary[at] = t
		}
	}
}

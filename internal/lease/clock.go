package lease

import "time"

// instant is a moment on this machine: on Go's clock, which stands still while
// the machine sleeps, and on one that does not.
type instant struct {
	awake time.Time     // has a monotonic reading
	boot  time.Duration // since the machine was started, sleep included; 0 = not known
}

func now() instant { return instant{awake: time.Now(), boot: sinceBoot()} }

// atMost returns the longest time that may have passed since i. A holder must go
// by it: a laptop that was closed for an hour has lost its lease although its own
// clock stood still.
func (i instant) atMost() time.Duration {
	passed := time.Since(i.awake)
	if i.boot > 0 {
		passed = max(passed, sinceBoot()-i.boot)
	}
	return passed
}

// atLeast returns the shortest time that may have passed since i. A watcher must
// go by it.
func (i instant) atLeast() time.Duration { return time.Since(i.awake) }

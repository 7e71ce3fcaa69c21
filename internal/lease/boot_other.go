//go:build !linux

package lease

import "time"

// sinceBoot stands in for a clock that goes on while the machine sleeps. The
// wall clock does; that it may be set forward costs a lease and no more.
func sinceBoot() time.Duration { return time.Duration(time.Now().UnixNano()) }

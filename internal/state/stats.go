package state

import "time"

// Stats is what calls have cost since the Client or the Limits was made.
type Stats struct {
	Calls     map[string]int // HTTP attempts by operation, retries included
	Throttled int            // attempts that AWS answered with "slow down"
	Waited    time.Duration  // spent waiting for the limiter, summed over callers
}

// Total is the number of HTTP attempts.
func (s Stats) Total() int {
	n := 0
	for _, c := range s.Calls {
		n += c
	}
	return n
}

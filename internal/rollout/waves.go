package rollout

import "github.com/layerd/layerd/internal/desired"

// WaveEnds returns how many of total functions have been changed at the end of
// each wave. Waves that would change nothing are left out, and the last has all.
// Shares are of base, how many there were when the rollout began, so that a
// wave keeps its number although functions come and go. The first wave has at
// least tested functions, those that smoke tests call: testing a function that
// has not changed yet proves nothing.
func WaveEnds(rules desired.Rollout, base, total, tested int) []int {
	var list []int
	last := 0
	for _, w := range rules.Waves {
		if n := max(w.Of(base), tested); n > last && n < min(base, total) {
			list, last = append(list, n), n
		}
	}
	return append(list, total)
}

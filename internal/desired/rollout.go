package desired

import (
	"encoding/json"
	"math"
	"time"
)

// Rollout is how a change spreads over the functions of one environment and
// Region, and what has to be well before it goes on. The zero value is one
// wave with everything, no check, and a rollback when something is bad.
type Rollout struct {
	// Waves are cumulative: [1, 10%, 100%] changes one function, then up to a
	// tenth of all, then the rest. Empty = one wave. What is left after the
	// last one is a wave more: [1, 10%] means the same.
	Waves []Wave
	// Parallel is how many functions are changed at once; 0 = apply's default.
	Parallel int
	// Bake is how long a wave is watched before it is judged.
	Bake time.Duration
	// SmokeTests are those of the environment, then those of its layers by name;
	// of one place in the order of the file.
	SmokeTests []SmokeTest
	// Alarms are the names of CloudWatch alarms, metric or composite.
	Alarms []string
	// MaxErrorRate is a share, 0 to 1; nil = not looked at.
	MaxErrorRate *float64
	// MaxThrottles is how many throttled calls a bake may have; nil = not
	// looked at.
	MaxThrottles *int
	OnFailure    Reaction // RollBack (the default) or Halt
	OnUnknown    Reaction // Halt (the default), RollBack or GoOn
	// Canary sends a share of an alias's calls to the new version first; nil =
	// none.
	Canary *Canary
	// Watch is how long after the last wave alarms are still looked at.
	Watch time.Duration
	// MustFitWindow is span_windows: false. A rollout that cannot end before the
	// open time does, does not start.
	MustFitWindow bool
}

// Verifies reports whether a wave has to be looked at before the next.
func (r Rollout) Verifies() bool {
	return r.Bake > 0 || len(r.SmokeTests) > 0 || len(r.Alarms) > 0 || r.ComparesRates()
}

// ComparesRates reports whether errors or throttles of the bake are compared
// with those before the rollout.
func (r Rollout) ComparesRates() bool { return r.MaxErrorRate != nil || r.MaxThrottles != nil }

// Rules returns how a change spreads in the environment. Its Canary is nil where
// functions are not served through an alias: nothing else can share calls out.
func (e Environment) Rules() Rollout {
	r := e.Rollout
	if e.Alias == "" {
		r.Canary = nil
	}
	return r
}

// MetricDelay is how long after a minute CloudWatch has all of it: rates are
// judged so long after the end of a bake (AWS.md section 5).
const MetricDelay = 3 * time.Minute

// Wave is how many functions have been changed when it is over: a number, or a
// share of all.
type Wave struct {
	Count int     // 0 = Share counts
	Share float64 // 0 to 1
}

// Of returns the wave's end in a rollout of total functions, rounded up.
func (w Wave) Of(total int) int {
	n := w.Count
	if n == 0 {
		// Rounded first: 0.07 × 100 is 7.000000000000001.
		n = int(math.Ceil(math.Round(w.Share*float64(total)*1e6) / 1e6))
		if w.Share > 0 {
			n = max(n, 1) // however small the share
		}
	}
	return min(n, total)
}

// Reaction is what follows when a rollout is not well.
type Reaction string

// The reactions. The empty one is the default of its key.
const (
	RollBack Reaction = "rollback"
	Halt     Reaction = "halt"     // stop and ask a person
	GoOn     Reaction = "continue" // only for what is unknown
)

// Canary is a share of an alias's calls that goes to the new version first.
type Canary struct {
	Weight float64 // 0 to 1, both excluded
	Bake   time.Duration
}

// SmokeTest is one invocation that shows whether a function works.
type SmokeTest struct {
	// Layer is the name in Git of the layer it is about; empty = all of the
	// environment's.
	Layer     string
	Function  string          // a name, no pattern
	Qualifier string          // alias or version; empty = the environment's alias, else $LATEST
	Payload   json.RawMessage // valid JSON; nil = {}
	// Expect is what the answer must contain (a subset match); nil = any
	// answer without a FunctionError.
	Expect  json.RawMessage
	Timeout time.Duration // for the whole call; never 0
	At      Position
}

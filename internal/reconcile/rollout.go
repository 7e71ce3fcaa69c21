package reconcile

import (
	"time"

	"github.com/layerd/layerd/internal/state"
)

// Stage is what a rollout is at.
type Stage string

// The stages. The first four come again in each wave, those of a canary only
// where there is one.
const (
	StageCanary      Stage = "canary"       // functions get the new version for a share of their calls
	StageCanaryBake  Stage = "canary_bake"  // and are watched
	StageChange      Stage = "change"       // functions get it for all calls
	StageBake        Stage = "bake"         // and are watched
	StageHalted      Stage = "halted"       // something is bad or unknown; a person is asked
	StageRollingBack Stage = "rolling_back" // all that was changed goes back
	StageWatching    Stage = "watching"     // complete and well; alarms are still looked at

	// The ends.
	StageDone       Stage = "done"        // complete and well
	StageRolledBack Stage = "rolled_back" // all that was changed is back
	StageSuperseded Stage = "superseded"  // a newer commit took over at a wave's end
)

// Rollout is one environment in one Region that is being brought to one plan,
// all its layers together, as the history keeps it.
type Rollout struct {
	ID string // sorts by time; part of each of its records
	// Chain has the rollouts that this one took over from before they were
	// through, the oldest first: going back undoes them as well.
	Chain    []string
	Revision string   // the commit
	Targets  []Target // by layer
	Stage    Stage
	Wave     int // the one under way, from 1
	Waves    int // how many there are
	Total    int // functions, as counted when it began
	Begun    time.Time
	Since    time.Time // when Stage began
	Ended    time.Time // zero = it goes on
	// Smoked says that the smoke tests of this wave passed.
	Smoked bool
	// Findings are the sentences of the last judgement, and Reason is why it
	// halted or goes back; empty = it does not.
	Findings []string
	Reason   string
	// Attempts counts the rounds in which going back left something to do.
	Attempts int
}

// Open says that the rollout still changes functions, or may have to.
func (r *Rollout) Open() bool {
	return r != nil && r.Ended.IsZero() && r.Stage != StageWatching
}

// Target is what a rollout brings: a version of one layer.
type Target struct {
	Layer  state.LayerARN
	Name   string // in Git
	Number int64  // 0 = none
	Semver string // empty = unknown
	From   int64  // the version last completed healthily, which going back means; 0 = none or unknown
}

// Changed is what a rollout, and those it took over from, did to one function.
type Changed struct {
	Function string
	Wave     int // of the rollout, in which it changed the function last; 0 = only those it took over from did
	// Before is the whole list before the first change; empty = there was
	// none. After is what the last change left, or meant to where that is not
	// known; Failed says that it is one that did not come to its end.
	Before, After []state.LayerVersionARN
	Failed        bool
	// Earlier are the layers that the rollouts it took over from changed, which
	// Git may not name any more; sorted.
	Earlier []state.LayerARN
	// Alias is through what it is served; empty = not by this rollout.
	// AliasBefore and AliasAfter are function versions, the latter empty when
	// the alias was not moved or nobody knows, and in a canary the one that was
	// given weight.
	Alias                   string
	AliasBefore, AliasAfter string
	// AliasServes is what the alias itself was left at: neither of the two in a
	// canary of a rollout that took over from one which had moved it. Empty =
	// one of the two.
	AliasServes string
	// Canary says that the alias was given weights only, so far.
	Canary bool
}

package rollout

import (
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// Stage is what a rollout is doing.
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
// all its layers together. The history keeps it: names and meanings of the JSON
// stay.
type Rollout struct {
	ID string `json:"id"` // sorts by time; part of each of its records
	// Chain has the rollouts that this one took over from before they were
	// through, the oldest first: rolling back undoes them as well.
	Chain    []string `json:"chain,omitempty"`
	Revision string   `json:"revision,omitempty"` // the commit that asked for all of it, else the one it was decided from
	// Asked are those who asked for what it brings, each once; empty = not known.
	Asked   []desired.Asked `json:"asked,omitempty"`
	Targets []Target        `json:"targets,omitempty"` // by layer
	Stage   Stage           `json:"stage"`
	Wave    int             `json:"wave,omitempty"`  // the one under way, from 1
	Waves   int             `json:"waves,omitempty"` // how many there are
	Total   int             `json:"total,omitempty"` // functions, as counted when it began
	Begun   time.Time       `json:"begun"`
	Since   time.Time       `json:"since"`          // when Stage began
	Ended   time.Time       `json:"ended,omitzero"` // zero = it has not
	// Smoked reports that the smoke tests of this wave passed.
	Smoked bool `json:"smoked,omitempty"`
	// Findings are the sentences of the last verdict, and Reason is why the
	// rollout halted or goes back; empty = it does not.
	Findings []string `json:"findings,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	// Left are functions whose alias somebody else has changed while the rollout shared
	// out its calls: they are left alone for as long as Git asks for the same; sorted.
	Left []string `json:"left,omitempty"`
	// Shares are those that this rollout, or one before it, may have left; see Share.
	Shares []Share `json:"shares,omitempty"`
	// Attempts counts the rounds in which rolling back left something to do.
	Attempts int `json:"attempts,omitempty"`
}

// Target is what a rollout brings: a version of one layer.
type Target struct {
	Layer  state.LayerARN `json:"layer"`
	Name   string         `json:"name"`             // in Git
	Number int64          `json:"number"`           // 0 = none
	Semver string         `json:"semver,omitempty"` // empty = unknown
	// From is the version that last completed a healthy rollout, which is what
	// rolling back restores; 0 = none or unknown.
	From int64 `json:"from,omitempty"`
	// Back reports that the version had been applied here before the rollout began:
	// Git goes back to it, which needs no approval.
	Back bool `json:"back,omitempty"`
}

// Changed is what a rollout, and those it took over from, did to one function.
type Changed struct {
	Function string
	Wave     int // of the rollout, in which it changed the function last; 0 = only those it took over from did
	// Before is the whole list before the first change; empty = there was
	// none. After is what the last change left, or meant to where that is not
	// known; Failed reports that this change did not come to its end.
	Before, After state.Layers
	Failed        bool
	// Earlier are the layers that the rollouts it took over from changed, which
	// Git may not name any more; sorted.
	Earlier []state.LayerARN
	// Alias is through what it is served; empty = not by this rollout.
	// AliasBefore and AliasAfter are function versions, the latter empty when
	// the alias was not moved or that is unknown, and in a canary the one that
	// was given weight.
	Alias                   string
	AliasBefore, AliasAfter string
	// AliasServes is what the alias itself was left at: neither of the two in a
	// canary of a rollout that took over from one which had moved it. Empty =
	// one of the two.
	AliasServes string
	// Canary reports that the alias was given weights only, so far.
	Canary bool
	// Runtime is the ARN of the version of its runtime that callers got before the first
	// change; empty = unknown.
	Runtime string
}

// Open reports whether the rollout still changes functions, or may have to.
func (r *Rollout) Open() bool {
	return r != nil && r.Ended.IsZero() && r.Stage != StageWatching
}

// Running reports whether the rollout has not ended: it is open, or complete and
// still watched.
func (r *Rollout) Running() bool { return r != nil && r.Ended.IsZero() }

// Failed reports whether the rollout did not come through, although each of its
// steps may have been done.
func (r *Rollout) Failed() bool { return r != nil && r.Stage.Failed() }

// Failed reports whether a rollout at the stage did not come through: it halted, is
// rolled back, or was.
func (s Stage) Failed() bool {
	return s == StageHalted || s == StageRollingBack || s == StageRolledBack
}

// SameTargets reports whether the rollout brings exactly the versions of targets.
func (r *Rollout) SameTargets(targets []Target) bool {
	return r != nil && slices.EqualFunc(r.Targets, targets, func(a, b Target) bool { return a.Layer == b.Layer && a.Number == b.Number })
}

// Moved reports whether next differs from the rollout in anything that an event
// changes. What a rollout brings, and when it began, never moves.
func (r Rollout) Moved(next Rollout) bool {
	return r.ID != next.ID || r.Stage != next.Stage || r.Wave != next.Wave || r.Waves != next.Waves || r.Reason != next.Reason ||
		r.Smoked != next.Smoked || r.Attempts != next.Attempts || !r.Since.Equal(next.Since) || !r.Ended.Equal(next.Ended) ||
		!slices.Equal(r.Findings, next.Findings) || !slices.Equal(r.Left, next.Left)
}

// New returns the rollout that begins at now. before is the last one there was:
// what it changed before a newer commit took over is undone with the new one.
// rules are those of the environment; waves and total are counted by the plan.
func New(before *Rollout, id, revision string, targets []Target, waves, total int, rules desired.Rollout, now time.Time) *Rollout {
	r := &Rollout{
		ID: id, Revision: revision, Targets: targets, Stage: firstStage(rules), Wave: 1, Waves: max(1, waves), Total: total,
		Begun: now.UTC(), Since: now.UTC(),
	}
	if before != nil && before.Stage == StageSuperseded {
		r.Chain = append(slices.Clone(before.Chain), before.ID)
	}
	return r
}

// WorthRecording reports whether what became of the rollout belongs in the
// journal. A single wave that nothing looked at adds nothing to its own records.
func (r Rollout) WorthRecording() bool {
	switch r.Stage {
	case StageHalted, StageRollingBack, StageRolledBack, StageSuperseded:
		return true
	case StageWatching, StageDone:
		return r.Waves > 1 || len(r.Findings) > 0
	}
	return false
}

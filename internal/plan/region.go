package plan

import (
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// Plan is what to do about one environment, in all its Regions.
type Plan struct {
	Environment string
	// Digest names exactly the change steps, all Regions; see ruling.Digest.
	Digest  string
	Lines   []string // what Digest is made of, sorted
	Regions []Region
}

// Region is what to do in one Region, in order.
type Region struct {
	Want       desired.Environment
	ObservedAt time.Time
	Window     window.Status
	Steps      []Step
	Drift      []Drift
	Blocked    []Blocked
	Kept       []Kept
	Notes      []Note
	Temporary  []string // functions that a probe of doctor has made; sorted
	Behind     []Behind
	Problems   []desired.Problem // found only now that AWS is known
	Failure    *Failure
	Cost       Cost
	InSync     bool
	// Rollout is the one under way, as it was when this was decided; nil =
	// there is none. Waves is how many functions each wave of it, or of the
	// one that would begin, has still to change; empty where nothing is to be.
	Rollout *rollout.Rollout
	Waves   []Wave
	Targets []rollout.Target // what a rollout of this plan brings
	// Remaining is how long what is left of it takes at the least, its bakes
	// included; 0 = nothing is left.
	Remaining time.Duration
	// NewerCommit reports that Git wants something else now than the rollout
	// under way brings, AllChanged that this has changed as many functions as it
	// began with, Applied that something of the plan was begun, so that Steps
	// have results, and Partial that steps were left out for another round.
	NewerCommit, AllChanged, Applied, Partial bool
	// LeftAlone names functions that are not returned with the rest of a
	// rollout, since somebody else has changed them meanwhile.
	LeftAlone []string
	// Altered are functions whose alias somebody else has changed while the rollout
	// under way shared out its calls.
	Altered []string
	// Lifted are quarantines that hold no more: Git wants another number.
	Lifted []ruling.Quarantine
	// RolloutStatus is how the rollouts stand once the plan was carried out, for
	// telling people; nil = it was not, or not to its end.
	RolloutStatus *RolloutStatus
	// Unselected counts functions that were managed and are selected no more;
	// they stay as they are.
	Unselected int
	// Needs is what the decision still wants to know; while it is not empty,
	// steps that depend on it are not in the plan.
	Needs state.Needs
	// Learned is what to remember although nothing was done.
	Learned Learned
	// Next is the earliest instant at which something held may move; zero =
	// nothing is held, or nobody knows.
	Next time.Time
	// Unannounced is why parameters do not say what stands here; empty = they do, or
	// need not.
	Unannounced string
	// Due is when the rollout itself has something to be done next, without
	// anybody; zero = it has not, or it waits for somebody.
	Due time.Time
}

// Facts returns what a plan means to the rollout under way, which has done changed so
// far: before the plan is applied, or after, when its steps have results.
func (p Region) Facts(changed []rollout.Changed) rollout.Facts {
	f := rollout.Facts{
		Observed: !p.ObservedAt.IsZero(), Failed: p.Failure != nil, Waves: len(p.Waves),
		Altered: p.Altered, NewerCommit: p.NewerCommit, AllChanged: p.AllChanged, NothingChanged: len(changed) == 0,
		NoCanary:    !slices.ContainsFunc(changed, func(c rollout.Changed) bool { return c.Canary }),
		UndoPlanned: p.Rollout != nil && p.Rollout.Stage == rollout.StageRollingBack,
		Applied:     p.Applied,
	}
	unread := len(p.Needs.Served) > 0 || len(p.Needs.Aliases) > 0
	f.Undone = !unread
	for _, s := range p.Steps {
		f.Undone = f.Undone && (s.Cause != CauseRollback || s.Done())
		if s.AnyTime && s.Function != "" && s.Result != nil && s.Result.Status == StatusFailed {
			f.WaveWith = lower(f.WaveWith, 1) // under a rollout it is one of its functions from now on
		}
		if !s.InRollout() || s.Done() || s.WaitsAlone() {
			continue
		}
		f.NextWave = lower(f.NextWave, s.Wave)
		if !s.HeldBy(ByWave) {
			f.WaveWith = lower(f.WaveWith, s.Wave)
		}
	}
	if unread {
		f.WaveWith = -1
	}
	return f
}

// Brings reports whether something of a rollout is to be done here.
func (p Region) Brings() bool { return slices.ContainsFunc(p.Steps, Step.InRollout) }

// Wave is how many functions one wave has still to change.
type Wave struct{ Wave, Functions int }

// The kinds of drift.
const (
	DriftWrongVersion   = "wrong_version"
	DriftMissing        = "missing"
	DriftDeletedVersion = "deleted_version"
	DriftAliasBehind    = "alias_behind"
	DriftExtra          = "extra"
	DriftOrder          = "order"
)

// Drift is one difference that nobody asked for.
type Drift struct {
	Kind     string
	Layer    string // name in Git; for extra, the ARN
	Function string
	Want     string // ARN, or empty for "none"
	Have     string // ARN, or empty for "none"
	// WantVersion and HaveVersion are the semantic versions, where known.
	WantVersion, HaveVersion string
	Since                    time.Time
	Reason                   string
}

// Blocked is a function that cannot be changed, and why.
type Blocked struct {
	Function string
	Layer    string // empty: whatever the layer
	Reason   string
	// Permanent reports that the function's kind is the reason (an image, an
	// edge replica): nothing to wait for, and not out of sync.
	Permanent bool
	// Elsewhere reports that another environment holds the function: it is none of
	// this one's.
	Elsewhere bool
	// Refused reports that AWS refused it again and again, and Until when it is tried
	// again at the latest; zero = unknown.
	Refused bool
	Until   time.Time
}

// Kept is a version that retention does not prune, and why.
type Kept struct {
	Layer   string
	Version int64
	Semver  string
	Reason  string
	Shared  bool // nothing keeps it but whom it is shared with
}

// Note is something worth saying that changes nothing.
type Note struct {
	Code    string // stable, lower_snake_case
	Message string
}

// Behind is an alias that serves another version of a layer than $LATEST has
// or will have, so that attaching alone does not change what it runs.
type Behind struct {
	Function string
	Alias    string
	Version  string // the function version the alias serves
	Layer    string
	Serves   state.LayerVersionARN // empty: the alias serves no version of the layer
	Latest   state.LayerVersionARN // what $LATEST has once the plan is applied
}

// Failure is why a Region of an environment could not be decided or applied.
type Failure struct {
	Code      string
	Message   string
	Retryable bool
}

// The codes of a Failure that others branch on.
const (
	// CodeWrongAccount: the credentials, or the answers, are another account's.
	CodeWrongAccount = "wrong_account"
	// CodeRefused: AWS answers so each time.
	CodeRefused = "aws_refused"
	// CodeDenied: AWS answers so to each write, and reads go on.
	CodeDenied = "aws_denied"
)

// Cost is what a plan takes.
type Cost struct {
	Calls   int     // AWS calls made so far and those the runnable steps will make
	Seconds float64 // how long the runnable steps take at the configured rates
}

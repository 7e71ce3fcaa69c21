package reconcile

import (
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// Cause says why a step exists.
type Cause string

// The causes of DESIGN section 3.
const (
	Change    Cause = "change"    // Git asks for something new
	Drift     Cause = "drift"     // somebody changed what was applied
	Rollback  Cause = "rollback"  // by health or by hand
	Retention Cause = "retention" // nothing needs the version
)

// Kind is what a step does.
type Kind string

// The kinds of steps that this release makes.
const (
	Attach   Kind = "attach"
	Detach   Kind = "detach"
	Restore  Kind = "rollback" // attach a number lower than the one applied last
	Serve    Kind = "serve"    // publish a function version and point the alias at it
	Prune    Kind = "prune"
	NoChange Kind = ""
)

// Status is how a step ended.
type Status string

// The statuses of DESIGN section 4.
const (
	Applied Status = "applied"
	Failed  Status = "failed"
	Skipped Status = "skipped" // not needed any more, or stopped before it began
	Waiting Status = "held"
)

// Result is how a step ended; nil in a plan.
type Result struct {
	Status    Status
	Error     string
	RequestID string
	// Unwell says that AWS could not start what was published: the rollout is
	// not well, whatever its checks say.
	Unwell bool
}

// Step is one thing to do to one function, or one version to prune.
type Step struct {
	ID       string // kind/layer/function, or prune/layer/number
	Kind     Kind
	Layer    string         // the name in Git
	LayerARN state.LayerARN // the layer it is live
	Function string         // empty for a prune
	// From is what is there now and To what will be; empty = nothing.
	From, To state.LayerVersionARN
	// FromVersion and ToVersion are the semantic versions, where known.
	FromVersion, ToVersion string
	New                    bool // the function gets this layer for the first time
	Cause                  Cause
	Reason                 string // a sentence for a person
	Wave                   int
	Held                   *Held // nil: may run now
	Result                 *Result
	// List is the function's whole layer list as the plan saw it. When the
	// function no longer has exactly this list, it must be decided again.
	List []state.LayerVersionARN
	// Position says where a new slot goes: true = in front of the others.
	First bool
	// Back says that Git returned to a number that was applied here before,
	// which needs no approval.
	Back bool
	// Serving is what a serve step starts from and what it leads to; nil for
	// every other kind.
	Serving *Serving
	// Whole is the list that going back by health restores, whatever the
	// slots; nil = what Fold makes of the steps.
	Whole []state.LayerVersionARN
	// Tug says why a drift that comes back again and again is left alone.
	Tug string
	// Quarantined says why the version must not come to the function.
	Quarantined string
	// AnyTime says that no change window holds the step (new_functions: now);
	// a freeze does, and everything else that holds steps.
	AnyTime bool
}

// Obeys gives the calendar that says when the step may start. Where no window
// holds it, the cutoff before the end of one does not either.
func (s Step) Obeys(c window.Calendar) window.Calendar {
	switch {
	case s.Cause == Rollback:
		return window.Calendar{Zone: c.Zone} // passes windows and freezes
	case s.AnyTime:
		c.Windows, c.Cutoff = nil, 0
	}
	return c
}

// The kinds of drift.
const (
	WrongVersion   = "wrong_version"
	Missing        = "missing"
	DeletedVersion = "deleted_version"
	AliasBehind    = "alias_behind"
	Extra          = "extra"
	Order          = "order"
)

// Drifted is one difference that nobody asked for.
type Drifted struct {
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
	// Permanent says that the function's kind is the reason (an image, an
	// edge replica): nothing to wait for, and not out of sync.
	Permanent bool
}

// Kept is a version that retention does not prune, and why.
type Kept struct {
	Layer   string
	Version int64
	Semver  string
	Reason  string
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

// Cost is what a plan takes.
type Cost struct {
	Calls   int     // AWS calls made so far and those the runnable steps will make
	Seconds float64 // how long the runnable steps take at the configured rates
}

// Plan is what to do about one environment, in all its Regions.
type Plan struct {
	Environment string
	// Digest names exactly the change steps, all Regions; see ruling.Digest.
	Digest  string
	Lines   []string // what Digest is made of, sorted
	Regions []RegionPlan
}

// RegionPlan is what to do in one Region, in order.
type RegionPlan struct {
	Want       desired.Environment
	ObservedAt time.Time
	Window     window.Status
	Steps      []Step
	Drift      []Drifted
	Blocked    []Blocked
	Kept       []Kept
	Notes      []Note
	Behind     []Behind
	Problems   []desired.Problem // found only now that AWS is known
	Failure    *Failure
	Cost       Cost
	InSync     bool
	// Rollout is the one under way, as it was when this was decided; nil =
	// there is none. Waves says how many functions each wave of it, or of the
	// one that would begin, has still to change; empty where nothing is to be.
	Rollout *rollout.Rollout
	Waves   []WavePlan
	Targets []rollout.Target // what a rollout of this plan brings
	// Lasts is how long what is left of it takes at the least, its bakes
	// included; 0 = nothing is left.
	Lasts time.Duration
	// NewerCommit reports that Git wants something else now than the rollout
	// under way brings, AllChanged that this has changed as many functions as it
	// began with, and Carried that the plan was carried out and Steps have
	// results.
	NewerCommit, AllChanged, Carried bool
	// LeftAlone names functions that are not returned with the rest of a
	// rollout, since somebody else has changed them meanwhile.
	LeftAlone []string
	// Lifted are quarantines that hold no more: Git wants another number.
	Lifted []ruling.Quarantine
	// Standing is how the rollouts stand once the plan was carried out, for
	// telling people; nil = it was not, or not to its end.
	Standing *Standing
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
	// Again is when the rollout itself has something to be done next, without
	// anybody; zero = it has not, or it waits for somebody.
	Again time.Time
}

// Learned is what a look at the world taught: it belongs in the history even
// when no step runs.
type Learned struct {
	Adopted    []Adoption  // functions found as wanted, without a past
	Sightings  []Sighting  // drift seen, old and new
	Candidates []Candidate // versions that nothing protects, old and new
	Numbers    []Fixed     // which number a semantic version was found at
	Selected   []Selection // how many functions each layer selects
}

// Adoption is a function that already has what is wanted.
type Adoption struct {
	Function string
	Layer    state.LayerARN
	Number   int64 // 0: no version, and none is wanted
	List     []state.LayerVersionARN
}

// Sighting is when a drift was first seen.
type Sighting struct {
	Function string
	Layer    state.LayerARN
	Have     state.LayerVersionARN
	Since    time.Time
}

// Candidate is since when a version has been protected by nothing.
type Candidate struct {
	Layer  state.LayerARN
	Number int64
	Since  time.Time
}

// Fixed is the live number that a semantic version stands for from now on.
type Fixed struct {
	Layer  state.LayerARN
	Semver string // canonical
	Number int64
}

// Selection is how many functions a layer's selectors chose.
type Selection struct {
	Layer state.LayerARN
	Count int
}

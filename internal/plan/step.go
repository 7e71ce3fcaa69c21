package plan

import (
	"cmp"
	"strconv"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// Cause is why a step exists.
type Cause string

// The causes of DESIGN section 3.
const (
	CauseChange    Cause = "change"    // Git asks for something new
	CauseDrift     Cause = "drift"     // somebody changed what was applied
	CauseRollback  Cause = "rollback"  // by health or by hand
	CauseRetention Cause = "retention" // nothing needs the version
)

// Kind is what a step does.
type Kind string

// The kinds of steps that this release makes.
const (
	KindPublish  Kind = "publish" // a version of a layer that AWS lacks
	KindShare    Kind = "share"   // let others use a version, or no longer
	KindAttach   Kind = "attach"
	KindDetach   Kind = "detach"
	KindRollback Kind = "rollback" // attach a number lower than the one applied last
	KindServe    Kind = "serve"    // publish a function version and point the alias at it
	KindPrune    Kind = "prune"
	KindNone     Kind = ""
)

// Status is how a step ended.
type Status string

// The statuses of DESIGN section 4.
const (
	StatusApplied Status = "applied"
	StatusFailed  Status = "failed"
	StatusSkipped Status = "skipped" // not needed any more, or stopped before it began
	StatusHeld    Status = "held"
)

// Result is how a step ended; nil in a plan.
type Result struct {
	Status    Status
	Error     string
	RequestID string
	// Unwell reports that AWS could not start what was published: the rollout is
	// not well, whatever its checks say.
	Unwell bool
	// Shared reports that the error is not about this step: it is of all, and stands
	// as the Failure of the Region.
	Shared bool
	// MayBeAll reports that the error may be of one function or of all: a right is
	// missing, or no answer came.
	MayBeAll bool
	// Alike reports that AWS refused a grant for whom it is for, or since a right is
	// missing: it would refuse the same on every version of the layer.
	Alike bool
	// Untried reports that the step was left out, for something that is not its own:
	// it was stopped, or another met what is of all.
	Untried bool
	// Revision is the function's when AWS refused it; empty = not known.
	Revision string
	// Published is the version that a publish step made or found, with its number; with
	// an Error, one that must not be used. Empty = there is none.
	Published state.LayerVersionARN
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
	Reason                 string         // a sentence for a person
	Asked                  *desired.Asked // of a change: who asked for it; nil = not known, or of another cause
	Wave                   int
	Held                   *Held // nil: may run now
	Result                 *Result
	// List is the function's whole layer list as the plan saw it. When the
	// function no longer has exactly this list, it must be decided again.
	List []state.LayerVersionARN
	// First is where a new slot goes: true = in front of the others.
	First bool
	// Back reports that Git returned to a number that was applied here before,
	// which needs no approval.
	Back bool
	// Serving is what a serve step starts from and what it leads to; nil for
	// every other kind.
	Serving *Serving
	// Publishing is what a publish step makes; nil for every other kind. To is then
	// what LayerARN.Unpublished returns, as it is in the steps that wait for it.
	Publishing *Publishing
	// Sharing is what a share step grants or takes back; nil for every other kind.
	Sharing *Sharing
	// Whole is the list that going back by health restores, whatever the
	// slots; nil = what Fold makes of the steps.
	Whole []state.LayerVersionARN
	// Refused is why the function was blocked until now, and is tried once more; empty
	// = it was not.
	Refused string
	// Content is the SHA-256 of the zip of To where it has a number and was published by
	// layerd, in lower-case hex; empty = not known.
	Content string
	// Tug is why a drift that comes back again and again is left alone.
	Tug string
	// Quarantined is why the version must not come to the function.
	Quarantined string
	// AnyTime reports that no change window holds the step (new_functions: now);
	// a freeze does, and everything else that holds steps.
	AnyTime bool
}

// Publishing is a layer version that is about to be made.
type Publishing struct {
	Artifact state.Artifact
	Content  state.Content
	// Description is whole, with the stamp that says which version it is; at most 256
	// characters. The rest is layer.yaml's; empty = not said.
	Description             string
	License                 string
	Runtimes, Architectures []string
}

// Sharing is one grant on one version of a layer: To is the version that is shared,
// From the one that is no longer. Stored: names and meanings stay.
type Sharing struct {
	Sid string `json:"sid"` // layerd-…
	// Principal is an account id, or * for everybody in Organization, or, where that
	// is empty, for everybody.
	Principal    string `json:"principal"`
	Organization string `json:"organization,omitempty"`
}

// String returns whom it is about: an account id, o-…, or *; the Sid where nobody can
// tell.
func (s Sharing) String() string { return cmp.Or(state.Grant(s).To(), s.Sid) }

// Whom returns whom it is about, in words.
func (s Sharing) Whom() string { return state.Grant(s).Whom() }

// Obeys returns the calendar by which the step may start. Where no window
// holds it, the cutoff before the end of one does not either.
func (s Step) Obeys(c window.Calendar) window.Calendar {
	switch {
	case s.Cause == CauseRollback:
		return window.Calendar{Zone: c.Zone} // passes windows and freezes
	case s.Windowless():
		c.Windows, c.Cutoff = nil, 0
	}
	return c
}

// Subject returns the function of a step; of one that changes none, the version of the
// layer that it is about.
func (s Step) Subject() string {
	switch {
	case s.Function != "":
		return s.Function
	case s.Kind == KindPublish && s.Result != nil && s.Result.Published != "":
		return s.Result.Published.Label(s.ToVersion)
	case s.Kind == KindPublish:
		return s.ToVersion
	case s.From == "":
		return s.To.Label(s.ToVersion)
	}
	return s.From.Label(s.FromVersion)
}

// Text returns what a share step does, after the version or versions that it is
// about: "with 210987654321", or "no longer with 210987654321".
func (s Sharing) Text(granting bool) string {
	if !granting {
		return "no longer with " + s.Whom()
	}
	return "with " + s.Whom()
}

// Windowless reports whether no change window holds the step: what changes no function
// needs none. A freeze does hold it.
func (s Step) Windowless() bool { return s.AnyTime || s.Kind == KindPublish || s.Kind == KindShare }

// Done reports whether the step was applied, or whether there was nothing left to
// do. One that changed AWS and has an error is not: somebody has to look.
func (s Step) Done() bool {
	return s.Result != nil && s.Result.Error == "" && (s.Result.Status == StatusApplied || s.Result.Status == StatusSkipped)
}

// InRollout reports whether a step is part of a rollout. A new function that
// gets what all others have, and a heal, bring nothing new.
func (s Step) InRollout() bool { return s.Cause == CauseChange && !s.AnyTime && s.Function != "" }

// Line returns a step of a Region the way a digest is made of it. A version that is not
// published yet stands with its content, sha256:…; a grant stands as the number of the
// version and whom it is about, with a - where it is taken back.
func Line(region string, s Step) string {
	switch {
	case s.Kind == KindServe:
		return ruling.ApprovalLine(region, string(s.Kind), "", s.Function, s.Serving.Qualifier)
	case s.Kind == KindShare && s.To == "":
		return ruling.ApprovalLine(region, string(s.Kind), s.LayerARN, "-"+s.Sharing.String(), target(s.From))
	case s.Kind == KindShare:
		return ruling.ApprovalLine(region, string(s.Kind), s.LayerARN, s.Sharing.String(), target(s.To))
	}
	return ruling.ApprovalLine(region, string(s.Kind), s.LayerARN, s.Function, target(s.To))
}

// LineBefore returns the line that a step had before the version it brings got its
// number; empty where that is not known.
func LineBefore(region string, s Step) string {
	if s.Content == "" || s.To.Number() == 0 {
		return ""
	}
	s.To = s.LayerARN.Unpublished(s.Content)
	return Line(region, s)
}

// target returns a version as a line has it: its number, or sha256:… before it has one;
// empty for none.
func target(v state.LayerVersionARN) string {
	if n := v.Number(); n > 0 {
		return strconv.FormatInt(n, 10)
	}
	if sha256 := v.Content(); sha256 != "" {
		return "sha256:" + sha256
	}
	return ""
}

package notify

import "slices"

// Kind is what an alert is about. The names are part of the contract (DESIGN
// section 5).
type Kind string

// The kinds. The one below the blank line cannot be produced by this release; it
// is named so that its place is kept.
const (
	Baseline           Kind = "baseline" // what the first look at an environment found
	Drift              Kind = "drift"
	ApprovalNeeded     Kind = "approval_needed"
	ChangeHeld         Kind = "change_held"
	ChangeApplied      Kind = "change_applied"
	ApplyFailed        Kind = "apply_failed"
	Blocked            Kind = "blocked"
	Published          Kind = "published" // a version of a layer
	Pruned             Kind = "pruned"
	PruneBlocked       Kind = "prune_blocked"
	DesiredInvalid     Kind = "desired_invalid"
	EnvironmentRemoved Kind = "environment_removed"
	GitStale           Kind = "git_stale"
	AWSStale           Kind = "aws_stale"
	StoreFailed        Kind = "store_failed"
	WindowMissed       Kind = "window_missed"
	LeaseLost          Kind = "lease_lost"
	RolloutFailed      Kind = "rollout_failed" // halted, its rollback is stuck, or an alarm fired after it
	RolledBack         Kind = "rolled_back"    // by health or by hand, until its quarantine is lifted
	Quarantined        Kind = "quarantined"    // one that nothing was rolled back for
	TugOfWar           Kind = "tug_of_war"

	DeliveryFailed   Kind = "delivery_failed"   // a target takes no messages
	SecretUnreadable Kind = "secret_unreadable" // one that the configuration names

	RulingEnding Kind = "ruling_ending"
)

// Severity is how much an alert should disturb.
type Severity string

// The severities.
const (
	Info    Severity = "info"    // good to know
	Warning Severity = "warning" // look at it today
	Failure Severity = "failure" // something does not work
)

// rank returns how loud a severity is: the higher, the louder.
func (s Severity) rank() int { return slices.Index([]Severity{Info, Warning, Failure}, s) }

// Severity returns the severity of an open alert; a resolved one is Info.
func (k Kind) Severity() Severity {
	switch k {
	case ApplyFailed, DesiredInvalid, GitStale, AWSStale, StoreFailed, LeaseLost, RolloutFailed, Quarantined, DeliveryFailed, SecretUnreadable:
		return Failure
	case Drift, ApprovalNeeded, Blocked, PruneBlocked, EnvironmentRemoved, WindowMissed, RolledBack, TugOfWar, RulingEnding:
		return Warning
	default:
		return Info
	}
}

// Status is the status of the alert that a message is about.
type Status string

// The statuses.
const (
	Opened   Status = "opened"   // it is new
	Updated  Status = "updated"  // it is still open, and its facts changed
	Reminded Status = "reminded" // it is still open, and nothing changed
	Resolved Status = "resolved" // it is over
	Told     Status = "told"     // it happened; there is nothing to resolve
)

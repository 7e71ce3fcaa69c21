package reconcile

import (
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// Input is everything a decision looks at. Nothing else is consulted: no
// clock, no network, no randomness.
type Input struct {
	// Want is one environment, an element per Region, in the order in which
	// the Regions are taken.
	Want []desired.Environment
	// Others are all other environments of the repository, for layers they
	// want in the same account and Region.
	Others []desired.Environment
	// Have is one snapshot per element of Want, in the same order; nil where
	// the Region could not be read, with the reason in Unread.
	Have   []*state.Snapshot
	Unread []*Failure
	// Past is one element per element of Want. Nil: nothing is known.
	Past []Past
	// Rollouts has the rollout of each element of Want that is under way or was
	// the last; nil = there was none. Changed is what those under way, and
	// those they took over from, did, by function.
	Rollouts []*rollout.Rollout
	Changed  [][]rollout.Changed
	// Unwell says, for each element of Want, why no change may start there (an
	// alarm rings); empty = it may.
	Unwell []string
	// Quarantines are those of this environment that hold.
	Quarantines []ruling.Quarantine
	// Approvals are those of this environment, ended ones included.
	Approvals []ruling.Approval
	// Stale says why no change may start although the environment is valid
	// (Git not read for too long); empty = it may. It holds by "desired".
	Stale string
	// Unleased says why nothing may be done at all, by whoever is deciding; empty
	// = it may. It holds by "lease".
	Unleased string
	// PruneStop says why nothing at all may be pruned (an invalid file
	// anywhere, an environment not read); empty = it may.
	PruneStop string
	Rates     Rates
	Now       time.Time
}

// Rates are the configured request rates per account and Region, for telling
// how long a plan takes. Zero means the defaults of DESIGN section 5.
type Rates struct {
	Requests    float64 // per second, all calls but GetFunction
	GetFunction float64 // per second
}

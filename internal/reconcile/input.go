package reconcile

import (
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// Input is everything a decision looks at. Nothing else is consulted: no
// clock, no network, no randomness.
type Input struct {
	// Regions are those of one environment, in the order in which they are taken;
	// never empty.
	Regions []Region
	// Others are the other environments of the repository, one element a Region,
	// for the layers and functions that they have in the same account and Region.
	Others []Other
	// Quarantines are those of this environment that hold.
	Quarantines []ruling.Quarantine
	// Approvals are those of this environment, ended ones included.
	Approvals []ruling.Approval
	// Stale is why no change may start although the environment is valid
	// (Git not read for too long); empty = it may. It holds by "desired".
	Stale string
	// Unleased is why nothing may be done at all, by whoever is deciding; empty
	// = it may. It holds by "lease".
	Unleased string
	// PruneStop is why nothing at all may be pruned (an invalid file
	// anywhere, an environment not read); empty = it may.
	PruneStop string
	// Revision is the commit that Want is of, where it is known: what is published from
	// the repository is read there, and says so.
	Revision string
	// Published is the content of each version that was published first, anywhere: the
	// layer in Git to canonical semantic version to lower-case hex SHA-256. Other bytes
	// under its name are refused; nil = nothing is known to be published.
	Published map[string]map[string]string
	Rates     Rates
	Now       time.Time
}

// Region is what is known of one Region of the environment.
type Region struct {
	Want desired.Environment
	// Have is what was observed; nil where the Region could not be read, and
	// then Unread has the reason.
	Have   *state.Snapshot
	Unread *plan.Failure
	Past   plan.Past // the zero value: nothing is known
	// Begun has, by function, the lists that another layerd, at work right now, has left
	// there since Past was read, or is about to: found on the function they are no drift.
	Begun map[string][]state.Layers
	// Rollout is the one that is under way or was the last; nil = there was
	// none. Changed is what it did by function, and what those did that it took
	// over from, while it is under way.
	Rollout *rollout.Rollout
	Changed []rollout.Changed
	// Refused is what could not be read beside that; nil = all that was asked for
	// was read. Calls is how many calls reading took.
	Refused error
	Calls   int
	// Unwell is why no change may start (an alarm rings); empty = it may.
	Unwell string
}

// Other is another environment in one Region.
type Other struct {
	Want desired.Environment
	// Past is needed where both select a function: whoever had it first holds it.
	Past plan.Past
	// Unread: the environment's file cannot be read and there is no last good one.
	// It is not known what it selects; Want has its name, account and Region only.
	Unread bool
}

// name is the environment's.
func (in Input) name() string { return in.Regions[0].Want.Name }

// Rates are the configured request rates per account and Region, for telling
// how long a plan takes. Zero means the defaults of DESIGN section 5.
type Rates struct {
	Requests    float64 // per second, all calls but GetFunction
	GetFunction float64 // per second
}

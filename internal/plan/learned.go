package plan

import (
	"time"

	"github.com/layerd/layerd/internal/state"
)

// Learned is what a look at the world taught: it belongs in the history even
// when no step runs.
type Learned struct {
	Adopted    []Adoption     // functions found as wanted, without a past
	Sightings  []Sighting     // drift seen, old and new
	Candidates []Candidate    // versions that nothing protects, old and new
	Numbers    []PinnedNumber // which number a semantic version was found at
	Selected   []Selection    // how many functions each layer selects
	Kept       []string       // functions that this environment holds, and that wait for their first layer
	Released   []string       // functions that it held and selects no more
	Refused    []Revised      // at which revision a function was refused
	Shares     []LayerShares  // of a layer of which something else is known than before
}

// LayerShares is what is known of the grants of a layer's versions; see LayerPast.
type LayerShares struct {
	Layer        state.LayerARN
	Ours, Others map[string][]int64
	Read         time.Time
}

// Revised is a function with a refusal of which the revision was not known.
type Revised struct{ Function, Revision string }

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

// PinnedNumber is the live number that a semantic version stands for from now on.
type PinnedNumber struct {
	Layer  state.LayerARN
	Semver string // canonical
	Number int64
}

// Selection is how many functions a layer's selectors chose.
type Selection struct {
	Layer state.LayerARN
	Count int
}

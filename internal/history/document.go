package history

import (
	"time"

	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// version is what this program writes as "v" and the newest it understands.
const version = 1

// head is the part of every value that never changes its meaning.
type head struct {
	V int `json:"v"`
}

// fence is the hold of an account's lease that a write was made under. The
// number is 0 without a lease.
type fence struct {
	account string
	number  int64
}

// fencing is the highest number that wrote a document, by account: the lease
// is an account's, and when an environment moves to another account its numbers
// are those of another lease.
type fencing map[string]int64

// staleFor reports whether a later holder has written the document, so that
// whoever comes with f was asleep and must leave it alone.
func (fs fencing) staleFor(f fence) bool { return f.number < fs[f.account] }

// advance notes f, and reports whether it is new.
func (fs *fencing) advance(f fence) bool {
	if f.number <= (*fs)[f.account] {
		return false
	}
	if *fs == nil {
		*fs = fencing{}
	}
	(*fs)[f.account] = f.number
	return true
}

// functionDoc is what is remembered of one function in one environment and
// Region. Stored: names and meanings stay.
type functionDoc struct {
	head
	List   []state.LayerVersionARN     `json:"list,omitempty"`
	Layers map[state.LayerARN]slotDoc  `json:"layers,omitempty"`
	Drift  map[state.LayerARN]sightDoc `json:"drift,omitempty"`
	Heals  map[state.LayerARN]healDoc  `json:"heals,omitempty"`
	Fences fencing                     `json:"fencing,omitempty"`
	// Refused has each aim at most once.
	Refused []refusalDoc `json:"refused,omitempty"`
	// Since, Kept and Released are those of plan.FunctionPast.
	Since    *time.Time `json:"since,omitempty"`
	Kept     bool       `json:"kept,omitempty"`
	Released bool       `json:"released,omitempty"`
}

// take notes that the environment holds the function, from at on if it did not yet,
// and reports whether that is new. What was held before this was remembered has no
// beginning.
func (d *functionDoc) take(at time.Time) bool {
	if !d.Released && (d.Since != nil || len(d.Layers) > 0) {
		return false
	}
	d.Since, d.Released = new(at.UTC()), false
	return true
}

// hold notes whose the function is by what was observed, and reports whether that is
// new.
func (d *functionDoc) hold(o observation) (changed bool) {
	if len(o.adopted) > 0 || o.kept {
		changed = d.take(o.at)
	}
	if o.kept && !d.Kept {
		d.Kept, changed = true, true
	}
	if o.released && !d.Released {
		d.Released, d.Kept, changed = true, false, true
	}
	return changed
}

// slotDoc is one layer of one function.
type slotDoc struct {
	Applied int64 `json:"applied"` // 0 = none, which is known and not unknown
	// Original is what the function had before layerd first changed it; 0 =
	// there was none, or it does not count any more.
	Original int64 `json:"original,omitempty"`
	// Changed: layerd has changed it. The first change was made, and Original is
	// never set again.
	Changed bool `json:"changed,omitempty"`
}

type sightDoc struct {
	Have  state.LayerVersionARN `json:"have"`
	Since time.Time             `json:"since"`
}

// healDoc counts the repairs of a drift that comes back.
type healDoc struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
	// Record is the ID of the last one that counted, so that one that is
	// recorded twice counts once.
	Record string `json:"record"`
}

// layerDoc is what is remembered of one layer. Stored.
type layerDoc struct {
	head
	Applied    []int64             `json:"applied,omitempty"`
	Numbers    map[string]int64    `json:"numbers,omitempty"`
	Candidates map[int64]time.Time `json:"candidates,omitempty"`
	Selected   int                 `json:"selected,omitempty"`
	Proven     int64               `json:"proven,omitempty"`
	Shares     *sharesDoc          `json:"shares,omitempty"` // nil: nothing was ever shared
	Fences     fencing             `json:"fencing,omitempty"`
}

// rolloutDoc is the current or last rollout of an environment in a Region.
// Stored.
type rolloutDoc struct {
	head
	rollout.Rollout
	Fences fencing `json:"fencing,omitempty"`
}

// prunedDoc has the prunes of the last day, by record, so that one that is
// recorded twice counts once. Stored.
type prunedDoc struct {
	head
	At map[string]time.Time `json:"at,omitempty"`
}

// openDoc has the rounds that may have records without an end, by the ID below
// which none of their records is. Stored.
type openDoc struct {
	head
	Rounds map[string]time.Time `json:"rounds,omitempty"`
}

// decode reads a stored value, and refuses one that a newer layerd wrote.
func decode(v store.Value, into any) error { return store.Decode(v, version, into) }

// docs are the values of one form that the history keeps.
func docs[D any](l *Log) store.Documents[D] {
	return store.Documents[D]{Store: l.store, Version: version}
}

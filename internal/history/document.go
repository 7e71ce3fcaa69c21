package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

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

// fence says which hold of an account's lease a write was made under. The
// number is 0 without a lease.
type fence struct {
	account string
	number  int64
}

// fences has the highest number that wrote a document, by account: the lease
// is an account's, and when an environment moves to another account its numbers
// are those of another lease.
type fences map[string]int64

// passed says that a later holder has written the document, so that whoever
// comes with f was asleep and must leave it alone.
func (fs fences) passed(f fence) bool { return f.number < fs[f.account] }

// raise notes f; false = it was known.
func (fs *fences) raise(f fence) bool {
	if f.number <= (*fs)[f.account] {
		return false
	}
	if *fs == nil {
		*fs = fences{}
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
	Fences fences                      `json:"fencing,omitempty"`
}

// slotDoc is one layer of one function.
type slotDoc struct {
	Applied int64 `json:"applied"` // 0 = none, which is known and not unknown
	// Original is what the function had before layerd first changed it; 0 =
	// there was none, or it does not count any more.
	Original int64 `json:"original,omitempty"`
	// Changed says that layerd has changed it: the first change was made, and
	// Original is never set again.
	Changed bool `json:"changed,omitempty"`
}

type sightDoc struct {
	Have  state.LayerVersionARN `json:"have"`
	Since time.Time             `json:"since"`
}

// healDoc counts the heals of a drift that comes back.
type healDoc struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
	// Record is the ID of the last one that counted, so that one that is told
	// twice counts once.
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
	Fences     fences              `json:"fencing,omitempty"`
}

// rolloutDoc is the current or last rollout of an environment in a Region.
// Stored.
type rolloutDoc struct {
	head
	rollout.Rollout
	Fences fences `json:"fencing,omitempty"`
}

// prunedDoc has the prunes of the last day, by record, so that one that is
// told twice counts once. Stored.
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
func decode(v store.Value, into any) error {
	var h head
	if err := json.Unmarshal(v.Data, &h); err != nil {
		return fmt.Errorf("read %s: %w: %w", v.Key, store.ErrCorrupt, err)
	}
	if h.V > version {
		return fmt.Errorf("read %s: %w: it has version %d, this program knows %d", v.Key, store.ErrNewer, h.V, version)
	}
	if err := json.Unmarshal(v.Data, into); err != nil {
		return fmt.Errorf("read %s: %w: %w", v.Key, store.ErrCorrupt, err)
	}
	return nil
}

// patience is how often a write is tried that others got in the way of. A
// layer's document is written by all functions in hand at once.
const patience = 20

// update reads a document, lets change alter it and writes it back, unless
// change says that nothing is different. When somebody else wrote meanwhile,
// all of that is done again.
func update[D any](ctx context.Context, s store.Store, key string, change func(*D) bool) error {
	return updateFrom(ctx, s, key, nil, change)
}

// updateFrom is update for a caller that has read the value already; a value
// without revision means that there was none.
func updateFrom[D any](ctx context.Context, s store.Store, key string, seen *store.Value, change func(*D) bool) error {
	return patiently(ctx, func() error {
		err := updateOnce(ctx, s, key, seen, change)
		seen = nil // it is old by now
		return err
	})
}

// patiently does it again while others are in the way.
func patiently(ctx context.Context, do func() error) error {
	operation := func() (struct{}, error) {
		err := do()
		if err == nil || errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrBusy) {
			return struct{}{}, err
		}
		return struct{}{}, backoff.Permanent(err)
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 2*time.Millisecond, time.Second
	_, err := backoff.Retry(ctx, operation, backoff.WithBackOff(wait), backoff.WithMaxTries(patience))
	return err
}

func updateOnce[D any](ctx context.Context, s store.Store, key string, seen *store.Value, change func(*D) bool) error {
	if seen == nil {
		v, err := s.Get(ctx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		seen = &v
	}
	var doc D
	if seen.Revision != "" {
		if err := decode(*seen, &doc); err != nil {
			return err
		}
	}
	if !change(&doc) {
		return nil
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	if seen.Revision == "" {
		_, err = s.Create(ctx, key, data)
	} else {
		_, err = s.Replace(ctx, key, seen.Revision, data)
	}
	return err
}

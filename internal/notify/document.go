package notify

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// version is what this program writes as "v" and the newest it understands.
const version = 1

const (
	// maxWaiting and maxBytes bound the messages of one environment that wait
	// to be delivered, so that the value fits into every store together with
	// its alerts (store.MaxValue).
	maxWaiting = 200
	maxBytes   = 200 << 10
	// unwanted is how long a message waits for a target that is not configured
	// any more. Not at once: during an update two daemons have two
	// configurations.
	unwanted = 7 * 24 * time.Hour
)

// document is what is kept of one environment, or of the repository: the
// alerts, how far its history was told, and what waits to be delivered. One
// value, so that deciding and queueing are one write. Stored: names and
// meanings stay.
type document struct {
	V        int              `json:"v"`
	Baseline time.Time        `json:"baseline,omitzero"` // when the first look was told; zero: it was not
	Number   int              `json:"number,omitempty"`  // of the last message
	Cursor   history.Cursor   `json:"cursor,omitempty"`  // how far the history was told
	Missed   time.Time        `json:"missed,omitzero"`   // the start of the last missed opening that was told
	Alerts   []Alert          `json:"alerts,omitempty"`
	Outbox   []waitingMessage `json:"outbox,omitempty"` // oldest first
}

// waitingMessage is a message and the targets that do not have it yet.
type waitingMessage struct {
	Message Message             `json:"message"`
	To      map[string]attempts `json:"to"`
	// Replaces are the IDs of messages in whose place this one waits.
	Replaces []string `json:"replaces,omitempty"`
}

// attempts is what is known of a message at one target.
type attempts struct {
	Count int       `json:"count,omitempty"` // of those that were noted
	Next  time.Time `json:"next,omitzero"`   // written by earlier releases; nobody waits for it any more
	Error string    `json:"error,omitempty"` // of the last one
	Since time.Time `json:"since,omitzero"`  // since when the target takes nothing
}

// decode reads a stored document, and refuses one that a newer layerd wrote.
func decode(v store.Value) (document, error) { return documents(nil).Decode(v) }

// documents are those that s keeps.
func documents(s store.Store) store.Documents[document] {
	return store.Documents[document]{Store: s, Version: version, Encode: (*document).encode}
}

// encode writes the document so that it fits: an alert can do without the
// names it is about, and when that is not enough, messages are dropped.
func (d *document) encode() ([]byte, error) {
	d.V = version
	data, err := json.Marshal(d)
	if err != nil || len(data) <= store.MaxValue {
		return data, err
	}
	d.Alerts = slices.Clone(d.Alerts)
	for i := range d.Alerts {
		d.Alerts[i].Names, d.Alerts[i].Title = nil, words.Truncate(d.Alerts[i].Title, 80)
	}
	data, err = json.Marshal(d)
	for err == nil && len(data) > store.MaxValue && len(d.Outbox) > 1 {
		d.dropOldest()
		data, err = json.Marshal(d)
	}
	return data, err
}

// fresh returns the steps that ended, unless they were read from another place
// than the one that was told: then somebody told of them meanwhile, and the next
// round reads on from there.
func (d *document) fresh(s Situation) []history.Entry {
	if d.Cursor != "" && s.From != "" && d.Cursor != s.From {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Ended), func(e history.Entry) bool { return e.Ended.IsZero() })
}

// newMissed returns those missed openings that were not reported.
func (d *document) newMissed(list []Missed) []Missed {
	list = slices.DeleteFunc(slices.Clone(list), func(m Missed) bool { return !m.Start.After(d.Missed) })
	for _, m := range list {
		if m.Start.After(d.Missed) {
			d.Missed = m.Start.UTC()
		}
	}
	return list
}

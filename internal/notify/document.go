package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// version is what this program writes as "v" and the newest it understands.
const version = 1

const (
	// mostWaiting and mostBytes bound the messages of one environment that wait
	// to be delivered, so that the value fits into every store together with
	// its alerts (store.MaxValue).
	mostWaiting = 200
	mostBytes   = 200 << 10
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
}

// attempts is how often a message was tried at one target.
type attempts struct {
	Count int       `json:"count,omitempty"`
	Next  time.Time `json:"next,omitzero"`
	Error string    `json:"error,omitempty"`
}

// decode reads a stored document, and refuses one that a newer layerd wrote.
func decode(v store.Value) (document, error) { return documents(nil).Decode(v) }

// documents are those that s keeps.
func documents(s store.Store) store.Documents[document] {
	return store.Documents[document]{Store: s, Version: version, Encode: (*document).encode}
}

// encode writes the document so that it fits: an alert can do without the
// names it is about, and when that is not enough, messages are folded.
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
		d.fold()
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

// unmissed returns those missed openings that were not told.
func (d *document) unmissed(list []Missed) []Missed {
	list = slices.DeleteFunc(slices.Clone(list), func(m Missed) bool { return !m.Start.After(d.Missed) })
	for _, m := range list {
		if m.Start.After(d.Missed) {
			d.Missed = m.Start.UTC()
		}
	}
	return list
}

// queue puts a message into the outbox for the targets.
func (d *document) queue(m Message, owner string, targets []string) {
	if len(targets) == 0 {
		return
	}
	d.Number++
	m.ID = fmt.Sprintf("%s#%d", owner, d.Number)
	w := waitingMessage{Message: m, To: map[string]attempts{}}
	for _, name := range targets {
		w.To[name] = attempts{}
	}
	d.Outbox = append(d.Outbox, w)
	for len(d.Outbox) > mostWaiting || len(d.Outbox) > 1 && weigh(d.Outbox) > mostBytes {
		d.fold()
	}
}

// weigh returns about how many bytes messages take. It is asked for each message
// that is queued; encode looks at the bytes.
func weigh(list []waitingMessage) int {
	n := 0
	for _, w := range list {
		m := w.Message
		n += 400 + len(m.Title) + len(m.Context) + len(m.ID) + len(m.Alert.Region) + len(m.Alert.Key)
		for _, s := range m.Sections {
			n += 40 + len(s.Text) + len(s.Detail) + len(s.Code)
			for _, item := range s.Items {
				n += 3 + len(item)
			}
		}
	}
	return n
}

// fold drops the oldest message whose alert has a younger one waiting, which
// then says so; when there is none, the oldest at all, and the next one says so.
func (d *document) fold() {
	drop, heir := 0, 1
	for i, w := range d.Outbox {
		j := slices.IndexFunc(d.Outbox[i+1:], func(o waitingMessage) bool { return o.Message.Alert == w.Message.Alert })
		if j >= 0 {
			drop, heir = i, i+1+j
			break
		}
	}
	d.Outbox[heir].Message.Folded += d.Outbox[drop].Message.Folded + 1
	d.Outbox = slices.Delete(d.Outbox, drop, drop+1)
}

// delivered takes a target off a message, and the message out of the outbox
// once every target is off. It reports whether there was anything to take.
func (d *document) delivered(id, target string) bool {
	return d.waiting(id, target, func(w *waitingMessage) { delete(w.To, target) })
}

// waiting lets change alter a message that waits for target.
func (d *document) waiting(id, target string, change func(*waitingMessage)) bool {
	i := slices.IndexFunc(d.Outbox, func(w waitingMessage) bool { return w.Message.ID == id })
	if i < 0 {
		return false
	}
	if _, ok := d.Outbox[i].To[target]; !ok {
		return false
	}
	change(&d.Outbox[i])
	if len(d.Outbox[i].To) == 0 {
		d.Outbox = slices.Delete(d.Outbox, i, i+1)
	}
	return true
}

// forget takes off targets that nobody configures any more.
func (d *document) forget(targets []string, now time.Time) (changed bool) {
	for i := range d.Outbox {
		w := &d.Outbox[i]
		for name := range w.To {
			if !slices.Contains(targets, name) && now.Sub(w.Message.At) > unwanted {
				delete(w.To, name)
				changed = true
			}
		}
	}
	d.Outbox = slices.DeleteFunc(d.Outbox, func(w waitingMessage) bool { return len(w.To) == 0 })
	return changed
}

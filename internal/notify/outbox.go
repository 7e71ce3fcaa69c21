package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/words"
)

// maxReplaces is how many of the messages that it took the place of a message
// remembers. Only one of the last can still be on its way.
const maxReplaces = 8

// origin is what all messages of one report share.
type origin struct {
	owner   string // begins their IDs
	context string // one line about where they come from
	now     time.Time
	zone    *time.Location
}

// enqueue puts what an event says into the outbox. A target that still waits for
// what was said of the same alert gets one message in place of all of that: what
// the alert is by now, or that it came and went.
func (d *document) enqueue(e Event, o origin, targets []string) {
	if e.Alert.Kind == DeliveryFailed { // whom it is about cannot be told, and knows when it is over
		targets = slices.DeleteFunc(slices.Clone(targets), func(name string) bool { return slices.Contains(e.Alert.Names, name) })
	}
	for _, a := range e.Ended {
		if a.ID != e.Alert.ID {
			d.takeUnsent(a.ID, targets) // the message itself says what it resolves
		}
	}
	if e.Status == Told {
		d.queue(waitingMessage{Message: compose(e, o)}, o.owner, targets)
		return
	}
	for _, g := range d.byUnsent(e.Alert.ID, targets) {
		w := supersede(g.unsent, e, o)
		d.takeUnsent(e.Alert.ID, g.targets)
		if e.Status == Resolved && g.unaware() { // how often it came and went is a number
			for _, old := range g.ends {
				w.Message.Folded += old.Message.Folded + 1
				d.take(old.Message.ID, g.targets)
			}
		}
		d.queue(w, o.owner, g.targets)
	}
}

// sameUnsent are targets that wait for the same messages of an alert: those of its
// life, and the ends of earlier ones.
type sameUnsent struct {
	targets      []string
	unsent, ends []waitingMessage
}

// unaware reports whether the targets never heard that the alert was opened.
func (g sameUnsent) unaware() bool { return len(g.unsent) > 0 && g.unsent[0].Message.Status == Opened }

// byUnsent groups targets by what they wait for of an alert.
func (d *document) byUnsent(id ID, targets []string) (groups []*sameUnsent) {
	known := map[string]*sameUnsent{}
	for _, target := range targets {
		unsent, ends := d.unsent(id, target)
		key := ""
		for _, w := range slices.Concat(unsent, ends) {
			key += w.Message.ID + "\n"
		}
		if known[key] == nil {
			known[key] = &sameUnsent{unsent: unsent, ends: ends}
			groups = append(groups, known[key])
		}
		known[key].targets = append(known[key].targets, target)
	}
	return groups
}

// unsent returns the messages about an alert, as it was opened last, that wait for
// a target, and the ends of earlier times that wait as well.
func (d *document) unsent(id ID, target string) (list, ends []waitingMessage) {
	for _, w := range d.Outbox {
		if _, ok := w.To[target]; !ok || w.Message.Alert != id {
			continue
		}
		switch w.Message.Status {
		case Opened:
			list = []waitingMessage{w}
		case Updated, Reminded:
			list = append(list, w)
		case Resolved:
			list, ends = nil, append(ends, w)
		case Told:
			list = nil
		}
	}
	return list, ends
}

// takeUnsent takes those messages out of the outbox for some targets.
func (d *document) takeUnsent(id ID, targets []string) {
	for _, target := range targets {
		unsent, _ := d.unsent(id, target)
		for _, w := range unsent {
			d.take(w.Message.ID, []string{target})
		}
	}
}

// take takes one message out of the outbox for some targets.
func (d *document) take(id string, targets []string) {
	for _, target := range targets {
		d.waiting(id, target, func(w *waitingMessage) { delete(w.To, target) })
	}
}

// supersede words an event for targets that do not have the messages that it
// takes the place of.
func supersede(unsent []waitingMessage, e Event, o origin) waitingMessage {
	if len(unsent) == 0 {
		return waitingMessage{Message: compose(e, o)}
	}
	var w waitingMessage
	unaware := unsent[0].Message.Status == Opened // they never heard of the alert
	switch {
	case e.Status == Resolved:
		w.Message = compose(e, o)
		if unaware && e.Fact == nil {
			w.Message.Sections = append(w.Message.Sections, Section{Text: fmt.Sprintf("As of %s:", words.Moment(unsent[0].Message.At, o.zone))})
			w.Message.Sections = append(w.Message.Sections, unsent[0].facts()...)
		}
	case unaware:
		w.Message = compose(Event{Status: Opened, Alert: e.Alert, Fact: e.Fact}, o)
		w.Message.Sections = slices.Insert(w.Message.Sections, 0, Section{Text: openSince(e.Alert, o)})
	default:
		if slices.ContainsFunc(unsent, func(w waitingMessage) bool { return w.Message.Status == Updated }) {
			e.Status = Updated
		}
		e.Before = &e.Alert // what changed since a message that nobody has says nothing
		w.Message = compose(e, o)
	}
	for _, old := range unsent {
		w.Message.Folded += old.Message.Folded
		w.Replaces = append(append(w.Replaces, old.Replaces...), old.Message.ID)
	}
	w.Replaces = w.Replaces[max(0, len(w.Replaces)-maxReplaces):]
	return w
}

// openSince returns since when an alert is open, and how long that is.
func openSince(a Alert, o origin) string {
	return fmt.Sprintf("Open since %s (%s).", words.Moment(a.Opened, o.zone), words.Span(o.now.Sub(a.Opened)))
}

// facts returns what the message about an alert that was opened says of it; what
// could be done about it is over.
func (w waitingMessage) facts() (list []Section) {
	for _, s := range w.Message.Sections {
		if strings.HasPrefix(s.Text, "Open since ") && len(w.Replaces) > 0 {
			continue
		}
		s.Code = ""
		list = append(list, s)
	}
	return list
}

// queue puts a message into the outbox for the targets.
func (d *document) queue(w waitingMessage, owner string, targets []string) {
	if len(targets) == 0 {
		return
	}
	d.Number++
	w.Message.ID, w.To = fmt.Sprintf("%s#%d", owner, d.Number), map[string]attempts{}
	for _, name := range targets {
		w.To[name] = attempts{}
	}
	d.Outbox = append(d.Outbox, w)
	for len(d.Outbox) > maxWaiting || len(d.Outbox) > 1 && estimateSize(d.Outbox) > maxBytes {
		d.dropOldest()
	}
}

// estimateSize returns about how many bytes messages take. It is asked for each
// message that is queued; encode looks at the bytes.
func estimateSize(list []waitingMessage) int {
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
		for _, id := range w.Replaces {
			n += 3 + len(id)
		}
	}
	return n
}

// dropOldest drops a message: of the least loud ones the oldest whose alert has a
// younger one waiting, which then counts it; when there is none, the oldest of the
// least loud at all, and the next one counts it.
func (d *document) dropOldest() {
	drop, successor := -1, 0
	for _, s := range []Severity{Info, Warning, Failure} {
		for i, w := range d.Outbox {
			if w.Message.Severity != s {
				continue
			}
			j := slices.IndexFunc(d.Outbox[i+1:], func(o waitingMessage) bool { return o.Message.Alert == w.Message.Alert })
			if j >= 0 {
				d.drop(i, i+1+j)
				return
			}
			if drop < 0 {
				drop, successor = i, i+1
			}
		}
	}
	if successor == len(d.Outbox) {
		successor = drop - 1
	}
	d.drop(drop, successor)
}

// drop drops one message, which another one counts.
func (d *document) drop(i, successor int) {
	d.Outbox[successor].Message.Folded += d.Outbox[i].Message.Folded + 1
	d.Outbox = slices.Delete(d.Outbox, i, i+1)
}

// delivered takes a target off a message, and the message out of the outbox
// once every target is off. It reports whether there was anything to take.
func (d *document) delivered(id, target string) bool {
	if d.waiting(id, target, func(w *waitingMessage) { delete(w.To, target) }) {
		return true
	}
	// Another one took its place while it was on its way: that one is no news.
	for i := range d.Outbox {
		w := &d.Outbox[i]
		if _, ok := w.To[target]; ok && len(w.To) == 1 && w.Message.Status == Opened && slices.Contains(w.Replaces, id) {
			w.Message.Status = Updated
			return true
		}
	}
	return false
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

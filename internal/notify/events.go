package notify

import (
	"cmp"
	"slices"
	"time"
)

const (
	// pause is how long an alert is left alone after a message: a list that
	// changes every minute is reported every five, and one that changes back in
	// between not at all. It is also how long an alert that is over stays over.
	pause = 5 * time.Minute
	// mostNames is how many names an alert remembers, to report what changed.
	mostNames = 20
)

// Events compares the open alerts with the facts, and returns what to report now
// and the alerts as they are afterwards. Equal arguments give equal events;
// calling it again with the alerts it returned returns none. repeat is after how
// long an alert that did not change is repeated; 0 = never.
func Events(before []Alert, found Findings, now time.Time, repeat time.Duration) (events []Event, after []Alert) {
	open := map[ID]Alert{}
	for _, a := range before {
		open[a.ID] = a
	}
	left := map[ID]bool{} // alerts that stay as they are or are reported
	for i := range found.Facts {
		f := &found.Facts[i]
		if f.OneShot {
			continue
		}
		left[f.ID] = true
		if e, ok := live(open, f, now, repeat); ok {
			events = append(events, e)
			after = append(after, e.Alert)
		} else if a, ok := open[f.ID]; ok {
			after = append(after, a)
		}
	}
	for i := range found.Facts {
		if f := &found.Facts[i]; f.OneShot {
			events = append(events, Event{Status: Told, Alert: newAlert(f, now), Fact: f})
		}
	}
	slices.SortFunc(events, inOrder) // of two that are the end of an alert, the first is its end
	for _, a := range slices.SortedFunc(slices.Values(before), byID) {
		switch {
		case left[a.ID]:
		case !a.Resolved.IsZero():
			if !passed(a.Resolved, now, pause) {
				after = append(after, a)
			}
		case slices.ContainsFunc(found.Unknown, func(s Scope) bool { return s.matches(a) }):
			after = append(after, a)
		default:
			a.Resolved = now.UTC()
			after = append(after, a)
			events = resolve(events, a)
		}
	}
	events = slices.DeleteFunc(events, func(e Event) bool { return e.Fact != nil && e.Fact.OnlyIfOpen && len(e.Ended) == 0 })
	slices.SortFunc(after, byID)
	slices.SortFunc(events, inOrder)
	return events, after
}

// inOrder is the order in which a round's events are reported: what is over or
// done before what is new.
func inOrder(a, b Event) int {
	rank := func(s Status) int { return slices.Index([]Status{Resolved, Told, Opened, Updated, Reminded}, s) }
	return cmp.Or(cmp.Compare(rank(a.Status), rank(b.Status)), a.Alert.compare(b.Alert.ID))
}

func byID(a, b Alert) int { return a.compare(b.ID) }

// passed reports whether d went by since t. A t to come was written by a clock
// that was wrong, and must not silence anything.
func passed(t, now time.Time, d time.Duration) bool { return now.Sub(t) >= d || t.After(now) }

// live returns what to report of a fact that lasts.
func live(open map[ID]Alert, f *Fact, now time.Time, repeat time.Duration) (Event, bool) {
	old, known := open[f.ID]
	a := newAlert(f, now)
	switch {
	case !known, !old.Resolved.IsZero() && passed(old.Resolved, now, pause):
		return Event{Status: Opened, Alert: a, Fact: f}, true
	case !old.Resolved.IsZero():
		return Event{}, false // reopened within the pause; reported later if it lasts
	}
	a.Opened = old.Opened
	switch {
	case old.Fingerprint != a.Fingerprint && passed(old.Told, now, pause):
		return Event{Status: Updated, Alert: a, Fact: f, Before: &old}, true
	case old.Fingerprint == a.Fingerprint && !f.NoReminder && repeat > 0 && now.Sub(old.Told) >= repeat:
		return Event{Status: Reminded, Alert: a, Fact: f, Before: &old}, true
	}
	return Event{}, false
}

func newAlert(f *Fact, now time.Time) Alert {
	a := Alert{ID: f.ID, Fingerprint: f.Fingerprint(), Title: f.Title, Quiet: f.NoReminder, Opened: now.UTC(), Told: now.UTC()}
	for _, i := range f.Items {
		if i.Name != "" && !slices.Contains(a.Names, i.Name) {
			a.Names = append(a.Names, i.Name)
		}
	}
	slices.Sort(a.Names)
	a.Count = len(a.Names)
	a.Names = a.Names[:min(a.Count, mostNames)]
	return a
}

// endOf reports whether the event is the end of the alert.
func (e Event) endOf(a Alert) bool {
	return e.Fact != nil && slices.ContainsFunc(e.Fact.Closes, func(s Scope) bool { return s.matches(a) })
}

// resolve ends an alert: within an event that is its end, where there is one,
// else in one of its own.
func resolve(events []Event, a Alert) []Event {
	for i := range events {
		e := &events[i]
		if !e.endOf(a) {
			continue
		}
		e.Ended = append(e.Ended, a)
		if e.Alert.ID == a.ID {
			e.Status, e.Before = Resolved, &a
		}
		return events
	}
	return append(events, Event{Status: Resolved, Alert: a, Before: &a})
}

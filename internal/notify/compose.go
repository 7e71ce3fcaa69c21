package notify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/words"
)

// Headline is the title with the status of the alert.
func (m Message) Headline() string {
	switch m.Status {
	case Updated:
		return "Update: " + m.Title
	case Reminded:
		return "Reminder: " + m.Title
	case Resolved:
		if m.Alert.Kind == ChangeApplied {
			return m.Title // that it was applied is its end
		}
		return "Resolved: " + m.Title
	default:
		return m.Title
	}
}

// severity returns how loud an event is.
func (e Event) severity() Severity {
	if e.Fact != nil && e.Fact.Severity != "" {
		return e.Fact.Severity
	}
	return e.Alert.Kind.Severity()
}

// compose words an event.
func compose(e Event, o origin) Message {
	now, zone := o.now, o.zone
	if e.Alert.Kind == Drift || e.Fact != nil && e.Fact.ElsewhereAsked {
		o.context = "" // no commit asks for a heal
	}
	m := Message{
		Status: e.Status, Severity: e.severity(), Alert: e.Alert.ID, Title: e.Alert.Title,
		Context: strings.TrimPrefix(o.context+" · "+words.Moment(now, zone), " · "), At: now.UTC(),
	}
	switch e.Status {
	case Updated:
		if text := changes(*e.Before, e.Alert); text != "" {
			m.Sections = append(m.Sections, Section{Text: text})
		}
	case Reminded:
		m.Sections = append(m.Sections, Section{Text: fmt.Sprintf("Still open, since %s (%s).", words.Moment(e.Alert.Opened, zone), words.Span(now.Sub(e.Alert.Opened)))})
	case Resolved:
		m.Severity = Info
		if e.Alert.Kind == ChangeApplied && e.Fact != nil {
			break // the end of a rollout has its outcome and how long it took
		}
		if e.Alert.Kind == ChangeApplied {
			m.Title = words.Truncate(m.Title, maxTitle-len(": ended")) + ": ended"
		}
		m.Sections = append(m.Sections, resolved(e, o))
	}
	if e.Fact != nil {
		m.Sections = append(m.Sections, e.Fact.Sections...)
	}
	for i, a := range e.Ended {
		if a.ID == e.Alert.ID {
			continue // the message itself is its end
		}
		if i == maxGroups {
			m.Sections = append(m.Sections, Section{Text: fmt.Sprintf("And %s more are resolved with it.", words.Count(len(e.Ended)-i, "alert"))})
			break
		}
		m.Sections = append(m.Sections, Section{Text: fmt.Sprintf("This resolves the alert of %s: %s", words.Moment(a.Told, zone), a.Title)})
	}
	return m
}

// resolved returns how long an alert was open that has ended, and what it was about
// where nothing else does.
func resolved(e Event, o origin) Section {
	opened, span := words.Moment(e.Before.Opened, o.zone), words.Span(o.now.Sub(e.Before.Opened))
	was := Section{Text: fmt.Sprintf("Resolved after %s (since %s).", span, opened)}
	switch {
	case e.Fact != nil && e.Fact.OnlyIfOpen:
		was.Text = fmt.Sprintf("First reported %s (%s ago).", opened, span)
	case e.Fact == nil && (e.Alert.Kind == RolledBack || e.Alert.Kind == Quarantined):
		was.Text = fmt.Sprintf("The quarantine is lifted; first reported %s (%s ago).", opened, span)
	case e.Fact != nil && e.Alert.Kind == EnvironmentRemoved:
		was.Text = fmt.Sprintf("First reported %s (%s ago). No further messages about it follow.", opened, span)
	}
	if e.Fact == nil {
		was.Items, was.More = e.Before.Names, e.Before.Count-len(e.Before.Names)
	}
	return was
}

// changes returns the names that came and went since the last message of an alert.
func changes(before, after Alert) string {
	if before.Count > len(before.Names) || after.Count > len(after.Names) {
		if before.Count == after.Count {
			return ""
		}
		return fmt.Sprintf("It affects %d now; in the last message it was %d.", after.Count, before.Count)
	}
	without := func(list, other []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return slices.Contains(other, n) })
	}
	var parts []string
	if came := without(after.Names, before.Names); len(came) > 0 {
		parts = append(parts, "New: "+strings.Join(came, ", ")+".")
	}
	if went := without(before.Names, after.Names); len(went) > 0 {
		parts = append(parts, "No longer: "+strings.Join(went, ", ")+".")
	}
	return strings.Join(parts, " ")
}

// forgotten adds to the end of an alert who ended it: that the file is gone is as
// true as before.
func forgotten(events []Event, s Situation) []Event {
	by := fmt.Sprintf("Forgotten by %s, %s", s.Forgotten.By, words.Moment(s.Forgotten.At, s.Zone))
	if s.Forgotten.Reason != "" {
		by += ": " + words.Truncate(s.Forgotten.Reason, maxText/2)
	}
	for i := range events {
		if e := &events[i]; e.Alert.Kind == EnvironmentRemoved && e.Status == Resolved {
			e.Fact = &Fact{ID: e.Alert.ID, Sections: []Section{{Text: words.Sentence(by) + " If its file comes back, layerd begins with a first look."}}}
		}
	}
	return events
}

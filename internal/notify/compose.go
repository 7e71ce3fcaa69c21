package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/plan"
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

// compose words an event. context is one line about where it comes from.
func compose(e Event, context string, now time.Time, zone *time.Location) Message {
	m := Message{
		Status: e.Status, Severity: e.Alert.Kind.severity(), Alert: e.Alert.ID, Title: e.Alert.Title,
		Context: strings.TrimPrefix(context+" · "+words.Moment(now, zone), " · "), At: now.UTC(),
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
		was := Section{Text: fmt.Sprintf("Resolved after %s (since %s).", words.Span(now.Sub(e.Before.Opened)), words.Moment(e.Before.Opened, zone))}
		switch {
		case e.Fact != nil && e.Fact.OnlyIfOpen:
			was.Text = fmt.Sprintf("First reported %s (%s ago).", words.Moment(e.Before.Opened, zone), words.Span(now.Sub(e.Before.Opened)))
		case e.Alert.Kind == ChangeApplied:
			m.Title = words.Truncate(m.Title, maxTitle-len(": ended")) + ": ended"
		case e.Fact == nil && (e.Alert.Kind == RolledBack || e.Alert.Kind == Quarantined):
			was.Text = fmt.Sprintf("The quarantine is lifted; first reported %s (%s ago).", words.Moment(e.Before.Opened, zone), words.Span(now.Sub(e.Before.Opened)))
		case e.Fact != nil && e.Alert.Kind == EnvironmentRemoved:
			was.Text = fmt.Sprintf("First reported %s (%s ago). No further messages about it follow.", words.Moment(e.Before.Opened, zone), words.Span(now.Sub(e.Before.Opened)))
		}
		if e.Fact == nil {
			was.Items, was.More = e.Before.Names, e.Before.Count-len(e.Before.Names)
		}
		m.Sections = append(m.Sections, was)
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

// firstLook makes one event of all that the first look at an environment
// found. What is over is reported as always: it was reported before there was a
// decision.
func firstLook(events []Event, s Situation, now time.Time) []Event {
	f := &observer{Situation: s}
	x := Fact{ID: f.id(Baseline, "", ""), OneShot: true}
	var cause []Event // what Git asks for is wrong: all else may follow from it
	events = slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
		wrong := e.Alert.Kind == DesiredInvalid && e.Fact != nil
		if wrong {
			cause = append(cause, e)
			x.Sections = append(x.Sections, e.Fact.Sections...)
		}
		return wrong
	})
	inSync := true
	for _, r := range f.regions() {
		x.Sections = append(x.Sections, Section{Text: regionSummary(r)})
		inSync = inSync && r.InSync
	}
	x.Title = "first look: not in sync"
	if inSync {
		x.Title = "first look: in sync"
	}
	for _, e := range cause {
		_, what, _ := strings.Cut(e.Fact.Title, ": ")
		x.Title = "first look: " + what
	}
	var kept []Event
	left := 0
	for _, e := range events {
		switch {
		case e.Status == Resolved:
			kept = append(kept, e)
			continue
		case left > 0 || len(x.Sections) >= maxItems:
			left++
		default:
			x.Sections = append(x.Sections, Section{Text: e.Fact.Title, Detail: words.Truncate(e.Fact.Sections[0].Text, maxText/2)})
		}
		for _, section := range e.Fact.Sections {
			if section.Code != "" {
				x.Sections = append(x.Sections, section)
			}
		}
	}
	if left > 0 {
		x.Sections = append(x.Sections, Section{Text: fmt.Sprintf("And %s more.", words.Count(left, "alert"))})
	}
	x.Sections = append(x.Sections, Section{Text: "From now on layerd reports what changes."})
	f.add(x)
	x = f.out.Facts[0]
	return append(kept, Event{Status: Told, Alert: newAlert(&x, now), Fact: &x})
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

// never returns the words for n differences that stay.
func never(n int) string {
	if n == 1 {
		return " that is never healed"
	}
	return " that are never healed"
}

// regionSummary returns in one sentence the state of a Region.
func regionSummary(r plan.Region) string {
	if r.ObservedAt.IsZero() {
		if r.Failure == nil {
			return r.Want.Region + ": not read yet."
		}
		return words.Sentence(r.Want.Region + ": could not be read: " + r.Failure.Message)
	}
	parts := []string{"not in sync"}
	if r.InSync {
		parts[0] = "in sync"
	}
	var changes, held, prunes, drift, foreignDrift, blocked, permanent int
	for _, s := range r.Steps {
		switch {
		case s.Kind == plan.KindPrune:
			prunes++
		case s.Cause != plan.CauseDrift:
			changes++
			if s.Held != nil {
				held++
			}
		}
	}
	for _, d := range r.Drift {
		if neverHealed(d) {
			foreignDrift++
		} else {
			drift++
		}
	}
	for _, b := range r.Blocked {
		if b.Permanent {
			permanent++
		} else {
			blocked++
		}
	}
	for _, p := range []struct {
		n    int
		noun string
		rest string
	}{
		{changes, "change", fmt.Sprintf(" (%d held)", held)}, {drift, "drift", ""}, {foreignDrift, "difference", never(foreignDrift)},
		{blocked, "blocked function", ""}, {permanent, "function", " that cannot have layers"}, {prunes, "version", " to prune"},
	} {
		if p.n > 0 {
			parts = append(parts, words.Count(p.n, p.noun)+p.rest)
		}
	}
	return r.Want.Region + ": " + strings.Join(parts, ", ") + "."
}

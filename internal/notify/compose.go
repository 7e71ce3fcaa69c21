package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"
)

// Headline is the title with what the message says about its alert.
func (m Message) Headline() string {
	switch m.Status {
	case Updated:
		return "Update: " + m.Title
	case Reminded:
		return "Reminder: " + m.Title
	case Resolved:
		if m.Alert.Kind == ChangeApplied {
			return m.Title // that it is applied is the end of it
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
		m.Sections = append(m.Sections, Section{Text: fmt.Sprintf("It is so since %s (%s).", words.Moment(e.Alert.Opened, zone), words.Span(now.Sub(e.Alert.Opened)))})
	case Resolved:
		m.Severity = Info
		if e.Alert.Kind == ChangeApplied && e.Fact != nil {
			break // the end of a rollout says how it went and how long it took
		}
		was := Section{Text: fmt.Sprintf("It is so no more; it was since %s (%s).", words.Moment(e.Before.Opened, zone), words.Span(now.Sub(e.Before.Opened)))}
		switch {
		case e.Fact != nil && e.Fact.Ending:
			was.Text = fmt.Sprintf("It was told %s (%s).", words.Moment(e.Before.Opened, zone), words.Span(now.Sub(e.Before.Opened)))
		case e.Alert.Kind == ChangeApplied:
			m.Title = words.Truncate(m.Title, longestTitle-len(": it is over")) + ": it is over"
		case e.Fact == nil && (e.Alert.Kind == RolledBack || e.Alert.Kind == Quarantined):
			was.Text = fmt.Sprintf("The quarantine is lifted; it was told %s (%s).", words.Moment(e.Before.Opened, zone), words.Span(now.Sub(e.Before.Opened)))
		case e.Fact != nil && e.Alert.Kind == EnvironmentRemoved:
			was.Text = fmt.Sprintf("It is so since %s (%s), and nobody hears of it any more.", words.Moment(e.Before.Opened, zone), words.Span(now.Sub(e.Before.Opened)))
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
			continue // that is what the message says anyway
		}
		if i == mostGroups {
			m.Sections = append(m.Sections, Section{Text: fmt.Sprintf("And %s more are over with it.", words.Count(len(e.Ended)-i, "alert"))})
			break
		}
		m.Sections = append(m.Sections, Section{Text: fmt.Sprintf("This is the end of what was told %s: %s", words.Moment(a.Told, zone), a.Title)})
	}
	return m
}

// changes says who came and who went since an alert was told last.
func changes(before, after Alert) string {
	if before.Count > len(before.Names) || after.Count > len(after.Names) {
		if before.Count == after.Count {
			return ""
		}
		return fmt.Sprintf("It is about %d now, and was about %d when told last.", after.Count, before.Count)
	}
	without := func(list, other []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return slices.Contains(other, n) })
	}
	var parts []string
	if came := without(after.Names, before.Names); len(came) > 0 {
		parts = append(parts, "New: "+strings.Join(came, ", ")+".")
	}
	if went := without(before.Names, after.Names); len(went) > 0 {
		parts = append(parts, "No more: "+strings.Join(went, ", ")+".")
	}
	return strings.Join(parts, " ")
}

// firstLook makes one event of all that the first look at an environment
// found. What is over is told as always: it was told before there was a
// decision.
func firstLook(events []Event, s Situation, now time.Time) []Event {
	f := &finder{Situation: s}
	x := Fact{ID: f.id(Baseline, "", ""), Once: true}
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
		x.Sections = append(x.Sections, Section{Text: summary(r)})
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
		case left > 0 || len(x.Sections) >= mostItems:
			left++
		default:
			x.Sections = append(x.Sections, Section{Text: e.Fact.Title + "\n" + words.Truncate(e.Fact.Sections[0].Text, longestText/2)})
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
	x.Sections = append(x.Sections, Section{Text: "From now on layerd tells what changes."})
	f.add(x)
	x = f.out.Facts[0]
	return append(kept, Event{Status: Told, Alert: newAlert(&x, now), Fact: &x})
}

// forgotten says in the end of an alert by whom it is: that the file is gone is
// as true as before.
func forgotten(events []Event, s Situation) []Event {
	by := fmt.Sprintf("Forgotten by %s, %s", s.Forgotten.By, words.Moment(s.Forgotten.At, s.Zone))
	if s.Forgotten.Reason != "" {
		by += ": " + words.Truncate(s.Forgotten.Reason, longestText/2)
	}
	for i := range events {
		if e := &events[i]; e.Alert.Kind == EnvironmentRemoved && e.Status == Resolved {
			e.Fact = &Fact{ID: e.Alert.ID, Sections: []Section{{Text: words.Sentence(by) + " Should its file come back, layerd begins with a first look."}}}
		}
	}
	return events
}

// never says of n differences that they stay.
func never(n int) string {
	if n == 1 {
		return " that is never healed"
	}
	return " that are never healed"
}

// summary says in one sentence how a Region is.
func summary(r plan.Region) string {
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
		if foreign(d) {
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

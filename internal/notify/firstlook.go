package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"
)

// firstLook makes one event of all that the first look at an environment found,
// what is risky first: what Git asks for that cannot be, functions that would get
// a layer for the first time, a line for each Region, and then the alerts in the
// order of byRisk. What is over is reported as always: it was reported before
// there was a decision.
func firstLook(events []Event, s Situation, now time.Time) []Event {
	f := &observer{Situation: s}
	x := Fact{ID: f.id(Baseline, "", ""), OneShot: true, Severity: Info, Title: f.firstTitle()}
	add := func(severity Severity, sections ...Section) {
		x.Sections = append(x.Sections, sections...)
		if severity.rank() > x.Severity.rank() {
			x.Severity = severity
		}
	}
	var kept, alerts []Event
	for _, e := range slices.SortedStableFunc(slices.Values(events), byRisk) {
		switch {
		case e.Status == Resolved:
			kept = append(kept, e)
		case e.Alert.Kind == DesiredInvalid: // all else may follow from it
			add(Failure, e.Fact.Sections...)
			_, what, _ := strings.Cut(e.Fact.Title, ": ")
			x.Title = "first look: " + what
		default:
			alerts = append(alerts, e)
		}
	}
	if first := f.firstTime(); len(first) > 0 {
		add(Warning, first...)
	}
	for _, r := range f.regions() {
		add(Info, Section{Text: regionSummary(r)})
	}
	left := 0
	for _, e := range alerts {
		severity := e.Alert.Kind.severity()
		if e.Fact.NoReminder {
			severity = Info
		}
		if left > 0 || len(x.Sections) >= maxItems {
			left++
			add(severity)
		} else {
			add(severity, Section{Text: e.Fact.Title, Detail: words.Truncate(e.Fact.Sections[0].Text, maxText/2)})
		}
		for _, section := range e.Fact.Sections {
			if section.Code != "" {
				x.Sections = append(x.Sections, section)
			}
		}
	}
	if left > 0 {
		add(Info, Section{Text: fmt.Sprintf("And %s more.", words.Count(left, "alert"))})
	}
	add(Info, Section{Text: "From now on layerd reports what changes."})
	f.add(x)
	x = f.out.Facts[0]
	return append(kept, Event{Status: Told, Alert: newAlert(&x, now), Fact: &x})
}

// byRisk orders the alerts of a first look: what harms callers now, what is about
// to change, what stands in the way, what differs, and last what no person has to
// act on.
func byRisk(a, b Event) int {
	order := []Kind{
		DesiredInvalid, RolloutFailed, ApplyFailed, RolledBack, Quarantined, ApprovalNeeded, ChangeHeld, ChangeApplied,
		TugOfWar, Blocked, Drift, PruneBlocked,
	}
	risk := func(e Event) int {
		switch i := slices.Index(order, e.Alert.Kind); {
		case e.Fact != nil && e.Fact.NoReminder:
			return len(order) + 1
		case i < 0:
			return len(order)
		default:
			return i
		}
	}
	return cmp.Compare(risk(a), risk(b))
}

// firstTitle returns what the first look comes to.
func (f *observer) firstTitle() string {
	functions, inSync := 0, true
	for _, r := range f.regions() {
		inSync = inSync && r.InSync
		functions += len(newFunctions(r))
	}
	switch {
	case functions > 0:
		return "first look: " + words.Count(functions, "function") + " would get a layer for the first time"
	case inSync:
		return "first look: in sync"
	}
	return "first look: not in sync"
}

// newFunctions are those of a Region that would get a layer for the first time,
// each with the layers.
func newFunctions(r plan.Region) map[string][]plan.Step {
	functions := map[string][]plan.Step{}
	for _, s := range r.Steps {
		if s.New && s.Kind == plan.KindAttach && !s.Done() {
			functions[s.Function] = append(functions[s.Function], s)
		}
	}
	return functions
}

// firstTime returns paragraphs about the functions that would get a layer for the
// first time: a selector that reaches too far shows here and nowhere else.
func (f *observer) firstTime() []Section {
	reached := groups{}
	for _, r := range f.regions() {
		for name, steps := range newFunctions(r) {
			for _, s := range steps {
				reached.add(fmt.Sprintf("would get %s %s for the first time in %s", s.Layer, s.To.Label(s.ToVersion), r.Want.Region), name)
			}
		}
	}
	if len(reached) == 0 {
		return nil
	}
	list := reached.sections("function", func(n int, text string) string { return words.Count(n, "function") + " " + text + ":" })
	return append(list, Section{Text: "They have no version of it now. If one of them is not meant, narrow functions or name it in except."})
}

// never returns the words for n differences that stay.
func never(n int) string {
	if n == 1 {
		return " that is never healed"
	}
	return " that are never healed"
}

// changesText returns how many changes are of functions without the layer, and how
// many are held.
func changesText(first, held int) string {
	if first == 0 {
		return fmt.Sprintf(" (%d held)", held)
	}
	return fmt.Sprintf(" (%d for the first time, %d held)", first, held)
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
	var changes, first, held, prunes, drift, foreignDrift, blocked, permanent int
	for _, s := range r.Steps {
		switch {
		case s.Kind == plan.KindPrune:
			prunes++
		case s.Cause != plan.CauseDrift:
			changes++
			if s.New {
				first++
			}
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
		{changes, "change", changesText(first, held)}, {drift, "drift", ""}, {foreignDrift, "difference", never(foreignDrift)},
		{blocked, "blocked function", ""}, {permanent, "function", " that cannot have layers"}, {prunes, "version", " to prune"},
	} {
		if p.n > 0 {
			parts = append(parts, words.Count(p.n, p.noun)+p.rest)
		}
	}
	return r.Want.Region + ": " + strings.Join(parts, ", ") + "."
}

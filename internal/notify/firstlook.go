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
	var kept, alerts []Event
	for _, e := range slices.SortedStableFunc(slices.Values(events), byRisk) {
		switch {
		case e.Status == Resolved:
			kept = append(kept, e)
		case e.Alert.Kind == DesiredInvalid: // all else may follow from it
			x.include(Failure, e.Fact.Sections...)
			_, what, _ := strings.Cut(e.Fact.Title, ": ")
			x.Title = "first look: " + what
		default:
			alerts = append(alerts, e)
		}
	}
	if first := f.firstTime(); len(first) > 0 {
		x.include(Warning, first...)
	}
	for _, r := range f.regions() {
		x.include(Info, Section{Text: regionSummary(r)})
	}
	x.includeAlerts(alerts)
	x.include(Info, Section{Text: "From now on layerd reports what changes."})
	f.add(x)
	x = f.out.Facts[0]
	return append(kept, Event{Status: Told, Alert: newAlert(&x, now), Fact: &x})
}

// include adds paragraphs that are as loud as severity.
func (x *Fact) include(severity Severity, sections ...Section) {
	x.Sections = append(x.Sections, sections...)
	if severity.rank() > x.Severity.rank() {
		x.Severity = severity
	}
}

// includeAlerts adds the alerts that a first look opens, with the commands that they
// name. What is over the limit is counted.
func (x *Fact) includeAlerts(alerts []Event) {
	left := 0
	for _, e := range alerts {
		severity := e.Alert.Kind.severity()
		if e.Fact.NoReminder {
			severity = Info
		}
		if left > 0 || len(x.Sections) >= maxItems {
			left++
			x.include(severity)
		} else {
			x.include(severity, Section{Text: e.Fact.Title, Detail: words.Truncate(e.Fact.Sections[0].Text, maxText/2)})
		}
		for _, section := range e.Fact.Sections {
			if section.Code != "" {
				x.Sections = append(x.Sections, section)
			}
		}
	}
	if left > 0 {
		x.include(Info, Section{Text: fmt.Sprintf("And %s more.", words.Count(left, "alert"))})
	}
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
	inSync := true
	for _, r := range f.regions() {
		inSync = inSync && r.InSync
	}
	for _, done := range []bool{false, true} {
		if n := len(f.newFunctions(done)); n > 0 {
			return fmt.Sprintf("first look: %s %s a layer for the first time", words.Count(n, "function"), getting(done))
		}
	}
	if inSync {
		return "first look: in sync"
	}
	return "first look: not in sync"
}

func getting(done bool) string {
	if done {
		return "got"
	}
	return "would get"
}

// place is a function in a Region.
type place struct{ region, function string }

// newFunctions returns the functions that would get layers for the first time, or
// that just got them, each with the steps.
func (f *observer) newFunctions(done bool) map[place][]plan.Step {
	functions := map[place][]plan.Step{}
	for _, r := range f.regions() {
		for _, s := range r.Steps {
			if s.New && s.Kind == plan.KindAttach && s.Done() == done {
				at := place{r.Want.Region, s.Function}
				functions[at] = append(functions[at], s)
			}
		}
	}
	return functions
}

// firstTime returns paragraphs about the functions that get a layer for the first
// time: a selector that reaches too far shows here and nowhere else.
func (f *observer) firstTime() (list []Section) {
	for _, done := range []bool{false, true} {
		reached := groups{}
		for at, steps := range f.newFunctions(done) {
			for _, s := range steps {
				reached.add(fmt.Sprintf("%s %s %s for the first time in %s", getting(done), s.Layer, s.To.Label(s.ToVersion), at.region), at.function)
			}
		}
		list = append(list, reached.sections("function", func(n int, text string) string { return words.Count(n, "function") + " " + text + ":" })...)
	}
	if len(list) == 0 {
		return nil
	}
	return append(list, Section{Text: "They had no version of it before. If one of them is not meant, narrow functions or name it in except."})
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

// count returns how many elements of a list are so, and how many are not.
func count[T any](list []T, is func(T) bool) (yes, no int) {
	for _, x := range list {
		if is(x) {
			yes++
		}
	}
	return yes, len(list) - yes
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
	var publishes, changes, first, held, prunes int
	for _, s := range r.Steps {
		switch {
		case s.Result != nil && s.Result.Status == plan.StatusApplied: // told as what was done
		case s.Kind == plan.KindPublish:
			publishes++
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
	foreignDrift, drift := count(r.Drift, neverHealed)
	permanent, blocked := count(r.Blocked, func(b plan.Blocked) bool { return b.Permanent })
	for _, p := range []struct {
		n    int
		noun string
		rest string
	}{
		{publishes, "version", " to publish"}, {changes, "change", changesText(first, held)}, {drift, "drift", ""}, {foreignDrift, "difference", never(foreignDrift)},
		{blocked, "blocked function", ""}, {permanent, "function", " that cannot have layers"}, {prunes, "version", " to prune"},
	} {
		if p.n > 0 {
			parts = append(parts, words.Count(p.n, p.noun)+p.rest)
		}
	}
	return r.Want.Region + ": " + strings.Join(parts, ", ") + "."
}

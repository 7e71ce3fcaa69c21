package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/words"
)

// incidents finds what was rolled back and is in quarantine. An incident is one
// alert, from the moment it goes back until the quarantine is lifted: one for
// all layers of a rollout that was not well, and one for each layer that a
// person rolled back. Only a quarantine that nothing was rolled back for is one
// of kind quarantined.
func (f *observer) incidents(r *plan.Region) {
	byRollout, byHand := map[string][]ruling.Quarantine{}, map[string][]ruling.Quarantine{}
	for _, q := range r.RolloutStatus.Quarantines {
		switch {
		case q.ByPerson:
			byHand[q.Name] = append(byHand[q.Name], q)
		case q.Rollout != "":
			byRollout[q.Rollout] = append(byRollout[q.Rollout], q)
		default:
			f.quarantined(r, q)
		}
	}
	for id, list := range byRollout {
		slices.SortFunc(list, compareQuarantines)
		f.rolledBackByHealth(r, id, list)
	}
	for name, list := range byHand {
		slices.SortFunc(list, compareQuarantines)
		f.rolledBackByPerson(r, name, list)
	}
}

func compareQuarantines(a, b ruling.Quarantine) int {
	return Item{Name: string(a.Layer), Have: strconv.FormatInt(a.Number, 10), Want: a.Functions}.compare(
		Item{Name: string(b.Layer), Have: strconv.FormatInt(b.Number, 10), Want: b.Functions})
}

// inQuarantine reports whether any version of the layer is in quarantine.
func inQuarantine(st *plan.RolloutStatus, name string) bool {
	return slices.ContainsFunc(st.Quarantines, func(q ruling.Quarantine) bool { return q.Name == name })
}

// versionText writes the version that is in quarantine: "makoto-common 13
// (1.4.2)".
func versionText(q ruling.Quarantine) string {
	return q.Name + " " + number(q.Layer, q.Number, q.Semver)
}

func versionsText(list []ruling.Quarantine) string {
	var parts []string
	for _, q := range list {
		if text := versionText(q); !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, " and ")
}

// rolledBackByHealth is about a rollout that was not well.
func (f *observer) rolledBackByHealth(r *plan.Region, id string, list []ruling.Quarantine) {
	x := Fact{ID: f.id(RolledBack, r.Want.Region, id)}
	for _, q := range list {
		x.Items = append(x.Items, Item{Name: versionText(q), Layer: q.Name, Code: "health", Have: strconv.FormatInt(q.Number, 10)})
		x.Closes = append(x.Closes, Scope{Kind: ApplyFailed, Region: r.Want.Region, Key: q.Name}, Scope{Kind: ChangeHeld, Region: r.Want.Region, Key: q.Name})
	}
	st, ro := r.RolloutStatus, r.RolloutStatus.Last
	if ro == nil || ro.ID != id {
		ro = nil // another has begun meanwhile, so this one is long back
	}
	code, title := "back", fmt.Sprintf("%s was rolled back", versionsText(list))
	x.Sections = []Section{{Text: words.Sentence(words.Truncate(list[0].Reason, maxText-2))}}
	if ro != nil {
		x.Sections = verdictSections(ro)
		for _, earlier := range append(slices.Clone(ro.Chain), id) {
			x.Closes = append(x.Closes, Scope{Kind: ChangeApplied, Region: r.Want.Region, Key: earlier}, Scope{Kind: RolloutFailed, Region: r.Want.Region, Key: earlier})
		}
		on := fmt.Sprintf("%d of %s", len(st.Changed), words.Count(ro.Total, "function"))
		title = fmt.Sprintf("%s was rolled back on %s", versionsText(list), on)
		n := len(st.Changed) - len(st.LeftAlone)
		text := returnedText(n, len(st.Changed))
		if ro.Stage == rollout.StageRollingBack {
			code, title = "going back", fmt.Sprintf("%s is being rolled back on %s", versionsText(list), on)
			text = fmt.Sprintf("%s on the way back to the previous layers.", words.Count(n, "function"))
		}
		x.Sections, x.ElsewhereAsked = append(x.Sections, Section{Text: text + " " + f.askedBy(ro)}), f.elsewhereAsked(ro)
		x.Sections = append(x.Sections, leftAlone(st.LeftAlone, &x)...)
	}
	x.Title = title
	x.Items = append(x.Items, Item{Code: code})
	x.Sections = append(x.Sections, f.howToLift("It is in quarantine: no function here gets it until Git asks for another version or a person lifts the quarantine:"))
	f.add(x)
}

// returnedText returns the sentence that n of all functions are back.
func returnedText(n, all int) string {
	switch {
	case n == 0:
		return "No function was rolled back."
	case n == 1:
		return "1 function is back on its previous layers."
	case n == all:
		return fmt.Sprintf("All %d functions are back on their previous layers.", n)
	}
	return fmt.Sprintf("%d functions are back on their previous layers.", n)
}

// leftAlone names the functions that somebody else has changed.
func leftAlone(list []string, x *Fact) []Section {
	if len(list) == 0 {
		return nil
	}
	for _, name := range list {
		x.Items = append(x.Items, Item{Code: "left alone", Have: name})
	}
	shown := list[:min(len(list), maxItems)]
	return []Section{{
		Text:  "Left alone, because somebody else changed them meanwhile: " + words.Count(len(list), "function") + ".",
		Items: shown, More: len(list) - len(shown),
	}}
}

// howToLift returns the command that ends a quarantine, below text.
func (f *observer) howToLift(text string) Section {
	return Section{Text: text, Code: f.command("retry", "--reason", `"…"`)}
}

// rolledBackByPerson is about a layer that a person rolled back, which Git does
// not know: it is repeated as long as Git asks for the bad version.
func (f *observer) rolledBackByPerson(r *plan.Region, name string, list []ruling.Quarantine) {
	x := Fact{ID: f.id(RolledBack, r.Want.Region, name)}
	x.Closes = []Scope{{Kind: ChangeHeld, Region: r.Want.Region, Key: name}}
	if ro := r.RolloutStatus.Last; ro != nil {
		x.Closes = append(x.Closes, Scope{Kind: RolledBack, Region: r.Want.Region, Key: ro.ID},
			Scope{Kind: RolloutFailed, Region: r.Want.Region, Key: ro.ID}, Scope{Kind: ChangeApplied, Region: r.Want.Region, Key: ro.ID})
	}
	var left []string
	for _, s := range r.Steps {
		if s.Cause == plan.CauseRollback && !s.Done() && slices.Contains(strings.Split(s.Layer, "+"), name) {
			left = append(left, s.Function)
		}
	}
	slices.Sort(left)
	left = slices.Compact(left)
	code := "back"
	if len(left) > 0 {
		code = "going back"
	}
	x.Items = append(x.Items, Item{Code: code})
	for _, q := range list {
		to, on := number(q.Layer, q.RevertTo, r.RolloutStatus.Semver(q.Layer, q.RevertTo)), ""
		if q.Functions != "" {
			on = " on " + q.Functions
		}
		x.Items = append(x.Items, Item{Name: versionText(q), Layer: name, Code: "hand " + q.Functions, Have: strconv.FormatInt(q.Number, 10), Want: strconv.FormatInt(q.RevertTo, 10)})
		text := fmt.Sprintf("Rolled back from %s to %s%s by %s, %s", number(q.Layer, q.Number, q.Semver), to, on, q.By, words.Moment(q.At, f.Zone))
		if q.Reason != "" {
			text += ": " + words.Truncate(q.Reason, maxText/2)
		}
		x.Sections = append(x.Sections, Section{Text: words.Sentence(text)})
	}
	first := list[0]
	x.Title = fmt.Sprintf("%s is pinned at %s, rolled back from %s by %s", name, number(first.Layer, first.RevertTo, r.RolloutStatus.Semver(first.Layer, first.RevertTo)),
		number(first.Layer, first.Number, first.Semver), first.By)
	if len(list) > 1 {
		x.Title = fmt.Sprintf("%s is pinned, rolled back from %s by %s", name, versionsText(list), first.By)
	}
	if len(left) > 0 {
		shown := left[:min(len(left), maxItems)]
		x.Sections = append(x.Sections, Section{Text: words.Count(len(left), "function") + " on the way back:", Items: shown, More: len(left) - len(shown)})
	} else {
		x.Sections = append(x.Sections, Section{Text: "All affected functions have it."})
	}
	x.Sections = append(x.Sections, f.howToLift(fmt.Sprintf("It stays pinned until Git agrees. Git still asks for %s%s. Once that version is healthy, this lifts the quarantine:", versionsText(list), wantedAt(r, first))))
	f.add(x)
}

// wantedAt is where Git asks for the layer: " (environments/prod.yaml:4)".
func wantedAt(r *plan.Region, q ruling.Quarantine) string {
	for _, w := range r.Want.Layers {
		if w.Layer == q.Layer && w.At.File != "" {
			return fmt.Sprintf(" (%s:%d)", w.At.File, w.At.Line)
		}
	}
	return ""
}

// quarantined is a version that nothing was rolled back from.
func (f *observer) quarantined(r *plan.Region, q ruling.Quarantine) {
	text := fmt.Sprintf("Quarantined by %s, %s", q.By, words.Moment(q.At, f.Zone))
	if q.Reason != "" {
		text += ": " + words.Truncate(q.Reason, maxText/2)
	}
	x := Fact{
		ID:     f.id(Quarantined, r.Want.Region, strings.TrimSuffix(fmt.Sprintf("%s/%d/%s", q.Name, q.Number, q.Functions), "/")),
		Items:  []Item{{Name: versionText(q), Layer: q.Name, Code: q.Functions, Have: strconv.FormatInt(q.Number, 10)}},
		Closes: []Scope{{Kind: ChangeHeld, Region: r.Want.Region, Key: q.Name}},
		Title:  versionText(q) + " is in quarantine",
	}
	if q.Functions != "" {
		x.Title += " on " + q.Functions
	}
	x.Sections = []Section{{Text: words.Sentence(text)}, f.howToLift("No function here gets it until Git asks for another version or a person lifts the quarantine:")}
	f.add(x)
}

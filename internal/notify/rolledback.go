package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
)

// back says what was rolled back and is in quarantine. An incident is one
// alert, from the moment it goes back until the quarantine is lifted: one for
// all layers of a rollout that was not well, and one for each layer that a
// person rolled back. Only a quarantine that nothing was rolled back for is one
// of kind quarantined.
func (f *finder) back(r *plan.Region) {
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
		slices.SortFunc(list, inAnyOrder)
		f.backByHealth(r, id, list)
	}
	for name, list := range byHand {
		slices.SortFunc(list, inAnyOrder)
		f.backByHand(r, name, list)
	}
}

func inAnyOrder(a, b ruling.Quarantine) int {
	return Item{Name: string(a.Layer), Have: strconv.FormatInt(a.Number, 10), Want: a.Functions}.compare(
		Item{Name: string(b.Layer), Have: strconv.FormatInt(b.Number, 10), Want: b.Functions})
}

// pins says whether a quarantine of the layer holds.
func pins(st *plan.RolloutStatus, name string) bool {
	return slices.ContainsFunc(st.Quarantines, func(q ruling.Quarantine) bool { return q.Name == name })
}

// bad writes the version that is in quarantine: "makoto-common 13 (1.4.2)".
func bad(q ruling.Quarantine) string { return q.Name + " " + number(q.Layer, q.Number, q.Semver) }

func allBad(list []ruling.Quarantine) string {
	var parts []string
	for _, q := range list {
		if text := bad(q); !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, " and ")
}

// backByHealth is about a rollout that was not well.
func (f *finder) backByHealth(r *plan.Region, id string, list []ruling.Quarantine) {
	x := Fact{ID: f.id(RolledBack, r.Want.Region, id)}
	for _, q := range list {
		x.Items = append(x.Items, Item{Name: bad(q), Layer: q.Name, Code: "health", Have: strconv.FormatInt(q.Number, 10)})
		x.Ends = append(x.Ends, Scope{Kind: ApplyFailed, Region: r.Want.Region, Key: q.Name}, Scope{Kind: ChangeHeld, Region: r.Want.Region, Key: q.Name})
	}
	st, ro := r.RolloutStatus, r.RolloutStatus.Last
	if ro == nil || ro.ID != id {
		ro = nil // another has begun meanwhile, so this one is long back
	}
	code, title := "back", fmt.Sprintf("%s was rolled back", allBad(list))
	x.Sections = []Section{{Text: sentence(clip(list[0].Reason, longestText-2))}}
	if ro != nil {
		x.Sections = said(ro)
		for _, earlier := range append(slices.Clone(ro.Chain), id) {
			x.Ends = append(x.Ends, Scope{Kind: ChangeApplied, Region: r.Want.Region, Key: earlier}, Scope{Kind: RolloutFailed, Region: r.Want.Region, Key: earlier})
		}
		on := fmt.Sprintf("%d of %s", len(st.Changed), count(ro.Total, "function"))
		title = fmt.Sprintf("%s was rolled back on %s", allBad(list), on)
		n := len(st.Changed) - len(st.LeftAlone)
		text := returned(n, len(st.Changed))
		if ro.Stage == rollout.StageRollingBack {
			code, title = "going back", fmt.Sprintf("%s goes back on %s", allBad(list), on)
			text = fmt.Sprintf("%s on the way back to what they had before.", count(n, "function"))
		}
		x.Sections = append(x.Sections, Section{Text: text + " " + f.askedBy(ro)})
		x.Sections = append(x.Sections, leftAlone(st.LeftAlone, &x)...)
	}
	x.Title = title
	x.Items = append(x.Items, Item{Code: code})
	x.Sections = append(x.Sections, f.lifting("It is in quarantine: nothing here gets it until Git asks for another version, or somebody lifts that:"))
	f.add(x)
}

// returned says that n of all functions are back.
func returned(n, all int) string {
	switch {
	case n == 0:
		return "No function was returned."
	case n == 1:
		return "1 function has again what it had before."
	case n == all:
		return fmt.Sprintf("All %d functions have again what they had before.", n)
	}
	return fmt.Sprintf("%d functions have again what they had before.", n)
}

// leftAlone names the functions that somebody else has changed.
func leftAlone(list []string, x *Fact) []Section {
	if len(list) == 0 {
		return nil
	}
	for _, name := range list {
		x.Items = append(x.Items, Item{Code: "left alone", Have: name})
	}
	shown := list[:min(len(list), mostItems)]
	return []Section{{
		Text:  "Left alone, since somebody else has changed them meanwhile: " + count(len(list), "function") + ".",
		Items: shown, More: len(list) - len(shown),
	}}
}

// lifting says how a quarantine ends.
func (f *finder) lifting(text string) Section {
	return Section{Text: text, Code: f.command("retry", "--reason", `"…"`)}
}

// backByHand is about a layer that a person rolled back, which Git does not
// know: it is told again as long as Git asks for what is bad.
func (f *finder) backByHand(r *plan.Region, name string, list []ruling.Quarantine) {
	x := Fact{ID: f.id(RolledBack, r.Want.Region, name)}
	x.Ends = []Scope{{Kind: ChangeHeld, Region: r.Want.Region, Key: name}}
	if ro := r.RolloutStatus.Last; ro != nil {
		x.Ends = append(x.Ends, Scope{Kind: RolledBack, Region: r.Want.Region, Key: ro.ID},
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
		x.Items = append(x.Items, Item{Name: bad(q), Layer: name, Code: "hand " + q.Functions, Have: strconv.FormatInt(q.Number, 10), Want: strconv.FormatInt(q.RevertTo, 10)})
		text := fmt.Sprintf("Rolled back from %s to %s%s by %s, %s", number(q.Layer, q.Number, q.Semver), to, on, q.By, moment(q.At, f.Zone))
		if q.Reason != "" {
			text += ": " + clip(q.Reason, longestText/2)
		}
		x.Sections = append(x.Sections, Section{Text: sentence(text)})
	}
	first := list[0]
	x.Title = fmt.Sprintf("%s is pinned at %s, rolled back from %s by %s", name, number(first.Layer, first.RevertTo, r.RolloutStatus.Semver(first.Layer, first.RevertTo)),
		number(first.Layer, first.Number, first.Semver), first.By)
	if len(list) > 1 {
		x.Title = fmt.Sprintf("%s is pinned, rolled back from %s by %s", name, allBad(list), first.By)
	}
	if len(left) > 0 {
		shown := left[:min(len(left), mostItems)]
		x.Sections = append(x.Sections, Section{Text: count(len(left), "function") + " on the way back:", Items: shown, More: len(left) - len(shown)})
	} else {
		x.Sections = append(x.Sections, Section{Text: "All functions that it is about have it."})
	}
	x.Sections = append(x.Sections, f.lifting(fmt.Sprintf("It stays so until Git agrees. Git still asks for %s%s. Once that is well, this lifts it:", allBad(list), wishedAt(r, first))))
	f.add(x)
}

// wishedAt is where Git asks for the layer: " (environments/prod.yaml:4)".
func wishedAt(r *plan.Region, q ruling.Quarantine) string {
	for _, w := range r.Want.Layers {
		if w.Layer == q.Layer && w.At.File != "" {
			return fmt.Sprintf(" (%s:%d)", w.At.File, w.At.Line)
		}
	}
	return ""
}

// quarantined is a version that nothing was rolled back from.
func (f *finder) quarantined(r *plan.Region, q ruling.Quarantine) {
	text := fmt.Sprintf("Quarantined by %s, %s", q.By, moment(q.At, f.Zone))
	if q.Reason != "" {
		text += ": " + clip(q.Reason, longestText/2)
	}
	x := Fact{
		ID:    f.id(Quarantined, r.Want.Region, strings.TrimSuffix(fmt.Sprintf("%s/%d/%s", q.Name, q.Number, q.Functions), "/")),
		Items: []Item{{Name: bad(q), Layer: q.Name, Code: q.Functions, Have: strconv.FormatInt(q.Number, 10)}},
		Ends:  []Scope{{Kind: ChangeHeld, Region: r.Want.Region, Key: q.Name}},
		Title: bad(q) + " is in quarantine",
	}
	if q.Functions != "" {
		x.Title += " on " + q.Functions
	}
	x.Sections = []Section{{Text: sentence(text)}, f.lifting("Nothing here gets it until Git asks for another version, or somebody lifts that:")}
	f.add(x)
}

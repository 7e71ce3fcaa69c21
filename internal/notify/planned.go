package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// slot is one layer on one function.
type slot struct{ layer, function string }

// drift is one fact for each layer, and one for each kind that is never
// healed. What was healed in this very round is reported by its record instead.
func (f *observer) drift(r *plan.Region) {
	steps := map[slot]plan.Step{}
	for _, s := range r.Steps {
		if s.Kind != plan.KindPrune {
			steps[slot{s.Layer, s.Function}] = s
		}
	}
	stuck := map[string]string{} // function to why it is blocked
	for _, b := range r.Blocked {
		stuck[b.Function] = b.Reason
	}
	facts := map[string]*Fact{}
	descriptions := map[string]groups{}
	for _, d := range sortedDrift(*r) {
		s, planned := steps[slot{d.Layer, d.Function}]
		if planned && (s.Done() || s.HeldBy(plan.ByTugOfWar)) {
			continue
		}
		key := d.Layer
		if neverHealed(d) {
			key = "(" + d.Kind + ")" // no layer has such a name
		}
		if facts[key] == nil {
			facts[key] = &Fact{ID: f.id(Drift, r.Want.Region, key), NoReminder: neverHealed(d)}
			descriptions[key] = groups{}
		}
		facts[key].Items = append(facts[key].Items, Item{Name: d.Function, Layer: d.Layer, Code: d.Kind, Have: d.Have, Want: d.Want})
		descriptions[key].add(f.driftText(r, d, s, planned, stuck[d.Function]), d.Function)
	}
	for key, x := range facts {
		x.Title = fmt.Sprintf("%s was changed by somebody else on %s", key, words.Count(names(x.Items), "function"))
		switch key {
		case "(" + plan.DriftExtra + ")":
			x.Title = words.Count(names(x.Items), "function") + " with an unknown layer"
		case "(" + plan.DriftOrder + ")":
			x.Title = words.Count(names(x.Items), "function") + " with their layers in a different order than layerd set"
		}
		x.Sections = descriptions[key].sections("function", func(n int, text string) string { return functionsHave(n) + text })
		f.add(*x)
	}
}

// sortedDrift returns the drift sorted, so that a shuffled plan has the same
// words.
func sortedDrift(r plan.Region) []plan.Drift {
	return slices.SortedFunc(slices.Values(r.Drift), func(a, b plan.Drift) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Kind, b.Kind))
	})
}

// neverHealed reports whether the drift is only reported.
func neverHealed(d plan.Drift) bool { return d.Kind == plan.DriftExtra || d.Kind == plan.DriftOrder }

// names counts the different names among items.
func names(items []Item) int {
	seen := map[string]bool{}
	for _, i := range items {
		if i.Name != "" {
			seen[i.Name] = true
		}
	}
	return len(seen)
}

// functionsHave begins a paragraph about n functions.
func functionsHave(n int) string {
	if n == 1 {
		return "1 function has "
	}
	return fmt.Sprintf("%d functions have ", n)
}

// driftText returns what a function has, since when, and what layerd will do
// about it and when. It goes on from "2 functions have".
func (f *observer) driftText(r *plan.Region, d plan.Drift, s plan.Step, planned bool, stuck string) string {
	have, want := state.LayerVersionARN(d.Have), state.LayerVersionARN(d.Want)
	since := ", seen since " + words.Moment(d.Since, f.Zone) + "."
	switch d.Kind {
	case plan.DriftExtra:
		return fmt.Sprintf("%s attached, which neither Git nor unmanaged names%s layerd leaves it alone.", d.Have, since)
	case plan.DriftOrder:
		return "their layers in a different order" + since + " layerd leaves it alone."
	case plan.DriftMissing:
		return fmt.Sprintf("lost %s%s %s", want.Label(d.WantVersion), since, f.plannedAction(r, s, planned, stuck))
	case plan.DriftDeletedVersion:
		return fmt.Sprintf("%s, which was deleted%s %s", have.Label(d.HaveVersion), since, f.plannedAction(r, s, planned, stuck))
	default:
		return fmt.Sprintf("%s instead of %s, which layerd had applied%s %s", have.Label(d.HaveVersion), want.Label(d.WantVersion), since, f.plannedAction(r, s, planned, stuck))
	}
}

// plannedAction returns what layerd will do about a drift, and when.
func (f *observer) plannedAction(r *plan.Region, s plan.Step, planned bool, stuck string) string {
	switch {
	case stuck != "":
		return words.Sentence("It is blocked: " + stuck)
	case !planned && r.Want.Drift.Report:
		return "layerd leaves it alone: drift is set to report."
	case !planned:
		return "layerd leaves it alone."
	}
	heals := "layerd restores it"
	if s.Cause == plan.CauseChange {
		heals = fmt.Sprintf("Git asks for %s, and layerd changes it to that", s.To.Label(s.ToVersion))
	}
	switch {
	case s.Held != nil && s.Held.By == plan.ByMode:
		return "layerd leaves it alone: mode is observe."
	case s.Held != nil && s.Held.By == plan.ByGrace && len(s.Held.Also) == 0:
		return fmt.Sprintf("%s from %s on.", heals, words.Moment(s.Held.Until, f.Zone))
	case s.Held != nil && s.Held.By == plan.ByWindow && len(s.Held.Also) == 0 && !s.Held.Until.IsZero():
		return fmt.Sprintf("%s when the change window opens, %s.", heals, words.Moment(s.Held.Until, f.Zone))
	case s.Held != nil:
		return heals + " later. " + f.heldText(*s.Held)
	case s.Result != nil && s.Result.Status == plan.StatusFailed:
		return words.Sentence(fmt.Sprintf("layerd tried to restore it and failed: %s", words.Truncate(s.Result.Error, 200))) + " layerd tries again."
	case s.Result != nil:
		return words.Sentence(fmt.Sprintf("layerd has not restored it yet: %s", words.Truncate(s.Result.Error, 200)))
	default:
		return heals + " at once."
	}
}

// heldText returns by what a step is held, until when, and why. A wave is named
// only where nothing else holds it: the same sentence for each wave adds
// nothing.
func (f *observer) heldText(h plan.Held) string {
	var by, why []string
	holders := h.All()
	wave := func(x plan.Held) bool { return x.By == plan.ByWave }
	if others := slices.DeleteFunc(slices.Clone(holders), wave); len(others) > 0 {
		holders = others
	}
	for _, x := range holders {
		by = append(by, string(x.By))
		if reason := f.holderReason(x, h.Until); reason != "" {
			why = append(why, string(x.By)+": "+reason)
		}
	}
	text := "Held by " + strings.Join(by, " and ")
	switch {
	case h.Until.IsZero():
	case h.NotBefore():
		text += ", not before " + words.Moment(h.Until, f.Zone)
	default:
		text += " until " + words.Moment(h.Until, f.Zone)
	}
	if len(why) == 0 {
		return text + "."
	}
	return text + " (" + strings.Join(why, "; ") + ")."
}

// holderReason returns why one holder holds a step, without what the sentence says
// already: that a window opens at until, and its own words where those are of
// another zone.
func (f *observer) holderReason(x plan.Held, until time.Time) string {
	reason := x.Reason
	if x.By == plan.ByWindow && f.foreignWindow() {
		reason, _, _ = strings.Cut(reason, " (")
	}
	if rest, ok := strings.CutPrefix(reason, "closed, opens "+words.Moment(until, f.Zone)); ok {
		reason = strings.TrimSpace(rest)
	}
	return strings.Trim(reason, "()")
}

// foreignWindow reports whether a change window is written in another zone than the
// one of the message, where its own words would be a second one.
func (f *observer) foreignWindow() bool {
	for _, r := range f.regions() {
		for _, w := range r.Want.Calendar.Windows {
			if f.Zone == nil || w.Zone().String() != f.Zone.String() {
				return true
			}
		}
	}
	return false
}

// toldElsewhere reports whether an alert of another kind is about why the step
// waits: its quarantine, another writer, a rollout that halted or is rolled
// back.
func toldElsewhere(r *plan.Region, s plan.Step) bool {
	if s.HeldBy(plan.ByTugOfWar) {
		return true
	}
	if r.RolloutStatus == nil {
		return false
	}
	return s.Held.By == plan.ByQuarantine || s.Held.By == plan.ByHealth && r.RolloutStatus.Last.Open()
}

// changeText writes what a step does to a function: "12 (1.4.1) → 13 (1.4.2)", or
// "served by alias live".
func changeText(s plan.Step) string {
	if s.Kind == plan.KindServe && s.Serving != nil {
		return "served by alias " + s.Serving.Qualifier
	}
	if s.New {
		return s.To.Label(s.ToVersion) + " for the first time"
	}
	return s.From.Label(s.FromVersion) + " → " + s.To.Label(s.ToVersion)
}

// held is one fact for each layer whose change must wait for anything but an
// approval.
func (f *observer) held(r *plan.Region) {
	facts := map[string]*Fact{}
	descriptions := map[string]groups{}
	change := map[string][]string{}
	var publishes, shares []plan.Step
	numbered := map[state.LayerVersionARN]bool{} // which are told with their number in the next round
	for _, s := range r.Steps {
		if s.Kind == plan.KindPublish && s.Done() {
			numbered[s.To] = true
		}
	}
	for _, s := range r.Steps {
		if numbered[s.To] || s.Held == nil || s.Cause == plan.CauseDrift || s.Kind == plan.KindPrune || r.Approvable(s) || !s.Held.By.Holder().News || toldElsewhere(r, s) {
			continue
		}
		if s.Kind == plan.KindPublish {
			publishes = append(publishes, s)
			continue
		}
		if s.Sharing != nil {
			shares = append(shares, s)
			continue
		}
		if facts[s.Layer] == nil {
			facts[s.Layer] = &Fact{ID: f.id(ChangeHeld, r.Want.Region, s.Layer)}
			descriptions[s.Layer] = groups{}
		}
		x := facts[s.Layer]
		x.Items = append(x.Items, Item{Name: s.Function, Layer: s.Layer, Code: string(s.Held.By), Have: string(s.From), Want: string(s.To)})
		descriptions[s.Layer].add(changeText(s)+". "+f.heldText(*s.Held), s.Function)
		change[s.Layer] = append(change[s.Layer], changeText(s))
	}
	f.heldShares(r, shares)
	for _, s := range publishes {
		if facts[s.Layer] == nil {
			f.heldPublish(r, s)
		}
	}
	for layer, x := range facts {
		what := "a change of " + layer
		if slices.Sort(change[layer]); len(slices.Compact(change[layer])) == 1 {
			what = layer + " " + change[layer][0]
		}
		x.Title = fmt.Sprintf("%s waits on %s", what, words.Count(names(x.Items), "function"))
		x.Sections = descriptions[layer].sections("function", func(n int, text string) string { return words.Count(n, "function") + ": " + text })
		f.add(*x)
	}
}

// approval is one fact for the environment: one word releases the plan in all
// Regions.
func (f *observer) approval() {
	x := Fact{ID: f.id(ApprovalNeeded, "", "")}
	steps, rest := groups{}, groups{}
	prunes := 0
	for _, r := range f.regions() {
		for _, s := range r.Steps {
			if !r.Approvable(s) {
				continue
			}
			name, what := s.Function, fmt.Sprintf("%s: %s %s", r.Want.Region, s.Layer, changeText(s))
			switch s.Kind {
			case plan.KindPrune:
				prunes++
				name, what = s.Subject(), fmt.Sprintf("%s: prune %s", r.Want.Region, s.Layer)
			case plan.KindPublish:
				name, what = s.Subject(), fmt.Sprintf("%s: publish %s", r.Want.Region, s.Layer)
			case plan.KindShare:
				name, what = s.Subject(), fmt.Sprintf("%s: share %s %s", r.Want.Region, s.Layer, s.Sharing.Text(s.To != ""))
			}
			steps.add(what, name)
			rest.add(f.heldText(*s.Held), name)
			x.Items = append(x.Items, Item{Name: name, Layer: s.Layer, Code: r.Want.Region + " " + string(s.Kind), Have: string(s.From), Want: string(s.To)})
		}
	}
	if len(x.Items) == 0 {
		return
	}
	what := words.Count(len(x.Items)-prunes, "change")
	switch {
	case prunes == len(x.Items):
		what = words.Count(prunes, "prune")
	case prunes > 0:
		what += " and " + words.Count(prunes, "prune")
	}
	x.Title = "a plan of " + what + " needs an approval"
	x.Items = append(x.Items, Item{Code: "digest", Want: f.Plan.Digest})
	x.Sections = steps.sections("step", func(n int, text string) string { return text + ", " + words.Count(n, "step") })
	for _, w := range rest.sections("step", func(_ int, text string) string { return text }) {
		x.Sections = append(x.Sections, Section{Text: w.Text})
	}
	x.Sections = append(x.Sections, Section{Text: "The digest is " + f.Plan.Digest + ". To release exactly this plan:", Code: f.command("approve", words.Digest(f.Plan.Digest))})
	f.add(x)
}

// unannounced is one fact for the parameters of a Region that do not say what stands: the
// rollout was done, and those who read them do not see it.
func (f *observer) unannounced(r *plan.Region) {
	if r.Unannounced == "" {
		return
	}
	f.add(Fact{
		ID:    f.id(ApplyFailed, r.Want.Region, "/layerd"), // which no layer is called
		Items: []Item{{Name: "/layerd/" + f.Environment}}, Title: "SSM parameters were not written: " + r.Unannounced,
		Sections: []Section{{Text: "The functions are not concerned. Who reads /layerd/" + f.Environment +
			" may get an older version, or none. Grant the right (docs/permissions.md), or set parameters: false in Git. layerd tries again every ten minutes."}},
	})
}

// stillBlocked returns the blocked functions, and those that were tried once more in
// this round and refused again: that is no news.
func stillBlocked(r plan.Region) []plan.Blocked {
	list := slices.Clone(r.Blocked)
	seen := map[string]bool{}
	for _, s := range r.Steps {
		if s.Refused == "" || s.Done() || seen[s.Function] {
			continue
		}
		seen[s.Function] = true
		list = append(list, plan.Blocked{Function: s.Function, Layer: s.Layer, Reason: s.Refused, Refused: true})
	}
	return list
}

// blocked is one fact for the functions of a Region that cannot be changed,
// and a quiet one for those that never can.
func (f *observer) blocked(r *plan.Region) {
	told := map[string]bool{} // by drift, with the same reason
	for _, d := range r.Drift {
		told[d.Function] = told[d.Function] || !neverHealed(d)
	}
	now, forGood := Fact{ID: f.id(Blocked, r.Want.Region, "")}, Fact{ID: f.id(Blocked, r.Want.Region, "permanent"), NoReminder: true}
	reasons, never := groups{}, groups{}
	for _, b := range stillBlocked(*r) {
		item := Item{Name: b.Function, Layer: b.Layer}
		if b.Refused { // that it could not be changed is the same fact, told better
			now.Closes = append(now.Closes, Scope{Kind: ApplyFailed, Region: r.Want.Region, Key: b.Layer})
		}
		switch {
		case b.Permanent:
			forGood.Items = append(forGood.Items, item)
			never.add(words.Sentence(b.Reason), b.Function)
		case !told[b.Function]:
			now.Items = append(now.Items, item)
			reasons.add(words.Sentence(b.Reason), b.Function)
		}
	}
	text := func(n int, why string) string { return words.Count(n, "function") + ": " + why }
	forGood.Title = words.Count(names(forGood.Items), "function") + " cannot have layers"
	forGood.Sections = never.sections("function", text)
	now.Title = words.Count(names(now.Items), "function") + " cannot be changed"
	now.Sections = reasons.sections("function", text)
	if r.Failure != nil && !stopsAll(*r) {
		now.Title = "nothing is changed: " + r.Failure.Message
		now.Items = append(now.Items, Item{Code: r.Failure.Code})
	}
	for _, x := range []Fact{now, forGood} {
		if len(x.Items) > 0 {
			f.add(x)
		}
	}
}

package notify

import (
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// Whom a layer is shared with has facts of its own, one a layer, however many versions
// and names it is about: it changes no function.

// shareKey is the key of facts about whom a layer is shared with.
func shareKey(layer string) string { return "sharing of " + layer }

// grantOf names one grant, for telling it from the others of its layer.
func grantOf(from, to state.LayerVersionARN, s *plan.Sharing) string {
	if to != "" {
		from = to
	}
	return from.Label("") + " " + s.Text(to != "")
}

// heldShares is a fact for the grants of each layer that must wait for anything but an
// approval.
func (f *observer) heldShares(r *plan.Region, steps []plan.Step) {
	facts, descriptions := map[string]*Fact{}, map[string]groups{}
	for _, s := range steps {
		if facts[s.Layer] == nil {
			facts[s.Layer] = &Fact{ID: f.id(ChangeHeld, r.Want.Region, shareKey(s.Layer)), Title: "the " + shareKey(s.Layer) + " waits"}
			descriptions[s.Layer] = groups{}
		}
		x := facts[s.Layer]
		x.Items = append(x.Items, Item{Name: grantOf(s.From, s.To, s.Sharing), Layer: s.Layer, Code: string(s.Held.By), Have: string(s.From), Want: string(s.To)})
		descriptions[s.Layer].add("shared "+s.Sharing.Text(s.To != "")+". "+f.heldText(*s.Held), s.Subject())
	}
	for layer, x := range facts {
		x.Sections = descriptions[layer].sections("version", func(n int, text string) string { return words.Count(n, "version") + ": " + text })
		f.add(*x)
	}
}

// shared is one fact for everything that was done about whom a layer is shared with.
func (f *observer) shared(id ID, list []history.Entry) {
	x := Fact{ID: id, OneShot: true, Title: "the " + id.Key + " was changed", Closes: []Scope{
		{Kind: ChangeHeld, Region: id.Region, Key: id.Key}, {Kind: ApplyFailed, Region: id.Region, Key: id.Key},
	}}
	descriptions := groups{}
	first, last := list[0].Started, list[0].Ended
	for _, e := range list {
		x.Items = append(x.Items, Item{Name: subject(e), Layer: e.Layer, Have: string(e.From), Want: string(e.To)})
		version := e.To.Label(e.ToVersion)
		if e.To == "" {
			version = e.From.Label(e.FromVersion)
		}
		descriptions.add("shared "+e.Sharing.Text(e.To != "")+f.reasonText(e), version)
		x.ElsewhereAsked = x.ElsewhereAsked || e.Cause == plan.CauseChange && e.Revision != f.Revision
		if e.Started.Before(first) {
			first = e.Started
		}
		if e.Ended.After(last) {
			last = e.Ended
		}
	}
	x.Sections = append(descriptions.sections("version", func(n int, text string) string { return words.Count(n, "version") + ": " + text }),
		Section{Text: f.doneText(first, last)})
	f.add(x)
}

package notify

import (
	"fmt"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// What is published has facts of its own, by layer and version: it changes no function,
// and most often comes hours before the change that it is for.

// publishKey is the key of facts about one version of a layer.
func publishKey(layer, version string) string { return layer + " " + version }

// heldPublish is a fact for a publish that must wait for anything but an approval, unless
// what needs the version waits as well and says so.
func (f *observer) heldPublish(r *plan.Region, s plan.Step) {
	key := publishKey(s.Layer, s.ToVersion)
	f.add(Fact{
		ID: f.id(ChangeHeld, r.Want.Region, key), Title: fmt.Sprintf("publishing %s waits", key),
		Items:    []Item{{Name: s.ToVersion, Layer: s.Layer, Code: string(s.Held.By), Want: string(s.To)}},
		Sections: []Section{{Text: "Nothing needs it yet. " + f.heldText(*s.Held)}},
	})
}

// published is one fact for each version that was published.
func (f *observer) published(e history.Entry) {
	key := publishKey(e.Layer, e.ToVersion)
	text := fmt.Sprintf("It is version %d", e.To.Number())
	if e.To.Number() == 0 {
		text = "It was there already" // another layerd was first
	}
	f.add(Fact{
		ID: f.id(ChangeApplied, e.Region, key), OneShot: true, Title: key + " was published",
		Items:          []Item{{Name: e.ToVersion, Layer: e.Layer, Want: string(e.To)}},
		ElsewhereAsked: e.Revision != f.Revision,
		Sections:       []Section{{Text: text + f.reasonText(e)}, {Text: f.doneText(e.Started, e.Ended)}},
		Closes:         []Scope{{Kind: ChangeHeld, Region: e.Region, Key: key}, {Kind: ApplyFailed, Region: e.Region, Key: key}},
	})
}

// versionOf returns the version that an entry or a step without a function is about.
func versionOf(kind plan.Kind, from state.LayerVersionARN, fromVersion, toVersion string) string {
	if kind == plan.KindPublish {
		return toVersion
	}
	return from.Label(fromVersion)
}

// publishFailed words the fact of a version that could not be published.
func publishFailed(x *Fact, list []attempt) {
	a := list[0]
	text := words.Sentence(words.Truncate(a.err, maxText/2))
	if a.request != "" {
		text += " (request " + words.Truncate(a.request, 60) + ")"
	}
	x.Title = publishKey(a.layer, a.name) + " could not be published"
	x.Items = []Item{{Name: a.name, Layer: a.layer, Want: a.to}}
	x.Sections = []Section{{Text: text}, {Text: "What needs the version waits for it. layerd tries again as soon as it is allowed to."}}
}

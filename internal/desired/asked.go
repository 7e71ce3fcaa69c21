package desired

import (
	"reflect"
	"time"

	"github.com/layerd/layerd/internal/state"
)

// Asked is who asked for a change: the commit since which Git has wanted it. Stored:
// names and meanings stay.
type Asked struct {
	Revision string `json:"revision,omitempty"`
	Author   string `json:"author,omitempty"`
	Subject  string `json:"subject,omitempty"`
	// Earlier reports that Revision is only the oldest commit that could be read, and
	// one before it may have asked: nobody is named then.
	Earlier bool `json:"earlier,omitempty"`
	// Published reports that no commit did: a version came that a range in Git takes in.
	Published bool `json:"published,omitempty"`
}

// Ask is what one commit wanted of one environment in one Region.
type Ask struct {
	Revision, Author, Subject string
	When                      time.Time // of the commit
	// Unread reports that the commit could not be read there, or was not valid: nobody
	// followed it, and it neither asked for anything nor ended anything.
	Unread bool
	Layers []LayerWish // nil = the environment was not there
}

// Asks are the commits of a branch, the newest first. Whole reports that there was
// none before the last.
type Asks struct {
	List  []Ask
	Whole bool
}

// Since returns since which commit, and since when, a function is to have what the wish
// asks for: through all later commits it was chosen, and the version was the same. ok
// is false when no commit of the list asks for it.
func (a Asks) Since(w LayerWish, f state.Function) (asked Asked, when time.Time, ok bool) {
	version, _ := w.Wants(f)
	found := -1
	for i, ask := range a.List {
		if ask.Unread {
			continue
		}
		if !ask.wants(w, version, f) {
			return a.asked(found, false)
		}
		found = i
	}
	return a.asked(found, !a.Whole)
}

func (a Asks) asked(i int, earlier bool) (Asked, time.Time, bool) {
	if i < 0 {
		return Asked{}, time.Time{}, false
	}
	ask := a.List[i]
	if earlier {
		return Asked{Revision: ask.Revision, Earlier: true}, ask.When, true
	}
	return Asked{Revision: ask.Revision, Author: ask.Author, Subject: ask.Subject}, ask.When, true
}

// wants reports whether the commit wanted version of the layer of w on the function.
func (a Ask) wants(w LayerWish, version Version, f state.Function) bool {
	for i := range a.Layers {
		old := &a.Layers[i]
		if old.Layer != w.Layer || !old.Selects(f) {
			continue
		}
		was, _ := old.Wants(f)
		return was.Kind == version.Kind && was.Text == version.Text
	}
	return false
}

// Of returns the asks about one layer, without those that say of it what the one before
// says: a fleet is asked about function by function.
func (a Asks) Of(layer state.LayerARN) Asks {
	short := Asks{Whole: a.Whole}
	for _, ask := range a.List {
		var wishes []LayerWish
		for _, w := range ask.Layers {
			if w.Layer == layer {
				wishes = append(wishes, LayerWish{Layer: layer, Version: w.Version, Functions: w.Functions, Except: w.Except, Pins: w.Pins})
			}
		}
		ask.Layers = wishes
		last := len(short.List) - 1
		if last >= 0 && !ask.Unread && !short.List[last].Unread && sameWishes(short.List[last].Layers, wishes) {
			short.List[last] = ask // the older one asked first
			continue
		}
		short.List = append(short.List, ask)
	}
	return short
}

// sameWishes compares what is wanted, and not where it stands in the file.
func sameWishes(a, b []LayerWish) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Version.Kind != b[i].Version.Kind || a[i].Version.Text != b[i].Version.Text || !sameSelectors(a[i].Functions, b[i].Functions) ||
			!sameSelectors(a[i].Except, b[i].Except) || len(a[i].Pins) != len(b[i].Pins) {
			return false
		}
		for j, p := range a[i].Pins {
			q := b[i].Pins[j]
			if p.Version.Kind != q.Version.Kind || p.Version.Text != q.Version.Text || !sameSelectors(p.Functions, q.Functions) {
				return false
			}
		}
	}
	return true
}

func sameSelectors(a, b []Selector) bool {
	if len(a) != len(b) {
		return false
	}
	for i, s := range a {
		s.At = b[i].At
		if !reflect.DeepEqual(s, b[i]) {
			return false
		}
	}
	return true
}

package reconcile

import (
	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// Wanting is what Git wants of one layer in one Region, resolved as Decide does.
type Wanting struct {
	desired.LayerWish
	// Catalog are the live versions and what they are called.
	Catalog catalog.Catalog
	wish    *wish
}

// Wanted is what one function is to have of a layer.
type Wanted struct {
	Number int64  // 0 = none, or a version that is not published yet
	Text   string // as people compare it: "12 (1.4.1)", "none", "new (1.4.2)"
	None   bool   // Git wants it to have none
	Pinned bool   // a pin says so
}

// Wants returns what the layers of the i-th Region are to be on functions, by their
// name; none where the Region could not be read.
func Wants(in Input, i int) []Wanting {
	r := newRegion(in, i)
	if r.snap == nil {
		return nil
	}
	var list []Wanting
	for _, w := range r.wishes {
		list = append(list, Wanting{LayerWish: w.LayerWish, Catalog: w.catalog, wish: w})
	}
	return list
}

// Default is what a function is to have that no pin names; ok is false where the
// version of Git was not found.
func (w Wanting) Default() (Wanted, bool) { return wantedOf(w.wish.target, false), w.wish.ok }

// On returns what a function that the layer selects is to have; ok is false where
// the layer does not select it, where layers do not exist for it, and where the version
// of Git was not found.
func (w Wanting) On(f *state.Function) (Wanted, bool) {
	if f.Image || f.Edge || !w.wish.ok || !w.Selects(*f) {
		return Wanted{}, false
	}
	t, pin := w.wish.wants(f)
	return wantedOf(t, pin != nil), true
}

func wantedOf(t target, pinned bool) Wanted {
	if t.number >= unpublished {
		return Wanted{Text: words.NewVersion(t.semver), Pinned: pinned}
	}
	return Wanted{Number: t.number, Text: t.String(), None: t.number == 0, Pinned: pinned}
}

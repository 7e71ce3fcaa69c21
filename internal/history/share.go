package history

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/plan"
)

// sharesDoc is what is known of the grants of a layer's versions: numbers, ascending, by
// the Sid of the grant, or by whom it is for. Stored: names and meanings stay.
type sharesDoc struct {
	Ours   map[string][]int64 `json:"ours,omitempty"`
	Others map[string][]int64 `json:"others,omitempty"`
	Read   *time.Time         `json:"read,omitempty"` // nil: never all of them
}

// maxShares bounds the numbers in a sharesDoc, so that a layer's document stays below
// store.MaxValue. What is left out counts as not known, and is looked at again.
const maxShares = 20_000

// trimmedShares returns the lists with at most maxShares numbers in all, the highest of each.
// Empty ones are left out.
func trimmedShares(all map[string][]int64) map[string][]int64 {
	kept := map[string][]int64{}
	for key, list := range all {
		if most := max(1, maxShares/len(all)); len(list) > most {
			list = list[len(list)-most:]
		}
		if len(list) > 0 {
			kept[key] = list
		}
	}
	return kept
}

func (d sharesDoc) equal(o sharesDoc) bool {
	same := func(a, b map[string][]int64) bool { return maps.EqualFunc(a, b, slices.Equal[[]int64]) }
	return same(d.Ours, o.Ours) && same(d.Others, o.Others) && (d.Read == nil) == (o.Read == nil) && (d.Read == nil || d.Read.Equal(*o.Read))
}

func (d sharesDoc) past(p *plan.LayerPast) {
	p.Shares, p.OtherShares = d.Ours, d.Others
	if d.Read != nil {
		p.SharesRead = *d.Read
	}
}

// observeShares notes what was found of the grants, and reports whether that is new.
func (d *layerDoc) observeShares(o *plan.LayerShares) bool {
	if o == nil {
		return false
	}
	found := sharesDoc{Ours: trimmedShares(o.Ours), Others: trimmedShares(o.Others)}
	if !o.Read.IsZero() {
		found.Read = new(o.Read.UTC())
	}
	if d.Shares != nil && d.Shares.equal(found) {
		return false
	}
	d.Shares = &found
	return true
}

// share notes one grant that was made or taken back, and reports whether that is new.
func (d *layerDoc) share(s Action, by fence) bool {
	if d.Fences.staleFor(by) {
		return false
	}
	changed := d.Fences.advance(by)
	if d.Shares == nil {
		d.Shares = &sharesDoc{}
	}
	if d.Shares.Ours == nil {
		d.Shares.Ours = map[string][]int64{}
	}
	list, n := d.Shares.Ours[s.Sharing.Sid], max(s.From.Number(), s.To.Number()) // one of them is 0
	at, there := slices.BinarySearch(list, n)
	switch granted := s.To != ""; {
	case granted && !there:
		d.Shares.Ours[s.Sharing.Sid] = slices.Insert(slices.Clone(list), at, n)
	case !granted && there:
		d.Shares.Ours[s.Sharing.Sid] = slices.Delete(slices.Clone(list), at, at+1)
	default:
		return changed
	}
	d.Shares.Ours = trimmedShares(d.Shares.Ours)
	d.V = version
	return true
}

// shares reports whether a record is about a grant.
func (rec record) shares() bool { return len(rec.Steps) == 1 && rec.Steps[0].Kind == plan.KindShare }

// applyShareToPast notes a grant that was made or taken back. That a version is shared
// makes it none that was applied to a function.
func (l *Log) applyShareToPast(ctx context.Context, rec record) error {
	s := rec.Steps[0]
	if s.Sharing == nil {
		return nil
	}
	by := l.fenceOf(rec)
	err := docs[layerDoc](l).Update(ctx, l.layerKey(rec.Environment, rec.Region, s.LayerARN), func(d *layerDoc) bool { return d.share(s, by) })
	if err != nil {
		return fmt.Errorf("remember whom %s%s is shared with: %w", s.From, s.To, err)
	}
	return nil
}

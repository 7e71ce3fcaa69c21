package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"
)

// Actor is who has changed a function last, other than layerd.
type Actor struct {
	Region, Function string
	Who              string    // an ARN; "" = unknown
	At               time.Time // zero = unknown
}

// tugOfWar is one fact for each layer that another writer keeps changing back. Who
// that is is no part of it: it may be known late, or not any more.
func (f *observer) tugOfWar(r *plan.Region) {
	facts, reasons := map[string]*Fact{}, map[string]map[string]string{}
	descriptions := map[string]groups{}
	for _, s := range r.Steps {
		if !s.HeldBy(plan.ByTugOfWar) {
			continue
		}
		if facts[s.Layer] == nil {
			facts[s.Layer] = &Fact{ID: f.id(TugOfWar, r.Want.Region, s.Layer), Closes: []Scope{{Kind: Drift, Region: r.Want.Region, Key: s.Layer}}}
			descriptions[s.Layer], reasons[s.Layer] = groups{}, map[string]string{}
		}
		x := facts[s.Layer]
		x.Items = append(x.Items, Item{Name: s.Function, Layer: s.Layer, Have: string(s.From), Want: string(s.To)})
		descriptions[s.Layer].add(fmt.Sprintf("%s instead of %s.", s.From.Label(s.FromVersion), s.To.Label(s.ToVersion)), s.Function)
		reasons[s.Layer][s.Function] = s.Tug
	}
	for layer, x := range facts {
		x.Title = fmt.Sprintf("another writer keeps changing %s on %s", layer, words.Count(names(x.Items), "function"))
		x.Sections = descriptions[layer].sections("function", func(n int, text string) string { return functionsHave(n) + text })
		first := ""
		for name, why := range reasons[layer] {
			if why != "" && (first == "" || name < first) {
				first = name
			}
		}
		if first != "" {
			x.Sections = append(x.Sections, Section{Text: words.Sentence(words.Truncate(first+": "+reasons[layer][first], maxText-2))})
		}
		if who := f.actors(r.Want.Region, reasons[layer]); len(who) > 0 {
			x.Sections = append(x.Sections, Section{Text: "CloudTrail says who changed them last: " + strings.Join(who, "; ") + "."})
		}
		f.add(*x)
	}
}

// actors returns who has changed the functions, each of them once.
func (f *observer) actors(region string, functions map[string]string) (list []string) {
	latest := map[string]time.Time{}
	for _, a := range f.Actors {
		if _, ours := functions[a.Function]; !ours || a.Region != region || strings.TrimSpace(a.Who) == "" {
			continue
		}
		if at, ok := latest[a.Who]; !ok || a.At.After(at) {
			latest[a.Who] = a.At
		}
	}
	for who, at := range latest {
		text := words.Truncate(who, maxText/2)
		if !at.IsZero() {
			text += ", " + words.Moment(at, f.Zone)
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return list[:min(len(list), maxFindings)]
}

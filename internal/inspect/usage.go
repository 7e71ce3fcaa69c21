package inspect

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

// UsagePlace is what was read of one environment in one Region, to count who uses
// what. What could not be read stays out of it and stands in Unread.
type UsagePlace struct {
	Plan   plan.Region
	Have   *state.Snapshot
	Layers []reconcile.Wanting // those that were asked for
	// Calls are what was measured, by series; nil = nothing was.
	Calls map[Series]Traffic
	// Since returns since when a function should have had what it is to have, and how
	// that is known; nil, or a zero time, = not known.
	Since func(layer reconcile.Wanting, f state.Function) (time.Time, string)
	// Quota is the account's; nil = not read.
	Quota  *state.CodeQuota
	Unread []Unread
}

// Unread is something that could not be read, and why: what depends on it is unknown.
type Unread struct {
	What   string `json:"what"`
	Reason string `json:"reason"`
}

// How a function uses a version of a layer.
const (
	UseLatest    = "latest"    // by its $LATEST
	UsePublished = "published" // by a version of it, which stays as it is
	UseAlias     = "alias"     // by a version that an alias points to
)

// Use is one way in which a function reaches a version of a layer.
type Use struct {
	Layer    state.LayerARN
	Number   int64
	Function string
	Kind     string // UseLatest, …
	// Qualifier is what callers name: $LATEST, a version or an alias. Version is the
	// function version that an alias leads to, the same as Qualifier elsewhere.
	Qualifier, Version string
	// Share of the calls of an alias, 0 to 1; 1 where it does not share them out.
	Share   float64
	Owner   string // empty: it has no owner, or nobody asks for one
	Traffic Traffic
}

// Usage is one environment in one Region, counted. Everything is sorted.
type Usage struct {
	Layers  []LayerUsage
	Uses    []Use
	Behind  []Behind
	Owners  []OwnerUsage // empty without owner_tag
	Storage Storage
}

// LayerUsage is one layer, and all of its versions that live or are used.
type LayerUsage struct {
	Name     string
	ARN      state.LayerARN
	Wanted   string // as people compare it; empty = it was not found
	Versions []VersionUsage
	Total        // of its versions
	Behind   int // functions
}

// VersionUsage is one version of a layer.
type VersionUsage struct {
	Number             int64
	Version            string // semantic; empty = unknown
	Live               bool   // false: deleted, and functions keep what they have
	Wanted             bool   // it is what Git wants where no pin says otherwise
	Created            time.Time
	Yanked, Deprecated string // why, and what instead
	Size               int64  // of the zip; 0 = unknown
	Prune              bool   // the plan prunes it, now or once it waited long enough
	Kept               string // why the plan does not, though it is old enough to go; empty = it is not shared
	Total
}

// Total is what many uses come to. A function counts once, in however many ways it
// uses what is counted.
type Total struct {
	Functions                  int
	Latest, Published, Aliases int // uses of each kind
	Traffic                    Traffic
}

// OwnerUsage is what one owner has.
type OwnerUsage struct {
	Owner string // empty: those without the tag
	Total
	Behind int // functions
}

// Behind is a function of which callers do not get the version that is wanted for it.
type Behind struct {
	Layer      string
	Function   string
	Qualifier  string // through which they call it
	Owner      string
	Have, Want string // as people compare versions
	Pinned     bool   // the wanted version is a pin's
	Since      time.Time
	SinceOf    string // how that is known; empty = it is not
	Reason     string // what holds or blocks it; empty = nothing is known to
}

// CountUsage counts. It is a function of the place: whatever order things came in, equal
// places give equal results.
func CountUsage(p UsagePlace) Usage {
	c := counting{UsagePlace: p, uses: usesOf(p)}
	u := Usage{Uses: c.uses, Storage: c.storage()}
	for _, w := range p.Layers {
		behind := c.behind(w)
		l := c.layer(w)
		l.Behind = distinctFunctions(behind)
		u.Layers = append(u.Layers, l)
		u.Behind = append(u.Behind, behind...)
	}
	slices.SortFunc(u.Layers, func(a, b LayerUsage) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(u.Behind, func(a, b Behind) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Function, b.Function))
	})
	if p.Plan.Want.OwnerTag != "" && !slices.ContainsFunc(p.Have.Functions, func(f state.Function) bool { return f.Tags == nil }) {
		u.Owners = c.owners(u.Behind)
	}
	return u
}

type counting struct {
	UsagePlace
	uses []Use
}

// layer counts one layer by its versions: those that live, and those that are used
// although they were deleted.
func (c counting) layer(w reconcile.Wanting) LayerUsage {
	l := LayerUsage{Name: w.Name, ARN: w.Layer}
	wanted, found := w.Default()
	if found {
		l.Wanted = wanted.Text
	}
	by := map[int64][]Use{}
	var all []Use
	for _, u := range c.uses {
		if u.Layer == w.Layer {
			by[u.Number], all = append(by[u.Number], u), append(all, u)
		}
	}
	for _, v := range w.Catalog.Versions() {
		if by[v.Number] == nil {
			by[v.Number] = []Use{}
		}
	}
	for n, uses := range by {
		v := VersionUsage{
			Number: n, Version: w.Catalog.Label(n), Live: w.Catalog.Live(n) || !w.Catalog.Listed(), Wanted: found && n == wanted.Number,
			Created: w.Catalog.Version(n).Created, Size: c.size(w.Layer.Version(n)), Total: totalOf(uses),
		}
		v.Yanked, _ = w.Catalog.Yanked(n)
		v.Deprecated, _ = w.Catalog.Deprecated(n)
		v.Prune = slices.ContainsFunc(c.Plan.Steps, func(s plan.Step) bool { return s.Kind == plan.KindPrune && s.From == w.Layer.Version(n) })
		v.Kept = c.keptShared(w.Name, n)
		l.Versions = append(l.Versions, v)
	}
	slices.SortFunc(l.Versions, func(a, b VersionUsage) int { return cmp.Compare(b.Number, a.Number) })
	l.Total = totalOf(all)
	return l
}

// distinctFunctions counts the functions of a list.
func distinctFunctions(list []Behind) int {
	functions := map[string]bool{}
	for _, b := range list {
		functions[b.Function] = true
	}
	return len(functions)
}

// totalOf adds up uses.
func totalOf(uses []Use) Total {
	var t Total
	functions := map[string]bool{}
	for _, u := range uses {
		functions[u.Function] = true
		switch u.Kind {
		case UseLatest:
			t.Latest++
		case UsePublished:
			t.Published++
		case UseAlias:
			t.Aliases++
		}
		t.Traffic.add(u.Traffic)
	}
	t.Functions = len(functions)
	return t
}

// owners counts by owner. A use is of one layer: the calls of a function that has two of
// the layers count once.
func (c counting) owners(behind []Behind) []OwnerUsage {
	uses, late := map[string][]Use{}, map[string]map[string]bool{}
	type path struct{ function, kind, qualifier, version string }
	seen := map[path]bool{}
	for _, u := range c.uses {
		if at := (path{u.Function, u.Kind, u.Qualifier, u.Version}); !seen[at] {
			seen[at] = true
			uses[u.Owner] = append(uses[u.Owner], u)
		}
	}
	for _, b := range behind {
		if late[b.Owner] == nil {
			late[b.Owner] = map[string]bool{}
		}
		late[b.Owner][b.Function] = true
		if uses[b.Owner] == nil {
			uses[b.Owner] = []Use{} // it has none of the layers yet
		}
	}
	var list []OwnerUsage
	for owner, of := range uses {
		list = append(list, OwnerUsage{Owner: owner, Total: totalOf(of), Behind: len(late[owner])})
	}
	slices.SortFunc(list, func(a, b OwnerUsage) int {
		return cmp.Or(cmp.Compare(b.Functions, a.Functions), cmp.Compare(a.Owner, b.Owner))
	})
	return list
}

// behind returns what of one layer's functions leads callers to another version than
// is wanted: what the environment serves, and every other alias.
func (c counting) behind(w reconcile.Wanting) []Behind {
	aliases := map[string][]Use{} // by function
	for _, u := range c.uses {
		if u.Layer == w.Layer && u.Kind == UseAlias && u.Qualifier != c.Plan.Want.Alias {
			aliases[u.Function] = append(aliases[u.Function], u)
		}
	}
	var list []Behind
	for i := range c.Have.Functions {
		f := &c.Have.Functions[i]
		want, ok := w.On(f)
		if !ok {
			continue
		}
		late := func(n int64) bool { return n != want.Number || n == 0 && !want.None }
		b := Behind{Layer: w.Name, Function: f.Name, Owner: f.Tags[c.Plan.Want.OwnerTag], Want: want.Text, Pinned: want.Pinned}
		have, qualifier := c.served(f)
		if n := have.Number(w.Layer); late(n) {
			b.Qualifier, b.Have, b.Reason = qualifier, w.Catalog.Show(n), c.reason(w.Name, f.Name)
			if c.Since != nil {
				b.Since, b.SinceOf = c.Since(w, *f)
			}
			list = append(list, b)
		}
		for _, u := range aliases[f.Name] {
			if late(u.Number) {
				list = append(list, Behind{
					Layer: w.Name, Function: f.Name, Owner: b.Owner, Want: want.Text, Pinned: want.Pinned, Qualifier: u.Qualifier,
					Have: w.Catalog.Show(u.Number), Reason: fmt.Sprintf("the alias %s leads to version %s, and this environment moves no alias of that name", u.Qualifier, u.Version),
				})
			}
		}
	}
	return list
}

// served returns what callers of a function get: through the environment's alias where
// there is one and it was read, else from $LATEST.
func (c counting) served(f *state.Function) (state.Layers, string) {
	q := c.Plan.Want.Alias
	if q == "" && f.Managed {
		q = state.LatestPublished
	}
	if s, ok := c.Have.Served[state.Qualified{Function: f.Name, Qualifier: q}]; ok && q != "" && s.Version != "" {
		return s.Layers, q
	}
	return f.Layers, latestVersion
}

// reason returns what keeps a function from having what is wanted: why it is blocked, who
// holds the step, or that it was changed by somebody else.
func (c counting) reason(layer, function string) string {
	for _, b := range c.Plan.Blocked {
		if b.Function == function && (b.Layer == "" || b.Layer == layer) {
			return "blocked: " + b.Reason
		}
	}
	for _, s := range c.Plan.Steps {
		if s.Function == function && s.Layer == layer && s.Held != nil {
			return "held by " + string(s.Held.By) + ": " + s.Held.Reason
		}
	}
	for _, d := range c.Plan.Drift {
		if d.Function == function && d.Layer == layer {
			return d.Reason
		}
	}
	return ""
}

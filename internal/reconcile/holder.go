package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// A function has one holder: of the environments that select it in one account and
// Region, the one that applied or found a layer there first. Otherwise whoever may
// change one environment's file could, by a wider selector, put layers on the
// functions of another, past its window and its approvals, or stop it by wanting
// something else. The rest are claimants: for them alone the function is blocked.

// other is another environment of the same account and Region.
type other struct {
	Other
	wishes []*wish // its layers, resolved
}

// resolve finds out which versions the environment wants, for what they protect and
// where two environments hold one function.
func (o *other) resolve(snap *state.Snapshot) {
	for _, lw := range o.Want.Layers {
		w := &wish{LayerWish: lw, catalog: catalog.New(lw, listing(lw, snap), nil)}
		w.target = targetOf(w.catalog.Resolve(lw.Version, lw.At))
		for _, p := range lw.Pins {
			w.pins = append(w.pins, targetOf(w.catalog.ResolvePin(p.Version, p.At)))
		}
		o.wishes = append(o.wishes, w)
	}
}

// names reports whether the environment wants some version of a layer.
func (o *other) names(layer state.LayerARN) bool {
	return slices.ContainsFunc(o.wishes, func(w *wish) bool { return w.Layer == layer })
}

// claim is how well founded it is that an environment selects a function.
type claim int

const (
	bare    claim = iota // it selects it, and that is all
	carried              // the function has a layer that the environment owns
	kept                 // it applied or found a layer there, or was the first to select it
)

// contest is who else has a function that this environment selects.
type contest struct {
	// by is the claim that blocks ours: of the holder, or of somebody who has no
	// better one than we do. Nil = the function is ours.
	by   *other
	held bool // by is the holder
	// sign is the layer by which it may be the holder, where its file was never read.
	sign state.LayerARN
	// shares are environments that hold it as well as we do: they changed it when
	// that was still allowed.
	shares []*other
}

// verb is what the one who blocks us does with the function.
func (c contest) verb() string {
	switch {
	case c.held:
		return "holds"
	case c.sign != "":
		return "may hold"
	}
	return "selects"
}

// contest finds out who has a function that this environment selects.
func (r *region) contest(f *state.Function) contest {
	var c contest
	for _, o := range r.others {
		if layer := r.signOf(o, f); layer != "" {
			c.by, c.sign = o, layer // and go on: another one surely holds it
			continue
		}
		if !o.selects(f) {
			continue
		}
		order, claim := r.compare(f, o)
		shared := claim > bare
		if order == 0 && !shared { // neither has had it
			order, shared = r.elsewhere(o).order, r.elsewhere(o).shared
			if order == 0 && !shared {
				order = sign(r.established(r.past, r.want, f), r.established(o.Past, o.Want, f))
			}
		}
		switch {
		case order > 0:
		case order < 0:
			return contest{by: o, held: true}
		case shared:
			c.shares = append(c.shares, o)
		default:
			c.by, c.sign = o, "" // and go on: another one may hold it
		}
	}
	return c
}

// compare returns whether this environment holds a function (> 0) or o does (< 0), by
// what each has had of it. Of two that have had it, it is the one that took it last: a
// function is taken only when nobody holds it, so that the other had let it go before.
func (r *region) compare(f *state.Function, o *other) (order int, claim claim) {
	ours, theirs := claimOf(r.past, r.want, f), claimOf(o.Past, o.Want, f)
	order = cmp.Compare(ours, theirs)
	if order == 0 && ours == kept {
		order = r.past.Functions[f.Name].Since.Compare(o.Past.Functions[f.Name].Since)
	}
	return order, ours
}

// sign compares what is true of this environment with what is true of another.
func sign(ours, theirs bool) int {
	switch {
	case ours == theirs:
		return 0
	case ours:
		return 1
	}
	return -1
}

// established reports whether an environment has other functions by a selector that
// matches f: a function that appears then is one of them, and not of whoever names
// it.
func (r *region) established(past plan.Past, want desired.Environment, f *state.Function) bool {
	for i := range want.Layers {
		w := &want.Layers[i]
		if !w.Selects(*f) {
			continue
		}
		for j := range w.Functions {
			s := &w.Functions[j]
			if !s.Match(*f, w.Layer) {
				continue
			}
			known, ok := r.settled[s]
			if !ok {
				known = slices.ContainsFunc(r.snap.Functions, func(g state.Function) bool {
					return s.Match(g, w.Layer) && w.Selects(g) && claimOf(past, want, &g) > bare
				})
				r.settled[s] = known
			}
			if known {
				return true
			}
		}
	}
	return false
}

// overlap is how two environments stand to one another by the functions that both
// select: what becomes of another one that appears among them.
type overlap struct {
	order  int  // > 0: this environment holds some, and the other none; < 0: the reverse
	shared bool // both hold some, and equally
}

func (r *region) elsewhere(o *other) overlap {
	if known, ok := r.overlaps[o]; ok {
		return known
	}
	ours, theirs, shared := false, false, false
	for i := range r.snap.Functions {
		f := &r.snap.Functions[i]
		if f.Image || f.Edge || !r.selects(f) || !o.selects(f) {
			continue
		}
		order, claim := r.compare(f, o)
		ours, theirs, shared = ours || order > 0, theirs || order < 0, shared || order == 0 && claim > bare
	}
	r.overlaps[o] = overlap{sign(ours, theirs), shared && !ours && !theirs}
	return r.overlaps[o]
}

func claimOf(past plan.Past, want desired.Environment, f *state.Function) claim {
	if p, known := past.Functions[f.Name]; known && p.Holds(want.Account) {
		return kept
	}
	for i := range want.Layers {
		if w := &want.Layers[i]; w.Owned && f.Layers.Index(w.Layer) >= 0 {
			return carried
		}
	}
	return bare
}

func (r *world) selects(f *state.Function) bool { return r.want.Selects(f) }

// selects reports whether the environment claims the function. One whose file cannot
// be read keeps what it had: unknown is not given up.
func (o *other) selects(f *state.Function) bool {
	if !o.Unread {
		return o.Want.Selects(f)
	}
	p, known := o.Past.Functions[f.Name]
	if !known || !p.Holds(o.Want.Account) {
		return false
	}
	if p.Account != "" {
		return true
	}
	for layer, n := range p.Applied {
		if n > 0 && layer.Account() == o.Want.Account {
			return true
		}
	}
	return false
}

// signOf returns the layer of a function by which it may be another environment's of
// which nothing is known: its file cannot be read, and there is no past, as in the
// first look or with a lost store. It is a copy of what this environment would put
// there, under a name that no other environment has. Without it that file's author
// would lose functions to whoever selects them while he mends it. "" = nothing speaks
// for the other.
func (r *region) signOf(o *other, f *state.Function) state.LayerARN {
	if !o.Unread || len(o.Past.Functions) > 0 || claimOf(r.past, r.want, f) > bare {
		return ""
	}
	for _, v := range f.Layers {
		layer := v.Layer()
		named := slices.ContainsFunc(r.others, func(known *other) bool { return known.names(layer) })
		if named || layer.Account() != r.want.Account {
			continue
		}
		for _, w := range r.wishes {
			if w.Owned && w.Layer != layer && strings.Contains(layer.Name(), w.Name) && w.Selects(*f) {
				return layer
			}
		}
	}
	return ""
}

// ours reports whether this environment may decide about a function, and returns who
// has it equally. One that is another's is blocked, and counts as selected.
func (r *region) ours(f *state.Function) (shares []*other, ours bool) {
	if len(r.others) == 0 || f.Image || f.Edge || !r.selects(f) {
		return nil, true
	}
	c := r.contest(f)
	if c.by == nil {
		return c.shares, true
	}
	r.plan.Blocked = append(r.plan.Blocked, plan.Blocked{Function: f.Name, Reason: r.claimReason(f, c), Elsewhere: true})
	for _, w := range r.wishes {
		if w.Selects(*f) {
			r.tallies[w.place].selected++
		}
	}
	return nil, false
}

func (r *region) claimReason(f *state.Function, c contest) string {
	name := c.by.Want.Name
	if c.sign != "" && !c.held {
		return fmt.Sprintf("environment %s may hold it: %s is on it, and its file was never read; take it out of %s, or correct the other file", name, c.sign.Name(), r.want.File)
	}
	if !c.held {
		return fmt.Sprintf("environments %s and %s both select it, and neither has had it: take it out of one of the two files", r.want.Name, name)
	}
	var why string
	switch past := c.by.Past.Functions[f.Name]; {
	case claimOf(c.by.Past, c.by.Want, f) == carried:
		why = "its " + strings.Join(c.by.own(f), ", ") + " is on it"
	case past.Holds(c.by.Want.Account) && len(layersApplied(past)) > 0:
		why = "it applied or found " + strings.Join(layersApplied(past), ", ") + " there first"
	case past.Holds(c.by.Want.Account):
		why = "it selected the function first"
	default:
		why = "it has the other functions that the same selector matches"
	}
	if c.by.Unread {
		why += ", and what that file asks for now cannot be read"
	}
	return fmt.Sprintf("environment %s holds it: %s; take it out of %s", name, why, r.want.File)
}

// own lists the layers of the environment's own that a function has.
func (o *other) own(f *state.Function) (names []string) {
	for _, w := range o.Want.Layers {
		if w.Owned && f.Layers.Index(w.Layer) >= 0 {
			names = append(names, w.Name)
		}
	}
	return names
}

func layersApplied(p plan.FunctionPast) (names []string) {
	for layer, n := range p.Applied {
		if n > 0 {
			names = append(names, layer.Name())
		}
	}
	slices.Sort(names)
	return names
}

// keep remembers what the environment holds and has to wait for, so that who selects
// it later is the claimant, whatever becomes of the other functions.
func (r *region) keep() {
	var names []string
	for i := range r.plan.Steps {
		s := &r.plan.Steps[i]
		if s.Held == nil || !s.New || r.past.Functions[s.Function].Holds(r.want.Account) {
			continue
		}
		if f, ok := r.snap.Function(s.Function); ok && r.contest(&f).by == nil {
			names = append(names, s.Function)
		}
	}
	slices.Sort(names) // of several layers on one function each has a step
	r.plan.Learned.Kept = slices.Compact(names)
}

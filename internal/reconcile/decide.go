package reconcile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// Decide compares what one environment wants with what AWS has and with what
// was applied before, and says what to do, in order. It is a function: equal
// inputs give equal plans, whatever order maps and lists came in.
func Decide(in Input) plan.Plan {
	p := plan.Plan{Environment: in.name()}
	regions := make([]*region, len(in.Regions))
	for i := range in.Regions {
		regions[i] = newRegion(in, i)
		regions[i].decide()
	}
	for _, r := range regions {
		p.Lines = append(p.Lines, r.lines()...)
	}
	slices.Sort(p.Lines)
	p.Digest = ruling.Digest(p.Lines)
	m := newPermit(in, p, regions)
	for _, r := range regions {
		r.assignWaves(m.waits)
	}
	m.all(regions)
	for _, r := range regions {
		r.finish()
		r.account()
		p.Regions = append(p.Regions, r.plan)
	}
	return p
}

// Redecide decides one function anew, as it is now, with everything else as the
// plan saw it. It gives the steps that may run now, in order; none means that
// nothing is to be done or that what is to be done must wait.
func Redecide(in Input, i int, fresh state.Function) []plan.Step {
	snap := *in.Regions[i].Have
	snap.Functions = slices.Clone(snap.Functions)
	j, ok := slices.BinarySearchFunc(snap.Functions, fresh.Name,
		func(f state.Function, name string) int { return cmp.Compare(f.Name, name) })
	if !ok {
		return nil
	}
	snap.Functions[j] = fresh
	in.Regions = slices.Clone(in.Regions)
	in.Regions[i].Have = &snap
	var steps []plan.Step
	for _, s := range Decide(in).Regions[i].Steps {
		if s.Function == fresh.Name && s.Held == nil {
			steps = append(steps, s)
		}
	}
	return steps
}

// region is the work on one Region of the plan.
type region struct {
	want   desired.Environment
	others []desired.Environment // those of the same account and Region
	snap   *state.Snapshot
	past   plan.Past
	in     Input
	plan   plan.Region

	wishes   []*wish
	named    map[state.LayerARN]bool // layers that any environment names here
	newSteps int
	shrunk   map[string]string // layer name to why its selection is doubted
	rivals   map[state.LayerARN][]rival
	expects  map[state.LayerVersionARN]bool // see expected
	reasons  map[reasonKey]string           // see changeReason
	scratch  []plan.Step                    // of the function in hand
	decided  int                            // functions so far
	anytime  *window.Status                 // see freezes

	rollout   *rollout.Rollout // the one under way; nil = none
	changed   []rollout.Changed
	refused   error               // what could not be read
	calls0    int                 // that reading took
	unwell    string              // why no change may start; empty = it may
	goingBack map[string]bool     // functions of a rollout that goes back, returned or not
	unserved  int                 // functions without the alias
	span      *spanning           // see spans
	forward   map[string]bool     // see forwards
	unmoved   map[string][]string // functions that a person's word does not move, by why
	sizeless  int                 // functions whose size with their layers is not known
}

// wish is one layer of the environment, resolved.
type wish struct {
	desired.LayerWish
	catalog catalog.Catalog
	target  target
	pins    []target // by index of Pins
	ok      bool     // everything was found
	seen    bool     // some function has what is wanted
	count   int      // functions selected
	had     []int64  // see Past.Had; nil = not asked yet
	// named are its versions by number: a fleet has few of them on many
	// functions.
	named map[int64]state.LayerVersionARN
}

// version returns the ARN of one of the layer's versions.
func (w *wish) version(n int64) state.LayerVersionARN {
	v, ok := w.named[n]
	if !ok {
		v = w.Layer.Version(n)
		w.named[n] = v
	}
	return v
}

// target is what a version of Git stands for in one Region.
type target struct {
	number int64  // 0 = none: the layer is to be taken off
	semver string // canonical, "" when unknown
}

func targetOf(r catalog.Resolution) target { return target{number: r.Number, semver: r.Semver} }

func newRegion(in Input, i int) *region {
	given := in.Regions[i]
	r := &region{
		want: given.Want, snap: given.Have, past: given.Past, changed: given.Changed, unwell: given.Unwell, refused: given.Refused, calls0: given.Calls, in: in,
		reasons: map[reasonKey]string{}, named: map[state.LayerARN]bool{}, expects: map[state.LayerVersionARN]bool{}, shrunk: map[string]string{}, unmoved: map[string][]string{},
		plan: plan.Region{Want: given.Want, Window: given.Want.Calendar.At(in.Now)},
	}
	if given.Rollout.Open() {
		r.rollout = given.Rollout
	}
	if given.Rollout.Running() {
		r.plan.Rollout = given.Rollout
	}
	for _, o := range in.Others {
		if o.Account == r.want.Account && o.Region == r.want.Region {
			r.others = append(r.others, o)
		}
	}
	if r.snap == nil {
		r.plan.Failure = given.Unread
	}
	return r
}

func (r *region) decide() {
	if r.snap == nil {
		return
	}
	r.plan.ObservedAt = r.snap.ObservedAt
	for _, env := range append(slices.Clone(r.others), r.want) {
		for _, w := range env.Layers {
			r.named[w.Layer] = true
		}
	}
	r.rivals = r.findRivals()
	r.resolveAll()
	r.plan.Targets = r.targets()
	r.lift()
	r.goBack()
	r.decideFunctions()
	r.shares()
	r.aliasNotes()
	r.noteUnmoved()
	r.sizeNote()
	r.countSelection()
	r.fixNumbers()
	r.retention()
	r.checkBlocked()
	r.behind()
	r.sort()
}

// decideFunctions decides all functions. The pasts of some are looked up at a time:
// in a large fleet each look-up waits for memory, and together they wait once.
func (r *region) decideFunctions() {
	const together = 64
	var pasts [together]plan.FunctionPast
	slots := make([]layerPast, together*len(r.wishes))
	for from := 0; from < len(r.snap.Functions); from += together {
		list := r.snap.Functions[from:min(from+together, len(r.snap.Functions))]
		for i := range list {
			pasts[i] = r.past.Functions[list[i].Name]
		}
		for i := range list {
			for j, w := range r.wishes {
				slots[i*len(r.wishes)+j] = slotPast(pasts[i], w.Layer)
			}
		}
		for i := range list {
			r.decided = from + i + 1
			r.decideFunction(&list[i], pasts[i], slots[i*len(r.wishes):(i+1)*len(r.wishes)])
		}
	}
}

// resolveAll compares everything that the environment names with what AWS has.
// All problems of a plan are found here, so that Resolve finds the same ones.
func (r *region) resolveAll() {
	for _, w := range r.want.Layers {
		r.wishes = append(r.wishes, r.resolve(w))
	}
	r.smokeTests()
}

// Resolve returns, by Region, the problems that a plan of the wish would have,
// from nothing but Want, Have and Past. A Region that could not be read is left
// out: nothing is known about it.
func Resolve(in Input) map[string][]desired.Problem {
	found := map[string][]desired.Problem{}
	for i, given := range in.Regions {
		r := newRegion(in, i)
		if r.snap == nil {
			continue
		}
		r.resolveAll()
		found[given.Want.Region] = r.plan.Problems
	}
	return found
}

// resolve finds the live numbers that a wish and its pins stand for, and notes
// what cannot be found as problems of the whole environment.
func (r *region) resolve(lw desired.LayerWish) *wish {
	w := &wish{LayerWish: lw, catalog: catalog.New(lw, r.snap, r.past.Layers[lw.Layer].Numbers), ok: true, named: map[int64]state.LayerVersionARN{}}
	take := func(v desired.Version, at desired.Position) target {
		res := w.catalog.Resolve(v, at)
		if res.Problem != nil {
			w.ok = false
			res.Problem.Environment = r.want.Name
			r.plan.Problems = append(r.plan.Problems, *res.Problem)
		}
		if res.Twin > 0 {
			r.plan.Notes = append(r.plan.Notes, plan.Note{Code: "newer_twin", Message: fmt.Sprintf(
				"%s: version %d also says it is %s; layerd stays at %d, which was applied first", lw.Name, res.Twin, res.Semver, res.Number)})
		}
		return targetOf(res)
	}
	w.target = take(lw.Version, lw.At)
	for _, p := range lw.Pins {
		w.pins = append(w.pins, take(p.Version, p.At))
	}
	return w
}

// wants gives the target for f and whether a pin says so.
func (w *wish) wants(f *state.Function) (t target, pin *desired.Pin) {
	_, pin = w.Wants(*f)
	if pin == nil {
		return w.target, nil
	}
	for i := range w.Pins {
		if pin == &w.Pins[i] {
			return w.pins[i], pin
		}
	}
	return w.target, nil
}

// fixNumbers remembers which number a semantic version was found at, once some
// function runs it: from then on a newer twin does not move it.
func (r *region) fixNumbers() {
	for _, w := range r.wishes {
		if w.seen && w.target.semver != "" && r.past.Layers[w.Layer].Numbers[w.target.semver] != w.target.number {
			r.plan.Learned.Numbers = append(r.plan.Learned.Numbers,
				plan.PinnedNumber{Layer: w.Layer, Semver: w.target.semver, Number: w.target.number})
		}
	}
}

// lines gives the change steps the way a digest is made of them.
func (r *region) lines() []string {
	n := 0
	for i := range r.plan.Steps {
		if r.plan.Steps[i].Cause == plan.CauseChange {
			n++
		}
	}
	out := make([]string, 0, n)
	for i := range r.plan.Steps {
		if s := &r.plan.Steps[i]; s.Cause == plan.CauseChange {
			out = append(out, r.line(*s))
		}
	}
	return out
}

func (r *region) line(s plan.Step) string { return plan.Line(r.want.Region, s) }

// sort orders the plan: first what goes back, the newest wave first, then
// functions by layer and name, then prunes, the oldest first. What gives callers
// new layers comes after what attaches them.
func (r *region) sort() {
	rank := func(s *plan.Step) int {
		switch {
		case s.Kind == plan.KindPrune:
			return 1
		case s.Cause == plan.CauseRollback:
			return -s.Wave
		}
		return 0
	}
	serve := func(s *plan.Step) int {
		if s.Kind == plan.KindServe {
			return 1
		}
		return 0
	}
	compare := func(a, b *plan.Step) int {
		if c := cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Function, b.Function), cmp.Compare(serve(a), serve(b))); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.From.Number(), b.From.Number()), cmp.Compare(a.Kind, b.Kind))
	}
	r.plan.Steps = sortedSteps(r.plan.Steps, compare)
	slices.SortStableFunc(r.plan.Drift, func(a, b plan.Drift) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Kind, b.Kind))
	})
	slices.SortStableFunc(r.plan.Blocked, func(a, b plan.Blocked) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Layer, b.Layer))
	})
	slices.SortStableFunc(r.plan.Notes, func(a, b plan.Note) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	r.plan.Notes = slices.Compact(r.plan.Notes)
}

// sortedSteps returns steps in a stable order. Steps are large, so it moves each
// once; those of one layer come in order already, as the functions of a snapshot do.
func sortedSteps(steps []plan.Step, compare func(a, b *plan.Step) int) []plan.Step {
	sorted := true
	for i := 1; i < len(steps) && sorted; i++ {
		sorted = compare(&steps[i-1], &steps[i]) <= 0
	}
	if sorted {
		return steps
	}
	order := make([]int32, len(steps))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return compare(&steps[a], &steps[b]) })
	out := make([]plan.Step, len(steps))
	for i, at := range order {
		out[i] = steps[at]
	}
	return out
}

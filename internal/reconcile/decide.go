package reconcile

import (
	"cmp"
	"slices"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
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
	for i, r := range regions {
		r.blockWaiting()
		r.finish()
		if err := in.Regions[i].Refused; err != nil {
			r.plan.Notes = append(r.plan.Notes, plan.Note{Code: "not_everything_read", Message: err.Error()})
		}
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

// decide drafts the plan of one Region. Passes read the world and add to the draft;
// where one reads what another has added, the order matters, and is this:
// functions are decided after those that are rolled back are known; canaries are
// ended once it is known whom AWS refuses, which it may refuse too; notes are
// written once all steps are there; the selection is counted once every function
// was asked; versions are pruned only beside the problems and the steps of all; what is
// not pruned is shared; and too many blocked functions fail the whole.
func (r *region) decide() {
	if r.snap == nil {
		return
	}
	r.plan.Targets = r.targets()
	r.liftAnswered()
	r.undo()
	r.decideFunctions()
	r.dropRefused()
	r.endOrphanedCanaries()
	r.dropRefused()
	r.aliasNotes()
	r.noteUnmoved()
	r.sizeNote()
	r.noteWithdrawn()
	r.noteTemporary()
	r.countSelection()
	r.pinNumbers()
	r.publish()
	r.retention()
	r.share()
	r.checkBlocked()
	r.addLagging()
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
			r.noteRefused(&list[i], pasts[i])
			r.decideFunction(&list[i], pasts[i], slots[i*len(r.wishes):(i+1)*len(r.wishes)])
		}
	}
}

// Resolve returns, by Region, the problems that a plan of the wish would have,
// from nothing but Want, Have and Past, and for each of in.Regions what it still
// wants to know for that. A Region that could not be read is left out: nothing is
// known about it.
func Resolve(in Input) (found map[string][]desired.Problem, needs []state.Needs) {
	found, needs = map[string][]desired.Problem{}, make([]state.Needs, len(in.Regions))
	for i, given := range in.Regions {
		if r := newRegion(in, i); r.snap != nil {
			found[given.Want.Region] = r.plan.Problems // all of them are found in making the world
			needs[i] = state.Needs{Probes: r.untried(), Numbers: r.plan.Needs.Numbers, Artifacts: r.plan.Needs.Artifacts}
		}
	}
	return found, needs
}

// wants returns the target for f and whether a pin says so.
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

// pinNumbers remembers which number a semantic version was found at, once some
// function runs it: from then on a newer twin does not move it.
func (r *region) pinNumbers() {
	for _, w := range r.wishes {
		if r.tallies[w.place].seen && w.target.semver != "" && r.past.Layers[w.Layer].Numbers[w.target.semver] != w.target.number {
			r.plan.Learned.Numbers = append(r.plan.Learned.Numbers,
				plan.PinnedNumber{Layer: w.Layer, Semver: w.target.semver, Number: w.target.number})
		}
	}
}

// lines returns the change steps the way a digest is made of them.
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

func (r *world) line(s plan.Step) string { return plan.Line(r.want.Region, s) }

// sort orders the plan: first what goes back, the newest wave first, then what is
// published, which others need, then functions by layer and name, then grants by
// version, what is taken back before what is made in its place, then prunes, the oldest
// first. What gives callers new layers comes after what attaches them.
func (r *region) sort() {
	rank := func(s *plan.Step) int {
		switch {
		case s.Kind == plan.KindPrune:
			return 2
		case s.Kind == plan.KindShare:
			return 1
		case s.Cause == plan.CauseRollback:
			return -2 * s.Wave
		case s.Kind == plan.KindPublish:
			return -1
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
		if a.Kind == plan.KindShare && b.Kind == plan.KindShare {
			return compareShares(a, b)
		}
		return cmp.Or(cmp.Compare(a.From.Number(), b.From.Number()), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	}
	r.plan.Steps = sortedSteps(r.plan.Steps, compare)
	slices.SortStableFunc(r.plan.Drift, func(a, b plan.Drift) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Kind, b.Kind))
	})
	r.sortBlocked()
	slices.SortStableFunc(r.plan.Notes, func(a, b plan.Note) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	r.plan.Notes = slices.Compact(r.plan.Notes)
}

func compareShares(a, b *plan.Step) int {
	granting := func(s *plan.Step) int {
		if s.To != "" {
			return 1
		}
		return 0
	}
	number := func(s *plan.Step) int64 {
		if s.To.Content() != "" {
			return unpublished // it will be the newest
		}
		return s.From.Number() + s.To.Number() // one of them is 0
	}
	version := func(s *plan.Step) string { return s.FromVersion + s.ToVersion } // as above
	return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(version(a), version(b)), cmp.Compare(granting(a), granting(b)),
		cmp.Compare(a.Sharing.Sid, b.Sharing.Sid))
}

func (r *region) sortBlocked() {
	slices.SortStableFunc(r.plan.Blocked, func(a, b plan.Blocked) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Reason, b.Reason))
	})
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

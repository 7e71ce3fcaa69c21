package reconcile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
	"github.com/layerd/layerd/internal/words"
)

// world is everything that is known of one Region while it is decided about. It is
// made once, and nobody writes to it: what comes of it is a draft.
type world struct {
	in     Input
	want   desired.Environment
	others []*other        // those of the same account and Region
	snap   *state.Snapshot // nil = the Region could not be read
	past   plan.Past
	// begunLists are Region.Begun.
	begunLists map[string][]state.Layers
	rollout    *rollout.Rollout // the one under way; nil = none
	last       *rollout.Rollout // that, or the one that was the last; nil = there was none
	changed    []rollout.Changed
	shared     []rollout.Changed // that, or what a rollout did that was rolled back, whose shares of calls may be left
	unwell     string            // why no change may start; empty = it may

	open    window.Status           // of the calendar, now
	freezes window.Status           // what the calendar says now to steps that no window holds
	wishes  []*wish                 // the layers of the environment
	named   map[state.LayerARN]bool // their ARNs
	// overlaps is by whom the functions that another environment selects as well are
	// held elsewhere, see elsewhere.
	overlaps map[*other]overlap
	settled  map[*desired.Selector]bool // by which an environment has functions, see established
}

// wish is one layer of the environment, resolved.
type wish struct {
	desired.LayerWish
	place   int // among the wishes
	catalog catalog.Catalog
	target  target
	pins    []target // by index of Pins
	ok      bool     // everything was found
	pending []pending
	// contents are what is known of live versions that Git asks for, see contentOf.
	contents map[int64]string
	// here are the numbers that were here before, see Past.Here; only where a
	// person has rolled the layer back.
	here []int64
	// versions are the ARNs of what is wanted and live, by number: a fleet has few
	// of them on many functions.
	versions map[int64]state.LayerVersionARN
}

// version returns the ARN of one of the layer's versions.
func (w *wish) version(n int64) state.LayerVersionARN {
	if v, ok := w.versions[n]; ok {
		return v
	}
	return w.Layer.Version(n)
}

// target is what a version of Git stands for in one Region.
type target struct {
	number int64  // 0 = none: the layer is to be taken off; see also unpublished
	semver string // canonical, "" when unknown
}

func targetOf(r catalog.Resolution) target {
	if r.Missing != nil {
		r.Number = unpublished
	}
	return target{number: r.Number, semver: r.Semver}
}

// String returns the target as people compare it, see words.Version.
func (t target) String() string {
	if t.number >= unpublished {
		return t.semver + ", which is not published yet"
	}
	return words.Version(t.number, t.semver)
}

// draft is what a decision comes to so far. It only grows.
type draft struct {
	plan    plan.Region
	tallies []tally // by place of the wish

	decided  int                    // functions so far
	newSteps int                    // that attach a layer for the first time
	unserved int                    // functions without the alias
	sizeless int                    // functions whose size with their layers is not known
	undone   map[string]bool        // functions of a rollout that goes back, returned or not
	refusals map[string]refusedPast // functions on which AWS has refused something; nil = none
	unmoved  map[string][]string    // functions that a person's word does not move, by why
	shrunk   map[string]string      // layer name to why its selection is doubted

	// What is written or found out once for a whole fleet.
	expects map[state.LayerVersionARN]bool // see expected
	reasons map[reasonKey]string           // see changeReason
	span    *spanning                      // see windowTooShort
	parts   map[string]string              // see partUnpublished
	forward map[string]bool                // see forwards
	scratch []plan.Step                    // of the function in hand
}

// tally is what was counted of one wish.
type tally struct {
	selected int  // functions
	seen     bool // some function has what is wanted
}

// region is the work on one Region: the world that it reads, and the draft that it
// adds to.
type region struct {
	*world
	draft
}

func newRegion(in Input, i int) *region {
	given := in.Regions[i]
	w := &world{
		in: in, want: given.Want, snap: given.Have, past: given.Past, begunLists: given.Begun, changed: given.Changed, unwell: given.Unwell, last: given.Rollout,
		open: given.Want.Calendar.At(in.Now), freezes: plan.Step{AnyTime: true}.Obeys(given.Want.Calendar).At(in.Now),
		named: map[state.LayerARN]bool{}, overlaps: map[*other]overlap{}, settled: map[*desired.Selector]bool{},
	}
	r := &region{w, draft{
		plan:   plan.Region{Want: given.Want, Window: w.open, Cost: plan.Cost{Calls: given.Calls}},
		undone: map[string]bool{}, unmoved: map[string][]string{}, shrunk: map[string]string{},
		expects: map[state.LayerVersionARN]bool{}, reasons: map[reasonKey]string{},
	}}
	w.shared = w.changed
	if given.Rollout != nil && given.Rollout.Stage == rollout.StageRolledBack {
		w.changed = nil
	}
	if given.Rollout.Open() {
		w.rollout = given.Rollout
	}
	if given.Rollout.Running() {
		r.plan.Rollout = given.Rollout
	}
	for _, o := range in.Others {
		if o.Want.Account == w.want.Account && o.Want.Region == w.want.Region {
			w.others = append(w.others, &other{Other: o})
		}
	}
	slices.SortFunc(w.others, func(a, b *other) int { return cmp.Compare(a.Want.Name, b.Want.Name) })
	if w.snap == nil {
		r.plan.Failure = given.Unread
		return r
	}
	r.plan.ObservedAt = w.snap.ObservedAt
	for _, l := range w.want.Layers {
		w.named[l.Layer] = true
	}
	for _, o := range w.others {
		o.resolve(w.snap)
	}
	for place, l := range w.want.Layers {
		w.wishes = append(w.wishes, r.resolve(place, l))
	}
	r.tallies = make([]tally, len(w.wishes))
	r.smokeTests()
	return r
}

// listing is what is known of a wish's layer from a list of its versions: of those of
// others nothing, even where another environment, whose own it is, had it listed.
func listing(lw desired.LayerWish, snap *state.Snapshot) *state.Snapshot {
	if lw.Owned {
		return snap
	}
	return &state.Snapshot{}
}

// resolve finds the live numbers that a wish and its pins stand for, and notes
// what cannot be found as problems of the whole environment.
func (r *region) resolve(place int, lw desired.LayerWish) *wish {
	w := &wish{LayerWish: lw, place: place, catalog: catalog.New(lw, listing(lw, r.snap), r.past.Layers[lw.Layer].Numbers), ok: true}
	take := func(res catalog.Resolution, at desired.Position) target {
		t := targetOf(res)
		if res.Missing != nil {
			t, res.Problem = r.missing(w, res.Missing, at)
		} else if res.Problem == nil {
			res.Problem = r.refused(w, res.Number, at)
		}
		r.misnamed(w, res.Problem)
		if res.Problem != nil {
			w.ok = false
			res.Problem.Environment = r.want.Name
			r.plan.Problems = append(r.plan.Problems, *res.Problem)
		}
		if res.Twin > 0 {
			r.plan.Notes = append(r.plan.Notes, plan.Note{Code: "newer_twin", Message: fmt.Sprintf(
				"%s: version %d also says it is %s; layerd stays at %d, which was applied first", lw.Name, res.Twin, res.Semver, res.Number)})
		}
		if n := (plan.Note{Code: "version_not_taken", Message: res.NotTaken}); res.NotTaken != "" && !slices.Contains(r.plan.Notes, n) {
			r.plan.Notes = append(r.plan.Notes, n)
		}
		return t
	}
	r.askUnlisted(w)
	w.target = take(w.catalog.Resolve(lw.Version, lw.At), lw.At)
	for _, p := range lw.Pins {
		w.pins = append(w.pins, take(w.catalog.ResolvePin(p.Version, p.At), p.At))
	}
	for _, q := range r.in.Quarantines {
		if q.ByPerson && q.Layer == w.Layer && w.here == nil {
			w.here = r.past.Here(w.Layer)
		}
	}
	w.versions = map[int64]state.LayerVersionARN{}
	for _, v := range w.catalog.Versions() {
		w.versions[v.Number] = w.Layer.Version(v.Number)
	}
	for _, p := range w.pending {
		w.versions[p.target.number] = p.to
	}
	r.noteContents(w)
	return w
}

// askUnlisted asks for the versions by their numbers that the wish would stand for, by the
// past, and that the list lacks.
func (r *region) askUnlisted(w *wish) {
	versions := []desired.Version{w.Version}
	for _, p := range w.Pins {
		versions = append(versions, p.Version)
	}
	for _, v := range versions {
		for _, n := range w.catalog.Unlisted(v) {
			arn := w.Layer.Version(n)
			if !r.snap.Absent[arn] && !slices.Contains(r.plan.Needs.Numbers, arn) {
				r.plan.Needs.Numbers = append(r.plan.Needs.Numbers, arn)
			}
		}
	}
}

// refused is the problem of a version that AWS does not let this account attach,
// of a layer that is not listed. Whether it is missing or not granted AWS does not
// say. Nil: it may be attached, or was not asked for.
func (r *region) refused(w *wish, n int64, at desired.Position) *desired.Problem {
	if n == 0 || w.catalog.Listed() {
		return nil
	}
	v := w.Layer.Version(n)
	probe, asked := r.snap.Probes[v]
	if !asked || probe.Usable {
		return nil
	}
	return &desired.Problem{
		Position: at, Severity: desired.Error, Code: "version_refused", Asked: string(v),
		Message:    fmt.Sprintf("%s cannot be attached: %s", v, probe.Reason),
		Suggestion: "correct the number, or ask the layer's owner to share this version",
	}
}

// untried lists the versions of layers that are not listed that some function is
// to get: whether they can be attached decides whether the wishes resolve.
func (r *region) untried() (list []state.LayerVersionARN) {
	for _, w := range r.wishes {
		if w.catalog.Listed() || !w.ok {
			continue
		}
		for i := range r.snap.Functions {
			f := &r.snap.Functions[i]
			if f.Image || f.Edge || !w.Selects(*f) {
				continue
			}
			t, _ := w.wants(f)
			v := w.Layer.Version(t.number)
			if _, asked := r.snap.Probes[v]; t.number > 0 && f.Layers.Number(w.Layer) != t.number && !asked && !slices.Contains(list, v) {
				list = append(list, v)
			}
		}
	}
	slices.Sort(list)
	return list
}

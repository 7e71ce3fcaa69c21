package reconcile

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

const account, tokyo = "123456789012", "ap-northeast-1"

// noon is a Tuesday.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// scenario is a generated input together with the truth about it, which the
// decision may ask for piece by piece.
type scenario struct {
	in     Input
	truth  []state.Uses
	grants map[state.LayerVersionARN]state.Policy
	probes map[state.LayerVersionARN]state.Probe
	// archives are what artifacts are, by layer and version; made is what was
	// published, and how often.
	archives map[string]state.Content
	made     map[string]int
}

// TestWorlds checks every promise of the package over many small worlds. A
// seed is the whole reproduction: LAYERD_SEED=n repeats one world,
// LAYERD_WORLDS=n sets how many there are.
func TestWorlds(t *testing.T) {
	if s := os.Getenv("LAYERD_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		checkWorld(t, seed)
		return
	}
	n := 2000
	if s := os.Getenv("LAYERD_WORLDS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	shards := runtime.GOMAXPROCS(0)
	for shard := range shards {
		t.Run(strconv.Itoa(shard), func(t *testing.T) {
			t.Parallel()
			for seed := shard; seed < n; seed += shards {
				checkWorld(t, uint64(seed))
				if t.Failed() {
					t.Fatalf("LAYERD_SEED=%d repeats this world", seed)
				}
			}
		})
	}
}

func FuzzDecide(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkWorld(t, seed) })
}

func checkWorld(t *testing.T, seed uint64) {
	t.Helper()
	w := generate(rand.New(rand.NewPCG(seed, 1)))
	p := w.decide()
	checkPlan(t, w, p)
	checkShuffled(t, w, p, seed)
	checkConverges(t, w)
	checkApprovedOnce(t, seed)
}

// decide answers what the decision asks for, as a round does, until it asks
// for nothing more.
func (w *scenario) decide() plan.Plan {
	for range 6 {
		p := Decide(w.in)
		done := true
		for i, r := range p.Regions {
			if r.Needs.Empty() {
				continue
			}
			done = false
			w.answer(i, r.Needs)
		}
		if done {
			return p
		}
	}
	panic("the decision never stops asking")
}

func (w *scenario) answer(i int, n state.Needs) {
	snap := *w.in.Regions[i].Have
	if n.Uses {
		snap.Uses = &w.truth[i]
	}
	if n.Signing {
		snap.Signing = map[string]state.Signing{}
	}
	if n.Tags {
		snap.Functions = slices.Clone(snap.Functions)
		for i, f := range snap.Functions {
			if f.Tags == nil {
				snap.Functions[i].Tags = requiring(f.Name)
			}
		}
	}
	snap.Aliases, snap.Policies, snap.Probes = maps.Clone(snap.Aliases), maps.Clone(snap.Policies), maps.Clone(snap.Probes)
	if snap.Aliases == nil {
		snap.Aliases, snap.Policies, snap.Probes = map[string][]state.Alias{}, map[state.LayerVersionARN]state.Policy{}, map[state.LayerVersionARN]state.Probe{}
	}
	for _, f := range n.Aliases {
		snap.Aliases[f] = []state.Alias{{Name: "live", Version: "1"}}
	}
	for _, v := range n.Policies {
		snap.Policies[v] = w.grants[v]
	}
	for _, v := range n.Probes {
		p, ok := w.probes[v]
		if !ok {
			p = state.Probe{Usable: true}
		}
		snap.Probes[v] = p
	}
	snap.Absent = maps.Clone(snap.Absent)
	for _, v := range n.Numbers { // lists have all that there is in these worlds
		if snap.Absent == nil {
			snap.Absent = map[state.LayerVersionARN]bool{}
		}
		snap.Absent[v] = true
	}
	snap.Contents = maps.Clone(snap.Contents)
	for _, a := range n.Artifacts {
		if snap.Contents == nil {
			snap.Contents = map[state.Artifact]state.Content{}
		}
		snap.Contents[a] = w.archives[a.Layer+" "+a.Version]
	}
	w.in.Regions = slices.Clone(w.in.Regions)
	w.in.Regions[i].Have = &snap
}

// requiring returns the tags of a function: a few require a version, or what nobody can
// read.
func requiring(name string) map[string]string {
	switch sum := len(name) + int(name[len(name)-1]); sum % 9 {
	case 0:
		return map[string]string{"layerd:requires": "a 1.2"}
	case 1:
		return map[string]string{"layerd:requires": "a"}
	default:
		return map[string]string{}
	}
}

func checkPlan(t *testing.T, w *scenario, p plan.Plan) {
	t.Helper()
	found, _ := Resolve(Input{Regions: w.in.Regions, Others: w.in.Others, Now: w.in.Now, Revision: w.in.Revision, Published: w.in.Published})
	for i, r := range p.Regions {
		problems, read := found[r.Want.Region]
		if diff := cmp.Diff(problems, r.Problems); diff != "" || read != (w.in.Regions[i].Have != nil) {
			t.Errorf("%s: resolving finds other problems than the plan (-resolve +plan):\n%s", r.Want.Region, diff)
		}
	}
	var lines []string
	prunes, news := 0, 0
	for _, r := range w.in.Regions {
		prunes += len(r.Past.Pruned)
	}
	for i, r := range p.Regions {
		blocked := map[string]bool{}
		for _, b := range r.Blocked {
			if b.Reason == "" {
				t.Errorf("%s is blocked without a reason", b.Function)
			}
			blocked[b.Function] = true
		}
		for _, k := range r.Kept {
			if k.Reason == "" {
				t.Errorf("version %d is kept without a reason", k.Version)
			}
		}
		for _, s := range r.Steps {
			if s.Cause == plan.CauseChange {
				to, subject := "", s.Function
				if s.To != "" {
					to = strconv.FormatInt(s.To.Number(), 10)
				}
				if s.Kind == plan.KindShare {
					if subject = s.Sharing.String(); to == "" {
						subject, to = "-"+subject, strconv.FormatInt(s.From.Number(), 10)
					}
				}
				if sha256 := s.To.Content(); sha256 != "" {
					to = "sha256:" + sha256
				}
				lines = append(lines, ruling.ApprovalLine(r.Want.Region, string(s.Kind), s.LayerARN, subject, to))
			}
			if s.New {
				news++
			}
			if s.Kind == plan.KindPrune && s.Held == nil {
				prunes++
			}
			if blocked[s.Function] && s.Function != "" {
				t.Errorf("%s: the function is blocked", s.ID)
			}
			checkStep(t, w, i, r, s)
		}
		checkLists(t, w, i, r)
		checkKept(t, w, i, r)
	}
	if got := ruling.Digest(lines); got != p.Digest {
		t.Errorf("digest is %s, the change steps make %s", p.Digest, got)
	}
	if prunes > maxPrunes && prunes > pastPrunes(w) {
		t.Errorf("%d prunes within a day", prunes)
	}
	for _, r := range p.Regions {
		for _, s := range r.Steps {
			if s.New && s.Held == nil && news > r.Want.MaxNew && len(w.in.Approvals) == 0 {
				t.Errorf("%s runs although %d functions are new and max_new is %d", s.ID, news, r.Want.MaxNew)
			}
		}
	}
}

func pastPrunes(w *scenario) int {
	n := 0
	for _, r := range w.in.Regions {
		n += len(r.Past.Pruned)
	}
	return n
}

func checkStep(t *testing.T, w *scenario, i int, r plan.Region, s plan.Step) {
	t.Helper()
	if s.Reason == "" || s.ID == "" {
		t.Errorf("step %+v says no reason or has no id", s)
	}
	if !slices.ContainsFunc(r.Want.Layers, func(l desired.LayerWish) bool { return l.Layer == s.LayerARN && l.Name == s.Layer }) {
		t.Errorf("%s: Git does not name %s", s.ID, s.LayerARN)
	}
	if s.Kind == plan.KindShare {
		checkShare(t, w, i, r, s)
	}
	if s.Kind == plan.KindPublish {
		checkPublish(t, w, i, r, s)
	} else if s.To.Content() != "" && !s.HeldBy(plan.ByOrder) {
		t.Errorf("%s would attach what has no number: %+v", s.ID, s.Held)
	}
	if st := r.Want.Calendar.At(w.in.Now); mayJoin(w, i, r, s) && s.HeldBy(plan.ByWindow) || !mayJoin(w, i, r, s) && !st.Open && !st.Frozen && !s.HeldBy(plan.ByWindow) {
		t.Errorf("%s with new_functions now %t and the calendar %+v is held: %+v", s.ID, r.Want.NewFunctionsNow, st, s.Held)
	}
	if s.Held != nil {
		if s.Held.By == "" || s.Held.Reason == "" {
			t.Errorf("%s is held and does not say by whom and why", s.ID)
		}
		if !s.Held.Until.IsZero() && !s.Held.Until.After(w.in.Now) {
			t.Errorf("%s is held until %s, which has passed", s.ID, s.Held.Until)
		}
		return
	}
	if st := r.Want.Calendar.At(w.in.Now); !st.Open && (st.Frozen || !mayJoin(w, i, r, s)) {
		t.Errorf("%s runs while the calendar is closed", s.ID)
	}
	if r.Want.Observe {
		t.Errorf("%s runs in mode observe", s.ID)
	}
	if r.Want.ApprovalRequired && s.Cause == plan.CauseChange && !s.Back && len(w.in.Approvals) == 0 {
		t.Errorf("%s runs without an approval", s.ID)
	}
	if s.Kind == plan.KindPrune {
		checkPrune(t, w, i, r, s)
	}
}

// mayJoin is the one exception from the window, in other words than the code:
// the layer comes to a function that has none of it and never had, and its
// number is where all of the environment was brought last.
func mayJoin(w *scenario, i int, r plan.Region, s plan.Step) bool {
	if s.Kind == plan.KindShare {
		return true // it changes no function
	}
	applied := w.in.Regions[i].Past.Layers[s.LayerARN].Applied
	if s.Kind == plan.KindPublish {
		return true // it changes no function
	}
	return r.Want.NewFunctionsNow && s.Kind == plan.KindAttach && s.From == "" && s.Cause == plan.CauseChange &&
		w.in.Regions[i].Past.Functions[s.Function].Applied[s.LayerARN] == 0 &&
		len(applied) > 0 && s.To == s.LayerARN.Version(applied[len(applied)-1])
}

// checkPublish: what is published is what Git wants and AWS lacks, and its bytes are what
// they were at the first time.
func checkPublish(t *testing.T, w *scenario, i int, r plan.Region, s plan.Step) {
	t.Helper()
	a, c := s.Publishing.Artifact, w.archives[s.Layer+" "+s.ToVersion]
	if s.To != s.LayerARN.Unpublished(c.SHA256) || s.Publishing.Content != c || c.Code != "" || a.Version != s.ToVersion || s.Function != "" {
		t.Errorf("%s makes %+v of %+v", s.ID, s.Publishing, c)
	}
	if first := w.in.Published[s.Layer][s.ToVersion]; first != "" && first != c.SHA256 {
		t.Errorf("%s has other bytes than the first publish", s.ID)
	}
	l, _ := w.in.Regions[i].Have.Layer(s.LayerARN)
	for _, v := range l.Versions {
		if stamp, ok := catalog.ReadStamp(v.Description); ok && stamp.Version.String() == s.ToVersion {
			t.Errorf("%s is live as %d", s.ID, v.Number)
		}
	}
	wanted := func(v desired.Version) bool { return v.Kind == desired.Exact && v.Semver.String() == s.ToVersion }
	if !slices.ContainsFunc(r.Want.Layers, func(l desired.LayerWish) bool {
		return l.Layer == s.LayerARN && (wanted(l.Version) || slices.ContainsFunc(l.Pins, func(p desired.Pin) bool { return wanted(p.Version) }))
	}) {
		t.Errorf("%s: Git asks for no such version", s.ID)
	}
	n := 0
	for _, other := range r.Steps {
		if other.Kind == plan.KindPublish && other.LayerARN == s.LayerARN && other.ToVersion == s.ToVersion {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%s is published by %d steps", s.ID, n)
	}
	for at, other := range r.Steps {
		if other.ID == s.ID {
			break
		}
		if other.Function != "" && other.Cause != plan.CauseRollback {
			t.Errorf("step %d, %s, may need %s, which comes later", at, other.ID, s.ID)
		}
	}
}

// checkPrune states the protections anew, in other words than the code.
func checkPrune(t *testing.T, w *scenario, i int, r plan.Region, s plan.Step) {
	t.Helper()
	snap, past, v := w.in.Regions[i].Have, w.in.Regions[i].Past, s.From
	for _, f := range snap.Functions {
		if slices.Contains(f.Layers, v) {
			t.Errorf("%s: %s runs it", s.ID, f.Name)
		}
	}
	for _, p := range w.truth[i].Published {
		if slices.Contains(p.Layers, v) {
			t.Errorf("%s: %s:%s runs it", s.ID, p.Function, p.Version)
		}
	}
	if len(w.grants[v].Principals) > 0 {
		t.Errorf("%s: it is shared", s.ID)
	}
	l, _ := snap.Layer(s.LayerARN)
	newer := 0
	for _, other := range l.Versions {
		if other.Number > v.Number() {
			newer++
		}
	}
	var rule desired.Retention
	for _, lw := range r.Want.Layers {
		if lw.Layer == s.LayerARN {
			rule = lw.Retention
		}
	}
	if newer < rule.Keep || newer < 2 {
		t.Errorf("%s: only %d versions are newer", s.ID, newer)
	}
	if n := len(past.Layers[s.LayerARN].Applied); slices.Contains(past.Layers[s.LayerARN].Applied[max(0, n-3):], v.Number()) {
		t.Errorf("%s: it is one of the last three applied", s.ID)
	}
	for name, f := range past.Functions {
		if f.Original[s.LayerARN] == v.Number() {
			t.Errorf("%s: %s had it before", s.ID, name)
		}
	}
	for _, st := range r.Steps {
		if st.To == v {
			t.Errorf("%s: %s wants it", s.ID, st.ID)
		}
	}
	if w.in.PruneStop != "" || len(r.Problems) > 0 {
		t.Errorf("%s: nothing may be pruned now", s.ID)
	}
	seen, ok := past.Layers[s.LayerARN].Candidates[v.Number()]
	if rule.Grace > 0 && (!ok || w.in.Now.Sub(seen) < rule.Grace) {
		t.Errorf("%s: it has not been a candidate for %s", s.ID, rule.Grace)
	}
}

// checkLists: what each function would end with is its old list with our slots
// changed, and nothing else.
func checkLists(t *testing.T, w *scenario, i int, r plan.Region) {
	t.Helper()
	for name, steps := range stepsByFunction(r) {
		f, ok := w.in.Regions[i].Have.Function(name)
		if !ok || f.Image || f.Edge {
			t.Errorf("steps for %s, which is not a function with layers", name)
		}
		for j := range steps {
			if steps[j].To.Content() != "" {
				steps[j].To = steps[j].LayerARN.Version(999) // the number that it gets
			}
		}
		after := plan.Fold(f.Layers, steps)
		ours := map[state.LayerARN]state.LayerVersionARN{}
		for _, s := range steps {
			if _, twice := ours[s.LayerARN]; twice {
				t.Errorf("%s has two steps for %s", name, s.LayerARN)
			}
			ours[s.LayerARN] = s.To
		}
		neighbours := func(list []state.LayerVersionARN) []state.LayerVersionARN {
			return slices.DeleteFunc(slices.Clone(list), func(v state.LayerVersionARN) bool { _, is := ours[v.Layer()]; return is })
		}
		if got, want := neighbours(after), neighbours(f.Layers); !slices.Equal(got, want) {
			t.Errorf("%s: neighbours were %v and are %v", name, want, got)
		}
		for l, to := range ours {
			have := state.Layers(after).Of(l)
			if have != to {
				t.Errorf("%s ends with %q for %s, not %q", name, have, l, to)
			}
		}
		if len(after) > maxLayers {
			t.Errorf("%s would have %d layers", name, len(after))
		}
	}
}

func stepsByFunction(r plan.Region) map[string][]plan.Step {
	out := map[string][]plan.Step{}
	for _, s := range r.Steps {
		if s.Function != "" {
			out[s.Function] = append(out[s.Function], s)
		}
	}
	return out
}

func checkShuffled(t *testing.T, w *scenario, p plan.Plan, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 2))
	in := w.in
	in.Others = slices.Clone(in.Others)
	rnd.Shuffle(len(in.Others), func(i, j int) { in.Others[i], in.Others[j] = in.Others[j], in.Others[i] })
	in.Approvals = slices.Clone(in.Approvals)
	rnd.Shuffle(len(in.Approvals), func(i, j int) {
		in.Approvals[i], in.Approvals[j] = in.Approvals[j], in.Approvals[i]
	})
	in.Regions = slices.Clone(in.Regions)
	for i := range in.Regions {
		s := *in.Regions[i].Have
		s.Functions, s.Layers = slices.Clone(s.Functions), slices.Clone(s.Layers)
		rnd.Shuffle(len(s.Functions), func(i, j int) { s.Functions[i], s.Functions[j] = s.Functions[j], s.Functions[i] })
		rnd.Shuffle(len(s.Layers), func(i, j int) { s.Layers[i], s.Layers[j] = s.Layers[j], s.Layers[i] })
		s.Sort()
		in.Regions[i].Have = &s
	}
	again := Decide(in)
	if !reflect.DeepEqual(again.Regions, p.Regions) || again.Digest != p.Digest {
		t.Errorf("shuffled input gives another plan:\n%s", cmp.Diff(documentOf(again), documentOf(p)))
	}
}

// Document is a comparable form of the plan, for tests.
func documentOf(p plan.Plan) plan.Document { return plan.NewDocument("store", "", []plan.Plan{p}, nil) }

// checkConverges opens every gate, applies the plan as internal/apply does,
// and decides again: after two rounds nothing is left but what is blocked.
func checkConverges(t *testing.T, w *scenario) {
	t.Helper()
	w.openGates()
	last, freed := 2, false
	for round := 0; round <= last; round++ {
		p := w.decide()
		runnable, publishes, unshares := 0, 0, 0
		for _, r := range p.Regions {
			for _, s := range r.Steps {
				if s.Kind == plan.KindPublish && s.Held == nil {
					publishes++
				}
				if s.Kind == plan.KindShare && s.From != "" {
					unshares++
				}
			}
		}
		// Of a version that nobody uses any more the policy is read, a grant is found there
		// that the past has not got, it is taken back, and only then may it be pruned.
		if unshares > 0 && round > 0 && !freed {
			freed = true
			last++
		}
		if publishes > 0 && round == 0 {
			last++ // with the publish between
		} else if publishes > 0 {
			t.Errorf("round %d still publishes", round)
		}
		for i, r := range p.Regions {
			for _, s := range r.Steps {
				if s.Held == nil {
					runnable++
				} else if s.Held.By != plan.ByDesired && s.Held.By != plan.ByLimit && (s.Held.By != plan.ByOrder || publishes == 0) {
					t.Errorf("%s is held by %s with every gate open: %s", s.ID, s.Held.By, s.Held.Reason)
				}
			}
			w.apply(i, r)
			w.publish(t, i, r)
		}
		if runnable == 0 {
			return
		}
		if round == last {
			t.Errorf("round %d still has %d steps to do: %+v", round, runnable, p.Regions[0].Steps)
		}
	}
}

func (w *scenario) openGates() {
	w.in.Stale, w.in.PruneStop, w.in.Approvals = "", "", nil
	w.in.Regions = slices.Clone(w.in.Regions)
	for i := range w.in.Regions {
		e := &w.in.Regions[i].Want
		e.Observe, e.ApprovalRequired, e.MaxNew, e.MaxBlocked = false, false, 1000, nil
		e.Calendar = window.Calendar{Zone: time.UTC}
		e.Drift.After = 0
		e.Layers = slices.Clone(e.Layers)
		for j := range e.Layers {
			e.Layers[j].Retention.Grace = 0
		}
	}
	for i := range w.in.Regions {
		w.in.Regions[i].Past.Pruned = nil
		for l, lp := range w.in.Regions[i].Past.Layers {
			lp.Selected = 0
			w.in.Regions[i].Past.Layers[l] = lp
		}
	}
}

// apply does what internal/apply and internal/history do, on values.
func (w *scenario) apply(i int, r plan.Region) {
	snap, past := *w.in.Regions[i].Have, &w.in.Regions[i].Past
	snap.Functions = slices.Clone(snap.Functions)
	snap.Layers = slices.Clone(snap.Layers)
	for name, steps := range stepsByFunction(r) {
		steps = slices.DeleteFunc(steps, func(s plan.Step) bool { return s.Held != nil })
		j := slices.IndexFunc(snap.Functions, func(f state.Function) bool { return f.Name == name })
		snap.Functions[j].Layers = plan.Fold(snap.Functions[j].Layers, steps)
		fp := past.Functions[name]
		fp.Applied, fp.List = maps.Clone(fp.Applied), snap.Functions[j].Layers
		if fp.Applied == nil {
			fp.Applied = map[state.LayerARN]int64{}
		}
		for _, s := range steps {
			fp.Applied[s.LayerARN] = s.To.Number()
			lp := past.Layers[s.LayerARN]
			lp.Applied = append(slices.DeleteFunc(slices.Clone(lp.Applied), func(n int64) bool { return n == s.To.Number() }), s.To.Number())
			past.Layers[s.LayerARN] = lp
		}
		past.Functions[name] = fp
	}
	w.applyShares(&snap, past, r)
	for _, s := range r.Steps {
		if s.Kind != plan.KindPrune || s.Held != nil {
			continue
		}
		j := slices.IndexFunc(snap.Layers, func(l state.Layer) bool { return l.ARN == s.LayerARN })
		snap.Layers[j].Versions = slices.DeleteFunc(slices.Clone(snap.Layers[j].Versions),
			func(v state.LayerVersion) bool { return v.Number == s.From.Number() })
	}
	w.in.Regions = slices.Clone(w.in.Regions)
	w.in.Regions[i].Have = &snap
}

// publish does what internal/apply and AWS do for a publish: the next number, which was
// never there before, with the Description that the step has.
func (w *scenario) publish(t *testing.T, i int, r plan.Region) {
	t.Helper()
	for _, s := range r.Steps {
		if s.Kind != plan.KindPublish || s.Held != nil {
			continue
		}
		what := fmt.Sprint(s.LayerARN, s.ToVersion, s.Publishing.Content.SHA256)
		if w.made[what]++; w.made[what] > 1 {
			t.Errorf("%s was published before", s.ID)
		}
		snap := *w.in.Regions[i].Have
		snap.Layers = slices.Clone(snap.Layers)
		j := slices.IndexFunc(snap.Layers, func(l state.Layer) bool { return l.ARN == s.LayerARN })
		snap.Layers[j].Versions = append(slices.Clone(snap.Layers[j].Versions), state.LayerVersion{
			Number: int64(100 + len(w.made)), Description: s.Publishing.Description, Created: w.in.Now, Runtimes: s.Publishing.Runtimes,
		})
		snap.Sort()
		w.in.Regions[i].Have = &snap
		if w.in.Published[s.Layer] == nil {
			w.in.Published[s.Layer] = map[string]string{}
		}
		w.in.Published[s.Layer][s.ToVersion] = s.Publishing.Content.SHA256
	}
}

func arnOf(name string) state.LayerARN { return state.NewLayerARN("aws", tokyo, account, name) }

func mustVersion(text string) desired.Version {
	v, err := desired.ParseVersion(text)
	if err != nil {
		panic(err)
	}
	return v
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

var layerNames = []string{"common", "commonx", "ml"}

// foreignLayer belongs to somebody else.
const foreignLayer = state.LayerARN("arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog-Python312")

func generate(r *rand.Rand) *scenario {
	w := &scenario{grants: map[state.LayerVersionARN]state.Policy{}, probes: map[state.LayerVersionARN]state.Probe{}}
	w.in.Now = noon.Add(time.Duration(r.IntN(1000)) * time.Hour)
	snap := &state.Snapshot{Account: account, Region: tokyo, Partition: "aws", ObservedAt: w.in.Now}
	var uses state.Uses
	for _, name := range layerNames {
		snap.Layers = append(snap.Layers, generateLayer(r, w, name))
	}
	for i := range 1 + r.IntN(8) {
		snap.Functions = append(snap.Functions, generateFunction(r, i))
		if chance(r, 30) {
			f := snap.Functions[i]
			uses.Published = append(uses.Published, state.Published{Function: f.Name, Version: "1", Layers: generateList(r)})
			uses.Versioned = append(uses.Versioned, f.Name)
		}
	}
	snap.Uses = &uses
	snap.Sort()
	snap.Uses = nil
	w.truth = []state.Uses{uses}
	past := generatePast(r, w.in.Now, snap)
	w.in.Regions = []Region{{Have: snap, Past: past, Want: generateEnvironment(r, "prod")}}
	if chance(r, 30) {
		other := generateEnvironment(r, "dev")
		for i := range other.Layers {
			other.Layers[i].Owned = false
		}
		elsewhere := generateEnvironment(r, "elsewhere")
		elsewhere.Region = "us-east-1"
		w.in.Others = append(w.in.Others, Other{Want: other}, Other{Want: elsewhere})
		if chance(r, 50) {
			w.in.Others[0].Past = generatePast(r, w.in.Now, snap)
		}
	}
	if chance(r, 20) {
		w.in.Stale = "Git was not read for 20m"
	}
	if chance(r, 20) {
		w.in.PruneStop = "environments/dev.yaml is invalid"
	}
	w.artifacts(r)
	if chance(r, 30) {
		w.approve(r)
	}
	if chance(r, 20) {
		w.probes[foreignLayer.Version(1)] = state.Probe{Reason: "not authorized"}
	}
	return w
}

// artifacts has some layers published from artifacts that are well, refused, or not
// what was published first.
func (w *scenario) artifacts(r *rand.Rand) {
	w.archives, w.made, w.in.Published = map[string]state.Content{}, map[string]int{}, map[string]map[string]string{}
	w.in.Revision = pick(r, commit, "")
	layers := w.in.Regions[0].Want.Layers
	for i := range layers {
		lw := &layers[i]
		if chance(r, 50) {
			continue
		}
		lw.Source = &desired.Source{Location: pick(r, "layers/"+lw.Name, "s3://b/${VERSION}.zip"), Description: pick(r, "", lw.Name, "v9.9.9 of it"), SHA256: map[string]string{}}
		if chance(r, 60) {
			lw.Version = mustVersion(pick(r, "2.0.0", "2.1.0-rc.1"))
		}
		for j := range lw.Pins {
			lw.Pins[j].Version = mustVersion(pick(r, "2.0.0", "2.2.0", "2"))
		}
		if chance(r, 10) {
			lw.Known = map[string]int64{"2.0.0": int64(1 + r.IntN(8))} // which is not what layerd publishes
		}
		for _, version := range []string{"1.3.0", "1.4.0", "1.6.0", "2.0.0", "2.1.0-rc.1", "2.2.0"} {
			c := state.Content{SHA256: pick(r, hashA, hashB), Size: 1 << 20, Unzipped: 2 << 20}
			if chance(r, 15) {
				c = state.Content{Code: "artifact_missing", Message: "it is not there"}
			}
			w.archives[lw.Name+" "+version] = c
			if chance(r, 20) {
				w.in.Published[lw.Name] = map[string]string{version: pick(r, hashA, hashB)}
			}
			if chance(r, 10) {
				lw.Source.SHA256[version] = pick(r, hashA, hashB)
			}
		}
	}
}

func (w *scenario) approve(r *rand.Rand) {
	p := Decide(w.in)
	a := ruling.Approval{Environment: "prod", Digest: p.Digest, By: "sato", At: w.in.Now.Add(-time.Duration(r.IntN(300)) * time.Hour)}
	if chance(r, 50) {
		a.Scope = p.Lines
	}
	if chance(r, 20) {
		a.Ended = w.in.Now
	}
	w.in.Approvals = append(w.in.Approvals, a)
}

func generateLayer(r *rand.Rand, w *scenario, name string) state.Layer {
	l := state.Layer{ARN: arnOf(name)}
	for n := int64(1); n <= 8; n++ {
		if chance(r, 25) {
			continue
		}
		v := state.LayerVersion{Number: n, Created: w.in.Now.Add(-time.Duration(r.IntN(200)) * 24 * time.Hour)}
		v.Description = pick(r, "", fmt.Sprintf("%s v1.%d.0", name, n), fmt.Sprintf("（v1.%d.0）MAKOTO", n), "v1.4.0", "v1.5.0-rc.1")
		if chance(r, 10) {
			v.Runtimes = []string{"nodejs20.x"}
		}
		w.grants[l.ARN.Version(n)] = generatePolicy(r)
		l.Versions = append(l.Versions, v)
	}
	return l
}

func generateList(r *rand.Rand) []state.LayerVersionARN {
	var list []state.LayerVersionARN
	for _, i := range r.Perm(len(layerNames) + 3) {
		switch {
		case chance(r, 45):
		case i < len(layerNames):
			list = append(list, arnOf(layerNames[i]).Version(int64(1+r.IntN(9))))
		default:
			list = append(list, state.LayerVersionARN(fmt.Sprintf("%s%d:%d", foreignLayer, i, 1+r.IntN(2))))
		}
	}
	return list[:min(len(list), maxLayers)]
}

func generateFunction(r *rand.Rand, i int) state.Function {
	f := state.Function{
		Name: fmt.Sprintf("%s-%d", pick(r, "makoto-chat", "makoto-api", "other"), i), Runtime: pick(r, "python3.12", "python3.11", "provided.al2023"),
		Architecture: pick(r, "x86_64", "arm64"), RevisionID: "r", Layers: generateList(r),
	}
	if chance(r, 8) {
		f.Image, f.Runtime, f.Layers = true, "", nil
	}
	f.Edge = chance(r, 5)
	return f
}

func generatePast(r *rand.Rand, now time.Time, snap *state.Snapshot) plan.Past {
	p := plan.Past{Functions: map[string]plan.FunctionPast{}, Layers: map[state.LayerARN]plan.LayerPast{}}
	for _, f := range snap.Functions {
		fp := plan.FunctionPast{Applied: map[state.LayerARN]int64{}, Original: map[state.LayerARN]int64{}, Drift: map[state.LayerARN]plan.Sighting{}}
		for _, name := range layerNames {
			l := arnOf(name)
			switch r.IntN(4) {
			case 0:
				fp.Applied[l] = f.Layers.Number(l)
			case 1:
				fp.Applied[l] = int64(r.IntN(9))
				fp.Original[l] = int64(r.IntN(9))
				have, _, _ := f.Has(l)
				fp.Drift[l] = plan.Sighting{Function: f.Name, Layer: l, Have: have, Since: now.Add(-time.Hour)}
			}
		}
		if chance(r, 50) {
			fp.List = generateList(r)
		}
		p.Functions[f.Name] = fp
	}
	for _, name := range layerNames {
		lp := plan.LayerPast{Numbers: map[string]int64{}, Candidates: map[int64]time.Time{}, Selected: r.IntN(12)}
		for range r.IntN(5) {
			n := int64(1 + r.IntN(8))
			lp.Applied = append(slices.DeleteFunc(lp.Applied, func(x int64) bool { return x == n }), n)
		}
		for n := int64(1); n < 9; n++ {
			if chance(r, 60) {
				lp.Candidates[n] = now.Add(-time.Duration(r.IntN(60)) * time.Hour)
			}
		}
		if chance(r, 40) {
			lp.Numbers["1.4.0"] = int64(1 + r.IntN(8))
		}
		generateShares(r, now, &lp)
		p.Layers[arnOf(name)] = lp
	}
	for range pick(r, 0, 0, 3, 20, 25) {
		p.Pruned = append(p.Pruned, now.Add(-time.Duration(1+r.IntN(22))*time.Hour))
	}
	return p
}

func generateEnvironment(r *rand.Rand, name string) desired.Environment {
	e := desired.Environment{
		Name: name, Account: account, Region: tokyo, Partition: "aws", Zone: time.UTC,
		Observe: chance(r, 10), ApprovalRequired: chance(r, 40), MaxNew: r.IntN(4), NewFunctionsNow: chance(r, 50),
		Drift:    desired.DriftPolicy{Report: chance(r, 15), After: pick(r, 0, 0, 3*time.Hour)},
		Calendar: generateCalendar(r), File: "environments/" + name + ".yaml",
	}
	if chance(r, 20) {
		most := r.IntN(3)
		e.MaxBlocked = &most
	}
	if chance(r, 30) {
		e.Unmanaged = []string{string(foreignLayer) + "*"}
	}
	for _, layer := range layerNames {
		if chance(r, 30) {
			continue
		}
		w := desired.LayerWish{
			Name: layer, Layer: arnOf(layer), Owned: true, First: chance(r, 20), AllowRuntime: chance(r, 50),
			Version:   mustVersion(pick(r, "1.4.0", "1.6.0", "3", "7", "none", "latest", "^1.2")),
			Functions: []desired.Selector{{Name: pick(r, "makoto-*", "*", "makoto-chat-?", "nothing-*")}},
			Retention: desired.Retention{Keep: pick(r, 0, 2, 3), Grace: pick(r, 0, 24*time.Hour), OlderThan: pick(r, 0, 90*24*time.Hour)},
			Known:     map[string]int64{}, Yanked: map[string]string{},
		}
		if chance(r, 20) {
			w.Functions = append(w.Functions, desired.Selector{Attached: true})
		}
		if chance(r, 20) {
			w.Except = []desired.Selector{{Name: "*-1"}}
		}
		if chance(r, 20) {
			w.Pins = []desired.Pin{{Functions: []desired.Selector{{Name: "*-2"}}, Version: mustVersion(pick(r, "2", "1.3.0")), Until: noon.AddDate(1, 0, 0), Reason: "an incident"}}
		}
		if chance(r, 20) {
			w.Known["1.4.0"] = int64(1 + r.IntN(8))
		}
		if chance(r, 10) {
			w.Yanked["1.4.0"] = "CVE-2026-1234"
		}
		if chance(r, 20) {
			w.Runtimes = []string{"python3.12"}
		}
		w.ShareWith, w.Shared = generateShareWith(r)
		e.Layers = append(e.Layers, w)
	}
	return e
}

func generateCalendar(r *rand.Rand) window.Calendar {
	c := window.Calendar{Zone: time.UTC}
	if chance(r, 50) {
		w, err := window.Parse(pick(r, "Saturday 02:00-06:00 JST", "daily 11:00-14:00 UTC", "Mon-Fri 22:00-04:00 UTC"), time.UTC)
		if err != nil {
			panic(err)
		}
		c.Windows = append(c.Windows, w)
		c.Cutoff = pick(r, 0, time.Hour)
	}
	if chance(r, 20) {
		f, err := window.ParseFreeze("2026-11-20", "2026-12-05", "", time.UTC)
		if err != nil {
			panic(err)
		}
		c.Freezes = append(c.Freezes, f)
	}
	return c
}

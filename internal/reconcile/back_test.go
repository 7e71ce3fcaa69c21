package reconcile

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// A rollback by hand takes a function to what was in the environment, or down.
// Whoever wrote the word, what it would move forward stays where it is.
func TestARollbackByHandGoesBack(t *testing.T) {
	hand := func(number, back int64) ruling.Quarantine {
		return ruling.Quarantine{Environment: "prod", Region: tokyo, Layer: common, Number: number, RevertTo: back, ByPerson: true, By: "sato", Reason: "it leaks", At: noon}
	}
	for _, tc := range []struct {
		name string
		in   Input
		past plan.LayerPast
		word []ruling.Quarantine
		want string
		note string // part of the note; empty = none

		adopted bool
	}{
		{"forward to what never ran here", scene("1.3.0", 4, 4), plan.LayerPast{Applied: []int64{4}}, []ruling.Quarantine{hand(4, 5)}, "", "5 (1.4.0) has not been in prod; a change goes through Git (f)", false},
		{"forward, and nothing is remembered", scene("1.3.0", 4, unknown), plan.LayerPast{}, []ruling.Quarantine{hand(4, 5)}, "", "has not been in prod", false},
		{"forward on a function that does not have it yet", scene("1.3.0", 2, 2), plan.LayerPast{Applied: []int64{2}}, []ruling.Quarantine{hand(4, 3)}, "attach change 2>4 held by quarantine", "3 (1.2.0) has not been in prod", false},
		{"to what was applied here and is higher", scene("1.3.0", 4, 4), plan.LayerPast{Applied: []int64{5, 4}}, []ruling.Quarantine{hand(4, 5)}, "rollback rollback 4>5", "", false},
		{"to what came through well and is higher", scene("1.3.0", 4, 4), plan.LayerPast{Proven: 5}, []ruling.Quarantine{hand(4, 5)}, "rollback rollback 4>5", "", false},
		{"down to what never ran here", scene("1.3.0", 4, 4), plan.LayerPast{Applied: []int64{4}}, []ruling.Quarantine{hand(4, 1)}, "rollback rollback 4>1", "", false},
		{"to what is in quarantine itself", scene("1.3.0", 4, 4), plan.LayerPast{Applied: []int64{5, 4}}, []ruling.Quarantine{hand(4, 5), hand(5, 3)}, "", "5 (1.4.0) is in quarantine as well", false},
		{"where callers have a lower one", aliased("1.4.0", 5, 5, 2), plan.LayerPast{}, []ruling.Quarantine{hand(5, 3)}, "serve drift 3>+ held by quarantine", "3 (1.2.0) has not been in prod", false},
		{"where callers have none", aliased("1.4.0", 5, 5, 0), plan.LayerPast{}, []ruling.Quarantine{hand(5, 3)}, "serve drift 3>+ held by quarantine", "3 (1.2.0) has not been in prod", false},
		{"where it is there, and another was applied last", scene("1.4.0", 3, 4), plan.LayerPast{Applied: []int64{5, 4}}, []ruling.Quarantine{hand(5, 3)}, "attach change 3>5 held by quarantine", "", true},
		{"where callers are there too", aliased("1.4.0", 3, 4, 3), plan.LayerPast{Applied: []int64{5, 4}}, []ruling.Quarantine{hand(5, 3)}, "attach change 3>5 held by quarantine; serve change 3>+ held by quarantine", "", true},
		{"down for callers too", aliased("1.4.0", 5, 5, 4), plan.LayerPast{}, []ruling.Quarantine{hand(5, 3)}, "rollback rollback 5>3; serve rollback 3>+", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{common: tc.past}
			tc.in.Quarantines = tc.word
			r := only(t, tc.in)
			if got := told(r); got != tc.want {
				t.Errorf("got %s\nwant %s", got, tc.want)
			}
			adopted := slices.ContainsFunc(r.Learned.Adopted, func(a plan.Adoption) bool { return a.Number == 3 })
			if adopted != tc.adopted || adopted && len(r.Drift) > 0 {
				t.Errorf("adopted %+v, drift %+v", r.Learned.Adopted, r.Drift)
			}
			i := slices.IndexFunc(r.Notes, func(n plan.Note) bool { return n.Code == "not_back" })
			if (i >= 0) != (tc.note != "") || i >= 0 && !strings.Contains(r.Notes[i].Message, tc.note) {
				t.Errorf("notes %+v, want %q", r.Notes, tc.note)
			}
		})
	}
	for name, past := range map[string]plan.Past{
		"what another function had before layerd": {Functions: map[string]plan.FunctionPast{"g": {Original: map[state.LayerARN]int64{common: 5}}}},
		"what another function was found with":    {Functions: map[string]plan.FunctionPast{"g": {Applied: map[state.LayerARN]int64{common: 5}}}},
	} {
		in := scene("1.3.0", 4, 4)
		past.Functions["f"] = in.Regions[0].Past.Functions["f"]
		in.Regions[0].Past, in.Quarantines = past, []ruling.Quarantine{hand(4, 5)}
		if got := told(only(t, in)); got != "rollback rollback 4>5" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	in := scene("1.3.0", 4, 4)
	elsewhere := state.NewLayerARN("aws", tokyo, "210987654321", "common")
	in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{elsewhere: {Applied: []int64{5}, Proven: 5}}
	in.Quarantines = []ruling.Quarantine{hand(4, 5)}
	if got := told(only(t, in)); got != "" {
		t.Errorf("what another account's layer was is no way forward: got %s", got)
	}
}

// What was here comes in the order in which somebody would go back to it.
func TestHad(t *testing.T) {
	had := func(applied, original int64) plan.FunctionPast {
		return plan.FunctionPast{Applied: map[state.LayerARN]int64{common: applied}, Original: map[state.LayerARN]int64{common: original}}
	}
	p := plan.Past{
		Layers:    map[state.LayerARN]plan.LayerPast{common: {Proven: 5, Applied: []int64{4, 5, 7}}, arnOf("ml"): {Applied: []int64{11}}},
		Functions: map[string]plan.FunctionPast{"a": had(9, 2), "b": had(7, 3), "c": had(0, 2), "d": had(4, 0)},
	}
	if got := p.Had(common); !slices.Equal(got, []int64{5, 7, 4, 2, 3, 9}) {
		t.Errorf("got %v", got)
	}
}

// TestOnlyBack: over generated worlds with random pasts and random words of
// people, no rollback brings a function, or its callers, to a higher number that
// was not here before.
func TestOnlyBack(t *testing.T) {
	moved, refused := 0, 0
	for seed := range uint64(4000) {
		rnd := rand.New(rand.NewPCG(seed, 12))
		w := generate(rnd)
		w.withWords(rnd)
		if chance(rnd, 50) {
			w.withAlias(rnd)
		}
		r := w.decide().Regions[0]
		for _, n := range r.Notes {
			if n.Code == "not_back" {
				refused++
			}
		}
		for name, steps := range stepsByFunction(r) {
			f, _ := w.in.Regions[0].Have.Function(name)
			moved += w.checkBack(t, f, steps)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if moved < 100 || refused < 100 {
		t.Errorf("%d were moved and %d refused: the worlds are too calm", moved, refused)
	}
}

// withWords adds rollbacks by hand of what Git asks for, to anywhere.
func (w *scenario) withWords(r *rand.Rand) {
	for _, l := range w.in.Regions[0].Want.Layers {
		for range r.IntN(3) {
			n := int64(r.IntN(9))
			if in := (Input{Regions: w.in.Regions, Now: w.in.Now}); chance(r, 80) {
				for _, t := range Decide(in).Regions[0].Targets {
					if t.Layer == l.Layer && t.Number < unpublished {
						n = t.Number
					}
				}
			}
			w.in.Quarantines = append(w.in.Quarantines, ruling.Quarantine{
				Environment: "prod", Region: tokyo, Layer: l.Layer, Name: l.Name, Number: n, RevertTo: int64(r.IntN(9)), ByPerson: chance(r, 90),
				Functions: pick(r, "", "", "makoto-*"), By: "sato", Reason: "it leaks", At: w.in.Now.Add(-1),
			})
		}
	}
}

// withAlias serves every function through an alias, with layers of its own.
func (w *scenario) withAlias(r *rand.Rand) {
	w.in.Regions[0].Want.Alias = "live"
	snap := *w.in.Regions[0].Have
	snap.Served = map[state.Qualified]state.Served{}
	for _, f := range snap.Functions {
		list := slices.Clone(f.Layers)
		for i, v := range list {
			if v.Layer() != foreignLayer && chance(r, 50) {
				list[i] = v.Layer().Version(int64(1 + r.IntN(9)))
			}
		}
		for _, q := range []string{"live", "1"} {
			served := state.Served{Version: "7", CodeSHA256: f.CodeSHA256, Settings: f.Settings, State: "Active", Layers: list}
			if q == "1" {
				served.Version, served.Layers = "1", w.published(f.Name)
			}
			snap.Served[state.Qualified{Function: f.Name, Qualifier: q}] = served
		}
	}
	w.in.Regions[0].Have = &snap
}

func (w *scenario) published(function string) []state.LayerVersionARN {
	for _, p := range w.truth[0].Published {
		if p.Function == function {
			return p.Layers
		}
	}
	return nil
}

// checkBack plays the steps of one function and counts what a rollback moved.
func (w *scenario) checkBack(t *testing.T, f state.Function, steps []plan.Step) (moved int) {
	t.Helper()
	steps = slices.DeleteFunc(slices.Clone(steps), func(s plan.Step) bool { return s.Held != nil })
	for _, s := range steps {
		if s.Cause != plan.CauseRollback {
			continue
		}
		if s.Kind != plan.KindServe {
			moved++
			w.checkSlot(t, s, "$LATEST", s.LayerARN, f.Layers.Number(s.LayerARN), s.To.Number())
			continue
		}
		after := plan.Fold(f.Layers, steps)
		if s.Serving.Version != "" {
			after = w.published(f.Name)
		}
		for _, l := range s.Serving.Ours {
			if slices.ContainsFunc(steps, func(o plan.Step) bool { return o.LayerARN == l && o.Cause != plan.CauseRollback }) {
				continue // it goes along by a leave of its own
			}
			to := state.Layers(after).Number(l)
			w.checkSlot(t, s, "callers", l, s.Serving.Served.Layers.Number(l), to)
		}
	}
	return moved
}

// checkSlot states the rule anew, in other words than the code.
func (w *scenario) checkSlot(t *testing.T, s plan.Step, who string, l state.LayerARN, from, to int64) {
	t.Helper()
	past := w.in.Regions[0].Past
	here := map[int64]bool{past.Layers[l].Proven: true}
	for _, n := range past.Layers[l].Applied {
		here[n] = true
	}
	for f := range maps.Values(past.Functions) {
		here[f.Applied[l]], here[f.Original[l]] = true, true
	}
	if to > from && !here[to] {
		t.Errorf("%s (%s): %s of %s go from %d to %d, which was never here", s.ID, s.Reason, who, l.Name(), from, to)
	}
}

// What is rolled back takes nothing else along to callers: another layer that
// $LATEST has and nobody released waits, and the alias goes to a version without.
func TestARollbackReleasesNothingElse(t *testing.T) {
	scene := func() Input {
		in := withML(aliased("1.4.0", 5, 5, 5), "2", 2, 1)
		in.Regions[0].Want.Calendar = saturday(t)
		in.Quarantines = []ruling.Quarantine{{Environment: "prod", Region: tokyo, Layer: common, Number: 5, RevertTo: 4, ByPerson: true, By: "sato", At: noon}}
		served := in.Regions[0].Have.Served[live]
		served.Layers = []state.LayerVersionARN{common.Version(5), arnOf("ml").Version(1)}
		in.Regions[0].Have.Served[live] = served
		return in
	}
	in := scene()
	if got := told(only(t, in)); got != "rollback rollback 5>4; serve change 3>+ held by window" {
		t.Errorf("nothing was published without it: %s", got)
	}
	in = scene()
	served := in.Regions[0].Have.Served[live]
	served.Version, served.Layers = "2", []state.LayerVersionARN{common.Version(4), arnOf("ml").Version(1)}
	in.Regions[0].Have.Served[state.Qualified{Function: "f", Qualifier: "2"}] = served
	in.Regions[0].Have.Uses.Published = append([]state.Published{{Function: "f", Version: "2", Layers: served.Layers}}, in.Regions[0].Have.Uses.Published...)
	if got := told(only(t, in)); got != "rollback rollback 5>4; serve rollback 3>2" {
		t.Errorf("there is a version without it: %s", got)
	}
}

// Nor does it take along a layer about which nothing can be decided.
func TestARollbackReleasesNothingUnresolved(t *testing.T) {
	in := withML(aliased("1.4.0", 5, 5, 5), "9", 2, 1)
	in.Quarantines = []ruling.Quarantine{{Environment: "prod", Region: tokyo, Layer: common, Number: 5, RevertTo: 4, ByPerson: true, By: "sato", At: noon}}
	served := in.Regions[0].Have.Served[live]
	served.Layers = []state.LayerVersionARN{common.Version(5), arnOf("ml").Version(1)}
	in.Regions[0].Have.Served[live] = served
	if got := told(only(t, in)); got != "rollback rollback 5>4; serve change 3>+ held by desired" {
		t.Error(got)
	}
}

// Where a person may go back to: what was here, the last proven first, and what
// is lower than what each function has.
func TestReturns(t *testing.T) {
	in := scene("1.3.0", 4, 4)
	snap, env := in.Regions[0].Have, in.Regions[0].Want
	for i, have := range []int64{4, 2, 0, 3} {
		f := state.Function{Name: fmt.Sprintf("g%d", i), Runtime: "python3.12"}
		if have > 0 {
			f.Layers = []state.LayerVersionARN{common.Version(have)}
		}
		snap.Functions = append(snap.Functions, f)
	}
	env.Layers[0].Pins = []desired.Pin{{Functions: []desired.Selector{{Name: "g3"}}, Version: mustVersion("3"), Until: noon.AddDate(1, 0, 0)}}
	past := plan.Past{Layers: map[state.LayerARN]plan.LayerPast{common: {Applied: []int64{4}}}}
	for _, tc := range []struct {
		number     int64
		glob       string
		why, since string
	}{
		{5, "", "5 (1.4.0) has not been in prod; a change goes through Git", "f has 4 (1.3.0)"},
		{4, "", "", ""}, // what Git asks for has been here; g1 may be given it
		{3, "", "3 (1.2.0) has not been in prod; a change goes through Git", "g1 has 2 (1.1.0)"},
		{3, "g0", "", ""},
		{3, "g[02]", "", ""}, // g2 does not have the layer and is not touched
		{3, "g3", "", ""},    // pinned to another version
		{2, "", "", ""},      // g1 has it
		{1, "", "", ""},
		{17, "g0", "17 has not been in prod; a change goes through Git", "g0 has 4 (1.3.0)"},
	} {
		if why, since := Returns(env, env.Layers[0], snap, past).Refuse(tc.number, tc.glob); why != tc.why || since != tc.since {
			t.Errorf("%d on %q: %q, %q", tc.number, tc.glob, why, since)
		}
	}
	// One function came with 5, which layerd took off it: only that one has it back.
	past.Functions = map[string]plan.FunctionPast{"g0": {Applied: map[state.LayerARN]int64{common: 4}, Original: map[state.LayerARN]int64{common: 5}}}
	for _, name := range []string{"f", "g1", "g2"} {
		past.Functions[name] = plan.FunctionPast{Applied: map[state.LayerARN]int64{common: 4}}
	}
	for glob, want := range map[string]string{"": "f has 4 (1.3.0)", "g*": "g1 has 2 (1.1.0)", "g0": ""} {
		if why, since := Returns(env, env.Layers[0], snap, past).Refuse(5, glob); since != want || (why == "") != (want == "") {
			t.Errorf("5, which one function had, on %q: %q, %q", glob, why, since)
		}
	}
	// Half of them had it: it was here.
	for _, name := range []string{"f"} {
		past.Functions[name] = past.Functions["g0"]
	}
	if why, since := Returns(env, env.Layers[0], snap, past).Refuse(5, ""); why != "" {
		t.Errorf("5, which most had: %q, %q", why, since)
	}
	in = aliased("1.4.0", 5, 5, 2)
	if why, since := Returns(in.Regions[0].Want, in.Regions[0].Want.Layers[0], in.Regions[0].Have, in.Regions[0].Past).Refuse(3, ""); why == "" || since != "callers of f get 2 (1.1.0)" {
		t.Errorf("callers have less: %q, %q", why, since)
	}
}

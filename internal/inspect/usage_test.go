package inspect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

const usedLayer = state.LayerARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:common-prod")

// usedPlace makes a place of layer common at 1.4.1, which is version 3 of 1 to 4.
func usedPlace(t *testing.T, functions []state.Function, published []state.Published, aliases map[string][]state.Alias, change ...func(*desired.Environment)) UsagePlace {
	t.Helper()
	env := desired.Environment{
		Name: "prod", Account: "123456789012", Region: "ap-northeast-1", Partition: "aws", Zone: time.UTC, OwnerTag: "team", MaxNew: 1000,
		Layers: []desired.LayerWish{{
			Name: "common", Layer: usedLayer, Owned: true, Version: desired.Version{Kind: desired.Number, Number: 3, Text: "3"},
			Functions:  []desired.Selector{{Name: "*"}},
			Known:      map[string]int64{"1.3.0": 1, "1.4.0": 2, "1.4.1": 3, "1.4.2": 4},
			Deprecated: map[string]string{"1.4.0": "use 1.4.1"}, Yanked: map[string]string{"1.3.0": "CVE-1"},
		}},
	}
	for _, c := range change {
		c(&env)
	}
	snap := state.Snapshot{
		Account: "123456789012", Region: "ap-northeast-1", Partition: "aws", Functions: functions, Aliases: aliases,
		Layers: []state.Layer{{ARN: usedLayer, Versions: []state.LayerVersion{{Number: 1}, {Number: 2}, {Number: 3}, {Number: 4}}}},
		Uses:   &state.Uses{Published: published, Sizes: map[state.LayerVersionARN]int64{usedLayer.Version(3): 300}},
		Probes: map[state.LayerVersionARN]state.Probe{usedLayer.Version(4): {Usable: true, Size: 400}},
	}
	snap.Sort()
	in := reconcile.Input{Regions: []reconcile.Region{{Want: env, Have: &snap}}, Now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	return UsagePlace{Plan: plan.Region{Want: env}, Have: &snap, Layers: reconcile.Wants(in, 0)}
}

func layersOf(numbers ...int64) (list state.Layers) {
	for _, n := range numbers {
		list = append(list, usedLayer.Version(n))
	}
	return list
}

func called(n int64) Traffic {
	return Traffic{Invocations: n, Errors: n / 10, Throttles: 1, Duration: float64(n) * 20, P99: float64(n), Known: true}
}

// Calls count with the version that ran them: through an alias, by a version's number,
// and what is left with $LATEST.
func TestUsageCountsCallsWhereTheyRan(t *testing.T) {
	p := usedPlace(t,
		[]state.Function{
			{Name: "plain", Layers: layersOf(3), Tags: map[string]string{"team": "a"}, CodeSize: 100},
			{Name: "aliased", Layers: layersOf(3), Tags: map[string]string{"team": "b"}, CodeSize: 100},
			{Name: "silent", Layers: layersOf(2), Tags: map[string]string{}, CodeSize: 100},
			{Name: "image", Image: true, Tags: map[string]string{}},
		},
		[]state.Published{{Function: "aliased", Version: "7", Layers: layersOf(2)}, {Function: "aliased", Version: "8", Layers: layersOf(3)}},
		map[string][]state.Alias{"aliased": {{Name: "live", Version: "7", Weights: map[string]float64{"8": 0.25}}, {Name: "dev", Version: "$LATEST"}}},
	)
	want := []Series{
		{"aliased", "", ""}, {"aliased", "7", ""}, {"aliased", "8", ""}, {"aliased", "dev", ""}, {"aliased", "live", "7"}, {"aliased", "live", "8"},
		{"plain", "", ""}, {"silent", "", ""},
	}
	if diff := cmp.Diff(p.Series(), want); diff != "" {
		t.Errorf("series (-have +want):\n%s", diff)
	}
	p.Calls = map[Series]Traffic{
		{"plain", "", ""}: called(50), {"aliased", "", ""}: called(1000), {"aliased", "7", ""}: called(100), {"aliased", "live", "7"}: called(600),
		{"aliased", "live", "8"}: called(200), {"aliased", "dev", ""}: called(70),
	}
	u := CountUsage(p)
	l := u.Layers[0]
	got := map[int64]int64{}
	for _, v := range l.Versions {
		got[v.Number] = v.Traffic.Invocations
	}
	// Version 3: plain, the alias's share for 8, dev, and what is left of aliased: 30.
	if diff := cmp.Diff(got, map[int64]int64{4: 0, 3: 50 + 200 + 70 + 30, 2: 100 + 600, 1: 0}); diff != "" {
		t.Errorf("calls by version (-have +want):\n%s", diff)
	}
	if l.Traffic.Invocations != 1050 || l.Functions != 3 || l.Latest != 3 || l.Published != 2 || l.Aliases != 3 {
		t.Errorf("in all %+v", l.Total)
	}
	two, three := l.Versions[2], l.Versions[1]
	if ms, ok := two.Traffic.Average(); !ok || ms != 20 || two.Traffic.P99 != 600 || two.Functions != 2 || two.Deprecated != "use 1.4.1" || !three.Wanted || three.Size != 300 {
		t.Errorf("2 is %+v, 3 is %+v", two, three)
	}
	if l.Versions[3].Yanked != "CVE-1" || l.Versions[0].Size != 400 || l.Versions[3].Size != 0 {
		t.Errorf("4 is %+v, 1 is %+v", l.Versions[0], l.Versions[3])
	}
	var behind []string
	for _, b := range u.Behind {
		behind = append(behind, b.Function+":"+b.Qualifier+" "+b.Have+" "+b.Want)
	}
	if want := []string{"aliased:live 2 (1.4.0) 3 (1.4.1)", "silent:$LATEST 2 (1.4.0) 3 (1.4.1)"}; !slices.Equal(behind, want) {
		t.Errorf("behind %q, want %q", behind, want)
	}
	var owners []string
	for _, o := range u.Owners {
		owners = append(owners, fmt.Sprintf("%s %d %d %d", o.Owner, o.Functions, o.Behind, o.Traffic.Invocations))
	}
	if want := []string{" 1 1 0", "a 1 0 50", "b 1 1 1000"}; !slices.Equal(owners, want) {
		t.Errorf("owners %q, want %q", owners, want)
	}
}

// No data is not zero, what could not be read is neither, and a part that is ahead of the
// whole leaves none.
func TestTrafficKnowsWhatItDoesNot(t *testing.T) {
	whole := called(100)
	for _, c := range []struct {
		name string
		part Traffic
		want Traffic
	}{
		{"nothing apart", Traffic{}, whole},
		{"all apart", called(100), Traffic{}},
		{"ahead", called(101), Traffic{}},
		{"half", called(50), Traffic{Invocations: 50, Errors: 5, Duration: 1000, P99: 100, Known: true}},
		{"unread", Traffic{Unread: true}, Traffic{Invocations: 100, Errors: 10, Throttles: 1, Duration: 2000, P99: 100, Known: true, Unread: true}},
	} {
		if got := whole.without(c.part); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	if _, ok := (Traffic{Known: true, Throttles: 3}).Average(); ok {
		t.Error("an average of no invocations")
	}
	asked := Measures([]Series{{Function: "f"}, {Function: "g"}})
	answers := make([]health.Sum, len(asked))
	for i, m := range asked {
		answers[i] = health.Sum{Series: m.Series, Value: 7, Known: m.Function == "f" && m.Metric == "Invocations", Partial: m.Function == "g" && m.Metric == "Errors"}
	}
	want := map[Series]Traffic{{Function: "f"}: {Invocations: 7, Known: true}, {Function: "g"}: {Unread: true}}
	if diff := cmp.Diff(Calls(asked, answers), want); diff != "" {
		t.Errorf("calls (-have +want):\n%s", diff)
	}
}

// usageWorld draws a fleet; the seed is the whole of it.
func usageWorld(t *testing.T, seed uint64, shuffle *rand.Rand) (UsagePlace, int64) {
	r := rand.New(rand.NewPCG(seed, 1))
	var functions []state.Function
	var published []state.Published
	aliases := map[string][]state.Alias{}
	calls, all := map[Series]Traffic{}, int64(0)
	for i := range 1 + r.IntN(12) {
		name := fmt.Sprintf("f%d", i)
		functions = append(functions, state.Function{Name: name, Layers: layersOf(1 + r.Int64N(4)), CodeSize: r.Int64N(3) * 50, Tags: map[string]string{"team": string(rune('a' + r.IntN(3)))}})
		var parts []Traffic
		apart := func(s Series) {
			n := Traffic{Invocations: r.Int64N(50), Duration: r.Float64() * 1000, P99: 100 * r.Float64(), Known: true}
			calls[s] = n
			parts = append(parts, n)
		}
		for v := range r.IntN(4) {
			version := fmt.Sprint(v + 1)
			published = append(published, state.Published{Function: name, Version: version, Layers: layersOf(1 + r.Int64N(4))})
			apart(Series{Function: name, Qualifier: version})
			a := state.Alias{Name: "a" + version, Version: version}
			if v > 0 && r.IntN(2) == 0 {
				a.Weights = map[string]float64{"1": 0.5}
				apart(Series{name, a.Name, "1"})
				apart(Series{name, a.Name, version})
			} else {
				apart(Series{Function: name, Qualifier: a.Name})
			}
			aliases[name] = append(aliases[name], a)
		}
		whole := Traffic{Invocations: r.Int64N(50), Duration: r.Float64() * 1000, P99: 100, Known: true}
		for _, p := range parts {
			whole.Invocations += p.Invocations
			whole.Duration += p.Duration
		}
		calls[Series{Function: name}] = whole
		all += whole.Invocations
	}
	if shuffle != nil {
		shuffle.Shuffle(len(functions), func(i, j int) { functions[i], functions[j] = functions[j], functions[i] })
		shuffle.Shuffle(len(published), func(i, j int) { published[i], published[j] = published[j], published[i] })
		for _, list := range aliases {
			shuffle.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
	}
	p := usedPlace(t, functions, published, aliases)
	p.Calls = calls
	return p, all
}

// The laws: what versions have adds up to what the layer has, and that to what all
// functions were called; owners add up to the same; uses of each kind add up; averages
// lie between those of the parts; every function that is not where it should be is
// behind; and nothing depends on the order in which things came.
func TestUsageLaws(t *testing.T) {
	for seed := range uint64(300) {
		p, all := usageWorld(t, seed, nil)
		u := CountUsage(p)
		l := u.Layers[0]
		var versions, owners Total
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range l.Versions {
			versions.Latest, versions.Published, versions.Aliases = versions.Latest+v.Latest, versions.Published+v.Published, versions.Aliases+v.Aliases
			versions.Traffic.add(v.Traffic)
			if ms, ok := v.Traffic.Average(); ok {
				low, high = min(low, ms), max(high, ms)
			}
		}
		for _, o := range u.Owners {
			owners.Functions += o.Functions
			owners.Traffic.add(o.Traffic)
		}
		if versions.Traffic.Invocations != all || l.Traffic.Invocations != all || owners.Traffic.Invocations != all || owners.Functions != l.Functions {
			t.Errorf("seed %d: versions %d, layer %d, owners %d, called %d", seed, versions.Traffic.Invocations, l.Traffic.Invocations, owners.Traffic.Invocations, all)
		}
		if len(u.Uses) != l.Latest+l.Published+l.Aliases || versions.Latest != l.Latest || versions.Published != l.Published || versions.Aliases != l.Aliases {
			t.Errorf("seed %d: %d uses, %+v", seed, len(u.Uses), l.Total)
		}
		if ms, ok := l.Traffic.Average(); ok && (ms < low-1e-9 || ms > high+1e-9) {
			t.Errorf("seed %d: average %v of %v to %v", seed, ms, low, high)
		}
		for i := range p.Have.Functions {
			f := p.Have.Functions[i]
			late := slices.ContainsFunc(u.Behind, func(b Behind) bool { return b.Function == f.Name && b.Qualifier == "$LATEST" })
			if late != (f.Layers.Number(usedLayer) != 3) {
				t.Errorf("seed %d: %s is behind: %v", seed, f.Name, late)
			}
		}
		again, _ := usageWorld(t, seed, rand.New(rand.NewPCG(seed, 2)))
		if diff := cmp.Diff(u, CountUsage(again)); diff != "" {
			t.Fatalf("seed %d: another order, another result:\n%s", seed, diff)
		}
	}
}

// The guide prints $0.02, 732 minutes and 73.5% on its own inputs.
func TestSavingsOfTheGuide(t *testing.T) {
	f := Fleet{Functions: 50, Deployments: 100, Function: 20 << 20, Layer: 15 << 20}
	s := f.Savings()
	if got := fmt.Sprintf("$%.2f %.0f %.1f%%", s.Dollars, s.Minutes(f.Deployments), s.Percent); got != "$0.02 732 73.5%" {
		t.Errorf("got %s", got)
	}
	if s := (Fleet{Functions: 1, Function: 10, Layer: 10}).Savings(); s.Percent != 0 || s.Dollars != 0 {
		t.Errorf("one function shares with nobody: %+v", s)
	}
	// A real fleet of the same shape saves the same.
	var functions []state.Function
	for i := range 50 {
		functions = append(functions, state.Function{Name: fmt.Sprintf("f%02d", i), Layers: layersOf(3), CodeSize: 5 << 20})
	}
	p := usedPlace(t, functions, nil, nil)
	p.Have.Uses.Sizes[usedLayer.Version(3)] = 15 << 20
	st := CountUsage(p).Storage
	if st.Saved != s || st.SavedFunctions != 50 || st.SavedUnknown != 0 {
		t.Errorf("the fleet saves %+v, the guide %+v", st.Saved, s)
	}
}

// What a prune frees is of the plan's prunes; a size that is not known is none of 0.
func TestStorageIsOfWhatIsKnown(t *testing.T) {
	p := usedPlace(t, []state.Function{{Name: "f", Layers: layersOf(3), CodeSize: 10}, {Name: "g", Layers: layersOf(1), CodeSize: 10}}, nil, nil)
	for _, n := range []int64{2, 4} {
		p.Plan.Steps = append(p.Plan.Steps, plan.Step{Kind: plan.KindPrune, From: usedLayer.Version(n), Held: &plan.Held{By: plan.ByGrace}})
	}
	if got, want := p.Sizeless(9), []state.LayerVersionARN{usedLayer.Version(2), usedLayer.Version(1)}; !slices.Equal(got, want) || len(p.Sizeless(1)) != 1 || len(p.Sizeless(0)) != 0 {
		t.Errorf("asked for %v, want %v", got, want)
	}
	s := CountUsage(p).Storage
	if s.Layers != 700 || s.Unknown != 2 || s.Prunes != 2 || s.Prune != 400 || s.PruneUnknown != 1 || s.SavedFunctions != 2 || s.SavedUnknown != 1 || s.Quota != nil {
		t.Errorf("storage %+v", s)
	}
}

// What a grant keeps has its reason, and is counted; what anything else keeps does not.
func TestUsageOfWhatAGrantKeeps(t *testing.T) {
	p := usedPlace(t, []state.Function{{Name: "f", Layers: layersOf(3), CodeSize: 10}}, nil, nil)
	name := p.Layers[0].Name
	p.Plan.Kept = []plan.Kept{
		{Layer: name, Version: 3, Reason: "used by f"}, {Layer: name, Version: 1, Reason: "shared with 210987654321", Shared: true},
		{Layer: name, Version: 2, Reason: "one of the newest 2"}, {Layer: "another", Version: 2, Reason: "shared with 210987654321", Shared: true},
	}
	u := CountUsage(p)
	if u.Storage.Shares != 1 || u.Storage.Shared != p.size(usedLayer.Version(1)) {
		t.Errorf("storage %+v", u.Storage)
	}
	for _, v := range u.Layers[0].Versions {
		if want := map[int64]string{1: "shared with 210987654321"}[v.Number]; v.Kept != want {
			t.Errorf("%d is kept: %q, want %q", v.Number, v.Kept, want)
		}
	}
}

// A span covers its period, ends no earlier than now, and has points that CloudWatch
// keeps and that fit on one page.
func TestSpanOf(t *testing.T) {
	base := time.Date(2026, 11, 30, 16, 37, 42, 5, time.FixedZone("", 9*3600))
	for period := time.Minute; period <= MostPeriod; period = period*5/4 + time.Minute {
		for _, now := range []time.Time{base, base.Truncate(24 * time.Hour), base.Truncate(time.Hour)} {
			s := SpanOf(now, period)
			points := s.To.Sub(s.From) / s.Point
			kept := period <= 15*24*time.Hour || period <= 63*24*time.Hour && s.Point%(5*time.Minute) == 0 || s.Point%time.Hour == 0
			if s.From.After(now.Add(-period)) || s.To.Before(now) || s.To.Sub(s.From) > period+2*s.Point || points > 201 || s.Point%time.Minute != 0 || !kept ||
				!s.From.Equal(s.From.Truncate(s.Point)) || !s.To.Equal(s.To.Truncate(s.Point)) {
				t.Errorf("%v before %v is %+v, %d points", period, now, s, points)
			}
		}
	}
	if s := SpanOf(base, 24*time.Hour); s.Point != time.Hour {
		t.Errorf("a day has points of %v", s.Point)
	}
}

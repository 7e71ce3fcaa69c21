package reconcile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

const common = state.LayerARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:common")

// scene is a small world that examples start from: the layer common with the
// live versions 1 (1.0.0) to 5 (1.4.0), and one function f.
func scene(version string, have, past int64) Input {
	snap := &state.Snapshot{
		Account: account, Region: tokyo, Partition: "aws", ObservedAt: noon,
		Layers:    []state.Layer{{ARN: common}},
		Functions: []state.Function{{Name: "f", Runtime: "python3.12", Architecture: "x86_64"}},
		Uses:      &state.Uses{},
	}
	for n := int64(5); n >= 1; n-- {
		snap.Layers[0].Versions = append(snap.Layers[0].Versions, state.LayerVersion{
			Number: n, Description: fmt.Sprintf("common v1.%d.0", n-1), Created: noon.AddDate(0, 0, int(-20*(6-n))),
		})
	}
	if have > 0 {
		snap.Functions[0].Layers = []state.LayerVersionARN{common.Version(have)}
	}
	p := plan.Past{}
	if past >= 0 {
		p.Functions = map[string]plan.FunctionPast{"f": {Applied: map[state.LayerARN]int64{common: past}}}
	}
	env := desired.Environment{
		Name: "prod", Account: account, Region: tokyo, Zone: time.UTC, MaxNew: 20,
		Calendar: window.Calendar{Zone: time.UTC},
		Layers: []desired.LayerWish{{
			Name: "common", Layer: common, Owned: true, Version: mustVersion(version),
			Functions: []desired.Selector{{Name: "*", At: desired.Position{File: "environments/prod.yaml", Line: 9}}},
		}},
	}
	return Input{Regions: []Region{{Want: env, Have: snap, Past: p}}, Now: noon}
}

func only(t *testing.T, in Input) plan.Region {
	t.Helper()
	return Decide(in).Regions[0]
}

// unknown stands for "no past" in the table of causes.
const unknown = -1

func TestTableOfCauses(t *testing.T) {
	for _, tc := range []struct {
		name       string
		want       string
		have, past int64
		step       string // kind cause from>to; empty = none
		drift      string
		adopted    bool
	}{
		{"have = want, no past: adopted", "1.3.0", 4, unknown, "", "", true},
		{"have = want, another past: adopted", "1.3.0", 4, 3, "", "", true},
		{"have = want = past: nothing at all", "1.3.0", 4, 4, "", "", false},
		{"no past, have ≠ want: change", "1.4.0", 4, unknown, "attach change 4>5", "", false},
		{"no past, a lower number: rollback", "1.2.0", 4, unknown, "rollback change 4>3", "", false},
		{"want = past, have ≠ past: drift", "1.3.0", 3, 4, "attach drift 3>4", "wrong_version", false},
		{"want = past, have is newer: a heal is an attach whichever way", "1.3.0", 5, 4, "attach drift 5>4", "wrong_version", false},
		{"want = past, the layer is gone: drift", "1.3.0", 0, 4, "attach drift 0>4", "missing", false},
		{"want ≠ past, have = past: change", "1.4.0", 4, 4, "attach change 4>5", "", false},
		{"want < past, have = past: rollback", "1.2.0", 4, 4, "rollback change 4>3", "", false},
		{"want ≠ past, have ≠ past: change, and drift", "1.4.0", 2, 4, "attach change 2>5", "wrong_version", false},
		{"none: detach", "none", 4, 4, "detach change 4>0", "", false},
		{"none and not there", "none", 0, 0, "", "", false},
		{"none, and somebody attached it: drift", "none", 3, 0, "detach drift 3>0", "wrong_version", false},
		{"new", "1.3.0", 0, unknown, "attach change 0>4", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := only(t, scene(tc.want, tc.have, tc.past))
			var step, drift string
			for _, s := range r.Steps {
				step = fmt.Sprintf("%s %s %d>%d", s.Kind, s.Cause, s.From.Number(), s.To.Number())
			}
			for _, d := range r.Drift {
				drift = d.Kind
			}
			if step != tc.step || drift != tc.drift {
				t.Errorf("step %q drift %q, want %q and %q", step, drift, tc.step, tc.drift)
			}
			if (len(r.Learned.Adopted) > 0) != tc.adopted {
				t.Errorf("adopted %v", r.Learned.Adopted)
			}
			if r.InSync != (tc.step == "") {
				t.Errorf("in sync is %v", r.InSync)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	for _, tc := range []struct {
		name, version string
		descriptions  []string // of versions 1, 2, …
		known, fixed  map[string]int64
		yanked        map[string]string
		want          int64 // 0 = a problem
	}{
		{name: "exact", version: "1.4.0", descriptions: []string{"v1.3.0", "common v1.4.0"}, want: 2},
		{name: "V3 a version further inside is a dependency's", version: "1.4.0", descriptions: []string{"adds x v1.4.0"}, want: 0},
		{name: "written with v", version: "v1.4.0", descriptions: []string{"v1.4.0"}, want: 1},
		{name: "1.10 is more than 1.9", version: "latest", descriptions: []string{"v1.10.0", "v1.9.0"}, want: 1},
		{name: "the stamp at the end wins", version: "2.0.0", descriptions: []string{"after v1.0.0 v2.0.0 sha256:0123456789ab git:0123abc"}, want: 1},
		{name: "the version that leads wins", version: "1.0.0", descriptions: []string{"(v1.0.0) was v0.9.0"}, want: 1},
		{name: "full-width brackets delimit", version: "1.0.0", descriptions: []string{"common（v1.0.0）"}, want: 1},
		{name: "not inside a word", version: "1.0.0", descriptions: []string{"libv1.0.0"}, want: 0},
		{name: "whole SemVer grammar", version: "1.0.0-rc.1+b.5", descriptions: []string{"v1.0.0-rc.1+b.5"}, want: 1},
		{name: "a half version is none", version: "1.0.0", descriptions: []string{"v1.0"}, want: 0},
		{name: "known beats the description", version: "1.0.0", descriptions: []string{"v1.0.0", "v2.0.0"}, known: map[string]int64{"1.0.0": 2}, want: 2},
		{name: "known but deleted", version: "1.0.0", descriptions: []string{"v1.0.0"}, known: map[string]int64{"1.0.0": 9}, want: 0},
		{name: "twins: the higher", version: "1.0.0", descriptions: []string{"v1.0.0", "v1.0.0"}, want: 2},
		{name: "twins: what was applied stays", version: "1.0.0", descriptions: []string{"v1.0.0", "v1.0.0"}, fixed: map[string]int64{"1.0.0": 1}, want: 1},
		{name: "twins: until it is gone", version: "1.0.0", descriptions: []string{"", "v1.0.0"}, fixed: map[string]int64{"1.0.0": 9}, want: 2},
		{name: "number", version: "2", descriptions: []string{"", ""}, want: 2},
		{name: "number that is gone", version: "3", descriptions: []string{"", ""}, want: 0},
		{name: "range", version: "^1.2", descriptions: []string{"v1.1.0", "v1.9.0", "v2.0.0"}, want: 2},
		{name: "range leaves prereleases out", version: "^1.2", descriptions: []string{"v1.2.0", "v1.3.0-rc.1"}, want: 1},
		{name: "range that names one", version: ">=1.3.0-0", descriptions: []string{"v1.2.0", "v1.3.0-rc.1"}, want: 2},
		{name: "range leaves yanked out", version: "^1.2", descriptions: []string{"v1.2.0", "v1.3.0"}, yanked: map[string]string{"1.3.0": "CVE"}, want: 1},
		{name: "latest is the highest release", version: "latest", descriptions: []string{"v1.2.0", "v1.1.0", "v9.0.0-rc.1", ""}, want: 1},
		{name: "latest without any version: the highest number", version: "latest", descriptions: []string{"", "x", "y"}, want: 3},
		{name: "latest of nothing", version: "latest", want: 0},
		{name: "yanked by number", version: "1", descriptions: []string{"v1.3.0"}, yanked: map[string]string{"1.3.0": "CVE"}, want: 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := scene("1", 0, unknown)
			w := &in.Regions[0].Want.Layers[0]
			w.Version, w.Known, w.Yanked = mustVersion(tc.version), tc.known, tc.yanked
			in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{common: {Numbers: tc.fixed}}
			l := &in.Regions[0].Have.Layers[0]
			l.Versions = nil
			for i, d := range slices.Backward(tc.descriptions) {
				l.Versions = append(l.Versions, state.LayerVersion{Number: int64(i + 1), Description: d})
			}
			r := only(t, in)
			var got int64
			for _, s := range r.Steps {
				got = s.To.Number()
			}
			if got != tc.want || (len(r.Problems) > 0) != (tc.want == 0) {
				t.Errorf("got %d and problems %v, want %d", got, r.Problems, tc.want)
			}
		})
	}
}

// V3: the plan says which version it did not take for the layer's own, once.
func TestV3ThePlanNamesWhatItDoesNotTake(t *testing.T) {
	in := scene("latest", 4, unknown)
	in.Regions[0].Want.Layers[0].Pins = []desired.Pin{{Version: mustVersion("6")}}
	l := &in.Regions[0].Have.Layers[0]
	l.Versions = slices.Insert(l.Versions, 0, state.LayerVersion{Number: 6, Description: "adds pandas v9.0.0", Created: noon})
	r := only(t, in)
	if len(r.Steps) == 0 || r.Steps[0].To.Number() != 5 {
		t.Errorf("steps %v, want the attaching of 5", r.Steps)
	}
	var said []string
	for _, n := range r.Notes {
		if n.Code == "version_not_taken" {
			said = append(said, n.Message)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "version 6 names v9.0.0") {
		t.Errorf("notes are %q", said)
	}
}

func TestNotFoundListsWhatIsLive(t *testing.T) {
	r := only(t, scene("9.9.9", 4, unknown))
	if len(r.Problems) != 1 || r.Problems[0].Code != "version_not_found" || r.Problems[0].Environment != "prod" {
		t.Fatalf("problems are %+v", r.Problems)
	}
	if want := "live: 5 (1.4.0), 4 (1.3.0), 3 (1.2.0), 2 (1.1.0), 1 (1.0.0)"; r.Problems[0].Suggestion != want {
		t.Errorf("got %q, want %q", r.Problems[0].Suggestion, want)
	}
}

func TestBlocked(t *testing.T) {
	foreign := foreignLayer.Version(1)
	for _, tc := range []struct {
		name  string
		edit  func(*Input, *state.Function, *desired.LayerWish)
		want  string // part of the reason
		calm  bool   // in sync all the same
		probe bool   // the answer needs a probe first
	}{
		{"image", func(_ *Input, f *state.Function, _ *desired.LayerWish) { f.Image, f.Layers = true, nil }, "container image", true, false},
		{"edge", func(_ *Input, f *state.Function, _ *desired.LayerWish) { f.Edge = true }, "Lambda@Edge", true, false},
		{"six layers", func(_ *Input, f *state.Function, _ *desired.LayerWish) {
			f.Layers = nil
			for i := range 5 {
				f.Layers = append(f.Layers, state.LayerVersionARN(fmt.Sprintf("%s%d:1", foreignLayer, i)))
			}
		}, "6 layers", false, false},
		{"runtime by layer.yaml", func(_ *Input, _ *state.Function, w *desired.LayerWish) { w.Runtimes = []string{"nodejs22.x"} }, "python3.12", false, false},
		{"runtime by the live version", func(in *Input, _ *state.Function, _ *desired.LayerWish) {
			in.Regions[0].Have.Layers[0].Versions[0].Runtimes = []string{"nodejs22.x"}
		}, "python3.12", false, false},
		{"architecture", func(_ *Input, _ *state.Function, w *desired.LayerWish) { w.Architectures = []string{"arm64"} }, "x86_64", false, false},
		{"a foreign layer is gone", func(in *Input, f *state.Function, _ *desired.LayerWish) {
			f.Layers = append(f.Layers, foreign)
			in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{foreign: {Reason: "not authorized to perform lambda:GetLayerVersion"}}
		}, "not authorized", false, true},
		{"a neighbour of ours was deleted", func(in *Input, f *state.Function, _ *desired.LayerWish) {
			in.Regions[0].Have.Layers = append(in.Regions[0].Have.Layers, state.Layer{ARN: arnOf("ml")})
			f.Layers = append(f.Layers, arnOf("ml").Version(3))
			in.Regions[0].Have.Sort()
		}, "was deleted", false, false},
		{"detaching from provided", func(_ *Input, f *state.Function, w *desired.LayerWish) {
			f.Runtime, w.Version = "provided.al2023", mustVersion("none")
		}, "allow_runtime", false, false},
		{"detaching from custom", func(_ *Input, f *state.Function, w *desired.LayerWish) {
			f.Runtime, w.Version = "custom", mustVersion("none")
		}, "allow_runtime", false, false},
		{"two environments disagree", func(in *Input, _ *state.Function, w *desired.LayerWish) {
			other := in.Regions[0].Want
			other.Name = "staging"
			theirs := *w
			theirs.Version, theirs.Owned = mustVersion("2"), false
			other.Layers = []desired.LayerWish{theirs}
			in.Others = append(in.Others, Other{Want: other, Past: in.Regions[0].Past})
		}, "prod and staging want different versions", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := scene("1.4.0", 4, 4)
			tc.edit(&in, &in.Regions[0].Have.Functions[0], &in.Regions[0].Want.Layers[0])
			r := only(t, in)
			if len(r.Blocked) != 1 || !strings.Contains(r.Blocked[0].Reason, tc.want) {
				t.Fatalf("blocked is %+v, want a reason with %q", r.Blocked, tc.want)
			}
			if len(r.Steps) != 0 || r.InSync != tc.calm {
				t.Errorf("steps %v, in sync %v", r.Steps, r.InSync)
			}
			if tc.probe {
				in.Regions[0].Have.Probes = nil
				if r := only(t, in); !slices.Equal(r.Needs.Probes, []state.LayerVersionARN{common.Version(5), foreign}) {
					t.Errorf("needs %+v", r.Needs)
				}
			}
		})
	}
}

// A customer-managed runtime names no language, so that no list of runtimes speaks
// against it. Architectures do.
func TestCustomRuntimeIsNoMismatch(t *testing.T) {
	in := scene("1.4.0", 4, unknown)
	in.Regions[0].Have.Functions[0].Runtime = "custom"
	in.Regions[0].Want.Layers[0].Runtimes = []string{"nodejs22.x"}
	in.Regions[0].Have.Layers[0].Versions[0].Runtimes = []string{"python3.12"}
	if r := only(t, in); len(r.Steps) != 1 || r.Steps[0].Held != nil || r.Steps[0].To.Number() != 5 {
		t.Errorf("steps are %+v", r.Steps)
	}
	in.Regions[0].Want.Layers[0].Architectures = []string{"arm64"}
	if r := only(t, in); len(r.Steps) != 0 {
		t.Errorf("another architecture: steps are %+v", r.Steps)
	}
}

func TestPeer3_LayerNamesAreNotPrefixes(t *testing.T) {
	in := scene("1.4.0", 0, unknown)
	other := state.LayerARN(string(common) + "x").Version(4)
	elsewhere := state.NewLayerARN("aws", tokyo, "999999999999", "common").Version(4)
	in.Regions[0].Have.Functions[0].Layers = []state.LayerVersionARN{other, elsewhere}
	in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{other: {Usable: true}, elsewhere: {Usable: true}}
	r := only(t, in)
	if len(r.Steps) != 1 || !r.Steps[0].New {
		t.Fatalf("steps are %+v", r.Steps)
	}
	want := []state.LayerVersionARN{other, elsewhere, common.Version(5)}
	if diff := cmp.Diff(want, plan.Fold(in.Regions[0].Have.Functions[0].Layers, r.Steps)); diff != "" {
		t.Error(diff)
	}
}

func TestPeer11_WeightedAndPublishedVersionsProtect(t *testing.T) {
	in := pruning()
	in.Regions[0].Have.Uses.Published = []state.Published{{Function: "g", Version: "7", Layers: []state.LayerVersionARN{common.Version(2)}}}
	r := only(t, in)
	if got := reasons(r)[2]; got != "used by g:7" {
		t.Errorf("version 2: %q", got)
	}
}

// pruning is a scene in which versions 1 to 3 are prunable but for what a test
// adds.
func pruning() Input {
	in := scene("1.4.0", 5, 5)
	in.Regions[0].Want.Layers[0].Retention = desired.Retention{Keep: 2, Grace: 24 * time.Hour}
	in.Regions[0].Have.Policies = map[state.LayerVersionARN]state.Policy{}
	candidates := map[int64]time.Time{}
	for n := int64(1); n <= 5; n++ {
		in.Regions[0].Have.Policies[common.Version(n)] = state.Policy{}
		candidates[n] = noon.Add(-25 * time.Hour)
	}
	in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{common: {Candidates: candidates, Applied: []int64{5}}}
	return in
}

func reasons(r plan.Region) map[int64]string {
	out := map[int64]string{}
	for _, k := range r.Kept {
		out[k.Version] = k.Reason
	}
	return out
}

func pruned(r plan.Region) []int64 {
	var out []int64
	for _, s := range r.Steps {
		if s.Kind == plan.KindPrune && s.Held == nil {
			out = append(out, s.From.Number())
		}
	}
	return out
}

func TestRetention(t *testing.T) {
	for _, tc := range []struct {
		name   string
		edit   func(*Input)
		pruned []int64
		kept   map[int64]string // parts of reasons
	}{
		{"nothing protects 1 to 3", func(*Input) {}, []int64{1, 2, 3}, map[int64]string{5: "newest version", 4: "newest 2"}},
		{"no rule", func(in *Input) { in.Regions[0].Want.Layers[0].Retention = desired.Retention{} }, nil, nil},
		{"age", func(in *Input) { in.Regions[0].Want.Layers[0].Retention.OlderThan = 70 * 24 * time.Hour }, []int64{1, 2}, map[int64]string{3: "younger than 70 days"}},
		{"a candidate for less than the grace", func(in *Input) { delete(in.Regions[0].Past.Layers[common].Candidates, 2) }, []int64{1, 3}, nil},
		{"used", func(in *Input) {
			in.Regions[0].Have.Functions = append(in.Regions[0].Have.Functions, state.Function{Name: "g", Layers: []state.LayerVersionARN{common.Version(2)}})
			in.Regions[0].Want.Layers[0].Functions[0].Name = "f"
		}, []int64{1, 3}, map[int64]string{2: "used by g"}},
		{"shared", func(in *Input) {
			in.Regions[0].Have.Policies[common.Version(1)] = state.Policy{Principals: []string{"210987654321"}}
		}, []int64{2, 3}, map[int64]string{1: "shared with 210987654321"}},
		{"shared with whom is unknown", func(in *Input) { delete(in.Regions[0].Have.Policies, common.Version(1)) }, []int64{2, 3}, map[int64]string{1: "not read yet"}},
		{"who uses it is unknown", func(in *Input) { in.Regions[0].Have.Uses = nil }, nil, map[int64]string{1: "not read yet", 2: "not read yet", 3: "not read yet"}},
		{"the last three applied", func(in *Input) {
			p := in.Regions[0].Past.Layers[common]
			p.Applied = []int64{1, 2, 3, 5}
			in.Regions[0].Past.Layers[common] = p
		}, []int64{1}, map[int64]string{2: "rolling back", 3: "rolling back"}},
		{"what a function had before", func(in *Input) {
			in.Regions[0].Past.Functions["f"] = plan.FunctionPast{Applied: map[state.LayerARN]int64{common: 5}, Original: map[state.LayerARN]int64{common: 1}}
		}, []int64{2, 3}, map[int64]string{1: "what f had before layerd"}},
		{"what a function had before the rollout", func(in *Input) {
			in.Regions[0].Rollout = &rollout.Rollout{ID: "r", Stage: rollout.StageBake, Wave: 1, Waves: 1, Total: 1, Targets: []rollout.Target{{Layer: common, Number: 5}}, Since: noon}
			in.Regions[0].Changed = []rollout.Changed{{Function: "f", Wave: 1, Before: []state.LayerVersionARN{common.Version(2)}, After: []state.LayerVersionARN{common.Version(5)}}}
		}, []int64{1, 3}, map[int64]string{2: "what f had before the rollout"}},
		{"what was well here last", func(in *Input) {
			p := in.Regions[0].Past.Layers[common]
			p.Proven = 3
			in.Regions[0].Past.Layers[common] = p
		}, []int64{1, 2}, map[int64]string{3: "going back means it"}},
		{"what a person went back to", func(in *Input) {
			in.Quarantines = []ruling.Quarantine{{Region: tokyo, Layer: common, Number: 4, RevertTo: 1, ByPerson: true, By: "sato", At: noon}}
		}, []int64{2, 3}, map[int64]string{1: "rolled back to by sato"}},
		{"what a person went back to in another Region", func(in *Input) {
			in.Quarantines = []ruling.Quarantine{{Region: "us-east-1", Layer: common, Number: 4, RevertTo: 1, ByPerson: true, By: "sato", At: noon}}
		}, []int64{1, 2, 3}, nil},
		{"pinned", func(in *Input) {
			in.Regions[0].Want.Layers[0].Pins = []desired.Pin{{Functions: []desired.Selector{{Name: "nobody"}}, Version: mustVersion("2")}}
		}, []int64{1, 3}, map[int64]string{2: "pinned in prod"}},
		{"another environment names it", func(in *Input) {
			other := in.Regions[0].Want
			other.Name = "staging"
			w := in.Regions[0].Want.Layers[0]
			w.Owned, w.Version, w.Functions = false, mustVersion("3"), nil
			other.Layers = []desired.LayerWish{w}
			in.Others = []Other{{Want: other}}
		}, []int64{1, 2}, map[int64]string{3: "wanted by staging"}},
		{"an invalid file anywhere", func(in *Input) { in.PruneStop = "environments/dev.yaml is invalid" }, nil, map[int64]string{1: "dev.yaml is invalid"}},
		{"a version that cannot be found", func(in *Input) { in.Regions[0].Want.Layers[0].Version = mustVersion("9.9.9") }, nil, map[int64]string{1: "cannot be found"}},
		{"stale Git", func(in *Input) { in.Stale = "Git was not read for 20m" }, nil, nil},
		{"observe", func(in *Input) { in.Regions[0].Want.Observe = true }, nil, nil},
		{"twenty a day", func(in *Input) {
			for range 18 {
				in.Regions[0].Past.Pruned = append(in.Regions[0].Past.Pruned, noon.Add(-time.Hour))
			}
		}, []int64{1, 2}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := pruning()
			tc.edit(&in)
			r := only(t, in)
			if diff := cmp.Diff(tc.pruned, pruned(r)); diff != "" {
				t.Errorf("pruned: %s", diff)
			}
			got := reasons(r)
			for n, part := range tc.kept {
				if !strings.Contains(got[n], part) {
					t.Errorf("version %d is kept because %q, want %q", n, got[n], part)
				}
			}
		})
	}
}

func saturday(t *testing.T) window.Calendar {
	t.Helper()
	zone, err := window.LoadZone("JST")
	if err != nil {
		t.Fatal(err)
	}
	w, err := window.Parse("Saturday 02:00-06:00 JST", zone)
	if err != nil {
		t.Fatal(err)
	}
	return window.Calendar{Windows: []window.Window{w}, Zone: zone}
}

// TestWhoMayPassWhat is the table of DESIGN section 2 for this release's steps.
func TestWhoMayPassWhat(t *testing.T) {
	open := time.Date(2026, 11, 27, 17, 0, 0, 0, time.UTC) // Saturday 02:00 in Tokyo
	for _, tc := range []struct {
		name string
		in   func() Input
		want string // holders; empty = runs
	}{
		{"change", func() Input { return scene("1.4.0", 4, 4) }, "approval window"},
		{"heal", func() Input { return scene("1.3.0", 3, 4) }, "window"},
		{"Git going back to what was applied here once", func() Input {
			in := scene("1.2.0", 4, 4)
			in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{common: {Applied: []int64{3, 4}}}
			return in
		}, "window"},
		{"Git going back to what never was applied here", func() Input { return scene("1.2.0", 4, 4) }, "approval window"},
		{"observe", func() Input {
			in := scene("1.3.0", 3, 4)
			in.Regions[0].Want.Observe = true
			return in
		}, "mode window"},
		{"stale Git holds a change", func() Input {
			in := scene("1.4.0", 4, 4)
			in.Stale = "Git was not read for 20m"
			return in
		}, "desired approval window"},
		{"stale Git does not hold a heal", func() Input {
			in := scene("1.3.0", 3, 4)
			in.Stale = "Git was not read for 20m"
			return in
		}, "window"},
		{"freeze and window", func() Input {
			in := scene("1.3.0", 3, 4)
			f, err := window.ParseFreeze("2026-11-20", "2026-11-26", "", time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			in.Regions[0].Want.Calendar.Freezes = []window.Freeze{f}
			return in
		}, "freeze window"},
		{"new functions", func() Input {
			in := scene("1.4.0", 0, unknown)
			in.Regions[0].Want.MaxNew = 0
			return in
		}, "approval window limit"},
		{"drift that is to be seen for a while", func() Input {
			in := scene("1.3.0", 3, 4)
			in.Regions[0].Want.Drift.After = time.Hour
			return in
		}, "window grace"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := tc.in()
			in.Regions[0].Want.ApprovalRequired = true
			freezes := in.Regions[0].Want.Calendar.Freezes
			in.Regions[0].Want.Calendar = saturday(t)
			in.Regions[0].Want.Calendar.Freezes = freezes
			s := only(t, in).Steps[0]
			if got := heldBy(s); got != tc.want {
				t.Errorf("held by %q, want %q", got, tc.want)
			}
			if s.Held != nil && !s.Held.Until.Equal(open) {
				t.Errorf("until %s, want %s", s.Held.Until, open)
			}
		})
	}
}

func heldBy(s plan.Step) string {
	var by []string
	for _, h := range s.Held.All() {
		by = append(by, string(h.By))
	}
	return strings.Join(by, " ")
}

func TestApprovalReleasesExactlyItsSteps(t *testing.T) {
	in := scene("1.4.0", 4, 4)
	in.Regions[0].Want.ApprovalRequired = true
	before := Decide(in)
	in.Approvals = []ruling.Approval{{Environment: "prod", Digest: before.Digest, By: "sato", At: noon.Add(-time.Hour)}}
	if s := only(t, in).Steps[0]; s.Held != nil {
		t.Fatalf("the approved step is held: %+v", s.Held)
	}
	// A function that appears later needs its own.
	in.Approvals[0].Scope = before.Lines
	in.Regions[0].Have.Functions = append(in.Regions[0].Have.Functions, state.Function{Name: "g", Runtime: "python3.12", Architecture: "x86_64", Layers: []state.LayerVersionARN{common.Version(4)}})
	in.Regions[0].Past.Functions["g"] = plan.FunctionPast{Applied: map[state.LayerARN]int64{common: 4}}
	steps := only(t, in).Steps
	if len(steps) != 2 || heldBy(steps[0]) != "" || heldBy(steps[1]) != "approval" {
		t.Errorf("got %q and %q", heldBy(steps[0]), heldBy(steps[1]))
	}
	// An expired one releases nothing and says so.
	in.Approvals[0].At = noon.AddDate(0, 0, -8)
	if s := only(t, in).Steps[0]; heldBy(s) != "approval" {
		t.Errorf("an expired approval releases: %+v", s)
	}
}

func TestPruneNeedsAnApprovalThatSawIt(t *testing.T) {
	in := pruning()
	in.Regions[0].Want.ApprovalRequired = true
	if got := pruned(only(t, in)); got != nil {
		t.Fatalf("pruned %v without an approval", got)
	}
	digest := Decide(in).Digest
	in.Approvals = []ruling.Approval{{Environment: "prod", Digest: digest, At: noon.Add(-26 * time.Hour)}}
	if got := pruned(only(t, in)); got != nil {
		t.Fatalf("pruned %v by an approval older than the candidates", got)
	}
	in.Approvals[0].At = noon.Add(-time.Hour)
	if got := pruned(only(t, in)); len(got) != 3 {
		t.Errorf("pruned %v, want all three", got)
	}
}

func TestSelectionThatShrinksWaits(t *testing.T) {
	in := scene("1.4.0", 4, 4)
	in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{common: {Selected: 3}}
	r := only(t, in)
	if heldBy(r.Steps[0]) != "limit" || len(r.Learned.Selected) != 0 {
		t.Errorf("held by %q, learned %v", heldBy(r.Steps[0]), r.Learned.Selected)
	}
	in.Approvals = []ruling.Approval{{Digest: Decide(in).Digest, At: noon}}
	if r := only(t, in); heldBy(r.Steps[0]) != "" || len(r.Learned.Selected) != 1 {
		t.Errorf("approved: held by %q, learned %v", heldBy(r.Steps[0]), r.Learned.Selected)
	}
}

func TestAliasesLeftBehindAreNamed(t *testing.T) {
	in := scene("1.4.0", 4, 4)
	in.Regions[0].Have.Uses = &state.Uses{
		Versioned: []string{"f"},
		Published: []state.Published{{Function: "f", Version: "3", Layers: []state.LayerVersionARN{common.Version(2)}}},
	}
	if r := only(t, in); !slices.Equal(r.Needs.Aliases, []string{"f"}) {
		t.Fatalf("needs %+v", r.Needs)
	}
	in.Regions[0].Have.Aliases = map[string][]state.Alias{"f": {{Name: "live", Version: "3"}, {Name: "test", Version: "$LATEST"}}}
	want := []plan.Behind{{Function: "f", Alias: "live", Version: "3", Layer: "common", Serves: common.Version(2), Latest: common.Version(5)}}
	if diff := cmp.Diff(want, only(t, in).Behind); diff != "" {
		t.Error(diff)
	}
}

func TestExtraAndOrderAreToldAndNotHealed(t *testing.T) {
	in := scene("1.3.0", 4, 4)
	f := &in.Regions[0].Have.Functions[0]
	f.Layers = []state.LayerVersionARN{foreignLayer.Version(1), common.Version(4)}
	in.Regions[0].Past.Functions["f"] = plan.FunctionPast{
		Applied: map[state.LayerARN]int64{common: 4},
		List:    []state.LayerVersionARN{common.Version(4), foreignLayer.Version(1)},
	}
	r := only(t, in)
	var kinds []string
	for _, d := range r.Drift {
		kinds = append(kinds, d.Kind)
	}
	slices.Sort(kinds)
	if !slices.Equal(kinds, []string{plan.DriftExtra, plan.DriftOrder}) || len(r.Steps) != 0 || !r.InSync {
		t.Errorf("drift %v, steps %v, in sync %v", kinds, r.Steps, r.InSync)
	}
	in.Regions[0].Want.Unmanaged = []string{string(foreignLayer)}
	if r := only(t, in); len(r.Drift) != 1 || r.Drift[0].Kind != plan.DriftOrder {
		t.Errorf("an unmanaged layer is reported: %+v", r.Drift)
	}
}

func TestDriftKeepsItsFirstSighting(t *testing.T) {
	in := scene("1.3.0", 3, 4)
	since := noon.Add(-3 * time.Hour)
	fp := in.Regions[0].Past.Functions["f"]
	fp.Drift = map[state.LayerARN]plan.Sighting{common: {Have: common.Version(3), Since: since}}
	in.Regions[0].Past.Functions["f"] = fp
	d := only(t, in).Drift[0]
	if !d.Since.Equal(since) {
		t.Errorf("since %s, want %s", d.Since, since)
	}
	if d.WantVersion != "1.3.0" || d.HaveVersion != "1.2.0" {
		t.Errorf("want %q and have %q, not 1.3.0 and 1.2.0", d.WantVersion, d.HaveVersion)
	}
}

func TestMaxBlockedIsAFailureThatHoldsAll(t *testing.T) {
	in := scene("1.4.0", 4, 4)
	in.Regions[0].Have.Functions = append(in.Regions[0].Have.Functions, state.Function{Name: "image", Image: true})
	in.Regions[0].Want.MaxBlocked = new(int)
	r := only(t, in)
	if r.Failure == nil || r.Failure.Code != "max_blocked" || heldBy(r.Steps[0]) != "limit" {
		t.Errorf("failure %+v, held by %q", r.Failure, heldBy(r.Steps[0]))
	}
	in.Approvals = []ruling.Approval{{Digest: Decide(in).Digest, At: noon}}
	if r := only(t, in); heldBy(r.Steps[0]) != "limit" {
		t.Error("an approval of the plan lifts max_blocked")
	}
}

func TestUnreadRegionIsAFailureAndNothingElse(t *testing.T) {
	in := scene("1.4.0", 4, 4)
	in.Regions[0].Have, in.Regions[0].Unread = nil, &plan.Failure{Code: "aws_unreachable", Message: "no answer", Retryable: true}
	r := only(t, in)
	if r.Failure == nil || r.InSync || len(r.Steps) != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestAgainDecidesOneFunction(t *testing.T) {
	in := scene("1.4.0", 4, 4)
	fresh := in.Regions[0].Have.Functions[0]
	fresh.Layers = []state.LayerVersionARN{foreignLayer.Version(1), common.Version(4)}
	in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{foreignLayer.Version(1): {Usable: true}}
	steps := Redecide(in, 0, fresh)
	if len(steps) != 1 || !slices.Equal(steps[0].List, fresh.Layers) {
		t.Fatalf("got %+v", steps)
	}
	fresh.Layers = []state.LayerVersionARN{common.Version(5)}
	if steps := Redecide(in, 0, fresh); len(steps) != 0 {
		t.Errorf("a function that has what is wanted gets %+v", steps)
	}
	if steps := Redecide(in, 0, state.Function{Name: "gone"}); len(steps) != 0 {
		t.Errorf("an unknown function gets %+v", steps)
	}
}

func TestDocumentListsAreNeverNull(t *testing.T) {
	d := plan.NewDocument("none", "", nil, nil)
	if d.Environments == nil || d.Problems == nil {
		t.Error("a list is null")
	}
	v := plan.NewDocument("none", "", []plan.Plan{{Regions: []plan.Region{{Steps: []plan.Step{{Held: &plan.Held{By: plan.ByWindow}}}}}}}, nil).Environments[0]
	if v.Rollout != nil || v.Waves == nil || v.LeftAlone == nil {
		t.Errorf("a list is null, or a rollout is made up: %+v", v)
	}
	if v.Steps == nil || v.Drift == nil || v.Blocked == nil || v.Kept == nil || v.Aliases == nil || v.Notes == nil || v.Steps[0].Held.Also == nil {
		t.Errorf("a list is null: %+v", v)
	}
}

// BenchmarkDecide100000 decides about a fleet with nothing to do. DESIGN section 7
// allows two sorts of its names.
func BenchmarkDecide100000(b *testing.B) {
	in := scene("1.4.0", 5, 5)
	in.Regions[0].Want.Layers[0].Functions[0].Name = "makoto-*-prod"
	in.Regions[0].Want.Unmanaged = []string{string(foreignLayer)}
	large(&in, "makoto-%06d-prod", common.Version(5), foreignLayer.Version(1))
	againstSorting(b, in, func(r plan.Region) bool { return r.InSync })
}

// BenchmarkDecide100000Pending: all functions are to be changed, in waves. The cost
// of spreading them is in it, and of why each waits: fifteen sorts and 150 MB.
func BenchmarkDecide100000Pending(b *testing.B) {
	in := scene("1.4.0", 4, 4)
	in.Regions[0].Want.Rollout = desired.Rollout{Bake: time.Hour, Waves: []desired.Wave{{Count: 1}, {Share: 0.1}, {Share: 1}}}
	in.Regions[0].Have.Signing = map[string]state.Signing{}
	in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{common.Version(5): {Usable: true, Size: 1}}
	large(&in, "makoto-%[2]03d-%06[1]d-prod", common.Version(4))
	againstSorting(b, in, func(r plan.Region) bool { return len(r.Steps) == 100_000 })
}

// BenchmarkDecide100000New: a selector reaches 100,000 functions without the layer, and
// max_new holds all of them: fifteen sorts and 150 MB as well.
func BenchmarkDecide100000New(b *testing.B) {
	in := scene("1.4.0", 4, 4)
	in.Regions[0].Want.Unmanaged = []string{string(foreignLayer)}
	in.Regions[0].Have.Signing = map[string]state.Signing{}
	in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{common.Version(5): {Usable: true, Size: 1}}
	large(&in, "makoto-%[2]03d-%06[1]d-prod", foreignLayer.Version(1))
	in.Regions[0].Past.Functions = nil
	againstSorting(b, in, func(r plan.Region) bool { return len(r.Steps) == 100_000 && len(r.Learned.Kept) == 100_000 })
}

// large replaces the functions of in by 100,000, whose past is what they have.
func large(in *Input, name string, layers ...state.LayerVersionARN) {
	r := &in.Regions[0]
	r.Have.Functions, r.Past.Functions = nil, map[string]plan.FunctionPast{}
	for i := range 100_000 {
		f := state.Function{Runtime: "python3.12", Architecture: "x86_64", Layers: layers}
		if f.Name = fmt.Sprintf(name, i); strings.Contains(name, "[2]") {
			f.Name = fmt.Sprintf(name, i, i%100)
		}
		r.Have.Functions = append(r.Have.Functions, f)
		r.Past.Functions[f.Name] = plan.FunctionPast{Applied: map[state.LayerARN]int64{common: layers[0].Number()}, List: f.Layers}
	}
	r.Have.Sort()
}

// againstSorting reports how many sorts of the shuffled names of its functions a
// decision takes: both are made in turn, so that a busy machine slows both.
func againstSorting(b *testing.B, in Input, whole func(plan.Region) bool) {
	names := make([]string, 0, len(in.Regions[0].Have.Functions))
	for _, f := range in.Regions[0].Have.Functions {
		names = append(names, f.Name)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	var sorting time.Duration
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		began := time.Now()
		slices.Sort(names)
		sorting += time.Since(began)
		b.StartTimer()
		if r := Decide(in).Regions[0]; !whole(r) {
			b.Fatalf("another plan than expected, with %d steps", len(r.Steps))
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(sorting), "sorts/op")
}

// TestNewFunctions: who may join at once what all the others have, and what
// still holds those who may.
func TestNewFunctions(t *testing.T) {
	saturday := mustWindow("Saturday 02:00-06:00 JST") // noon is a Tuesday
	freeze, err := window.ParseFreeze("2026-11-24", "2026-11-25", "", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	const opens, thaws = "2026-11-27T17:00:00Z", "2026-11-26T00:00:00Z"
	for _, tc := range []struct {
		name    string
		change  func(in *Input)
		applied []int64 // here, the last one last
		have    int64
		past    int64
		held    string // by whom, also by whom; empty: it runs
		until   string
	}{
		{"at the number applied last", nil, []int64{3, 4}, 0, unknown, "", ""},
		{"it had the layer once and was detached", nil, []int64{3, 4}, 0, 0, "", ""},
		{"at a number applied before the last one", nil, []int64{4, 3}, 0, unknown, "window", opens},
		{"at a number that nobody has", nil, []int64{3}, 0, unknown, "window", opens},
		{"of a layer that was never applied", nil, nil, 0, unknown, "window", opens},
		{"the default", func(in *Input) { in.Regions[0].Want.NewFunctionsNow = false }, []int64{4}, 0, unknown, "window", opens},
		{"a function that has another number", nil, []int64{4}, 3, unknown, "window", opens},
		{"a function that lost the layer", nil, []int64{4}, 0, 4, "window", opens}, // drift heals in a window
		{"pinned at another number", func(in *Input) {
			in.Regions[0].Want.Layers[0].Pins = []desired.Pin{{Functions: []desired.Selector{{Name: "f"}}, Version: mustVersion("3")}}
		}, []int64{4}, 0, unknown, "window", opens},
		{"shortly before the window ends", func(in *Input) {
			in.Regions[0].Want.Calendar.Windows, in.Regions[0].Want.Calendar.Cutoff = []window.Window{mustWindow("daily 11:00-12:30 UTC")}, time.Hour
		}, []int64{4}, 0, unknown, "", ""},
		{"in a freeze", func(in *Input) { in.Regions[0].Want.Calendar.Freezes = []window.Freeze{freeze} }, []int64{4}, 0, unknown, "freeze", thaws},
		{"in a freeze, by default", func(in *Input) {
			in.Regions[0].Want.NewFunctionsNow, in.Regions[0].Want.Calendar.Freezes = false, []window.Freeze{freeze}
		}, []int64{4}, 0, unknown, "freeze window", opens},
		{"without an approval", func(in *Input) { in.Regions[0].Want.ApprovalRequired = true }, []int64{4}, 0, unknown, "approval", ""},
		{"in mode observe", func(in *Input) { in.Regions[0].Want.Observe = true }, []int64{4}, 0, unknown, "mode", ""},
		{"while Git is stale", func(in *Input) { in.Stale = "Git was not read for 20m" }, []int64{4}, 0, unknown, "desired", ""},
		{"too many at once", func(in *Input) { in.Regions[0].Want.MaxNew = 0 }, []int64{4}, 0, unknown, "limit", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := scene("1.3.0", tc.have, tc.past)
			in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{common: {Applied: tc.applied}}
			in.Regions[0].Want.NewFunctionsNow = true
			in.Regions[0].Want.Calendar.Windows = []window.Window{saturday}
			if tc.change != nil {
				tc.change(&in)
			}
			r := only(t, in)
			if len(r.Steps) != 1 {
				t.Fatalf("steps %+v", r.Steps)
			}
			s := r.Steps[0]
			var by []string
			until := ""
			if h := s.Held; h != nil {
				for _, x := range h.All() {
					by = append(by, string(x.By))
				}
				if !h.Until.IsZero() {
					until = h.Until.UTC().Format(time.RFC3339)
				}
			}
			if got := strings.Join(by, " "); got != tc.held || until != tc.until {
				t.Errorf("held by %q until %q, want %q and %q", got, until, tc.held, tc.until)
			}
			if s.Held == nil && !strings.HasSuffix(s.Reason, "; new functions do not wait for the change window here") {
				t.Errorf("it runs outside the window and does not say why: %s", s.Reason)
			}
		})
	}
}

func mustWindow(text string) window.Window {
	w, err := window.Parse(text, time.UTC)
	if err != nil {
		panic(err)
	}
	return w
}

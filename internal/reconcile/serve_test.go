package reconcile

import (
	"fmt"
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
)

var live = state.Qualified{Function: "f", Qualifier: "live"}

// aliased is a scene in which f is served through the alias live, which serves
// version 3 with a number of common; 0 = without it.
func aliased(version string, have, past, serves int64) Input {
	in := scene(version, have, past)
	in.Regions[0].Want.Alias = "live"
	snap := in.Regions[0].Have
	f := &snap.Functions[0]
	f.CodeSHA256, f.Settings = "code", state.NewSettings(map[string]string{"memory": "128"})
	served := state.Served{Version: "3", CodeSHA256: f.CodeSHA256, Settings: f.Settings, State: "Active"}
	if serves > 0 {
		served.Layers = []state.LayerVersionARN{common.Version(serves)}
	}
	snap.Served = map[state.Qualified]state.Served{live: served}
	snap.Aliases = map[string][]state.Alias{"f": {{Name: "live", Version: "3"}}}
	snap.Signing = map[string]state.Signing{}
	snap.Uses = &state.Uses{Versioned: []string{"f"}, Published: []state.Published{{Function: "f", Version: "3", Layers: served.Layers}}}
	return in
}

// told is a plan in few words: kind cause from>to for each step, and for a
// serve step the version that the alias is moved to, + for a new one.
func told(r plan.Region) string {
	var list []string
	for _, s := range r.Steps {
		text := fmt.Sprintf("%s %s %d>%d", s.Kind, s.Cause, s.From.Number(), s.To.Number())
		if s.Kind == plan.KindServe {
			to := s.Serving.Version
			if to == "" {
				to = "+"
			}
			text = fmt.Sprintf("%s %s %s>%s", s.Kind, s.Cause, s.Serving.Served.Version, to)
		}
		if s.Held != nil {
			text += " held by " + string(s.Held.By)
		}
		list = append(list, text)
	}
	for _, b := range r.Blocked {
		list = append(list, "blocked: "+b.Reason)
	}
	return strings.Join(list, "; ")
}

func TestServing(t *testing.T) {
	for _, tc := range []struct {
		name               string
		want               string
		have, past, serves int64
		edit               func(*Input)
		told               string
		drift              string
	}{
		{"in sync", "1.3.0", 4, 4, 4, nil, "", ""},
		{"change", "1.4.0", 4, 4, 4, nil, "attach change 4>5; serve change 3>+", ""},
		{"$LATEST has it and callers do not, nothing is known", "1.3.0", 4, unknown, 3, nil, "serve change 3>+", ""},
		{"somebody attached it and Git followed", "1.3.0", 4, 3, 3, nil, "serve change 3>+", ""},
		{"it was applied, and the alias was moved back", "1.3.0", 4, 4, 3, nil, "serve drift 3>+", "alias_behind"},
		{"drift is only told", "1.3.0", 4, 4, 3, func(in *Input) { in.Regions[0].Want.Drift.Report = true }, "", "alias_behind"},
		{"drift heals once seen that long", "1.3.0", 4, 4, 3, func(in *Input) { in.Regions[0].Want.Drift.After = time.Hour }, "serve drift 3>+ held by grace", "alias_behind"},
		{"drift of both", "1.3.0", 3, 4, 3, nil, "attach drift 3>4; serve drift 3>+", "wrong_version"},
		{"$LATEST drifted and callers still get what was applied", "1.3.0", 3, 4, 4, nil, "attach drift 3>4", "wrong_version"},
		{"none", "none", 4, 4, 4, nil, "detach change 4>0; serve change 3>+", ""},
		{"no alias", "1.4.0", 4, 4, 4, func(in *Input) { in.Regions[0].Have.Served[live] = state.Served{} }, "attach change 4>5", ""},
		{"the alias is at $LATEST", "1.4.0", 4, 4, 4, func(in *Input) { in.Regions[0].Have.Served[live] = state.Served{Version: "$LATEST"} }, "attach change 4>5", ""},
		{"what it serves could not be read", "1.4.0", 4, 4, 4, func(in *Input) { in.Regions[0].Have.Served = nil }, "blocked: what live serves could not be read", ""},
		{"unreleased code", "1.4.0", 4, 4, 4, func(in *Input) { in.Regions[0].Have.Functions[0].CodeSHA256 = "newer" },
			"blocked: $LATEST has code that version 3, which live serves, does not: layerd releases nobody's unreleased work", ""},
		{"unreleased settings", "1.4.0", 4, 4, 4, func(in *Input) {
			in.Regions[0].Have.Functions[0].Settings = state.NewSettings(map[string]string{"memory": "512", "timeout": "3"})
		}, "blocked: $LATEST has settings (memory, timeout) that version 3, which live serves, does not: layerd releases nobody's unreleased work", ""},
		{"unreleased other layers", "1.4.0", 4, 4, 4, func(in *Input) {
			f := &in.Regions[0].Have.Functions[0]
			f.Layers = append(f.Layers, foreignLayer.Version(1))
		}, "blocked: $LATEST has other layers that version 3, which live serves, does not: layerd releases nobody's unreleased work", ""},
		{"unreleased code does not stop a heal that callers need not", "1.3.0", 3, 4, 4, func(in *Input) { in.Regions[0].Have.Functions[0].CodeSHA256 = "newer" },
			"attach drift 3>4", "wrong_version"},
		{"somebody runs a canary", "1.4.0", 4, 4, 4, func(in *Input) {
			in.Regions[0].Have.Aliases["f"][0].Weights = map[string]float64{"9": 0.1}
		}, "blocked: live gives 10 % of its calls to version 9: somebody runs a canary", ""},
		{"our own canary", "1.4.0", 5, 5, 4, func(in *Input) {
			in.Regions[0].Have.Aliases["f"][0].Weights = map[string]float64{"9": 0.1}
			in.Regions[0].Changed = []rollout.Changed{{Function: "f", Wave: 1, Alias: "live", AliasBefore: "3", AliasAfter: "9", Canary: true}}
		}, "serve change 3>+", ""},
		{"own instances", "1.4.0", 4, 4, 4, func(in *Input) {
			in.Regions[0].Want.Alias, in.Regions[0].Have.Functions[0].Managed = "", true
			s := in.Regions[0].Have.Served[live]
			s.Version = state.LatestPublished
			in.Regions[0].Have.Served = map[state.Qualified]state.Served{{Function: "f", Qualifier: state.LatestPublished}: s}
		}, "attach change 4>5; serve change $LATEST.PUBLISHED>+", ""},
		{"own instances behind an alias", "1.4.0", 4, 4, 4, func(in *Input) { in.Regions[0].Have.Functions[0].Managed = true }, "attach change 4>5; serve change 3>+", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := aliased(tc.want, tc.have, tc.past, tc.serves)
			in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{foreignLayer.Version(1): {Usable: true}}
			if tc.edit != nil {
				tc.edit(&in)
			}
			r := only(t, in)
			if got := told(r); got != tc.told {
				t.Errorf("got %s\nwant %s", got, tc.told)
			}
			var drift []string
			for _, d := range r.Drift {
				if d.Kind != plan.DriftExtra {
					drift = append(drift, d.Kind)
				}
			}
			if got := strings.Join(drift, " "); got != tc.drift {
				t.Errorf("drift %q, want %q", got, tc.drift)
			}
			if inSync := tc.told == "" && tc.drift == ""; r.InSync != inSync {
				t.Errorf("in sync is %v", r.InSync)
			}
		})
	}
}

func TestNoAliasIsNoted(t *testing.T) {
	in := aliased("1.4.0", 4, 4, 4)
	in.Regions[0].Have.Served[live] = state.Served{}
	r := only(t, in)
	const want = "1 function has no alias live: the layer is attached to $LATEST only"
	if !slices.ContainsFunc(r.Notes, func(n plan.Note) bool { return n.Code == "no_alias" && n.Message == want }) {
		t.Errorf("notes are %+v", r.Notes)
	}
}

func TestServingAsksForWhatItNeeds(t *testing.T) {
	in := aliased("1.4.0", 4, 4, 4)
	in.Regions[0].Have.Served, in.Regions[0].Have.Aliases, in.Regions[0].Have.Signing = nil, nil, nil
	if n := only(t, in).Needs; !slices.Equal(n.Served, []state.Qualified{live}) || len(n.Aliases) != 0 || n.Signing {
		t.Errorf("at first it needs %+v", n)
	}
	in.Regions[0].Have.Served = aliased("1.4.0", 4, 4, 4).Regions[0].Have.Served
	if n := only(t, in).Needs; len(n.Served) != 0 || !slices.Equal(n.Aliases, []string{"f"}) || !n.Signing {
		t.Errorf("then it needs %+v", n)
	}
	in = aliased("1.3.0", 4, 4, 4)
	in.Regions[0].Have.Aliases, in.Regions[0].Have.Signing = nil, nil
	if n := only(t, in).Needs; !n.Empty() {
		t.Errorf("where nothing is to be done it needs %+v", n)
	}
}

func TestServeLine(t *testing.T) {
	p := Decide(aliased("1.4.0", 4, 4, 4))
	want := []string{
		"ap-northeast-1 attach " + string(common) + " f 5",
		"ap-northeast-1 serve  f live",
	}
	if !slices.Equal(p.Lines, want) {
		t.Errorf("lines are %q", p.Lines)
	}
}

// Where all that changes $LATEST is held there is nothing new to serve.
func TestServeWaitsForItsAttach(t *testing.T) {
	in := aliased("1.4.0", 4, 4, 4)
	in.Regions[0].Want.ApprovalRequired = true
	line := "ap-northeast-1 serve  f live"
	in.Approvals = []ruling.Approval{{Environment: "prod", Digest: "x", By: "sato", At: noon, Scope: []string{line}}}
	if got := told(only(t, in)); got != "attach change 4>5 held by approval; serve change 3>+ held by approval" {
		t.Error(got)
	}
}

// What a quarantine holds of one layer does not keep back what was begun with
// another; but what is on $LATEST and to be put right is not given to callers.
func TestServeGoesOnBesideWhatIsHeld(t *testing.T) {
	in := withML(aliased("1.4.0", 4, 4, 4), "2", 2, 1)
	in.Quarantines = []ruling.Quarantine{{Region: tokyo, Layer: common, Number: 5, Reason: "bad"}}
	if got := told(only(t, in)); got != "attach change 4>5 held by quarantine; serve change 3>+" {
		t.Error(got)
	}
	in = withML(aliased("1.3.0", 3, 4, 4), "2", 2, 1)
	in.Regions[0].Want.Drift.After = time.Hour
	if got := told(only(t, in)); got != "attach drift 3>4 held by grace; serve change 3>+ held by grace" {
		t.Error(got)
	}
}

// ml is a second layer with versions 1 and 2, wanted on f at a number.
func withML(in Input, version string, have, past int64) Input {
	ml := arnOf("ml")
	in.Regions[0].Have.Layers = append(in.Regions[0].Have.Layers, state.Layer{ARN: ml, Versions: []state.LayerVersion{{Number: 2}, {Number: 1}}})
	in.Regions[0].Have.Sort()
	if have > 0 {
		f := &in.Regions[0].Have.Functions[0]
		f.Layers = append(f.Layers, ml.Version(have))
	}
	if past >= 0 {
		in.Regions[0].Past.Functions["f"].Applied[ml] = past
	}
	w := in.Regions[0].Want.Layers[0]
	w.Name, w.Layer, w.Version = "ml", ml, mustVersion(version)
	in.Regions[0].Want.Layers = append(in.Regions[0].Want.Layers, w)
	return in
}

// What Git brings back needs no approval, and must not take along to callers
// what was put on $LATEST and never approved.
func TestServeIsNoWayAroundAnApproval(t *testing.T) {
	in := withML(aliased("1.2.0", 4, 4, 4), "2", 2, 1)
	in.Regions[0].Want.ApprovalRequired = true
	in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{common: {Applied: []int64{3, 4}}}
	if got := told(only(t, in)); got != "rollback change 4>3; serve change 3>+ held by approval" {
		t.Error(got)
	}
	in = aliased("1.2.0", 4, 4, 4)
	in.Regions[0].Want.ApprovalRequired = true
	in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{common: {Applied: []int64{3, 4}}}
	if got := told(only(t, in)); got != "rollback change 4>3; serve change 3>+" {
		t.Error(got)
	}
}

// A new function need not wait for the window, and must not take along to
// callers what has to.
func TestServeIsNoWayAroundTheWindow(t *testing.T) {
	in := withML(aliased("1.3.0", 0, unknown, 0), "2", 2, unknown)
	in.Regions[0].Want.NewFunctionsNow, in.Regions[0].Want.Calendar = true, saturday(t)
	in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{common: {Applied: []int64{4}}}
	if got := told(only(t, in)); got != "attach change 0>4; serve change 3>+ held by window" {
		t.Error(got)
	}
}

// A selection that shrank holds also what only moves the alias.
func TestServeWaitsForAShrunkSelection(t *testing.T) {
	in := withML(aliased("1.3.0", 4, 3, 3), "2", 2, 1)
	in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{common: {Selected: 9}}
	if got := told(only(t, in)); got != "serve change 3>+ held by limit" {
		t.Error(got)
	}
}

// Going back by hand moves the alias to a version that was published before,
// when one has exactly what callers are to get.
func TestGoingBackByHandFindsAnEarlierVersion(t *testing.T) {
	scene := func() Input {
		in := aliased("1.4.0", 5, 5, 5)
		in.Quarantines = []ruling.Quarantine{{Environment: "prod", Region: tokyo, Layer: common, Number: 5, RevertTo: 4, ByPerson: true, By: "sato", Reason: "it leaks"}}
		in.Regions[0].Have.Uses.Published = []state.Published{
			{Function: "e", Version: "1", Layers: []state.LayerVersionARN{common.Version(4)}},
			{Function: "f", Version: "1", Layers: []state.LayerVersionARN{common.Version(4)}},
			{Function: "f", Version: "2", Layers: []state.LayerVersionARN{common.Version(4)}},
			{Function: "f", Version: "3", Layers: []state.LayerVersionARN{common.Version(5)}},
		}
		was := in.Regions[0].Have.Served[live]
		was.Version, was.Layers = "2", []state.LayerVersionARN{common.Version(4)}
		in.Regions[0].Have.Served[state.Qualified{Function: "f", Qualifier: "2"}] = was
		was.Version, was.CodeSHA256 = "1", "older"
		in.Regions[0].Have.Served[state.Qualified{Function: "f", Qualifier: "1"}] = was
		return in
	}
	for _, tc := range []struct {
		name string
		edit func(*Input)
		want string
	}{
		{"the newest that has it", func(*Input) {}, "rollback rollback 5>4; serve rollback 3>2"},
		{"also with unreleased code on $LATEST", func(in *Input) { in.Regions[0].Have.Functions[0].CodeSHA256 = "newer" }, "rollback rollback 5>4; serve rollback 3>2"},
		{"none has the code", func(in *Input) {
			for k, s := range in.Regions[0].Have.Served {
				if k != live {
					s.CodeSHA256 = "older"
					in.Regions[0].Have.Served[k] = s
				}
			}
		}, "rollback rollback 5>4; serve rollback 3>+"},
		{"other settings", func(in *Input) {
			k := state.Qualified{Function: "f", Qualifier: "2"}
			s := in.Regions[0].Have.Served[k]
			s.Settings = state.NewSettings(map[string]string{"memory": "1"})
			in.Regions[0].Have.Served[k] = s
		}, "rollback rollback 5>4; serve rollback 3>+"},
		{"other layers beside it", func(in *Input) {
			in.Regions[0].Have.Uses.Published[2].Layers = append(in.Regions[0].Have.Uses.Published[2].Layers, foreignLayer.Version(1))
		}, "rollback rollback 5>4; serve rollback 3>+"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := scene()
			tc.edit(&in)
			if got := told(only(t, in)); got != tc.want {
				t.Errorf("got %s\nwant %s", got, tc.want)
			}
		})
	}
	in := scene()
	for k := range in.Regions[0].Have.Served {
		if k != live {
			delete(in.Regions[0].Have.Served, k)
		}
	}
	want := []state.Qualified{{Function: "f", Qualifier: "1"}, {Function: "f", Qualifier: "2"}}
	if n := only(t, in).Needs; !slices.Equal(n.Served, want) {
		t.Errorf("needs %+v", n)
	}
}

// A step that is half done in a rollout is no drift: the attach was remembered,
// and the alias has only weights or was not reached.
func TestAnUnfinishedFunctionIsNoDrift(t *testing.T) {
	for _, c := range []rollout.Changed{
		{Function: "f", Wave: 1, Alias: "live", AliasBefore: "3", AliasAfter: "9", Canary: true},
		{Function: "f", Wave: 1, Alias: "live", AliasBefore: "3", Failed: true},
	} {
		in := aliased("1.4.0", 5, 5, 4)
		in.Regions[0].Changed = []rollout.Changed{c}
		if c.Canary {
			in.Regions[0].Have.Aliases["f"][0].Weights = map[string]float64{"9": 0.1}
		}
		in.Regions[0].Want.Rollout.Canary = &desired.Canary{Weight: 0.1, Bake: time.Hour}
		if c.Canary { // as the record says, and nobody has taken the share away since
			in.Regions[0].Have.Aliases["f"][0].Weights = map[string]float64{"9": 0.1}
		}
		in.Regions[0].Rollout = &rollout.Rollout{ID: "1", Stage: rollout.StageCanaryBake, Wave: 1, Waves: 1, Since: noon, Targets: []rollout.Target{{Layer: common, Number: 5}}}
		r := only(t, in)
		if got := told(r); got != "serve change 3>+ held by wave" || len(r.Drift) > 0 {
			t.Errorf("%+v: %s and drift %+v", c, got, r.Drift)
		}
	}
}

// A function whose alias is gone in the middle of a canary is blocked as a whole: its
// other layers are of the same commit, and would be in front of its callers at once.
func TestALostAliasBlocksAllLayers(t *testing.T) {
	for _, other := range []int64{1, 2, 0} {
		in := aliased("1.4.0", 5, 5, 4)
		r := &in.Regions[0]
		r.Changed = []rollout.Changed{{Function: "f", Wave: 1, Alias: "live", AliasBefore: "3", AliasAfter: "9", Canary: true}}
		r.Want.Rollout.Canary = &desired.Canary{Weight: 0.1, Bake: time.Hour}
		r.Rollout = &rollout.Rollout{ID: "1", Stage: rollout.StageCanaryBake, Wave: 1, Waves: 1, Since: noon, Targets: []rollout.Target{{Layer: common, Number: 5}}}
		r.Have.Served[live], r.Have.Aliases["f"] = state.Served{}, nil
		r.Want.Layers = append(r.Want.Layers, desired.LayerWish{Name: "other", Layer: foreignLayer, Version: mustVersion("2"), Functions: r.Want.Layers[0].Functions})
		r.Have.Probes = map[state.LayerVersionARN]state.Probe{foreignLayer.Version(2): {Usable: true, Size: 1}}
		if other > 0 {
			r.Have.Functions[0].Layers = append(r.Have.Functions[0].Layers, foreignLayer.Version(other))
		}
		if got := only(t, in); len(got.Steps) > 0 || len(got.Blocked) != 1 || !strings.Contains(got.Blocked[0].Reason, "its alias live is gone") {
			t.Errorf("with the other at %d: %s", other, told(got))
		}
	}
}

func TestDocumentOfARollout(t *testing.T) {
	in := aliased("1.4.0", 4, 4, 4)
	in.Regions[0].Want.Rollout.Bake = 10 * time.Minute
	in.Regions[0].Rollout = &rollout.Rollout{
		ID: "7", Revision: "abc", Stage: rollout.StageBake, Wave: 1, Waves: 2, Since: noon, Reason: "why", Targets: []rollout.Target{{Layer: common, Number: 5}},
	}
	v := plan.NewDocument("store", "abc", []plan.Plan{Decide(in)}, nil).Environments[0]
	want := &plan.RolloutView{
		ID: "7", Revision: "abc", Stage: "bake", Wave: 1, Waves: 2, Since: "2026-11-24T12:00:00Z", JudgedAt: "2026-11-24T12:10:00Z",
		Reason: "why", Findings: []string{},
	}
	if diff := cmp.Diff(want, v.Rollout); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]plan.WaveView{{Wave: 1, Functions: 1}}, v.Waves); diff != "" {
		t.Error(diff)
	}
	if s := v.Steps[1]; s.Kind != plan.KindServe || s.From != "3" || s.To != "live" {
		t.Errorf("the serve step is from %q to %q", s.From, s.To)
	}
	failing, _ := failing()
	failing.Regions[0].Have.Functions[0].Layers = nil
	v = plan.NewDocument("store", "abc", []plan.Plan{Decide(failing)}, nil).Environments[0]
	if !slices.Equal(v.LeftAlone, []string{"f"}) {
		t.Errorf("left alone %q", v.LeftAlone)
	}
}

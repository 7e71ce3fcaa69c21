package reconcile

import (
	"slices"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
)

// failing is a scene in which f got 5 by a rollout that goes back: it had 4,
// and live served version 2 and serves 3.
func failing() (Input, *rollout.Changed) {
	in := aliased("1.4.0", 5, 5, 5)
	in.Regions[0].Rollout = &rollout.Rollout{ID: "1", Stage: rollout.StageRollingBack, Wave: 1, Waves: 1, Reason: "too many errors", Targets: []rollout.Target{{Layer: common, Name: "common", Number: 5}}}
	in.Regions[0].Changed = []rollout.Changed{{
		Function: "f", Wave: 1, Before: []state.LayerVersionARN{common.Version(4)}, After: []state.LayerVersionARN{common.Version(5)},
		Alias: "live", AliasBefore: "2", AliasAfter: "3",
	}}
	return in, &in.Regions[0].Changed[0]
}

// Own instances run what was published last, whatever $LATEST has: going back
// publishes once more, until they run what the function had.
func TestGoingBackOnOwnInstances(t *testing.T) {
	for name, tc := range map[string]struct {
		latest, runs int64
		want         []plan.Kind
	}{
		"both":          {5, 5, []plan.Kind{plan.KindRollback, plan.KindServe}},
		"list is back":  {4, 5, []plan.Kind{plan.KindServe}},
		"all is back":   {4, 4, nil},
		"not published": {5, 4, []plan.Kind{plan.KindRollback}},
	} {
		in, c := failing()
		c.Alias, c.AliasBefore, c.AliasAfter = state.LatestPublished, state.LatestPublished, state.LatestPublished
		in.Regions[0].Want.Alias = ""
		f := &in.Regions[0].Have.Functions[0]
		f.Managed, f.Layers = true, []state.LayerVersionARN{common.Version(tc.latest)}
		in.Regions[0].Have.Served = map[state.Qualified]state.Served{{Function: "f", Qualifier: state.LatestPublished}: {
			Version: state.LatestPublished, Layers: []state.LayerVersionARN{common.Version(tc.runs)}, CodeSHA256: f.CodeSHA256, Settings: f.Settings, State: "Active",
		}}
		var got []plan.Kind
		for _, s := range only(t, in).Steps {
			if s.Cause != plan.CauseRollback || s.Held != nil || s.Kind == plan.KindServe && s.Serving.Version != "" {
				t.Errorf("%s: %s is of cause %s, held %+v", name, s.ID, s.Cause, s.Held)
			}
			got = append(got, s.Kind)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestGoingBack(t *testing.T) {
	serves := func(in *Input, version string, weights map[string]float64) {
		s := in.Regions[0].Have.Served[live]
		s.Version = version
		in.Regions[0].Have.Served[live] = s
		in.Regions[0].Have.Aliases["f"] = []state.Alias{{Name: "live", Version: version, Weights: weights}}
	}
	has := func(in *Input, list ...state.LayerVersionARN) { in.Regions[0].Have.Functions[0].Layers = list }
	for _, tc := range []struct {
		name  string
		edit  func(*Input, *rollout.Changed)
		want  string
		alone bool
	}{
		{"the list and the alias", nil, "rollback rollback 5>4; serve rollback 3>2", false},
		{"it had none", func(_ *Input, c *rollout.Changed) { c.Before = nil }, "detach rollback 5>0; serve rollback 3>2", false},
		{"the list is back", func(in *Input, _ *rollout.Changed) { has(in, common.Version(4)) }, "serve rollback 3>2", false},
		{"the alias is back", func(in *Input, _ *rollout.Changed) { serves(in, "2", nil) }, "rollback rollback 5>4", false},
		{"all is back", func(in *Input, _ *rollout.Changed) { has(in, common.Version(4)); serves(in, "2", nil) }, "", false},
		{"a canary", func(in *Input, c *rollout.Changed) {
			serves(in, "2", map[string]float64{"3": 0.1})
			c.Canary = true
		}, "rollback rollback 5>4; serve rollback 2>2", false},
		{"a canary of one that took over", func(in *Input, c *rollout.Changed) {
			serves(in, "9", map[string]float64{"3": 0.1})
			c.Canary, c.AliasServes = true, "9"
		}, "rollback rollback 5>4; serve rollback 9>2", false},
		{"it was not served", func(_ *Input, c *rollout.Changed) { c.Alias, c.AliasBefore, c.AliasAfter = "", "", "" }, "rollback rollback 5>4", false},
		{"the alias was not moved", func(in *Input, c *rollout.Changed) { serves(in, "2", nil); c.AliasAfter, c.Failed = "", true }, "rollback rollback 5>4", false},
		{"unreleased code is left where it is", func(in *Input, _ *rollout.Changed) { in.Regions[0].Have.Functions[0].CodeSHA256 = "newer" }, "rollback rollback 5>4; serve rollback 3>2", false},
		{"somebody set another version", func(in *Input, _ *rollout.Changed) { has(in, common.Version(3)) }, "", true},
		{"somebody put a layer beside it", func(in *Input, _ *rollout.Changed) { has(in, common.Version(5), foreignLayer.Version(1)) }, "", true},
		{"somebody put a layer beside it before the second rollout", func(in *Input, c *rollout.Changed) {
			c.After = []state.LayerVersionARN{common.Version(5), foreignLayer.Version(1)}
			has(in, c.After...)
		}, "", true},
		{"somebody moved the alias", func(in *Input, _ *rollout.Changed) { serves(in, "9", nil) }, "", true},
		{"somebody runs a canary", func(in *Input, _ *rollout.Changed) { serves(in, "3", map[string]float64{"9": 0.1}) }, "", true},
		{"the alias is gone", func(in *Input, _ *rollout.Changed) { in.Regions[0].Have.Served[live] = state.Served{} }, "", true},
		{"the function is gone", func(in *Input, _ *rollout.Changed) { in.Regions[0].Have.Functions = nil }, "", false},
		{"nothing holds it", func(in *Input, _ *rollout.Changed) {
			in.Regions[0].Want.Calendar, in.Regions[0].Want.Observe, in.Regions[0].Want.ApprovalRequired = saturday(t), true, true
			in.Stale, in.Regions[0].Unwell = "Git was not read for 20m", "an alarm rings"
		}, "rollback rollback 5>4; serve rollback 3>2", false},
		{"but that we may do nothing", func(in *Input, _ *rollout.Changed) { in.Unleased = "another layerd" }, "rollback rollback 5>4 held by lease; serve rollback 3>2 held by lease", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in, c := failing()
			if tc.edit != nil {
				tc.edit(&in, c)
			}
			r := only(t, in)
			if got := told(r); got != tc.want {
				t.Errorf("got %s\nwant %s", got, tc.want)
			}
			if alone := slices.Equal(r.LeftAlone, []string{"f"}); alone != tc.alone {
				t.Errorf("left alone %q", r.LeftAlone)
			}
			if noted := slices.ContainsFunc(r.Notes, func(n plan.Note) bool { return n.Code == "left_alone" && strings.HasSuffix(n.Message, ": f") }); noted != tc.alone {
				t.Errorf("notes %+v", r.Notes)
			}
			for _, s := range r.Steps {
				if s.Kind != plan.KindServe && !slices.Equal(s.Whole, c.Before) {
					t.Errorf("%s restores %v", s.ID, s.Whole)
				}
			}
		})
	}
}

func TestGoingBackAsksFirst(t *testing.T) {
	in, _ := failing()
	in.Regions[0].Have.Served, in.Regions[0].Have.Aliases = nil, nil
	if n := only(t, in).Needs; !slices.Equal(n.Served, []state.Qualified{live}) {
		t.Errorf("needs %+v", n)
	}
	in, _ = failing()
	in.Regions[0].Have.Aliases = nil
	if n := only(t, in).Needs; !slices.Equal(n.Aliases, []string{"f"}) {
		t.Errorf("needs %+v", n)
	}
}

// The whole list is told to be none, which is not the same as nothing said.
func TestGoingBackToNoneIsSaid(t *testing.T) {
	in, c := failing()
	c.Before = nil
	if s := only(t, in).Steps[0]; s.Whole == nil || len(s.Whole) != 0 {
		t.Errorf("whole is %#v", s.Whole)
	}
}

// A return that seemed to fail and did not is remembered, so that it is not
// healed as drift.
func TestWhatIsBackIsRemembered(t *testing.T) {
	in, _ := failing()
	in.Regions[0].Have.Functions[0].Layers = []state.LayerVersionARN{common.Version(4)}
	in.Regions[0].Changed[0].Alias = ""
	r := only(t, in)
	if len(r.Steps) != 0 {
		t.Errorf("steps: %s", told(r))
	}
	want := plan.Adoption{Function: "f", Layer: common, Number: 4}
	if a := r.Learned.Adopted; len(a) != 1 || a[0].Number != want.Number || a[0].Function != "f" || a[0].Layer != common {
		t.Errorf("adopted %+v", a)
	}
}

func TestTheNewestWaveGoesBackFirst(t *testing.T) {
	in := under(t, fleet(6, desired.Wave{Count: 1}, desired.Wave{Count: 3}), rollout.StageRollingBack, 3)
	for i, f := range in.Regions[0].Have.Functions {
		in.set(f.Name, 5)
		in.Regions[0].Changed = append(in.Regions[0].Changed, rollout.Changed{
			Function: f.Name, Wave: 1 + i%3, Before: f.Layers, After: []state.LayerVersionARN{common.Version(5)},
		})
	}
	var waves []int
	for _, s := range only(t, in).Steps {
		waves = append(waves, s.Wave)
	}
	if !slices.Equal(waves, []int{3, 3, 2, 2, 1, 1}) {
		t.Errorf("waves are %v", waves)
	}
}

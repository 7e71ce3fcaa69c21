package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// fleet is a scene with n functions f00, f01, … that have 4 and are to get
// 1.4.0, in these waves.
func fleet(n int, waves ...desired.Wave) Input {
	in := scene("1.4.0", 4, 4)
	f := in.Regions[0].Have.Functions[0]
	in.Regions[0].Have.Functions, in.Regions[0].Past.Functions = nil, map[string]plan.FunctionPast{}
	for i := range n {
		f.Name = fmt.Sprintf("f%02d", i)
		in.Regions[0].Have.Functions = append(in.Regions[0].Have.Functions, f)
		in.Regions[0].Past.Functions[f.Name] = plan.FunctionPast{Applied: map[state.LayerARN]int64{common: 4}, List: f.Layers}
	}
	in.Regions[0].Want.Rollout.Waves = waves
	in.Regions[0].Have.Signing = map[string]state.Signing{}
	in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{common.Version(5): {Usable: true, Size: 1}}
	return in
}

// byWave returns the functions of a plan's waves that run, and the holders of the
// others.
func byWave(r plan.Region) string {
	var list []string
	for _, s := range r.Steps {
		list = append(list, fmt.Sprintf("%s %d %s", s.Function, s.Wave, heldBy(s)))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func runs(r plan.Region) int {
	n := 0
	for _, s := range r.Steps {
		if s.Held == nil {
			n++
		}
	}
	return n
}

func TestTheFirstWaveRunsAndTheOthersWait(t *testing.T) {
	in := fleet(10, desired.Wave{Count: 1}, desired.Wave{Share: 0.3}, desired.Wave{Share: 1})
	in.Regions[0].Want.Rollout.SmokeTests = []desired.SmokeTest{{Function: "f07"}}
	r := only(t, in)
	if want := []plan.Wave{{Wave: 1, Functions: 1}, {Wave: 2, Functions: 2}, {Wave: 3, Functions: 7}}; !slices.Equal(r.Waves, want) {
		t.Errorf("waves are %v", r.Waves)
	}
	for _, s := range r.Steps {
		if (s.Held == nil) != (s.Function == "f07") || s.Held != nil && heldBy(s) != "wave" {
			t.Errorf("%s of wave %d is held by %q", s.Function, s.Wave, heldBy(s))
		}
	}
}

// under begins the rollout of a plan and gives the input with it under way.
func under(t *testing.T, in Input, stage rollout.Stage, wave int) Input {
	t.Helper()
	ro := plan.Begins(only(t, in), nil, "1", "abcdef0123", noon)
	if ro == nil {
		t.Fatal("nothing begins")
	}
	ro.Stage, ro.Wave, ro.Reason = stage, wave, "f00 is bad"
	in.Regions[0].Rollout = ro
	return in
}

func TestWhatAStageHolds(t *testing.T) {
	for _, tc := range []struct {
		stage rollout.Stage
		wave  int
		edit  func(*Input)
		want  string // function wave holders; of four functions in waves of 1, 2, 4
	}{
		{rollout.StageChange, 1, nil, "f00 3 wave, f01 3 wave, f02 2 wave, f03 1 "},
		{rollout.StageChange, 2, nil, "f00 3 wave, f01 3 wave, f02 2 , f03 1 "},
		{rollout.StageBake, 2, nil, "f00 3 wave, f01 3 wave, f02 2 wave, f03 1 wave"},
		{rollout.StageHalted, 2, nil, "f00 3 health, f01 3 health, f02 2 health, f03 1 health"},
		{rollout.StageRollingBack, 2, nil, "f00 3 health, f01 3 health, f02 2 health, f03 1 health"},
		{rollout.StageChange, 2, func(in *Input) { in.Regions[0].Rollout.Targets[0].Number = 3 }, "f00 3 wave, f01 3 wave, f02 2 wave, f03 1 wave"},
		{rollout.StageChange, 2, func(in *Input) { in.Regions[0].Unwell = "an alarm rings" }, "f00 3 wave, f01 3 wave, f02 2 , f03 1 "},
		{rollout.StageWatching, 3, nil, "f00 3 wave, f01 3 wave, f02 2 wave, f03 1 "}, // the next rollout
	} {
		in := fleet(4, desired.Wave{Count: 1}, desired.Wave{Count: 2}, desired.Wave{Share: 1})
		in = under(t, in, tc.stage, tc.wave)
		if tc.edit != nil {
			tc.edit(&in)
		}
		if got := byWave(only(t, in)); got != tc.want {
			t.Errorf("%s of wave %d: %s\nwant %s", tc.stage, tc.wave, got, tc.want)
		}
	}
}

func TestBakeTellsUntilWhen(t *testing.T) {
	in := fleet(2, desired.Wave{Count: 1})
	rate := 0.01
	in.Regions[0].Want.Rollout.Bake, in.Regions[0].Want.Rollout.MaxErrorRate = 10*time.Minute, &rate
	in = under(t, in, rollout.StageBake, 1)
	s := only(t, in).Steps[0]
	if want := noon.Add(13 * time.Minute); s.Held == nil || !s.Held.Until.Equal(want) {
		t.Errorf("held %+v, want until %s", s.Held, want)
	}
	if !strings.Contains(s.Held.Reason, "wave 1 of 2 is watched until Tue 12:13 UTC") {
		t.Errorf("reason %q", s.Held.Reason)
	}
}

// What was changed stays counted when a function comes that would have been
// taken before it.
func TestAComingFunctionDoesNotMakeAWaveLarger(t *testing.T) {
	in := under(t, fleet(20, desired.Wave{Count: 5}), rollout.StageChange, 1)
	in.Regions[0].Changed = nil
	for _, s := range only(t, in).Steps {
		if s.Held == nil {
			in.Regions[0].Changed = append(in.Regions[0].Changed, rollout.Changed{Function: s.Function, Wave: 1})
			in.set(s.Function, 5)
		}
	}
	for i := range 40 {
		f := state.Function{Runtime: "python3.12", Architecture: "x86_64", Layers: []state.LayerVersionARN{common.Version(4)}}
		f.Name = fmt.Sprintf("%c%02d", "abgz"[i%4], i) // on both sides of the others
		in.Regions[0].Have.Functions = append(in.Regions[0].Have.Functions, f)
		in.Regions[0].Past.Functions[f.Name] = plan.FunctionPast{Applied: map[state.LayerARN]int64{common: 4}}
	}
	in.Regions[0].Have.Sort()
	if r := only(t, in); runs(r) != 0 {
		t.Errorf("%d more are changed in the first wave: %s", runs(r), byWave(r))
	}
}

// set gives a function a number as layerd would.
func (in *Input) set(function string, n int64) {
	for i := range in.Regions[0].Have.Functions {
		if f := &in.Regions[0].Have.Functions[i]; f.Name == function {
			f.Layers = []state.LayerVersionARN{common.Version(n)}
			in.Regions[0].Past.Functions[function] = plan.FunctionPast{Applied: map[state.LayerARN]int64{common: n}, List: f.Layers}
		}
	}
}

// A function that waits for something of its own is not what the first wave is.
func TestNoWaveWaitsForWhatMayNotRun(t *testing.T) {
	waves := desired.Wave{Count: 1}
	alone := only(t, fleet(5, waves))
	first := alone.Steps[slices.IndexFunc(alone.Steps, func(s plan.Step) bool { return s.Held == nil })].Function
	for name, edit := range map[string]func(*Input){
		"quarantine": func(in *Input) {
			in.Quarantines = []ruling.Quarantine{{Region: tokyo, Layer: common, Number: 5, Functions: first, Reason: "bad"}}
		},
		"approval": func(in *Input) {
			in.Regions[0].Want.ApprovalRequired = true
			lines := slices.DeleteFunc(Decide(*in).Lines, func(l string) bool { return strings.Contains(l, " "+first+" ") })
			in.Approvals = []ruling.Approval{{Digest: "x", By: "sato", At: noon, Scope: lines}}
		},
		"limit": func(in *Input) {
			in.Regions[0].Want.MaxNew = 0
			f, _ := in.Regions[0].Have.Function(first)
			in.set(first, 4)
			in.Regions[0].Have.Functions[slices.IndexFunc(in.Regions[0].Have.Functions, func(o state.Function) bool { return o.Name == f.Name })].Layers = nil
			delete(in.Regions[0].Past.Functions, first)
		},
	} {
		in := fleet(5, waves)
		edit(&in)
		r := only(t, in)
		if runs(r) != 1 {
			t.Errorf("%s: %s", name, byWave(r))
		}
	}
}

func TestRegionsOneAfterTheOther(t *testing.T) {
	in := fleet(1)
	in.Regions = append(in.Regions, in.Regions[0], in.Regions[0])
	in.Regions[1].Want.Region, in.Regions[2].Want.Region = "us-east-1", "eu-west-1"
	by := func() string {
		var list []string
		for _, r := range Decide(in).Regions {
			for _, s := range r.Steps {
				list = append(list, fmt.Sprintf("%s %s", r.Want.Region, heldBy(s)))
			}
		}
		return strings.Join(list, ", ")
	}
	if got := by(); got != "ap-northeast-1 , us-east-1 order, eu-west-1 order" {
		t.Error(got)
	}
	in.Regions[0].Have = nil // not read
	in.Regions[0].Unread = &plan.Failure{Code: "aws"}
	if got := by(); got != "us-east-1 order, eu-west-1 order" {
		t.Error(got)
	}
	done := fleet(1)
	done.set("f00", 5)
	in.Regions[0].Have, in.Regions[0].Past, in.Regions[0].Unread = done.Regions[0].Have, done.Regions[0].Past, nil
	if got := by(); got != "us-east-1 , eu-west-1 order" {
		t.Error(got)
	}
	in.Regions[0].Rollout = &rollout.Rollout{Stage: rollout.StageBake, Since: noon, Targets: []rollout.Target{{Layer: common, Number: 5}}}
	if got := by(); got != "us-east-1 order, eu-west-1 order" {
		t.Errorf("while the first is watched: %s", got)
	}
	// A rollout that has begun is not stopped half way by a late function of an
	// earlier Region.
	late := fleet(1)
	in.Regions[0].Have, in.Regions[0].Past = late.Regions[0].Have, late.Regions[0].Past
	in.Regions[0].Rollout = nil
	in.Regions[1].Rollout = &rollout.Rollout{Stage: rollout.StageChange, Wave: 1, Waves: 1, Targets: []rollout.Target{{Layer: common, Number: 5}}}
	if got := by(); got != "ap-northeast-1 , us-east-1 , eu-west-1 order" {
		t.Error(got)
	}
}

func TestAnAlarmHoldsChangesOnly(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   Input
		want string
	}{
		{"a change", scene("1.4.0", 4, 4), "attach change 4>5 held by health"},
		{"a heal", scene("1.3.0", 3, 4), "attach drift 3>4"},
		{"a lower number", scene("1.2.0", 4, 4), "rollback change 4>3"},
		{"a change behind an alias", aliased("1.4.0", 4, 4, 4), "attach change 4>5 held by health; serve change 3>+ held by health"},
		{"a lower number behind an alias", aliased("1.2.0", 4, 4, 4), "rollback change 4>3; serve change 3>+"},
		{"an alias behind a change", aliased("1.3.0", 4, 3, 3), "serve change 3>+ held by health"},
		{"an alias behind what was applied", aliased("1.3.0", 4, 4, 3), "serve drift 3>+"},
		{"by hand", func() Input {
			in := scene("1.4.0", 5, 5)
			in.Quarantines = []ruling.Quarantine{{Region: tokyo, Layer: common, Number: 5, RevertTo: 4, ByPerson: true, By: "sato"}}
			return in
		}(), "rollback rollback 5>4"},
	} {
		tc.in.Regions[0].Unwell = "the alarm errors rings"
		if got := told(only(t, tc.in)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestRolloutsThatSpanWindows(t *testing.T) {
	in := fleet(3, desired.Wave{Count: 1}, desired.Wave{Count: 2})
	in.Regions[0].Want.Rollout.Bake = 3 * time.Hour
	in.Regions[0].Want.Calendar = saturday(t) // four hours
	note := func(r plan.Region) string {
		for _, n := range r.Notes {
			if n.Code == "rollout_spans_windows" {
				return n.Message
			}
		}
		return ""
	}
	const takes = "the rollout cannot end within the change window: it takes about 9h, and the change window leaves 4h; "
	if got := note(only(t, in)); got != takes+"what is left then goes on at the next opening" {
		t.Errorf("note %q", got)
	}
	in.Now = time.Date(2026, 11, 27, 17, 0, 0, 0, time.UTC) // it opens
	if r := only(t, in); runs(r) != 1 {
		t.Errorf("it does not begin: %s", byWave(r))
	}
	in.Regions[0].Want.Rollout.MustFitWindow = true
	r := only(t, in)
	if got := note(r); got != takes+"it does not start, since span_windows is false" || runs(r) != 0 || r.Steps[0].Held.By != plan.ByWindow {
		t.Errorf("note %q, steps %s", got, byWave(r))
	}
	in.Regions[0].Rollout = &rollout.Rollout{Stage: rollout.StageChange, Wave: 1, Waves: 3, Total: 3, Targets: []rollout.Target{{Layer: common, Number: 5}}}
	if r := only(t, in); runs(r) != 1 || note(r) != takes+"what is left then goes on at the next opening" {
		t.Errorf("one that has begun goes on: note %q, steps %s", note(r), byWave(r))
	}
	in.Regions[0].Want.Rollout.Bake, in.Regions[0].Rollout = time.Minute, nil
	if r := only(t, in); note(r) != "" || runs(r) != 1 {
		t.Errorf("a short one: note %q, steps %s", note(r), byWave(r))
	}
}

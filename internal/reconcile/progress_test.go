package reconcile

import (
	"slices"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// planned is a plan of f in wave w, with a result and holders as given.
func planned(steps ...Step) RegionPlan {
	p := RegionPlan{ObservedAt: noon, Steps: steps, Waves: []WavePlan{{1, 1}, {2, 1}, {3, 1}}}
	p.Want.Rollout = desired.Rollout{Bake: time.Minute}
	return p
}

func in(wave int, status Status, by ...string) Step {
	s := Step{Kind: Attach, Cause: Change, Function: "f", Wave: wave}
	if status != "" {
		s.Result = &Result{Status: status}
		if status == Failed {
			s.Result.Error = "it failed"
		}
	}
	for i, b := range by {
		if i == 0 {
			s.Held = &Held{By: b}
		} else {
			s.Held.Also = append(s.Held.Also, Holder{By: b})
		}
	}
	return s
}

func TestCarried(t *testing.T) {
	superseding := func(untouched bool) func(*RegionPlan) {
		return func(p *RegionPlan) { p.Superseding, p.Untouched = true, untouched }
	}
	for _, tc := range []struct {
		name  string
		stage Stage // of wave 1
		edit  func(*RegionPlan)
		steps []Step
		want  Stage
		wave  int
	}{
		{"all were changed", StageChange, nil, []Step{in(1, Applied), in(2, Waiting, ByWave)}, StageBake, 1},
		{"nothing had to be done to one", StageChange, nil, []Step{in(1, Applied), in(1, Skipped)}, StageBake, 1},
		{"one failed", StageChange, nil, []Step{in(1, Applied), in(1, Failed)}, StageChange, 1},
		{"it was stopped", StageChange, nil, []Step{in(1, Applied), in(1, "")}, StageChange, 1},
		{"the window closed", StageChange, nil, []Step{in(1, Applied), in(1, Waiting, ByWindow)}, StageChange, 1},
		{"Git is stale", StageChange, nil, []Step{in(1, Waiting, ByDesired)}, StageChange, 1},
		{"one waits for an approval", StageChange, nil, []Step{in(1, Applied), in(1, Waiting, ByApproval)}, StageBake, 1},
		{"one waits for an approval and the window", StageChange, nil, []Step{in(1, Applied), in(1, Waiting, ByWindow, ByLimit)}, StageBake, 1},
		{"one is in quarantine", StageChange, nil, []Step{in(1, Applied), in(1, Waiting, ByQuarantine)}, StageBake, 1},
		{"too many are blocked", StageChange, func(p *RegionPlan) { p.Failure = &Failure{Code: "max_blocked"} }, []Step{in(1, Waiting, ByLimit)}, StageChange, 1},
		{"the Region was not read", StageChange, func(p *RegionPlan) { *p = RegionPlan{Failure: &Failure{Code: "aws"}} }, nil, StageChange, 1},
		{"what an alias serves was not read", StageChange, func(p *RegionPlan) { p.Needs.Served = []state.Qualified{live} }, []Step{in(1, Applied)}, StageChange, 1},
		{"nothing is to be verified", StageChange, func(p *RegionPlan) { p.Want.Rollout = desired.Rollout{} }, []Step{in(1, Applied), in(3, Waiting, ByWave)}, StageChange, 3},
		{"nothing is to be verified, and all is done", StageChange, func(p *RegionPlan) { p.Want.Rollout = desired.Rollout{} }, []Step{in(1, Applied)}, StageDone, 1},
		{"a canary", StageCanary, nil, []Step{in(1, Applied)}, StageCanaryBake, 1},
		{"a canary of functions without the alias", StageCanary, func(p *RegionPlan) { p.Unshared = true }, []Step{in(1, Applied)}, StageBake, 1},
		{"a newer commit", StageChange, superseding(false), []Step{in(1, Waiting, ByWave)}, StageBake, 1},
		{"a newer commit before anything was changed", StageChange, superseding(true), []Step{in(1, Waiting, ByWave)}, StageSuperseded, 1},
		{"a newer commit while it is watched", StageBake, superseding(false), []Step{in(1, Waiting, ByWave)}, StageBake, 1},
		{"a newer commit after a halt", StageHalted, superseding(false), []Step{in(1, Waiting, ByHealth)}, StageSuperseded, 1},
		{"a halt", StageHalted, nil, []Step{in(1, Waiting, ByHealth)}, StageHalted, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := planned(tc.steps...)
			if tc.edit != nil {
				tc.edit(&p)
			}
			ro := Rollout{ID: "1", Stage: tc.stage, Wave: 1, Waves: 3, Since: noon}
			at := noon.Add(time.Hour)
			next := ro.Carried(p, at)
			if next.Stage != tc.want || next.Wave != tc.wave {
				t.Errorf("goes on to %s %d, want %s %d", next.Stage, next.Wave, tc.want, tc.wave)
			}
			if ended := next.Stage == StageDone || next.Stage == StageSuperseded; next.Ended.Equal(at) != ended {
				t.Errorf("ended is %s", next.Ended)
			}
			if moved := next.Stage != ro.Stage || next.Wave != ro.Wave; next.Since.Equal(at) != moved {
				t.Errorf("since is %s", next.Since)
			}
			if ro.Stage != tc.stage {
				t.Error("the receiver was changed")
			}
		})
	}
}

func TestCarriedBack(t *testing.T) {
	back := func(status Status) Step {
		s := in(1, status)
		s.Cause = Rollback
		return s
	}
	going := &Rollout{ID: "1", Stage: StageRollingBack}
	for _, tc := range []struct {
		name     string
		rollout  *Rollout // of the plan
		steps    []Step
		edit     func(*RegionPlan)
		want     Stage
		attempts int
	}{
		{"all are back", going, []Step{back(Applied), in(2, Waiting, ByHealth)}, nil, StageRolledBack, 0},
		{"nothing was changed", going, nil, nil, StageRolledBack, 0},
		{"one failed", going, []Step{back(Applied), back(Failed)}, nil, StageRollingBack, 1},
		{"what an alias serves is unknown", going, []Step{back(Applied)}, func(p *RegionPlan) { p.Needs.Aliases = []string{"f"} }, StageRollingBack, 1},
		{"the plan is older than that", &Rollout{ID: "1", Stage: StageBake}, []Step{in(1, Applied)}, nil, StageRollingBack, 0},
		{"the Region was not read", going, nil, func(p *RegionPlan) { p.ObservedAt = time.Time{} }, StageRollingBack, 0},
		{"it was not carried out", going, []Step{back("")}, func(p *RegionPlan) { p.Carried = false }, StageRollingBack, 0},
	} {
		p := planned(tc.steps...)
		p.Rollout, p.Carried = tc.rollout, true
		if tc.edit != nil {
			tc.edit(&p)
		}
		if next := going.Carried(p, noon); next.Stage != tc.want || next.Attempts != tc.attempts {
			t.Errorf("%s: goes on to %s after %d attempts, want %s and %d", tc.name, next.Stage, next.Attempts, tc.want, tc.attempts)
		}
	}
}

func TestWell(t *testing.T) {
	watch := func(p *RegionPlan) { p.Want.Rollout.Watch, p.Want.Rollout.Alarms = time.Hour, []string{"errors"} }
	canary := func(p *RegionPlan) { p.Want.Alias, p.Want.Rollout.Canary = "live", &desired.Canary{Weight: 0.1} }
	for _, tc := range []struct {
		name  string
		stage Stage // of wave 2
		edit  func(*RegionPlan)
		steps []Step
		want  Stage
		wave  int
	}{
		{"the next wave", StageBake, nil, []Step{in(3, "", ByWave)}, StageChange, 3},
		{"the next wave, which the window holds as well", StageBake, nil, []Step{in(3, "", ByWindow, ByWave)}, StageChange, 3},
		{"the next wave begins with a canary", StageBake, canary, []Step{in(3, "", ByWave)}, StageCanary, 3},
		{"waves with nothing to change are left out", StageBake, nil, []Step{in(7, "", ByWave)}, StageChange, 7},
		{"the end", StageBake, nil, nil, StageDone, 2},
		{"what waits for something of its own does not keep it open", StageBake, nil, []Step{in(3, "", ByApproval, ByWave), in(1, "", ByQuarantine)}, StageDone, 2},
		{"a function that came late", StageBake, nil, []Step{in(1, "", ByWave), in(3, "", ByWave)}, StageChange, 2},
		{"it is still watched", StageBake, watch, nil, StageWatching, 2},
		{"and then it is done", StageWatching, watch, nil, StageDone, 2},
		{"also with a newer commit to come", StageWatching, watch, []Step{in(1, "")}, StageDone, 2},
		{"the share becomes all", StageCanaryBake, canary, []Step{in(2, "", ByWave)}, StageChange, 2},
		{"a newer commit takes over", StageBake, func(p *RegionPlan) { p.Superseding = true }, []Step{in(1, "", ByWave)}, StageSuperseded, 2},
		{"the Region was not read", StageBake, func(p *RegionPlan) { p.ObservedAt = time.Time{} }, nil, StageBake, 2},
	} {
		p := planned(tc.steps...)
		if tc.edit != nil {
			tc.edit(&p)
		}
		ro := &Rollout{ID: "1", Stage: tc.stage, Wave: 2, Waves: 3, Smoked: true}
		if next := ro.Well(p, noon); next.Stage != tc.want || next.Wave != tc.wave || next.Stage != tc.stage && next.Smoked {
			t.Errorf("%s: goes on to %s %d (smoked %t), want %s %d", tc.name, next.Stage, next.Wave, next.Smoked, tc.want, tc.wave)
		}
	}
}

func TestUnwellAndResumed(t *testing.T) {
	ro := &Rollout{ID: "1", Stage: StageBake, Wave: 2, Findings: []string{"f: 4 of 10 calls failed"}}
	if next := ro.Unwell("", "bad", noon); next.Stage != StageRollingBack || next.Reason != "bad" || !next.Open() {
		t.Errorf("the default: %+v", next)
	}
	next := ro.Unwell(desired.Halt, "bad", noon)
	if next.Stage != StageHalted || !next.Ended.IsZero() {
		t.Errorf("halt: %+v", next)
	}
	if again := next.Resumed(noon); again.Stage != StageBake || again.Reason != "" || again.Findings != nil || again.Wave != 2 {
		t.Errorf("resumed: %+v", again)
	}
}

func TestBegins(t *testing.T) {
	p := planned(in(1, ""), in(2, "", ByWave))
	p.Targets = []Target{{Layer: common, Number: 5}}
	ended := func(s Stage) *Rollout { return &Rollout{ID: "7", Chain: []string{"6"}, Stage: s, Ended: noon} }
	for _, tc := range []struct {
		name   string
		before *Rollout
		steps  []Step
		begins bool
		chain  []string
	}{
		{"the first one", nil, p.Steps, true, nil},
		{"after one that is done", ended(StageDone), p.Steps, true, nil},
		{"after one that went back", ended(StageRolledBack), p.Steps, true, nil},
		{"it takes over", ended(StageSuperseded), p.Steps, true, []string{"6", "7"}},
		{"while one is watched still", &Rollout{ID: "7", Stage: StageWatching}, p.Steps, true, nil},
		{"while one is under way", &Rollout{ID: "7", Stage: StageChange}, p.Steps, false, nil},
		{"nothing may run", nil, []Step{in(1, "", ByWindow)}, false, nil},
		{"only a heal", nil, []Step{{Function: "f", Cause: Drift}}, false, nil},
		{"only a new function that joins", nil, []Step{{Function: "f", Cause: Change, AnyTime: true}}, false, nil},
	} {
		p.Steps = tc.steps
		ro := Begins(p, tc.before, "8", "abc", noon)
		if (ro != nil) != tc.begins {
			t.Errorf("%s: %+v", tc.name, ro)
			continue
		}
		if ro != nil && (!slices.Equal(ro.Chain, tc.chain) || ro.Wave != 1 || ro.Total != 3 || ro.Waves != 3 || ro.Stage != StageChange || !ro.Open()) {
			t.Errorf("%s: %+v", tc.name, ro)
		}
	}
}

func TestJudged(t *testing.T) {
	rate := 0.1
	rules := desired.Rollout{Bake: 10 * time.Minute, Canary: &desired.Canary{Bake: 5 * time.Minute}, Watch: time.Hour}
	rated := rules
	rated.MaxErrorRate = &rate
	for _, tc := range []struct {
		stage Stage
		rules desired.Rollout
		want  time.Time
	}{
		{StageBake, rules, noon.Add(10 * time.Minute)},
		{StageBake, rated, noon.Add(13 * time.Minute)},
		{StageCanaryBake, rules, noon.Add(5 * time.Minute)},
		{StageCanaryBake, rated, noon.Add(8 * time.Minute)},
		{StageWatching, rated, noon.Add(time.Hour)},
		{StageChange, rules, time.Time{}},
		{StageHalted, rules, time.Time{}},
		{StageDone, rules, time.Time{}},
	} {
		if got := Judged(&Rollout{Stage: tc.stage, Since: noon}, tc.rules); !got.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", tc.stage, got, tc.want)
		}
	}
}

func TestBrought(t *testing.T) {
	ml := arnOf("ml")
	ro := Rollout{Targets: []Target{{Layer: common, Number: 5}, {Layer: ml, Number: 2}}}
	list := func(v ...state.LayerVersionARN) []state.LayerVersionARN { return v }
	for _, tc := range []struct {
		name          string
		before, after []state.LayerVersionARN
		want          []state.LayerARN
	}{
		{"one layer of two", list(common.Version(4), ml.Version(2)), list(common.Version(5), ml.Version(2)), []state.LayerARN{common}},
		{"both", nil, list(common.Version(5), ml.Version(2)), []state.LayerARN{common, ml}},
		{"what an earlier one brought is not of this one", list(common.Version(4)), list(common.Version(3)), nil},
		{"nothing", list(common.Version(5)), list(common.Version(5)), nil},
	} {
		var got []state.LayerARN
		for _, t := range ro.Brought([]Changed{{Function: "f", Before: tc.before, After: tc.after}}) {
			got = append(got, t.Layer)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

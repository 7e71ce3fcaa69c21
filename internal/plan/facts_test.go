package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
)

// planned is a plan of f in wave w, with a result and holders as given.
func planned(steps ...Step) Region {
	p := Region{ObservedAt: noon, Steps: steps, Waves: []Wave{{Wave: 1, Functions: 1}, {Wave: 2, Functions: 1}, {Wave: 3, Functions: 1}}}
	p.Want.Rollout = desired.Rollout{Bake: time.Minute}
	return p
}

func in(wave int, status Status, by ...By) Step {
	s := Step{Kind: KindAttach, Cause: CauseChange, Function: "f", Wave: wave}
	if status != "" {
		s.Result = &Result{Status: status}
		if status == StatusFailed {
			s.Result.Error = "it failed"
		}
	}
	for i, b := range by {
		if i == 0 {
			s.Held = &Held{By: b}
		} else {
			s.Held.Also = append(s.Held.Also, Held{By: b})
		}
	}
	return s
}

func atOnce(s Step) Step {
	s.AnyTime = true
	return s
}

func TestAppliedFacts(t *testing.T) {
	superseding := func(p *Region) { p.NewerCommit = true }
	shared := []rollout.Changed{{Function: "f", Canary: true}}
	unshared := []rollout.Changed{{Function: "f"}}
	for _, tc := range []struct {
		name    string
		stage   rollout.Stage // of wave 1
		changed []rollout.Changed
		edit    func(*Region)
		steps   []Step
		want    rollout.Stage
		wave    int
	}{
		{"all were changed", rollout.StageChange, shared, nil, []Step{in(1, StatusApplied), in(2, StatusHeld, ByWave)}, rollout.StageBake, 1},
		{"nothing had to be done to one", rollout.StageChange, shared, nil, []Step{in(1, StatusApplied), in(1, StatusSkipped)}, rollout.StageBake, 1},
		{"one failed", rollout.StageChange, shared, nil, []Step{in(1, StatusApplied), in(1, StatusFailed)}, rollout.StageChange, 1},
		{"a new function that was to join at once failed", rollout.StageChange, shared, nil, []Step{in(1, StatusApplied), atOnce(in(1, StatusFailed))}, rollout.StageChange, 1},
		{"and one that joined", rollout.StageChange, shared, nil, []Step{in(1, StatusApplied), atOnce(in(1, StatusApplied))}, rollout.StageBake, 1},
		{"it was stopped", rollout.StageChange, shared, nil, []Step{in(1, StatusApplied), in(1, "")}, rollout.StageChange, 1},
		{"the window closed", rollout.StageChange, shared, nil, []Step{in(1, StatusApplied), in(1, StatusHeld, ByWindow)}, rollout.StageChange, 1},
		{"Git is stale", rollout.StageChange, shared, nil, []Step{in(1, StatusHeld, ByDesired)}, rollout.StageChange, 1},
		{"one waits for an approval", rollout.StageChange, shared, nil, []Step{in(1, StatusApplied), in(1, StatusHeld, ByApproval)}, rollout.StageBake, 1},
		{"one waits for an approval and the window", rollout.StageChange, shared, nil, []Step{in(1, StatusApplied), in(1, StatusHeld, ByWindow, ByLimit)}, rollout.StageBake, 1},
		{"one is in quarantine", rollout.StageChange, shared, nil, []Step{in(1, StatusApplied), in(1, StatusHeld, ByQuarantine)}, rollout.StageBake, 1},
		{"too many are blocked", rollout.StageChange, shared, func(p *Region) { p.Failure = &Failure{Code: "max_blocked"} }, []Step{in(1, StatusHeld, ByLimit)}, rollout.StageChange, 1},
		{"the Region was not read", rollout.StageChange, shared, func(p *Region) { *p = Region{Failure: &Failure{Code: "aws"}} }, nil, rollout.StageChange, 1},
		{"what an alias serves was not read", rollout.StageChange, shared, func(p *Region) { p.Needs.Served = []state.Qualified{live} }, []Step{in(1, StatusApplied)}, rollout.StageChange, 1},
		{"nothing is to be verified", rollout.StageChange, shared, func(p *Region) { p.Want.Rollout = desired.Rollout{} }, []Step{in(1, StatusApplied), in(3, StatusHeld, ByWave)}, rollout.StageChange, 3},
		{"nothing is to be verified, and all is done", rollout.StageChange, shared, func(p *Region) { p.Want.Rollout = desired.Rollout{} }, []Step{in(1, StatusApplied)}, rollout.StageDone, 1},
		{"a canary", rollout.StageCanary, shared, nil, []Step{in(1, StatusApplied)}, rollout.StageCanaryBake, 1},
		{"a canary of functions without the alias", rollout.StageCanary, unshared, nil, []Step{in(1, StatusApplied)}, rollout.StageBake, 1},
		{"a newer commit", rollout.StageChange, shared, superseding, []Step{in(1, StatusHeld, ByWave)}, rollout.StageBake, 1},
		{"a newer commit before anything was changed", rollout.StageChange, nil, superseding, []Step{in(1, StatusHeld, ByWave)}, rollout.StageSuperseded, 1},
		{"a newer commit while it is watched", rollout.StageBake, shared, superseding, []Step{in(1, StatusHeld, ByWave)}, rollout.StageBake, 1},
		{"a newer commit after a halt", rollout.StageHalted, shared, superseding, []Step{in(1, StatusHeld, ByHealth)}, rollout.StageSuperseded, 1},
		{"a halt", rollout.StageHalted, shared, nil, []Step{in(1, StatusHeld, ByHealth)}, rollout.StageHalted, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := planned(tc.steps...)
			if tc.edit != nil {
				tc.edit(&p)
			}
			ro := rollout.Rollout{ID: "1", Stage: tc.stage, Wave: 1, Waves: 3, Since: noon}
			at := noon.Add(time.Hour)
			next := ro.Next(rollout.Applied{Facts: p.Facts(tc.changed)}, p.Want.Rules(), at)
			if next.Stage != tc.want || next.Wave != tc.wave {
				t.Errorf("goes on to %s %d, want %s %d", next.Stage, next.Wave, tc.want, tc.wave)
			}
			if ended := next.Stage == rollout.StageDone || next.Stage == rollout.StageSuperseded; next.Ended.Equal(at) != ended {
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

func TestUndoFacts(t *testing.T) {
	back := func(status Status) Step {
		s := in(1, status)
		s.Cause = CauseRollback
		return s
	}
	going := &rollout.Rollout{ID: "1", Stage: rollout.StageRollingBack}
	for _, tc := range []struct {
		name     string
		rollout  *rollout.Rollout // of the plan
		steps    []Step
		edit     func(*Region)
		want     rollout.Stage
		attempts int
	}{
		{"all are back", going, []Step{back(StatusApplied), in(2, StatusHeld, ByHealth)}, nil, rollout.StageRolledBack, 0},
		{"nothing was changed", going, nil, nil, rollout.StageRolledBack, 0},
		{"one failed", going, []Step{back(StatusApplied), back(StatusFailed)}, nil, rollout.StageRollingBack, 1},
		{"what an alias serves is unknown", going, []Step{back(StatusApplied)}, func(p *Region) { p.Needs.Aliases = []string{"f"} }, rollout.StageRollingBack, 1},
		{"the plan is older than that", &rollout.Rollout{ID: "1", Stage: rollout.StageBake}, []Step{in(1, StatusApplied)}, nil, rollout.StageRollingBack, 0},
		{"the Region was not read", going, nil, func(p *Region) { p.ObservedAt = time.Time{} }, rollout.StageRollingBack, 0},
		{"it was not carried out", going, []Step{back("")}, func(p *Region) { p.Applied = false }, rollout.StageRollingBack, 0},
	} {
		p := planned(tc.steps...)
		p.Rollout, p.Applied = tc.rollout, true
		if tc.edit != nil {
			tc.edit(&p)
		}
		if next := going.Next(rollout.Applied{Facts: p.Facts(nil)}, p.Want.Rules(), noon); next.Stage != tc.want || next.Attempts != tc.attempts {
			t.Errorf("%s: goes on to %s after %d attempts, want %s and %d", tc.name, next.Stage, next.Attempts, tc.want, tc.attempts)
		}
	}
}

func TestPassedFacts(t *testing.T) {
	watch := func(p *Region) { p.Want.Rollout.Watch, p.Want.Rollout.Alarms = time.Hour, []string{"errors"} }
	canary := func(p *Region) { p.Want.Alias, p.Want.Rollout.Canary = "live", &desired.Canary{Weight: 0.1} }
	for _, tc := range []struct {
		name  string
		stage rollout.Stage // of wave 2
		edit  func(*Region)
		steps []Step
		want  rollout.Stage
		wave  int
	}{
		{"the next wave", rollout.StageBake, nil, []Step{in(3, "", ByWave)}, rollout.StageChange, 3},
		{"the next wave, which the window holds as well", rollout.StageBake, nil, []Step{in(3, "", ByWindow, ByWave)}, rollout.StageChange, 3},
		{"the next wave begins with a canary", rollout.StageBake, canary, []Step{in(3, "", ByWave)}, rollout.StageCanary, 3},
		{"waves with nothing to change are left out", rollout.StageBake, nil, []Step{in(7, "", ByWave)}, rollout.StageChange, 7},
		{"the end", rollout.StageBake, nil, nil, rollout.StageDone, 2},
		{"what waits for something of its own does not keep it open", rollout.StageBake, nil, []Step{in(3, "", ByApproval, ByWave), in(1, "", ByQuarantine)}, rollout.StageDone, 2},
		{"a function that came late", rollout.StageBake, nil, []Step{in(1, "", ByWave), in(3, "", ByWave)}, rollout.StageChange, 2},
		{"it is still watched", rollout.StageBake, watch, nil, rollout.StageWatching, 2},
		{"and then it is done", rollout.StageWatching, watch, nil, rollout.StageDone, 2},
		{"also with a newer commit to come", rollout.StageWatching, watch, []Step{in(1, "")}, rollout.StageDone, 2},
		{"the share becomes all", rollout.StageCanaryBake, canary, []Step{in(2, "", ByWave)}, rollout.StageChange, 2},
		{"a newer commit takes over", rollout.StageBake, func(p *Region) { p.NewerCommit = true }, []Step{in(1, "", ByWave)}, rollout.StageSuperseded, 2},
		{"the Region was not read", rollout.StageBake, func(p *Region) { p.ObservedAt = time.Time{} }, nil, rollout.StageBake, 2},
	} {
		p := planned(tc.steps...)
		if tc.edit != nil {
			tc.edit(&p)
		}
		ro := &rollout.Rollout{ID: "1", Stage: tc.stage, Wave: 2, Waves: 3, Smoked: true}
		if next := ro.Next(rollout.Passed{Facts: p.Facts(nil)}, p.Want.Rules(), noon); next.Stage != tc.want || next.Wave != tc.wave || next.Stage != tc.stage && next.Smoked {
			t.Errorf("%s: goes on to %s %d (smoked %t), want %s %d", tc.name, next.Stage, next.Wave, next.Smoked, tc.want, tc.wave)
		}
	}
}

func TestBegins(t *testing.T) {
	p := planned(in(1, ""), in(2, "", ByWave))
	p.Targets = []rollout.Target{{Layer: common, Number: 5}}
	ended := func(s rollout.Stage) *rollout.Rollout {
		return &rollout.Rollout{ID: "7", Chain: []string{"6"}, Stage: s, Ended: noon}
	}
	for _, tc := range []struct {
		name   string
		before *rollout.Rollout
		steps  []Step
		begins bool
		chain  []string
	}{
		{"the first one", nil, p.Steps, true, nil},
		{"after one that is done", ended(rollout.StageDone), p.Steps, true, nil},
		{"after one that went back", ended(rollout.StageRolledBack), p.Steps, true, nil},
		{"it takes over", ended(rollout.StageSuperseded), p.Steps, true, []string{"6", "7"}},
		{"while one is watched still", &rollout.Rollout{ID: "7", Stage: rollout.StageWatching}, p.Steps, true, nil},
		{"while one is under way", &rollout.Rollout{ID: "7", Stage: rollout.StageChange}, p.Steps, false, nil},
		{"nothing may run", nil, []Step{in(1, "", ByWindow)}, false, nil},
		{"only a heal", nil, []Step{{Function: "f", Cause: CauseDrift}}, false, nil},
		{"only a new function that joins", nil, []Step{{Function: "f", Cause: CauseChange, AnyTime: true}}, false, nil},
	} {
		p.Steps = tc.steps
		ro := Begins(p, tc.before, "8", "abc", noon)
		if (ro != nil) != tc.begins {
			t.Errorf("%s: %+v", tc.name, ro)
			continue
		}
		if ro != nil && (!slices.Equal(ro.Chain, tc.chain) || ro.Wave != 1 || ro.Total != 3 || ro.Waves != 3 || ro.Stage != rollout.StageChange || !ro.Open()) {
			t.Errorf("%s: %+v", tc.name, ro)
		}
	}
}

package notifytest

import (
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// Standing puts a rollout of makoto-common from 12 to 13 on twenty functions
// into the world, of which the first changed have been changed. What it did is
// played: the functions of the world stay as they are.
func (w *World) Standing(stage rollout.Stage, wave, changed int) *plan.RolloutStatus {
	st := &plan.RolloutStatus{Last: &rollout.Rollout{
		ID: "20261125T013000.000000000Z-k7q2mwzd", Revision: "a1b2c3d4e5f6", Stage: stage, Wave: wave, Waves: 3, Total: 20,
		Targets: []rollout.Target{{Layer: Common, Name: "makoto-common", Number: 13, Semver: "1.4.2", From: 12}},
		Begun:   w.Now.Add(-10 * time.Minute), Since: w.Now.Add(-time.Minute),
	}}
	if stage == rollout.StageDone || stage == rollout.StageRolledBack || stage == rollout.StageSuperseded {
		st.Last.Ended = w.Now.Add(-time.Minute)
	}
	for i := range changed {
		st.Changed = append(st.Changed, rollout.Changed{
			Function: fmt.Sprintf("makoto-%02d", i), Wave: 1,
			Before: []state.LayerVersionARN{Common.Version(12)}, After: []state.LayerVersionARN{Common.Version(13)},
		})
	}
	return st
}

// Quarantined adds the quarantine of 13 to a standing, by the health of its
// rollout.
func (w *World) Quarantined(st *plan.RolloutStatus) {
	st.Quarantines = append(st.Quarantines, ruling.Quarantine{
		Environment: "prod", Region: Region, Layer: Common, Name: "makoto-common", Number: 13, Semver: "1.4.2",
		By: "layerd", Reason: st.Last.Reason, At: w.Now, Rollout: st.Last.ID,
	})
}

var notWell = []string{
	"makoto-chat-handler answered with an error: No module named 'makoto'",
	"all functions: 12 of 40 calls failed (30.0%), max_error_rate is 1%",
}

// rolls makes a round after d in which the rollout stands so.
func (t *Teller) rolls(d time.Duration, stage rollout.Stage, wave, changed int, more func(*notify.Situation, *plan.RolloutStatus)) {
	t.Said(d, func(s *notify.Situation) {
		st := t.World.Standing(stage, wave, changed)
		r := &s.Plan.Regions[0]
		r.RolloutStatus = st
		if more != nil {
			more(s, st)
		}
	})
}

// unwell returns why a rollout is not.
func (t *Teller) unwell(s *notify.Situation, st *plan.RolloutStatus) {
	st.Last.Findings, st.Last.Reason = notWell, notWell[0]+" (and 1 more)"
	if st.Last.Stage != rollout.StageHalted && st.Last.Stage != rollout.StageWatching {
		t.World.Quarantined(st)
	}
}

// back is a function that is still to be returned.
func back(name, err string) plan.Step {
	return plan.Step{
		ID: "rollback/makoto-common/" + name, Kind: plan.KindRollback, Layer: "makoto-common", LayerARN: Common, Function: name,
		From: Common.Version(13), To: Common.Version(12), Cause: plan.CauseRollback, Wave: 1,
		Result: &plan.Result{Status: plan.StatusFailed, Error: err, RequestID: "0a1b2c3d-77"},
	}
}

func rolloutStories() []Story {
	return []Story{
		{"rollout-goes-well", func(t *Teller) {
			t.World.Want.Rollout = desired.Rollout{Bake: 10 * time.Minute, SmokeTests: []desired.SmokeTest{{Function: "makoto-api"}}}
			t.quietly()
			t.World.Commit("1.4.1", "a1b2c3d4e5f6")
			t.rolls(time.Minute, rollout.StageBake, 1, 1, nil)
			t.rolls(10*time.Minute, rollout.StageBake, 2, 10, nil)
			t.rolls(10*time.Minute, rollout.StageDone, 3, 20, nil)
			t.rolls(10*time.Minute, rollout.StageDone, 3, 0, nil)
		}},
		{"rollout-is-overtaken", func(t *Teller) {
			t.quietly()
			t.rolls(time.Minute, rollout.StageBake, 1, 1, nil)
			t.rolls(10*time.Minute, rollout.StageSuperseded, 1, 1, nil)
			t.rolls(time.Minute, rollout.StageSuperseded, 1, 0, nil)
		}},
		{"rollout-halts", func(t *Teller) {
			t.quietly()
			t.rolls(time.Minute, rollout.StageBake, 1, 1, nil)
			t.rolls(10*time.Minute, rollout.StageHalted, 1, 1, t.unwell)
			t.rolls(24*time.Hour, rollout.StageHalted, 1, 1, t.unwell)
			t.rolls(time.Minute, rollout.StageBake, 1, 1, nil)
		}},
		{"rolled-back-by-health", func(t *Teller) {
			t.quietly()
			t.rolls(time.Minute, rollout.StageBake, 1, 10, nil)
			t.rolls(10*time.Minute, rollout.StageRollingBack, 1, 10, t.unwell)
			left := func(s *notify.Situation, st *plan.RolloutStatus) {
				t.unwell(s, st)
				st.LeftAlone = []string{"makoto-03"}
			}
			t.rolls(time.Minute, rollout.StageRolledBack, 1, 10, left) // too soon
			t.rolls(4*time.Minute, rollout.StageRolledBack, 1, 10, left)
			t.rolls(24*time.Hour, rollout.StageRolledBack, 1, 10, left)
			t.rolls(time.Hour, rollout.StageRolledBack, 1, 0, nil)
		}},
		{"going-back-does-not-get-there", func(t *Teller) {
			t.quietly()
			refused := func(s *notify.Situation, st *plan.RolloutStatus) {
				t.unwell(s, st)
				s.Plan.Regions[0].Steps = []plan.Step{
					back("makoto-00", "set layers of makoto-00: AccessDeniedException: not authorized to perform lambda:UpdateFunctionConfiguration"),
				}
			}
			t.rolls(time.Minute, rollout.StageRollingBack, 1, 2, refused)
			t.rolls(10*time.Minute, rollout.StageRollingBack, 1, 2, func(s *notify.Situation, st *plan.RolloutStatus) {
				refused(s, st)
				st.Last.Attempts = 3
			})
			t.rolls(10*time.Minute, rollout.StageRolledBack, 1, 2, t.unwell)
		}},
		{"rolled-back-by-hand", func(t *Teller) {
			t.World.Want.Layers[0].At = desired.Position{File: "environments/prod.yaml", Line: 5}
			t.quietly()
			at := t.World.Now
			pinned := func(_ *notify.Situation, st *plan.RolloutStatus) {
				t.World.Quarantined(st)
				q := &st.Quarantines[0]
				q.ByPerson, q.RevertTo, q.By, q.Reason, q.Rollout, q.At = true, 12, "sato", "login fails since the morning", "", at
			}
			t.rolls(time.Minute, rollout.StageDone, 3, 0, func(s *notify.Situation, st *plan.RolloutStatus) {
				pinned(s, st)
				s.Plan.Regions[0].Steps = []plan.Step{back("makoto-00", ""), back("makoto-01", "")}
				for i := range s.Plan.Regions[0].Steps {
					s.Plan.Regions[0].Steps[i].Result = nil
				}
			})
			t.rolls(10*time.Minute, rollout.StageDone, 3, 0, pinned)
			t.rolls(24*time.Hour, rollout.StageDone, 3, 0, pinned)
			t.rolls(time.Hour, rollout.StageDone, 3, 0, nil)
		}},
		{"alarm-after-a-rollout", func(t *Teller) {
			t.World.Want.Rollout = desired.Rollout{Alarms: []string{"makoto-errors"}, Watch: time.Hour}
			t.quietly()
			rings := func(_ *notify.Situation, st *plan.RolloutStatus) {
				st.Last.Findings = []string{"the alarm makoto-errors rings: Threshold Crossed: 1 datapoint [7.0] was greater than the threshold (1.0)"}
				st.Last.Reason = st.Last.Findings[0]
			}
			t.rolls(time.Minute, rollout.StageWatching, 3, 20, nil)
			t.rolls(time.Minute, rollout.StageWatching, 3, 20, rings)
			t.rolls(10*time.Minute, rollout.StageWatching, 3, 20, nil)
			t.rolls(10*time.Minute, rollout.StageWatching, 3, 20, rings)
			t.rolls(10*time.Minute, rollout.StageDone, 3, 20, rings)
		}},
		{"tug-of-war", func(t *Teller) {
			t.World.Want.Calendar = window.Calendar{Zone: t.World.Zone}
			t.quietly()
			t.World.Meddle("makoto-api", Common.Version(11))
			p := t.World.Past.Functions["makoto-api"]
			p.Heals = map[state.LayerARN]plan.Heals{Common: {Count: 3, Last: t.World.Now}}
			t.World.Past.Functions["makoto-api"] = p
			t.Said(time.Minute, func(s *notify.Situation) {
				s.Actors = []notify.Actor{{
					Region: Region, Function: "makoto-api", Who: "arn:aws:sts::123456789012:assumed-role/terraform/ci-4711", At: t.World.Now.Add(-5 * time.Minute),
				}}
			})
			t.Later(10 * time.Minute)
			t.World.Commit("1.4.0", "b2c3d4e5f6a7")
			t.Later(10 * time.Minute)
		}},
		{"quarantined", func(t *Teller) {
			t.quietly()
			t.rolls(time.Minute, rollout.StageDone, 3, 0, func(_ *notify.Situation, st *plan.RolloutStatus) {
				st.Last.Reason = "its artifact is not what was signed"
				t.World.Quarantined(st)
				st.Quarantines[0].Rollout, st.Last.Reason = "", ""
			})
			t.rolls(10*time.Minute, rollout.StageDone, 3, 0, nil)
		}},
	}
}

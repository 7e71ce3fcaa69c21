package notify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/store"
)

// standing is a round in which the rollout stands so.
func standing(w *notifytest.World, stage rollout.Stage, changed int) (notify.Situation, *plan.RolloutStatus) {
	s := w.Round()
	st := w.Standing(stage, 1, changed)
	s.Plan.Regions[0].RolloutStatus = st
	return s, st
}

// recorded are the records of what a rollout changed.
func recorded(w *notifytest.World, st *plan.RolloutStatus) (list []history.Entry) {
	for i, c := range st.Changed {
		list = append(list, history.Entry{
			Round: history.Round{Environment: "prod", Region: notifytest.Region, Rollout: st.Last.ID},
			Action: history.Action{
				Kind: plan.KindAttach, Cause: plan.CauseChange, Layer: "makoto-common", LayerARN: notifytest.Common, Function: c.Function,
				From: notifytest.Common.Version(12), To: notifytest.Common.Version(13),
			},
			ID: fmt.Sprint(i), Wave: c.Wave, Status: plan.StatusApplied, Started: w.Now.Add(-time.Minute), Ended: w.Now,
		})
	}
	return list
}

// Where the records of a rollout are told: by themselves when one round did it
// all, with its end when it took several, and not at all while it goes on or
// when it went back.
func TestRecordsOfRollouts(t *testing.T) {
	for _, tc := range []struct {
		name  string
		stage rollout.Stage
		edit  func(s *notify.Situation, st *plan.RolloutStatus)
		want  string // beginning of the titles of kind change_applied that are told once
	}{
		{"one round", rollout.StageDone, nil, "makoto-common 12 → 13 was applied to 4 functions"},
		{"one round, then watched", rollout.StageWatching, nil, "makoto-common 12 → 13 was applied to 4 functions"},
		{"the last of several", rollout.StageDone, func(s *notify.Situation, _ *plan.RolloutStatus) { s.Ended = s.Ended[2:] },
			"makoto-common 12 → 13 (1.4.2) on 4 functions, 3 waves"},
		{"under way", rollout.StageBake, nil, ""},
		{"halted", rollout.StageHalted, nil, ""},
		{"goes back", rollout.StageRollingBack, nil, ""},
		{"went back", rollout.StageRolledBack, nil, ""},
		{"overtaken", rollout.StageSuperseded, nil, "makoto-common 12 → 13 (1.4.2) ends after wave 1 of 3, on 4 functions"},
		{"taken over", rollout.StageBake, func(s *notify.Situation, st *plan.RolloutStatus) {
			st.Last.Chain = []string{"earlier"}
			for i := range s.Ended {
				s.Ended[i].Rollout = "earlier"
			}
		}, ""},
		{"another rollout", rollout.StageBake, func(s *notify.Situation, _ *plan.RolloutStatus) {
			for i := range s.Ended {
				s.Ended[i].Rollout = "another"
			}
		}, "makoto-common 12 → 13 was applied to 4 functions"},
		{"beside the rollout", rollout.StageBake, func(s *notify.Situation, _ *plan.RolloutStatus) {
			for i := range s.Ended {
				s.Ended[i].Wave = 0
			}
		}, "makoto-common 12 → 13 was applied to 4 functions"},
		{"nobody knows", rollout.StageBake, func(s *notify.Situation, _ *plan.RolloutStatus) { s.Plan.Regions[0].RolloutStatus = nil },
			"makoto-common 12 → 13 was applied to 4 functions"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := notifytest.NewWorld()
			s, st := standing(w, tc.stage, 4)
			s.Ended = recorded(w, st)
			if tc.edit != nil {
				tc.edit(&s, st)
			}
			var got []string
			for _, x := range find(notify.Facts(s), notify.ChangeApplied) {
				if x.OneShot && !x.OnlyIfOpen {
					got = append(got, strings.TrimPrefix(x.Title, "prod ap-northeast-1: "))
				}
			}
			if tc.want == "" && len(got) != 0 || tc.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tc.want)) {
				t.Errorf("told %q, want %q", got, tc.want)
			}
		})
	}
}

// What a function got back, and what did not come back at once, is told by the
// rollout that goes back, and by a person's word; without either by itself.
func TestRecordsOfGoingBack(t *testing.T) {
	count := func(edit func(s *notify.Situation, st *plan.RolloutStatus), kind notify.Kind) int {
		w := notifytest.NewWorld()
		s, st := standing(w, rollout.StageRollingBack, 2)
		s.Ended = recorded(w, st)
		for i := range s.Ended {
			s.Ended[i].Cause = plan.CauseRollback
		}
		s.Ended[0].Status, s.Ended[0].Error = plan.StatusFailed, "no"
		edit(&s, st)
		n := 0
		for _, x := range find(notify.Facts(s), kind) {
			if x.OneShot || kind == notify.ApplyFailed {
				n++
			}
		}
		return n
	}
	going := func(*notify.Situation, *plan.RolloutStatus) {}
	byHand := func(_ *notify.Situation, st *plan.RolloutStatus) {
		notifytest.NewWorld().Quarantined(st)
		st.Quarantines[0].ByPerson, st.Last.Stage = true, rollout.StageDone
	}
	lifted := func(_ *notify.Situation, st *plan.RolloutStatus) { st.Last.Stage = rollout.StageDone }
	for _, tc := range []struct {
		name         string
		edit         func(*notify.Situation, *plan.RolloutStatus)
		told, failed int
	}{{"by health", going, 0, 0}, {"by hand", byHand, 0, 1}, {"lifted meanwhile", lifted, 1, 1}} {
		if told, failed := count(tc.edit, notify.RolledBack), count(tc.edit, notify.ApplyFailed); told != tc.told || failed != tc.failed {
			t.Errorf("%s: %d told and %d failed, want %d and %d", tc.name, told, failed, tc.told, tc.failed)
		}
	}
}

// A step that failed is no alert of its own once its rollout goes back, and what
// is in quarantine is not tried again.
func TestFailuresOfWhatGoesBack(t *testing.T) {
	w := notifytest.NewWorld()
	w.Commit("1.4.2", "a1b2c3d")
	s, st := standing(w, rollout.StageRollingBack, 2)
	s.Ended = recorded(w, st)
	s.Ended[0].Status, s.Ended[0].Error = plan.StatusFailed, "no"
	for i := range s.Plan.Regions[0].Steps {
		s.Plan.Regions[0].Steps[i].Held = &plan.Held{By: plan.ByQuarantine, Reason: "so"}
	}
	f := notify.Facts(s)
	if failed := find(f, notify.ApplyFailed); len(failed) != 0 {
		t.Errorf("a failure of what goes back: %+v", failed)
	}
	if slices.ContainsFunc(f.Unknown, func(s notify.Scope) bool { return s.Kind == notify.ApplyFailed }) {
		t.Errorf("what is in quarantine keeps an alert open: %+v", f.Unknown)
	}
}

// What another alert tells is no held change, and asks for no approval.
func TestToldElsewhere(t *testing.T) {
	for _, tc := range []struct {
		by, also       plan.By
		stage          rollout.Stage
		held, approval int
	}{
		{plan.ByQuarantine, "", rollout.StageRolledBack, 0, 0},
		{plan.ByQuarantine, plan.ByApproval, rollout.StageRolledBack, 0, 0},
		{plan.ByQuarantine, "", "", 1, 0}, // nobody knows how the rollouts stand
		{plan.ByHealth, "", rollout.StageHalted, 0, 0},
		{plan.ByHealth, "", rollout.StageDone, 1, 0}, // an alarm rings before it begins
		{plan.ByTugOfWar, "", rollout.StageDone, 0, 0},
		{plan.ByWindow, plan.ByTugOfWar, rollout.StageDone, 0, 0},
		{plan.ByWindow, plan.ByWave, rollout.StageDone, 1, 0},
		{plan.ByApproval, "", rollout.StageDone, 0, 1},
	} {
		w := notifytest.NewWorld()
		w.Commit("1.4.2", "a1b2c3d")
		s, _ := standing(w, tc.stage, 1)
		if tc.stage == "" {
			s.Plan.Regions[0].RolloutStatus = nil
		}
		for i := range s.Plan.Regions[0].Steps {
			h := &plan.Held{By: tc.by, Reason: "so"}
			if tc.also != "" {
				h.Also = []plan.Held{{By: tc.also, Reason: "so too"}}
			}
			s.Plan.Regions[0].Steps[i].Held = h
		}
		f := notify.Facts(s)
		if held, approval := len(find(f, notify.ChangeHeld)), len(find(f, notify.ApprovalNeeded)); held != tc.held || approval != tc.approval {
			t.Errorf("held by %s %s in a rollout that is %q: %d held and %d approvals, want %d and %d", tc.by, tc.also, tc.stage, held, approval, tc.held, tc.approval)
		}
	}
}

// A drift that is left to another writer is told once, as that.
func TestTugIsNoDrift(t *testing.T) {
	w := notifytest.NewWorld()
	w.Meddle("makoto-api", notifytest.Common.Version(11))
	w.Meddle("makoto-chat-handler", notifytest.Common.Version(11))
	s := w.Round()
	for i := range s.Plan.Regions[0].Steps {
		if step := &s.Plan.Regions[0].Steps[i]; step.Function == "makoto-api" {
			step.Held = &plan.Held{By: plan.ByTugOfWar, Reason: "so"}
		}
	}
	f := notify.Facts(s)
	drift, tug := find(f, notify.Drift), find(f, notify.TugOfWar)
	if len(drift) != 1 || len(drift[0].Items) != 1 || drift[0].Items[0].Name != "makoto-chat-handler" {
		t.Errorf("drift: %+v", drift)
	}
	if len(tug) != 1 || len(tug[0].Items) != 1 || tug[0].Items[0].Name != "makoto-api" {
		t.Errorf("tug of war: %+v", tug)
	}
	before := tug[0].Fingerprint()
	s.Actors = []notify.Actor{{Region: notifytest.Region, Function: "makoto-api", Who: "arn:x"}, {Region: "elsewhere", Function: "makoto-api", Who: "arn:y"}}
	tug = find(notify.Facts(s), notify.TugOfWar)
	if text := words(tug[0]); !strings.Contains(text, "arn:x") || strings.Contains(text, "arn:y") || tug[0].Fingerprint() != before {
		t.Errorf("who it was: %s", text)
	}
}

// A round that does not know how the rollouts stand, or could not look, ends no
// alert about them; and of an incident there is one message, whatever its
// number of layers, functions and rounds.
func TestIncidentsOutliveIgnorance(t *testing.T) {
	w := notifytest.NewWorld()
	b := book(store.NewMemory())
	tell := func(edit func(s *notify.Situation, st *plan.RolloutStatus)) (list []string) {
		t.Helper()
		w.Now = w.Now.Add(10 * time.Minute)
		s, st := standing(w, rollout.StageRolledBack, 3)
		st.Last.Reason = "no"
		w.Quarantined(st)
		edit(&s, st)
		events, err := b.Tell(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			list = append(list, fmt.Sprint(e.Alert.Kind, " ", e.Status))
		}
		return list
	}
	tell(func(s *notify.Situation, _ *plan.RolloutStatus) { s.Plan.Regions[0].RolloutStatus = nil }) // the first look
	same := func(*notify.Situation, *plan.RolloutStatus) {}
	for i, tc := range []struct {
		edit func(s *notify.Situation, st *plan.RolloutStatus)
		want []string
	}{
		{same, []string{"rolled_back opened"}},
		{same, nil},
		{func(s *notify.Situation, _ *plan.RolloutStatus) { s.Plan.Regions[0].RolloutStatus = nil }, nil},
		{func(s *notify.Situation, _ *plan.RolloutStatus) {
			s.Plan.Regions[0].ObservedAt, s.Plan.Regions[0].RolloutStatus = time.Time{}, nil
		}, nil},
		{func(s *notify.Situation, _ *plan.RolloutStatus) { s.Plan = nil }, nil},
		{func(_ *notify.Situation, st *plan.RolloutStatus) { // another rollout has begun
			st.Last.ID, st.Last.Stage, st.Changed = "20261126T013000.000000000Z-k7q2mwzd", rollout.StageDone, nil
		}, nil},
		{func(_ *notify.Situation, st *plan.RolloutStatus) { st.Quarantines = nil }, []string{"rolled_back resolved"}},
	} {
		if got := tell(tc.edit); !slices.Equal(got, tc.want) {
			t.Errorf("round %d: %v, want %v", i, got, tc.want)
		}
	}
}

package plan

import (
	"testing"
	"time"
)

// Every holder is declared once, and the order of the table is that of DESIGN
// section 4, by which Held.By is chosen.
func TestEveryHolderIsInTheTable(t *testing.T) {
	want := []By{
		ByMode, ByDesired, ByPause, ByQuarantine, ByFreeze, ByApproval, ByWindow, ByHealth, ByTugOfWar, ByOrder, ByWave, ByLimit, ByGrace, ByLease,
	}
	if len(holders) != len(want) {
		t.Fatalf("%d holders, want %d", len(holders), len(want))
	}
	for i, h := range holders {
		if h.By != want[i] || h.By.Holder() != h || h.Ends == "" {
			t.Errorf("place %d has %+v, want %s", i, h, want[i])
		}
	}
	if h := By("new").Holder(); !h.News || !h.Waits || h.Ends != EndsByPerson {
		t.Errorf("an undeclared holder is harmless: %+v", h)
	}
}

// A time is promised only where all that holds ends with it: Slack said "until
// Sat 02:00" with an alarm that rang, and the terminal "not before".
func TestNotBefore(t *testing.T) {
	until := noon.Add(time.Hour)
	for _, tc := range []struct {
		also []Held
		want bool
	}{
		{nil, false},
		{[]Held{{By: ByWave}}, false},
		{[]Held{{By: ByGrace, Until: until}}, false},
		{[]Held{{By: ByHealth}}, true},
		{[]Held{{By: ByTugOfWar}}, true},
		{[]Held{{By: ByApproval}}, true},
		{[]Held{{By: ByMode}}, true},
		{[]Held{{By: ByDesired}}, true},
		{[]Held{{By: ByQuarantine}}, true},
		{[]Held{{By: ByLimit}}, true},                // max_new: somebody has to see the plan
		{[]Held{{By: ByLimit, Until: until}}, false}, // twenty prunes a day
	} {
		if got := (&Held{By: ByWindow, Until: until, Also: tc.also}).NotBefore(); got != tc.want {
			t.Errorf("window and %+v: not before is %t", tc.also, got)
		}
	}
}

// An approval is asked for only where it would release something: the terminal
// printed the command for what only a retry releases.
func TestApprovable(t *testing.T) {
	for _, tc := range []struct {
		step   Step
		failed bool
		want   bool
	}{
		{Step{Cause: CauseChange, Held: &Held{By: ByApproval}}, false, true},
		{Step{Cause: CauseChange, Held: &Held{By: ByWindow, Also: []Held{{By: ByApproval}}}}, false, true},
		{Step{Cause: CauseRetention, Held: &Held{By: ByApproval}}, false, true},
		{Step{Cause: CauseChange, Held: &Held{By: ByLimit}}, false, true},
		{Step{Cause: CauseChange, Held: &Held{By: ByLimit}}, true, false}, // max_blocked
		{Step{Cause: CauseRetention, Held: &Held{By: ByLimit}}, false, false},
		{Step{Cause: CauseChange, Held: &Held{By: ByQuarantine, Also: []Held{{By: ByApproval}}}}, false, false},
		{Step{Cause: CauseChange, Held: &Held{By: ByMode, Also: []Held{{By: ByApproval}}}}, false, false},
		{Step{Cause: CauseDrift, Held: &Held{By: ByApproval}}, false, false},
		{Step{Cause: CauseChange, Held: &Held{By: ByWindow}}, false, false},
		{Step{Cause: CauseChange}, false, false},
	} {
		r := Region{}
		if tc.failed {
			r.Failure = &Failure{Code: "max_blocked"}
		}
		if got := r.Approvable(tc.step); got != tc.want {
			t.Errorf("%s held by %+v: %t", tc.step.Cause, tc.step.Held, got)
		}
	}
}

// A change with an error is not done, however far it came: the revision counted
// as applied while its wave and its approval still waited for the function.
func TestDone(t *testing.T) {
	for _, tc := range []struct {
		result *Result
		want   bool
	}{
		{nil, false},
		{&Result{Status: StatusApplied}, true},
		{&Result{Status: StatusSkipped}, true},
		{&Result{Status: StatusApplied, Error: "somebody changed its neighbours"}, false},
		{&Result{Status: StatusSkipped, Error: "stopped"}, false},
		{&Result{Status: StatusFailed, Error: "it failed"}, false},
		{&Result{Status: StatusHeld}, false},
	} {
		if got := (Step{Result: tc.result}).Done(); got != tc.want {
			t.Errorf("%+v: %t", tc.result, got)
		}
	}
}

package round_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/window"
)

// backBy is a person's word that takes common 5 back to 4.
func backBy(f *fixture) ruling.Quarantine {
	return ruling.Quarantine{
		Environment: "prod", Region: region, Layer: f.tree.Environments[0].Layers[0].Layer, Name: "common", Number: 5, RevertTo: 4,
		ByPerson: true, By: "sato", Reason: "it leaks", At: time.Now(),
	}
}

func rollbacks(s plan.Step) bool { return s.Cause == plan.CauseRollback }

// A rollback by hand in the middle of a rollout: the plan shows it before it is
// written, the round does it and nothing else, and what was rolled back is no
// version to go back to, however well the rest of the rollout ends.
func TestRollbackByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 12, awssim.Options{Settle: 2 * time.Second})
		f.spreads(func(e *desired.Environment) { e.Rollout = desired.Rollout{Waves: waves(4), Bake: time.Hour} })
		f.apply(t.Context()) // the first wave
		if n := len(f.behind(5)); n != 8 {
			t.Fatalf("%d functions are behind after the first wave of 4 of 12", n)
		}
		f.spreads(func(e *desired.Environment) { // and the window has closed
			w, err := window.Parse("Saturday 02:00-06:00", time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			e.Calendar.Windows = []window.Window{w}
		})
		time.Sleep(time.Minute)

		f.world.ResetCalls()
		would := f.round()
		would.Quarantines, would.Only = []ruling.Quarantine{backBy(f)}, rollbacks
		planned, err := would.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r := planned.Plans[0].Regions[0]
		if len(r.Steps) != 4 || r.InSync || r.Waves != nil {
			t.Errorf("the plan has %d steps of 4, in sync %v, waves %v", len(r.Steps), r.InSync, r.Waves)
		}
		for _, s := range r.Steps {
			if s.Kind != plan.KindRollback || s.Held != nil || s.To.Number() != 4 {
				t.Errorf("step %+v", s)
			}
		}
		qs, err := ruling.LoadQuarantines(t.Context(), f.store, "test", "prod")
		if err != nil || len(qs) != 0 || f.world.Writes() != 0 {
			t.Errorf("the plan wrote %v, %v, and %d times to AWS", qs, err, f.world.Writes())
		}

		if _, err := history.Open(f.store, "test").Rulings().Quarantine(t.Context(), backBy(f)); err != nil {
			t.Fatal(err)
		}
		before := f.rollout(t)
		before.Stage, before.Wave = rollout.StageChange, 2 // whoever began it was killed
		if err := history.Open(f.store, "test").SaveRollout(t.Context(), "prod", region, *before); err != nil {
			t.Fatal(err)
		}
		does := f.round()
		does.Only = rollbacks
		result, err := does.Apply(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n := statuses(result); n[plan.StatusApplied] != 4 || len(n) != 1 || len(f.behind(4)) != 0 {
			t.Errorf("results %v, not at 4: %v", n, f.behind(4))
		}
		if after := f.rollout(t); before.Moved(*after) {
			t.Errorf("a round that is about the rollback only moved the rollout from %+v to %+v", before, after)
		}

		f.through(t)
		if ro := f.rollout(t); ro.Stage != rollout.StageRolledBack || !strings.Contains(ro.Reason, "rolled back by sato: it leaks") {
			t.Errorf("the rollout is %+v", ro)
		}
		past, err := history.Open(f.store, "test").Past(t.Context(), "prod", region)
		if err != nil || past.Layers[backBy(f).Layer].Proven == 5 {
			t.Errorf("5 counts as well, %v", err)
		}
		if len(f.behind(4)) != 0 {
			t.Errorf("not at 4: %v", f.behind(4))
		}
	})
}

// A word that leads forward, as another program or an older one may have written
// it, moves nothing in the daemon's rounds: the version that never ran here would
// pass the window and the approval.
func TestARollbackByHandIsNoWayForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		f.want("1.4.0") // what all have
		f.apply(t.Context())
		f.spreads(func(e *desired.Environment) { e.ApprovalRequired = true })
		q := backBy(f)
		q.Number, q.RevertTo = 4, 5
		if _, err := history.Open(f.store, "test").Rulings().Quarantine(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		f.world.ResetCalls()
		result := f.apply(t.Context())
		if n := len(f.behind(4)); n != 0 || f.world.Writes() != 0 {
			t.Errorf("%d functions were moved by %d writes", n, f.world.Writes())
		}
		if notes := result.Plans[0].Regions[0].Notes; len(notes) != 1 || !strings.Contains(notes[0].Message, "5 (1.5.0) has not been in prod; a change goes through Git") {
			t.Errorf("notes %+v", notes)
		}
		q.RevertTo, q.At = 3, q.At.Add(time.Second) // and down is back, also where it never was
		if _, err := history.Open(f.store, "test").Rulings().Quarantine(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		f.apply(t.Context())
		if n := len(f.behind(3)); n != 0 {
			t.Errorf("%d functions are not at 3", n)
		}
	})
}

// A rollback of some functions lets the rollout go on, and does not make of the
// version one to go back to.
func TestRollbackOfSomeFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		f.spreads(func(e *desired.Environment) { e.Rollout = desired.Rollout{Waves: waves(1), Bake: time.Hour} })
		f.apply(t.Context())
		q := backBy(f)
		q.Functions = "makoto-0001"
		if _, err := history.Open(f.store, "test").Rulings().Quarantine(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		f.through(t)
		if got := f.behind(5); len(got) != 1 || got[0] != "makoto-0001" {
			t.Errorf("without 5 are %v", got)
		}
		if ro := f.rollout(t); ro.Stage != rollout.StageDone {
			t.Errorf("the rollout is %+v", ro)
		}
		past, err := history.Open(f.store, "test").Past(t.Context(), "prod", region)
		if err != nil || past.Layers[q.Layer].Proven != 0 {
			t.Errorf("%d counts as well, %v", past.Layers[q.Layer].Proven, err)
		}
	})
}

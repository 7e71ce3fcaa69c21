package notify

import (
	"testing"
	"time"

	"github.com/layerd/layerd/internal/plan"
)

// Moving an alias changes no layer of $LATEST.
func TestMovesOfAServeStep(t *testing.T) {
	s := plan.Step{Kind: plan.KindServe, Serving: &plan.Serving{Qualifier: "live"}}
	if got, want := changeText(s), "served by alias live"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What holds all waves is told in the same words for each.
func TestWaitsTellsTheWaveOnlyAlone(t *testing.T) {
	f := &observer{Situation: Situation{Zone: time.UTC}}
	wave := plan.Held{By: plan.ByWave, Reason: "wave 2 of 3"}
	approval := plan.Held{By: plan.ByApproval, Reason: "needs one"}
	both := approval
	both.Also = []plan.Held{wave}
	if got, want := f.heldText(both), f.heldText(approval); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := f.heldText(plan.Held{By: wave.By, Reason: wave.Reason}), "Held by wave (wave: wave 2 of 3)."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package notify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// Hundreds of grants of one layer are one fact, whether they were made, failed or wait;
// the approval that they wait for names whom they are for.
func TestSharesAreOneFact(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	layer := state.NewLayerARN("aws", "ap-northeast-1", "123456789012", "common")
	step := func(n int64, to string) plan.Step {
		return plan.Step{ID: fmt.Sprintf("share/common/%d/%s", n, to), Kind: plan.KindShare, Layer: "common", LayerARN: layer, To: layer.Version(n),
			Cause: plan.CauseChange, Reason: "share_with names it", Sharing: new(plan.Sharing(state.NewGrant(to)))}
	}
	entry := func(n int64, to string, status plan.Status) history.Entry {
		s := step(n, to)
		return history.Entry{ID: fmt.Sprint(n, to), Round: history.Round{Environment: "prod", Region: "ap-northeast-1", Rollout: "r"}, Status: status, Error: map[bool]string{true: "AWS said no"}[status == plan.StatusFailed],
			Action: history.Action{Step: s.ID, Kind: s.Kind, Layer: s.Layer, LayerARN: layer, To: s.To, Cause: s.Cause, Sharing: s.Sharing}, Started: now, Ended: now}
	}
	facts := func(s notify.Situation) (list []notify.Fact) {
		s.Environment, s.Now, s.Zone = "prod", now, time.UTC
		for _, f := range notify.Facts(s).Facts {
			if k := f.ID.Kind; k == notify.ChangeApplied || k == notify.ApplyFailed || k == notify.ChangeHeld || k == notify.ApprovalNeeded {
				list = append(list, f)
			}
		}
		return list
	}
	check := func(name string, got []notify.Fact, title, says string) {
		t.Helper()
		if len(got) != 1 {
			t.Errorf("%s: %d facts", name, len(got))
		} else if !strings.HasSuffix(got[0].Title, ": "+title) || !strings.Contains(fmt.Sprint(got[0].Sections), says) {
			t.Errorf("%s: %s: %+v", name, got[0].Title, got[0].Sections)
		}
	}
	var made, failed []history.Entry
	held := plan.Region{Want: desired.Environment{Name: "prod", Region: "ap-northeast-1", Zone: time.UTC}, ObservedAt: now}
	for n := range int64(100) {
		for _, to := range []string{"210987654321", state.Everybody} {
			made, failed = append(made, entry(n+1, to, plan.StatusApplied)), append(failed, entry(n+1, to, plan.StatusFailed))
			held.Steps = append(held.Steps, step(n+1, to))
		}
	}
	check("made", facts(notify.Situation{Ended: made}), "the sharing of common was changed", "100 versions: shared with 210987654321")
	check("failed", facts(notify.Situation{Ended: failed}), "the sharing of common could not be changed: 200 grants", "AWS said no")
	for by, want := range map[plan.By][2]string{
		plan.ByMode:     {"the sharing of common waits", "100 versions: shared with every AWS account"},
		plan.ByApproval: {"a plan of 200 changes needs an approval", "share common with 210987654321"},
	} {
		r := held
		r.Steps = append([]plan.Step(nil), held.Steps...)
		for i := range r.Steps {
			r.Steps[i].Held = &plan.Held{By: by, Reason: "why"}
		}
		p := plan.Plan{Environment: "prod", Digest: "d", Regions: []plan.Region{r}}
		check(string(by), facts(notify.Situation{Plan: &p}), want[0], want[1])
	}
}

package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

func TestQuarantine(t *testing.T) {
	bad := ruling.Quarantine{Environment: "prod", Region: tokyo, Layer: common, Number: 5, Semver: "1.4.0", Reason: "too many errors", At: noon}
	byHand := bad
	byHand.ByPerson, byHand.RevertTo, byHand.By, byHand.Reason = true, 4, "sato", "it leaks"
	with := func(q ruling.Quarantine, edit func(*ruling.Quarantine)) ruling.Quarantine {
		edit(&q)
		return q
	}
	for _, tc := range []struct {
		name   string
		in     Input
		q      ruling.Quarantine
		want   string
		reason string // part of why it is held or done
		lifted bool
	}{
		{"it is held", scene("1.4.0", 4, 4), bad, "attach change 4>5 held by quarantine", "5 (1.4.0) failed here on Tue 2026-11-24 12:00 UTC: too many errors", false},
		{"on a new function too", scene("1.4.0", 0, unknown), bad, "attach change 0>5 held by quarantine", "failed here", false},
		{"another function", scene("1.4.0", 4, 4), with(bad, func(q *ruling.Quarantine) { q.Functions = "g*" }), "attach change 4>5", "Git asks", false},
		{"this function", scene("1.4.0", 4, 4), with(bad, func(q *ruling.Quarantine) { q.Functions = "?" }), "attach change 4>5 held by quarantine", "failed here", false},
		{"another Region", scene("1.4.0", 4, 4), with(bad, func(q *ruling.Quarantine) { q.Region = "us-east-1" }), "attach change 4>5", "Git asks", false},
		{"another layer", scene("1.4.0", 4, 4), with(bad, func(q *ruling.Quarantine) { q.Layer = arnOf("ml") }), "attach change 4>5", "Git asks", false},
		{"one that has ended", scene("1.4.0", 4, 4), with(bad, func(q *ruling.Quarantine) { q.Ended = noon }), "attach change 4>5", "Git asks", false},
		{"Git asks for another number", scene("1.2.0", 4, 4), bad, "rollback change 4>3", "Git asks", true},
		{"a pin asks for it still", func() Input {
			in := scene("1.2.0", 4, 4)
			in.Regions[0].Want.Layers[0].Pins = []desired.Pin{{Functions: []desired.Selector{{Name: "nobody"}}, Version: mustVersion("5"), Until: noon.AddDate(1, 0, 0)}}
			return in
		}(), bad, "rollback change 4>3", "Git asks", false},
		{"somebody changed what was returned", scene("1.4.0", 3, 4), bad, "attach drift 3>4", "layerd applied 4 (1.3.0)", false},
		{"somebody brought it back", scene("1.4.0", 5, 4), bad, "attach drift 5>4", "layerd applied 4 (1.3.0)", false},
		{"a function that was left alone and is not what was applied", scene("1.4.0", 3, 5), bad, "attach drift 3>5 held by quarantine", "failed here", false},
		{"an alias that was left alone", aliased("1.4.0", 5, 5, 4), bad, "serve drift 3>+ held by quarantine", "failed here", false},
		{"by hand", scene("1.4.0", 5, 5), byHand, "rollback rollback 5>4", "rolled back by sato: it leaks", false},
		{"by hand, without a past", scene("1.4.0", 5, unknown), byHand, "rollback rollback 5>4", "rolled back by sato: it leaks", false},
		{"by hand, some functions only", scene("1.4.0", 5, 5), with(byHand, func(q *ruling.Quarantine) { q.Functions = "g" }), "", "", false},
		{"by hand, to none", scene("1.4.0", 5, 5), with(byHand, func(q *ruling.Quarantine) { q.RevertTo = 0 }), "detach rollback 5>0", "rolled back by sato", false},
		{"by hand, and done", scene("1.4.0", 4, 4), byHand, "attach change 4>5 held by quarantine", "was rolled back by sato: it leaks", false},
		{"by hand, done, and changed by somebody else", scene("1.4.0", 3, 4), byHand, "attach drift 3>4", "layerd applied 4 (1.3.0)", false},
		{"by hand, and it never had the layer", scene("1.4.0", 0, unknown), byHand, "attach change 0>5 held by quarantine", "was rolled back by sato", false},
		{"by hand, where only callers have it", aliased("1.4.0", 4, 5, 5), byHand, "rollback rollback", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.Quarantines = []ruling.Quarantine{tc.q}
			r := only(t, tc.in)
			if tc.want == "rollback rollback" { // the alias alone
				if got := told(r); got != "serve rollback 3>+" {
					t.Errorf("got %s", got)
				}
				return
			}
			if got := told(r); got != tc.want {
				t.Fatalf("got %s\nwant %s", got, tc.want)
			}
			if (len(r.Lifted) == 1) != tc.lifted {
				t.Errorf("lifted %+v", r.Lifted)
			}
			if tc.want == "" {
				return
			}
			reason := r.Steps[0].Reason
			if h := r.Steps[0].Held; h != nil {
				reason = h.Reason
			}
			if !strings.Contains(reason, tc.reason) {
				t.Errorf("reason %q, want %q", reason, tc.reason)
			}
		})
	}
}

func TestTugOfWar(t *testing.T) {
	for count, want := range []string{"attach drift 3>4", "attach drift 3>4", "attach drift 3>4", "attach drift 3>4 held by tug_of_war", "attach drift 3>4 held by tug_of_war"} {
		in := scene("1.3.0", 3, 4)
		in.Regions[0].Past.Functions["f"] = plan.FunctionPast{
			Applied: map[state.LayerARN]int64{common: 4}, Heals: map[state.LayerARN]plan.Heals{common: {Count: count, Last: noon.Add(-time.Hour)}},
		}
		r := only(t, in)
		if got := told(r); got != want {
			t.Errorf("after %d heals: %s, want %s", count, got, want)
		}
		if s := r.Steps[0]; s.Held != nil && !strings.Contains(s.Held.Reason, "ignore_changes = [layers]") {
			t.Errorf("reason %q", s.Held.Reason)
		}
	}
	// A change of Git is not drift, and is made.
	in := scene("1.4.0", 3, 4)
	in.Regions[0].Past.Functions["f"] = plan.FunctionPast{Applied: map[state.LayerARN]int64{common: 4}, Heals: map[state.LayerARN]plan.Heals{common: {Count: 9, Last: noon}}}
	if got := told(only(t, in)); got != "attach change 3>5" {
		t.Error(got)
	}
	// The same of an alias that somebody moves back.
	in = aliased("1.3.0", 4, 4, 3)
	in.Regions[0].Past.Functions["f"] = plan.FunctionPast{Applied: map[state.LayerARN]int64{common: 4}, Heals: map[state.LayerARN]plan.Heals{common: {Count: 3, Last: noon}}}
	if got := told(only(t, in)); got != "serve drift 3>+ held by tug_of_war" {
		t.Error(got)
	}
}

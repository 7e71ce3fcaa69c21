package why

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

const function = "makoto-chat-prod"

var now = time.Date(2026, 11, 25, 1, 30, 0, 0, time.UTC)

// world is a function that three layers are wanted on: it has the second as it
// should, the first and the third in an older version, and a step for the first.
func world(t *testing.T) Place {
	t.Helper()
	arn := func(name string) state.LayerARN {
		return state.NewLayerARN("aws", "ap-northeast-1", "123456789012", name)
	}
	r := plan.Region{Want: desired.Environment{Name: "prod", Region: "ap-northeast-1", Zone: time.UTC, Calendar: window.Calendar{Zone: time.UTC}}}
	f := state.Function{Name: function, Runtime: "python3.11"}
	for i, name := range []string{"common", "ml", "third"} {
		v, err := desired.ParseVersion(strconv.Itoa([]int{13, 4, 7}[i]))
		if err != nil {
			t.Fatal(err)
		}
		r.Want.Layers = append(r.Want.Layers, desired.LayerWish{
			Name: name, Layer: arn(name), Owned: true, Version: v, Functions: []desired.Selector{{Name: "makoto-*"}},
		})
		f.Layers = append(f.Layers, arn(name).Version([]int64{11, 4, 6}[i]))
	}
	r.Steps = []plan.Step{
		{ID: "attach/common/another-prod", Kind: plan.KindAttach, Layer: "common", LayerARN: arn("common"), Function: "another-prod"},
		{ID: "attach/common/" + function, Kind: plan.KindAttach, Layer: "common", LayerARN: arn("common"), Function: function, Cause: plan.CauseChange,
			From: arn("common").Version(11), To: arn("common").Version(13), FromVersion: "1.4.0", ToVersion: "1.4.2", Held: &plan.Held{By: plan.ByApproval}},
	}
	r.Blocked = []plan.Blocked{{Function: function, Layer: "third", Reason: "it would have 6 layers, and AWS allows 5"}}
	return Place{Region: r, Digest: "d1", Have: &state.Snapshot{Functions: []state.Function{f}}}
}

func TestAsk(t *testing.T) {
	place := world(t)
	vendor := state.LayerVersionARN("arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog:98")
	f := &place.Have.Functions[0]
	f.Layers = append(f.Layers, vendor)
	place.Region.Want.Unmanaged = []string{"arn:aws:lambda:*:464622532012:layer:*"}
	put := history.Entry{Action: history.Action{LayerARN: place.Region.Want.Layers[1].Layer}, ToNumber: 4}
	place.Put = map[state.LayerARN]history.Entry{put.LayerARN: put}
	place.Aliases = []Alias{{"live", "7", f.Layers[:1]}, {"same", "8", f.Layers}}
	elsewhere := world(t)
	elsewhere.Region.Want.Name, elsewhere.Region.Want.Layers = "dev", nil
	gone := Place{Region: plan.Region{Want: desired.Environment{Name: "old"}}, Have: &state.Snapshot{}, Changes: []history.Entry{put}}
	never := Place{Region: plan.Region{Want: desired.Environment{Name: "other"}}, Have: &state.Snapshot{}}

	a := Ask(function, []Place{place, elsewhere, gone, never})
	if len(a.Environments) != 2 || a.Environments[1].Region.Want.Name != "old" || a.Environments[1].Exists {
		t.Fatalf("answered by %+v", a.Environments)
	}
	e := a.Environments[0]
	common, ml := e.Layers[0], e.Layers[1]
	if !e.Exists || !e.Selected || len(e.Region.Steps) != 1 {
		t.Errorf("what is about it: %+v", e)
	}
	if common.Status != Held || common.Have != 11 || common.HaveVersion != "1.4.0" || common.Want != 13 || common.Step.Function != function {
		t.Errorf("the held layer: %+v", common)
	}
	if ml.Status != InSync || ml.Want != 4 || ml.PutBy == nil {
		t.Errorf("the layer in sync: %+v", ml)
	}
	if len(e.Others) != 1 || e.Others[0] != (Other{vendor, "unmanaged"}) {
		t.Errorf("others: %+v", e.Others)
	}
	if len(e.Behind) != 2 || e.Behind[0].Alias != "live" || e.Behind[0].Serves != "" {
		t.Errorf("behind: %+v", e.Behind)
	}
	if a := Ask(function, []Place{elsewhere}); len(a.Environments) != 1 || a.Environments[0].Selected || len(a.Environments[0].Others) != 3 {
		t.Errorf("where nothing selects it: %+v", a.Environments)
	}
}

// An approval is told where it covers the step, and nowhere else.
func TestApproval(t *testing.T) {
	place := world(t)
	line := plan.Line("ap-northeast-1", place.Region.Steps[1])
	for name, tt := range map[string]struct {
		a    ruling.Approval
		want bool
	}{
		"of this plan":            {ruling.Approval{Digest: "d1", By: "鈴木", At: now}, true},
		"of another plan":         {ruling.Approval{Digest: "x", By: "鈴木", At: now}, false},
		"bound, begun":            {ruling.Approval{Digest: "x", Scope: []string{line}, By: "鈴木", At: now, Begun: now}, true},
		"bound to something else": {ruling.Approval{Digest: "d1", Scope: []string{"y"}, By: "鈴木", At: now}, false},
	} {
		place.Approvals = []ruling.Approval{tt.a}
		v := Ask(function, []Place{place})
		got := v.Environments[0].Layers[0].Approval
		if (got != nil) != tt.want || got != nil && !got.Begun.Equal(tt.a.Begun) {
			t.Errorf("%s: %+v", name, got)
		}
		if other := v.Environments[0].Layers[1].Approval; other != nil {
			t.Errorf("%s: a layer without a step has %+v", name, other)
		}
	}
}

// A function is blocked as a whole: a layer that is not the reason, and has no
// step for that reason, is not in sync because of it.
func TestBlockedAsAWhole(t *testing.T) {
	place := world(t)
	place.Region.Steps, place.Region.Drift = nil, nil
	status := func() (all []Status) {
		for _, l := range Ask(function, []Place{place}).Environments[0].Layers {
			all = append(all, l.Status)
		}
		return all
	}
	if got := status(); !slices.Equal(got, []Status{Blocked, InSync, Blocked}) {
		t.Errorf("blocked: %v", got)
	}
	place.Region.Blocked = nil
	place.Region.Failure = &plan.Failure{Code: "x", Message: "no"}
	if got := status(); !slices.Equal(got, []Status{Unknown, Unknown, Unknown}) {
		t.Errorf("failed: %v", got)
	}
}

func TestNotSelected(t *testing.T) {
	f := state.Function{Name: "makoto-api-prod", Runtime: "python3.11", Architecture: "arm64", Tags: map[string]string{"team": "web"}}
	at := func(line int) desired.Position { return desired.Position{File: "e.yaml", Line: line} }
	for _, tt := range []struct {
		name   string
		wish   desired.LayerWish
		reason string
		line   int
	}{
		{"except", desired.LayerWish{Functions: []desired.Selector{{Name: "*", At: at(1)}}, Except: []desired.Selector{{Name: "x", At: at(2)}, {Name: "makoto-*", At: at(3)}}}, "except takes it away", 3},
		{"the nearest name", desired.LayerWish{Functions: []desired.Selector{{Name: "billing-*", At: at(1)}, {Name: "makoto-api-dev", At: at(2)}}}, "the name does not match", 2},
		{"the runtime", desired.LayerWish{Functions: []desired.Selector{{Name: "makoto-api-pro", At: at(1)}, {Name: "makoto-*", Runtime: "python3.12", At: at(2)}}}, "its runtime is python3.11", 2},
		{"a tag's value", desired.LayerWish{Functions: []desired.Selector{{Tags: map[string]string{"team": "platform"}, At: at(4)}}}, "its tag team is web", 4},
		{"a tag", desired.LayerWish{Functions: []desired.Selector{{Tags: map[string]string{"tier": "*"}, At: at(4)}}}, "it has no tag tier", 4},
		{"architecture", desired.LayerWish{Functions: []desired.Selector{{Name: "*", Architecture: "x86_64", At: at(4)}}}, "its architecture is arm64", 4},
		{"attached", desired.LayerWish{Functions: []desired.Selector{{Attached: true, At: at(4)}}}, "it does not have the layer", 4},
		{"nothing", desired.LayerWish{At: at(9)}, "it has no selector", 9},
	} {
		if got := notSelected(tt.wish, f); got.Reason != tt.reason || got.Line.Line != tt.line {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

// What Git has taken back, or advises against, is part of why a function has it.
func TestWithdrawnIsTold(t *testing.T) {
	place := world(t)
	w := &place.Region.Want.Layers[1] // as it should
	w.Known, w.Yanked, w.Deprecated = map[string]int64{"1.4.0": 4}, map[string]string{"1.4.0": "CVE-2026-1"}, map[string]string{"1.4.0": "use 1.5", "1.3.0": "no"}
	l := Ask(function, []Place{place}).Environments[0].Layers
	if l[1].Yanked != "CVE-2026-1" || l[1].Deprecated != "use 1.5" || l[1].Status != InSync {
		t.Errorf("got yanked %q, deprecated %q, %s", l[1].Yanked, l[1].Deprecated, l[1].Status)
	}
	if l[0].Yanked != "" || l[0].Deprecated != "" {
		t.Errorf("another layer is %+v", l[0])
	}
}

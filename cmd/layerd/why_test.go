package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/round"

	"github.com/layerd/layerd/internal/plan"

	"charm.land/lipgloss/v2"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

const whyFunction = "makoto-会話-prod"

// whyWorld has one of everything that why can say of a selected function.
func whyWorld(t *testing.T) whyPlace {
	t.Helper()
	at := func(file string, line int) desired.Position { return desired.Position{File: file, Line: line} }
	glob := []desired.Selector{{Name: "makoto-*-prod", At: at("layerd.yaml", 5)}}
	r := testRegionPlan(t, "prod")
	version := func(text string) desired.Version {
		v, err := desired.ParseVersion(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	arn := func(name string) state.LayerARN { return state.NewLayerARN("aws", testRegion, "123456789012", name) }
	r.Want.Unmanaged = []string{"arn:aws:lambda:*:464622532012:layer:*"}
	r.Want.Layers = []desired.LayerWish{
		{Name: "makoto-common", Layer: arn("makoto-common-prod"), Owned: true, Version: version("1.4.2"), At: at("environments/prod.yaml", 7), Functions: glob},
		{Name: "makoto-ml", Layer: arn("makoto-ml-prod"), Owned: true, Version: version("2.0.0"), At: at("environments/prod.yaml", 8), Functions: glob,
			Pins: []desired.Pin{{Functions: glob, Version: version("1.9.0"), Until: testNow.Add(48 * time.Hour), Owner: "鈴木", Reason: "2.0.0 needs python3.12", At: at("environments/prod.yaml", 12)}}},
		{Name: "makoto-third", Layer: arn("makoto-third-prod"), Owned: true, Version: version("3.0.0"), At: at("environments/prod.yaml", 9), Functions: glob},
	}
	step := attach(whyFunction, 11, 13)
	step.LayerARN, step.FromVersion = arn("makoto-common-prod"), "1.4.0"
	r.Steps = []plan.Step{
		attach("another-prod", 12, 13),
		held(step, plan.ByApproval, r.Window.NextOpen, "needs an approval of this plan", plan.Held{By: plan.ByWindow, Until: r.Window.NextOpen, Reason: r.Window.Reason}),
	}
	r.Drift = []plan.Drift{{Kind: plan.DriftWrongVersion, Layer: "makoto-common", Function: whyFunction, Since: testNow.Add(-3 * time.Hour), Reason: "12 (1.4.1) was applied, and the function has 11 (1.4.0)"}}
	r.Blocked = []plan.Blocked{{Function: whyFunction, Layer: "makoto-third", Reason: "it would have 6 layers, and AWS allows 5"}}
	vendor := state.LayerVersionARN("arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog:98")
	f := state.Function{Name: whyFunction, Runtime: "python3.11", Layers: []state.LayerVersionARN{layer("makoto-common-prod", 11), vendor, layer("makoto-ml-prod", 4), layer("stray", 1)}}
	snap := &state.Snapshot{Functions: []state.Function{f}, Layers: []state.Layer{{ARN: arn("makoto-ml-prod"), Versions: []state.LayerVersion{{Number: 4, Description: "ML v1.9.0"}}}}}
	put := history.Entry{
		Round: history.Round{Environment: "prod", Region: testRegion, Revision: strings.Repeat("cd34", 10), Author: "佐藤", ApprovedBy: "鈴木", Fencing: 57},
		Action: history.Action{
			Kind: plan.KindAttach, Cause: plan.CauseChange, Layer: "makoto-ml", Function: whyFunction, From: layer("makoto-ml-prod",
				3), To: layer("makoto-ml-prod", 4), FromVersion: "1.8.0", ToVersion: "1.9.0",
		},
		ToNumber: 4, Status: plan.StatusApplied, Started: testNow.AddDate(0, 0, -4), RequestID: "8f2c1a",
	}
	failed := put
	failed.Status, failed.Error, failed.Started = plan.StatusFailed, "AccessDeniedException: not authorized", testNow.AddDate(0, 0, -5)
	return whyPlace{
		region: r, digest: testDigest, snap: snap, changes: []history.Entry{put, failed}, put: map[state.LayerARN]history.Entry{arn("makoto-ml-prod"): put},
		aliases: []servedAlias{{"live", "7", []state.LayerVersionARN{layer("makoto-common-prod", 10), layer("makoto-ml-prod", 4)}}, {"same", "8", f.Layers}},
	}
}

// Whoever asks why in the middle of a rollout is told where that is, and a
// function that does not go back with the others, why.
func TestWhyInARollout(t *testing.T) {
	place := whyWorld(t)
	place.region.Rollout = &rollout.Rollout{Stage: rollout.StageRollingBack, Wave: 2, Waves: 4, Revision: "ab12cd34ef", Reason: "the alarm 5xx rings"}
	place.region.LeftAlone = []string{"another-prod", whyFunction}
	back := place.put[place.region.Want.Layers[1].Layer]
	back.Cause, back.Reason = plan.CauseRollback, "rolled back by 佐藤: it times out"
	place.put[back.To.Layer()] = back
	v := answerWhy(round.Result{Past: "store"}, []whyPlace{place}, whyFunction)
	text := strings.Join(strings.Fields(renderWhy(v, []whyPlace{place}, &roundFlags{}, palette{}, 80, testNow)), " ")
	for _, want := range []string{
		"· the rollout of ab12cd3: going back: the alarm 5xx rings",
		"· left alone: somebody else has changed it since the rollout",
		"for rollback, revision cd34cd3 by 佐藤, approved by 鈴木: rolled back by 佐藤: it times out",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestRenderWhy(t *testing.T) {
	place := whyWorld(t)
	f := &roundFlags{repo: repoFlags{repo: "."}}
	v := answerWhy(round.Result{Past: "store", Revision: strings.Repeat("ab12", 10)}, []whyPlace{place}, whyFunction)
	text := renderWhy(v, []whyPlace{place}, f, palette{}, 80, testNow)
	golden(t, "why.txt", text)
	for line := range strings.Lines(text) {
		if lipgloss.Width(strings.TrimRight(line, "\n")) > 80 && !strings.Contains(line, "layerd approve") {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "why.json", string(data)+"\n")
	if strings.Contains(string(data), "null") {
		t.Error("a list is null")
	}
}

// An approval is told where it covers the step, and nowhere else.
func TestWhyApproval(t *testing.T) {
	place := whyWorld(t)
	line := plan.Line(testRegion, place.region.Steps[1])
	for name, tt := range map[string]struct {
		a    ruling.Approval
		want bool
	}{
		"of this plan":            {ruling.Approval{Digest: testDigest, By: "鈴木", At: testNow}, true},
		"of another plan":         {ruling.Approval{Digest: "x", By: "鈴木", At: testNow}, false},
		"bound, begun":            {ruling.Approval{Digest: "x", Scope: []string{line}, By: "鈴木", At: testNow, Begun: testNow}, true},
		"bound to something else": {ruling.Approval{Digest: testDigest, Scope: []string{"y"}, By: "鈴木", At: testNow}, false},
	} {
		place.given = []ruling.Approval{tt.a}
		v := answerWhy(round.Result{}, []whyPlace{place}, whyFunction)
		got := v.Environments[0].Layers[0].Approval
		if (got != nil) != tt.want || got != nil && (got.Until == "") != !tt.a.Begun.IsZero() {
			t.Errorf("%s: %+v", name, got)
		}
		if other := v.Environments[0].Layers[1].Approval; other != nil {
			t.Errorf("%s: a layer without a step has %+v", name, other)
		}
	}
}

// A function is blocked as a whole: a layer that is not the reason, and has no
// step for that reason, is not in sync because of it.
func TestWhyBlockedAsAWhole(t *testing.T) {
	place := whyWorld(t)
	place.region.Steps, place.region.Drift = nil, nil
	status := func() (all []string) {
		for _, l := range answerWhy(round.Result{}, []whyPlace{place}, whyFunction).Environments[0].Layers {
			all = append(all, l.Status)
		}
		return all
	}
	if got := strings.Join(status(), " "); got != "blocked in_sync blocked" {
		t.Errorf("blocked: %s", got)
	}
	place.region.Blocked = nil
	place.region.Failure = &plan.Failure{Code: "x", Message: "no"}
	if got := strings.Join(status(), " "); got != "unknown unknown unknown" {
		t.Errorf("failed: %s", got)
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
		if got := notSelected(tt.wish, f); got.Reason != tt.reason || got.Line != tt.line {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

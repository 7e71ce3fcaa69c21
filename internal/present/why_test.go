package present

import (
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/why"
)

const whyFunction = "makoto-会話-prod"

// whyWorld has one of everything that why can say of a selected function.
func whyWorld(t *testing.T) why.Place {
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
		{Name: "makoto-common", Layer: arn("makoto-common-prod"), Owned: true, Version: version("1.4.2"), At: at("environments/prod.yaml", 7), Functions: glob,
			Yanked: map[string]string{"1.4.0": "CVE-2026-1234"}, Deprecated: map[string]string{"1.4.0": "use 1.4.2"}},
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
	snap := &state.Snapshot{Functions: []state.Function{f}, Layers: []state.Layer{{ARN: arn("makoto-ml-prod"), Versions: []state.LayerVersion{{Number: 4, Description: "v1.9.0 ML"}}}}}
	put := history.Entry{
		Round: history.Round{
			Environment: "prod", Region: testRegion, Revision: strings.Repeat("cd34", 10), Author: "佐藤", ApprovedBy: "鈴木",
			Fencing: 57,
		},
		Action: history.Action{
			Kind: plan.KindAttach, Cause: plan.CauseChange, Layer: "makoto-ml", Function: whyFunction,
			From: layer("makoto-ml-prod", 3), To: layer("makoto-ml-prod", 4), FromVersion: "1.8.0", ToVersion: "1.9.0",
		},
		ToNumber: 4, Status: plan.StatusApplied, Started: testNow.AddDate(0, 0, -4), RequestID: "8f2c1a",
	}
	failed := put
	failed.Status, failed.Error, failed.Started = plan.StatusFailed, "AccessDeniedException: not authorized", testNow.AddDate(0, 0, -5)
	return why.Place{
		Region: r, Digest: testDigest, Have: snap, Changes: []history.Entry{put, failed}, Put: map[state.LayerARN]history.Entry{arn("makoto-ml-prod"): put},
		Aliases: []why.Alias{{Name: "live", Version: "7", Layers: []state.LayerVersionARN{layer("makoto-common-prod", 10), layer("makoto-ml-prod", 4)}}, {Name: "same", Version: "8", Layers: f.Layers}},
	}
}

// Whoever asks why in the middle of a rollout is told where that is, and a
// function that does not go back with the others, why.
func TestWhyInARollout(t *testing.T) {
	place := whyWorld(t)
	place.Region.Rollout = &rollout.Rollout{Stage: rollout.StageRollingBack, Wave: 2, Waves: 4, Revision: "ab12cd34ef", Reason: "the alarm 5xx rings"}
	place.Region.LeftAlone = []string{"another-prod", whyFunction}
	back := place.Put[place.Region.Want.Layers[1].Layer]
	back.Cause, back.Reason = plan.CauseRollback, "rolled back by 佐藤: it times out"
	place.Put[back.To.Layer()] = back
	a := why.Ask(whyFunction, []why.Place{place})
	text := strings.Join(strings.Fields(Why(a, plan.Report{Past: "store"}, testView())), " ")
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

// A step that moved an alias has no layer version from or to which it went.
func TestWhyNamesTheAliasThatWasMoved(t *testing.T) {
	for after, want := range map[string]string{
		"7": "applied serve alias live: function version 6 → 7 for change",
		"":  "applied serve alias live: function version 6 for change",
	} {
		place := whyWorld(t)
		moved := place.Changes[0]
		moved.Kind, moved.From, moved.To, moved.FromVersion, moved.ToVersion = plan.KindServe, "", "", "", ""
		moved.Alias, moved.AliasBefore, moved.AliasAfter = "live", "6", after
		place.Changes = []history.Entry{moved}
		text := strings.Join(strings.Fields(Why(why.Ask(whyFunction, []why.Place{place}), plan.Report{Past: "store"}, testView())), " ")
		if !strings.Contains(text, want) || strings.Contains(text, "none → none") {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestRenderWhy(t *testing.T) {
	place := whyWorld(t)
	a, of := why.Ask(whyFunction, []why.Place{place}), plan.Report{Past: "store", Revision: strings.Repeat("ab12", 10)}
	text := Why(a, of, testView())
	golden(t, "why.txt", text)
	golden(t, "why-40.txt", Why(a, of, narrowView()))
	for line := range strings.Lines(text) {
		if lipgloss.Width(strings.TrimRight(line, "\n")) > 80 && !strings.Contains(line, "layerd approve") {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
	data, err := JSON(WhyDocument(a, of))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "why.json", data)
	if strings.Contains(data, "null") {
		t.Error("a list is null")
	}
}

package present

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

const (
	testDigest = "3f2a9c4100000000000000000000000000000000000000000000000000000000"
	testRegion = "ap-northeast-1"
)

// testNow is a Wednesday morning in Tokyo.
var testNow = time.Date(2026, 11, 25, 1, 30, 0, 0, time.UTC)

func tokyo(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func saturday(t *testing.T) window.Calendar {
	t.Helper()
	w, err := window.Parse("Saturday 02:00-06:00", tokyo(t))
	if err != nil {
		t.Fatal(err)
	}
	return window.Calendar{Windows: []window.Window{w}, Zone: tokyo(t)}
}

// layer is a layer version of the test account.
func layer(name string, n int64) state.LayerVersionARN {
	return state.NewLayerARN("aws", testRegion, "123456789012", name).Version(n)
}

func attach(function string, from, to int64) plan.Step {
	s := plan.Step{
		ID: "attach/makoto-common/" + function, Kind: plan.KindAttach, Layer: "makoto-common", Function: function,
		From: layer("makoto-common-prod", from), To: layer("makoto-common-prod", to), FromVersion: "1.4.1", ToVersion: "1.4.2",
		Cause: plan.CauseChange, Reason: "Git wants 1.4.2, which is version 13; the function has 12 (1.4.1)",
	}
	if from == 0 {
		s.From, s.FromVersion, s.New = "", "", true
	}
	return s
}

func prune(n int64, semver string) plan.Step {
	return plan.Step{
		ID: fmt.Sprintf("prune/makoto-common/%d", n), Kind: plan.KindPrune, Layer: "makoto-common",
		From: layer("makoto-common-prod", n), FromVersion: semver, Cause: plan.CauseRetention,
		Reason: "outside the newest 5, and nothing needs it",
	}
}

func held(s plan.Step, by plan.By, until time.Time, reason string, also ...plan.Held) plan.Step {
	s.Held = &plan.Held{By: by, Until: until, Reason: reason, Also: also}
	return s
}

func ended(s plan.Step, status plan.Status, problem string) plan.Step {
	s.Result = &plan.Result{Status: status, Error: problem}
	return s
}

func functions(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("makoto-関数-%03d-prod", i+1))
	}
	return names
}

func testRegionPlan(t *testing.T, name string) plan.Region {
	t.Helper()
	calendar := saturday(t)
	return plan.Region{
		Want: desired.Environment{
			Name: name, Account: "123456789012", Region: testRegion, Zone: tokyo(t), Calendar: calendar,
			Layers: []desired.LayerWish{{Name: "makoto-common"}},
		},
		ObservedAt: testNow, Window: calendar.At(testNow), Cost: plan.Cost{Calls: 21, Seconds: 4.2},
	}
}

// busyWorld has one of everything that a plan can say.
func busyWorld(t *testing.T) plan.Report {
	t.Helper()
	r := testRegionPlan(t, "prod")
	r.Want.ApprovalRequired = true
	open := r.Window.NextOpen
	closed := plan.Held{By: plan.ByWindow, Until: open, Reason: r.Window.Reason}
	for _, f := range functions(212) {
		r.Steps = append(r.Steps, held(attach(f, 12, 13), plan.ByApproval, open, "needs an approval of this plan", closed))
	}
	r.Steps = append(r.Steps, held(attach("makoto-新規-prod", 0, 13), plan.ByApproval, open, "needs an approval of this plan", closed))
	heal := attach("makoto-会話ハンドラー-prod", 11, 12)
	heal.Cause, heal.Reason, heal.FromVersion, heal.ToVersion = plan.CauseDrift, "layerd applied 12 (1.4.1) here and the function has 11", "1.4.0", "1.4.1"
	r.Steps = append(r.Steps, heal, prune(3, "1.0.0"),
		held(prune(4, "1.0.1"), plan.ByGrace, testNow.Add(20*time.Hour), "a version must be a candidate for 24h before it is pruned"))
	r.Drift = []plan.Drift{{
		Kind: plan.DriftWrongVersion, Layer: "makoto-common", Function: "makoto-会話ハンドラー-prod", Want: string(layer("makoto-common-prod", 12)),
		Have: string(layer("makoto-common-prod", 11)), Since: testNow.Add(-3 * time.Hour), Reason: "12 (1.4.1) was applied, and the function has 11 (1.4.0)",
	}}
	r.Blocked = []plan.Blocked{
		{Function: "makoto-ocr-prod", Reason: "a container image has no layers", Permanent: true},
		{Function: "makoto-五枚-prod", Layer: "makoto-common", Reason: "it has five layers already, the most that AWS allows"},
	}
	r.Kept = []plan.Kept{
		{Layer: "makoto-common", Version: 13, Semver: "1.4.2", Reason: "among the newest 5"},
		{Layer: "makoto-common", Version: 12, Semver: "1.4.1", Reason: "among the newest 5"},
		{Layer: "makoto-common", Version: 2, Reason: "used by makoto-api-prod:12"},
	}
	r.Behind = []plan.Behind{{
		Function: "makoto-会話ハンドラー-prod", Alias: "live", Version: "7", Layer: "makoto-common",
		Serves: layer("makoto-common-prod", 11), Latest: layer("makoto-common-prod", 13),
	}}
	r.Notes = []plan.Note{{Code: "newer_twin", Message: "makoto-common: version 14 also says it is 1.4.2; layerd stays at 13, which was applied first"}}
	r.Unselected, r.Next = 2, open
	calm := testRegionPlan(t, "dev")
	calm.InSync = true
	return plan.Report{
		Past: "store", Revision: strings.Repeat("ab12", 10), Plans: []plan.Plan{
			{Environment: "dev", Regions: []plan.Region{calm}},
			{Environment: "prod", Digest: testDigest, Lines: []string{"one"}, Regions: []plan.Region{r}},
		},
		Problems: []desired.Problem{{
			Position: desired.Position{File: "environments/staging.yaml", Line: 4, Column: 3}, Code: "unknown_key", Environment: "staging",
			Message: `unknown key "chnage_window"`, Suggestion: "did you mean change_window?", Severity: desired.Error,
		}},
		Skipped: []string{"staging"},
	}
}

// appliedWorld is what apply made of a plan in which everything happened.
func appliedWorld(t *testing.T) plan.Report {
	t.Helper()
	r := testRegionPlan(t, "prod")
	for i, f := range functions(12) {
		s := ended(attach(f, 12, 13), plan.StatusApplied, "")
		switch {
		case i == 3, i == 4:
			s = ended(s, plan.StatusFailed, "UpdateFunctionConfiguration: AccessDeniedException: not authorized to perform lambda:GetLayerVersion")
			s.Result.RequestID = fmt.Sprintf("req-%d", i)
		case i == 5:
			s = ended(s, plan.StatusSkipped, "not begun: stopped")
		case i > 8:
			s = held(ended(s, plan.StatusHeld, ""), plan.ByWindow, r.Window.NextOpen, r.Window.Reason)
		}
		r.Steps = append(r.Steps, s)
	}
	r.Steps = append(r.Steps, ended(prune(3, "1.0.0"), plan.StatusApplied, ""))
	return plan.Report{Past: "store", Revision: strings.Repeat("ab12", 10), Plans: []plan.Plan{{
		Environment: "prod", Digest: testDigest, Lines: []string{"one"}, Regions: []plan.Region{r},
	}}}
}

func testView() Options {
	return Options{
		Width: 80, Now: testNow, Rate: 5, Store: "sqlite:/var/lib/layerd/layerd.db",
		Commands: Commands{
			Approve: func(env, digest string) string { return "layerd approve " + env + " " + digest + " --repo ." },
			All:     "all with -v",
			Advice: func(f plan.Failure) string {
				return map[string]string{
					"lease_held":    "--lease-timeout 2m waits, and asks whoever has it for the lease",
					"wrong_account": "use a profile of that account (AWS_PROFILE), or give the environment a role to assume",
				}[f.Code]
			},
		},
	}
}

func serve(function string, version string, weight float64) plan.Step {
	return plan.Step{
		ID: "serve/live/" + function, Kind: plan.KindServe, Layer: "makoto-common", Function: function, Cause: plan.CauseChange,
		Reason: "live serves version 7, which is to have the same layers", Serving: &plan.Serving{Qualifier: "live", Version: version, Weight: weight},
	}
}

// rolloutWorld has rollouts at each stage that a person asks about: one that
// would begin, one under way, one that halted, one that went back.
func rolloutWorld(t *testing.T) plan.Report {
	t.Helper()
	begins := testRegionPlan(t, "prod")
	begins.Want.Rollout = desired.Rollout{Waves: []desired.Wave{{Count: 1}, {Share: 0.1}}, Bake: 10 * time.Minute}
	begins.Waves = []plan.Wave{{Wave: 1, Functions: 1}, {Wave: 2, Functions: 21}, {Wave: 3, Functions: 190}}
	begins.Remaining = 42 * time.Minute
	for i, f := range functions(212) {
		one, two := attach(f, 12, 13), serve(f, "", 0.1)
		if wave := map[bool]int{true: 2, false: 3}[i < 22]; i > 0 {
			why := fmt.Sprintf("wave %d of 3: after wave %d was changed and is well", wave, wave-1)
			one, two = held(one, plan.ByWave, time.Time{}, why), held(two, plan.ByWave, time.Time{}, why)
		}
		begins.Steps = append(begins.Steps, one, two)
	}
	begins.Notes = []plan.Note{{Code: "no_alias", Message: "2 functions have no alias live: the layer is attached to $LATEST only"}}

	ro := rollout.Rollout{
		ID: "1", Revision: strings.Repeat("ab12", 10), Stage: rollout.StageBake, Wave: 2, Waves: 3, Total: 212,
		Begun: testNow.Add(-20 * time.Minute), Since: testNow.Add(-4 * time.Minute),
	}
	goesOn := testRegionPlan(t, "staging")
	goesOn.Want.Rollout, goesOn.Rollout = begins.Want.Rollout, &ro
	goesOn.Waves = []plan.Wave{{Wave: 1}, {Wave: 2}, {Wave: 3, Functions: 190}}
	goesOn.Remaining = 12 * time.Minute
	goesOn.Steps = []plan.Step{held(attach("makoto-api-staging", 12, 13), plan.ByWave, testNow.Add(6*time.Minute), "wave 2 of 3 is watched until Wed 10:36 JST")}

	halted, halt := testRegionPlan(t, "dev"), ro
	halt.Stage, halt.Reason = rollout.StageHalted, "nobody knows whether it is well: alarm エラー率 could not be read (and 1 more)"
	halt.Findings = []string{"alarm エラー率 could not be read: AccessDenied", "alarm 5xx has not enough data"}
	halted.Rollout = &halt
	halted.Steps = []plan.Step{held(attach("makoto-api-dev", 12, 13), plan.ByHealth, time.Time{},
		"the rollout halted: "+halt.Reason+"; a retry goes on, a rollback goes back")}

	wentBack, back := testRegionPlan(t, "qa"), ro
	back.Stage, back.Reason, back.Findings = rollout.StageRolledBack, "makoto-chat-qa answers with an error: No module named 'common'", []string{"x"}
	back.Ended = testNow
	wentBack.Rollout = &back
	restore := attach("makoto-chat-qa", 13, 12)
	restore.Kind, restore.Cause, restore.FromVersion, restore.ToVersion = plan.KindRollback, plan.CauseRollback, "1.4.2", "1.4.1"
	move := serve("makoto-chat-qa", "7", 0)
	move.Cause = plan.CauseRollback
	wentBack.Steps = []plan.Step{
		ended(attach("makoto-chat-qa", 12, 13), plan.StatusApplied, ""), ended(restore, plan.StatusApplied, ""), ended(move, plan.StatusApplied, ""),
		held(ended(attach("makoto-api-qa", 12, 13), plan.StatusHeld, ""), plan.ByQuarantine, time.Time{},
			"13 (1.4.2) failed here on Wed 2026-11-25 10:26 JST: "+back.Reason+"; it is lifted when Git asks for another version, or by a retry"),
	}
	wentBack.LeftAlone = []string{"makoto-notifier-qa"}
	wentBack.Notes = []plan.Note{{Code: "left_alone", Message: "1 function was changed by somebody else since the rollout and not returned: makoto-notifier-qa"}}
	r := plan.Report{Past: "store", Revision: ro.Revision}
	for _, region := range []plan.Region{halted, begins, wentBack, goesOn} {
		r.Plans = append(r.Plans, plan.Plan{Environment: region.Want.Name, Digest: testDigest, Regions: []plan.Region{region}})
	}
	return r
}

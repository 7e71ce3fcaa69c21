package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
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

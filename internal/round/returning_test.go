package round

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// decided is a decision about one layer with nine versions, of which Git asks for 9
// and 8 was yanked; its only function has 9.
func decided(past plan.LayerPast, first []int64, words ...ruling.Quarantine) (Decision, state.LayerARN) {
	arn := state.NewLayerARN("aws", "ap-northeast-1", "123456789012", "makoto-common-prod")
	live := state.Layer{ARN: arn}
	for n := int64(9); n > 0; n-- {
		live.Versions = append(live.Versions, state.LayerVersion{Number: n})
	}
	want := desired.Environment{Name: "prod", Region: "ap-northeast-1", Layers: []desired.LayerWish{{
		Name: "makoto-common", Layer: arn, Owned: true, Yanked: map[string]string{"1.8.0": "bad"},
		Version: desired.Version{Kind: desired.Number, Number: 9}, Functions: []desired.Selector{{Name: "*"}},
	}}}
	known := plan.Past{Layers: map[state.LayerARN]plan.LayerPast{arn: past}, Functions: map[string]plan.FunctionPast{}}
	for i, n := range first {
		known.Functions[strconv.Itoa(i)] = plan.FunctionPast{Original: map[state.LayerARN]int64{arn: n}}
	}
	have := &state.Snapshot{Layers: []state.Layer{live}, Functions: []state.Function{{Name: "f", Layers: []state.LayerVersionARN{arn.Version(9)}}}}
	for i := range words {
		words[i].Region, words[i].Layer = want.Region, arn
	}
	return Decision{
		Input: reconcile.Input{Quarantines: words, Regions: []reconcile.Region{{Want: want, Have: have, Past: known}}},
		Plan:  plan.Plan{Environment: "prod", Regions: []plan.Region{{Want: want, Targets: []rollout.Target{{Layer: arn, Number: 9}}}}},
	}, arn
}

var asks = Rollback{Environment: "prod", Layer: "makoto-common", By: "sato", Reason: "it leaks"}

// Where going back leads when nobody says.
func TestLastGood(t *testing.T) {
	for _, tt := range []struct {
		name  string
		past  plan.LayerPast
		first []int64
		words []ruling.Quarantine
		want  int64 // 0 = nobody knows
	}{
		{"what came through well", plan.LayerPast{Proven: 5, Applied: []int64{5, 6, 9}}, nil, nil, 5},
		{"what Git asks for came through as well", plan.LayerPast{Proven: 9, Applied: []int64{5, 7, 9}}, nil, nil, 7},
		{"but not what is in quarantine", plan.LayerPast{Proven: 9, Applied: []int64{5, 7, 9}}, nil, []ruling.Quarantine{{Number: 7}}, 5},
		{"nor what is gone", plan.LayerPast{Proven: 12, Applied: []int64{5, 11, 9}}, nil, nil, 5},
		{"nor what was yanked", plan.LayerPast{Applied: []int64{5, 8, 9}, Numbers: map[string]int64{"1.8.0": 8}}, nil, nil, 5},
		{"what was there before layerd", plan.LayerPast{Proven: 9, Applied: []int64{9}}, []int64{3, 2}, nil, 3},
		{"nobody knows", plan.LayerPast{Proven: 9, Applied: []int64{9}}, nil, nil, 0},
	} {
		d, _ := decided(tt.past, tt.first, tt.words...)
		r, err := returning(d, 0, asks)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.lastGood()
		if got != tt.want || (err == nil) != (tt.want > 0) {
			t.Errorf("%s: %d, %v, want %d", tt.name, got, err, tt.want)
		}
	}
}

// Every way to ask for what cannot be done has a code of its own, and what could be
// done instead where that is known.
func TestRefusals(t *testing.T) {
	past := plan.LayerPast{Proven: 5, Applied: []int64{5, 9}, Numbers: map[string]int64{"1.8.0": 8}}
	all := []string{"5", "7", "6", "4", "3", "2", "1"}
	for name, tt := range map[string]struct {
		ask    func(*Rollback)
		edit   func(*Decision)
		code   RefusalCode
		others []string
	}{
		"no version":              {ask: func(r *Rollback) { r.To = "yesterday" }, code: RefusedText},
		"no number":               {ask: func(r *Rollback) { r.To = "-3" }, code: RefusedText, others: all},
		"nobody's version":        {ask: func(r *Rollback) { r.To = "v7.7.7" }, code: RefusedVersion, others: all},
		"gone":                    {ask: func(r *Rollback) { r.To = "17" }, code: RefusedVersion, others: all},
		"yanked":                  {ask: func(r *Rollback) { r.To = "8" }, code: RefusedVersion, others: all},
		"what Git asks for":       {ask: func(r *Rollback) { r.To = "9" }, code: RefusedAsked, others: all},
		"no function":             {ask: func(r *Rollback) { r.Functions = "g*" }, code: RefusedFunctions},
		"no glob":                 {ask: func(r *Rollback) { r.Functions = "[" }, code: RefusedGlob},
		"another layer":           {ask: func(r *Rollback) { r.Layer = "ml" }, code: RefusedLayer},
		"in quarantine":           {ask: func(r *Rollback) { r.To = "5" }, edit: func(d *Decision) { d.Input.Quarantines[0].Number = 5 }, code: RefusedQuarantined, others: all[1:]},
		"a change":                {ask: func(r *Rollback) { r.To = "7" }, edit: has(6), code: RefusedForward, others: []string{"5", "6", "4", "3", "2", "1"}},
		"the Region was not read": {edit: func(d *Decision) { d.Plan.Regions[0].Failure = &plan.Failure{Message: "no"} }, code: RefusedUnread},
		"not resolved":            {edit: func(d *Decision) { d.Plan.Regions[0].Targets = nil }, code: RefusedInvalid},
	} {
		d, _ := decided(past, nil, ruling.Quarantine{Number: 99})
		ask := asks
		if tt.ask != nil {
			tt.ask(&ask)
		}
		if tt.edit != nil {
			tt.edit(&d)
		}
		r, err := returning(d, 0, ask)
		if err == nil {
			_, err = r.back(ask, time.Now())
		}
		refused, ok := errors.AsType[*Refusal](err)
		if !ok || refused.Code != tt.code || refused.Message == "" || !slices.Equal(refused.Others, tt.others) {
			t.Errorf("%s: %+v (%v), want %s with %v", name, refused, err, tt.code, tt.others)
		}
	}
}

// has makes the function have another number.
func has(n int64) func(*Decision) {
	return func(d *Decision) {
		f := &d.Input.Regions[0].Have.Functions[0]
		f.Layers = []state.LayerVersionARN{f.Layers[0].Layer().Version(n)}
	}
}

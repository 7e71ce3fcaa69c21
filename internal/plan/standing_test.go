package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

const standingRegion = "ap-northeast-1"

var standingLayer = state.NewLayerARN("aws", standingRegion, "123456789012", "makoto-common-prod")

// standingPast has a function for each number that it is at; original is what the
// function of the same place had before.
func standingPast(proven int64, applied []int64, at, original []int64) plan.Past {
	p := plan.Past{Functions: map[string]plan.FunctionPast{}, Layers: map[state.LayerARN]plan.LayerPast{
		standingLayer: {Applied: applied, Proven: proven},
	}}
	for i, n := range at {
		f := plan.FunctionPast{Applied: map[state.LayerARN]int64{standingLayer: n}}
		if i < len(original) && original[i] > 0 {
			f.Original = map[state.LayerARN]int64{standingLayer: original[i]}
		}
		p.Functions[fmt.Sprintf("f-%d", i)] = f
	}
	return p
}

func standingRollout(stage rollout.Stage, number, from int64, chain ...string) *rollout.Rollout {
	r := &rollout.Rollout{ID: "r", Stage: stage, Wave: 1, Waves: 3, Total: 12, Chain: chain,
		Targets: []rollout.Target{{Layer: standingLayer, Name: "makoto-common", Number: number, From: from}}}
	switch stage {
	case rollout.StageDone, rollout.StageRolledBack, rollout.StageSuperseded:
		r.Ended = time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	}
	return r
}

func quarantineOf(number, to int64, functions string) ruling.Quarantine {
	return ruling.Quarantine{Region: standingRegion, Layer: standingLayer, Number: number, RevertTo: to, ByPerson: to > 0, Functions: functions}
}

// E1: what stands is what came through a rollout, and never what one still brings or what
// failed.
func TestE1WhatStandsIsAppliedAndProven(t *testing.T) {
	type words = []ruling.Quarantine
	for _, c := range []struct {
		name         string
		past         plan.Past
		ro           *rollout.Rollout
		words        words
		want, coming int64
	}{
		{name: "nothing is known", past: plan.Past{}},
		{name: "adopted, no rollout ever", past: standingPast(0, []int64{3}, []int64{3, 3, 3}, nil), want: 3},
		{name: "adopted, one function is pinned", past: standingPast(0, []int64{2, 3}, []int64{3, 2, 3}, nil), want: 3},
		{name: "the first rollout of all, over what Git never wanted",
			past: standingPast(0, []int64{4}, []int64{4}, []int64{3, 3}), ro: standingRollout(rollout.StageBake, 4, 0), coming: 4},
		{name: "the first rollout over what was adopted",
			past: standingPast(0, []int64{3, 4}, []int64{4, 3, 3}, []int64{3}), ro: standingRollout(rollout.StageChange, 4, 0), want: 3, coming: 4},
		{name: "its last bake",
			past: standingPast(0, []int64{3, 4}, []int64{4, 4, 4}, []int64{3, 3, 3}), ro: standingRollout(rollout.StageBake, 4, 0), want: 3, coming: 4},
		{name: "a new layer, the first rollout",
			past: standingPast(0, []int64{4}, []int64{4, 4}, nil), ro: standingRollout(rollout.StageBake, 4, 0), coming: 4},
		{name: "a new layer, taken over from another rollout",
			past: standingPast(0, []int64{4, 5}, []int64{4, 5}, nil), ro: standingRollout(rollout.StageBake, 5, 0, "r0"), coming: 5},
		{name: "a new layer, the rollout was superseded and the next has not begun",
			past: standingPast(0, []int64{4}, []int64{4, 4}, nil), ro: standingRollout(rollout.StageSuperseded, 4, 0), coming: 4},
		{name: "done", past: standingPast(4, []int64{3, 4}, []int64{4, 4}, []int64{3, 3}), ro: standingRollout(rollout.StageDone, 4, 0), want: 4},
		{name: "complete and watched", past: standingPast(4, []int64{3, 4}, []int64{4, 4}, []int64{3, 3}), ro: standingRollout(rollout.StageWatching, 4, 0), want: 4},
		{name: "the next rollout", past: standingPast(4, []int64{3, 4, 5}, []int64{5, 5}, []int64{3, 3}), ro: standingRollout(rollout.StageBake, 5, 4), want: 4, coming: 5},
		{name: "it halted", past: standingPast(4, []int64{4, 5}, []int64{5, 4}, nil), ro: standingRollout(rollout.StageHalted, 5, 4), want: 4, coming: 5},
		{name: "it is superseded", past: standingPast(4, []int64{4, 5}, []int64{5, 4}, nil), ro: standingRollout(rollout.StageSuperseded, 5, 4), want: 4, coming: 5},
		{name: "it goes back", past: standingPast(4, []int64{4, 5}, []int64{5, 4}, nil), ro: standingRollout(rollout.StageRollingBack, 5, 4),
			words: words{quarantineOf(5, 0, "")}, want: 4, coming: 5},
		{name: "it went back", past: standingPast(4, []int64{5, 4}, []int64{4, 4}, nil), ro: standingRollout(rollout.StageRolledBack, 5, 4),
			words: words{quarantineOf(5, 0, "")}, want: 4},
		{name: "watched, and then an alarm rang", past: standingPast(5, []int64{4, 5}, []int64{5, 5}, nil), ro: standingRollout(rollout.StageRollingBack, 5, 4),
			words: words{quarantineOf(5, 0, "")}, want: 4},
		{name: "a person takes the proven one back", past: standingPast(5, []int64{3, 4, 5}, []int64{5, 3}, nil), ro: standingRollout(rollout.StageDone, 5, 4),
			words: words{quarantineOf(5, 3, "")}, want: 3},
		{name: "a person takes back what halted, and further than what was proven", past: standingPast(5, []int64{4, 5, 6, 3}, []int64{3, 3}, nil),
			ro: standingRollout(rollout.StageHalted, 6, 5), words: words{quarantineOf(6, 3, "")}, want: 3, coming: 6},
		{name: "for some functions only", past: standingPast(5, []int64{4, 5}, []int64{5, 4}, nil), ro: standingRollout(rollout.StageDone, 5, 4),
			words: words{quarantineOf(5, 4, "f-1")}, want: 5},
		{name: "all that came is bad", past: standingPast(0, []int64{5}, []int64{5, 5}, nil), words: words{quarantineOf(5, 0, "")}},
		{name: "taken away", past: standingPast(0, []int64{4, 5}, []int64{0, 0}, []int64{3, 3}), ro: standingRollout(rollout.StageDone, 0, 5)},
		{name: "taken away, but for a pin", past: standingPast(0, []int64{4, 5}, []int64{0, 0, 4}, nil), ro: standingRollout(rollout.StageDone, 0, 5)},
		{name: "being taken away", past: standingPast(5, []int64{4, 5}, []int64{0, 5}, nil), ro: standingRollout(rollout.StageBake, 0, 5), want: 5},
		{name: "set by hand, and then wanted", past: standingPast(4, []int64{4, 6}, []int64{6, 6}, nil), ro: standingRollout(rollout.StageDone, 4, 3), want: 6},
		{name: "its functions are gone", past: standingPast(4, []int64{4}, nil, nil), ro: standingRollout(rollout.StageDone, 4, 3), want: 4},
		{name: "more functions at the same version", past: standingPast(4, []int64{4}, []int64{4, 4}, nil), ro: standingRollout(rollout.StageChange, 4, 4), want: 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.past.StandingOf(standingRegion, standingLayer, c.ro, c.words)
			if got.Number != c.want || got.Coming != c.coming {
				t.Errorf("stands %d, coming %d; want %d, coming %d", got.Number, got.Coming, c.want, c.coming)
			}
			if why := got.Why(func(n int64) string { return fmt.Sprint(n) }); (why == "") != (got.Number > 0) {
				t.Errorf("why %q of %d", why, got.Number)
			}
		})
	}
}

func TestE1WhyNothingStandsNamesTheRollout(t *testing.T) {
	ro := standingRollout(rollout.StageHalted, 4, 0)
	ro.Reason = "the error rate is 12%"
	why := standingPast(0, []int64{4}, []int64{4}, []int64{3}).StandingOf(standingRegion, standingLayer, ro, nil).Why(func(n int64) string { return fmt.Sprintf("%d (1.4.2)", n) })
	for _, part := range []string{"4 (1.4.2)", "halted", "wave 1 of 3", "12 functions", "the error rate is 12%"} {
		if !strings.Contains(why, part) {
			t.Errorf("%q is not in: %s", part, why)
		}
	}
}

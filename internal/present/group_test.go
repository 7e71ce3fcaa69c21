package present

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// inWave is a step that its wave holds, and what else does.
func inWave(function string, wave int, also ...plan.Held) plan.Step {
	held := plan.Held{By: plan.ByWave, Reason: "wave " + string(rune('0'+wave))}
	if len(also) > 0 {
		held = plan.Held{By: also[0].By, Reason: also[0].Reason,
			Also: append(also[1:], plan.Held{By: held.By, Reason: held.Reason})}
	}
	return plan.Step{Kind: plan.KindAttach, Layer: "common", Function: function, Wave: wave, Held: &held}
}

// Functions come by name, and the waves spread over the names.
func TestSplitInOrderOfWaves(t *testing.T) {
	prune := plan.Step{Kind: plan.KindPrune, Layer: "common", Held: &plan.Held{By: plan.ByGrace}}
	_, waits := split([]plan.Step{inWave("a", 3), prune, inWave("b", 2), inWave("c", 3)})
	var got []string
	for _, w := range waits {
		got = append(got, string(w.held.By)+" "+w.held.Reason)
	}
	if diff := cmp.Diff(got, []string{"wave wave 2", "grace ", "wave wave 3"}); diff != "" {
		t.Errorf("what waits (-got +want):\n%s", diff)
	}
}

// A quarantine holds all waves: its reason is said once.
func TestSplitTellsAHolderOfAllWavesOnce(t *testing.T) {
	q := plan.Held{By: plan.ByQuarantine, Reason: "2 failed here"}
	h := plan.Held{By: plan.ByHealth, Reason: "an alarm rings"}
	first := plan.Step{Kind: plan.KindAttach, Layer: "common", Function: "c", Wave: 1,
		Held: &plan.Held{By: q.By, Reason: q.Reason, Also: []plan.Held{h}}}
	_, waits := split([]plan.Step{inWave("a", 3, q, h), inWave("b", 2, q, h), first})
	if len(waits) != 1 {
		t.Fatalf("%d groups wait, want 1", len(waits))
	}
	if diff := cmp.Diff(waits[0].held.All(), []plan.Held{q, h}); diff != "" {
		t.Errorf("who holds them (-got +want):\n%s", diff)
	}
	if got := len(waits[0].groups[0].steps); got != 3 {
		t.Errorf("%d steps in the group, want 3", got)
	}
}

func TestLayerServed(t *testing.T) {
	b := plan.Behind{Layer: "common"}
	if got, want := layerServed(b), "no common"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Serves = "arn:aws:lambda:eu-west-1:123456789012:layer:common:6"
	if got, want := layerServed(b), "common 6"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for latest, want := range map[state.LayerVersionARN]string{
		"arn:aws:lambda:eu-west-1:123456789012:layer:common:13":                                  "13",
		state.LayerARN("arn:aws:lambda:eu-west-1:123456789012:layer:common").Unpublished("8b5d"): "the one to be published",
	} {
		if b.Latest = latest; layerLatest(b) != want {
			t.Errorf("%s: got %q, want %q", latest, layerLatest(b), want)
		}
	}
}

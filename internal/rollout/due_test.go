package rollout

import (
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func TestVerdictDue(t *testing.T) {
	rate := 0.1
	rules := desired.Rollout{Bake: 10 * time.Minute, Canary: &desired.Canary{Bake: 5 * time.Minute}, Watch: time.Hour}
	rated := rules
	rated.MaxErrorRate = &rate
	for _, tc := range []struct {
		stage Stage
		rules desired.Rollout
		want  time.Time
	}{
		{StageBake, rules, noon.Add(10 * time.Minute)},
		{StageBake, rated, noon.Add(13 * time.Minute)},
		{StageCanaryBake, rules, noon.Add(5 * time.Minute)},
		{StageCanaryBake, rated, noon.Add(8 * time.Minute)},
		{StageWatching, rated, noon.Add(time.Hour)},
		{StageChange, rules, time.Time{}},
		{StageHalted, rules, time.Time{}},
		{StageDone, rules, time.Time{}},
	} {
		if got := (&Rollout{Stage: tc.stage, Since: noon}).VerdictDue(tc.rules); !got.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", tc.stage, got, tc.want)
		}
	}
}

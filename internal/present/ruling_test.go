package present

import (
	"slices"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
)

func TestGoesBack(t *testing.T) {
	going := []Going{{Quarantine: ruling.Quarantine{Environment: "prod", Region: testRegion, Name: "makoto-common", Number: 13, Semver: "1.4.2"}, To: "12 (1.4.1)"}}
	const head = "prod · ap-northeast-1  makoto-common goes back: 13 (1.4.2) → 12 (1.4.1)\n"
	waits := held(attach("b", 13, 12), plan.ByWindow, testNow, "closed")
	for want, steps := range map[string][]plan.Step{
		"  no function runs it; it is blocked from being applied\n": nil,
		"  2 functions, about 5s at 5 requests/s\n":                 {attach("a", 13, 12), attach("b", 13, 12)},
		"  2 functions, of whose steps 1 must wait\n":               {attach("a", 13, 12), waits},
	} {
		r := testRegionPlan(t, "prod")
		r.Steps = steps
		if got := GoesBack(going, []plan.Region{r}, "goes back", testView()); got != head+want {
			t.Errorf("got\n%swant\n%s", got, head+want)
		}
	}
}

// What an approval releases: one line for all functions to which the same is done.
func TestReleased(t *testing.T) {
	lines := []string{"damaged"}
	for _, f := range functions(12) {
		lines = append(lines, "ap-northeast-1 attach arn:aws:lambda:ap-northeast-1:123456789012:layer:common "+f+" 13")
	}
	lines = append(lines, "ap-northeast-1 detach arn:aws:lambda:ap-northeast-1:123456789012:layer:ml f ", "ap-northeast-1 serve  f live")
	got := Released(lines)
	if len(got) != 3 || !strings.HasPrefix(got[0], "ap-northeast-1  attach  common → 13  12 functions: makoto-関数-001-prod ") ||
		!strings.HasSuffix(got[0], " and 2 more") || !slices.Equal(got[1:], []string{"ap-northeast-1  detach  ml → none  1 function: f", "ap-northeast-1  serve  live  1 function: f"}) {
		t.Errorf("got %q", got)
	}
}

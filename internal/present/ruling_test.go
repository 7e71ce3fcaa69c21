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

// What is published and whom it is shared with are no functions, and 64 digits are not
// read by anybody.
func TestReleasedOfAPublish(t *testing.T) {
	const layer, content = " arn:aws:lambda:r:123456789012:layer:common ", "sha256:8b5d94747f9bf3db1293a325cef271b4fdd376bafe655c76d29dc7d56bc2092d"
	got := Released([]string{
		"r attach" + layer + "f " + content, "r attach" + layer + "g " + content, "r publish" + layer + " " + content,
		"r share" + layer + "210987654321 4", "r share" + layer + "210987654321 5", "r share" + layer + "-o-abc123def4 5", "r share" + layer + "* " + content,
	})
	want := []string{
		"r  publish  common  sha256:8b5d94747f9b", "r  attach  common → sha256:8b5d94747f9b  2 functions: f g",
		"r  share  common with 210987654321  2 versions: 4 5", "r  unshare  common no longer with o-abc123def4  1 version: 5",
		"r  share  common with *  1 version: sha256:8b5d94747f9b",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
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

package present

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
)

func TestRenderText(t *testing.T) {
	golden(t, "plan.txt", Text(busyWorld(t), testView()))
	golden(t, "apply.txt", Text(appliedWorld(t), func() Options { v := testView(); v.Applied = true; return v }()))
	small := busyWorld(t)
	region := &small.Plans[1].Regions[0]
	region.Steps = append(region.Steps[209:212:212], region.Steps[212:]...)
	verbose := testView()
	verbose.Verbose = true
	golden(t, "plan-verbose.txt", Text(small, verbose))
	golden(t, "plan-40.txt", Text(busyWorld(t), narrowView()))
}

// narrowView is of half a terminal.
func narrowView() Options {
	v := testView()
	v.Width = 40
	return v
}

// O4: a layer that nobody named is one line, however many versions of it and
// functions there are.
func TestO4ExtrasAreGroupedByLayer(t *testing.T) {
	r := testRegionPlan(t, "prod")
	for i, f := range functions(22) {
		r.Drift = append(r.Drift, plan.Drift{Kind: plan.DriftExtra, Function: f, Have: string(layer("makoto-common-dev", int64(i%7+1)))})
	}
	r.Drift = append(r.Drift,
		plan.Drift{Kind: plan.DriftExtra, Function: "a", Have: string(layer("agent", 3))}, plan.Drift{Kind: plan.DriftExtra, Function: "b", Have: string(layer("agent", 3))},
		plan.Drift{Kind: plan.DriftExtra, Function: "a", Have: "no ARN"})
	text := Text(plan.Report{Plans: []plan.Plan{{Environment: "prod", Regions: []plan.Region{r}}}}, Options{Width: 200, Now: testNow})
	arn := "arn:aws:lambda:ap-northeast-1:123456789012:layer:"
	for _, line := range []string{
		"    ! extra  22 functions  " + arn + "makoto-common-dev, versions 7, 6, 5, 4, 3 and 2 more\n",
		"    ! extra  2 functions  " + arn + "agent:3\n",
		"    ! extra  1 function  no ARN\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
	if n := strings.Count(text, "! extra"); n != 3 {
		t.Errorf("%d lines:\n%s", n, text)
	}
	if text := Markdown(plan.Report{Plans: []plan.Plan{{Environment: "prod", Regions: []plan.Region{r}}}}, testView()); !strings.Contains(text, "- 3 layers attached that") {
		t.Error(text)
	}
}

func TestRenderRollouts(t *testing.T) {
	v := testView()
	golden(t, "rollout.txt", Text(rolloutWorld(t), v))
	golden(t, "rollout.md", Markdown(rolloutWorld(t), v))
	v.Applied = true
	text := Text(rolloutWorld(t), v)
	if !strings.HasSuffix(text, "1 rollout halted, 1 rollout went back.\n") || strings.Contains(text, "wave 1: 1 function") {
		t.Errorf("apply says\n%s", text)
	}
	var a annotations
	for _, p := range rolloutWorld(t).Plans {
		a.region(p.Regions[0], v, "")
	}
	if got := strings.Count(a.String(), "::error "); got != 2 {
		t.Errorf("%d errors:\n%s", got, a.String())
	}
}

func TestRenderFailure(t *testing.T) {
	r := testRegionPlan(t, "prod")
	r.Failure = &plan.Failure{Code: "wrong_account", Message: "credentials are for account 999999999999, the environment names 123456789012"}
	r.Cost = plan.Cost{}
	result := plan.Report{Past: "none", Plans: []plan.Plan{{Environment: "prod", Regions: []plan.Region{r}}}}
	golden(t, "failure.txt", Text(result, testView()))

	v := testView()
	v.Applied = true
	result.Plans[0].Regions[0].Failure = &plan.Failure{Code: "lease_held", Retryable: true,
		Message: "prod-1:17 acts on account 123456789012 (lease 7, renewed 2026-11-25T04:59:30Z)"}
	golden(t, "lease-held.txt", Text(result, v))
}

// Of a Region that was not read nobody knows whether there is something to approve.
func TestApprovalOfWhatWasNotRead(t *testing.T) {
	r := testRegionPlan(t, "prod")
	r.Want.ApprovalRequired = true
	for want, observed := range map[string]time.Time{"  approval: required\n": {}, "  approval: required, nothing to approve\n": testNow} {
		r.ObservedAt, r.Failure = observed, &plan.Failure{Code: "wrong_account", Message: "m"}
		text := Text(plan.Report{Plans: []plan.Plan{{Environment: "prod", Regions: []plan.Region{r}}}}, testView())
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// A comment on a pull request says so where it leaves findings out.
func TestRenderMarkdownOfManyFindings(t *testing.T) {
	r := rolloutWorld(t)
	r.Plans[0].Regions[0].Rollout.Findings = functions(12)
	if text := Markdown(r, testView()); !strings.Contains(text, "- … and 2 more\n") {
		t.Error(text)
	}
}

// Nothing is wider than the terminal but what has no space to break at.
func TestRenderWidth(t *testing.T) {
	for _, width := range []int{40, 60, 80, 120} {
		v := testView()
		v.Width = width
		for line := range strings.Lines(Text(busyWorld(t), v) + Text(rolloutWorld(t), v)) {
			line = strings.TrimRight(line, "\n")
			longest := 0
			for word := range strings.FieldsSeq(line) {
				longest = max(longest, lipgloss.Width(word))
			}
			if strings.Contains(line, "layerd approve") {
				continue // is not broken, to be copied
			}
			if w := lipgloss.Width(line); w > width && longest < width-16 {
				t.Errorf("width %d: %d columns: %q", width, w, line)
			}
		}
	}
}

// Without its escape sequences coloured text is the plain text.
func TestRenderColour(t *testing.T) {
	v := testView()
	plain := Text(busyWorld(t), v)
	v.Palette = Palette{On: true}
	coloured := Text(busyWorld(t), v)
	if !strings.Contains(coloured, "\x1b[") {
		t.Error("nothing is coloured")
	}
	if got := stripEscapes(coloured); got != plain {
		golden(t, "plan.txt", got)
	}
}

func stripEscapes(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, s, _ = strings.Cut(rest, "m")
	}
}

func TestRenderMarkdown(t *testing.T) {
	golden(t, "plan.md", Markdown(busyWorld(t), testView()))
}

// A problem that is in no file has no place to be looked for.
func TestRenderMarkdownWithoutAPlace(t *testing.T) {
	r := plan.Report{Problems: []desired.Problem{{Code: "no_environment", Message: "there is none", Severity: desired.Warning}}}
	if text := Markdown(r, testView()); !strings.Contains(text, "- ⚠️ there is none (`no_environment`)\n") {
		t.Error(text)
	}
}

func TestRenderMarkdownLimit(t *testing.T) {
	// 300 lose details, 900 lose rows of the table.
	steps := map[int]int{1: 3000, 3: 1000, 40: 75, 300: 20, 900: 1}
	if nightly.On() {
		steps[2000] = 75
	}
	for environments, steps := range steps {
		big := plan.Report{Past: "store"}
		for i := range environments {
			r := testRegionPlan(t, fmt.Sprintf("env-%d", i))
			for _, f := range functions(steps) {
				r.Steps = append(r.Steps, attach(f, 12, 13))
			}
			big.Plans = append(big.Plans, plan.Plan{Environment: r.Want.Name, Regions: []plan.Region{r}})
		}
		text := Markdown(big, testView())
		if len(text) > markdownLimit {
			t.Errorf("%d environments: %d bytes", environments, len(text))
		}
		if left := strings.Contains(text, "the rest is left out"); left != (environments >= 900) {
			t.Errorf("%d environments: the end is cut: %t", environments, left)
		}
		if !strings.HasPrefix(text, "<!-- layerd:plan:env-0 -->\n") {
			t.Errorf("%d environments: no marker at the start: %.60q", environments, text)
		}
		if open, closed := strings.Count(text, "<details>"), strings.Count(text, "</details>"); open != closed {
			t.Errorf("%d environments: %d details opened, %d closed", environments, open, closed)
		}
	}
}

// What people wrote cannot break out of where it is shown.
func TestEscapes(t *testing.T) {
	var a annotations
	a.add("error", "t,x:y", "50% of\n::error::x")
	if got, want := a.String(), "::error title=t%2Cx%3Ay::50%25 of\\n::error::x\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRenderGitHub(t *testing.T) {
	text := GitHub(busyWorld(t), testView(), "desired")
	head, _, _ := strings.Cut(text, "\nrevision")
	golden(t, "plan.github", head+"\n")
}

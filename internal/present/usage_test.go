package present

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/foreign/foreigntest"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// usageReport has one of everything that is shown.
func usageReport(t *testing.T) UsageReport {
	want := desired.Environment{Name: "prod", Region: testRegion, Account: "123456789012", Zone: tokyo(t), OwnerTag: "team"}
	layer := state.NewLayerARN("aws", testRegion, "123456789012", "makoto-common")
	busy := inspect.Traffic{Invocations: 1_234_567, Errors: 1214, Throttles: 3, Duration: 1_234_567 * 35.4, P99: 410, Known: true}
	part := inspect.Traffic{Invocations: 12, Errors: 1, Duration: 30, P99: 12_000, Known: true, Unread: true}
	total := func(n, published int, traffic inspect.Traffic) inspect.Total {
		return inspect.Total{Functions: n, Latest: n, Published: published, Aliases: published, Traffic: traffic}
	}
	u := inspect.Usage{
		Layers: []inspect.LayerUsage{{Name: "makoto-common", ARN: layer, Wanted: "13 (1.4.2)", Behind: 2, Total: total(213, 40, busy), Versions: []inspect.VersionUsage{
			{Number: 13, Version: "1.4.2", Live: true, Wanted: true, Size: 8 << 20, Total: total(209, 40, busy), Created: testNow},
			{Number: 12, Version: "1.4.1", Live: true, Size: 8 << 20, Deprecated: "use 1.4.2", Total: total(2, 0, part)},
			{Number: 11, Live: true, Size: 8 << 20, Prune: true},
			{Number: 9, Yanked: "CVE-2026-1234", Total: total(1, 0, inspect.Traffic{})},
			{Number: 8, Version: "1.3.0", Live: true, Total: total(1, 0, inspect.Traffic{Unread: true})},
			{Number: 7, Live: true, Size: 8 << 20, Kept: "shared with 210987654321 (statement by-hand) by somebody else, and who uses it there cannot be seen"},
		}}},
		Uses: []inspect.Use{
			{Layer: layer, Number: 13, Function: "makoto-api-prod", Kind: inspect.UseAlias, Qualifier: "live", Version: "7", Share: 0.9, Owner: "chat", Traffic: busy},
			{Layer: layer, Number: 12, Function: "=cmd", Kind: inspect.UseLatest, Qualifier: "$LATEST", Version: "$LATEST", Share: 1, Traffic: part},
		},
		Behind: []inspect.Behind{
			{Layer: "makoto-common", Function: "=cmd", Qualifier: "$LATEST", Owner: "chat", Have: "12 (1.4.1)", Want: "13 (1.4.2)", Since: testNow.Add(-72 * time.Hour), SinceOf: "first applied here", Reason: "held by window: Saturday 02:00-06:00 Asia/Tokyo"},
			{Layer: "makoto-common", Function: "makoto-report-prod", Qualifier: "live", Have: "9", Want: "12 (1.4.1)", Pinned: true},
		},
		Owners: []inspect.OwnerUsage{{Owner: "chat", Total: total(140, 0, busy), Behind: 1}, {Total: total(3, 0, inspect.Traffic{})}},
		Storage: inspect.Storage{
			Quota: &state.CodeQuota{Limit: 300 << 30, Used: 41 << 30, Unzipped: 250 << 20}, Layers: 180 << 20, Unknown: 1, Prune: 64 << 20, Prunes: 8, PruneUnknown: 1, Shares: 1, Shared: 8 << 20,
			Saved: inspect.Savings{Without: 3.2, With: 1.6, Alone: 1.55, Dollars: 0.0368, Percent: 50}, SavedFunctions: 213, SavedUnknown: 2,
		},
	}
	place := inspect.UsagePlace{Plan: plan.Region{Want: want}, Calls: map[inspect.Series]inspect.Traffic{}, Unread: []inspect.Unread{{What: "aliases", Reason: "ListAliases: AccessDeniedException: no"}}}
	other := want
	other.Name, other.Region = "dev", "us-east-1"
	return UsageReport{
		Span: inspect.SpanOf(testNow, 24*time.Hour), Period: "24h", Deployments: 100, Regions: []UsageRegion{{place, u}},
		Failed:   []plan.Region{{Want: other, Failure: &plan.Failure{Code: "aws_refused", Message: "ListFunctions: AccessDeniedException: no"}}},
		Problems: []desired.Problem{{Severity: desired.Error, Code: "x", Message: "wrong", Position: desired.Position{File: "environments/dev.yaml", Line: 3, Column: 1}}},
	}
}

func TestUsageText(t *testing.T) {
	r, v := usageReport(t), testView()
	v.Width, v.Verbose = 80, false
	golden(t, "usage.txt", Usage(r, v))
	v.Verbose = true
	golden(t, "usage_verbose.txt", Usage(r, v))
}

// No line is wider than the terminal, nothing but ASCII is drawn where it has no more,
// and what is not known is never 0.
func TestUsageFits(t *testing.T) {
	r, v := usageReport(t), testView()
	for _, width := range []int{60, 80, 120} {
		v.Width = width
		for line := range strings.Lines(Usage(r, v)) {
			if n := foreign.Width(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d of %d columns: %s", n, width, line)
			}
		}
	}
	r.ASCII = true
	if text := Usage(r, v); strings.ContainsAny(text, "█▏▎▍▌▋▊▉") || !strings.Contains(text, "####") {
		t.Errorf("bars:\n%s", text)
	}
	r.Regions[0].Place.Calls, r.Regions[0].Usage.Storage.Quota = nil, nil
	document, err := JSON(UsageDocument(r))
	if text := Usage(r, v); strings.Contains(text, "1.2M") || !strings.Contains(text, "quota are not known") {
		t.Errorf("what was not measured is shown:\n%s", text)
	}
	if err != nil || strings.Contains(document, `"invocations"`) || strings.Contains(document, `"used_bytes": 0`) || !strings.Contains(document, `"complete": false`) {
		t.Errorf("%v\n%s", err, document)
	}
	if !r.Unread() {
		t.Error("all is known")
	}
}

// Lists are lists, also where there is nothing; a row has a cell for each heading.
func TestUsageDocuments(t *testing.T) {
	for name, r := range map[string]UsageReport{"full": usageReport(t), "empty": {}, "bare": {Regions: []UsageRegion{{}}}} {
		text, err := JSON(UsageDocument(r))
		var any map[string]any
		if err != nil || json.Unmarshal([]byte(text), &any) != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, list := range []string{"environments", "layers", "versions", "uses", "behind", "owners", "unread", "problems"} {
			if strings.Contains(text, `"`+list+`": null`) {
				t.Errorf("%s: %s is null", name, list)
			}
		}
		rows, err := csv.NewReader(strings.NewReader(UsageCSV(r))).ReadAll()
		if err != nil || len(rows) == 0 {
			t.Errorf("%s: %v", name, err)
		}
		for _, row := range rows {
			if slices.ContainsFunc(row, func(cell string) bool { return strings.HasPrefix(cell, "=") }) {
				t.Errorf("%s: a formula in %q", name, row)
			}
		}
	}
}

// FuzzUsageForeignText: names, owners and reasons are of others.
func FuzzUsageForeignText(f *testing.F) {
	foreigntest.SeedFew(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := foreigntest.Compose(picks) + more
		if len(text) > 500 {
			t.Skip("long texts are short ones many times")
		}
		r := usageReport(t)
		u := &r.Regions[0]
		foreigntest.Poison(&u.Usage, text)
		foreigntest.Poison(&u.Place.Unread, text)
		u.Place.Plan.Want.Name, u.Place.Plan.Want.OwnerTag = text, text
		r.Failed[0].Failure.Message = text
		v := testView()
		for _, width := range []int{40, 80, 0} {
			v.Width, v.Verbose, v.Palette.On = width, width != 80, width == 40
			assertSeen(t, "text", Usage(r, v))
		}
		assertDocument(t, UsageDocument(r))
		assertSeen(t, "csv", UsageCSV(r))
	})
}

func TestCompactAndMilliseconds(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 9999: "9999", 10_000: "10k", 999_499: "999k", 999_500: "1.0M", 1_234_567: "1.2M", 12_345_678: "12M", 5_000_000_000: "5.0G", math.MaxInt64: "9223372037G"} {
		if got := compact(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	for ms, want := range map[float64]string{0.04: "0ms", 1.26: "1.3ms", 35.4: "35ms", 9994: "9994ms", 12_340: "12.3s"} {
		if got := milliseconds(ms); got != want {
			t.Errorf("%v is %s, want %s", ms, got, want)
		}
	}
	r := UsageReport{}
	for _, c := range []struct {
		n, all int
		want   string
	}{{0, 5, ""}, {5, 5, "████████"}, {1, 1000, "▏"}, {1, 2, "████"}, {9, 5, "████████"}, {1, 0, ""}} {
		if got := r.bar(c.n, c.all, 8); got != c.want {
			t.Errorf("%d of %d is %q, want %q", c.n, c.all, got, c.want)
		}
	}
}

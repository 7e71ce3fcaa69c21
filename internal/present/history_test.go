package present

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// An opening over a change of the clocks says so.
func TestOpenings(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	w, err := window.Parse("Sunday 00:00-04:00", zone)
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{
		"2026-03-06": "Sun 2026-03-08 00:00 EST – 04:00 EDT  3h, the clock goes forward meanwhile",
		"2026-10-30": "Sun 2026-11-01 00:00 EDT – 04:00 EST  5h, the clock goes back meanwhile",
		"2026-11-06": "Sun 2026-11-08 00:00 EST – 04:00 EST  4h",
	} {
		at, err := time.ParseInLocation(time.DateOnly, from, zone)
		if err != nil {
			t.Fatal(err)
		}
		next := window.Calendar{Windows: []window.Window{w}, Zone: zone}.Next(at, 1)
		if got := openingText(viewOpening(next[0], zone)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Everything an auditor asks for is in each form, and what was there before
// keeps its column.
func TestHistoryViews(t *testing.T) {
	began := time.Date(2026, 11, 25, 1, 30, 0, 0, time.UTC)
	e := history.Entry{
		Round: history.Round{
			Environment: "prod", Region: testRegion, Account: "123456789012", Revision: "c0ffee", Author: "佐藤", Digest: "d",
			Approval: "a", ApprovedBy: "鈴木", Window: "Saturday", Fencing: 57, Rollout: "t-R",
		},
		Action: history.Action{
			Step: "attach/x/f", Kind: plan.KindAttach, Cause: plan.CauseChange, Reason: "why", Layer: "x", Function: "f",
			From: layer("x", 1), To: layer("x", 2), FromVersion: "1.0.0", ToVersion: "2.0.0",
		},
		ID: "i", RoundID: "r", FromNumber: 1, ToNumber: 2, Before: []state.LayerVersionARN{layer("x", 1), layer("y", 7)},
		After: []state.LayerVersionARN{layer("x", 2), layer("y", 7)}, Status: plan.StatusApplied, RequestID: "req",
		Started: began, Ended: began.Add(2300 * time.Millisecond), Duration: 2300 * time.Millisecond, Wave: 2,
		Alias: "live", AliasBefore: "7", AliasAfter: "8", Canary: true,
	}
	rows, err := csv.NewReader(strings.NewReader(HistoryCSV([]history.Entry{e}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for i, name := range rows[0] {
		got[name] = rows[1][i]
	}
	want := map[string]string{
		"started_at": "2026-11-25T01:30:00Z", "ended_at": "2026-11-25T01:30:02Z", "environment": "prod", "account": "123456789012",
		"region": testRegion, "kind": "attach", "cause": "change", "layer": "x", "function": "f", "from": "1", "from_version": "1.0.0",
		"to": "2", "to_version": "2.0.0", "status": "applied", "error": "", "reason": "why", "revision": "c0ffee", "author": "佐藤",
		"approved_by": "鈴木", "digest": "d", "request_id": "req", "seconds": "2.300", "before": string(layer("x", 1) + " " + layer("y", 7)),
		"after": string(layer("x", 2) + " " + layer("y", 7)), "approval": "a", "window": "Saturday", "fencing": "57", "id": "i", "round": "r", "steps": "",
		"rollout": "t-R", "wave": "2", "alias": "live", "alias_before": "7", "alias_after": "8", "canary": "true",
		"interrupted": "", "subject": "", "asked": "", "planned": "", "artifact": "", "sha256": "", "with": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("csv (-want +got):\n%s", diff)
	}
	if rows[0][20] != "request_id" {
		t.Errorf("the old columns moved: %v", rows[0])
	}
	data, err := json.Marshal(viewEntry(e))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"round":"r"`, `"fencing":57`, `"approval":"a"`, `"digest":"d"`, `"window":"Saturday"`, `"request_id":"req"`, `"seconds":2.3`, `"before":["arn`, `"after":["arn`,
		`"rollout":"t-R"`, `"wave":2`, `"alias":"live"`, `"alias_before":"7"`, `"alias_after":"8"`, `"canary":true`} {
		if !strings.Contains(string(data), part) {
			t.Errorf("json lacks %s: %s", part, data)
		}
	}
}

// A cell is never a formula, whatever somebody called a function.
func TestHistoryCSV(t *testing.T) {
	text := HistoryCSV([]history.Entry{{Action: history.Action{Function: `=HYPERLINK("x")`, Reason: "a, \"b\"\nc"}, Status: plan.StatusApplied}, {Action: history.Action{Function: "-1"}}})
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || rows[1][8] != `'=HYPERLINK("x")` || rows[2][8] != "'-1" || rows[1][15] != `a, "b"\nc` || rows[2][13] != openStatus {
		t.Errorf("%q", rows)
	}
}

func TestRenderHistory(t *testing.T) {
	entry := func(function string, at time.Time, status plan.Status, problem string) history.Entry {
		return history.Entry{
			Round: history.Round{
				Environment: "prod", Region: testRegion, Revision: strings.Repeat("ab12", 10), Author: "佐藤", ApprovedBy: "鈴木",
			},
			Action: history.Action{
				Kind: plan.KindAttach, Cause: plan.CauseChange, Layer: "makoto-common", Function: function,
				From: layer("makoto-common-prod", 12), To: layer("makoto-common-prod", 13), FromVersion: "1.4.1",
				ToVersion: "1.4.2", Reason: "Git wants 1.4.2",
			},
			Started: at, Status: status, Error: problem,
		}
	}
	list := []history.Entry{
		entry("makoto-会話-prod", testNow, "", ""),
		entry("makoto-api-prod", testNow, plan.StatusFailed, "AccessDeniedException: not authorized"),
	}
	list = append(list, history.Entry{
		Round:  history.Round{Environment: "prod", Digest: testDigest, ApprovedBy: "鈴木"},
		Action: history.Action{Kind: history.KindApproval, Cause: history.CauseRuling, Reason: "release 1.4.2"},
		Status: history.StatusGiven, Steps: 212, Started: testNow.Add(-30 * time.Minute),
	})
	for _, f := range functions(30) {
		list = append(list, entry(f, testNow.Add(-time.Hour), plan.StatusApplied, ""))
	}
	page := history.Page{Entries: list}
	golden(t, "history.txt", History(page, "", tokyo(t), Options{Width: 80}))
	golden(t, "history-40.txt", History(page, "", tokyo(t), Options{Width: 40}))
}

// H3: what was interrupted has a word and a mark of its own in each form, and is no
// failure.
func TestH3InterruptedIsNoFailure(t *testing.T) {
	e := history.Entry{
		Round: history.Round{Environment: "prod", Region: testRegion}, Started: testNow, Interrupted: true,
		Action: history.Action{
			Kind: plan.KindAttach, Cause: plan.CauseChange, Layer: "common", Function: "f", From: layer("common", 4), To: layer("common", 5),
		},
		Status: plan.StatusSkipped, Error: "interrupted, not done: layerd was stopped before AWS had changed the function",
	}
	page := history.Page{Entries: []history.Entry{e}}
	text := History(page, "", time.UTC, Options{})
	if strings.Contains(text, "failed") || strings.Contains(text, "✗") || !strings.Contains(text, "! prod · ap-northeast-1  interrupted attach  1 function  common 4 → 5\n") {
		t.Errorf("text:\n%s", text)
	}
	data, err := json.Marshal(HistoryDocument(page, 0, ""))
	if err != nil || !strings.Contains(string(data), `"status":"skipped","interrupted":true,"error":"interrupted, not done`) {
		t.Errorf("json: %s, %v", data, err)
	}
	if table := HistoryCSV(page.Entries); !strings.Contains(table, ",skipped,") || !strings.HasSuffix(table, ",true,,,,,,\n") {
		t.Errorf("csv: %s", table)
	}
}

// A rollout by waves, a function behind an alias, and what people said of it.
func TestRenderHistoryOfARollout(t *testing.T) {
	old, bad := layer("makoto-common-prod", 12), layer("makoto-common-prod", 13)
	entry := func(function string, wave int, ago time.Duration) history.Entry {
		return history.Entry{
			Round: history.Round{
				Environment: "prod", Region: testRegion, Revision: strings.Repeat("ab12", 10),
				Rollout: "20261124T120000.000000000Z-QXZT7K2M4PNA",
			},
			Action: history.Action{
				Kind: plan.KindAttach, Cause: plan.CauseChange, Layer: "makoto-common", Function: function, From: old, To: bad,
				FromVersion: "1.4.1", ToVersion: "1.4.2", Reason: "Git wants 1.4.2",
			},
			Started: testNow.Add(-ago), Status: plan.StatusApplied, Wave: wave,
		}
	}
	ruled := func(kind plan.Kind, from, to state.LayerVersionARN, ago time.Duration) history.Entry {
		e := history.Entry{
			Round: history.Round{Environment: "prod", Region: testRegion, ApprovedBy: "鈴木"},
			Action: history.Action{
				Kind: kind, Cause: history.CauseRuling, Layer: "makoto-common", From: from, To: to, FromVersion: "1.4.2",
				Reason: "it times out",
			},
			Status: history.StatusGiven, Started: testNow.Add(-ago),
		}
		if kind == history.KindRetry {
			e.FromVersion, e.ToVersion = "", "1.4.2"
		}
		return e
	}
	served := entry("makoto-api-prod", 1, 50*time.Minute)
	served.Alias, served.AliasBefore, served.AliasAfter = "live", "7", "8"
	move := served
	move.Kind, move.Layer, move.From, move.To, move.Reason, move.Function = plan.KindServe, "", "", "", "the alias follows", "makoto-api-prod"
	canary := entry("makoto-api-prod", 1, 55*time.Minute)
	canary.Alias, canary.AliasBefore, canary.AliasAfter, canary.Canary = "live", "7", "8", true
	killed := entry("makoto-api-prod", 1, time.Hour)
	killed.Alias, killed.AliasBefore, killed.Status = "live", "7", ""
	some := ruled(history.KindQuarantine, bad, "", 20*time.Minute)
	some.Function = "makoto-chat-*"
	list := []history.Entry{
		ruled(history.KindRetry, old, bad, 5*time.Minute),
		ruled(history.KindQuarantine, bad, old, 10*time.Minute), some,
		entry("makoto-b-prod", 2, 40*time.Minute), entry("makoto-a-prod", 2, 40*time.Minute), move, served, canary, killed,
		{
			Round: history.Round{Environment: "dev", ApprovedBy: "鈴木"}, Action: history.Action{Kind: history.KindForget, Cause: history.CauseRuling},
			Status: history.StatusGiven, Started: testNow.Add(-2 * time.Hour),
		},
	}
	golden(t, "history_rollout.txt", History(history.Page{Entries: list}, "", tokyo(t), Options{Width: 80}))
}

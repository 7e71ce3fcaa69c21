package present

import (
	"encoding/csv"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign/foreigntest"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/why"
	"github.com/layerd/layerd/internal/window"
)

// FuzzForeignText: T1, T2, T3. Text of others stands in every field of everything
// that is shown, and in each output it is text and nothing more.
func FuzzForeignText(f *testing.F) {
	foreigntest.SeedFew(f)
	f.Fuzz(func(t *testing.T, picks []byte, more string) {
		text := foreigntest.Compose(picks) + more
		if len(text) > 500 {
			t.Skip("long texts are short ones many times")
		}
		for _, r := range poisonedReports(t, text) {
			for _, width := range []int{24, 40, 80, 0} {
				v := testView()
				v.Width, v.Verbose, v.Applied = width, width != 80, width == 24
				v.Palette.On = width == 40
				assertSeen(t, "text", Text(r, v))
				assertOnlyOurCommands(t, GitHub(r, v, "desired"))
			}
			assertComment(t, Markdown(r, testView()))
			assertDocument(t, r.Document())
		}
		entries := poisonedHistory(t, text)
		v := testView()
		v.Verbose = true
		assertSeen(t, "history", History(history.Page{Entries: entries}, "", tokyo(t), v))
		assertDocument(t, HistoryDocument(history.Page{Entries: entries}, 0, ""))
		assertCells(t, HistoryCSV(entries))

		answer, report := poisonedAnswer(t, text)
		assertSeen(t, "why", Why(answer, report, v))
		assertDocument(t, WhyDocument(answer, report))

		env := poisonedWindow(t, text)
		assertSeen(t, "window", Window(env, testNow, v))
		assertDocument(t, WindowDocument(env, testNow))

		going := []Going{{Quarantine: ruling.Quarantine{Environment: "prod", Region: testRegion, Name: "n"}, To: "x"}}
		foreigntest.Poison(&going, text)
		assertSeen(t, "rollback", GoesBack(going, nil, "goes back", v))
	})
}

func poisonedReports(t *testing.T, text string) []plan.Report {
	small := busyWorld(t)
	region := &small.Plans[1].Regions[0]
	region.Steps = slices.Concat(region.Steps[:3], region.Steps[212:])
	region.Drift = append(region.Drift, plan.Drift{Kind: plan.DriftExtra, Layer: "l", Function: "f", Have: string(layer("other", 3)), Reason: "r"})
	rolling := rolloutWorld(t)
	for i := range rolling.Plans {
		r := &rolling.Plans[i].Regions[0]
		r.Steps = r.Steps[:min(len(r.Steps), 4)]
	}
	failed := appliedWorld(t)
	failed.Plans[0].Regions[0].Failure = &plan.Failure{Code: "c", Message: "m"}
	reports := []plan.Report{small, rolling, failed}
	foreigntest.Poison(&reports, text)
	for _, r := range reports {
		for i := range r.Plans { // names of environments are checked when they are read
			r.Plans[i].Environment = "prod"
		}
	}
	return reports
}

func poisonedHistory(t *testing.T, text string) []history.Entry {
	t.Helper()
	at := testNow
	base := history.Entry{
		Round:  history.Round{Environment: "prod", Region: testRegion, Revision: "ab12", Author: "a", ApprovedBy: "b", Window: "w"},
		Action: history.Action{Function: "f", Layer: "l", Reason: "r", Kind: plan.KindAttach, Cause: plan.CauseChange, From: layer("l", 3)}, Alias: "live", AliasBefore: "7",
		Status: plan.StatusFailed, Error: "e",
	}
	var list []history.Entry
	for _, kind := range []plan.Kind{plan.KindAttach, plan.KindServe, plan.KindPrune, history.KindApproval, history.KindQuarantine, history.KindForget, history.KindRollout, history.KindRetry} {
		e := base
		e.Kind, e.Started, e.Ended = kind, at, at.Add(time.Minute)
		e.Findings = []string{"one", "two"}
		e.Before = []state.LayerVersionARN{layer("l", 3)}
		if kind == history.KindApproval || kind == history.KindQuarantine || kind == history.KindForget || kind == history.KindRollout || kind == history.KindRetry {
			e.Cause = history.CauseRuling
		}
		list = append(list, e)
	}
	foreigntest.Poison(&list, text)
	return list
}

func poisonedAnswer(t *testing.T, text string) (why.Answer, plan.Report) {
	r := testRegionPlan(t, "prod")
	s := held(attach("f", 12, 13), plan.ByWindow, testNow, "closed")
	r.Steps = []plan.Step{s}
	r.Blocked = []plan.Blocked{{Function: "f", Layer: "l", Reason: "b"}}
	entries := poisonedHistory(t, text)
	a := why.Answer{Function: "f", Environments: []why.Environment{{
		Region: r, Exists: true, Selected: true, Changes: entries, Others: []why.Other{{ARN: layer("x", 1), Reason: "r"}},
		Layers: []why.Layer{{Name: "l", ARN: state.NewLayerARN("aws", testRegion, "123456789012", "l"), Asked: "1", Status: why.Held, Approval: &ruling.Approval{By: "b", Reason: "r"}, PutBy: &entries[0]}},
	}, {Region: r, Exists: true, NotSelected: []why.NotSelected{{Layer: "l", Reason: "r", Line: why.Line{File: "f", Text: "x"}}}}}}
	foreigntest.Poison(&a, text)
	a.Environments[0].Layers[0].Step = &a.Environments[0].Region.Steps[0]
	return a, plan.Report{Past: "store", Revision: text}
}

func poisonedWindow(t *testing.T, text string) desired.Environment {
	env := testRegionPlan(t, "prod").Want
	env.Calendar.Freezes = []window.Freeze{{From: testNow.Add(-time.Hour), Until: testNow.Add(time.Hour), Reason: text, Owner: text}}
	return env
}

func assertSeen(t *testing.T, what, text string) {
	t.Helper()
	if err := foreigntest.Seen(text); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

var annotation = regexp.MustCompile(`^::(?:error|warning|notice) [^:]*::`)

// assertOnlyOurCommands: the annotations stand at the top, and below them no line is
// a command.
func assertOnlyOurCommands(t *testing.T, text string) {
	t.Helper()
	top := true
	for line := range strings.Lines(text) {
		ours := annotation.MatchString(line)
		top = top && ours
		if !top && foreigntest.IsCommand(line) || strings.Contains(line, "##[") || strings.Contains(line, "##vso[") {
			t.Errorf("a command: %q", line)
		}
	}
	assertSeen(t, "github", text)
}

var (
	span    = regexp.MustCompile("(?:^|[^\\\\`])`[^`\n]+`")
	fenced  = regexp.MustCompile("(?ms)^(````*)(?:diff|sh)\n.*?^(````*)$")
	element = regexp.MustCompile(`</?(?:details|summary|b|code)>|<!-- layerd:plan:[\w-]+ -->`)
	mention = regexp.MustCompile(`@\w`)
)

func assertComment(t *testing.T, text string) {
	t.Helper()
	assertSeen(t, "markdown", text)
	if len(text) > markdownLimit {
		t.Errorf("%d bytes", len(text))
	}
	rest := fenced.ReplaceAllString(text, "")
	rest = span.ReplaceAllString(rest, "")
	if open, closed := strings.Count(rest, "<details>"), strings.Count(rest, "</details>"); open != closed {
		t.Errorf("%d details opened, %d closed", open, closed)
	}
	rest = element.ReplaceAllString(rest, "")
	if i := strings.IndexAny(rest, "<>"); i >= 0 || mention.MatchString(rest) {
		t.Errorf("markup of others:\n%s", text)
	}
	for line := range strings.Lines(rest) {
		if strings.HasPrefix(line, "| ") {
			if n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); n != 7 {
				t.Errorf("%d columns: %q", n-1, line)
			}
		}
	}
}

func assertDocument(t *testing.T, document any) {
	t.Helper()
	text, err := JSON(document)
	if err != nil || !json.Valid([]byte(text)) {
		t.Fatalf("%v: %q", err, text)
	}
	assertSeen(t, "json", text)
	for line := range strings.Lines(text) {
		if foreigntest.IsCommand(line) {
			t.Errorf("a command: %q", line)
		}
	}
}

func assertCells(t *testing.T, text string) {
	t.Helper()
	assertSeen(t, "csv", text)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(text, "\n"); rows != 9 {
		t.Errorf("%d lines", rows)
	}
	for _, row := range rows {
		for _, cell := range row {
			if bare := strings.Trim(cell, " \"\u3000"); bare != "" && strings.ContainsRune("=+-@|%＝＋－＠", []rune(bare)[0]) {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
}

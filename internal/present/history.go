package present

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/words"
)

// historyView is the JSON of history.
type historyView struct {
	FormatVersion string      `json:"format_version"`
	Entries       []entryView `json:"entries"`
}

// entryView is one step that was carried out, or was about to be. Its status
// is "open" while nobody knows how it ended. A ruling has kind "approval",
// "forget", "quarantine" or "retry", cause "ruling" and status "given", and of the
// rest what a person's decision has: a quarantine goes from the bad version to
// the one to go back to, and its function is a glob.
type entryView struct {
	ID          string   `json:"id"`
	Round       string   `json:"round"`
	Environment string   `json:"environment"`
	Account     string   `json:"account"`
	Region      string   `json:"region"`
	Step        string   `json:"step"`
	Kind        string   `json:"kind"`
	Cause       string   `json:"cause"`
	Reason      string   `json:"reason"`
	Layer       string   `json:"layer"`
	Function    string   `json:"function"`
	From        string   `json:"from"`
	To          string   `json:"to"`
	FromVersion string   `json:"from_version"`
	ToVersion   string   `json:"to_version"`
	Before      []string `json:"before"`
	After       []string `json:"after"`
	Found       []string `json:"found,omitempty"` // what was there at the end, where that is not after
	Status      string   `json:"status"`
	Error       string   `json:"error,omitempty"`
	RequestID   string   `json:"request_id,omitempty"`
	StartedAt   string   `json:"started_at"`
	EndedAt     string   `json:"ended_at,omitempty"`
	Seconds     float64  `json:"seconds"`
	Revision    string   `json:"revision"`
	Author      string   `json:"author"`
	Digest      string   `json:"digest"`
	Approval    string   `json:"approval"` // the digest that was approved
	ApprovedBy  string   `json:"approved_by"`
	Window      string   `json:"window"`
	Fencing     int64    `json:"fencing"`         // the lease's token; 0 = without a lease
	Steps       int      `json:"steps,omitempty"` // of a ruling: how many steps it releases; of a rollout: its functions
	Rollout     string   `json:"rollout,omitempty"`
	Wave        int      `json:"wave,omitempty"`
	Alias       string   `json:"alias,omitempty"` // that was to be moved, between function versions
	AliasBefore string   `json:"alias_before,omitempty"`
	AliasAfter  string   `json:"alias_after,omitempty"` // absent = it was not moved, or nobody knows
	Canary      bool     `json:"canary,omitempty"`      // it was to be given weights only
	Findings    []string `json:"findings,omitempty"`    // of a rollout: what its checks said
}

// openStatus is what is said of a record without an end.
const openStatus = "open"

// HistoryDocument returns entries for other programs.
func HistoryDocument(entries []history.Entry) any {
	return historyView{FormatVersion: "1", Entries: plan.Views(entries, viewEntry)}
}

func viewEntry(e history.Entry) entryView {
	v := entryView{
		ID: e.ID, Round: e.RoundID, Environment: e.Environment, Account: e.Account, Region: e.Region, Step: e.Step,
		Kind: string(e.Kind), Cause: string(e.Cause), Reason: e.Reason, Layer: e.Layer, Function: e.Function,
		From: string(e.From), To: string(e.To), FromVersion: e.FromVersion, ToVersion: e.ToVersion,
		Before: texts(e.Before), After: texts(e.After), Status: statusOf(e), Error: e.Error, RequestID: e.RequestID,
		StartedAt: plan.Timestamp(e.Started), EndedAt: plan.Timestamp(e.Ended), Seconds: e.Duration.Seconds(), Revision: e.Revision,
		Author: e.Author, Digest: e.Digest, Approval: e.Approval, ApprovedBy: e.ApprovedBy, Window: e.Window,
		Fencing: e.Fencing, Steps: e.Steps, Rollout: e.Rollout, Wave: e.Wave, Alias: e.Alias,
		AliasBefore: e.AliasBefore, AliasAfter: e.AliasAfter, Canary: e.Canary, Findings: e.Findings,
	}
	if e.Found != nil {
		v.Found = texts(e.Found)
	}
	return v
}

func texts[S ~string](list []S) []string {
	return plan.Views(list, func(s S) string { return string(s) })
}

func statusOf(e history.Entry) string {
	if e.Status == "" {
		return openStatus
	}
	return string(e.Status)
}

// mark draws how a step ended.
func (p Palette) mark(e history.Entry) foreign.Styled {
	switch statusOf(e) {
	case string(plan.StatusApplied):
		return p.Good("✓")
	case string(plan.StatusFailed):
		return p.Bad("✗")
	case openStatus:
		return p.Warn("?")
	}
	return "·"
}

// HistoryCSV returns entries for spreadsheets and auditors. Names of
// functions and people's words are in there, and none of them is a formula.
func HistoryCSV(entries []history.Entry) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	rows := [][]string{{"started_at", "ended_at", "environment", "account", "region", "kind", "cause", "layer", "function",
		"from", "from_version", "to", "to_version", "status", "error", "reason", "revision", "author", "approved_by", "digest", "request_id",
		// New columns come last: people have spreadsheets that count them.
		"seconds", "before", "after", "approval", "window", "fencing", "id", "round", "steps",
		"rollout", "wave", "alias", "alias_before", "alias_after", "canary"}}
	for _, e := range entries {
		v := viewEntry(e)
		rows = append(rows, []string{v.StartedAt, v.EndedAt, v.Environment, v.Account, v.Region, v.Kind, v.Cause, v.Layer, v.Function,
			number(e.FromNumber), v.FromVersion, number(e.ToNumber), v.ToVersion, v.Status, v.Error, v.Reason, v.Revision,
			v.Author, v.ApprovedBy, v.Digest, v.RequestID,
			strconv.FormatFloat(v.Seconds, 'f', 3, 64), strings.Join(v.Before, " "), strings.Join(v.After, " "), v.Approval, v.Window,
			number(e.Fencing), v.ID, v.Round, number(int64(e.Steps)),
			v.Rollout, number(int64(v.Wave)), v.Alias, v.AliasBefore, v.AliasAfter, map[bool]string{true: "true"}[v.Canary]})
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = foreign.Cell(cell)
		}
		_ = w.Write(row) // a builder never fails
	}
	w.Flush()
	return b.String()
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// historyPage is a history that is being written.
type historyPage struct{ Page }

// History returns entries for people, in their order; what one round did to many
// functions is one line.
func History(entries []history.Entry, zone *time.Location, v Options) string {
	pg := &historyPage{Page{Palette: v.Palette, Width: v.Width}}
	day := ""
	for i := 0; i < len(entries); {
		n := 1
		for i+n < len(entries) && together(entries[i], entries[i+n]) {
			n++
		}
		if d := entries[i].Started.In(zone).Format("Mon 2006-01-02 MST"); d != day {
			day = d
			pg.Linef(0, "%s", pg.Bold(d))
		}
		pg.change(entries[i:i+n], v.Verbose, zone)
		i += n
	}
	return pg.String()
}

// together reports whether two neighbours are the same change of two functions.
func together(a, b history.Entry) bool {
	return a.Cause != history.CauseRuling && a.Environment == b.Environment && a.Region == b.Region && a.Revision == b.Revision && a.Kind == b.Kind &&
		a.Cause == b.Cause && a.Layer == b.Layer && a.From == b.From && a.To == b.To && statusOf(a) == statusOf(b) &&
		a.Error == b.Error && a.Digest == b.Digest && a.Rollout == b.Rollout && a.Wave == b.Wave && a.Canary == b.Canary
}

// change writes one change of one function or of many.
func (p *historyPage) change(entries []history.Entry, verbose bool, zone *time.Location) {
	e := entries[0]
	if e.Cause == history.CauseRuling {
		p.ruling(e, zone)
		return
	}
	noun := "function"
	if e.Kind == plan.KindPrune {
		noun = "version"
	}
	p.Hangf(2, 10, "%s %s %s · %s  %s %s  %s  %s", e.Started.In(zone).Format("15:04"), p.mark(e), e.Environment, e.Region,
		statusOf(e), e.Kind, words.Count(len(entries), noun), whatOf(e))
	p.Linef(10, "%s", p.Faint(forWhom(e)+rolloutOf(e)))
	if e.Error != "" {
		p.Linef(10, "%s", e.Error)
	}
	if !verbose && len(entries) > 1 {
		return
	}
	for _, e := range entries {
		p.Linef(10, "%s  %s", subjectOf(e), p.Faint(e.Reason))
		if moved := aliasOf(e); moved != "" {
			p.Linef(12, "%s", p.Faint(moved))
		}
	}
}

// whatOf returns what a step was about: a layer and its numbers, or an alias, whose
// function versions are each function's own.
func whatOf(e history.Entry) string {
	if e.Kind == plan.KindServe {
		return "alias " + e.Alias
	}
	return fmt.Sprintf("%s %s → %s", e.Layer, e.From.Label(e.FromVersion), e.To.Label(e.ToVersion))
}

// forWhat returns for what a step was done: "for change, revision ab12cd3 by sato".
func forWhat(e history.Entry) string {
	if e.Revision == "" {
		return "for " + string(e.Cause)
	}
	return "for " + string(e.Cause) + ", revision " + words.Commit(e.Revision) + by(e.Author)
}

// forWhom returns for what a step was done, and by whose word.
func forWhom(e history.Entry) string {
	if e.ApprovedBy == "" {
		return forWhat(e)
	}
	return forWhat(e) + ", approved by " + e.ApprovedBy
}

// rolloutOf returns the rollout that a step belongs to, and its wave.
func rolloutOf(e history.Entry) string {
	text := ""
	if e.Rollout != "" {
		text += ", rollout " + shortRollout(e.Rollout)
	}
	if e.Wave > 0 {
		text += fmt.Sprintf(", wave %d", e.Wave)
	}
	return text
}

// shortRollout returns the random word of a rollout's ID, which is enough to find it.
func shortRollout(id string) string { return id[strings.LastIndexByte(id, '-')+1:] }

// aliasOf returns what became of the alias; empty = none was to be moved.
func aliasOf(e history.Entry) string {
	switch {
	case e.Alias == "":
		return ""
	case e.AliasAfter == "":
		return fmt.Sprintf("alias %s: function version %s", e.Alias, e.AliasBefore)
	case e.Canary:
		return fmt.Sprintf("alias %s: function version %s, a share of the calls to %s", e.Alias, e.AliasBefore, e.AliasAfter)
	}
	return fmt.Sprintf("alias %s: function version %s → %s", e.Alias, e.AliasBefore, e.AliasAfter)
}

// ruling writes what a person decided.
func (p *historyPage) ruling(e history.Entry, zone *time.Location) {
	where, what := e.Environment, fmt.Sprintf("%s %s", e.Kind, e.Status)
	if e.Region != "" {
		where += " · " + e.Region
	}
	switch e.Kind {
	case history.KindForget:
		what = "forgotten: its file was removed, and no further messages follow"
	case history.KindApproval:
		what += "  plan " + e.Digest[:min(len(e.Digest), 12)]
	case history.KindQuarantine, history.KindRetry:
		what += "  " + quarantineOf(e)
	case history.KindRollout:
		p.rollout(e, zone)
		return
	}
	if e.Steps > 0 {
		what += "  " + words.Count(e.Steps, "step")
	}
	p.Hangf(2, 10, "%s %s %s  %s", e.Started.In(zone).Format("15:04"), p.Good("✓"), where, what)
	by := "by " + e.ApprovedBy
	if e.Reason != "" {
		by += ": " + e.Reason
	}
	p.Linef(10, "%s", p.Faint(by))
}

// rollout writes how a rollout ended, and the findings of its checks.
func (p *historyPage) rollout(e history.Entry, zone *time.Location) {
	mark := p.Good("✓")
	if rollout.Stage(e.Status).Failed() {
		mark = p.Bad("✗")
	}
	p.Hangf(2, 10, "%s %s %s · %s  rollout %s in wave %d  %s", e.Ended.In(zone).Format("15:04"), mark, e.Environment, e.Region,
		strings.ReplaceAll(string(e.Status), "_", " "), e.Wave, words.Count(e.Steps, "function"))
	if e.Reason != "" {
		p.Linef(10, "%s", p.Faint(e.Reason))
	}
	for _, f := range e.Findings {
		if f != e.Reason {
			p.Linef(10, "%s", p.Faint(f))
		}
	}
}

// quarantineOf returns which version must not come back, or may again.
func quarantineOf(e history.Entry) string {
	if e.Layer == "" {
		return "the rollout goes on"
	}
	text := fmt.Sprintf("%s %s", e.Layer, e.To.Label(e.ToVersion))
	if e.Kind == history.KindQuarantine {
		text = fmt.Sprintf("%s %s", e.Layer, e.From.Label(e.FromVersion))
		if e.To != "" {
			text += ", back to " + e.To.Label(e.ToVersion)
		}
	}
	if e.Function != "" {
		text += " on " + e.Function
	}
	return text
}

func subjectOf(e history.Entry) string {
	if e.Function != "" {
		return e.Function
	}
	return e.Layer + " " + e.From.Label(e.FromVersion)
}

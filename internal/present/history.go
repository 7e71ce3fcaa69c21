package present

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// historyView is the JSON of history. Limit and Groups count rollouts, rounds and
// decisions, of which Entries has all that was asked for.
type historyView struct {
	FormatVersion string       `json:"format_version"`
	Entries       []entryView  `json:"entries"`
	Limit         int          `json:"limit"` // 0 = none
	Groups        int          `json:"groups"`
	LeftOut       *leftOutView `json:"left_out,omitempty"`
}

// leftOutView is what was asked for and is not in the entries.
type leftOutView struct {
	Groups  int    `json:"groups"`
	Entries int    `json:"entries"`
	AtLeast bool   `json:"at_least,omitempty"` // there are more than these
	Command string `json:"command"`            // that shows all
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
	Interrupted bool     `json:"interrupted,omitempty"` // whoever began it was killed; the status is what was found later
	Error       string   `json:"error,omitempty"`
	RequestID   string   `json:"request_id,omitempty"`
	StartedAt   string   `json:"started_at"`
	EndedAt     string   `json:"ended_at,omitempty"`
	Seconds     float64  `json:"seconds"`
	Revision    string   `json:"revision"` // the commit that asked for it; empty = none did, or see asked
	Author      string   `json:"author"`   // of the revision, as its subject
	Subject     string   `json:"subject,omitempty"`
	Asked       string   `json:"asked,omitempty"`   // published: a new version in a range; earlier: the commit planned, or one before it
	Planned     string   `json:"planned,omitempty"` // the commit that the round was decided from
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

// HistoryDocument returns a page for other programs. limit is what it was asked for, and
// all the command that shows what it leaves out.
func HistoryDocument(page history.Page, limit int, all string) any {
	v := historyView{FormatVersion: "1", Entries: plan.Views(page.Entries, viewEntry), Limit: limit, Groups: page.Groups}
	if left := page.Left; left.Groups > 0 {
		v.LeftOut = &leftOutView{Groups: left.Groups, Entries: left.Entries, AtLeast: left.More, Command: all}
	}
	return v
}

// LeftOut returns in a sentence what a page leaves out, without the command that shows
// it; empty = nothing.
func LeftOut(page history.Page) string {
	left := page.Left
	if left.Groups == 0 {
		return ""
	}
	text := words.Count(left.Groups, "older change") + " left out, of " + words.Count(left.Entries, "step")
	if left.More {
		text = "more than " + text
	}
	return text
}

func viewEntry(e history.Entry) entryView {
	v := entryView{
		ID: e.ID, Round: e.RoundID, Environment: e.Environment, Account: e.Account, Region: e.Region, Step: e.Step,
		Kind: string(e.Kind), Cause: string(e.Cause), Reason: e.Reason, Layer: e.Layer, Function: e.Function,
		From: string(e.From), To: string(e.To), FromVersion: e.FromVersion, ToVersion: e.ToVersion,
		Before: texts(e.Before), After: texts(e.After), Status: statusOf(e), Interrupted: e.Interrupted, Error: e.Error, RequestID: e.RequestID,
		StartedAt: plan.Timestamp(e.Started), EndedAt: plan.Timestamp(e.Ended), Seconds: e.Duration.Seconds(), Revision: e.Revision,
		Author: e.Author, Subject: e.Subject, Planned: e.Planned, Digest: e.Digest, Approval: e.Approval, ApprovedBy: e.ApprovedBy, Window: e.Window,
		Fencing: e.Fencing, Steps: e.Steps, Rollout: e.Rollout, Wave: e.Wave, Alias: e.Alias,
		AliasBefore: e.AliasBefore, AliasAfter: e.AliasAfter, Canary: e.Canary, Findings: e.Findings,
	}
	if e.Found != nil {
		v.Found = texts(e.Found)
	}
	switch {
	case e.Asked == nil:
	case e.Asked.Published:
		v.Asked = "published"
	case e.Asked.Earlier:
		v.Asked = "earlier"
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

// statusWord returns for people how a step ended.
func statusWord(e history.Entry) string {
	if e.Interrupted && e.Status != plan.StatusApplied {
		return "interrupted"
	}
	return statusOf(e)
}

// mark draws how a step ended.
func (p Palette) mark(e history.Entry) foreign.Styled {
	switch statusWord(e) {
	case "interrupted":
		return p.Warn("!")
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
		"rollout", "wave", "alias", "alias_before", "alias_after", "canary", "interrupted", "subject", "asked", "planned"}}
	for _, e := range entries {
		v := viewEntry(e)
		rows = append(rows, []string{v.StartedAt, v.EndedAt, v.Environment, v.Account, v.Region, v.Kind, v.Cause, v.Layer, v.Function,
			number(e.FromNumber), v.FromVersion, number(e.ToNumber), v.ToVersion, v.Status, v.Error, v.Reason, v.Revision,
			v.Author, v.ApprovedBy, v.Digest, v.RequestID,
			strconv.FormatFloat(v.Seconds, 'f', 3, 64), strings.Join(v.Before, " "), strings.Join(v.After, " "), v.Approval, v.Window,
			number(e.Fencing), v.ID, v.Round, number(int64(e.Steps)),
			v.Rollout, number(int64(v.Wave)), v.Alias, v.AliasBefore, v.AliasAfter, yes[v.Canary], yes[v.Interrupted], v.Subject, v.Asked, v.Planned})
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

// yes is a boolean in a table, where no is an empty cell.
var yes = map[bool]string{true: "true"}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// historyPage is a history that is being written.
type historyPage struct{ Page }

// History returns a page for people, the newest first; what was done to many functions
// in one rollout or round is one line. all is the command that shows what the page
// leaves out.
func History(page history.Page, all string, zone *time.Location, v Options) string {
	pg := &historyPage{Page{Palette: v.Palette, Width: v.Width}}
	day := ""
	for _, line := range historyLines(page.Entries) {
		if d := shownAt(line[0]).In(zone).Format("Mon 2006-01-02 MST"); d != day {
			day = d
			pg.Linef(0, "%s", pg.Bold(d))
		}
		pg.change(line, v.Verbose, zone)
	}
	if left := LeftOut(page); left != "" {
		pg.Linef(0, "%s; all of them:", left)
		pg.Copy(2, all)
	}
	return pg.String()
}

// same is what the entries of one line have in common.
type same struct {
	group, environment, region, layer, status, err, digest, asked, alias string
	kind                                                                 plan.Kind
	cause                                                                plan.Cause
	from, to                                                             state.LayerVersionARN
	wave                                                                 int
	canary                                                               bool
	decision                                                             int // each is its own; 0 = it is none
}

// historyLines returns the entries that are one line for a person, in the order of
// the newest of each. Functions that are worked on at the same time are recorded in
// any order, and those of several layers by turns: not only neighbours belong
// together.
func historyLines(entries []history.Entry) [][]history.Entry {
	var lines grouped[same, history.Entry]
	for i, e := range entries {
		key := same{
			group: e.Group(), environment: e.Environment, region: e.Region, layer: e.Layer, status: statusWord(e), err: e.Error,
			digest: e.Digest, asked: askedBy(e), kind: e.Kind, cause: e.Cause, from: e.From, to: e.To, wave: e.Wave, canary: e.Canary,
		}
		switch {
		case e.Cause == history.CauseRuling:
			key = same{decision: i + 1}
		case e.Kind == plan.KindServe:
			key.alias = e.Alias
		}
		lines.add(key, e)
	}
	var list [][]history.Entry
	for _, key := range lines.keys {
		list = append(list, lines.of[key])
	}
	return list
}

// subjectsOf returns the functions of a line, or the versions that were pruned: one that
// was tried again is no second one.
func subjectsOf(line []history.Entry) []string {
	var names grouped[string, struct{}]
	for _, e := range line {
		names.add(subjectOf(e), struct{}{})
	}
	return names.keys
}

// timesText returns how often a line was done, where that is more than once to each;
// else "".
func timesText(line []history.Entry, subjects int, zone *time.Location) string {
	if len(line) == subjects {
		return ""
	}
	return fmt.Sprintf("  %d times since %s", len(line), words.Moment(line[len(line)-1].Started, zone))
}

// shownAt is the instant that an entry is shown with: of a rollout, when it ended.
func shownAt(e history.Entry) time.Time {
	if e.Kind == history.KindRollout {
		return e.Ended
	}
	return e.Started
}

// change writes one change of one function or of many.
func (p *historyPage) change(entries []history.Entry, verbose bool, zone *time.Location) {
	e := entries[0]
	if e.Cause == history.CauseRuling {
		p.ruling(e, zone)
		return
	}
	noun, names := "function", subjectsOf(entries)
	if e.Kind == plan.KindPrune {
		noun = "version"
	}
	p.Hangf(2, 10, "%s %s %s · %s  %s %s  %s  %s%s", e.Started.In(zone).Format("15:04"), p.mark(e), e.Environment, e.Region,
		statusWord(e), e.Kind, words.Count(len(names), noun), whatOf(e), timesText(entries, len(names), zone))
	p.Linef(10, "%s", p.Faint(forWhom(e)+rolloutOf(e)))
	if e.Error != "" {
		p.Linef(10, "%s", e.Error)
	}
	if !verbose && len(names) > 1 {
		return
	}
	if !verbose {
		entries = entries[:1]
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
	text := "for " + string(e.Cause)
	if who := askedBy(e); who != "" {
		text += ", " + who
	}
	return text
}

// askedBy returns who asked for a change: "revision ab12cd3 by sato, “Raise it”".
func askedBy(e history.Entry) string {
	asked := desired.Asked{Revision: e.Revision, Author: e.Author, Subject: e.Subject}
	if e.Asked != nil {
		asked = *e.Asked
	}
	return askedText(asked)
}

func askedText(a desired.Asked) string {
	switch {
	case a.Published:
		return "a new version of the range in Git"
	case a.Revision == "":
		return ""
	case a.Earlier:
		return "revision " + words.Commit(a.Revision) + " or one before it"
	}
	text := "revision " + words.Commit(a.Revision) + by(a.Author)
	if a.Subject != "" {
		text += ", “" + words.Truncate(a.Subject, 72) + "”"
	}
	return text
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
	p.Hangf(2, 10, "%s %s %s · %s  rollout %s in wave %d  %s", shownAt(e).In(zone).Format("15:04"), mark, e.Environment, e.Region,
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

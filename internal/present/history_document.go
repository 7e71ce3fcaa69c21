package present

import (
	"encoding/csv"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
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
	Artifact    string   `json:"artifact,omitempty"`    // of a publish: what the version is made of
	SHA256      string   `json:"sha256,omitempty"`      // of a publish: of that, in hex
	With        string   `json:"with,omitempty"`        // of a share: an account, o-…, or * for every AWS account
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
		AliasBefore: e.AliasBefore, AliasAfter: e.AliasAfter, Canary: e.Canary, Findings: e.Findings, Artifact: e.Artifact, SHA256: e.SHA256,
	}
	if e.Sharing != nil {
		v.With = e.Sharing.String()
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

// HistoryCSV returns entries for spreadsheets and auditors. Names of
// functions and people's words are in there, and none of them is a formula.
func HistoryCSV(entries []history.Entry) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	rows := [][]string{{"started_at", "ended_at", "environment", "account", "region", "kind", "cause", "layer", "function",
		"from", "from_version", "to", "to_version", "status", "error", "reason", "revision", "author", "approved_by", "digest", "request_id",
		// New columns come last: people have spreadsheets that count them.
		"seconds", "before", "after", "approval", "window", "fencing", "id", "round", "steps",
		"rollout", "wave", "alias", "alias_before", "alias_after", "canary", "interrupted", "subject", "asked", "planned", "artifact", "sha256", "with"}}
	for _, e := range entries {
		v := viewEntry(e)
		rows = append(rows, []string{v.StartedAt, v.EndedAt, v.Environment, v.Account, v.Region, v.Kind, v.Cause, v.Layer, v.Function,
			number(e.FromNumber), v.FromVersion, number(e.ToNumber), v.ToVersion, v.Status, v.Error, v.Reason, v.Revision,
			v.Author, v.ApprovedBy, v.Digest, v.RequestID,
			strconv.FormatFloat(v.Seconds, 'f', 3, 64), strings.Join(v.Before, " "), strings.Join(v.After, " "), v.Approval, v.Window,
			number(e.Fencing), v.ID, v.Round, number(int64(e.Steps)),
			v.Rollout, number(int64(v.Wave)), v.Alias, v.AliasBefore, v.AliasAfter, yes[v.Canary], yes[v.Interrupted], v.Subject, v.Asked, v.Planned, v.Artifact, v.SHA256, v.With})
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

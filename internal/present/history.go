package present

import (
	"fmt"
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
		case e.Sharing != nil:
			key.from, key.to, key.alias = "", "", e.Sharing.Text(e.To != "")
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
	if e.Function == "" {
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
	switch {
	case e.Kind == plan.KindServe:
		return "alias " + e.Alias
	case e.Sharing != nil:
		return e.Layer + " " + e.Sharing.Text(e.To != "")
	case e.Kind == plan.KindPublish && e.SHA256 != "":
		return fmt.Sprintf("%s  sha256:%.12s from %s", subjectOf(e), e.SHA256, e.Artifact)
	case e.Kind == plan.KindPublish:
		return subjectOf(e)
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
		what += "  plan " + words.Digest(e.Digest)
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
	switch {
	case e.Function != "":
		return e.Function
	case e.Kind == plan.KindPublish && e.To != "":
		return e.Layer + " " + e.To.Label(e.ToVersion)
	case e.Kind == plan.KindPublish:
		return e.Layer + " " + e.ToVersion
	case e.From == "":
		return e.Layer + " " + e.To.Label(e.ToVersion)
	}
	return e.Layer + " " + e.From.Label(e.FromVersion)
}

package present

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/why"
	"github.com/layerd/layerd/internal/words"
)

// whyPage is a why that is being written.
type whyPage struct {
	*Page
	Options
	zone *time.Location
}

// Why returns an answer for people. of is the round that the answer is from.
func Why(a why.Answer, of plan.Report, v Options) string {
	p := &whyPage{Page: &Page{Palette: v.Palette, Width: v.Width}, Options: v}
	for i, e := range a.Environments {
		if i > 0 {
			p.Blank()
		}
		p.zone = e.Region.Want.Zone
		p.environment(a.Function, e, of)
	}
	return p.String()
}

func (p *whyPage) environment(function string, e why.Environment, of plan.Report) {
	r := e.Region
	p.Ends(p.Page.Bold(function), foreign.Styledf("%s · %s · %s", r.Want.Name, r.Want.Account, r.Want.Region))
	if of.Revision != "" {
		p.Linef(2, "%s", p.Page.Faint("as Git is at revision "+words.Commit(of.Revision)))
	}
	switch {
	case r.Failure != nil:
		p.Linef(2, "%s not read: %s", p.Page.Bad("✗"), r.Failure.Message)
	case !e.Exists:
		p.Linef(2, "%s it does not exist here any more", p.Page.Warn("!"))
	case !e.Selected:
		p.Linef(2, "%s this environment does not select it: layerd leaves it as it is", p.Page.Warn("!"))
		p.notSelected(e.NotSelected)
	}
	for _, l := range e.Layers {
		p.layer(e, l, of.Past != "none")
	}
	for _, b := range r.Blocked {
		p.Linef(2, "%s blocked: %s", p.Page.Bad("✗"), b.Reason)
	}
	for _, b := range e.Behind {
		serves := "without the layer"
		if b.Serves != "" {
			serves = fmt.Sprintf("with %s %d", b.Layer, b.Serves.Number())
		}
		p.Linef(2, "%s alias %s serves version %s, %s: callers of the alias do not see what $LATEST has", p.Page.Warn("!"), b.Alias, b.Version, serves)
	}
	if len(e.Others) > 0 {
		p.Linef(2, "also attached")
		for _, o := range e.Others {
			p.Linef(4, "%s  %s", o.ARN, p.Page.Faint(o.Reason))
		}
	}
	for _, n := range whyNotes(e) {
		p.Linef(2, "· %s", n)
	}
	p.changes(e.Changes, of.Past)
}

// whyNotes returns what is worth a line and belongs to no layer.
func whyNotes(e why.Environment) []string {
	notes := []string{}
	if !e.Exists {
		return notes
	}
	if e.Unread != "" {
		notes = append(notes, "its aliases are not known: "+e.Unread)
	}
	if e.Selected && e.Region.Rollout.Open() {
		notes = append(notes, rolloutText(e.Region))
	}
	if e.LeftAlone {
		notes = append(notes, "left alone: somebody else has changed it since the rollout, which goes back without it")
	}
	for _, problem := range e.Region.Problems {
		notes = append(notes, fmt.Sprintf("%s:%d: %s", problem.File, problem.Line, problem.Message))
	}
	return notes
}

func (p *whyPage) notSelected(list []why.NotSelected) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b why.NotSelected) int { return cmp.Compare(b.Near, a.Near) })
	for _, n := range list[:min(len(list), 3)] {
		p.Linef(4, "%s: %s", n.Layer, n.Reason)
		if n.Text != "" {
			p.Linef(6, "%s:%d: %s", n.File, n.Line.Line, n.Text)
		}
	}
}

func (p *whyPage) layer(e why.Environment, l why.Layer, remembers bool) {
	have, want := words.Version(l.Have, l.HaveVersion), words.Version(l.Want, l.WantVersion)
	switch {
	case l.Step != nil && l.Step.To.Content() != "":
		want = l.Step.To.Label(l.WantVersion)
	case l.Want == 0:
		want = l.Asked
	}
	if l.Status == why.InSync {
		p.Linef(2, "%s %s  has %s, as it should", p.Page.Good("✓"), p.Page.Bold(l.Name), have)
	} else {
		p.Linef(2, "%s %s  has %s, should have %s", p.Page.Warn("~"), p.Page.Bold(l.Name), have, want)
	}
	p.Linef(4, "%s:%d says %s, %s:%d selects it: %s", l.Version.File, l.Version.Line, l.Asked, l.Selector.File, l.Selector.Line, l.Selector.Text)
	if l.Yanked != "" {
		p.Linef(4, "%s %s was yanked: %s", p.Page.Warn("!"), have, l.Yanked)
	}
	if l.Deprecated != "" {
		p.Linef(4, "%s %s is deprecated: %s", p.Page.Warn("!"), have, l.Deprecated)
	}
	if pin := l.Pin; pin != nil {
		p.Linef(4, "pinned%s%s: %s", by(pin.Owner), p.until(pin.Until), pin.Reason)
	}
	if d := l.Drift; d != nil {
		since := ""
		if !d.Since.IsZero() {
			since = ", since " + words.Moment(d.Since, p.zone)
		}
		p.Linef(4, "%s drift: %s%s", p.Page.Warn("!"), d.Reason, since)
	}
	p.step(e, l)
	switch {
	case l.PutBy != nil:
		p.putBy(*l.PutBy)
	case l.Have != 0 && remembers:
		p.Linef(4, "%s", p.Page.Faint("layerd did not put it there, as far as its history goes"))
	}
}

func by(owner string) string {
	if owner == "" {
		return ""
	}
	return " by " + owner
}

func (p *whyPage) until(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " until " + words.Moment(t, p.zone)
}

func (p *whyPage) step(e why.Environment, l why.Layer) {
	if l.Step == nil {
		return
	}
	p.Linef(4, "%s for %s: %s", l.Step.Kind, l.Step.Cause, l.Step.Reason)
	if a := l.Step.Asked; a != nil {
		p.Linef(4, "asked for by %s", askedText(*a))
	}
	if a := l.Approval; a != nil {
		reason := ""
		if a.Reason != "" {
			reason = ": " + a.Reason
		}
		p.Linef(4, "%s approved by %s%s%s", p.Page.Good("✓"), a.By, p.until(expires(e, l)), reason)
	}
	held := l.Step.Held
	if held == nil {
		p.Linef(4, "nothing holds it: the next apply does it")
		return
	}
	p.Linef(4, "%s", waitsFor(*held, p.Now, p.zone))
	for _, h := range held.All() {
		p.Linef(6, "%s: %s", h.By, h.Reason)
	}
	if l.Approvable && p.Commands.Approve != nil {
		p.Linef(4, "release it:")
		p.Copy(6, p.Commands.Approve(e.Region.Want.Name, e.Digest))
	}
}

// expires returns until when the approval of a layer's step holds; zero once its
// rollout has begun.
func expires(e why.Environment, l why.Layer) time.Time {
	if !l.Approval.Begun.IsZero() {
		return time.Time{}
	}
	return l.Approval.Expires(e.Region.Want.Calendar)
}

// putBy writes which change put the version there.
func (p *whyPage) putBy(e history.Entry) {
	text := "put there " + words.Moment(e.Started, p.zone) + " " + forWhom(e)
	if e.Cause == plan.CauseRollback && e.Reason != "" {
		text += ": " + e.Reason
	}
	p.Linef(4, "%s", text)
	var trace []string
	if e.RequestID != "" {
		trace = append(trace, "request "+e.RequestID)
	}
	if e.Fencing > 0 {
		trace = append(trace, fmt.Sprintf("fencing %d", e.Fencing))
	}
	if len(trace) > 0 {
		p.Linef(4, "%s", p.Page.Faint(strings.Join(trace, ", ")))
	}
}

func (p *whyPage) changes(changes []history.Entry, past string) {
	switch {
	case past == "none":
		p.Linef(2, "%s", p.Page.Faint("no store was found, so nothing is known of what was done before"))
		return
	case len(changes) == 0:
		return
	}
	p.Linef(2, "last changes")
	for _, c := range changes {
		what := whatOf(c)
		if moved := aliasOf(c); c.Kind == plan.KindServe && moved != "" {
			what = moved
		}
		reason := ""
		if c.Error != "" {
			reason = ": " + c.Error
		}
		p.Hangf(4, 4, "%s %s  %s %s  %s  %s%s", p.Page.mark(c), words.Moment(c.Started, p.zone), statusWord(c), c.Kind, what, forWhat(c), reason)
	}
}

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/state"
)

// whyPage is a why that is being written.
type whyPage struct {
	*page
	now     time.Time
	zone    *time.Location
	approve func(environment, digest string) string
}

func renderWhy(v whyView, places []whyPlace, f *roundFlags, p palette, width int, now time.Time) string {
	pg := &whyPage{page: &page{palette: p, width: width}, now: now, approve: f.approveLine}
	for i, e := range v.Environments {
		if i > 0 {
			pg.blank()
		}
		at := slices.IndexFunc(places, func(p whyPlace) bool {
			return p.region.Want.Name == e.Environment && p.region.Want.Region == e.Region
		})
		pg.zone = places[at].region.Want.Zone
		pg.environment(v, e, places[at].changes)
	}
	return pg.String()
}

func (p *whyPage) environment(v whyView, e whyEnvironment, changes []history.Entry) {
	p.ends(p.bold(v.Function), fmt.Sprintf("%s · %s · %s", e.Environment, e.Account, e.Region))
	if v.Revision != "" {
		p.linef(2, "%s", p.faint("as Git is at revision "+words.Commit(v.Revision)))
	}
	switch {
	case e.Error != nil:
		p.linef(2, "%s not read: %s", p.bad("✗"), e.Error.Message)
	case !e.Exists:
		p.linef(2, "%s it does not exist here any more", p.warn("!"))
	case !e.Selected:
		p.linef(2, "%s this environment does not select it: layerd leaves it as it is", p.warn("!"))
		p.notSelected(e.NotSelected)
	}
	for _, l := range e.Layers {
		p.layer(e, l, v.Past != "none")
	}
	for _, b := range e.Blocked {
		p.linef(2, "%s blocked: %s", p.bad("✗"), b.Reason)
	}
	for _, a := range e.Aliases {
		serves := "without the layer"
		if a.Serves != "" {
			serves = fmt.Sprintf("with %s %d", a.Layer, state.LayerVersionARN(a.Serves).Number())
		}
		p.linef(2, "%s alias %s serves version %s, %s: callers of the alias do not see what $LATEST has", p.warn("!"), a.Alias, a.Version, serves)
	}
	if len(e.Others) > 0 {
		p.linef(2, "also attached")
		for _, o := range e.Others {
			p.linef(4, "%s  %s", o.ARN, p.faint(o.Reason))
		}
	}
	for _, n := range e.Notes {
		p.linef(2, "· %s", n)
	}
	p.changes(v, changes)
}

func (p *whyPage) notSelected(list []whyNot) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b whyNot) int { return cmp.Compare(b.near, a.near) })
	for _, n := range list[:min(len(list), 3)] {
		p.linef(4, "%s: %s", n.Layer, n.Reason)
		if n.Text != "" {
			p.linef(6, "%s:%d: %s", n.File, n.Line, n.Text)
		}
	}
}

func (p *whyPage) layer(e whyEnvironment, l whyLayer, remembers bool) {
	have, want := words.Version(l.Have, l.HaveVersion), words.Version(l.Want, l.WantVersion)
	if l.Have == 0 {
		have = "none"
	}
	if l.Want == 0 {
		want = l.Asked
	}
	if l.Status == "in_sync" {
		p.linef(2, "%s %s  has %s, as it should", p.good("✓"), p.bold(l.Layer), have)
	} else {
		p.linef(2, "%s %s  has %s, should have %s", p.warn("~"), p.bold(l.Layer), have, want)
	}
	p.linef(4, "%s:%d says %s, %s:%d selects it: %s", l.Version.File, l.Version.Line, l.Asked, l.Selector.File, l.Selector.Line, l.Selector.Text)
	if pin := l.Pin; pin != nil {
		p.linef(4, "pinned%s%s: %s", by(pin.Owner), p.until(pin.Until), pin.Reason)
	}
	if d := l.Drift; d != nil {
		since := ""
		if !l.since.IsZero() {
			since = ", since " + words.Moment(l.since, p.zone)
		}
		p.linef(4, "%s drift: %s%s", p.warn("!"), d.Reason, since)
	}
	p.step(e, l)
	switch {
	case l.PutBy != nil:
		p.putBy(l.entry)
	case l.Have != 0 && remembers:
		p.linef(4, "%s", p.faint("layerd did not put it there, as far as its history goes"))
	}
}

func by(owner string) string {
	if owner == "" {
		return ""
	}
	return " by " + owner
}

func (p *whyPage) until(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return ""
	}
	return " until " + words.Moment(t, p.zone)
}

func (p *whyPage) step(e whyEnvironment, l whyLayer) {
	if l.Step == nil {
		return
	}
	p.linef(4, "%s for %s: %s", l.Step.Kind, l.Step.Cause, l.Step.Reason)
	if a := l.Approval; a != nil {
		reason := ""
		if a.Reason != "" {
			reason = ": " + a.Reason
		}
		p.linef(4, "%s approved by %s%s%s", p.good("✓"), a.By, p.until(a.Until), reason)
	}
	if l.held == nil {
		p.linef(4, "nothing holds it: the next apply does it")
		return
	}
	p.linef(4, "%s", waitsFor(*l.held, p.now, p.zone))
	for _, h := range l.held.All() {
		p.linef(6, "%s: %s", h.By, h.Reason)
	}
	if l.approvable {
		p.linef(4, "release it:")
		p.WriteString("      " + p.approve(e.Environment, e.Digest) + "\n") // whole, to be copied
	}
}

// putBy tells which change put the version there.
func (p *whyPage) putBy(e history.Entry) {
	text := "put there " + words.Moment(e.Started, p.zone) + " for " + string(e.Cause)
	if e.Revision != "" {
		text += ", revision " + words.Commit(e.Revision) + by(e.Author)
	}
	if e.ApprovedBy != "" {
		text += ", approved by " + e.ApprovedBy
	}
	if e.Cause == plan.CauseRollback && e.Reason != "" {
		text += ": " + e.Reason
	}
	p.linef(4, "%s", text)
	var trace []string
	if e.RequestID != "" {
		trace = append(trace, "request "+e.RequestID)
	}
	if e.Fencing > 0 {
		trace = append(trace, fmt.Sprintf("fencing %d", e.Fencing))
	}
	if len(trace) > 0 {
		p.linef(4, "%s", p.faint(strings.Join(trace, ", ")))
	}
}

func (p *whyPage) changes(v whyView, changes []history.Entry) {
	switch {
	case v.Past == "none":
		p.linef(2, "%s", p.faint("no store was found, so nothing is known of what was done before"))
		return
	case len(changes) == 0:
		return
	}
	p.linef(2, "last changes")
	for _, c := range changes {
		mark := map[string]string{string(plan.StatusApplied): p.good("✓"), string(plan.StatusFailed): p.bad("✗"), openStatus: p.warn("?")}[statusOf(c)]
		text := fmt.Sprintf("%s %s  %s %s  %s %s → %s  for %s", cmp.Or(mark, "·"), words.Moment(c.Started, p.zone), statusOf(c), c.Kind, c.Layer,
			c.From.Label(c.FromVersion), c.To.Label(c.ToVersion), c.Cause)
		if c.Revision != "" {
			text += ", revision " + words.Commit(c.Revision) + by(c.Author)
		}
		if c.Error != "" {
			text += ": " + c.Error
		}
		p.line(4, 4, text)
	}
}

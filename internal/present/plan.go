package present

import (
	"fmt"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"
)

// Text returns what plan or apply found, for people.
func Text(r plan.Report, v Options) string {
	p := &planPage{Page: Page{Palette: v.Palette, Width: v.Width}, Options: v}
	p.preface(r)
	for _, planned := range r.Plans {
		p.environment(planned)
	}
	for _, name := range r.Skipped {
		p.Ends(p.Page.Bold(name), p.Page.Bad("✗ not looked at"))
		p.Linef(2, "its desired state is invalid or needs what is not supported yet, see above")
	}
	if len(r.Plans)+len(r.Skipped) > 0 {
		p.Blank()
	}
	p.Line(0, 2, p.summary(r))
	return p.String()
}

// planPage is a page with what it shows.
type planPage struct {
	Page
	Options
}

// preface has what concerns all environments: the revision, the problems.
func (p *planPage) preface(r plan.Report) {
	revision := "no commit"
	if r.Revision != "" {
		revision = "revision " + words.Commit(r.Revision)
	}
	past := "past: " + p.Store
	if r.Past == "none" {
		past = "past: none, so nothing counts as drift"
		if p.Store != "" {
			past += " (" + p.Store + " is not there)"
		}
	}
	p.Linef(0, "%s", p.Page.Faint(revision+", "+past))
	p.Blank()
	for _, x := range r.Problems {
		p.problem(0, x)
	}
	switch {
	case r.Interrupted > 0 && !p.Applied:
		p.Linef(0, "%s begun and %s no end yet: layerd is at work there, or was interrupted, and that is no drift",
			words.Plural(r.Interrupted, "step was", "steps were"), map[bool]string{true: "has", false: "have"}[r.Interrupted == 1])
	case r.Interrupted > 0:
		p.Linef(0, "%s of an earlier, interrupted apply had no end and %s compared with AWS",
			words.Count(r.Interrupted, "record"), map[bool]string{true: "was", false: "were"}[r.Interrupted == 1])
	}
	if len(r.Problems)+r.Interrupted > 0 {
		p.Blank()
	}
}

func (p *planPage) problem(indent int, x desired.Problem) {
	mark := p.Page.Bad("✗ error:")
	if x.Severity == desired.Warning {
		mark = p.Page.Warn("! warning:")
	}
	p.Linef(indent, "%s %s [%s]", mark, x.Brief(), x.Code)
	if x.Suggestion != "" {
		p.Linef(indent+2, "%s", x.Suggestion)
	}
}

func (p *planPage) environment(planned plan.Plan) {
	for _, r := range planned.Regions {
		p.region(r)
	}
	if p.Commands.retried(planned) {
		p.Linef(2, "%s to let what failed or was rolled back come again, once the reason is gone:", p.Page.Held("?"))
		p.Copy(6, p.Commands.Retry(planned.Environment))
	}
	if len(planned.Lines) == 0 || p.Commands.Approve == nil || !approvable(planned) {
		return
	}
	p.Linef(2, "%s to release this plan, after looking at it:", p.Page.Held("?"))
	p.Copy(6, p.Commands.Approve(planned.Environment, planned.Digest))
}

// region shows one environment in one Region; a calm one takes one line.
func (p *planPage) region(r plan.Region) {
	name := foreign.Styledf("%s · %s", p.Page.Bold(r.Want.Name), r.Want.Region)
	if p.calm(r) {
		p.Ends(foreign.Styledf("%s %s  in sync, %s", p.Page.Good("✓"), name, words.Count(len(r.Want.Layers), "layer")), p.Page.Faint(r.Want.Account))
		p.asides(r)
		return
	}
	p.Ends(name, p.Page.Faint(r.Want.Account))
	p.circumstances(r)
	p.rollout(r)
	if f := r.Failure; f != nil {
		p.failure(*f)
	}
	for _, x := range r.Problems {
		p.problem(2, x)
	}
	runs, waits := split(r.Steps)
	if p.Applied {
		p.results(runs)
	} else {
		p.groups(2, groupSteps(runs))
	}
	for _, w := range waits {
		p.waiting(r, w)
	}
	p.drift(r)
	p.blocked(r)
	p.aliases(r)
	p.asides(r)
	p.kept(r)
	p.cost(r)
}

// calm reports whether there is nothing a person has to read.
func (p *planPage) calm(r plan.Region) bool {
	return r.InSync && r.Rollout == nil && len(r.Steps)+len(r.Drift)+len(r.Behind) == 0 && (!p.Verbose || len(r.Kept) == 0)
}

// circumstances is what allows or forbids: the window, the mode, the approval.
func (p *planPage) circumstances(r plan.Region) {
	if reason := r.Window.Reason; reason != "" {
		draw := p.Page.Good
		if !r.Window.Open {
			draw = p.Page.Held
		}
		// The reason begins with the word that matters: open, closed, frozen.
		state, rest := reason, ""
		if i := strings.IndexAny(reason, " ,:"); i > 0 {
			state, rest = reason[:i], reason[i:]
		}
		if !r.Window.Open && !r.Window.NextOpen.IsZero() {
			rest += ", in " + words.Span(r.Window.NextOpen.Sub(p.Now))
		}
		p.Linef(2, "window: %s%s", draw(state), rest)
	}
	if r.Want.Observe {
		p.Linef(2, "mode: observe, so that nothing is changed")
	}
	if r.Want.ApprovalRequired {
		p.Linef(2, "approval: %s", p.approvalState(r))
	}
}

func (p *planPage) approvalState(r plan.Region) foreign.Styled {
	changes := 0
	for _, s := range r.Steps {
		if s.HeldBy(plan.ByApproval) {
			return p.Page.Held("required, and missing for this plan")
		}
		if s.Cause == plan.CauseChange && !s.Back {
			changes++
		}
	}
	switch {
	case changes > 0:
		return p.Page.Good("given")
	case r.ObservedAt.IsZero(): // not read, so that nobody knows
		return "required"
	}
	return "required, nothing to approve"
}

func (p *planPage) failure(f plan.Failure) {
	advice := ""
	if f.Retryable {
		advice = "; try again later"
	}
	p.Linef(2, "%s %s%s [%s]", p.Page.Bad("✗"), f.Message, advice, f.Code)
	if hint := p.Commands.advice(f); hint != "" {
		p.Linef(4, "%s", hint)
	}
}

// groups shows steps that belong together, the counts in one column.
func (p *planPage) groups(indent int, groups []group) {
	for _, g := range groups {
		p.group(indent, p.symbol(g), g.verb, widest(groups), g)
	}
}

func widest(groups []group) int {
	n := 0
	for _, g := range groups {
		n = max(n, len(words.Count(len(g.steps), g.noun)))
	}
	return n
}

// group is one line, and the names below it where they were asked for or
// there is one only.
func (p *planPage) group(indent int, symbol foreign.Styled, verb string, counted int, g group) {
	names := g.names()
	text := g.what
	explained := g.steps[0].Result != nil && g.steps[0].Result.Error != "" // which names it again
	if len(names) == 1 && !p.Verbose && !explained {
		text += "  " + names[0]
	}
	hang := 2 + 8 + 2 + counted + 2
	p.Hangf(indent, hang, "%s %s  %s  %s", symbol, Pad(verb, 8), padLeft(words.Count(len(g.steps), g.noun), counted), text)
	if !p.Verbose {
		return
	}
	if reason := g.reason(); reason != "" {
		p.Linef(indent+4, "%s", p.Page.Faint(reason))
		if len(names) > 0 {
			p.Line(indent+4, 0, strings.Join(names, " "))
		}
		return
	}
	for _, s := range g.steps {
		p.Linef(indent+4, "%s  %s", subject(s), p.Page.Faint(s.Reason))
	}
}

// subject returns the function of a step, or the version that it is about.
func subject(s plan.Step) string {
	if s.Function != "" {
		return s.Function
	}
	return s.Layer + " " + s.Subject()
}

func (p *planPage) symbol(g group) foreign.Styled {
	switch g.symbol {
	case "+":
		return p.Page.Good(g.symbol)
	case "-":
		return p.Page.Bad(g.symbol)
	default:
		return p.Page.Warn(g.symbol)
	}
}

// waiting shows what is held, by whom, why and until when.
func (p *planPage) waiting(r plan.Region, w waiting) {
	p.Hangf(2, 4, "%s", p.Page.Held("… "+waitsFor(w.held, p.Now, r.Want.Zone)))
	for _, h := range w.explained(r) {
		p.Linef(6, "%s: %s", h.By, h.Reason)
	}
	p.groups(6, w.groups)
}

// summary returns the last line: everything in one sentence.
func (p *planPage) summary(r plan.Report) string {
	t := totals(r)
	var parts []string
	switch {
	case p.Applied && t.steps == 0 && (t.unread > 0 || len(r.Skipped) > 0):
		parts = append(parts, "Apply: incomplete")
	case p.Applied:
		parts = append(parts, "Apply: "+t.outcome())
	case t.steps > 0:
		text := "Plan: " + tally(r.Steps())
		if t.held > 0 {
			text += fmt.Sprintf("; %d of %d wait", t.held, t.steps)
		}
		parts = append(parts, text)
	case t.unread > 0 || len(r.Skipped) > 0:
		parts = append(parts, "Plan: incomplete")
	default:
		parts = append(parts, "Plan: nothing to do")
	}
	for _, x := range []struct {
		n    int
		what string
	}{{t.drift, "drifted"}, {t.blocked, "blocked"}, {t.errors, "invalid"}, {t.unread, "not done"}} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	return strings.Join(append(parts, unwell(r)...), ", ") + "."
}

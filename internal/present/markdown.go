package present

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"
)

// markdownLimit is what GitHub takes as the body of a comment, in characters;
// we count bytes, which are never fewer.
const markdownLimit = 65_536

// Markdown returns a result as a comment on a pull request. Where it would
// be too long, names go first, then the details of the last environments; the
// table on top always stays.
func Markdown(r plan.Report, v Options) string {
	for _, names := range []int{1000, 100, 20, 0} {
		if text := markdown(r, v, names, len(r.Plans)); len(text) <= markdownLimit {
			return text
		}
	}
	// The most environments whose details fit, found by halving: a comment of
	// a thousand environments must not be written a thousand times.
	tooMany := sort.Search(len(r.Plans), func(n int) bool { return len(markdown(r, v, 0, n)) > markdownLimit })
	text := markdown(r, v, 0, max(tooMany-1, 0))
	if len(text) > markdownLimit {
		const end = "\n\n… the rest is left out; run `layerd plan`.\n"
		text = text[:markdownLimit-len(end)]
		text = text[:max(0, strings.LastIndexByte(text, '\n'))] + end // in the middle of a line it could end within a mark
	}
	return text
}

// markdown writes the details of the first detailed environments, with at most
// names functions per group.
func markdown(r plan.Report, v Options, names, detailed int) string {
	var b comment
	for _, planned := range r.Plans {
		b.f("<!-- layerd:plan:%s -->\n", planned.Environment)
	}
	verb := "plan"
	if v.Applied {
		verb = "apply"
	}
	p := &planPage{Options: v}
	b.f("## layerd %s\n\n%s\n\n", verb, p.summary(r))
	if r.Revision != "" {
		b.f("Revision %s, past: %s.\n\n", foreign.Code(words.Commit(r.Revision)), r.Past)
	}
	b.problems(r.Problems)
	b.table(r, v)
	for i, planned := range r.Plans {
		if i >= detailed {
			b.f("\nThe details of %s are left out here, they are too long; run `layerd plan`.\n",
				words.Count(len(r.Plans)-i, "environment"))
			break
		}
		m := markdownPlan{Options: v, names: names}
		b.f("\n%s", m.environment(planned))
	}
	return b.text.String()
}

// comment is Markdown that is being written. What others wrote is escaped by its only
// way in.
type comment struct{ text strings.Builder }

func (b *comment) f(format string, args ...any) {
	b.text.WriteString(string(foreign.Markedf(format, args...)))
}

func (b *comment) problems(problems []desired.Problem) {
	const most, longest = 20, 1000 // so that twenty of them fit
	for i, p := range problems {
		if i == most {
			b.f("- … and %d more\n", len(problems)-most)
			break
		}
		b.f("- %s ", map[bool]string{true: "⚠️", false: "❌"}[p.Severity == desired.Warning])
		if place := p.Place(); place != "" {
			b.f("%s ", foreign.Code(place))
		}
		b.f("%s (%s)", words.Truncate(p.Message, longest), foreign.Code(p.Code))
		if p.Suggestion != "" {
			b.f(": %s", words.Truncate(p.Suggestion, longest))
		}
		b.f("\n")
	}
	if len(problems) > 0 {
		b.f("\n")
	}
}

func (b *comment) table(r plan.Report, v Options) {
	b.f("| environment | Region | steps | waiting for | drift | blocked |\n|---|---|---|---|---|---|\n")
	for _, planned := range r.Plans {
		for _, region := range planned.Regions {
			t := totals(plan.Report{Plans: []plan.Plan{{Regions: []plan.Region{region}}}})
			steps := tally(region.Steps)
			if v.Applied {
				steps = t.outcome()
			}
			switch {
			case region.Failure != nil:
				steps = "❌ " + region.Failure.Code
			case region.InSync && t.steps == 0:
				steps = "✅ in sync"
			}
			b.f("| %s | %s | %s | %s | %d | %d |\n", planned.Environment, region.Want.Region, steps,
				waitingFor(region, v), t.drift, t.blocked)
		}
	}
	for _, name := range r.Skipped {
		b.f("| %s | | ❌ invalid, not looked at | | | |\n", name)
	}
}

// waitingFor returns all who hold something in the Region, and the next moment at
// which that may change.
func waitingFor(r plan.Region, v Options) string {
	var by []string
	for _, s := range r.Steps {
		if s.Held == nil {
			continue
		}
		for _, h := range s.Held.All() {
			if !slices.Contains(by, string(h.By)) {
				by = append(by, string(h.By))
			}
		}
	}
	text := strings.Join(by, ", ")
	if text != "" && !r.Next.IsZero() {
		text += "; next " + words.Until(r.Next, v.Now, r.Want.Zone)
	}
	return text
}

// markdownPlan writes one environment's details.
type markdownPlan struct {
	Options
	names int // functions named per group
}

func (m markdownPlan) environment(planned plan.Plan) foreign.Marked {
	var b comment
	for _, r := range planned.Regions {
		if r.InSync && r.Rollout == nil && len(r.Steps)+len(r.Drift)+len(r.Blocked)+len(r.Behind)+len(r.Notes) == 0 {
			continue
		}
		b.f("<details><summary><b>%s</b> · %s</summary>\n\n", planned.Environment, r.Want.Region)
		m.region(&b, r)
		b.f("</details>\n\n")
	}
	if len(planned.Lines) > 0 && m.Commands.Approve != nil && approvable(planned) {
		b.f("To release the plan of **%s**:\n\n%s", planned.Environment,
			foreign.Fenced("sh", m.Commands.Approve(planned.Environment, planned.Digest)+"\n"))
	}
	return foreign.Marked(b.text.String())
}

func (m markdownPlan) region(b *comment, r plan.Region) {
	if r.Window.Reason != "" {
		b.f("Change window: %s\n\n", r.Window.Reason)
	}
	b.rollout(r, m.Options)
	if f := r.Failure; f != nil {
		b.f("❌ %s (%s)\n\n", f.Message, foreign.Code(f.Code))
	}
	b.problems(r.Problems)
	if len(r.Steps) > 0 {
		b.f("%s\n", foreign.Fenced("diff", m.diff(r)))
	}
	drift, extra := splitDrift(r.Drift)
	if len(extra) > 0 {
		b.f("- %s attached that neither Git nor `unmanaged` names, left as it is\n", words.Count(len(extraByLayer(extra)), "layer"))
	}
	for _, d := range drift {
		b.f("- ⚠️ drift %s on %s: %s, since %s\n", foreign.Code(d.Kind), foreign.Code(d.Function), d.Reason, words.Moment(d.Since, r.Want.Zone))
	}
	blocked := blockedByReason(r)
	for _, reason := range blocked.keys {
		b.f("- ⛔ blocked, %s: %s\n", reason, m.list(blocked.of[reason]))
	}
	for _, a := range r.Behind {
		b.f("- ⚠️ %s serves %s while `$LATEST` gets %s\n", foreign.Code(a.Function+":"+a.Alias), layerServed(a), a.Latest.Label(""))
	}
	for _, n := range r.Notes {
		b.f("- %s\n", n.Message)
	}
	if r.Cost.Calls > 0 && !m.Applied {
		b.f("\n%s\n", costText(r.Cost, m.Rate))
	}
	b.f("\n")
}

// diff uses GitHub's colours: + green, - red, ! orange, # grey.
func (m markdownPlan) diff(r plan.Region) string {
	var b block
	runs, waits := split(r.Steps)
	m.groups(&b, groupSteps(runs))
	for _, w := range waits {
		b.f("# %s\n", waitsFor(w.held, m.Now, r.Want.Zone))
		for _, h := range w.explained(r) {
			b.f("#   %s: %s\n", h.By, h.Reason)
		}
		m.groups(&b, w.groups)
	}
	return b.String()
}

// block is lines of code that are being written, each of which we begin.
type block struct{ strings.Builder }

func (b *block) f(format string, args ...any) { b.WriteString(foreign.Linef(format, args...)) }

func (m markdownPlan) groups(b *block, groups []group) {
	for _, g := range groups {
		symbol := g.symbol
		if symbol != "+" && symbol != "-" {
			symbol = "!"
		}
		b.f("%s %s %s  %s\n", symbol, Pad(g.verb, 8), padLeft(words.Count(len(g.steps), g.noun), widest(groups)), g.what)
		if names := g.names(); len(names) > 0 && m.names > 0 {
			b.f("    %s\n", m.list(names))
		}
		for _, s := range g.steps {
			if s.Result != nil && s.Result.Error != "" {
				b.f("- %s %s: %s\n", s.Result.Status, subject(s), s.Result.Error)
			}
		}
	}
}

func (m markdownPlan) list(names []string) string {
	shown := min(len(names), m.names)
	text := strings.Join(names[:shown], ", ")
	switch {
	case shown == 0:
		return words.Count(len(names), "function")
	case shown < len(names):
		return fmt.Sprintf("%s and %d more", text, len(names)-shown)
	}
	return text
}

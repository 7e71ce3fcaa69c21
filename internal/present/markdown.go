package present

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/layerd/layerd/internal/desired"
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
		text = strings.ToValidUTF8(text[:markdownLimit-len(end)], "") + end
	}
	return text
}

// markdown writes the details of the first detailed environments, with at most
// names functions per group.
func markdown(r plan.Report, v Options, names, detailed int) string {
	var b strings.Builder
	for _, planned := range r.Plans {
		fmt.Fprintf(&b, "<!-- layerd:plan:%s -->\n", planned.Environment)
	}
	verb := "plan"
	if v.Applied {
		verb = "apply"
	}
	p := &planPage{Options: v}
	fmt.Fprintf(&b, "## layerd %s\n\n%s\n\n", verb, escape(p.summary(r)))
	if r.Revision != "" {
		fmt.Fprintf(&b, "Revision `%s`, past: %s.\n\n", words.Commit(r.Revision), r.Past)
	}
	markdownProblems(&b, r.Problems)
	markdownTable(&b, r, v)
	for i, planned := range r.Plans {
		if i >= detailed {
			fmt.Fprintf(&b, "\nThe details of %s are left out here, they are too long; run `layerd plan`.\n",
				words.Count(len(r.Plans)-i, "environment"))
			break
		}
		m := markdownPlan{Options: v, names: names}
		b.WriteString("\n" + m.environment(planned))
	}
	return b.String()
}

func markdownProblems(b *strings.Builder, problems []desired.Problem) {
	const most = 20
	for i, p := range problems {
		if i == most {
			fmt.Fprintf(b, "- … and %d more\n", len(problems)-most)
			break
		}
		mark := "❌"
		if p.Severity == desired.Warning {
			mark = "⚠️"
		}
		if place := p.Place(); place != "" {
			mark += " `" + place + "`"
		}
		fmt.Fprintf(b, "- %s %s (`%s`)", mark, escape(p.Message), p.Code)
		if p.Suggestion != "" {
			fmt.Fprintf(b, ": %s", escape(p.Suggestion))
		}
		b.WriteByte('\n')
	}
	if len(problems) > 0 {
		b.WriteByte('\n')
	}
}

func markdownTable(b *strings.Builder, r plan.Report, v Options) {
	b.WriteString("| environment | Region | steps | waiting for | drift | blocked |\n|---|---|---|---|---|---|\n")
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
			fmt.Fprintf(b, "| %s | %s | %s | %s | %d | %d |\n", planned.Environment, region.Want.Region, escape(steps),
				escape(waitingFor(region, v)), t.drift, t.blocked)
		}
	}
	for _, name := range r.Skipped {
		fmt.Fprintf(b, "| %s | | ❌ invalid, not looked at | | | |\n", name)
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

func (m markdownPlan) environment(planned plan.Plan) string {
	var b strings.Builder
	for _, r := range planned.Regions {
		if r.InSync && r.Rollout == nil && len(r.Steps)+len(r.Drift)+len(r.Blocked)+len(r.Behind)+len(r.Notes) == 0 {
			continue
		}
		fmt.Fprintf(&b, "<details><summary><b>%s</b> · %s</summary>\n\n", planned.Environment, r.Want.Region)
		m.region(&b, r)
		b.WriteString("</details>\n\n")
	}
	if len(planned.Lines) > 0 && m.Commands.Approve != nil && approvable(planned) {
		fmt.Fprintf(&b, "To release the plan of **%s**:\n\n```sh\n%s\n```\n", planned.Environment, m.Commands.Approve(planned.Environment, planned.Digest))
	}
	return b.String()
}

func (m markdownPlan) region(b *strings.Builder, r plan.Region) {
	if r.Window.Reason != "" {
		fmt.Fprintf(b, "Change window: %s\n\n", escape(r.Window.Reason))
	}
	markdownRollout(b, r, m.Options)
	if f := r.Failure; f != nil {
		fmt.Fprintf(b, "❌ %s (`%s`)\n\n", escape(f.Message), f.Code)
	}
	markdownProblems(b, r.Problems)
	if len(r.Steps) > 0 {
		b.WriteString("```diff\n" + strings.ReplaceAll(m.diff(r), "```", "'''") + "```\n\n")
	}
	drift, extra := splitDrift(r.Drift)
	if len(extra) > 0 {
		fmt.Fprintf(b, "- %s attached that neither Git nor `unmanaged` names, left as it is\n", words.Count(len(extra), "layer"))
	}
	for _, d := range drift {
		fmt.Fprintf(b, "- ⚠️ drift `%s` on `%s`: %s, since %s\n", d.Kind, d.Function, escape(d.Reason), words.Moment(d.Since, r.Want.Zone))
	}
	blocked := blockedByReason(r)
	for _, reason := range blocked.keys {
		fmt.Fprintf(b, "- ⛔ blocked, %s: %s\n", escape(reason), m.list(blocked.of[reason]))
	}
	for _, a := range r.Behind {
		fmt.Fprintf(b, "- ⚠️ `%s:%s` serves %s while `$LATEST` gets %s\n", a.Function, a.Alias, layerServed(a), a.Latest.Label(""))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "- %s\n", escape(n.Message))
	}
	if r.Cost.Calls > 0 && !m.Applied {
		fmt.Fprintf(b, "\n%s\n", costText(r.Cost, m.Rate))
	}
	b.WriteByte('\n')
}

// diff uses GitHub's colours: + green, - red, ! orange, # grey.
func (m markdownPlan) diff(r plan.Region) string {
	var b strings.Builder
	runs, waits := split(r.Steps)
	m.groups(&b, groupSteps(runs))
	for _, w := range waits {
		fmt.Fprintf(&b, "# %s\n", waitsFor(w.held, m.Now, r.Want.Zone))
		for _, h := range w.explained(r) {
			fmt.Fprintf(&b, "#   %s: %s\n", h.By, oneLine(h.Reason))
		}
		m.groups(&b, w.groups)
	}
	return b.String()
}

func (m markdownPlan) groups(b *strings.Builder, groups []group) {
	for _, g := range groups {
		symbol := g.symbol
		if symbol != "+" && symbol != "-" {
			symbol = "!"
		}
		fmt.Fprintf(b, "%s %s %s  %s\n", symbol, Pad(g.verb, 8), padLeft(words.Count(len(g.steps), g.noun), widest(groups)), g.what)
		if names := g.names(); len(names) > 0 && m.names > 0 {
			fmt.Fprintf(b, "    %s\n", m.list(names))
		}
		for _, s := range g.steps {
			if s.Result != nil && s.Result.Error != "" {
				fmt.Fprintf(b, "- %s %s: %s\n", s.Result.Status, subject(s), oneLine(s.Result.Error))
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

// escape keeps what others wrote from being read as Markdown tables or HTML,
// and from calling people by @name.
func escape(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "@", "&#64;").Replace(oneLine(s))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

package present

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/words"
)

// statusProblems is how many problems are shown without -v, so that a team of three
// environments sees all of the answer on one screen of 24 lines.
const statusProblems = 4

// Text shows the answer to a person.
func (s Status) Text(o Options) string {
	p := &Page{Palette: o.Palette, Width: o.Width}
	mark, verdict := s.headline(p.Palette)
	p.Linef(0, "%s %s · %s", mark, p.Bold(verdict), s.Repository)
	for i, x := range s.Problems {
		if i == statusProblems && !o.Verbose && len(s.Problems) > i {
			p.Linef(0, "  … %d more: all with -v", len(s.Problems)-i)
			break
		}
		s.problem(p, x, o.Verbose)
	}
	if len(s.Environments) == 0 {
		p.Linef(0, "no environment was worked on yet")
		return p.String()
	}
	p.Blank()
	for _, e := range s.Environments {
		s.environment(p, e, o.Verbose)
	}
	return p.String()
}

func (s Status) headline(p Palette) (foreign.Styled, string) {
	if !s.applied.IsZero() && s.Verdict == VerdictUnknown {
		return statusMark(p, s.Verdict), "no daemon looks; the last apply did " + age(s.applied, s.At) + " ago"
	}
	return statusMark(p, s.Verdict), map[string]string{
		VerdictAllRight: "all is right", VerdictWaits: "a person is waited for",
		VerdictUnknown: "not known whether all is right", VerdictWrong: "not all is right",
	}[s.Verdict]
}

// applied returns when the environments of a team that has no daemon were looked at, the
// first of them; zero where there is another problem, or somebody else looks.
func (f StatusFacts) applied(problems []StatusProblem) (first time.Time) {
	if slices.ContainsFunc(problems, func(p StatusProblem) bool { return p.Kind != KindUnwatched }) {
		return time.Time{}
	}
	for _, e := range f.Environments {
		for _, a := range e.Accounts {
			look := a.Looked[e.Name].At
			if !a.ByHand || look.IsZero() {
				return time.Time{}
			}
			if first.IsZero() || look.Before(first) {
				first = look
			}
		}
		if len(e.Accounts) == 0 {
			return time.Time{}
		}
	}
	return first
}

func statusMark(p Palette, verdict string) foreign.Styled {
	switch verdict {
	case VerdictAllRight:
		return p.Good("✓")
	case VerdictWaits:
		return p.Held("…")
	case VerdictUnknown:
		return p.Warn("?")
	}
	return p.Bad("✗")
}

// problem shows what, since when, and who must act, on two lines.
func (s Status) problem(p *Page, x StatusProblem, verbose bool) {
	since := ""
	if !x.Since.IsZero() {
		since = ", for " + age(x.Since, s.At)
	}
	title := x.Title + since
	switch {
	case verbose && !x.Since.IsZero():
		title = x.Title + ", since " + words.Moment(x.Since, s.zone) + " (" + age(x.Since, s.At) + ")"
	case !verbose && p.Width > 0:
		title = fit(x.Title, p.Width-2-foreign.Width(since)) + since
	}
	p.Linef(0, "%s %s", statusMark(p.Palette, x.Verdict), title)
	if verbose && len(x.Names) > 0 {
		p.Linef(4, "%s", strings.Join(x.Names, ", "))
	}
	p.Copy(4, x.Act)
}

// environment shows an environment on one line, and a line for each Region.
func (s Status) environment(p *Page, e StatusEnvironment, verbose bool) {
	applied := "nothing applied yet"
	if slices.ContainsFunc(e.Accounts, func(a StatusAccount) bool { return !a.Looked.IsZero() }) {
		applied = "no change applied so far" // a round that finds all in sync applies nothing
	}
	if e.Applied != nil {
		applied = "applied " + strings.TrimSpace(words.Commit(e.Applied.Revision)+" "+age(e.Applied.At, s.At)) + " ago"
	}
	p.Linef(0, "%s %s  %s · %s", statusMark(p.Palette, e.Verdict), p.Bold(e.Name), applied, s.lookedAfter(e.Accounts))
	for _, r := range e.Regions {
		s.region(p, r, verbose)
	}
	for _, note := range e.Notes {
		if verbose {
			p.Linef(4, "%s", note)
		}
	}
}

// lookedAfter returns how long ago AWS was read for an environment, and by whom; of
// several accounts the one that was read least lately.
func (s Status) lookedAfter(accounts []StatusAccount) string {
	if len(accounts) == 0 {
		return "never looked after"
	}
	worst := accounts[0]
	for _, a := range accounts[1:] {
		if worst.Watched && !a.Watched || worst.Watched == a.Watched && a.Looked.Before(worst.Looked) {
			worst = a
		}
	}
	switch {
	case worst.Heard.IsZero():
		return "never looked after"
	case !worst.Watched:
		return "unknown since " + words.Moment(cmp.Or(worst.Looked, worst.Heard), s.zone)
	}
	return "looked at " + age(worst.Looked, s.At) + " ago by " + worst.By
}

// regionLines is how many lines a Region has without -v: two have room for the layers of
// most, and with them three environments still fit one screen.
const regionLines = 2

// region shows what stands in a Region, and the rollout that is under way.
func (s Status) region(p *Page, r StatusRegion, verbose bool) {
	const indent, hang = 4, 2
	line := foreign.Clean(r.Region)
	if ro := r.Rollout; ro != nil {
		line += foreign.Linef("  rollout %s, wave %d of %d, for %s", strings.ReplaceAll(ro.Stage, "_", " "), ro.Wave, ro.Waves, age(ro.Since, s.At))
	}
	var layers []string
	for i, l := range r.Layers {
		text := foreign.Clean(l.text())
		if i < len(r.Layers)-1 {
			text += ","
		}
		layers = append(layers, text)
	}
	if len(layers) > 0 {
		line += " " // one more than between two layers
	}
	most := regionLines
	if verbose {
		most = 0
	}
	for i, line := range pack(line, layers, max(0, p.Width-indent-hang), most) {
		p.Line(indent+hang*min(i, 1), hang, line)
	}
}

// pack puts items behind head on lines of so many columns, none of them cut in two, and on
// the last of at most so many lines how many more there are; 0 = there is no limit.
func pack(head string, items []string, columns, most int) (list []string) {
	fits := func(line []string, item string) bool {
		return columns == 0 || foreign.Width(strings.Join(append(slices.Clip(line), item), " ")) <= columns
	}
	lines := [][]string{{head}}
	for _, item := range items {
		if last := len(lines) - 1; fits(lines[last], item) {
			lines[last] = append(lines[last], item)
		} else {
			lines = append(lines, []string{item})
		}
	}
	if most > 0 && len(lines) > most {
		hidden := len(slices.Concat(lines[most:]...))
		last := lines[most-1]
		for rest := ""; ; last, hidden = last[:len(last)-1], hidden+1 {
			if rest = fmt.Sprintf("and %d more: all with -v", hidden); len(last) == 1 || fits(last, rest) {
				last = append(slices.Clip(last), rest)
				break
			}
		}
		lines = append(lines[:most-1:most-1], last)
	}
	for _, line := range lines {
		list = append(list, strings.Join(line, " "))
	}
	return list
}

// text returns what stands of a layer.
func (l StatusLayer) text() string {
	if l.Number == 0 {
		return l.Layer + " not proven yet"
	}
	return l.Layer + " " + words.Version(l.Number, l.Version)
}

// age returns how long ago something was. Another machine's clock may be ahead.
func age(then, now time.Time) string { return words.Span(max(0, now.Sub(then))) }

// fit cuts text to columns, with an ellipsis where it was cut.
func fit(text string, columns int) string {
	text = foreign.Clean(text)
	columns = max(columns, narrow)
	for n := len(text); foreign.Width(text) > columns; {
		n--
		text = words.Truncate(text, n)
	}
	return text
}

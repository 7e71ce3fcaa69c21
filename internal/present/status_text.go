package present

import (
	"cmp"
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
	return statusMark(p, s.Verdict), map[string]string{
		VerdictAllRight: "all is right", VerdictWaits: "a person is waited for",
		VerdictUnknown: "not known whether all is right", VerdictWrong: "not all is right",
	}[s.Verdict]
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
	if e.Applied != nil {
		applied = "applied " + strings.TrimSpace(words.Commit(e.Applied.Revision)+" "+age(e.Applied.At, s.At)) + " ago"
	}
	p.Linef(0, "%s %s  %s · %s", statusMark(p.Palette, e.Verdict), p.Bold(e.Name), applied, s.lookedAfter(e.Accounts))
	for _, r := range e.Regions {
		line := foreign.Clean(r.text(s.At))
		if !verbose && p.Width > 0 {
			line = fit(line, p.Width-4)
		}
		p.Linef(4, "%s", line)
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

// text returns what stands in a Region, and the rollout that is under way.
func (r StatusRegion) text(now time.Time) string {
	var layers []string
	for _, l := range r.Layers {
		text := l.Layer + " " + words.Version(l.Number, l.Version)
		if l.Number == 0 {
			text = l.Layer + " not proven yet"
		}
		layers = append(layers, text)
	}
	line := r.Region
	if ro := r.Rollout; ro != nil {
		line += foreign.Linef("  rollout %s, wave %d of %d, for %s", strings.ReplaceAll(ro.Stage, "_", " "), ro.Wave, ro.Waves, age(ro.Since, now))
	}
	if len(layers) > 0 {
		line += "  " + words.Few(layers)
	}
	return line
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

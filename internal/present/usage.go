package present

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"
)

// UsageRegion is who uses what in one environment and Region.
type UsageRegion struct {
	Place inspect.UsagePlace
	Usage inspect.Usage
}

// UsageReport is what layerd usage found.
type UsageReport struct {
	Span    inspect.Span
	Period  string // as it was asked for
	Regions []UsageRegion
	Failed  []plan.Region // those that could not be read
	// Problems are of the desired state, warnings included.
	Problems []desired.Problem
	// Deployments is how often all functions are deployed in a month; 0 = not known.
	Deployments int
	ASCII       bool // bars of #, for terminals that have no others
}

// fewRows is how many functions a list names that was not asked for all.
const fewRows = 10

// Usage shows a report to a person.
func Usage(r UsageReport, o Options) string {
	p := &Page{Palette: o.Palette, Width: o.Width}
	for i, region := range r.Regions {
		if i > 0 {
			p.Blank()
		}
		r.region(p, region, o)
	}
	for i, f := range r.Failed {
		if i > 0 || len(r.Regions) > 0 {
			p.Blank()
		}
		p.Linef(0, "%s · %s: %s", p.Bold(f.Want.Name), f.Want.Region, p.Bad("not read: "+f.Failure.Message))
		if advice := o.Commands.advice(*f.Failure); advice != "" {
			p.Linef(2, "%s", advice)
		}
	}
	for _, problem := range r.Problems {
		if problem.Severity != desired.Warning {
			p.Linef(0, "%s", p.Bad("✗ "+problem.Brief()))
		}
	}
	return p.String()
}

func (r UsageReport) region(p *Page, region UsageRegion, o Options) {
	want, u := region.Place.Plan.Want, region.Usage
	p.Ends(foreign.Styledf("%s · %s · %s", p.Bold(want.Name), want.Region, want.Account),
		p.Faint(fmt.Sprintf("%s, since %s", r.Period, words.Moment(r.Span.From, want.Zone))))
	for _, l := range u.Layers {
		p.Blank()
		r.layer(p, l, region, o)
	}
	if len(u.Layers) == 0 {
		p.Line(2, 2, "no layer of this environment was asked for")
		return
	}
	r.behind(p, u.Behind, region, o)
	r.owners(p, u, region)
	r.storage(p, u.Storage, o)
	if len(region.Place.Unread) > 0 {
		p.Blank()
		p.Linef(0, "%s", p.Warn("not known"))
		for _, x := range region.Place.Unread {
			p.Linef(2, "%s: %s", x.What, x.Reason)
		}
	}
}

// layer shows one layer as a table of its versions.
func (r UsageReport) layer(p *Page, l inspect.LayerUsage, region UsageRegion, o Options) {
	wanted := "wanted " + l.Wanted
	if l.Wanted == "" {
		wanted = "what Git wants was not found"
	}
	p.Linef(0, "%s  %s, %s%s", p.Bold(l.Name), wanted, words.Count(l.Functions, "function"), behindWords(l.Behind))
	var shown []inspect.VersionUsage
	unused, size := 0, int64(0)
	for _, v := range l.Versions {
		if v.Functions > 0 || v.Wanted || o.Verbose {
			shown = append(shown, v)
			continue
		}
		unused++
		size += v.Size
	}
	rows := [][]string{{"version", "", "functions", "calls", "errors", "throttled", "average", "p99", "zip"}}
	for _, v := range shown {
		rows = append(rows, r.row(v, l.Functions, region))
	}
	notes := func(i int) {
		if i > 0 {
			r.versionNotes(p, l, shown[i-1], region, o)
		}
	}
	table(p, rows, notes)
	if unused > 0 {
		p.Linef(2, "%s", p.Faint(fmt.Sprintf("%s without a user%s", words.Count(unused, "more version"), sizeWords(size))))
	}
}

func sizeWords(size int64) string {
	if size == 0 {
		return ""
	}
	return ", " + words.Bytes(size)
}

func behindWords(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d behind", n)
}

// row is one version of a table.
func (r UsageReport) row(v inspect.VersionUsage, all int, region UsageRegion) []string {
	calls := r.calls(v.Traffic, region)
	cells := append([]string{words.Version(v.Number, v.Version), r.bar(v.Functions, all, 8), strconv.Itoa(v.Functions)}, calls...)
	size := "?"
	if v.Size > 0 {
		size = words.Bytes(v.Size)
	}
	return append(cells, size)
}

// calls are the cells of what was called. What is not known is ?, what was not called
// has no data, which is not zero.
func (r UsageReport) calls(t inspect.Traffic, region UsageRegion) []string {
	switch {
	case region.Place.Calls == nil, t.Unread && !t.Known:
		return []string{"?", "?", "?", "?", "?"}
	case !t.Known:
		return []string{"no data", "–", "–", "–", "–"}
	}
	mark := ""
	if t.Unread {
		mark = "+?"
	}
	average, p99 := "–", "–"
	if ms, ok := t.Average(); ok {
		average = milliseconds(ms)
	}
	if t.P99 > 0 {
		p99 = milliseconds(t.P99)
	}
	return []string{compact(t.Invocations) + mark, compact(t.Errors) + mark, compact(t.Throttles) + mark, average, p99}
}

// versionNotes are what a reader must know of a version that is used.
func (r UsageReport) versionNotes(p *Page, l inspect.LayerUsage, v inspect.VersionUsage, region UsageRegion, o Options) {
	if v.Published+v.Aliases > 0 {
		p.Linef(4, "%s", p.Faint(fmt.Sprintf("by %d $LATEST, %s, %s", v.Latest, words.Count(v.Published, "published version"), words.Count(v.Aliases, "alias"))))
	}
	if v.Functions > 0 && !v.Live {
		p.Linef(4, "%s", p.Warn("deleted: functions keep it, and cannot get it again"))
	}
	if v.Yanked != "" {
		p.Linef(4, "%s", p.Bad("yanked: "+v.Yanked))
	}
	if v.Deprecated != "" {
		p.Linef(4, "%s", p.Warn("deprecated: "+v.Deprecated))
	}
	if v.Prune {
		p.Linef(4, "%s", p.Faint("the plan prunes it"))
	}
	if !o.Verbose {
		return
	}
	if v.Kept != "" {
		p.Linef(4, "%s", p.Faint("kept: "+v.Kept))
	}
	for _, u := range region.Usage.Uses {
		if u.Layer == l.ARN && u.Number == v.Number {
			p.Linef(4, "%s", useWords(u))
		}
	}
}

// useWords names one use.
func useWords(u inspect.Use) string {
	text := u.Function + ":" + u.Qualifier
	if u.Kind == inspect.UseAlias {
		text += " → " + u.Version
	}
	if u.Share < 1 {
		text += fmt.Sprintf(" (%.0f%% of its calls)", 100*u.Share)
	}
	if u.Owner != "" {
		text += " · " + u.Owner
	}
	return text
}

func (r UsageReport) behind(p *Page, list []inspect.Behind, region UsageRegion, o Options) {
	p.Blank()
	if len(list) == 0 {
		p.Linef(0, "%s", p.Good("✓ no function is behind"))
		return
	}
	p.Linef(0, "%s", p.Warn("behind"))
	for i, b := range list {
		if i == fewRows && !o.Verbose {
			p.Linef(2, "%s", p.Faint(fmt.Sprintf("and %d more; all with -v", len(list)-i)))
			return
		}
		owner := ""
		if b.Owner != "" {
			owner = " · " + b.Owner
		}
		pinned := ""
		if b.Pinned {
			pinned = " (pinned)"
		}
		name := b.Function
		if b.Qualifier != "$LATEST" {
			name += ":" + b.Qualifier
		}
		p.Linef(2, "%s%s  %s %s → %s%s", p.Bold(name), owner, b.Layer, b.Have, b.Want, pinned)
		since := "since when is not known"
		if !b.Since.IsZero() {
			since = fmt.Sprintf("since %s, %s", words.Moment(b.Since, region.Place.Plan.Want.Zone), b.SinceOf)
		}
		if b.Reason != "" {
			since += "; " + b.Reason
		}
		p.Linef(4, "%s", p.Faint(since))
	}
}

func (r UsageReport) owners(p *Page, u inspect.Usage, region UsageRegion) {
	if len(u.Owners) == 0 {
		return
	}
	p.Blank()
	p.Linef(0, "by owner (tag %s)", region.Place.Plan.Want.OwnerTag)
	most := 0
	for _, o := range u.Owners {
		most = max(most, o.Functions)
	}
	rows := [][]string{{"owner", "", "functions", "behind", "calls", "errors"}}
	for _, o := range u.Owners {
		calls := r.calls(o.Traffic, region)
		rows = append(rows, []string{valueOr(o.Owner, "(no owner)"), r.bar(o.Functions, most, 8), strconv.Itoa(o.Functions), strconv.Itoa(o.Behind), calls[0], calls[1]})
	}
	table(p, rows, func(int) {})
}

func (r UsageReport) storage(p *Page, s inspect.Storage, o Options) {
	p.Blank()
	p.Line(0, 2, "storage")
	line := func(name, format string, args ...any) { p.Line(2, 10, Pad(name, 10)+fmt.Sprintf(format, args...)) }
	if q := s.Quota; q != nil && q.Limit > 0 {
		line("account", "%s of %s used (%.1f%%) %s", words.Bytes(q.Used), words.Bytes(q.Limit), 100*float64(q.Used)/float64(q.Limit), r.bar(int(q.Used>>10), int(q.Limit>>10), 20))
	} else {
		line("account", "used and quota are not known")
	}
	line("layers", "%s%s", words.Bytes(s.Layers), besides(s.Unknown, "of unknown size"))
	if s.Prunes == 0 {
		line("prune", "nothing to be pruned")
	} else {
		line("prune", "%s of %s would be freed%s", words.Bytes(s.Prune), words.Count(s.Prunes, "version"), besides(s.PruneUnknown, "of unknown size"))
	}
	if s.Shares > 0 {
		hint := "; all with -v"
		if o.Verbose {
			hint = ""
		}
		line("kept", "%s of %s, only since shared with others%s", words.Bytes(s.Shared), words.Count(s.Shares, "version"), hint)
	}
	if s.SavedFunctions > 0 {
		text := "not known: " + savingsUnknown(s)
		if s.SavedFunctions > s.SavedUnknown {
			text = SavingsText(s.Saved, r.Deployments)
			if s.SavedUnknown > 0 {
				text += "; " + savingsUnknown(s)
			}
		}
		line("sharing", "%s", text)
	}
}

func savingsUnknown(s inspect.Storage) string {
	return "without " + words.Count(s.SavedUnknown, "function") + " of unknown size"
}

func besides(n int, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %s %s", words.Count(n, "version"), what)
}

// SavingsText is a savings calculation in a sentence.
func SavingsText(s inspect.Savings, deployments int) string {
	text := fmt.Sprintf("%s instead of %s: %.1f%% less, $%.2f a month", gigabytes(s.With), gigabytes(s.Without), s.Percent, s.Dollars)
	if deployments > 0 {
		text += fmt.Sprintf(", %.0f minutes of deploying", s.Minutes(deployments))
	}
	return text
}

func gigabytes(gb float64) string { return words.Bytes(int64(math.Round(gb * (1 << 30)))) }

// Savings shows the guide's calculation on its own inputs.
func Savings(f inspect.Fleet, o Options) string {
	s := f.Savings()
	p := &Page{Palette: o.Palette, Width: o.Width}
	p.Linef(0, "%s of %s each, %s of it a layer, deployed %d times a month", words.Count(f.Functions, "function"), words.Bytes(f.Function), words.Bytes(f.Layer), f.Deployments)
	line := func(name, value string) { p.Line(2, 24, Pad(name, 22)+value) }
	line("saved a month", fmt.Sprintf("$%.2f", s.Dollars))
	line("deployment time saved", fmt.Sprintf("%.0f minutes", s.Minutes(f.Deployments)))
	line("storage saved", fmt.Sprintf("%.1f%% (%s instead of %s)", s.Percent, gigabytes(s.With), gigabytes(s.Without)))
	return p.String()
}

// table writes rows whose first is the heading. The first column is words and the second
// bars; the others are numbers. Where it is too wide the bars are left out. after is
// called behind each row.
func table(p *Page, rows [][]string, after func(i int)) {
	const bars = 1
	widths := make([]int, len(rows[0]))
	all := 2
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], foreign.Width(foreign.Clean(cell)))
		}
	}
	for _, w := range widths {
		all += w + 1
	}
	for n, row := range rows {
		var cells []string
		for i, cell := range row {
			cell = foreign.Clean(cell)
			switch {
			case i == bars && p.Width > 0 && all > p.Width+1:
			case i <= bars:
				cells = append(cells, Pad(cell, widths[i]))
			default:
				cells = append(cells, padLeft(cell, widths[i]))
			}
		}
		text := strings.TrimRight(strings.Join(cells, " "), " ")
		if n == 0 {
			p.Linef(2, "%s", p.Faint(text))
		} else {
			p.Line(2, 2, text)
		}
		after(n)
	}
}

// bar draws a share of width columns in eighths of one; what there is at all is seen.
func (r UsageReport) bar(n, all, width int) string {
	if n <= 0 || all <= 0 {
		return ""
	}
	eighths := max(1, int(math.Round(8*float64(width)*float64(min(n, all))/float64(all))))
	if r.ASCII {
		return strings.Repeat("#", max(1, (eighths+4)/8))
	}
	full := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		full += string([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	return full
}

// compact writes a count in at most four digits: 9999, 12k, 1.2M.
func compact(n int64) string {
	if n < 10_000 {
		return strconv.FormatInt(n, 10)
	}
	value, unit := float64(n)/1000, "k"
	for _, larger := range []string{"M", "G"} {
		if value < 999.5 {
			break
		}
		value, unit = value/1000, larger
	}
	if value < 9.95 {
		return fmt.Sprintf("%.1f%s", value, unit)
	}
	return fmt.Sprintf("%.0f%s", value, unit)
}

// milliseconds writes how long something took: 0.4ms, 45ms, 1.2s.
func milliseconds(ms float64) string {
	switch {
	case ms < 10:
		return strconv.FormatFloat(math.Round(ms*10)/10, 'f', -1, 64) + "ms"
	case ms < 9_995:
		return fmt.Sprintf("%.0fms", ms)
	}
	return fmt.Sprintf("%.1fs", ms/1000)
}

// Unread reports whether something is not known that was asked for.
func (r UsageReport) Unread() bool {
	return slices.ContainsFunc(r.Regions, func(u UsageRegion) bool {
		return len(u.Place.Unread) > 0 || slices.ContainsFunc(u.Usage.Layers, func(l inspect.LayerUsage) bool { return l.Traffic.Unread })
	})
}

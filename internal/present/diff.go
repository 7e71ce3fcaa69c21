package present

import (
	"cmp"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/words"
)

// Diff is what layerd diff answers.
type Diff struct {
	FormatVersion string   `json:"format_version"`
	From          DiffSide `json:"from"`
	To            DiffSide `json:"to"`
	inspect.Difference
}

// DiffSide is one of the two archives.
type DiffSide struct {
	Name    string `json:"name"` // of the layer, or the file
	Number  int64  `json:"number,omitempty"`
	Version string `json:"version,omitempty"` // semantic; absent = not known
	ARN     string `json:"arn,omitempty"`     // absent: it is a file
	SHA256  string `json:"sha256,omitempty"`  // absent = not known
}

// label is the version, or for a file its name.
func (s DiffSide) label() string {
	if s.ARN == "" {
		return s.Name
	}
	return words.Version(s.Number, s.Version)
}

// title is the two of them in a line.
func (d Diff) title() string {
	switch {
	case d.From.ARN == "" && d.To.ARN == "", d.From.Name != d.To.Name && (d.From.ARN == "" || d.To.ARN == ""):
		return d.From.full() + " → " + d.To.full()
	case d.From.Name == d.To.Name:
		return d.From.Name + "  " + d.From.label() + " → " + d.To.label()
	}
	return d.From.full() + " → " + d.To.full()
}

func (s DiffSide) full() string {
	if s.ARN == "" {
		return s.Name
	}
	return s.Name + " " + s.label()
}

// fewFiles is how many files are named without -v: those that changed most.
const fewFiles = 10

// Text shows the answer to a person.
func (d Diff) Text(o Options) string {
	p := &Page{Palette: o.Palette, Width: o.Width}
	p.Linef(0, "%s", p.Bold(d.title()))
	p.Linef(2, "zipped    %s", sizes(d.Size.From, d.Size.To))
	p.Linef(2, "unzipped  %s", sizes(d.Unzipped.From, d.Unzipped.To))
	for _, why := range d.Doubts {
		p.Linef(0, "%s packages may have changed that are not listed: %s", p.Warn("?"), why)
	}
	if d.Same {
		p.Linef(0, "%s the same bytes", p.Good("✓"))
		return p.String()
	}
	p.Blank()
	if len(d.Packages) == 0 {
		p.Linef(0, "no package is another")
	} else {
		p.Linef(0, "%s", countChanges(d.Packages, "package", func(c inspect.PackageChange) inspect.Change { return c.Change }))
	}
	for _, c := range d.Packages {
		p.Hangf(2, 4, "%s %s", p.changeMark(c.Change), strings.TrimLeft(c.String(), "+- "))
	}
	p.Blank()
	if len(d.Files) == 0 {
		p.Linef(0, "no file is another")
		return p.String()
	}
	p.Linef(0, "%s", countChanges(d.Files, "file", func(c inspect.FileChange) inspect.Change { return c.Change }))
	shown := d.shown(o.Verbose)
	for _, c := range shown {
		p.Hangf(2, 4, "%s %s  %s", p.changeMark(c.Change), c.Name, p.Faint(fileSize(c)))
	}
	if n := len(d.Files) - len(shown); n > 0 {
		p.Linef(2, "and %d more, which changed less: all with -v", n)
	}
	return p.String()
}

// shown are the files that are named: all, or those whose size changed most.
func (d Diff) shown(all bool) []inspect.FileChange {
	list := slices.Clone(d.Files)
	if all || len(list) <= fewFiles {
		return list
	}
	slices.SortStableFunc(list, func(a, b inspect.FileChange) int { return cmp.Compare(max(b.From, b.To), max(a.From, a.To)) })
	return list[:fewFiles]
}

func (p *Page) changeMark(c inspect.Change) foreign.Styled {
	switch c {
	case inspect.Added:
		return p.Good("+")
	case inspect.Removed:
		return p.Bad("-")
	case inspect.Raised:
		return p.Good("↑")
	case inspect.Lowered:
		return p.Warn("↓")
	default:
		return p.Held("~")
	}
}

func fileSize(c inspect.FileChange) string {
	switch {
	case c.Change == inspect.Added:
		return words.Bytes(c.To)
	case c.Change == inspect.Removed:
		return words.Bytes(c.From)
	case c.From == c.To:
		return words.Bytes(c.To) + ", other content"
	}
	return words.Bytes(c.From) + " → " + words.Bytes(c.To)
}

func sizes(from, to int64) string {
	text := words.Bytes(from) + " → " + words.Bytes(to)
	switch more := to - from; {
	case more > 0:
		text += "  (" + words.Bytes(more) + " more)"
	case more < 0:
		text += "  (" + words.Bytes(-more) + " less)"
	}
	return text
}

// countChanges returns "4 packages: 1 added, 3 raised".
func countChanges[T any](list []T, noun string, change func(T) inspect.Change) string {
	var parts []string
	for _, kind := range []inspect.Change{inspect.Added, inspect.Removed, inspect.Raised, inspect.Lowered, inspect.Altered} {
		n := 0
		for _, c := range list {
			if change(c) == kind {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, foreign.Linef("%d %s", n, string(kind)))
		}
	}
	return words.Count(len(list), noun) + ": " + strings.Join(parts, ", ")
}

// codes returns versions as code; empty for none.
func codes(versions []string) foreign.Marked {
	if len(versions) == 0 {
		return ""
	}
	return foreign.Code(strings.Join(versions, ", "))
}

// mostMarkdownFiles is how many files a comment lists: GitHub takes 65,536 characters.
const mostMarkdownFiles = 200

// Markdown returns the answer for a comment: the packages in sight, the files folded.
func (d Diff) Markdown() string {
	var b strings.Builder
	f := func(format string, args ...any) { b.WriteString(string(foreign.Markedf(format, args...))) }
	f("### %s\n\n", d.title())
	f("zipped %s · unzipped %s\n\n", foreign.Marked(sizes(d.Size.From, d.Size.To)), foreign.Marked(sizes(d.Unzipped.From, d.Unzipped.To)))
	for _, why := range d.Doubts {
		f("⚠️ packages may have changed that are not listed: %s\n\n", why)
	}
	if d.Same {
		f("The same bytes.\n")
		return b.String()
	}
	if len(d.Packages) == 0 {
		f("No package is another.\n")
	} else {
		f("| package | from | to |\n|---|---|---|\n")
		for _, c := range d.Packages {
			f("| %s | %s | %s |\n", foreign.Code(c.Name), codes(c.From), codes(c.To))
		}
	}
	if len(d.Files) == 0 {
		return b.String()
	}
	f("\n<details><summary>%s</summary>\n\n", countChanges(d.Files, "file", func(c inspect.FileChange) inspect.Change { return c.Change }))
	var lines strings.Builder
	for _, c := range d.Files[:min(len(d.Files), mostMarkdownFiles)] {
		mark := map[inspect.Change]string{inspect.Added: "+", inspect.Removed: "-"}[c.Change]
		lines.WriteString(foreign.Linef("%s %s  %s\n", cmp.Or(mark, "!"), words.Truncate(c.Name, 150), fileSize(c)))
	}
	if n := len(d.Files) - mostMarkdownFiles; n > 0 {
		lines.WriteString(foreign.Linef("# and %d more\n", n))
	}
	b.WriteString(string(foreign.Fenced("diff", lines.String())))
	f("\n</details>\n")
	return b.String()
}

package present

import (
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/words"
)

// Finding is an inspect.Finding with its place in the repository, where it has one.
type Finding struct {
	inspect.Finding
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// NewFindings returns findings as a document has them; never nil.
func NewFindings(list []inspect.Finding) []Finding {
	out := []Finding{}
	for _, f := range list {
		out = append(out, Finding{f, f.At.File, f.At.Line})
	}
	return out
}

// ExaminedFunction is what layerd doctor FUNCTION found in one Region.
type ExaminedFunction struct {
	Environment  string          `json:"environment,omitempty"` // empty without a repository
	Account      string          `json:"account"`
	Region       string          `json:"region"`
	Function     string          `json:"function"`
	Qualifier    string          `json:"qualifier,omitempty"` // empty: $LATEST
	Version      string          `json:"version"`
	Runtime      string          `json:"runtime"`
	Architecture string          `json:"architecture"`
	Healthy      bool            `json:"healthy"`
	Layers       []ExaminedLayer `json:"layers"`
	Findings     []Finding       `json:"findings"`
	Right        []string        `json:"right"`
	Probe        *Probe          `json:"probe,omitempty"` // nil: not asked for

	file string // of the environment; empty without a repository
}

// InGit returns the findings with a place in the repository each, which code scanning
// wants: what stands nowhere in Git is about the environment.
func (e ExaminedFunction) InGit() []Finding {
	list := slices.Clone(e.Findings)
	for i := range list {
		if list[i].File == "" && e.file != "" {
			list[i].File, list[i].Line = e.file, 1
		}
	}
	return list
}

// ExaminedLayer is a layer that a function has. What is not known is null.
type ExaminedLayer struct {
	ARN      string  `json:"arn"`
	Version  string  `json:"version"` // semantic; empty = not known
	Unzipped *int64  `json:"unzipped"`
	Packages []Named `json:"packages"`
	name     string
}

// Named is a package and its version.
type Named struct {
	Kind    archive.PackageKind `json:"kind"`
	Name    string              `json:"name"`
	Version string              `json:"version"`
	Size    int64               `json:"size"`
}

func packagesOf(c *archive.Contents) []Named {
	list := []Named{}
	if c == nil {
		return list
	}
	for _, p := range c.Packages {
		list = append(list, Named{p.Kind, p.Name, p.Version, p.Size})
	}
	return list
}

// NewExaminedFunction returns what was found of a function.
func NewExaminedFunction(s inspect.Subject, e inspect.Examination) ExaminedFunction {
	out := ExaminedFunction{
		Account: s.Account, Region: s.Region, Function: s.Name, Qualifier: s.Alias, Version: "$LATEST", Runtime: s.Runtime, Architecture: s.Architecture,
		Healthy: e.Healthy(), Layers: []ExaminedLayer{}, Findings: NewFindings(e.Findings), Right: e.Right,
	}
	if s.Environment != nil {
		out.Environment, out.file = s.Environment.Name, s.Environment.File
	}
	if s.Alias != "" {
		out.Version = s.Serves.Version
	}
	for _, a := range s.Layers {
		l := ExaminedLayer{ARN: string(a.ARN), Version: a.Label, Packages: packagesOf(a.Archive.Contents), name: a.Name()}
		if a.Archive.Contents != nil {
			l.Unzipped = &a.Archive.Unzipped
		}
		out.Layers = append(out.Layers, l)
	}
	return out
}

// Text writes it for a terminal.
func (e ExaminedFunction) Text(o Options) string {
	p := &Page{Palette: o.Palette, Width: o.Width}
	name := e.Function
	if e.Qualifier != "" {
		name += ":" + e.Qualifier
	}
	where := e.Region
	if e.Environment != "" {
		where = e.Environment + " · " + e.Region
	}
	p.Ends(foreign.Styledf("%s  %s %s", p.Bold(name), e.Runtime, e.Architecture), foreign.Style(where))
	for i, l := range e.Layers {
		size := "unknown"
		if l.Unzipped != nil {
			size = words.Bytes(*l.Unzipped) + ", " + words.Count(len(l.Packages), "package")
		}
		p.Hangf(2, 3, "%d  %s  %s", i+1, l.name, p.Faint(size))
	}
	if len(e.Layers) > 0 {
		p.Blank()
	}
	p.Findings(e.Findings, e.Right)
	if e.Probe != nil {
		p.probe(*e.Probe)
	}
	p.verdict(e.Findings)
	return p.String()
}

// Findings writes findings and what is right below them.
func (p *Page) Findings(list []Finding, right []string) {
	for _, f := range list {
		p.Hangf(0, 2, "%s %s  %s", p.severity(f.Severity), p.Bold(f.Code), f.Message)
		if !strings.Contains(f.Message, f.Subject) && strings.HasPrefix(f.Subject, "arn:") {
			p.Hangf(4, 2, "%s", p.Faint(f.Subject))
		}
		for _, line := range f.Evidence {
			p.Line(4, 2, line)
		}
		for line := range strings.SplitSeq(f.Advice, "\n") {
			if line != "" {
				p.Line(4, 2, line)
			}
		}
		if f.Command != "" {
			p.Copy(4, "→ "+f.Command)
		}
	}
	for _, line := range right {
		p.Hangf(0, 2, "%s %s", p.Good("✓"), line)
	}
}

func (p *Page) severity(s inspect.Severity) foreign.Styled {
	switch s {
	case inspect.Error:
		return p.Bad("✗")
	case inspect.Warning:
		return p.Warn("!")
	case inspect.NotSeen:
		return p.Held("?")
	}
	return p.Faint("·")
}

// verdict writes the last line. What is not known is counted apart: it is not well.
func (p *Page) verdict(list []Finding) {
	count := map[inspect.Severity]int{}
	for _, f := range list {
		count[f.Severity]++
	}
	var parts []string
	for _, x := range []struct {
		severity inspect.Severity
		noun     string
	}{{inspect.Error, "error"}, {inspect.Warning, "warning"}} {
		if n := count[x.severity]; n > 0 {
			parts = append(parts, words.Count(n, x.noun))
		}
	}
	if n := count[inspect.NotSeen]; n > 0 {
		parts = append(parts, words.Plural(n, "thing is not known", "things are not known"))
	}
	if len(parts) == 0 {
		p.Linef(0, "%s", p.Good("nothing is wrong"))
		return
	}
	p.Linef(0, "%s", strings.Join(parts, ", "))
}

// ExaminedArchive is what layerd doctor --layer found.
type ExaminedArchive struct {
	FormatVersion string         `json:"format_version"`
	Layer         string         `json:"layer"` // a file or an ARN
	Runtimes      []string       `json:"runtimes"`
	Architectures []string       `json:"architectures"`
	Size          int64          `json:"size"`
	Unzipped      int64          `json:"unzipped"`
	Files         int            `json:"files"`
	Healthy       bool           `json:"healthy"`
	Packages      []Named        `json:"packages"`
	Checklist     []archive.Item `json:"checklist"`
	Findings      []Finding      `json:"findings"`
}

// NewExaminedArchive returns what was found in an archive.
func NewExaminedArchive(name string, l archive.Layer, c *archive.Contents, e inspect.Examination) ExaminedArchive {
	out := ExaminedArchive{
		FormatVersion: "1", Layer: name, Runtimes: append([]string{}, l.Runtimes...), Architectures: append([]string{}, l.Architectures...),
		Healthy: e.Healthy(), Packages: packagesOf(c), Checklist: []archive.Item{}, Findings: NewFindings(e.Findings),
	}
	if c != nil {
		out.Size, out.Unzipped, out.Files, out.Checklist = c.Size, c.Unzipped, len(c.Files), c.Checklist()
	}
	return out
}

// Text writes it for a terminal.
func (e ExaminedArchive) Text(o Options) string {
	p := &Page{Palette: o.Palette, Width: o.Width}
	p.Linef(0, "%s", p.Bold(e.Layer))
	p.Linef(2, "%s zipped, %s unzipped, %s", words.Bytes(e.Size), words.Bytes(e.Unzipped), words.Count(e.Files, "file"))
	for _, x := range []struct {
		name string
		list []string
	}{{"runtimes", e.Runtimes}, {"architectures", e.Architectures}} {
		text := "not said"
		if len(x.list) > 0 {
			text = strings.Join(x.list, ", ")
		}
		p.Linef(2, "%s: %s", x.name, text)
	}
	for _, n := range e.Packages {
		p.Hangf(2, 2, "%s  %s %s  %s", string(n.Kind), n.Name, n.Version, p.Faint(words.Bytes(n.Size)))
	}
	p.Blank()
	for _, item := range e.Checklist {
		mark := p.Good("✓")
		if !item.Done {
			mark = p.Warn("!")
		}
		p.Hangf(0, 2, "%s %s  %s", mark, item.Text, p.Faint(item.Figure))
	}
	p.Blank()
	p.Findings(e.Findings, nil)
	p.verdict(e.Findings)
	return p.String()
}

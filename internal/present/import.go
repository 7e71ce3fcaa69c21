package present

import (
	"strings"

	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/words"
)

// Import is what an import has written. Its fields are stable within format_version, its
// lists never null.
type Import struct {
	FormatVersion string                        `json:"format_version"`
	Out           string                        `json:"out"`
	Account       string                        `json:"account"`
	Environments  []inspect.ImportedEnvironment `json:"environments"`
	LeftOut       []inspect.LeftOut             `json:"left_out"`
	Fights        []inspect.Fight               `json:"fights"`
	Files         []string                      `json:"files"`
	Calls         int                           `json:"calls"`
}

// NewImport returns an import for people and other programs.
func NewImport(out, account string, im inspect.Imported, fights []inspect.Fight, calls int) Import {
	v := Import{FormatVersion: "1", Out: out, Account: account, Environments: im.Environments, LeftOut: append([]inspect.LeftOut{}, im.LeftOut...),
		Fights: append([]inspect.Fight{}, fights...), Files: []string{}, Calls: calls}
	for _, f := range im.Files {
		v.Files = append(v.Files, f.Name)
	}
	return v
}

// mostLeftOut is how many functions that are left out a person is shown.
const mostLeftOut = 10

// Import writes what is in the repository, what is not, and who will fight.
func (p *Page) Import(v Import) {
	for _, e := range v.Environments {
		pinned := ""
		if e.Pinned > 0 {
			pinned = ", " + words.Count(e.Pinned, "pin")
		}
		p.Linef(0, "%s %s  %s: %s, %s%s", p.Good("✓"), p.Bold(e.Name), strings.Join(e.Regions, ", "),
			words.Count(e.Functions, "function"), words.Count(e.Layers, "layer"), pinned)
	}
	if len(v.LeftOut) > 0 {
		p.Blank()
		p.Linef(0, "%s %s left out; the files name them:", p.Warn("!"), words.Count(len(v.LeftOut), "function"))
		for i, l := range v.LeftOut {
			if i == mostLeftOut {
				p.Linef(2, "… and %d more", len(v.LeftOut)-i)
				break
			}
			layer := ""
			if l.Layer != "" {
				layer = l.Layer + ", "
			}
			p.Linef(2, "%s (%s): %s%s", l.Function, l.Region, layer, l.Reason)
		}
	}
	p.fights(v.Fights)
}

// fights writes who else writes layers, and what makes peace.
func (p *Page) fights(fights []inspect.Fight) {
	for _, f := range fights {
		p.Blank()
		p.Linef(0, "%s %s, %s: %s", p.Warn("!"), p.Bold(f.Tool), f.Where, f.Message)
		if len(f.Functions) > 0 {
			p.Linef(2, "%s", words.Few(f.Functions))
		}
		for line := range strings.SplitSeq(f.Peace, "\n") {
			p.Copy(4, line)
		}
	}
}

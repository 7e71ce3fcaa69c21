package present

import (
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/words"
)

// Adopt is a change by hand that became the wish of Git. Its fields are stable within
// format_version, its lists never null.
type Adopt struct {
	FormatVersion string             `json:"format_version"`
	Function      string             `json:"function"`
	Environment   string             `json:"environment"`
	File          string             `json:"file"`
	Pins          []inspect.Adoption `json:"pins"`
	Branch        string             `json:"branch"` // empty: the file was edited
	Commit        string             `json:"commit"`
}

// NewAdopt returns an adoption for people and other programs.
func NewAdopt(function, environment, file string, pins []inspect.Adoption) Adopt {
	return Adopt{FormatVersion: "1", Function: function, Environment: environment, File: file, Pins: append([]inspect.Adoption{}, pins...)}
}

// Adopt writes what was pinned, and where that is now.
func (p *Page) Adopt(a Adopt) {
	for _, pin := range a.Pins {
		p.Linef(0, "%s %s of %s: pinned to %s (number %d); Git asked for %s", p.Good("✓"), pin.Layer, p.Bold(a.Function), pin.Version, pin.Number, pin.Wanted)
	}
	if a.Branch == "" {
		p.Linef(0, "Edited %s; commit it.", a.File)
		return
	}
	p.Linef(0, "Commit %s on the new branch %s; nothing was checked out. Then:", words.Commit(a.Commit), a.Branch)
}

package present

import (
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/words"
)

// Probe is what a temporary function of the same runtime, architecture and layers saw.
type Probe struct {
	Function  string        `json:"function"` // its name, which is gone again
	Runtime   string        `json:"runtime"`  // the version that it reports of itself
	Path      []string      `json:"path"`     // where modules are looked for, in order
	Modules   []ProbeModule `json:"modules"`
	Variables []string      `json:"variables"` // names alone
	Removed   bool          `json:"removed"`
	// Error is why it saw nothing.
	Error string `json:"error,omitempty"`
}

// ProbeModule is a module that was imported, or could not be.
type ProbeModule struct {
	Name    string `json:"name"`
	File    string `json:"file,omitempty"`
	Version string `json:"version,omitempty"`
	Error   string `json:"error,omitempty"`
}

// probe writes what the temporary function saw.
func (p *Page) probe(r Probe) {
	p.Blank()
	if r.Error != "" {
		p.Hangf(0, 2, "%s the probe %s saw nothing: %s", p.Bad("✗"), r.Function, r.Error)
		return
	}
	p.Linef(0, "%s  %s", p.Bold("probe "+r.Function), r.Runtime)
	for _, m := range r.Modules {
		if m.Error != "" {
			p.Hangf(2, 2, "%s %s: %s", p.Bad("✗"), m.Name, m.Error)
			continue
		}
		p.Hangf(2, 2, "%s %s  %s", p.Good("✓"), strings.TrimSpace(m.Name+" "+m.Version), p.Faint(m.File))
	}
	p.Linef(2, "path: %s", strings.Join(r.Path, ":"))
	p.Linef(2, "%s: %s", words.Count(len(r.Variables), "variable"), strings.Join(r.Variables, ", "))
}

// Failed reports whether something could not be imported, or nothing was seen.
func (r Probe) Failed() bool {
	return r.Error != "" || slices.ContainsFunc(r.Modules, func(m ProbeModule) bool { return m.Error != "" })
}

package present

import (
	"fmt"
	"maps"
	"slices"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/words"
)

// Build is what layerd build made, and what it found. Its fields are stable within
// format_version.
type Build struct {
	FormatVersion string                    `json:"format_version"`
	Layer         string                    `json:"layer"`
	Version       string                    `json:"version"` // empty: not known
	Commit        string                    `json:"commit"`  // empty: not known
	Archive       string                    `json:"archive"` // empty: none was written
	SBOM          string                    `json:"sbom"`
	Artifact      string                    `json:"artifact"` // where layer.yaml says that this version's archive is to be; empty: nowhere
	SHA256        string                    `json:"sha256"`
	Size          int64                     `json:"size"`          // bytes of the zip
	UnzippedSize  int64                     `json:"unzipped_size"` // bytes of what is in it
	Files         int                       `json:"files"`
	Packages      []archive.ManifestPackage `json:"packages"`
	Checklist     []archive.Item            `json:"checklist"`
	Problems      []archive.Problem         `json:"problems"`

	Cleaned archive.Cleaned   `json:"-"`
	Largest []archive.Package `json:"-"`
}

// Build writes what was built: what is in it, the checklist, what is wrong.
func (p *Page) Build(b Build) {
	for _, x := range b.Problems {
		mark := p.Bad("✗")
		if x.Severity == strictyaml.Warning {
			mark = p.Warn("!")
		}
		at := ""
		switch {
		case x.Line > 0:
			at = x.Place() + ": "
		case x.File != "":
			at = x.File + ": "
		}
		p.Linef(0, "%s %s%s [%s]", mark, at, x.Message, x.Code)
		if x.Suggestion != "" {
			p.Line(2, 2, x.Suggestion)
		}
	}
	if len(b.Problems) > 0 {
		p.Blank()
	}
	if b.SHA256 == "" {
		return
	}
	if n := b.Cleaned.Files; n > 0 {
		var parts []string
		for _, what := range slices.Sorted(maps.Keys(b.Cleaned.By)) {
			parts = append(parts, fmt.Sprintf("%s %d", what, b.Cleaned.By[what]))
		}
		p.Linef(0, "left out %s, %s: %s", words.Count(n, "file"), words.Bytes(b.Cleaned.Bytes), words.And(parts))
	}
	for _, k := range b.Largest {
		p.Linef(2, "%8s  %s %s", words.Bytes(k.Size), k.Name, k.Version)
	}
	for _, i := range b.Checklist {
		mark := p.Good("✓")
		if !i.Done {
			mark = p.Warn("!")
		}
		p.Linef(0, "%s %s: %s", mark, i.Text, i.Figure)
	}
	p.Blank()
}

// BuildSummary writes the last line: the archive, or that there is none.
func (p *Page) BuildSummary(b Build) {
	name := b.Layer
	if b.Version != "" {
		name += " " + b.Version
	}
	if b.Archive == "" {
		p.Linef(0, "%s %s: no archive was written, %s", p.Bad("✗"), name, words.Count(Errors(b.Problems), "error"))
		return
	}
	p.Linef(0, "%s %s: %s, %s zipped, %s in %s", p.Good("✓"), name, b.Archive, words.Bytes(b.Size), words.Bytes(b.UnzippedSize), words.Count(b.Files, "file"))
	p.Line(2, 2, "sha256 "+b.SHA256)
	if b.Artifact != "" && b.Version != "" {
		p.Line(2, 2, "layer.yaml wants it at "+b.Artifact)
	}
}

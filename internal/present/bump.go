package present

import (
	"github.com/layerd/layerd/internal/bump"
	"github.com/layerd/layerd/internal/words"
)

// Bump is the next version of a layer and what decided it. Its fields are stable within
// format_version, its lists never null.
type Bump struct {
	FormatVersion string       `json:"format_version"`
	Layer         string       `json:"layer"`
	Version       string       `json:"version"`  // empty: there is nothing to release
	Previous      string       `json:"previous"` // that Version follows; empty: there was none
	PreviousFrom  string       `json:"previous_from"`
	Level         string       `json:"level"` // none, patch, minor or major
	Reason        string       `json:"reason"`
	Commits       []BumpCommit `json:"commits"` // that changed the layer's folder, newest first
	Notes         []string     `json:"notes"`   // what is not known
	Written       []string     `json:"written"` // files
	Tag           string       `json:"tag"`     // that was made; empty: none was
	Hints         []string     `json:"hints"`   // what comes next, or why nothing was written
}

// BumpCommit is a commit and what it decides.
type BumpCommit struct {
	Hash        string `json:"hash"`
	Level       string `json:"level"`
	Type        string `json:"type"` // empty: not a Conventional Commit
	Scope       string `json:"scope"`
	Breaking    bool   `json:"breaking"`
	Description string `json:"description"`
	Reason      string `json:"reason,omitempty"` // why it decides nothing
}

// NewBump returns a decision for people and other programs.
func NewBump(layer string, d bump.Decision) Bump {
	b := Bump{
		FormatVersion: "1", Layer: layer, PreviousFrom: d.From.Where, Level: d.Level.String(), Reason: d.Reason,
		Commits: []BumpCommit{}, Notes: []string{}, Written: []string{}, Hints: []string{},
	}
	if d.Version != nil {
		b.Version = d.Version.String()
	}
	if d.From.Version != nil {
		b.Previous = d.From.Version.String()
	}
	for _, c := range d.Commits {
		b.Commits = append(b.Commits, BumpCommit{
			Hash: c.Hash, Level: c.Level.String(), Type: c.Change.Type, Scope: c.Change.Scope, Breaking: c.Change.Breaking,
			Description: c.Change.Description, Reason: c.Reason,
		})
	}
	return b
}

// mostCommits is how many commits a person is shown.
const mostCommits = 20

// Bump writes the version, the commits that decided it, and what was done.
func (p *Page) Bump(b Bump) {
	switch {
	case b.Version == "" && b.Previous == "":
		p.Linef(0, "%s: nothing to release: no commit has its folder", p.Bold(b.Layer))
	case b.Version == "" && b.Tag != "":
		p.Linef(0, "%s %s, as %s has it", p.Bold(b.Layer), b.Previous, b.PreviousFrom)
	case b.Version == "":
		p.Linef(0, "%s %s: nothing to release: %s (%s)", p.Bold(b.Layer), b.Previous, b.Reason, b.PreviousFrom)
	case b.Previous == "":
		p.Linef(0, "%s %s (the first version: there is no tag, no file VERSION, and nothing asks for one)", p.Bold(b.Layer), p.Bold(b.Version))
	default:
		p.Linef(0, "%s %s → %s (%s)", p.Bold(b.Layer), b.Previous, p.Bold(b.Version), b.Level)
		p.Linef(2, "%s", p.Faint("after "+b.Previous+": "+b.PreviousFrom))
	}
	if b.Version != "" && b.Reason != "" {
		p.Linef(2, "%s %s", p.Warn("!"), b.Reason)
	}
	for i, c := range b.Commits {
		if i == mostCommits {
			p.Linef(2, "… and %s before", words.Count(len(b.Commits)-i, "commit"))
			break
		}
		p.Hangf(2, 15, "%s  %s %s", Pad(level(c), 5), words.Commit(c.Hash), commitText(c))
	}
	for _, n := range b.Notes {
		p.Linef(0, "%s %s", p.Warn("!"), n)
	}
	for _, name := range b.Written {
		p.Linef(0, "%s wrote %s", p.Good("✓"), name)
	}
	if b.Tag != "" {
		p.Linef(0, "%s tagged HEAD %s", p.Good("✓"), b.Tag)
	}
	for _, hint := range b.Hints {
		p.Linef(0, "%s", hint)
	}
}

func level(c BumpCommit) string {
	if c.Level == "none" {
		return "–"
	}
	return c.Level
}

func commitText(c BumpCommit) string {
	text := c.Type
	if c.Scope != "" {
		text += "(" + c.Scope + ")"
	}
	if c.Breaking && text != "" {
		text += "!"
	}
	if text != "" {
		text += ": "
	}
	if text += c.Description; c.Reason != "" {
		text += " (" + c.Reason + ")"
	}
	return text
}

package inspect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/words"
)

// Severity is how bad a finding is.
type Severity string

// The severities, the worst first. What is Unknown is not healthy either: nobody looked.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	NotSeen Severity = "unknown"
	Note    Severity = "note"
)

// Finding is one thing about a function or an archive that a person should know.
type Finding struct {
	Code     string   `json:"code"` // stable, see the package's page
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject"` // the function, or the layer version that it is about
	Message  string   `json:"message"`
	Evidence []string `json:"evidence"` // what shows it; never nil
	// Command puts it right or shows more; empty = there is nothing to run.
	Command string `json:"command,omitempty"`
	// Advice is what to do that is no command: a line for a template.
	Advice string `json:"advice,omitempty"`
	// At is where Git asks for what the finding is about; the zero value = nowhere.
	At desired.Position `json:"-"`
}

// Examination is what was found, the worst first, and what is right.
type Examination struct {
	Findings []Finding
	Right    []string // sentences
}

// Healthy reports whether nothing is wrong and everything is known. A warning is no
// illness, and a note is none.
func (e Examination) Healthy() bool {
	return e.Count(Error) == 0 && e.Count(NotSeen) == 0
}

// Count returns how many findings have a severity.
func (e Examination) Count(s Severity) (n int) {
	for _, f := range e.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// add notes a finding.
func (e *Examination) add(f Finding) {
	if f.Evidence == nil {
		f.Evidence = []string{}
	}
	e.Findings = append(e.Findings, f)
}

// right notes what is as it should be.
func (e *Examination) right(format string, args ...any) {
	e.Right = append(e.Right, fmt.Sprintf(format, args...))
}

// sort puts the worst first and keeps the order in which things were looked at.
func (e *Examination) sort() {
	rank := []Severity{Error, Warning, NotSeen, Note}
	slices.SortStableFunc(e.Findings, func(a, b Finding) int {
		return cmp.Compare(slices.Index(rank, a.Severity), slices.Index(rank, b.Severity))
	})
	e.Findings = append([]Finding{}, e.Findings...)
	e.Right = append([]string{}, e.Right...)
}

// mostEvidence is how many lines show one finding: a hundred files are one mistake.
const mostEvidence = 5

// some returns the first lines of a list and how many more there are.
func some(list []string) []string {
	if len(list) <= mostEvidence {
		return list
	}
	return append(slices.Clone(list[:mostEvidence]), fmt.Sprintf("and %d more", len(list)-mostEvidence))
}

// command joins words as a shell reads them.
func command(parts ...string) string {
	quoted := make([]string, len(parts))
	for i, part := range parts {
		quoted[i] = words.ShellQuote(part)
	}
	return strings.Join(quoted, " ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

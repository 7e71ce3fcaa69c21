package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
)

// Position is a place in a file. Lines and columns count
// from 1; columns count characters, not bytes.
type Position struct {
	File   string
	Line   int
	Column int
	Length int // characters of the offending token; at least 1 when known
}

// Place returns "file:line:column", or "" for what is in no file.
func (p Position) Place() string {
	if p.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Severity is whether a problem stops something or only warns.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one thing wrong in a file: where, what, and what to do about it.
type Problem struct {
	Position
	Code       string // stable, lower_snake_case
	Message    string
	Suggestion string // may be empty
	Severity   Severity
	// Asked is what was asked for where the answer is not in the file, as a version
	// that is not live. The next commit may ask for something else in the same place,
	// and that is another problem.
	Asked string
	// Environment names the environment of a desired-state repository that the
	// problem makes invalid; empty when it concerns the whole repository (then
	// every environment that depends on the file is invalid and has its own
	// entry in Invalid), and for files that belong to none.
	Environment string
}

// NewProblem returns an error at a place.
func NewProblem(code string, at Position, message, suggestion string) Problem {
	return Problem{Position: at, Code: code, Message: message, Suggestion: suggestion, Severity: Error}
}

// Brief returns the problem in one line: its place, if it has one, and its message.
func (p Problem) Brief() string {
	if place := p.Place(); place != "" {
		return place + ": " + p.Message
	}
	return p.Message
}

// Errors reports whether any of problems is more than a warning.
func Errors(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == Error })
}

// Sort orders problems by file and place.
func Sort(problems []Problem) {
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Environment, b.Environment),
			cmp.Compare(a.Length, b.Length), cmp.Compare(a.Suggestion, b.Suggestion), cmp.Compare(a.Severity, b.Severity))
	})
}

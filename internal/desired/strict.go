package desired

import (
	"io"
	"io/fs"

	"github.com/layerd/layerd/internal/strictyaml"
)

// The reading of YAML and the shape of problems are those of package
// strictyaml; users of desired need no other package.
type (
	// Position is a place in a file of the repository.
	Position = strictyaml.Position
	// Severity tells a problem that stops something from one that only warns.
	Severity = strictyaml.Severity
	// Problem is one thing wrong in the repository.
	Problem = strictyaml.Problem
	// Look is how problems are shown.
	Look = strictyaml.Look

	node      = strictyaml.Node
	formError = strictyaml.FormError
)

// The severities.
const (
	Error   = strictyaml.Error
	Warning = strictyaml.Warning
)

const (
	scalar  = strictyaml.Scalar
	list    = strictyaml.List
	mapping = strictyaml.Mapping
)

// Errors reports whether any of problems is more than a warning.
func Errors(problems []Problem) bool { return strictyaml.Errors(problems) }

// Format writes problems for people, with the lines of the files in fsys that
// they are about. An error is one of w.
func Format(w io.Writer, fsys fs.FS, problems []Problem, look Look) error {
	return strictyaml.Format(w, fsys, problems, look)
}

// FormatGitHub writes problems as workflow commands, which GitHub shows beside
// the lines of a pull request. An error is one of w.
func FormatGitHub(w io.Writer, problems []Problem) error {
	return strictyaml.FormatGitHub(w, problems)
}

func problemAt(code string, at Position, message, suggestion string) Problem {
	return strictyaml.NewProblem(code, at, message, suggestion)
}

func nearest(text string, candidates []string) string { return strictyaml.Nearest(text, candidates) }

package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"deps.dev/util/pypi"

	"github.com/layerd/layerd/internal/redact"
	"github.com/layerd/layerd/internal/strictyaml"
)

// Requirement is one line of a requirements file.
type Requirement struct {
	At     strictyaml.Position
	Text   string // without what may be a secret
	Name   string // as PyPI compares names; empty for what is not a name
	Pinned bool   // exactly one version of it is meant
}

// maxDepth is how deep requirements files may name each other.
const maxDepth = 8

// Requirements reads a requirements file of pip and those that it names with -r, as
// far as layerd has to know them: what is asked for, and whether it is pinned. The
// installer reads it for itself.
func Requirements(files fs.FS, name string) (list []Requirement, problems []Problem) {
	return requirements(files, name, nil)
}

// requirements reads a file; by are the lines that lead to it, each in the file that the
// one before it names.
func requirements(files fs.FS, name string, by []strictyaml.Position) (list []Requirement, problems []Problem) {
	bad := func(why, suggestion string) ([]Requirement, []Problem) {
		if len(by) == 0 {
			return nil, []Problem{problem("unreadable", name, why, suggestion)}
		}
		return nil, []Problem{strictyaml.NewProblem("unreadable", by[len(by)-1], name+": "+why, "correct the line that names it")}
	}
	if len(by) > maxDepth {
		return bad("the files name each other in a circle", "")
	}
	if !fs.ValidPath(name) {
		return bad("is not in the layer's folder", "")
	}
	data, err := fs.ReadFile(files, name)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err // the path is named already
	}
	if err != nil {
		return bad(err.Error(), "make it a file that whoever builds may read")
	}
	for _, l := range joined(string(data)) {
		line := l.text
		at := strictyaml.Position{File: name, Line: l.number, Column: 1, Length: max(len([]rune(line)), 1)}
		option, value, _ := strings.Cut(strings.ReplaceAll(line, "=", " "), " ")
		switch {
		case option == "-r" || option == "--requirement":
			more, wrong := requirements(files, path.Join(path.Dir(name), strings.TrimSpace(value)), append(by, at))
			list, problems = append(list, more...), append(problems, wrong...)
		case option == "-e" || option == "--editable" || strings.HasPrefix(line, ".") || strings.HasPrefix(line, "/"):
			problems = append(problems, strictyaml.NewProblem("local_requirement", at, fmt.Sprintf("%q is a folder, and what is installed from it depends on the machine", redact.Mask(line)),
				"put the package itself beside requirements.txt"))
		case strings.HasPrefix(line, "-"): // where and how the installer looks
		default:
			list = append(list, parseRequirement(line, at))
		}
	}
	return list, problems
}

// line is one line of a text file, counted from 1.
type line struct {
	number int
	text   string
}

// joined returns the lines of a requirements file that say something: without comments,
// and with what a backslash continues.
func joined(text string) (lines []line) {
	whole, first := "", 0
	for i, text := range strings.Split(text, "\n") {
		text = strings.TrimRight(text, "\r")
		if whole == "" {
			first = i + 1
		}
		if rest, more := strings.CutSuffix(text, `\`); more {
			whole += rest + " "
			continue
		}
		text = strings.TrimSpace(comment.ReplaceAllString(whole+text, ""))
		if whole = ""; text != "" {
			lines = append(lines, line{first, text})
		}
	}
	return lines
}

var (
	comment = regexp.MustCompile(`(^|\s)#.*$`)
	exactly = regexp.MustCompile(`^={2,3}[^*,<>!~]+$`)
	options = regexp.MustCompile(`\s--[a-z-]+[= ].*$`)
)

func parseRequirement(line string, at strictyaml.Position) Requirement {
	r := Requirement{At: at, Text: redact.Mask(line)}
	bare := options.ReplaceAllString(line, "")
	if name, url, ok := strings.Cut(bare, " @ "); ok {
		r.Name = pypi.CanonPackageName(strings.TrimSpace(strings.Split(name, "[")[0]))
		r.Pinned = strings.Contains(url, "#sha256=") || strings.Contains(line, "--hash=sha256:")
		return r
	}
	d, err := pypi.ParseDependency(bare)
	if err != nil {
		return r
	}
	r.Name = pypi.CanonPackageName(d.Name)
	r.Pinned = exactly.MatchString(strings.ReplaceAll(strings.Trim(d.Constraint, "()"), " ", ""))
	return r
}

// Unpinned returns a problem for each requirement that another day may mean another
// version: an error where locked, else a warning. Which of two lines for one package
// counts is the installer's to say.
func Unpinned(list []Requirement, locked bool) (problems []Problem) {
	for _, r := range list {
		if r.Pinned {
			continue
		}
		p := strictyaml.NewProblem("unpinned", r.At, fmt.Sprintf("%s does not say which version: another day's build may have another", r.Text),
			"pin it with ==, as pip freeze prints it")
		if !locked {
			p.Severity = strictyaml.Warning
		}
		problems = append(problems, p)
	}
	strictyaml.Sort(problems)
	return problems
}

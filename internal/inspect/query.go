package inspect

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"deps.dev/util/pypi"

	"github.com/layerd/layerd/internal/archive"
)

// Query is what is looked for: a package, and which of its versions.
type Query struct {
	Text string // as it was written, or as an advisory has it
	Kind archive.PackageKind
	Name string // as its ecosystem compares names
	// ID and Summary are of the advisory that asks; empty = nobody's.
	ID, Summary string
	has         func(version string) (in, known bool)
}

// Has reports whether a version is looked for; known is false where nobody can tell,
// since it is no version of its ecosystem.
func (q Query) Has(version string) (in, known bool) { return q.has(version) }

// QueryError is what is wrong with a query, and what would be right.
type QueryError struct{ Query, Message, Suggestion string }

func (e *QueryError) Error() string { return fmt.Sprintf("%q: %s", e.Query, e.Message) }

var (
	pythonName = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[^\]]*\])?\s*`)
	npmName    = regexp.MustCompile(`^((?:@[a-z0-9-][a-z0-9._-]*/)?[A-Za-z0-9-][A-Za-z0-9._-]*)\s*@?\s*`)
)

// ParseQuery reads what package is looked for, as its own tools write it:
//
//	urllib3<2.2.2            a package of PyPI and PEP 440's specifiers
//	npm:lodash@<4.17.21      one of npm and a range of npm; @scope/name as well
//	pkg:npm/lodash@4.17.20   a package URL, which names one version or none
//
// Without a version every one is meant.
func ParseQuery(text string) (Query, error) {
	q := Query{Text: strings.TrimSpace(text), Kind: archive.PyPI}
	rest := q.Text
	kind, after, named := strings.Cut(rest, ":")
	switch {
	case named && kind == "pkg":
		return parsePURL(q, after)
	case named && (kind == string(archive.PyPI) || kind == string(archive.NPM)):
		q.Kind, rest = archive.PackageKind(kind), after
	case named && !strings.ContainsAny(kind, "<>=!~@ "):
		return q, q.wrong(fmt.Sprintf("packages of %q are not known", kind), "write pypi:NAME or npm:NAME")
	case strings.HasPrefix(rest, "@"):
		q.Kind = archive.NPM
	}
	if q.Kind == archive.NPM {
		return parseNPM(q, rest)
	}
	return parsePython(q, rest)
}

func (q Query) wrong(message, suggestion string) error {
	return &QueryError{Query: q.Text, Message: message, Suggestion: suggestion}
}

func parsePython(q Query, text string) (Query, error) {
	m := pythonName.FindStringSubmatch(text)
	if m == nil {
		return q, q.wrong("names no package", "write a name and specifiers of PEP 440, such as urllib3<2.2.2")
	}
	q.Name = pypi.CanonPackageName(m[1])
	spec := strings.TrimSpace(text[len(m[0]):])
	if strings.HasPrefix(spec, "(") && strings.HasSuffix(spec, ")") {
		spec = spec[1 : len(spec)-1]
	}
	r, err := parsePythonRange(spec)
	if err != nil {
		hint := "specifiers of PEP 440 are such as <2.2.2, >=1.21,<2, ==1.26.*, ~=2.1"
		if strings.HasPrefix(spec, "@") || strings.HasPrefix(spec, "^") {
			hint = "a package of npm is npm:" + text
		}
		return q, q.wrong(err.Error(), hint)
	}
	q.has = r.has
	return q, nil
}

func parseNPM(q Query, text string) (Query, error) {
	m := npmName.FindStringSubmatch(text)
	if m == nil {
		return q, q.wrong("names no package", "write a name and a range of npm, such as npm:lodash@<4.17.21 or npm:@scope/name@^1")
	}
	q.Name = m[1]
	r, err := parseNPMRange(text[len(m[0]):])
	if err != nil {
		return q, q.wrong(err.Error(), "ranges of npm are such as <4.17.21, ^1.2, 1.x || >=3")
	}
	q.has = r.has
	return q, nil
}

// parsePURL reads a package URL without its scheme. What it says behind ? and # does not
// tell packages in a layer apart.
func parsePURL(q Query, text string) (Query, error) {
	text, _, _ = strings.Cut(text, "#")
	text, _, _ = strings.Cut(text, "?")
	kind, path, _ := strings.Cut(strings.Trim(text, "/"), "/")
	name, version, versioned := cutVersion(path)
	name, err := url.PathUnescape(name)
	if err == nil {
		version, err = url.PathUnescape(version)
	}
	if err != nil || name == "" {
		return q, q.wrong("is no package URL", "write it as pkg:pypi/urllib3@2.2.1 or pkg:npm/%40scope/name@1.0.0")
	}
	op := ""
	switch archive.PackageKind(strings.ToLower(kind)) {
	case archive.PyPI:
		if versioned {
			op = "=="
		}
		return parsePython(q, name+op+version)
	case archive.NPM:
		q.Kind = archive.NPM
		if versioned {
			op = "@="
		}
		return parseNPM(q, name+op+version)
	}
	return q, q.wrong(fmt.Sprintf("packages of %q are not known", kind), "pkg:pypi/… and pkg:npm/… are")
}

// cutVersion splits a package URL's path at the @ of its version, which is not that of a
// scope.
func cutVersion(path string) (name, version string, ok bool) {
	at := strings.LastIndexByte(path, '@')
	if at <= strings.LastIndexByte(path, '/') {
		return path, "", false
	}
	return path[:at], path[at+1:], true
}

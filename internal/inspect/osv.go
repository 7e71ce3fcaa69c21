package inspect

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"

	"deps.dev/util/pypi"

	"github.com/layerd/layerd/internal/archive"
)

// advisory is what is read of an OSV document (ossf.github.io/osv-schema).
type advisory struct {
	ID        string     `json:"id"`
	Summary   string     `json:"summary"`
	Withdrawn string     `json:"withdrawn"`
	Affected  []affected `json:"affected"`
	// Vulns is in an answer of osv.dev, which wraps its documents.
	Vulns []advisory `json:"vulns"`
}

type affected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Ranges   []osvRange `json:"ranges"`
	Versions []string   `json:"versions"`
}

type osvRange struct {
	Type   string     `json:"type"`
	Events []osvEvent `json:"events"`
}

// osvEvent has one of its fields.
type osvEvent struct {
	Introduced   string `json:"introduced,omitempty"`
	Fixed        string `json:"fixed,omitempty"`
	LastAffected string `json:"last_affected,omitempty"`
	Limit        string `json:"limit,omitempty"`
}

// Advisories are what a file of them asks for.
type Advisories struct {
	Queries   []Query
	Read      int // advisories
	Withdrawn int // that do not count any more
	Others    int // that are about neither PyPI nor npm
}

// ParseOSV reads advisories: one document of OSV, several behind one another (a line
// each, or not), or lists of them. Each package that one is about is a query.
func ParseOSV(data []byte) (Advisories, error) {
	var all Advisories
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	d := json.NewDecoder(bytes.NewReader(data))
	for {
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) {
			break
		}
		at := int(d.InputOffset())
		if err != nil { // it stands behind what was read last
			at = len(data) - len(bytes.TrimLeft(data[at:], " \t\r\n"))
		}
		line := 1 + bytes.Count(data[:at], []byte("\n"))
		if err != nil {
			return all, fmt.Errorf("line %d: no JSON: %w", line, err)
		}
		list, err := advisoriesIn(raw)
		if err != nil {
			return all, fmt.Errorf("what ends in line %d: %w", line, err)
		}
		for _, a := range list {
			all.add(a)
		}
	}
	if all.Read == 0 {
		return all, errors.New("there is no advisory in it")
	}
	return all, nil
}

func advisoriesIn(raw json.RawMessage) (list []advisory, err error) {
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "[") {
		err = json.Unmarshal(raw, &list)
	} else {
		var one advisory
		err = json.Unmarshal(raw, &one)
		list = []advisory{one}
		if len(one.Vulns) > 0 {
			list = one.Vulns
		}
	}
	if err != nil {
		return nil, fmt.Errorf("is no advisory of OSV: %w", err)
	}
	for _, a := range list {
		if a.ID == "" {
			return nil, errors.New(`is no advisory of OSV: it has no "id"`)
		}
	}
	return list, nil
}

func (all *Advisories) add(a advisory) {
	all.Read++
	if a.Withdrawn != "" {
		all.Withdrawn++
		return
	}
	ours := false
	for _, of := range a.Affected {
		q := Query{ID: a.ID, Summary: a.Summary, Name: of.Package.Name, Text: a.ID + " " + of.Package.Name}
		ecosystem, _, _ := strings.Cut(of.Package.Ecosystem, ":")
		order := compareNPM
		switch {
		case strings.EqualFold(ecosystem, "PyPI"):
			q.Kind, q.Name, order = archive.PyPI, pypi.CanonPackageName(of.Package.Name), comparePython
		case strings.EqualFold(ecosystem, "npm"):
			q.Kind = archive.NPM
		default:
			continue
		}
		ours = true
		q.has = func(version string) (in, known bool) { return of.has(version, order) }
		all.Queries = append(all.Queries, q)
	}
	if !ours {
		all.Others++
	}
}

// order compares two versions of an ecosystem; ok is false where one of them is none.
type order func(a, b string) (c int, ok bool)

func comparePython(a, b string) (int, bool) {
	x, err1 := pep440.Parse(a)
	y, err2 := pep440.Parse(b)
	if err1 != nil || err2 != nil {
		return 0, false
	}
	return x.Compare(y), true
}

func compareNPM(a, b string) (int, bool) {
	x, err1 := npmVersion(a)
	y, err2 := npmVersion(b)
	if err1 != nil || err2 != nil {
		return 0, false
	}
	return x.Compare(y), true
}

// has reports whether a version is affected. What an advisory lists is affected; a range
// adds to that. One that has neither, or that cannot be read, leaves it unknown.
func (of affected) has(version string, compare order) (in, known bool) {
	for _, v := range of.Versions {
		if c, ok := compare(v, version); ok && c == 0 || v == version {
			return true, true
		}
	}
	known = len(of.Versions) > 0
	unread := false
	for _, r := range of.Ranges {
		if r.Type != "ECOSYSTEM" && r.Type != "SEMVER" {
			continue // commits, which no archive names
		}
		hit, ok := r.has(version, compare)
		if hit && ok {
			return true, true
		}
		known, unread = true, unread || !ok
	}
	return false, known && !unread
}

// has follows the events of a range in the order of their versions.
func (r osvRange) has(version string, compare order) (in, ok bool) {
	events := slices.Clone(r.Events)
	ok = true
	slices.SortStableFunc(events, func(a, b osvEvent) int {
		c, both := 0, true
		switch x, y := a.version(), b.version(); {
		case x == "0" || y == "0": // before every version, whatever the ecosystem
			c = cmp.Compare(b2i(x != "0"), b2i(y != "0"))
		default:
			c, both = compare(x, y)
		}
		ok = ok && both
		return c
	})
	for _, e := range events {
		c := 1
		if e.version() != "0" {
			var both bool
			if c, both = compare(version, e.version()); !both {
				return false, false
			}
		}
		switch {
		case e.Introduced != "" && c >= 0:
			in = true
		case e.Fixed != "" && c >= 0, e.Limit != "" && c >= 0, e.LastAffected != "" && c > 0:
			in = false
		}
	}
	return in, ok
}

func (e osvEvent) version() string {
	return cmp.Or(e.Introduced, e.Fixed, e.LastAffected, e.Limit)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

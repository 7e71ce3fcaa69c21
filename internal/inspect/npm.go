package inspect

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// npmRange is a range as npm writes it: alternatives, each of bounds that all have to
// hold. Pre-releases are compared as npm audit does, by their order alone: who looks for
// what a fleet carries wants 4.17.21-beta.1 among what is older than 4.17.21.
//
// Masterminds/semver's own ranges differ from npm's in ~0.0.0, in >1 and in what a
// missing number stands for, so that only its versions are used.
type npmRange [][]npmBound

type npmBound struct {
	op      string // < <= > >= =
	version *semver.Version
}

const npmPartial = `[v=\s]*([0-9]{1,15}|[xX*])(?:\.([0-9]{1,15}|[xX*]))?(?:\.([0-9]{1,15}|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?`

var (
	npmHyphen     = regexp.MustCompile(`^\s*(` + npmPartial + `)\s+-\s+(` + npmPartial + `)\s*$`)
	npmComparator = regexp.MustCompile(`^(\^|~>?|<=|>=|<|>|=|)\s*` + npmPartial + `$`)
	npmSpaces     = regexp.MustCompile(`(\^|~>?|<=|>=|<|>|=)\s+`)
)

const mostRange = 1000 // bytes of a range; nobody writes more

func parseNPMRange(text string) (npmRange, error) {
	if len(text) > mostRange {
		return nil, fmt.Errorf("the range has more than %d characters", mostRange)
	}
	var all npmRange
	for alternative := range strings.SplitSeq(text, "||") {
		bounds, err := parseNPMBounds(alternative)
		if err != nil {
			return nil, err
		}
		all = append(all, bounds)
	}
	return all, nil
}

func parseNPMBounds(text string) ([]npmBound, error) {
	if m := npmHyphen.FindStringSubmatch(text); m != nil {
		from, to := partialOf(m[2:6]), partialOf(m[7:11])
		return append(from.lower(), to.upper()...), nil
	}
	bounds := []npmBound{}
	for word := range strings.FieldsSeq(npmSpaces.ReplaceAllString(text, "$1")) {
		m := npmComparator.FindStringSubmatch(word)
		if m == nil {
			return nil, fmt.Errorf("%q is no range of npm, such as <4.17.21, ^1.2 or \"1.x || >=3\"", word)
		}
		p := partialOf(m[2:6])
		switch m[1] {
		case "^":
			bounds = append(bounds, p.caret()...)
		case "~", "~>":
			bounds = append(bounds, p.tilde()...)
		case "", "=":
			bounds = append(bounds, p.same()...)
		case "<=":
			bounds = append(bounds, p.atMost()...)
		default:
			bounds = append(bounds, p.compare(m[1])...)
		}
	}
	return bounds, nil
}

// partial is a version of which numbers may be missing: n says how many are there.
type partial struct {
	numbers [3]uint64
	n       int
	pre     string
}

func partialOf(fields []string) (p partial) {
	for i, f := range fields[:3] {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil { // x, or nothing
			return p
		}
		p.numbers[i], p.n = n, i+1
	}
	p.pre = fields[3]
	return p
}

func (p partial) at(pre string) *semver.Version {
	return semver.New(p.numbers[0], p.numbers[1], p.numbers[2], pre, "")
}

// lowest is before every pre-release of a version.
const lowest = "0"

// after returns the first version behind those that share the first n numbers.
func (p partial) after(n int) *semver.Version {
	next := partial{}
	copy(next.numbers[:n], p.numbers[:n])
	next.numbers[n-1]++
	return next.at(lowest)
}

// first returns the lowest version that is meant.
func (p partial) first() *semver.Version {
	if p.n < 3 {
		return p.at(lowest)
	}
	return p.at(p.pre)
}

// lower is the begin of a hyphen's range.
func (p partial) lower() []npmBound {
	switch {
	case p.n == 0:
		return nil
	case p.pre != "":
		return []npmBound{{">=", p.at(p.pre)}}
	}
	return []npmBound{{">=", p.at(lowest)}}
}

// upper is the end of a hyphen's range.
func (p partial) upper() []npmBound {
	switch {
	case p.n == 0:
		return nil
	case p.pre != "":
		return []npmBound{{"<=", p.at(p.pre)}}
	}
	return []npmBound{{"<", p.after(p.n)}}
}

func (p partial) same() []npmBound {
	switch p.n {
	case 0:
		return nil
	case 3:
		return []npmBound{{"=", p.at(p.pre)}}
	}
	return []npmBound{{">=", p.at(lowest)}, {"<", p.after(p.n)}}
}

func (p partial) tilde() []npmBound {
	if p.n == 0 {
		return nil
	}
	return []npmBound{{">=", p.first()}, {"<", p.after(min(p.n, 2))}}
}

// caret keeps the first number that is not zero.
func (p partial) caret() []npmBound {
	if p.n == 0 {
		return nil
	}
	fixed := 1
	for fixed < p.n && p.numbers[fixed-1] == 0 {
		fixed++
	}
	return []npmBound{{">=", p.first()}, {"<", p.after(fixed)}}
}

func (p partial) atMost() []npmBound {
	if p.n == 3 {
		return []npmBound{{"<=", p.at(p.pre)}}
	}
	if p.n == 0 {
		return nil
	}
	return []npmBound{{"<", p.after(p.n)}}
}

func (p partial) compare(op string) []npmBound {
	switch {
	case p.n == 3:
		return []npmBound{{op, p.at(p.pre)}}
	case p.n == 0 && op == ">=":
		return nil
	case p.n == 0: // before or behind all that there is
		return []npmBound{{"<", partial{}.at(lowest)}}
	case op == ">":
		return []npmBound{{">=", p.after(p.n)}}
	}
	return []npmBound{{op, p.at(lowest)}}
}

// has reports whether a version is in the range; known is false for what is no version.
func (r npmRange) has(text string) (in, known bool) {
	v, err := npmVersion(text)
	if err != nil {
		return false, false
	}
	for _, bounds := range r {
		all := true
		for _, b := range bounds {
			all = all && b.holds(v)
		}
		if all {
			return true, true
		}
	}
	return false, true
}

func (b npmBound) holds(v *semver.Version) bool {
	switch c := v.Compare(b.version); b.op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	default:
		return c == 0
	}
}

// npmVersion reads the version of a package.json, where a v in front is overlooked.
func npmVersion(text string) (*semver.Version, error) {
	return semver.StrictNewVersion(strings.TrimLeft(strings.TrimSpace(text), "v= "))
}

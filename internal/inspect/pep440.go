package inspect

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

// pythonRange is a list of PEP 440 specifiers, all of which have to hold. Versions are
// ordered by the library; what an operator means of that order is here, since the
// library's own operators ignore epochs in prefixes and what PEP 440 leaves out of < and >.
type pythonRange []pythonClause

type pythonClause struct {
	op string
	// text is what stands behind the operator, for === alone.
	text    string
	version pep440.Version
	// from and to bound the versions that a prefix stands for: from <= version < to.
	from, to pep440.Version
}

var (
	clausePattern = regexp.MustCompile(`^\s*(===|==|~=|!=|<=|>=|<|>)\s*(\S+)\s*$`)
	prefixPattern = regexp.MustCompile(`^v?(?:([0-9]{1,18})!)?([0-9]{1,18}(?:\.[0-9]{1,18})*)\.\*$`)
	publicPattern = regexp.MustCompile(`(?i)^v?(?:([0-9]{1,18})!)?([0-9]{1,18}(?:\.[0-9]{1,18})*)`)
)

// parsePythonRange reads specifiers as requirements have them: ">=1.21,<2". An empty text
// is every version.
func parsePythonRange(text string) (pythonRange, error) {
	var all pythonRange
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		c, err := parsePythonClause(part)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func parsePythonClause(text string) (pythonClause, error) {
	m := clausePattern.FindStringSubmatch(text)
	if m == nil {
		return pythonClause{}, fmt.Errorf("%q is no specifier of PEP 440, such as <2.2.2, ~=1.4 or ==1.*", strings.TrimSpace(text))
	}
	c := pythonClause{op: m[1], text: m[2]}
	if p := prefixPattern.FindStringSubmatch(c.text); p != nil && (c.op == "==" || c.op == "!=") {
		c.from, c.to = prefixOf(p[1], strings.Split(p[2], "."))
		return c, nil
	}
	v, err := pep440.Parse(c.text)
	switch {
	case c.op == "===" && err != nil:
		return c, nil // it is compared as text
	case err != nil:
		return c, fmt.Errorf("%q is no version of PEP 440", c.text)
	case v.Local() != "" && c.op != "==" && c.op != "!=" && c.op != "===":
		return c, fmt.Errorf("%s takes no local version, as in %q", c.op, c.text)
	}
	c.version = v
	if c.op == "~=" {
		p := publicPattern.FindStringSubmatch(c.text)
		if p == nil || !strings.Contains(p[2], ".") {
			return c, fmt.Errorf("~=%s: it takes at least two numbers, as in ~=2.2", c.text)
		}
		release := strings.Split(p[2], ".")
		c.from, c.to = prefixOf(p[1], release[:len(release)-1])
	}
	return c, nil
}

// prefixOf returns the bounds of the versions that begin with numbers, their
// pre-releases included: 2.2.* is from 2.2.dev0 on and before 2.3.dev0.
func prefixOf(epoch string, release []string) (from, to pep440.Version) {
	if epoch == "" {
		epoch = "0"
	}
	last, _ := strconv.ParseInt(release[len(release)-1], 10, 64) // of at most 18 digits
	base := epoch + "!" + strings.Join(release, ".")
	next := epoch + "!" + strings.Join(append(release[:len(release)-1:len(release)-1], strconv.FormatInt(last+1, 10)), ".")
	return pep440.MustParse(base + ".dev0"), pep440.MustParse(next + ".dev0")
}

// has reports whether a version is in the range; known is false for what is no version.
func (r pythonRange) has(text string) (in, known bool) {
	v, err := pep440.Parse(text)
	if err != nil {
		for _, c := range r {
			if c.op != "===" {
				return len(r) == 0, false
			}
			in = strings.EqualFold(c.text, text)
		}
		return in || len(r) == 0, true
	}
	for _, c := range r {
		if !c.holds(v) {
			return false, true
		}
	}
	return true, true
}

func (c pythonClause) holds(v pep440.Version) bool {
	public := pep440.MustParse(v.Public())
	switch c.op {
	case "===":
		return strings.EqualFold(v.String(), c.text)
	case "==":
		return c.equals(v, public)
	case "!=":
		return !c.equals(v, public)
	case "~=":
		return public.GreaterThanOrEqual(c.version) && c.begins(public)
	case "<=":
		return public.LessThanOrEqual(c.version)
	case ">=":
		return public.GreaterThanOrEqual(c.version)
	case "<": // 2.2.2rc1 is not meant by <2.2.2
		return v.LessThan(c.version) && (c.version.IsPreRelease() || !v.IsPreRelease() || !sameRelease(v, c.version))
	default: // neither 2.2.2.post1 nor 2.2.2+local is meant by >2.2.2
		return v.GreaterThan(c.version) && (c.version.IsPostRelease() || !v.IsPostRelease() || !sameRelease(v, c.version)) &&
			(v.Local() == "" || !sameRelease(v, c.version))
	}
}

func (c pythonClause) equals(v, public pep440.Version) bool {
	switch {
	case c.text == "" || strings.HasSuffix(c.text, ".*"):
		return c.begins(public)
	case c.version.Local() == "":
		return public.Equal(c.version)
	}
	return v.Equal(c.version)
}

func (c pythonClause) begins(v pep440.Version) bool {
	return v.GreaterThanOrEqual(c.from) && v.LessThan(c.to)
}

func sameRelease(a, b pep440.Version) bool {
	return pep440.MustParse(a.BaseVersion()).Equal(pep440.MustParse(b.BaseVersion()))
}

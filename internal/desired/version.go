package desired

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// VersionKind is which of the forms of DESIGN section 2 a version has.
type VersionKind int

// The kinds of versions.
const (
	Exact  VersionKind = iota // a semantic version
	Number                    // an AWS layer version number
	Range                     // a constraint; needs auto_update
	Latest                    // the highest release; needs auto_update
	None                      // detach
)

// Version is what a repository may ask for. The zero value is invalid; make
// one with ParseVersion.
type Version struct {
	Kind   VersionKind
	Text   string              // as written, without a leading v for Exact
	Semver *semver.Version     // for Exact
	Number int64               // for Number
	Range  *semver.Constraints // for Range
}

// String returns the version as a person would write it.
func (v Version) String() string { return v.Text }

// ParseVersion reads an exact semantic version (1.4.2, v1.4.2), an AWS layer
// version number (7), a range (^1.4, ~1.4.2, 1.x), latest or none. The error
// says what would be right; "~>" is refused because tools disagree about it.
func ParseVersion(text string) (Version, error) {
	switch text {
	case "":
		return Version{}, fmt.Errorf("version is empty")
	case "none":
		return Version{Kind: None, Text: text}, nil
	case "latest":
		return Version{Kind: Latest, Text: text}, nil
	}
	if strings.Trim(text, "0123456789") == "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 || text[0] == '0' {
			return Version{}, fmt.Errorf("%q is not a layer version number (1, 2, 3, …)", text)
		}
		return Version{Kind: Number, Text: text, Number: n}, nil
	}
	bare := strings.TrimPrefix(text, "v")
	if sv, err := semver.StrictNewVersion(bare); err == nil {
		return Version{Kind: Exact, Text: bare, Semver: sv}, nil
	}
	if strings.Contains(text, "~>") {
		return Version{}, fmt.Errorf("%q: tools disagree about what ~> means; write ~1.4.2 or ^1.4", text)
	}
	if strings.Trim(bare, "0123456789.") == "" && strings.Count(bare, ".") == 1 {
		return Version{}, fmt.Errorf("%q is not a whole version; write %s.0, or ^%s for a range", text, bare, bare)
	}
	c, err := semver.NewConstraint(text)
	if err != nil || !strings.ContainsAny(text, "^~<>=xX*") {
		return Version{}, fmt.Errorf("%q is neither a semantic version (1.4.2), a number (7), a range (^1.4), latest nor none", text)
	}
	return Version{Kind: Range, Text: text, Range: c}, nil
}

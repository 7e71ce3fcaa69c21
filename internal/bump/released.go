package bump

import (
	"strings"

	"github.com/Masterminds/semver/v3"
)

// TagPrefix is what the tags of a layer's versions begin with.
func TagPrefix(layer string) string { return layer + "/v" }

// TagName returns the tag of a layer's version.
func TagName(layer string, v *semver.Version) string { return TagPrefix(layer) + v.String() }

// Parse returns the version that a file VERSION, or the end of a tag, names; nil = none.
func Parse(text string) *semver.Version {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	v, err := semver.StrictNewVersion(strings.TrimPrefix(text, "v"))
	if err != nil {
		return nil
	}
	return v
}

// Tagged is a version that has a tag.
type Tagged struct {
	Tag, Commit string
	Past        bool // the tag is in what HEAD goes back to
}

// Start is where the next version is counted from.
type Start struct {
	Released Known
	Commit   string  // of Released; "" = no commit is known to have it
	Pending  bool    // the file VERSION has it, and no tag does yet
	Others   []Known // that have a tag elsewhere
}

// StartOf returns where the next version of a layer is counted from: the highest of its
// tags that HEAD goes back to, or the file VERSION where that names a higher version. It
// does after the version was written and before it was tagged, and always where nobody
// makes tags. file is the file as HEAD has it, and since the commit that it is so from.
func StartOf(layer string, tags []Tagged, file, since string) (s Start) {
	for _, t := range tags {
		v := Parse(strings.TrimPrefix(t.Tag, TagPrefix(layer)))
		switch {
		case v == nil:
		case !t.Past:
			s.Others = append(s.Others, Known{v, "tag " + t.Tag + " is on another branch"})
		case s.Released.Version == nil || v.GreaterThan(s.Released.Version):
			s.Released, s.Commit = Known{v, t.Tag}, t.Commit
		}
	}
	if v := Parse(file); v != nil && since != "" && (s.Released.Version == nil || v.GreaterThan(s.Released.Version)) {
		s.Released, s.Commit, s.Pending = Known{v, "the file VERSION"}, since, true
	}
	return s
}

package catalog

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/Masterminds/semver/v3"
)

// Stamp is the end of a Description that layerd itself wrote: which version it is, and
// of which bytes (DESIGN section 2, version).
type Stamp struct {
	Version *semver.Version
	SHA256  string // the first digits of the zip's, in lower-case hex
	Commit  string // the first digits of the commit that asked for it; empty = not known
}

const (
	// maxDescription is how many characters AWS allows; it counts like Java, in which
	// an emoji has two.
	maxDescription = 256
	shaDigits      = 12
	commitDigits   = 7
)

var (
	stamp  = regexp.MustCompile(`(?:^| )v(\S+) sha256:([0-9a-f]{12})(?: git:([0-9a-f]{7}))?$`)
	commit = regexp.MustCompile(`^[0-9a-f]{7,64}(?:\+dirty)?$`)
)

// ReadStamp returns the stamp at the end of a Description; ok is false when there is
// none.
func ReadStamp(description string) (s Stamp, ok bool) {
	m := stamp.FindStringSubmatch(description)
	if m == nil {
		return Stamp{}, false
	}
	v, err := semver.StrictNewVersion(m[1])
	if err != nil {
		return Stamp{}, false
	}
	return Stamp{Version: v, SHA256: m[2], Commit: m[3]}, true
}

// NewStamp returns the stamp of a version that is about to be published. A revision that
// is no commit, or only nearly one, is not named in it.
func NewStamp(v *semver.Version, sha256, revision string) Stamp {
	s := Stamp{Version: v, SHA256: sha256[:min(shaDigits, len(sha256))]}
	if commit.MatchString(revision) && !strings.HasSuffix(revision, "+dirty") {
		s.Commit = revision[:commitDigits]
	}
	return s
}

// String returns the stamp as it ends a Description.
func (s Stamp) String() string {
	text := "v" + s.Version.String() + " sha256:" + s.SHA256
	if s.Commit != "" {
		text += " git:" + s.Commit
	}
	return text
}

// Is reports whether a zip may be what was stamped.
func (s Stamp) Is(sha256 string) bool { return strings.HasPrefix(sha256, s.SHA256) }

// Describe returns the Description of a version: what people say of it, shortened where
// both are too long, and the stamp. ok is false when the stamp alone is too long.
func (s Stamp) Describe(description string) (text string, ok bool) {
	end := s.String()
	plain := strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(description, "\uFFFD")))
	if plain == "" {
		return end, length(end) <= maxDescription
	}
	room := maxDescription - length(end) - 1
	if length(plain) > room {
		plain = shortened(plain, room)
	}
	if plain == "" {
		return end, length(end) <= maxDescription
	}
	return plain + " " + end, true
}

// shortened returns as much of a text as fits, and a … for the rest; empty where
// nothing does.
func shortened(text string, room int) string {
	used := 1 // the …
	for i, r := range text {
		if used += utf16.RuneLen(r); used > room {
			if i == 0 {
				return ""
			}
			return strings.TrimSpace(text[:i]) + "…"
		}
	}
	return text
}

// length is how many characters AWS counts in a text.
func length(text string) int { return len(utf16.Encode([]rune(text))) }

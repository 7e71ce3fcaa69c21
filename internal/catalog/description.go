package catalog

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/desired"
)

// mention is what may be a version anywhere in a text.
var mention = regexp.MustCompile(`v[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*`)

// versionIn reads a layer version's Description (DESIGN section 2, version):
// layerd's own stamp at its end, else v and a whole SemVer 2 version that leads it,
// as its first word or as the first one after the titles. own is nil when there is
// none, and then inside is the first version that stands elsewhere: as likely as not
// that of a dependency, so that it is named and never taken.
func versionIn(description string, titles []string) (own, inside *semver.Version) {
	if s, ok := ReadStamp(description); ok {
		return s.Version, nil
	}
	if v := leading(description, titles); v != nil {
		return v, nil
	}
	return nil, mentioned(description)
}

// leading returns the version that a text begins with, once the titles are passed
// over; each may come once, in any order.
func leading(text string, titles []string) *semver.Version {
	for {
		text = strings.TrimLeftFunc(text, isBoundary)
		word := text
		if end := strings.IndexFunc(text, isDelimiter); end >= 0 {
			word = text[:end]
		}
		if bare, ok := strings.CutPrefix(word, "v"); ok {
			if v, err := semver.StrictNewVersion(bare); err == nil {
				return v
			}
		}
		i, rest := titleOf(text, titles)
		if i < 0 {
			return nil
		}
		text, titles = rest, slices.Delete(slices.Clone(titles), i, i+1)
	}
}

// titleOf returns the longest title that text begins with, and what follows it; -1
// for none. It has to end where a word does: "common" does not begin "common-prod".
func titleOf(text string, titles []string) (longest int, rest string) {
	longest = -1
	for i, title := range titles {
		after, ok := cutTitle(text, title)
		next, _ := utf8.DecodeRuneInString(after)
		if ok && (after == "" || isDelimiter(next)) && (longest < 0 || len(after) < len(rest)) {
			longest, rest = i, after
		}
	}
	return longest, rest
}

// cutTitle is strings.CutPrefix where letter case is ignored, and spaces, - and _
// are one character: "MAKOTO common" is how people write makoto-common.
func cutTitle(text, title string) (after string, ok bool) {
	fold := func(r rune) rune {
		if r == '-' || r == '_' || r == '\u3000' {
			return ' '
		}
		return unicode.ToLower(r)
	}
	if strings.TrimSpace(title) == "" {
		return text, false
	}
	for _, want := range title {
		have, size := utf8.DecodeRuneInString(text)
		if size == 0 || fold(have) != fold(want) {
			return text, false
		}
		text = text[size:]
	}
	return text, true
}

// mentioned returns the first version in a text that is no part of another word.
func mentioned(text string) *semver.Version {
	for _, at := range mention.FindAllStringIndex(text, -1) {
		before, _ := utf8.DecodeLastRuneInString(text[:at[0]])
		if before < utf8.RuneSelf && (unicode.IsLetter(before) || unicode.IsDigit(before)) {
			continue
		}
		if v, err := semver.StrictNewVersion(strings.TrimRight(text[at[0]+1:at[1]], ".+-")); err == nil {
			return v
		}
	}
	return nil
}

// titles are what a Description of the wish's layer may begin with before its
// version.
func titles(w desired.LayerWish) []string {
	list := []string{w.Name, w.Layer.Name(), strings.TrimFunc(w.Title, isBoundary)} // "lib (v${VERSION})" leaves a bracket
	slices.SortFunc(list, cmp.Compare)
	return slices.Compact(list)
}

// isDelimiter reports whether r ends a word: white space, a bracket, a colon or a
// comma. The full-width forms count too: the Descriptions are written by people who
// type Japanese.
func isDelimiter(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune("()[]{}<>（）［］｛｝〈〉「」【】:：,，、", r)
}

// isBoundary reports whether r may stand between a title and a version: "common -
// v1.4.2" is led by its version.
func isBoundary(r rune) bool {
	return isDelimiter(r) || strings.ContainsRune("-‐‑–—", r)
}

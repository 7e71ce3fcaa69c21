package catalog

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// RequiresTag is the tag of a function that names the versions of layers which it can
// run with.
const RequiresTag = "layerd:requires"

// Requirement is that a function needs certain versions of a layer.
type Requirement struct {
	Layer string // by its name in Git, or what it is called live
	Text  string // the versions, as they are written

	satisfies []func(*semver.Version) bool
}

// Satisfied reports whether a version, canonical as Label returns it, is one of those
// that are required. One that is not known is none.
func (r Requirement) Satisfied(version string) bool {
	v, err := semver.StrictNewVersion(version)
	if err != nil {
		return false
	}
	for _, ok := range r.satisfies {
		if !ok(v) {
			return false
		}
	}
	return true
}

var (
	layerName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,139}$`)
	// least is a version or the beginning of one.
	least = regexp.MustCompile(`^v?[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
	// family is a beginning and x for what follows.
	family = regexp.MustCompile(`^v?[0-9]+(\.[0-9]+)?(\.[xX*]){1,2}$`)
)

// Requirements reads the tag's value: names of layers, each followed by what is required
// of it, with spaces, commas or semicolons between (or NAME@VERSION). AWS stores letters,
// digits, spaces and _ . : / = + - @ in a tag, hence the forms without ^ and ~:
//
//	makoto-common 1.4                the guide's: one major number, and not lower
//	makoto-common 1.4.x              any 1.4
//	makoto-common =1.4.2             that one
//	makoto-common 1.4 makoto-ml 3    of two layers
//	makoto-common ^1.4               a range as in an environment's file
//
// The first goes by the major number also for 0.x, as the guide does; ^0.2 is for whoever
// means less.
func Requirements(value string) ([]Requirement, error) {
	var list []Requirement
	words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
	for len(words) > 0 {
		name, version, glued := strings.Cut(words[0], "@")
		if words = words[1:]; !glued {
			if len(words) == 0 {
				return nil, fmt.Errorf("%q has no version behind it; write %q", name, name+" 1.4")
			}
			version, words = words[0], words[1:]
		}
		if !layerName.MatchString(name) {
			return nil, fmt.Errorf("%q is no layer's name; write a name and a version, such as %q", name, "makoto-common 1.4")
		}
		r := Requirement{Layer: name, Text: version}
		for {
			ok, err := satisfying(version)
			if err != nil {
				return nil, err
			}
			r.satisfies = append(r.satisfies, ok)
			if len(words) == 0 || !strings.ContainsAny(words[0][:1], "<>=^~!") {
				break
			}
			version, words = words[0], words[1:]
			r.Text += " " + version
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("it is empty; write a name and a version, such as %q", "makoto-common 1.4")
	}
	return list, nil
}

// satisfying returns what holds for the versions that a text stands for.
func satisfying(text string) (func(*semver.Version) bool, error) {
	wrong := fmt.Errorf("%q is no version; write 1.4, 1.4.x or =1.4.2", text)
	if text == "" {
		return nil, wrong
	}
	if least.MatchString(text) {
		v, err := semver.NewVersion(text)
		if err != nil {
			return nil, wrong
		}
		return func(have *semver.Version) bool {
			return have.Major() == v.Major() && !have.LessThan(v) && (have.Prerelease() == "" || v.Prerelease() != "")
		}, nil
	}
	exact, isExact := strings.CutPrefix(text, "=")
	if v, err := semver.StrictNewVersion(strings.TrimPrefix(exact, "v")); isExact && err == nil {
		return v.Equal, nil
	}
	if strings.Contains(text, "~>") || !strings.ContainsAny(text[:1], "<>=^~!") && !family.MatchString(text) {
		return nil, wrong
	}
	c, err := semver.NewConstraint(text)
	if err != nil {
		return nil, wrong
	}
	return c.Check, nil
}

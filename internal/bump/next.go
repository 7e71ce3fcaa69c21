package bump

import (
	"slices"

	"github.com/Masterminds/semver/v3"
)

// Known is a version that is in use somewhere, and where.
type Known struct {
	Version *semver.Version
	Where   string // for people: "environments/prod.yaml", "live in prod, ap-northeast-1"
}

// Input is everything that the next version is made of.
type Input struct {
	// Released is the last version that was released; a nil Version = none is known.
	Released Known
	// Commits are those since then that changed the layer's folder, newest first.
	Commits []Commit
	// Unchanged reports that the folder is as it was in Released, whatever came between.
	Unchanged bool
	// Taken are versions that are in use: the next one is higher than each.
	Taken []Known
	// Tagged are versions whose tags are on other branches: the next one is none of them.
	Tagged []Known
}

// Decision is the next version and what it is made of.
type Decision struct {
	Version *semver.Version // nil = there is nothing to release
	Level   Level
	From    Known // what was raised: Released, or the highest that is taken; a nil Version = nothing was
	Commits []Weighed
	Reason  string // why there is none, or why it is not the one that follows Released; "" otherwise
}

// first is the version of a layer that has none.
var first = semver.MustParse("1.0.0")

// Next returns the next version.
func Next(in Input) Decision {
	d := Decision{Commits: Weigh(in.Commits), From: in.Released}
	for _, c := range d.Commits {
		d.Level = max(d.Level, c.Level)
	}
	switch {
	case len(d.Commits) == 0:
		d.Reason = "nothing has changed since"
		return d
	case d.Level == None && in.Unchanged:
		d.Reason = "what has changed since was reverted"
		return d
	}
	d.Level = max(d.Level, Patch)
	if d.From.Version != nil {
		d.Version = raise(d.From.Version, d.Level)
	}
	if top := highest(in.Taken); top.Version != nil && (d.Version == nil || !d.Version.GreaterThan(top.Version)) {
		if d.From.Version != nil {
			d.Reason = top.Version.String() + " is in use already: " + top.Where
		}
		d.From, d.Version = top, raise(top.Version, d.Level)
	}
	if d.Version == nil {
		d.Version = first
	}
	for d.skip(in.Tagged) {
	}
	return d
}

// skip raises the version where another branch has its tag, and reports whether it does.
func (d *Decision) skip(tagged []Known) bool {
	i := slices.IndexFunc(tagged, func(k Known) bool { return k.Version.Equal(d.Version) })
	if i < 0 {
		return false
	}
	d.Reason = d.Version.String() + " is taken already: " + tagged[i].Where
	d.Version = raise(d.Version, Patch)
	return true
}

// highest returns the highest of the versions; of equal ones the first by its place, so
// that the order in which they come does not matter.
func highest(list []Known) (top Known) {
	for _, k := range list {
		if top.Version == nil || k.Version.GreaterThan(top.Version) || k.Version.Equal(top.Version) && k.Where < top.Where {
			top = k
		}
	}
	return top
}

// raise returns the version that follows v. After a prerelease that is the release which
// it announces, unless that one would be too small for the change: 2.0.0 follows
// 2.0.0-rc.1 whatever has changed, and 1.5.0 follows 1.4.1-rc.1 with a feature.
func raise(v *semver.Version, level Level) *semver.Version {
	pre := v.Prerelease() != ""
	major, minor, patch := v.Major(), v.Minor(), v.Patch()
	switch {
	case level == Major && !(pre && minor == 0 && patch == 0):
		major, minor, patch = major+1, 0, 0
	case level == Minor && !(pre && patch == 0):
		minor, patch = minor+1, 0
	case level <= Patch && !pre:
		patch++
	}
	return semver.New(major, minor, patch, "", "")
}

package catalog

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// Catalog is one layer's live versions with what is known of their semantic
// versions. A layer that is not listed (an arn wish) has no live versions to look
// at, and its numbers are taken at their word.
type Catalog struct {
	wish    desired.LayerWish
	layer   state.Layer
	listed  bool
	semvers map[int64]*semver.Version
	labels  map[int64]string // semvers as people write them, which takes time
	fixed   map[string]int64 // numbers once applied, which stay
	// inside has the versions that Descriptions name and do not begin with, of
	// numbers that nothing else names.
	inside map[int64]*semver.Version
}

// New returns the catalog of a wish's layer as it is in snap. applied is which
// number a semantic version stood for when it was first applied; nil = nothing
// was.
func New(w desired.LayerWish, snap *state.Snapshot, applied map[string]int64) Catalog {
	c := Catalog{wish: w, semvers: map[int64]*semver.Version{}, inside: map[int64]*semver.Version{}, fixed: applied}
	c.layer, c.listed = snap.Layer(w.Layer)
	names := titles(w)
	for _, v := range c.layer.Versions {
		own, inside := versionIn(v.Description, names)
		if own != nil {
			c.semvers[v.Number] = own
		}
		if inside != nil {
			c.inside[v.Number] = inside
		}
	}
	for n, sv := range highestOf(applied) {
		if c.semvers[n] == nil {
			c.semvers[n] = sv // so that it is still found when its twin is gone
		}
	}
	for text, n := range w.Known {
		if sv, err := semver.StrictNewVersion(text); err == nil {
			c.semvers[n] = sv // what Git says of a number beats its Description
		}
	}
	c.labels = make(map[int64]string, len(c.semvers))
	for n, sv := range c.semvers {
		c.labels[n] = sv.String()
		delete(c.inside, n)
	}
	return c
}

// highestOf returns the name of each number. One that was applied by several, since
// Git called it something else in between, has the highest of them: whatever order
// they come in, it is not taken for two versions.
func highestOf(applied map[string]int64) map[int64]*semver.Version {
	names := make(map[int64]*semver.Version, len(applied))
	for _, text := range slices.Sorted(maps.Keys(applied)) {
		sv, err := semver.StrictNewVersion(text)
		if n := applied[text]; err == nil && (names[n] == nil || !sv.LessThan(names[n])) {
			names[n] = sv
		}
	}
	return names
}

// Listed reports whether the layer's versions were listed: those of somebody
// else are not.
func (c Catalog) Listed() bool { return c.listed }

// Versions returns the live versions, the newest first.
func (c Catalog) Versions() []state.LayerVersion { return c.layer.Versions }

// Version returns a live version; the zero one when it is not live.
func (c Catalog) Version(n int64) state.LayerVersion {
	v, _ := c.layer.Version(n)
	return v
}

// Live reports whether a number is among the versions that were listed.
func (c Catalog) Live(n int64) bool {
	_, ok := c.layer.Version(n)
	return ok
}

// Label returns a number's semantic version, or "".
func (c Catalog) Label(n int64) string {
	return c.labels[n]
}

// Mentioned returns the semantic version that a number's Description names without
// beginning with it, so that it is not taken for the number's own; "" = none.
func (c Catalog) Mentioned(n int64) string {
	if sv := c.inside[n]; sv != nil {
		return sv.String()
	}
	return ""
}

// Show writes a number as people compare it, see words.Version.
func (c Catalog) Show(n int64) string { return words.Version(n, c.Label(n)) }

// Labels yields every number whose semantic version is known, live or not.
func (c Catalog) Labels() iter.Seq2[int64, string] {
	return func(yield func(int64, string) bool) {
		for n, sv := range c.semvers {
			if !yield(n, sv.String()) {
				return
			}
		}
	}
}

// Yanked returns why a number was withdrawn in Git; ok is false where it was not.
func (c Catalog) Yanked(n int64) (reason string, ok bool) {
	reason, ok = c.wish.Yanked[c.Label(n)]
	return reason, ok
}

// Deprecated returns what Git advises instead of a number; ok is false where it has
// nothing against it.
func (c Catalog) Deprecated(n int64) (advice string, ok bool) {
	advice, ok = c.wish.Deprecated[c.Label(n)]
	return advice, ok
}

// Find returns the number that a semantic version stands for, and a newer live
// number that says it is the same version.
func (c Catalog) Find(text string) (n, twin int64, ok bool) {
	if n, ok := c.wish.Known[text]; ok {
		return n, 0, c.Live(n)
	}
	var highest int64
	for _, v := range c.layer.Versions {
		if v.Number > highest && c.Label(v.Number) == text {
			highest = v.Number
		}
	}
	if n, ok := c.fixed[text]; ok && c.Live(n) && c.Label(n) == text {
		if highest > n {
			return n, highest, true
		}
		return n, 0, true
	}
	return highest, 0, highest > 0
}

// Unlisted returns the numbers that v would stand for, by what Git and the past have of
// them, and that the list of versions lacks: it may not have yet what was published a
// moment ago, so that AWS is to be asked for them by number. Of those that a range may
// choose only such count as are newer than all of the list: the others were deleted.
func (c Catalog) Unlisted(v desired.Version) (numbers []int64) {
	add := func(n int64) {
		if n > 0 && !c.Live(n) {
			numbers = append(numbers, n)
		}
	}
	switch {
	case !c.listed:
	case v.Kind == desired.Number:
		add(v.Number)
	case v.Kind == desired.Exact:
		n, known := c.wish.Known[v.Semver.String()]
		if !known {
			n = c.fixed[v.Semver.String()]
		}
		add(n)
	case v.Kind == desired.Range || v.Kind == desired.Latest:
		var newest int64
		for _, live := range c.layer.Versions {
			newest = max(newest, live.Number)
		}
		for _, text := range slices.Sorted(maps.Keys(c.fixed)) {
			if c.fixed[text] > newest {
				add(c.fixed[text])
			}
		}
	}
	return numbers
}

// best returns the highest semantic version for which accept holds, leaving out
// what is not live.
func (c Catalog) best(accept func(*semver.Version) bool) *semver.Version {
	var top *semver.Version
	for _, v := range c.layer.Versions {
		sv := c.semvers[v.Number]
		if sv != nil && accept(sv) && (top == nil || sv.GreaterThan(top)) {
			top = sv
		}
	}
	return top
}

// Resolution is what a version of Git stands for in one Region, or why there is
// nothing.
type Resolution struct {
	Number  int64  // 0 = none: the layer is to be taken off
	Semver  string // canonical, "" when unknown
	Twin    int64  // a newer live number that says it is the same version; 0 = none
	Problem *desired.Problem
	// Missing is an exact version that is not live and is to be published from the
	// layer's artifact; nil = nothing is. There is no Number then.
	Missing *semver.Version
	// NotTaken is about the newest live version whose Description names a version
	// without beginning with it, where that might have led elsewhere; a sentence for a
	// person, "" = there is none.
	NotTaken string
}

// Resolve finds what v stands for. A number of a layer that is not listed is
// taken at its word; whether it can be attached is probed when something is
// about to change.
func (c Catalog) Resolve(v desired.Version, at desired.Position) Resolution {
	r := c.resolve(v, at)
	r.NotTaken = c.notTaken(v, r)
	return r
}

// ResolvePin is Resolve for what a pin asks for, by whichever of its names: a pin is how
// a person keeps, or forces, a version that was yanked.
func (c Catalog) ResolvePin(v desired.Version, at desired.Position) Resolution {
	c.wish.Yanked = nil
	return c.Resolve(v, at)
}

func (c Catalog) resolve(v desired.Version, at desired.Position) Resolution {
	switch v.Kind {
	case desired.None:
		return Resolution{}
	case desired.Number:
		return c.resolveNumber(v, at)
	case desired.Exact:
		return c.resolveSemver(v.Semver, at)
	case desired.Range:
		sv := c.best(func(s *semver.Version) bool { return !c.withdrawn(s) && v.Range.Check(s) })
		if sv == nil {
			return Resolution{Problem: c.notFound(v.Text, at)}
		}
		return c.resolveSemver(sv, at)
	default: // desired.Latest
		sv := c.best(func(s *semver.Version) bool { return !c.withdrawn(s) && s.Prerelease() == "" })
		if sv != nil {
			return c.resolveSemver(sv, at)
		}
		return c.resolveHighest(at)
	}
}

func (c Catalog) resolveNumber(v desired.Version, at desired.Position) Resolution {
	if c.listed && !c.Live(v.Number) {
		return Resolution{Problem: c.notFound(v.Text, at)}
	}
	if reason, ok := c.Yanked(v.Number); ok {
		return Resolution{Problem: problem(at, v.Text, "version_yanked", fmt.Sprintf("%s %s was yanked: %s",
			c.wish.Name, c.Show(v.Number), reason), "choose another version")}
	}
	return Resolution{Number: v.Number, Semver: c.Label(v.Number)}
}

func (c Catalog) resolveSemver(sv *semver.Version, at desired.Position) Resolution {
	n, twin, ok := c.Find(sv.String())
	switch {
	case ok:
		return Resolution{Number: n, Semver: sv.String(), Twin: twin}
	case !c.wish.Source.Has(sv) || !c.listed:
		return Resolution{Problem: c.notFound(sv.String(), at)}
	}
	if p := c.contradicted(sv.String(), at); p != nil {
		return Resolution{Problem: p}
	}
	return Resolution{Semver: sv.String(), Missing: sv}
}

// contradicted returns the problem of a version that is not live as Git numbers it, and
// that would not be found either once it was published; nil = there is none.
func (c Catalog) contradicted(text string, at desired.Position) *desired.Problem {
	if n, ok := c.wish.Known[text]; ok {
		return problem(at, text, "version_not_found", fmt.Sprintf("%s %s is version %d by known in its layer.yaml, and that is not live", c.wish.Name, text, n),
			"correct known, or take the entry away to have it published")
	}
	for _, v := range c.layer.Versions {
		if s, ok := ReadStamp(v.Description); ok && s.Version.String() == text {
			return problem(at, text, "version_not_found", fmt.Sprintf("version %d of %s was published as %s, and known in its layer.yaml calls it %s", v.Number, c.wish.Name, text, c.Label(v.Number)),
				"correct known")
		}
	}
	return nil
}

// notTaken is Resolution.NotTaken. An exact version or a number that was found needs
// none but for itself; latest and a range may have passed over newer ones.
func (c Catalog) notTaken(v desired.Version, r Resolution) string {
	for _, live := range c.layer.Versions { // highest first
		sv := c.inside[live.Number]
		passed := (v.Kind == desired.Latest || v.Kind == desired.Range) && live.Number > r.Number
		if sv == nil || r.Problem != nil || live.Number != r.Number && !passed {
			continue
		}
		return fmt.Sprintf("%s: the Description of version %d names v%s and does not begin with it, so that it counts as a dependency's; if it is the layer's own, write known: {%s: {ENVIRONMENT: %d}} into its layer.yaml",
			c.wish.Name, live.Number, sv, sv, live.Number)
	}
	return ""
}

// resolveHighest is latest of a layer whose versions say nothing: the highest
// number.
func (c Catalog) resolveHighest(at desired.Position) Resolution {
	for _, v := range c.layer.Versions { // highest first
		if sv := c.semvers[v.Number]; sv != nil {
			continue // a prerelease or a yanked one
		}
		return Resolution{Number: v.Number}
	}
	return Resolution{Problem: c.notFound("latest", at)}
}

func (c Catalog) withdrawn(sv *semver.Version) bool {
	_, ok := c.wish.Yanked[sv.String()]
	return ok
}

// notFound lists what is live, newest first, so that the reader can pick.
func (c Catalog) notFound(text string, at desired.Position) *desired.Problem {
	const most = 8
	var live []string
	for _, v := range c.layer.Versions {
		if len(live) == most {
			live = append(live, "…")
			break
		}
		live = append(live, c.Show(v.Number)+c.doubt(v.Number))
	}
	if len(live) == 0 {
		return problem(at, text, "version_not_found", fmt.Sprintf("no live version of %s is %s: %s has no live version", c.wish.Layer, text, c.wish.Layer.Name()),
			"publish it, or correct the layer's name")
	}
	return problem(at, text, "version_not_found", fmt.Sprintf("no live version of %s is %s", c.wish.Layer, text), liveList(live))
}

// doubt returns what is known of a number that has no version, for a list of numbers.
func (c Catalog) doubt(n int64) string {
	if sv := c.inside[n]; sv != nil {
		return fmt.Sprintf(" (names v%s, but does not begin with it; known in layer.yaml settles it)", sv)
	}
	return ""
}

func liveList(live []string) string {
	if len(live) == 0 {
		return "the layer has no live version"
	}
	return "live: " + strings.Join(live, ", ")
}

func problem(at desired.Position, asked, code, message, suggestion string) *desired.Problem {
	return &desired.Problem{Position: at, Asked: asked, Code: code, Message: message, Suggestion: suggestion, Severity: desired.Error}
}

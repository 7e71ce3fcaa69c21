package reconcile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// target is what a version of Git stands for in one Region.
type target struct {
	number int64  // 0 = none: the layer is to be taken off
	semver string // canonical, "" when unknown
}

// stamp is the end of a Description that layerd itself wrote.
var stamp = regexp.MustCompile(` v(\S+) sha256:[0-9a-f]{12} git:[0-9a-f]{7}$`)

// SemverOf reads a semantic version from a layer version's Description:
// layerd's own stamp at the end, else the first word, delimited by white space
// or brackets, that is v and a whole SemVer 2 version (DESIGN section 2,
// version). It gives nil when there is none.
func SemverOf(description string) *semver.Version {
	if m := stamp.FindStringSubmatch(description); m != nil {
		if v, err := semver.StrictNewVersion(m[1]); err == nil {
			return v
		}
	}
	for word := range strings.FieldsFuncSeq(description, isDelimiter) {
		if !strings.HasPrefix(word, "v") {
			continue
		}
		if v, err := semver.StrictNewVersion(word[1:]); err == nil {
			return v
		}
	}
	return nil
}

// isDelimiter takes the full-width forms too: the Descriptions are written by
// people who type Japanese.
func isDelimiter(r rune) bool {
	return strings.ContainsRune(" \t\r\n\u3000\u00a0()[]{}<>（）［］｛｝〈〉「」【】", r)
}

// catalog is one layer's live versions with what is known of their semantic
// versions. A layer that is not listed (an arn wish) has an empty catalog.
type catalog struct {
	layer   state.Layer
	listed  bool
	semvers map[int64]*semver.Version
	known   map[string]int64
	fixed   map[string]int64 // numbers once applied, which stay
}

func newCatalog(w desired.LayerWish, snap *state.Snapshot, past LayerPast) catalog {
	c := catalog{semvers: map[int64]*semver.Version{}, known: w.Known, fixed: past.Numbers}
	c.layer, c.listed = snap.Layer(w.Layer)
	for _, v := range c.layer.Versions {
		if sv := SemverOf(v.Description); sv != nil {
			c.semvers[v.Number] = sv
		}
	}
	for text, n := range past.Numbers {
		if sv, err := semver.StrictNewVersion(text); err == nil && c.semvers[n] == nil {
			c.semvers[n] = sv // so that it is still found when its twin is gone
		}
	}
	for text, n := range w.Known {
		if sv, err := semver.StrictNewVersion(text); err == nil {
			c.semvers[n] = sv // what Git says of a number beats its Description
		}
	}
	return c
}

// label gives a number's semantic version, or "".
func (c catalog) label(n int64) string {
	if sv := c.semvers[n]; sv != nil {
		return sv.String()
	}
	return ""
}

func (c catalog) live(n int64) bool {
	_, ok := c.layer.Version(n)
	return ok
}

// find gives the number that a semantic version stands for, and a newer live
// number that says it is the same version.
func (c catalog) find(text string) (n, twin int64, ok bool) {
	if n, ok := c.known[text]; ok {
		return n, 0, c.live(n)
	}
	var highest int64
	for _, v := range c.layer.Versions {
		if v.Number > highest && c.label(v.Number) == text {
			highest = v.Number
		}
	}
	if n, ok := c.fixed[text]; ok && c.live(n) && c.label(n) == text {
		if highest > n {
			return n, highest, true
		}
		return n, 0, true
	}
	return highest, 0, highest > 0
}

// best gives the highest semantic version for which accept holds, leaving out
// what is not live.
func (c catalog) best(accept func(*semver.Version) bool) *semver.Version {
	var top *semver.Version
	for _, v := range c.layer.Versions {
		sv := c.semvers[v.Number]
		if sv != nil && accept(sv) && (top == nil || sv.GreaterThan(top)) {
			top = sv
		}
	}
	return top
}

// resolution is a resolved version, or why there is none.
type resolution struct {
	target  target
	note    *Note
	problem *desired.Problem
}

// resolve finds what v stands for. A number of a layer that is not listed is
// taken at its word; whether it can be attached is probed when something is
// about to change.
func (c catalog) resolve(w desired.LayerWish, v desired.Version, at desired.Position) resolution {
	switch v.Kind {
	case desired.None:
		return resolution{}
	case desired.Number:
		return c.resolveNumber(w, v, at)
	case desired.Exact:
		return c.resolveSemver(w, v.Semver, at)
	case desired.Range:
		sv := c.best(func(s *semver.Version) bool { return !yanked(w, s) && v.Range.Check(s) })
		if sv == nil {
			return resolution{problem: c.notFound(w, v.Text, at)}
		}
		return c.resolveSemver(w, sv, at)
	default: // desired.Latest
		sv := c.best(func(s *semver.Version) bool { return !yanked(w, s) && s.Prerelease() == "" })
		if sv != nil {
			return c.resolveSemver(w, sv, at)
		}
		return c.resolveHighest(w, at)
	}
}

func (c catalog) resolveNumber(w desired.LayerWish, v desired.Version, at desired.Position) resolution {
	if c.listed && !c.live(v.Number) {
		return resolution{problem: c.notFound(w, v.Text, at)}
	}
	if sv := c.semvers[v.Number]; sv != nil && yanked(w, sv) {
		return resolution{problem: problem(at, "version_yanked", fmt.Sprintf("%s %s was yanked: %s",
			w.Name, numbered(v.Number, sv.String()), w.Yanked[sv.String()]), "choose another version")}
	}
	return resolution{target: target{number: v.Number, semver: c.label(v.Number)}}
}

func (c catalog) resolveSemver(w desired.LayerWish, sv *semver.Version, at desired.Position) resolution {
	n, twin, ok := c.find(sv.String())
	if !ok {
		return resolution{problem: c.notFound(w, sv.String(), at)}
	}
	r := resolution{target: target{number: n, semver: sv.String()}}
	if twin > 0 {
		r.note = &Note{Code: "newer_twin", Message: fmt.Sprintf(
			"%s: version %d also says it is %s; layerd stays at %d, which was applied first", w.Name, twin, sv, n)}
	}
	return r
}

// resolveHighest is latest of a layer whose versions say nothing: the highest
// number.
func (c catalog) resolveHighest(w desired.LayerWish, at desired.Position) resolution {
	for _, v := range c.layer.Versions { // highest first
		if sv := c.semvers[v.Number]; sv != nil {
			continue // a prerelease or a yanked one
		}
		return resolution{target: target{number: v.Number}}
	}
	return resolution{problem: c.notFound(w, "latest", at)}
}

func yanked(w desired.LayerWish, sv *semver.Version) bool {
	_, ok := w.Yanked[sv.String()]
	return ok
}

// notFound lists what is live, newest first, so that the reader can pick.
func (c catalog) notFound(w desired.LayerWish, text string, at desired.Position) *desired.Problem {
	const most = 8
	var live []string
	for _, v := range c.layer.Versions {
		if len(live) == most {
			live = append(live, "…")
			break
		}
		live = append(live, numbered(v.Number, c.label(v.Number)))
	}
	if w.HasArtifact {
		return problem(at, "not_supported_yet", fmt.Sprintf(
			"%s %s is not live, and publishing it from its artifact is not supported yet", w.Name, text),
			"publish it by other means; "+liveList(live))
	}
	if len(live) == 0 {
		return problem(at, "version_not_found", fmt.Sprintf("no live version of %s is %s: %s has no live version", w.Layer, text, w.Layer.Name()),
			"publish it, or correct the layer's name")
	}
	return problem(at, "version_not_found", fmt.Sprintf("no live version of %s is %s", w.Layer, text), liveList(live))
}

func liveList(live []string) string {
	if len(live) == 0 {
		return "the layer has no live version"
	}
	return "live: " + strings.Join(live, ", ")
}

func problem(at desired.Position, code, message, suggestion string) *desired.Problem {
	return &desired.Problem{Position: at, Code: code, Message: message, Suggestion: suggestion, Severity: desired.Error}
}

// numbered writes a version as people compare it: "13 (1.4.2)", or "13" when
// no semantic version is known, or "none".
func numbered(n int64, semver string) string {
	switch {
	case n == 0:
		return "none"
	case semver == "":
		return strconv.FormatInt(n, 10)
	default:
		return fmt.Sprintf("%d (%s)", n, semver)
	}
}

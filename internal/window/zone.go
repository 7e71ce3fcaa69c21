package window

import (
	_ "embed"
	"regexp"
	"strings"
	"time"

	"github.com/agext/levenshtein"
)

// zoneNames only feeds suggestions. It decides nothing, so that a zone which is
// newer than this list loads all the same.
//
//go:embed zones.txt
var zoneNames string

// zoneShape is that of a name with a slash. Without it the same file could be
// loaded as Asia//Tokyo on a machine that keeps its zones on disk.
var zoneShape = regexp.MustCompile(`^[A-Za-z][A-Za-z_]*(/[A-Za-z0-9_+-]+)+$`)

// LoadZone returns a time zone by its IANA name (which has a slash), "UTC", or
// one of the abbreviations that mean one thing only: JST and KST, which become
// Asia/Tokyo and Asia/Seoul. Anything else is a *ParseError with a suggestion.
//
// [time.LoadLocation] takes more than is good for a shared file: "" and "Local"
// depend on the machine, EST has no summer time, and Etc/GMT-9 is nine hours
// ahead of Greenwich, not behind.
func LoadZone(name string) (*time.Location, error) {
	if e := foreign("timezone", name); e != nil {
		if _, err := LoadZone(e.Suggestion); err != nil {
			e.Suggestion = ""
		}
		return nil, e
	}
	e := &ParseError{Field: "timezone", Text: name}
	switch name {
	case "UTC":
		return time.UTC, nil
	case "JST":
		name = "Asia/Tokyo"
	case "KST":
		name = "Asia/Seoul"
	}
	switch {
	case name == "" || name == "Local":
		e.Problem = "depends on the machine"
		e.Suggestion = "UTC"
	case strings.HasPrefix(name, "Etc/GMT") && strings.ContainsAny(name, "+-"):
		e.Problem = "the sign of such a name is the opposite of what it seems to be"
		e.Suggestion = "UTC"
		if name == "Etc/GMT-9" {
			e.Suggestion = "Asia/Tokyo"
		}
	case !zoneShape.MatchString(name) || strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/"):
		e.Problem = "not an IANA time zone name with a slash, UTC, JST or KST"
		e.Suggestion = suggestZone(name)
	default:
		zone, err := time.LoadLocation(name)
		// A file system that ignores case would load asia/tokyo on one machine
		// and not on another.
		if err == nil && !misspelt(name) {
			return zone, nil
		}
		e.Problem = "unknown time zone"
		e.Suggestion = suggestZone(name)
	}
	if e.Suggestion == name { // the machine has no time zone database at all
		e.Suggestion = ""
	}
	return nil, e
}

// misspelt reports whether name is a listed zone but for upper and lower case.
func misspelt(name string) bool {
	found := false
	for z := range strings.Lines(zoneNames) {
		z = strings.TrimSpace(z)
		if z == name {
			return false
		}
		found = found || strings.EqualFold(z, name)
	}
	return found
}

// suggestZone returns the zone that name most likely means, or "".
func suggestZone(name string) string {
	switch strings.ToUpper(name) {
	case "Z", "GMT", "UTC", "UCT", "ZULU", "GMT0", "UTC+0", "UTC+00:00", "+00:00":
		return "UTC"
	case "JST", "JAPAN", "+09:00", "+0900", "UTC+9", "GMT+9", "UTC+09:00", "JST-9":
		return "Asia/Tokyo"
	case "KST", "ROK":
		return "Asia/Seoul"
	case "EST", "EDT", "ET", "EST5EDT":
		return "America/New_York"
	case "CST", "CDT", "CST6CDT":
		return "America/Chicago"
	case "MST", "MDT", "MST7MDT":
		return "America/Denver"
	case "PST", "PDT", "PT", "PST8PDT":
		return "America/Los_Angeles"
	case "BST":
		return "Europe/London"
	case "CET", "CEST", "MET":
		return "Europe/Berlin"
	case "EET", "EEST":
		return "Europe/Helsinki"
	case "WET", "WEST":
		return "Europe/Lisbon"
	case "IST":
		return "Asia/Kolkata"
	}
	return nearestZone(strings.ReplaceAll(name, " ", "_"))
}

// nearestZone compares with whole names and, where name has no slash, with the
// cities: "Tokyo" means Asia/Tokyo.
func nearestZone(name string) string {
	if len(name) > 64 { // no name is that long, and the comparison is quadratic
		return ""
	}
	best, score := "", 0.8 // below this a guess is more confusing than none
	for z := range strings.Lines(zoneNames) {
		z = strings.TrimSpace(z)
		candidate := z
		if !strings.Contains(name, "/") {
			candidate = z[strings.LastIndex(z, "/")+1:]
		}
		s := levenshtein.Similarity(strings.ToLower(name), strings.ToLower(candidate), nil)
		if s > score {
			best, score = z, s
		}
	}
	return best
}

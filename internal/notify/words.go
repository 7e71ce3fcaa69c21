package notify

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/state"
)

// What a message may hold. A target has limits of its own; these keep what
// waits for delivery small, and what is left out is always counted.
const (
	mostItems    = 20
	mostGroups   = 6 // paragraphs that say the same of different names
	longestTitle = 200
	longestText  = 600
)

// moment is an instant for people: windows are about weekdays, and readers sit
// in several zones.
func moment(t time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("Mon 2006-01-02 15:04 MST")
}

// opening is moment for a time with an end: "Sat 2026-11-28 02:00-06:00 JST".
func opening(start, end time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	start, end = start.In(zone), end.In(zone)
	if start.Format(time.DateOnly+"MST") != end.Format(time.DateOnly+"MST") {
		return moment(start, zone) + " to " + moment(end, zone)
	}
	return start.Format("Mon 2006-01-02 15:04") + end.Format("-15:04 MST")
}

// span writes a length of time with its two largest units: "3d4h", "3h12m",
// "12m".
func span(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
	units := []struct {
		n    int
		name string
	}{{int(d / (24 * time.Hour)), "d"}, {int(d/time.Hour) % 24, "h"}, {int(d/time.Minute) % 60, "m"}}
	for i, u := range units {
		if u.n == 0 && i < 2 {
			continue
		}
		text := strconv.Itoa(u.n) + u.name
		if i < 2 && units[i+1].n > 0 {
			text += strconv.Itoa(units[i+1].n) + units[i+1].name
		}
		return text
	}
	return "0m"
}

// count writes "1 function" and "2 functions".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// label writes a live version as people compare it: "12 (1.4.1)", "12" when no
// semantic version is known, "none" for nothing.
func label(v state.LayerVersionARN, semver string) string {
	switch n := v.Number(); {
	case v == "":
		return "none"
	case n == 0:
		return string(v)
	case semver == "":
		return strconv.FormatInt(n, 10)
	default:
		return fmt.Sprintf("%d (%s)", n, semver)
	}
}

// shorten cuts a commit's name to what people compare, and keeps "+dirty".
func shorten(revision string) string {
	hash, dirty, found := strings.Cut(revision, "+")
	hash = hash[:min(len(hash), 7)]
	if found {
		hash += "+" + dirty
	}
	return hash
}

// commit names a commit and, where it is known, what it says.
func commit(revision, subject string) string {
	switch {
	case revision == "":
		return "what lies on disk"
	case subject == "":
		return "commit " + shorten(revision)
	default:
		return fmt.Sprintf("commit %s “%s”", shorten(revision), clip(subject, 100))
	}
}

// clip cuts text to at most n bytes, between characters, and shows that it did.
func clip(text string, n int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= n {
		return text
	}
	cut := 0
	for i := range text {
		if i > n-len("…") {
			break
		}
		cut = i
	}
	return text[:cut] + "…"
}

// word is a first word that is no name of anything.
var word = regexp.MustCompile(`^[a-z]+[ ,.]`)

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if word.MatchString(text) && !strings.HasPrefix(text, "layerd") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "…") {
		text += "."
	}
	return text
}

func quote(s string) string { return strconv.Quote(s) }

// tally collects names under the text that they share, so that two hundred
// functions with one story are one paragraph.
type tally map[string][]string

func (t tally) add(text, name string) { t[text] = append(t[text], name) }

// sections writes a paragraph for each text, the one with the most names
// first. text gets the number of names. What is over the limit is counted.
func (t tally) sections(noun string, text func(n int, key string) string) []Section {
	type group struct {
		key   string
		names []string
	}
	var groups []group
	for key, names := range t {
		slices.Sort(names)
		groups = append(groups, group{key, slices.Compact(names)})
	}
	slices.SortFunc(groups, func(a, b group) int {
		if len(a.names) != len(b.names) {
			return len(b.names) - len(a.names)
		}
		return strings.Compare(a.key, b.key)
	})
	var list []Section
	left := 0
	for i, g := range groups {
		if i >= mostGroups {
			left += len(g.names)
			continue
		}
		shown := g.names[:min(len(g.names), mostItems)]
		list = append(list, Section{Text: text(len(g.names), g.key), Items: shown, More: len(g.names) - len(shown)})
	}
	if left > 0 {
		list = append(list, Section{Text: fmt.Sprintf("And %s with other stories.", count(left, noun))})
	}
	return list
}

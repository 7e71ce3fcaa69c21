package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/words"
)

// What a message may hold. A target has limits of its own; these keep what
// waits for delivery small, and what is left out is always counted.
const (
	maxItems  = 20
	maxGroups = 6 // paragraphs, each about names with the same text
	maxTitle  = 200
	maxText   = 600
)

// commit names a commit and, where it is known, its subject.
func commit(revision, subject string) string {
	switch {
	case revision == "":
		return "what lies on disk"
	case subject == "":
		return "commit " + words.Commit(revision)
	default:
		return fmt.Sprintf("commit %s “%s”", words.Commit(revision), words.Truncate(subject, 100))
	}
}

func quote(s string) string { return strconv.Quote(s) }

// groups collects names under the text that they share, so that two hundred
// functions with the same text are one paragraph.
type groups map[string][]string

func (t groups) add(text, name string) { t[text] = append(t[text], name) }

// sections writes a paragraph for each text, the one with the most names
// first. text gets the number of names. What is over the limit is counted.
func (t groups) sections(noun string, text func(n int, key string) string) []Section {
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
		if i >= maxGroups {
			left += len(g.names)
			continue
		}
		shown := g.names[:min(len(g.names), maxItems)]
		list = append(list, Section{Text: text(len(g.names), g.key), Items: shown, More: len(g.names) - len(shown)})
	}
	if left > 0 {
		list = append(list, Section{Text: fmt.Sprintf("And %s with other details.", words.Count(left, noun))})
	}
	return list
}

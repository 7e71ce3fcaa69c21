package bump

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Level is by how much a version is raised.
type Level int

// The levels, the least first.
const (
	None Level = iota // it decides nothing: it was reverted, or reverts such a commit
	Patch
	Minor
	Major
)

// String returns the level as people write it.
func (l Level) String() string {
	return [...]string{"none", "patch", "minor", "major"}[l]
}

// MarshalText is String, for JSON.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Commit is a commit that changed the layer's folder.
type Commit struct {
	Hash    string // whole
	Message string
}

// Change is what the message of a commit says about it.
type Change struct {
	Type        string // in lower case; "" = not a Conventional Commit
	Scope       string
	Description string // the first line, without type and scope
	Breaking    bool
	Reverts     []string // the hashes that it names as reverted, as long as they are written
}

var (
	// header is a first line: type, scope, ! and description. The space behind the
	// colon, which people forget, is not asked for.
	header = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_-]*)(?:\(([^()]*)\))?(!)?:(?: +|$|\b)(.*)$`)
	// breaking is the footer of a breaking change. Unlike everything else it is in
	// upper case, so that a sentence about breaking changes is none.
	breaking = regexp.MustCompile(`^BREAKING[ -]CHANGE:`)
	// reverted is what git revert writes.
	reverted = regexp.MustCompile(`(?i)\bThis reverts commits? ([0-9a-f]{7,64}(?:(?:,? and |, ?| )[0-9a-f]{7,64})*)`)
	refs     = regexp.MustCompile(`(?i)^refs?(?:: | #)(.*)$`)
	hash     = regexp.MustCompile(`(?i)\b[0-9a-f]{7,64}\b`)
)

// Read returns what a commit's message says.
func Read(message string) Change {
	lines := strings.Split(strings.ReplaceAll(strings.TrimSpace(message), "\r\n", "\n"), "\n")
	c := Change{Description: strings.TrimSpace(lines[0])}
	if m := header.FindStringSubmatch(lines[0]); m != nil {
		c.Type, c.Scope, c.Breaking, c.Description = strings.ToLower(m[1]), strings.TrimSpace(m[2]), m[3] != "", strings.TrimSpace(m[4])
	}
	for _, line := range lines {
		c.Breaking = c.Breaking || breaking.MatchString(line)
		if m := refs.FindStringSubmatch(line); m != nil && c.Type == "revert" {
			c.Reverts = append(c.Reverts, hash.FindAllString(m[1], -1)...)
		}
	}
	// git wraps no lines, people do.
	if m := reverted.FindStringSubmatch(strings.Join(lines, " ")); m != nil {
		c.Reverts = append(c.Reverts, hash.FindAllString(m[1], -1)...)
	}
	for i := range c.Reverts {
		c.Reverts[i] = strings.ToLower(c.Reverts[i])
	}
	return c
}

// Level returns by how much the change raises a version.
func (c Change) Level() Level {
	switch {
	case c.Breaking:
		return Major
	case c.Type == "feat":
		return Minor
	default:
		return Patch
	}
}

// Weighed is a commit and what it decides.
type Weighed struct {
	Commit
	Change Change
	Level  Level
	Reason string // why the level is None; "" otherwise
}

// Weigh returns what each of the commits decides; they come newest first. A commit that
// a later one reverts decides nothing, and neither does the one that reverts it, unless
// that is a breaking change by itself. A revert that was reverted is as if it were not
// there.
func Weigh(commits []Commit) []Weighed {
	list := make([]Weighed, len(commits))
	by := make([]int, len(commits)) // which commit reverts it, plus one
	for i, c := range commits {
		list[i] = Weighed{Commit: c, Change: Read(c.Message)}
		list[i].Level = list[i].Change.Level()
		if by[i] > 0 {
			list[i].Level, list[i].Reason = None, "reverted by "+short(commits[by[i]-1].Hash)
			continue
		}
		found := 0
		for _, target := range list[i].Change.Reverts {
			j := slices.IndexFunc(commits[i+1:], func(o Commit) bool { return strings.HasPrefix(o.Hash, target) })
			if j < 0 || by[i+1+j] > 0 {
				continue
			}
			by[i+1+j], found = i+1, found+1
		}
		if n := len(list[i].Change.Reverts); n > 0 && found == n && !list[i].Change.Breaking {
			list[i].Level, list[i].Reason = None, fmt.Sprintf("reverts %s, which was not released", short(list[i].Change.Reverts[0]))
		}
	}
	return list
}

func short(hash string) string { return hash[:min(len(hash), 7)] }

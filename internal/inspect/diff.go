package inspect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/archive"
)

// Side is one of two archives that are compared.
type Side struct {
	Contents
	Files []File
}

// File is one file of an archive. Two with the same Size and CRC32 are taken for the same.
type File struct {
	Name             string
	Size             int64 // bytes, unzipped
	CRC32            uint32
	Link, Executable bool
}

// SideOf returns what of an archive is compared.
func SideOf(c *archive.Contents, sha256 string) Side {
	s := Side{Contents: ContentsOf(c)}
	s.SHA256 = sha256
	for _, m := range c.Files {
		s.Files = append(s.Files, File{Name: m.Name, Size: m.Size, CRC32: m.CRC32, Link: m.Link, Executable: m.Executable})
	}
	return s
}

// Change is what became of a package or a file.
type Change string

// The changes. A package has Altered where its versions have no order.
const (
	Added   Change = "added"
	Removed Change = "removed"
	Raised  Change = "raised"
	Lowered Change = "lowered"
	Altered Change = "changed"
)

// Difference is what changed from one archive to another.
type Difference struct {
	Size     Sizes           `json:"size"`
	Unzipped Sizes           `json:"unzipped"`
	Packages []PackageChange `json:"packages"`
	Files    []FileChange    `json:"files"`
	// Doubts are why packages may have changed that are not listed.
	Doubts []string `json:"doubts"`
	// Same is true where both are the same bytes.
	Same bool `json:"same"`
}

// Sizes are bytes before and after.
type Sizes struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// PackageChange is a package that is not what it was. From and To are its versions, of
// which npm allows several.
type PackageChange struct {
	Kind   archive.PackageKind `json:"kind"`
	Name   string              `json:"name"`
	Change Change              `json:"change"`
	From   []string            `json:"from"`
	To     []string            `json:"to"`
}

// FileChange is a file that is not what it was, and its bytes.
type FileChange struct {
	Name   string `json:"name"`
	Change Change `json:"change"`
	From   int64  `json:"from"`
	To     int64  `json:"to"`
}

// Compare returns what changed from a to b.
func Compare(a, b Side) Difference {
	d := Difference{
		Size: Sizes{a.Size, b.Size}, Unzipped: Sizes{a.Unzipped, b.Unzipped},
		Packages: ComparePackages(a.Contents, b.Contents), Files: compareFiles(a.Files, b.Files),
		Doubts: append(append([]string{}, a.Doubts...), b.Doubts...),
		Same:   a.SHA256 != "" && a.SHA256 == b.SHA256,
	}
	slices.Sort(d.Doubts)
	d.Doubts = slices.Compact(d.Doubts)
	return d
}

// Equal reports whether nothing is different: neither a package nor a file.
func (d Difference) Equal() bool { return d.Same || len(d.Packages)+len(d.Files) == 0 }

// ComparePackages returns the packages that are not what they were, by kind and name.
func ComparePackages(a, b Contents) []PackageChange {
	before, after := versionsOf(a), versionsOf(b)
	changes := []PackageChange{}
	for of, from := range before {
		if to := after[of]; !slices.Equal(from, to) {
			changes = append(changes, packageChange(of, from, to))
		}
	}
	for of, to := range after {
		if before[of] == nil {
			changes = append(changes, packageChange(of, nil, to))
		}
	}
	slices.SortFunc(changes, func(x, y PackageChange) int {
		return cmp.Or(strings.Compare(string(x.Kind), string(y.Kind)), strings.Compare(x.Name, y.Name))
	})
	return changes
}

func versionsOf(c Contents) map[wanted][]string {
	all := map[wanted][]string{}
	for _, p := range c.Packages {
		of := wanted{p.Kind, p.Name}
		all[of] = append(all[of], p.Version)
	}
	for of, list := range all {
		compare := orderOf(of.kind)
		slices.SortFunc(list, func(x, y string) int {
			if c, ok := compare(x, y); ok && c != 0 {
				return c
			}
			return strings.Compare(x, y)
		})
		all[of] = slices.Compact(list)
	}
	return all
}

func orderOf(kind archive.PackageKind) order {
	if kind == archive.NPM {
		return compareNPM
	}
	return comparePython
}

func packageChange(of wanted, from, to []string) PackageChange {
	c := PackageChange{Kind: of.kind, Name: of.name, Change: Altered, From: append([]string{}, from...), To: append([]string{}, to...)}
	switch {
	case len(from) == 0:
		c.Change = Added
	case len(to) == 0:
		c.Change = Removed
	default:
		// Of several versions the highest counts, and then the lowest.
		compare := orderOf(of.kind)
		highest, ok1 := compare(from[len(from)-1], to[len(to)-1])
		least, ok2 := compare(from[0], to[0])
		switch dir := cmp.Or(highest, least); {
		case !ok1 || !ok2:
		case dir < 0:
			c.Change = Raised
		case dir > 0:
			c.Change = Lowered
		}
	}
	return c
}

func compareFiles(a, b []File) []FileChange {
	before, after := byName(a), byName(b)
	changes := []FileChange{}
	for name, from := range before {
		to, ok := after[name]
		switch {
		case !ok:
			changes = append(changes, FileChange{name, Removed, from.Size, 0})
		case from != to:
			changes = append(changes, FileChange{name, Altered, from.Size, to.Size})
		}
	}
	for name, to := range after {
		if _, ok := before[name]; !ok {
			changes = append(changes, FileChange{name, Added, 0, to.Size})
		}
	}
	slices.SortFunc(changes, func(x, y FileChange) int { return strings.Compare(x.Name, y.Name) })
	return changes
}

// byName returns files by their names; of one that is there twice the last one counts, as
// where it is unpacked.
func byName(files []File) map[string]File {
	all := make(map[string]File, len(files))
	for _, f := range files {
		all[f.Name] = f
	}
	return all
}

// Line returns the changes of packages in one line: "requests 2.31.0 → 2.32.3, + idna 3.7".
// Of more than most it counts the rest; most 0 is all.
func Line(changes []PackageChange, most int) string {
	var parts []string
	for _, c := range changes {
		parts = append(parts, c.String())
	}
	if most > 0 && len(parts) > most {
		more := len(parts) - most
		parts = append(parts[:most:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}

// String returns the change as a line shows it.
func (c PackageChange) String() string {
	from, to := strings.Join(c.From, " and "), strings.Join(c.To, " and ")
	switch c.Change {
	case Added:
		return "+ " + c.Name + " " + to
	case Removed:
		return "- " + c.Name + " " + from
	}
	return c.Name + " " + from + " → " + to
}

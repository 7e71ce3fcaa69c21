package inspect

import (
	"slices"

	"github.com/layerd/layerd/internal/archive"
)

// Contents is what a layer version has in it, as far as packages go. It never changes for
// one layer version, so that it is worth keeping.
type Contents struct {
	SHA256   string // of the zip, lower-case hex; empty = not known
	Size     int64  // bytes of the zip
	Unzipped int64  // bytes of what is in it
	Packages []Package
	// Bare are modules of Python that nothing describes, by each name that their package
	// may have: their versions are not known.
	Bare []Package
	// Doubts are why something may be in it that is not listed.
	Doubts []string
}

// Package is one package in a layer version.
type Package struct {
	Kind    archive.PackageKind
	Name    string // as its ecosystem compares names
	Version string
	At      string // where in the archive that is said
}

// ContentsOf returns what was found in an archive: what describes packages, and what its
// manifests declare. Both count, since either may be missing.
func ContentsOf(c *archive.Contents) Contents {
	out := Contents{Size: c.Size, Unzipped: c.Unzipped}
	seen := map[Package]bool{}
	for _, p := range slices.Concat(c.Packages, c.Declared, c.Own()) {
		found := Package{Kind: p.Kind, Name: p.Name, Version: p.Version}
		if seen[found] {
			continue
		}
		seen[found] = true
		found.At = p.At()
		out.Packages = append(out.Packages, found)
	}
	for _, p := range c.Bare() {
		out.Bare = append(out.Bare, Package{Kind: p.Kind, Name: p.Name, At: p.At()})
	}
	for _, p := range slices.Concat(c.Problems, c.Doubts) {
		switch {
		case p.Code == "too_many_files":
			out.Doubts = append(out.Doubts, p.Message)
		case p.Code == "unreadable":
			out.Doubts = append(out.Doubts, p.File+" "+p.Message)
		}
	}
	return out
}

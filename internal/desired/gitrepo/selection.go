package gitrepo

import (
	"path"
	"strings"
)

// selection is which files of a repository are read: patterns as path.Match has
// them, for whole paths; one that ends in everything is all below what stands before
// it. nil is every file.
type selection []string

// everything is the end of a pattern for all that lies below a folder, however deep.
const everything = "/**"

// At returns the patterns of one file, or of all that lies below a folder: what is at
// a path, whichever of them it is.
func At(name string) []string {
	literal := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
	return []string{literal, literal + everything}
}

// file reports whether the file is read.
func (s selection) file(name string) bool {
	for _, pattern := range s {
		if folder, ok := strings.CutSuffix(pattern, everything); ok {
			if rest, below := leading(name, strings.Count(folder, "/")+1); below && matches(folder, rest) {
				return true
			}
			continue
		}
		if matches(pattern, name) {
			return true
		}
	}
	return s == nil
}

// folder reports whether a file that is read may lie somewhere below the folder.
func (s selection) folder(name string) bool {
	depth := strings.Count(name, "/") + 1
	for _, pattern := range s {
		parts, whole := strings.Split(pattern, "/"), false
		if folder, ok := strings.CutSuffix(pattern, everything); ok {
			parts, whole = strings.Split(folder, "/"), true
		}
		switch {
		case len(parts) > depth || whole && len(parts) == depth:
			if matches(strings.Join(parts[:depth], "/"), name) {
				return true
			}
		case whole:
			if start, _ := leading(name, len(parts)); matches(strings.Join(parts, "/"), start) {
				return true
			}
		}
	}
	return s == nil
}

// matches is path.Match for patterns that New has checked: a malformed one matches
// nothing.
func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok
}

// leading returns the first n parts of a path, and whether there are more.
func leading(name string, n int) (start string, more bool) {
	parts := strings.Split(name, "/")
	if len(parts) <= n {
		return name, false
	}
	return strings.Join(parts[:n], "/"), true
}

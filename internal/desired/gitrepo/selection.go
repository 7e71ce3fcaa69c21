package gitrepo

import (
	"path"
	"strings"
)

// selection is which files of a repository are read: patterns as path.Match has
// them, for whole paths. nil is every file.
type selection []string

// file reports whether the file is read.
func (s selection) file(name string) bool {
	for _, pattern := range s {
		// A malformed pattern matches nothing: New has refused it.
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return s == nil
}

// folder reports whether a file that is read may lie somewhere below the folder.
func (s selection) folder(name string) bool {
	depth := strings.Count(name, "/") + 1
	for _, pattern := range s {
		parts := strings.Split(pattern, "/")
		if len(parts) <= depth {
			continue
		}
		if ok, _ := path.Match(strings.Join(parts[:depth], "/"), name); ok {
			return true
		}
	}
	return s == nil
}

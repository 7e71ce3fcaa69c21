package gitrepo

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// maxAlternates bounds how far one repository borrows from another, as git does.
const maxAlternates = 5

// borrowed opens the object stores that the one in the folder objects borrows
// from, and those that they borrow from: go-git follows the first only.
func borrowed(objects string, depth int, seen map[string]bool) []*filesystem.Storage {
	text, err := os.ReadFile(filepath.Join(objects, "info", "alternates"))
	if err != nil || depth > maxAlternates {
		return nil
	}
	var stores []*filesystem.Storage
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if unquoted, err := strconv.Unquote(line); err == nil {
			line = unquoted
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if !filepath.IsAbs(line) {
			line = filepath.Join(objects, line)
		}
		if line = filepath.Clean(line); seen[line] {
			continue
		}
		seen[line] = true
		stores = append(stores, filesystem.NewStorage(
			dotgit.NewRepositoryFilesystem(osfs.New(filepath.Dir(line)), nil), cache.NewObjectLRUDefault()))
		stores = append(stores, borrowed(line, depth+1, seen)...)
	}
	return stores
}

// anywhere asks the repository's own store, and then those that it borrows from.
func anywhere[T any](l *local, ask func(*filesystem.Storage) (T, error)) (T, error) {
	found, err := ask(l.Storage)
	for _, s := range l.borrowed {
		if !errors.Is(err, plumbing.ErrObjectNotFound) {
			break
		}
		found, err = ask(s)
	}
	return found, err
}

// EncodedObject returns an object from wherever it is.
func (l *local) EncodedObject(kind plumbing.ObjectType, hash plumbing.Hash) (plumbing.EncodedObject, error) {
	return anywhere(l, func(s *filesystem.Storage) (plumbing.EncodedObject, error) { return s.EncodedObject(kind, hash) })
}

// EncodedObjectSize returns the size of an object without reading it.
func (l *local) EncodedObjectSize(hash plumbing.Hash) (int64, error) {
	return anywhere(l, func(s *filesystem.Storage) (int64, error) { return s.EncodedObjectSize(hash) })
}

// HasEncodedObject returns nil when the object is there.
func (l *local) HasEncodedObject(hash plumbing.Hash) error {
	_, err := anywhere(l, func(s *filesystem.Storage) (struct{}, error) { return struct{}{}, s.HasEncodedObject(hash) })
	return err
}

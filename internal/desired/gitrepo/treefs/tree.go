package treefs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// ErrLink is what reading a symbolic link, or through one, answers.
var ErrLink = errors.New("is a symbolic link, which is not followed")

// File is one file or symbolic link to build a Tree from. Folders follow from
// the paths; one that nothing lies in is named with fs.ModeDir.
type File struct {
	Path string      // slash-separated, as fs.ValidPath wants it
	Mode fs.FileMode // permissions, and fs.ModeSymlink for a link
	Size int64       // bytes that Open delivers
	Link string      // where a link points; only told, never followed

	// Open delivers the content and is called once per reader, from any
	// goroutine. It may fail: then the file is listed, and reading it fails. Of a
	// folder it fails always: then the folder is listed, and reading it, or
	// anything below it, fails. nil is an ordinary folder.
	Open func() (io.ReadCloser, error)
}

// Tree is an immutable fs.FS in memory. It is safe for concurrent use.
type Tree struct {
	nodes map[string]*node // by path; the root is "."
}

var (
	_ fs.ReadDirFS  = (*Tree)(nil)
	_ fs.ReadFileFS = (*Tree)(nil)
	_ fs.StatFS     = (*Tree)(nil)
	_ fs.ReadLinkFS = (*Tree)(nil)
)

// node is one entry: fs.FileInfo and fs.DirEntry at once, because a tree in
// memory has nothing more to ask when the information is wanted.
type node struct {
	name    string
	when    time.Time
	file    File          // zero for a folder, but for its Mode
	entries []fs.DirEntry // of a folder, sorted by name
}

func (n *node) Name() string               { return n.name }
func (n *node) Size() int64                { return n.file.Size }
func (n *node) Mode() fs.FileMode          { return n.file.Mode }
func (n *node) ModTime() time.Time         { return n.when }
func (n *node) IsDir() bool                { return n.file.Mode.IsDir() }
func (n *node) Sys() any                   { return nil }
func (n *node) Type() fs.FileMode          { return n.file.Mode.Type() }
func (n *node) Info() (fs.FileInfo, error) { return n, nil }
func (n *node) String() string             { return fs.FormatFileInfo(n) }

// sealed returns why a folder cannot be read; nil when it can.
func (n *node) sealed() error {
	if !n.IsDir() || n.file.Open == nil {
		return nil
	}
	_, err := n.file.Open()
	return err
}

func (n *node) isLink() bool { return n.file.Mode&fs.ModeSymlink != 0 }

// Build makes a Tree of files, all stamped with one time. It refuses a path
// that no fs.FS may have, and one path that is there twice or is both a file
// and a folder: a tree that Git would not write either.
func Build(files []File, when time.Time) (*Tree, error) {
	t := &Tree{nodes: make(map[string]*node, len(files)+1)}
	t.nodes["."] = newFolder(".", when)
	for _, f := range files {
		if !fs.ValidPath(f.Path) || f.Path == "." {
			return nil, fmt.Errorf("%q is no path of a file", f.Path)
		}
		if t.nodes[f.Path] != nil {
			return nil, fmt.Errorf("%q is there twice", f.Path)
		}
		if f.Mode.IsDir() {
			f.Mode |= 0o555
		}
		parent, err := t.folder(path.Dir(f.Path), when)
		if err != nil {
			return nil, err
		}
		n := &node{name: path.Base(f.Path), when: when, file: f}
		t.nodes[f.Path] = n
		parent.entries = append(parent.entries, n)
	}
	for _, n := range t.nodes {
		sortEntries(n.entries)
	}
	return t, nil
}

func newFolder(name string, when time.Time) *node {
	return &node{name: path.Base(name), when: when, file: File{Mode: fs.ModeDir | 0o555}}
}

// folder returns the node of the folder name and makes it, and those above it,
// where they are missing.
func (t *Tree) folder(name string, when time.Time) (*node, error) {
	if n := t.nodes[name]; n != nil {
		if !n.IsDir() {
			return nil, fmt.Errorf("%q is both a file and a folder", name)
		}
		return n, nil
	}
	parent, err := t.folder(path.Dir(name), when)
	if err != nil {
		return nil, err
	}
	n := newFolder(name, when)
	t.nodes[name] = n
	parent.entries = append(parent.entries, n)
	return n, nil
}

func sortEntries(entries []fs.DirEntry) {
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
}

// find returns the node of name; the error says whether a link is in the way.
func (t *Tree) find(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if n := t.nodes[name]; n != nil {
		return n, nil
	}
	for up := path.Dir(name); up != "."; up = path.Dir(up) {
		switch n := t.nodes[up]; {
		case n == nil:
		case n.isLink():
			return nil, &fs.PathError{Op: op, Path: up, Err: ErrLink}
		case n.IsDir() && n.file.Open != nil:
			return nil, &fs.PathError{Op: op, Path: up, Err: n.sealed()}
		}
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Open opens a file, a folder or a link; a link can be asked for Stat only.
func (t *Tree) Open(name string) (fs.File, error) {
	n, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if err := n.sealed(); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if n.IsDir() {
		return &openFolder{info: n, path: name, rest: n.entries}, nil
	}
	if n.isLink() {
		return &openLink{info: n, path: name}, nil
	}
	return &openFile{node: n, path: name}, nil
}

// ReadFile reads a whole file.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	n, err := t.find("read", name)
	if err != nil {
		return nil, err
	}
	switch {
	case n.isLink():
		return nil, &fs.PathError{Op: "read", Path: name, Err: ErrLink}
	case n.IsDir():
		return nil, &fs.PathError{Op: "read", Path: name, Err: errFolder}
	}
	r, err := n.file.Open()
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	defer r.Close()
	data := make([]byte, n.file.Size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// ReadDir lists a folder, sorted by name.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNoFolder}
	}
	if err := n.sealed(); err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return slices.Clone(n.entries), nil
}

// Stat and Lstat are the same here: a link is never followed.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	n, err := t.find("stat", name)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Lstat describes the entry itself.
func (t *Tree) Lstat(name string) (fs.FileInfo, error) { return t.Stat(name) }

// ReadLink returns where a link points, for a message about it.
func (t *Tree) ReadLink(name string) (string, error) {
	n, err := t.find("readlink", name)
	if err != nil {
		return "", err
	}
	if !n.isLink() {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return n.file.Link, nil
}

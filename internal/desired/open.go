package desired

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// A Repository is a commit of which that was read which its environments share.
// Each of them is read by itself, so that whoever has a clock can read many at
// once and give up one that does not end:
//
//	r := desired.Open(commit.Files, desired.Options{Now: now})
//	var parts []desired.Part
//	for _, name := range r.Files() {
//		parts = append(parts, r.Read(name))
//	}
//	tree := r.Tree(parts)
//
// which is what Load does.
type Repository struct {
	shared *loader
	files  []environmentPath
	broken *Problem // a panic while the repository was opened
}

// ReadPaths returns the patterns, as path.Match has them, of the files that matter:
// those whose content is read, and those that would be under the right name, which
// are problems. What else is in a repository never matters, whatever and however
// large it is.
func ReadPaths() []string {
	return []string{"layerd.y*ml", "layers/*/layer.y*ml", "environments/*.[yY]*[mM][lL]"}
}

// Reads reports whether a file of a repository matters, see ReadPaths.
func Reads(name string) bool {
	return slices.ContainsFunc(ReadPaths(), func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}

// environmentPath is the file of an environment. before is how many bytes were
// counted before it: that all files together are too long must not depend on the
// order in which they are read.
type environmentPath struct {
	name, path string
	before     int64
}

// A Part is what one environment's file asks for.
type Part struct {
	problems []Problem
	wishes   []built
	after    map[string]*node
}

// Open reads layerd.yaml, the layers and the names of the environments. Like all
// of this package it never panics and returns no error: what is wrong is in the
// Tree.
func Open(fsys fs.FS, o Options) (r *Repository) {
	l := &loader{fsys: fsys, now: o.Now, holders: o.Holders, daemon: o.Bounds, byName: map[string]*layerInfo{}, after: map[string]*node{}}
	r = &Repository{shared: l}
	defer func() {
		if p := recover(); p != nil {
			r.broken, r.files = new(panicked(Position{}, p)), nil
		}
	}()
	c, err := compiled()
	if err != nil {
		r.broken = new(problemAt("internal", Position{}, err.Error(), "please report it"))
		return r
	}
	l.check = c
	l.readLayerd()
	l.readLayers()
	r.files = l.listEnvironments()
	l.knownNames()
	l.boundNames()
	return r
}

func panicked(at Position, p any) Problem {
	what := "this repository"
	if at.File != "" {
		what = "this file"
	}
	return problemAt("internal", at, fmt.Sprintf("layerd failed to read %s: %v", what, p), "please report it")
}

// Files returns the names of the environments that have a file to be read, in
// order.
func (r *Repository) Files() []string {
	var names []string
	for _, f := range r.files {
		names = append(names, f.name)
	}
	return names
}

// Read reads one environment. It may be called for several at once, and what goes
// wrong, a panic included, is a problem of that one alone.
func (r *Repository) Read(name string) (p Part) {
	f, ok := r.file(name)
	if !ok {
		return Part{}
	}
	l := *r.shared // what is shared is only read from here on
	l.problems, l.wishes, l.after, l.bytes = nil, nil, map[string]*node{}, f.before
	defer func() {
		if v := recover(); v != nil {
			p = failed(f, panicked(headOf(f.path), v))
		}
	}()
	if root, _ := l.read(f.path, "environment", f.name); root != nil {
		l.nothingRemoved(f.name, root)
		l.environment(f.name, f.path, inherit(l.defaults, normalise(root)))
	}
	return Part{problems: l.problems, wishes: l.wishes, after: l.after}
}

// Unread is the part of an environment whose reading was given up.
func (r *Repository) Unread(name, message string) Part {
	f, _ := r.file(name)
	return failed(f, problemAt("read_timeout", headOf(f.path), message, "simplify the file; if it is simple, please report it"))
}

func failed(f environmentPath, p Problem) Part {
	p.Environment = f.name
	return Part{problems: []Problem{p}}
}

// NotOpened is what is known of a repository whose opening was given up.
func NotOpened(message string) Tree {
	return Tree{Problems: []Problem{problemAt("read_timeout", Position{}, message, "simplify layerd.yaml and the files below layers/; if they are simple, please report it")}}
}

func headOf(file string) Position { return Position{File: file, Line: 1, Column: 1, Length: 1} }

func (r *Repository) file(name string) (environmentPath, bool) {
	for _, f := range r.files {
		if f.name == name {
			return f, true
		}
	}
	return environmentPath{name: name, path: "environments/" + name + ".yaml"}, false
}

// Tree puts the parts together. An environment that a problem makes invalid is
// left out of Environments and is in Invalid; the others are whole.
func (r *Repository) Tree(parts []Part) (t Tree) {
	l := *r.shared
	l.problems, l.after = append([]Problem(nil), l.problems...), map[string]*node{}
	defer func() {
		if p := recover(); p != nil {
			t = l.tree()
			t.Environments, t.Problems = nil, append(t.Problems, panicked(Position{}, p))
		}
	}()
	for _, p := range parts {
		l.add(p.problems...)
		l.wishes = append(l.wishes, p.wishes...)
		maps.Copy(l.after, p.after)
	}
	slices.SortStableFunc(l.wishes, func(a, b built) int { return strings.Compare(a.Name, b.Name) })
	l.afterCycles(l.after)
	l.ownership()
	l.sharedWithOwner()
	t = l.tree()
	if r.broken != nil {
		t.Environments, t.Problems = nil, append(t.Problems, *r.broken)
	}
	return t
}

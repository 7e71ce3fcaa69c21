package gitrepo

import (
	"errors"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// Change is the last commit that touched a folder.
type Change struct {
	// Hash is the commit, along first parents. It is empty where there is none, and
	// where it cannot be known: the clone is shallow, and the folder is as it was in the
	// oldest commit that is there.
	Hash string

	tree *object.Tree
}

// Found reports whether the folder is in a commit at all.
func (c Change) Found() bool { return c.tree != nil }

// Holds reports whether a file of the folder, named with slashes, is in the commit with
// this content.
func (c Change) Holds(name string, content []byte) bool {
	if c.tree == nil {
		return false
	}
	e, err := c.tree.FindEntry(name)
	return err == nil && e.Mode != filemode.Submodule && e.Hash == plumbing.ComputeHash(plumbing.BlobObject, content)
}

// LastChange returns the last commit that touched a folder of a working tree on this
// machine. Outside of Git, before the first commit and for a folder that is in none it
// is the zero Change.
func LastChange(folder string) (Change, error) {
	op := &operation{verb: "open", Repo: &Repo{name: folder, path: ".", max: DefaultMaxBytes}}
	abs, err := filepath.Abs(folder)
	if err != nil {
		return Change{}, op.fail(KindInvalid, "%v", err)
	}
	l, err := op.enclosing(abs)
	if err != nil || l == nil || l.worktree == "" {
		return Change{}, err
	}
	op.path = below(l.worktree, abs)
	head, err := storer.ResolveReference(l, plumbing.HEAD)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return Change{}, nil
	}
	if err != nil {
		return Change{}, op.fail(KindCorrupt, "read HEAD: %v", err)
	}
	return op.lastChange(l, head.Hash())
}

func (op *operation) lastChange(objects storer.EncodedObjectStorer, at plumbing.Hash) (Change, error) {
	var last Change
	for {
		c, err := object.GetCommit(objects, at)
		if errors.Is(err, plumbing.ErrObjectNotFound) && last.tree != nil {
			return Change{tree: last.tree}, nil // shallow: it was the same before, or not
		}
		if err != nil {
			return Change{}, op.missing("commit", at, err)
		}
		tree, err := op.folder(objects, c.TreeHash)
		switch {
		case errors.Is(err, KindPathGone):
			return last, nil // it was not there yet
		case err != nil:
			return Change{}, err
		case last.tree != nil && tree.Hash != last.tree.Hash:
			return last, nil
		}
		last = Change{Hash: c.Hash.String(), tree: tree}
		if len(c.ParentHashes) == 0 {
			return last, nil
		}
		at = c.ParentHashes[0]
	}
}

package gitrepo

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/layerd/layerd/internal/desired/gitrepo/treefs"
)

// Limits of a tree. A tree can name the same subtree many times, so that a few
// objects spell out millions of paths.
const (
	maxEntries = 100_000
	maxDepth   = 64
)

// lfsPointer is how a file begins that Git LFS has taken away; it is never
// longer than lfsPointerMax bytes.
const (
	lfsPointer    = "version https://git-lfs.github.com/spec/v1\n"
	lfsPointerMax = 1024
)

// commit makes the Commit: its words, and the files below the path.
func (op *operation) commit(objects storer.EncodedObjectStorer, hash plumbing.Hash) (Commit, error) {
	c, err := object.GetCommit(objects, hash)
	if err != nil {
		return Commit{}, op.missing("commit", hash, err)
	}
	commit := describe(c)
	tree, err := op.folder(objects, c.TreeHash)
	if err != nil {
		return Commit{}, err
	}
	w := walker{op: op, objects: objects}
	if err := w.walk(tree, "", 0); err != nil {
		return Commit{}, err
	}
	files, err := treefs.Build(w.files, commit.When)
	if err != nil {
		return Commit{}, op.fail(KindCorrupt, "the tree of %s is malformed: %v", hash, err)
	}
	commit.Files = files
	return commit, nil
}

func describe(c *object.Commit) Commit {
	subject, _, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n")
	line := func(s string) string {
		return strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(s, "\r", ""), "\uFFFD"))
	}
	parent := ""
	if len(c.ParentHashes) > 0 {
		parent = c.ParentHashes[0].String()
	}
	return Commit{
		Hash: c.Hash.String(), Author: line(c.Author.Name), Email: line(c.Author.Email), Subject: line(subject), When: c.Committer.When, Parent: parent,
	}
}

// missing explains an object that cannot be had. In a partial clone that is
// normal; elsewhere something is broken.
func (op *operation) missing(what string, hash plumbing.Hash, err error) *Error {
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return op.fail(KindCorrupt, "%s %s is not in the repository: is it damaged, or a partial clone?", what, hash)
	}
	return op.fail(KindCorrupt, "%s %s: %v", what, hash, err)
}

// folder returns the tree at the path, or an error that names what is there
// instead.
func (op *operation) folder(objects storer.EncodedObjectStorer, root plumbing.Hash) (*object.Tree, error) {
	tree, err := object.GetTree(objects, root)
	if err != nil {
		return nil, op.missing("tree", root, err)
	}
	if op.path == "." {
		return tree, nil
	}
	at := ""
	for part := range strings.SplitSeq(op.path, "/") {
		at = path.Join(at, part)
		var found *object.TreeEntry
		for i := range tree.Entries {
			if tree.Entries[i].Name == part {
				found = &tree.Entries[i]
			}
		}
		switch {
		case found == nil:
			return nil, op.fail(KindPathGone, "folder %q does not exist on branch %q (any more)", at, op.branch.Short())
		case found.Mode == filemode.Submodule:
			return nil, op.fail(KindSubmodule, "%q is a submodule; name the repository behind it instead", at)
		case found.Mode == filemode.Symlink:
			return nil, op.fail(KindPathGone, "%q is a symbolic link, which is not followed", at)
		case found.Mode != filemode.Dir:
			return nil, op.fail(KindPathGone, "%q is a file, not a folder", at)
		}
		if tree, err = object.GetTree(objects, found.Hash); err != nil {
			return nil, op.missing("tree", found.Hash, err)
		}
	}
	return tree, nil
}

// walker collects the files of a tree.
type walker struct {
	op      *operation
	objects storer.EncodedObjectStorer
	files   []treefs.File
	entries int
	bytes   int64
}

func (w *walker) walk(tree *object.Tree, prefix string, depth int) error {
	if w.entries += len(tree.Entries); w.entries > maxEntries || depth > maxDepth {
		return w.op.fail(KindTooLarge, "the tree has more than %d entries or %d levels", maxEntries, maxDepth)
	}
	for _, e := range tree.Entries {
		if e.Name == "" || e.Name == "." || e.Name == ".." || strings.Contains(e.Name, "/") {
			return w.op.fail(KindCorrupt, "the tree has an entry that is called %q", e.Name)
		}
		// A name in another encoding is shown damaged rather than not at all:
		// a file that is silently missing could mean a wish that is missing.
		name := path.Join(prefix, strings.ToValidUTF8(e.Name, "\uFFFD"))
		if err := w.entry(e, name, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(e object.TreeEntry, name string, depth int) error {
	switch e.Mode {
	case filemode.Submodule:
		return w.op.fail(KindSubmodule, "%q is a submodule; desired state must lie in the repository itself", name)
	case filemode.Dir:
		tree, err := object.GetTree(w.objects, e.Hash)
		if err != nil {
			return w.op.missing("tree", e.Hash, err)
		}
		return w.walk(tree, name, depth+1)
	}
	bytes, err := sizeOf(w.objects, e.Hash)
	if err != nil {
		return w.op.missing("file "+name, e.Hash, err)
	}
	if w.bytes += bytes; bytes < 0 || w.bytes > w.op.max {
		return w.op.fail(KindTooLarge, "the files are larger than %s together, at %q; keep large files out of this repository, or raise the limit", size(w.op.max), name)
	}
	file, err := w.file(e, name)
	if err == nil {
		w.files = append(w.files, file)
	}
	return err
}

func (w *walker) file(e object.TreeEntry, name string) (treefs.File, error) {
	blob, err := hold(w.objects, e.Hash)
	if err != nil {
		return treefs.File{}, w.op.missing("file "+name, e.Hash, err)
	}
	file := treefs.File{Path: name, Mode: 0o444, Size: blob.Size(), Open: blob.Reader}
	switch e.Mode {
	case filemode.Executable:
		file.Mode = 0o555
	case filemode.Symlink:
		file.Mode = fs.ModeSymlink | 0o777
		target, err := content(blob)
		file.Link = string(target)
		return file, err
	}
	if blob.Size() > lfsPointerMax {
		return file, nil
	}
	if text, err := content(blob); err != nil {
		return file, err
	} else if bytes.HasPrefix(text, []byte(lfsPointer)) {
		taken := w.op.fail(KindLFS, "%q is kept by Git LFS and not in the repository; store it elsewhere, or without LFS", name)
		file.Open = func() (io.ReadCloser, error) { return nil, taken }
	}
	return file, nil
}

// sizeOf is how large a blob is, without reading it where that is possible:
// go-git does not look for sizes in the shared objects of another repository.
func sizeOf(objects storer.EncodedObjectStorer, hash plumbing.Hash) (int64, error) {
	bytes, err := objects.EncodedObjectSize(hash)
	if !errors.Is(err, plumbing.ErrObjectNotFound) {
		return bytes, err
	}
	blob, err := objects.EncodedObject(plumbing.BlobObject, hash)
	if err != nil {
		return 0, err
	}
	return blob.Size(), nil
}

// hold returns a blob that lives in memory: what was fetched lies there already,
// and what lies on disk may be packed anew or be gone when it is read.
func hold(objects storer.EncodedObjectStorer, hash plumbing.Hash) (plumbing.EncodedObject, error) {
	blob, err := objects.EncodedObject(plumbing.BlobObject, hash)
	if err != nil {
		return nil, err
	}
	if _, ok := blob.(*plumbing.MemoryObject); ok {
		return blob, nil
	}
	data, err := content(blob)
	if err != nil {
		return nil, err
	}
	held := &plumbing.MemoryObject{}
	held.SetType(plumbing.BlobObject)
	_, err = held.Write(data)
	return held, err
}

func content(blob plumbing.EncodedObject) ([]byte, error) {
	r, err := blob.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

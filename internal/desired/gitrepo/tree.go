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
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
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

// survey is a commit of which the trees were read, and no file yet.
type survey struct {
	op      *operation
	objects storer.EncodedObjectStorer
	commit  Commit
	leaves  []leaf
}

// leaf is an entry of a tree at the bottom of what was walked: a file, a link, a
// submodule, or a folder that nothing is read from.
type leaf struct {
	name string
	mode filemode.FileMode
	hash plumbing.Hash
	read bool // its content matters
}

// commit makes the Commit: its words, and the files below the path.
func (op *operation) commit(objects storer.EncodedObjectStorer, hash plumbing.Hash) (Commit, error) {
	s, err := op.survey(objects, hash)
	if err != nil {
		return Commit{}, err
	}
	return s.build()
}

// survey reads the commit and the trees that lead to what is read.
func (op *operation) survey(objects storer.EncodedObjectStorer, hash plumbing.Hash) (*survey, error) {
	c, err := object.GetCommit(objects, hash)
	if err != nil {
		return nil, op.missing("commit", hash, err)
	}
	s := &survey{op: op, objects: objects, commit: describe(c)}
	tree, err := op.folder(objects, c.TreeHash)
	if err != nil {
		return nil, err
	}
	w := walker{op: op, objects: objects}
	if err := w.walk(tree, "", 0); err != nil {
		return nil, err
	}
	s.leaves = w.leaves
	return s, nil
}

// absent returns the files that are read and not in the store.
func (s *survey) absent() []plumbing.Hash {
	seen := map[plumbing.Hash]bool{}
	var hashes []plumbing.Hash
	for _, l := range s.leaves {
		if l.read && l.mode != filemode.Submodule && !seen[l.hash] && s.objects.HasEncodedObject(l.hash) != nil {
			seen[l.hash] = true
			hashes = append(hashes, l.hash)
		}
	}
	return hashes
}

// build reads the files.
func (s *survey) build() (Commit, error) {
	var files []treefs.File
	var total int64
	for _, l := range s.leaves {
		if l.read && l.mode != filemode.Submodule {
			bytes, err := s.objects.EncodedObjectSize(l.hash)
			if err != nil {
				return Commit{}, s.op.missing("file "+l.name, l.hash, err)
			}
			if total += bytes; bytes < 0 || total > s.op.max {
				return Commit{}, s.op.fail(KindTooLarge, "the files that are read are larger than %s together, at %q; %s", size(s.op.max), l.name, s.op.raiseLimit())
			}
		}
		file, err := s.file(l)
		if err != nil {
			return Commit{}, err
		}
		files = append(files, file)
	}
	tree, err := treefs.Build(files, s.commit.When)
	if err != nil {
		return Commit{}, s.op.fail(KindCorrupt, "the tree of %s is malformed: %v", s.commit.Hash, err)
	}
	s.commit.Files = tree
	return s.commit, nil
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
		if op.partial {
			return op.fail(KindCorrupt, "%s %s is not in this partial clone, and layerd fetches nothing into it; `git fetch --refetch --no-filter` brings all, or name the URL that it was cloned from", what, hash)
		}
		return op.fail(KindCorrupt, "%s %s is not in the repository, which is damaged; `git fsck` finds what else is missing", what, hash)
	}
	if errors.Is(err, idxfile.ErrMalformedIdxFile) || errors.Is(err, idxfile.ErrUnsupportedVersion) {
		return op.fail(KindUnsupported, "a pack has an index of version 1, or a damaged one, which layerd does not read; `git -c pack.indexVersion=2 repack -ad` writes it anew")
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

// walker lists what lies in a tree. It enters only folders that something is read
// from: what lies in the others never matters.
type walker struct {
	op      *operation
	objects storer.EncodedObjectStorer
	leaves  []leaf
	entries int
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
		if e.Mode != filemode.Dir || !w.op.read.folder(name) {
			w.leaves = append(w.leaves, w.op.leaf(e, name))
			continue
		}
		below, err := object.GetTree(w.objects, e.Hash)
		if err != nil {
			return w.op.missing("tree", e.Hash, err)
		}
		if err := w.walk(below, name, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (op *operation) leaf(e object.TreeEntry, name string) leaf {
	l := leaf{name: name, mode: e.Mode, hash: e.Hash}
	switch e.Mode {
	case filemode.Dir:
	case filemode.Submodule:
		l.read = op.read.folder(name)
	case filemode.Symlink: // also one in the place of a folder
		l.read = op.read.file(name) || op.read.folder(name)
	default:
		l.read = op.read.file(name)
	}
	return l
}

// elsewhere is an error about one entry, for whoever reads it.
func elsewhere(kind Kind, message string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return nil, &Error{Kind: kind, Message: message} }
}

const submodule = "is a submodule; desired state must lie in the repository itself"

func (s *survey) file(l leaf) (treefs.File, error) {
	file := treefs.File{Path: l.name, Mode: 0o444}
	switch l.mode {
	case filemode.Submodule, filemode.Dir:
		file.Mode = fs.ModeDir
		if l.read {
			file.Open = elsewhere(KindSubmodule, submodule)
		}
		return file, nil
	case filemode.Executable:
		file.Mode = 0o555
	case filemode.Symlink:
		file.Mode = fs.ModeSymlink | 0o777
	}
	if !l.read {
		file.Open = elsewhere(KindUnsupported, "is not among the files that layerd reads")
		return file, nil
	}
	blob, err := hold(s.objects, l.hash)
	if err != nil {
		return treefs.File{}, s.op.missing("file "+l.name, l.hash, err)
	}
	file.Size, file.Open = blob.Size(), blob.Reader
	if l.mode == filemode.Symlink {
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
		file.Open = elsewhere(KindLFS, "is kept by Git LFS and not in the repository; store it elsewhere, or without LFS")
	}
	return file, nil
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

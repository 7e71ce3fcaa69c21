package gitrepo

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/layerd/layerd/internal/desired/gitrepo/treefs"
)

// dirty marks a Hash whose commit is not what lies on disk.
const dirty = "+dirty"

// Dir reads a folder as it lies on disk, edited or not. When it belongs to a
// Git working tree the Commit describes HEAD, and its Hash ends in "+dirty" unless
// the files that match a pattern of read, nil being all, are those of HEAD's tree:
// the same names with the same content, whatever Git's index, its configuration or
// its lists of ignored files say. Without Git, or before the first commit, the Hash
// is empty.
//
// The folder may be anywhere inside the working tree. Files above
// DefaultMaxBytes are listed and cannot be read.
func Dir(path string, read []string) (Commit, error) {
	op := &operation{verb: "open", read: read, Repo: &Repo{name: path, max: DefaultMaxBytes}}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Commit{}, op.fail(KindInvalid, "%v", err)
	}
	files, err := treefs.OpenDisk(abs, op.max)
	if err != nil {
		return Commit{}, op.fail(KindPathGone, "%v", err)
	}
	l, err := op.enclosing(abs)
	if err != nil {
		return Commit{}, err
	}
	if l == nil {
		return Commit{Files: files}, nil
	}
	if l.worktree == "" {
		return Commit{}, op.fail(KindNotARepository, "is a bare repository, which has no files on disk: name a branch of it")
	}
	head, err := storer.ResolveReference(l, plumbing.HEAD)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return Commit{Files: files}, nil
	}
	if err != nil {
		return Commit{}, op.fail(KindCorrupt, "read HEAD: %v", err)
	}
	c, err := object.GetCommit(l, head.Hash())
	if err != nil {
		return Commit{}, op.missing("commit", head.Hash(), err)
	}
	commit := describe(c)
	commit.Files = files
	if edited, ok := op.compare(l, abs, c.Hash, files); !ok {
		commit.Hash += dirty
		commit.Edited = edited
	}
	return commit, nil
}

// enclosing opens the repository that the folder abs belongs to; nil when it
// belongs to none.
func (op *operation) enclosing(abs string) (*local, error) {
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	for at := abs; ; at = filepath.Dir(at) {
		gitDir, worktree, err := findGitDir(at)
		if err != nil && (at == abs || !errors.Is(err, fs.ErrPermission)) {
			return nil, op.fail(KindCorrupt, "%v", err)
		}
		// A bare repository counts only when it was named itself: its parents
		// are not working trees of anything.
		if gitDir != "" && (worktree != "" || at == abs) {
			return op.openGitDir(gitDir, worktree)
		}
		if at == filepath.Dir(at) {
			return nil, nil
		}
	}
}

// compare reports whether the folder abs holds what the commit has there, and else
// names the first file that differs. When that cannot be found out, the answer is
// no, without a name: a clean revision is a promise.
func (op *operation) compare(l *local, abs string, commit plumbing.Hash, disk *treefs.Disk) (edited string, same bool) {
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	folder, err := filepath.Rel(l.worktree, abs)
	if op.path = filepath.ToSlash(folder); err != nil || !fs.ValidPath(op.path) {
		return "", false
	}
	c := comparison{op: op, objects: l, disk: disk, tree: map[string]leaf{}}
	s, err := op.survey(l, commit)
	switch {
	case errors.Is(err, KindPathGone):
		s = &survey{} // the folder is not in the commit, and neither is what it holds
	case err != nil:
		return "", false
	}
	sealed := map[string]error{}
	for _, l := range s.leaves {
		switch {
		case !l.read:
		case l.mode == filemode.Submodule:
			sealed[l.name] = &Error{Kind: KindSubmodule, Message: submodule}
		default:
			c.tree[l.name] = l
		}
	}
	disk.Seal(sealed)
	if edited := c.difference("."); edited != "" {
		return edited, false
	}
	if gone := slices.Sorted(maps.Keys(c.tree)); len(gone) > 0 {
		return gone[0], false
	}
	return "", true
}

// comparison is of a folder on disk with a tree. What was found the same is taken
// out of tree.
type comparison struct {
	op      *operation
	objects storer.EncodedObjectStorer
	disk    *treefs.Disk
	tree    map[string]leaf
}

// difference returns the first file below the folder that is read and is not that
// of the tree; "" when there is none.
func (c comparison) difference(folder string) string {
	entries, err := c.disk.ReadDir(folder)
	if errors.Is(err, KindSubmodule) {
		return "" // it is read as little as the tree's
	}
	if err != nil {
		return folder
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		leads := c.op.read.folder(name)
		isLink := e.Type()&fs.ModeSymlink != 0
		switch {
		case e.IsDir() && leads:
			if edited := c.difference(name); edited != "" {
				return edited
			}
		case e.IsDir():
		case c.op.read.file(name), leads && isLink:
			l, ok := c.tree[name]
			if !ok || (l.mode == filemode.Symlink) != isLink || !c.sameContent(name, l.hash, isLink) {
				return name
			}
			delete(c.tree, name)
		}
	}
	return ""
}

func (c comparison) sameContent(name string, want plumbing.Hash, isLink bool) bool {
	if isLink {
		target, err := c.disk.ReadLink(name)
		return err == nil && plumbing.ComputeHash(plumbing.BlobObject, []byte(target)) == want
	}
	data, err := c.disk.ReadFile(name)
	if err != nil {
		return false
	}
	if plumbing.ComputeHash(plumbing.BlobObject, data) == want {
		return true
	}
	// A checkout may have written other line ends than the commit has, and YAML
	// knows no difference. Of a partial clone the file itself may be missing.
	if bytes.IndexByte(data, 0) >= 0 {
		return false
	}
	data = unixLines(data)
	if plumbing.ComputeHash(plumbing.BlobObject, data) == want {
		return true
	}
	blob, err := c.objects.EncodedObject(plumbing.BlobObject, want)
	if err != nil || blob.Size() > c.op.max {
		return false
	}
	was, err := content(blob)
	return err == nil && bytes.Equal(data, unixLines(was))
}

func unixLines(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }

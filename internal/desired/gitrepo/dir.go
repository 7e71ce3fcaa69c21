package gitrepo

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/layerd/layerd/internal/desired/gitrepo/treefs"
)

// dirty marks a Hash whose commit is not what lies on disk.
const dirty = "+dirty"

// Dir reads a folder as it lies on disk, edited or not. When it belongs to a
// Git working tree the Commit describes HEAD, and its Hash ends in "+dirty" when
// anything in the folder differs from HEAD that Git does not ignore; so does a
// new file. Without Git, or before the first commit, the Hash is empty.
//
// The folder may be anywhere inside the working tree. Files above
// DefaultMaxBytes are listed and cannot be read.
func Dir(path string) (Commit, error) {
	op := &operation{verb: "open", Repo: &Repo{name: path, max: DefaultMaxBytes}}
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
	head, err := storer.ResolveReference(l.Storage, plumbing.HEAD)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return Commit{Files: files}, nil
	}
	if err != nil {
		return Commit{}, op.fail(KindCorrupt, "read HEAD: %v", err)
	}
	c, err := object.GetCommit(l.Storage, head.Hash())
	if err != nil {
		return Commit{}, op.missing("commit", head.Hash(), err)
	}
	commit := describe(c)
	commit.Files = files
	if !l.isClean(abs) {
		commit.Hash += dirty
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
		if err != nil {
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

// isClean reports whether the folder abs holds what HEAD has there. When that
// cannot be found out, the answer is no: a clean revision is a promise.
func (l *local) isClean(abs string) bool {
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	folder, err := filepath.Rel(l.worktree, abs)
	if err != nil {
		return false
	}
	repo, err := git.Open(l, osfs.New(l.worktree))
	if err != nil {
		return false
	}
	tree, err := repo.Worktree()
	if err != nil {
		return false
	}
	// What the user ignores everywhere; go-git reads the .gitignore files itself.
	if global, err := gitignore.LoadGlobalPatterns(osfs.New("/")); err == nil {
		tree.Excludes = global
	}
	status, err := tree.Status()
	if err != nil {
		return false
	}
	for name, s := range status {
		changed := s.Worktree != git.Unmodified || s.Staging != git.Unmodified
		if changed && (folder == "." || strings.HasPrefix(name, filepath.ToSlash(folder)+"/")) {
			return false
		}
	}
	return true
}

package gitrepo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// local is a repository on this machine. It is read file by file with go-git:
// file:// would run the git binary, which a small container does not have.
type local struct {
	*filesystem.Storage
	gitDir   string
	worktree string // empty in a bare repository
}

// Config hides from go-git the extensions that change nothing for a reader: it
// knows none and would refuse the repository. Others do change how objects or
// refs are stored.
func (l *local) Config() (*config.Config, error) {
	c, err := l.Storage.Config()
	if err != nil || !c.Raw.HasSection("extensions") {
		return c, err
	}
	section := c.Raw.Section("extensions")
	for _, o := range slices.Clone(section.Options) {
		switch strings.ToLower(o.Key) {
		case "worktreeconfig", "partialclone", "preciousobjects", "relativeworktrees", "noop":
			section.RemoveOption(o.Key)
		case "objectformat", "refstorage":
			if o.Value == "sha1" || o.Value == "files" {
				section.RemoveOption(o.Key) // the usual, said aloud
			}
		}
	}
	if len(section.Options) == 0 {
		c.Raw.RemoveSection("extensions")
	}
	return c, nil
}

// findGitDir returns the folder with the objects of the repository at path, and
// its working tree. Both are empty when there is none.
func findGitDir(path string) (gitDir, worktree string, err error) {
	dot := filepath.Join(path, ".git")
	info, err := os.Stat(dot)
	switch {
	case err == nil && info.IsDir():
		return dot, path, nil
	case err == nil:
		// A linked working tree or a submodule: the file says where.
		text, err := os.ReadFile(dot)
		to, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
		if err != nil || !ok {
			return "", "", errors.Join(err, errors.New(".git is neither a folder nor says where one is"))
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(path, to)
		}
		return to, path, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", "", err
	}
	for _, part := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Stat(filepath.Join(path, part)); err != nil {
			return "", "", nil
		}
	}
	return path, "", nil
}

// openLocal opens the repository that the URL names.
func (op *operation) openLocal() (*local, error) {
	if _, err := os.Stat(op.endpoint.Path); err != nil {
		return nil, op.fail(KindNotARepository, "%v", err)
	}
	gitDir, worktree, err := findGitDir(op.endpoint.Path)
	if err != nil {
		return nil, op.fail(KindNotARepository, "%v", err)
	}
	if gitDir == "" {
		for up := filepath.Dir(op.endpoint.Path); up != filepath.Dir(up); up = filepath.Dir(up) {
			if dir, _, _ := findGitDir(up); dir != "" {
				return nil, op.fail(KindNotARepository, "is a folder inside the repository %s; name that one, and this folder as the path in it", up)
			}
		}
		return nil, op.fail(KindNotARepository, "is a folder without a Git repository")
	}
	return op.openGitDir(gitDir, worktree)
}

func (op *operation) openGitDir(gitDir, worktree string) (*local, error) {
	var common billy.Filesystem
	if text, err := os.ReadFile(filepath.Join(gitDir, "commondir")); err == nil {
		to := strings.TrimSpace(string(text))
		if !filepath.IsAbs(to) {
			to = filepath.Join(gitDir, to)
		}
		common = osfs.New(to)
	}
	l := &local{gitDir: gitDir, worktree: worktree, Storage: filesystem.NewStorageWithOptions(
		dotgit.NewRepositoryFilesystem(osfs.New(gitDir), common),
		cache.NewObjectLRUDefault(),
		filesystem.Options{AlternatesFS: osfs.New("/")},
	)}
	c, err := l.Config()
	if err != nil {
		return nil, op.fail(KindCorrupt, "read the repository's configuration: %v", err)
	}
	if c.Raw.HasSection("extensions") {
		o := c.Raw.Section("extensions").Options[0]
		return nil, op.fail(KindUnsupported, "the repository uses the extension %s = %s, which is not supported", o.Key, o.Value)
	}
	return l, nil
}

// tip is where the branch is.
func (l *local) tip(op *operation) (plumbing.Hash, error) {
	ref, err := storer.ResolveReference(l.Storage, op.branch)
	if err == nil {
		return ref.Hash(), nil
	}
	if !errors.Is(err, plumbing.ErrReferenceNotFound) {
		return plumbing.ZeroHash, op.fail(KindCorrupt, "read branch %q: %v", op.branch.Short(), err)
	}
	refs, err := l.IterReferences()
	if err != nil {
		return plumbing.ZeroHash, op.fail(KindCorrupt, "list the branches: %v", err)
	}
	var names []string
	err = refs.ForEach(func(ref *plumbing.Reference) error {
		if ref.Type() == plumbing.HashReference {
			names = append(names, ref.Name().String())
		}
		return nil
	})
	switch {
	case err != nil:
		return plumbing.ZeroHash, op.fail(KindCorrupt, "list the branches: %v", err)
	case len(names) == 0:
		return plumbing.ZeroHash, op.fail(KindEmpty, "the repository is empty: nobody has made a commit yet")
	}
	return plumbing.ZeroHash, op.branchGone(names)
}

func (op *operation) pullLocal(last string) (Commit, error) {
	l, err := op.openLocal()
	if err != nil {
		return Commit{}, err
	}
	hash, err := l.tip(op)
	if err != nil || hash.String() == last {
		return Commit{}, err
	}
	return op.commit(l.Storage, hash)
}

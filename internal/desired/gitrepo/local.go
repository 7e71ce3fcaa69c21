package gitrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// local is a repository on this machine. It is read file by file with go-git:
// file:// would run the git binary, which a small container does not have. Of its
// configuration, its index and its refs only what is needed is looked at, so that
// the rest may be as git, or whoever else, left it.
type local struct {
	*filesystem.Storage
	gitDir   string // HEAD and what else is the working tree's own
	common   string // refs, objects, configuration: gitDir but in a linked working tree
	worktree string // empty in a bare repository
	settings settings
	borrowed []*filesystem.Storage // where objects are that are not here
}

// findGitDir returns the folder with the objects of the repository at path, and
// its working tree. Both are empty when there is none.
func findGitDir(path string) (gitDir, worktree string, err error) {
	dot := filepath.Join(path, ".git")
	info, err := os.Stat(dot)
	switch {
	case err == nil && info.IsDir():
		if !isGitDir(dot) {
			return "", "", nil // an empty .git is passed over, as git does
		}
		return dot, path, nil
	case err == nil:
		// A linked working tree or a submodule: the file says where.
		text, err := os.ReadFile(dot)
		to, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir:")
		if err != nil || !ok {
			return "", "", errors.Join(err, errors.New(".git is neither a folder nor says where one is"))
		}
		if to = strings.TrimSpace(to); !filepath.IsAbs(to) {
			to = filepath.Join(path, to)
		}
		if !isGitDir(to) {
			return "", "", fmt.Errorf(".git says that the repository is in %s, where there is none", to)
		}
		return to, path, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", "", err
	}
	if !isGitDir(path) {
		return "", "", nil
	}
	return path, "", nil
}

// isGitDir reports whether git would take the folder for a repository.
func isGitDir(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, "HEAD")); err != nil {
		return false
	}
	common := commonDir(dir)
	for _, part := range []string{"objects", "refs"} {
		if _, err := os.Stat(filepath.Join(common, part)); err != nil {
			return false
		}
	}
	return true
}

// commonDir returns the folder that a linked working tree shares with the others;
// dir itself where there is only one.
func commonDir(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "commondir"))
	if err != nil {
		return dir
	}
	to := strings.TrimSpace(string(text))
	if !filepath.IsAbs(to) {
		to = filepath.Join(dir, to)
	}
	return to
}

// openLocal opens the repository that the URL names.
func (op *operation) openLocal() (*local, error) {
	if _, err := os.Stat(op.endpoint.Path); err != nil {
		return nil, op.fail(KindNotARepository, "%v", err)
	}
	place := op.endpoint.Path
	if real, err := filepath.EvalSymlinks(place); err == nil {
		place = real // a .git file is relative to where the folder really is
	}
	gitDir, worktree, err := findGitDir(place)
	if err != nil {
		return nil, op.fail(KindNotARepository, "%v", err)
	}
	if gitDir == "" {
		for up := filepath.Dir(place); up != filepath.Dir(up); up = filepath.Dir(up) {
			if dir, _, _ := findGitDir(up); dir != "" {
				return nil, op.fail(KindNotARepository, "is a folder inside the repository %s; name that one, and this folder as the path in it", up)
			}
		}
		return nil, op.fail(KindNotARepository, "is a folder without a Git repository")
	}
	return op.openGitDir(gitDir, worktree)
}

func (op *operation) openGitDir(gitDir, worktree string) (*local, error) {
	l := &local{gitDir: gitDir, common: commonDir(gitDir), worktree: worktree, settings: settings{}}
	var common billy.Filesystem
	if l.common != gitDir {
		common = osfs.New(l.common)
	}
	l.Storage = filesystem.NewStorageWithOptions(
		dotgit.NewRepositoryFilesystem(osfs.New(gitDir), common),
		cache.NewObjectLRUDefault(),
		filesystem.Options{AlternatesFS: osfs.New("/")},
	)
	objects := filepath.Join(l.common, "objects")
	l.borrowed = borrowed(objects, 1, map[string]bool{objects: true})
	readSettings(l.settings, filepath.Join(l.common, "config"), 0)
	// What form the repository has, git reads in its own file only.
	own := settings{}
	readSettings(own, filepath.Join(l.common, "config"), maxIncludes)
	if own.last("extensions.worktreeconfig") != "" {
		readSettings(l.settings, filepath.Join(gitDir, "config.worktree"), 0)
	}
	for key, values := range l.settings {
		op.partial = op.partial || strings.HasPrefix(key, "remote.") && strings.HasSuffix(key, ".promisor") && len(values) > 0
	}
	op.partial = op.partial || own.last("extensions.partialclone") != ""
	if elsewhere := l.settings.last("core.worktree"); elsewhere != "" && worktree != "" {
		if !filepath.IsAbs(elsewhere) {
			elsewhere = filepath.Join(gitDir, elsewhere)
		}
		if real, err := filepath.EvalSymlinks(elsewhere); err == nil {
			elsewhere = real
		}
		l.worktree = elsewhere
	}
	if objection := unreadableForm(own); objection != "" {
		return nil, op.fail(KindUnsupported, "%s", objection)
	}
	return l, nil
}

// harmless are the extensions that change nothing for whoever only reads.
var harmless = []string{
	"noop", "noop-v1", "partialclone", "preciousobjects", "worktreeconfig", "relativeworktrees",
	"compatobjectformat", "submodulepathconfig",
}

// unreadableForm returns why a repository with these settings cannot be read; "" when
// it can.
func unreadableForm(own settings) string {
	version := own.last("core.repositoryformatversion")
	switch names := own.last("extensions.objectformat"); names {
	case "", "sha1":
	default:
		return fmt.Sprintf("the repository names its objects with %s; layerd reads repositories with sha1 names, which `git init` makes by default", names)
	}
	switch refs := own.last("extensions.refstorage"); refs {
	case "", "files":
	default:
		return fmt.Sprintf("the repository keeps its branches as %s, which layerd does not read; `git refs migrate --ref-format=files` makes files of them", refs)
	}
	if version == "" || version == "0" {
		return "" // git ignores all other extensions then
	}
	if version != "1" {
		return fmt.Sprintf("the repository has format version %s; layerd reads 0 and 1", version)
	}
	for _, key := range slices.Sorted(maps.Keys(own)) {
		name, ok := strings.CutPrefix(key, "extensions.")
		if ok && name != "objectformat" && name != "refstorage" && !slices.Contains(harmless, name) {
			return fmt.Sprintf("the repository uses the extension %s = %s, which is not supported", name, own.last(key))
		}
	}
	return ""
}

// tip is where the branch is: the repository's own, else the one that was fetched
// from its remote, which is all that a job's detached clone has.
func (l *local) tip(op *operation) (plumbing.Hash, error) {
	branch := op.branch.Short()
	places := []string{"refs/heads/" + branch, "refs/remotes/" + l.remote() + "/" + branch, "refs/remotes/" + branch}
	if branch == "HEAD" {
		places = []string{"HEAD"} // what is checked out, not what a remote has as its HEAD
	}
	for _, name := range places {
		ref, err := storer.ResolveReference(l, plumbing.ReferenceName(name))
		switch {
		case err == nil:
			return ref.Hash(), nil
		case !errors.Is(err, plumbing.ErrReferenceNotFound) && !errors.Is(err, fs.ErrNotExist):
			return plumbing.ZeroHash, op.fail(KindCorrupt, "read branch %q: %v", branch, err)
		}
	}
	names := l.refNames()
	if len(names) == 0 {
		if _, err := storer.ResolveReference(l, plumbing.HEAD); err != nil {
			return plumbing.ZeroHash, op.fail(KindEmpty, "the repository is empty: nobody has made a commit yet")
		}
	}
	return plumbing.ZeroHash, op.branchGone(names)
}

// refNames returns the names of all refs. It reads none of them: a broken one
// must not keep another from being found.
func (l *local) refNames() []string {
	var names []string
	root := filepath.Join(l.common, "refs")
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if rel, relErr := filepath.Rel(l.common, path); err == nil && relErr == nil && d.Type().IsRegular() {
			names = append(names, filepath.ToSlash(rel))
		}
		return nil // what cannot be listed is left out of a message
	})
	packed, _ := os.ReadFile(filepath.Join(l.common, "packed-refs"))
	for line := range strings.Lines(string(packed)) {
		if _, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
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
	return op.commit(l, hash)
}

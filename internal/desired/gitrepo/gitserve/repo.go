package gitserve

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/memory"
)

// DefaultBranch is where HEAD points to.
const DefaultBranch = "main"

// Repo is one repository. It is safe for concurrent use.
type Repo struct {
	mu    sync.Mutex // guards store: its maps bear no concurrent use
	store *memory.Storage
}

// NewRepo makes an empty repository.
func NewRepo() *Repo {
	r := &Repo{store: memory.NewStorage()}
	r.store.ReferenceStorage[plumbing.HEAD] = plumbing.NewSymbolicReference(plumbing.HEAD, plumbing.NewBranchReferenceName(DefaultBranch))
	return r
}

// Change is one commit on top of a branch.
type Change struct {
	Branch  string            // empty means DefaultBranch; made when it is not there
	Author  string            // empty means "layerd demo"
	Email   string            // empty means "demo@layerd.invalid"
	Subject string            // the whole message
	When    time.Time         // zero means now
	Files   map[string]string // content by path: added, or replacing what was there
	Links   map[string]string // symbolic links: target by path
	Delete  []string          // paths of files, or of folders with all that is below
}

// Commit adds a commit and returns its hash.
func (r *Repo) Commit(c Change) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	branch := branchName(c.Branch)
	files, parents, err := r.current(branch)
	if err != nil {
		return "", fmt.Errorf("read branch %s: %w", branch.Short(), err)
	}
	for _, gone := range c.Delete {
		maps.DeleteFunc(files, func(name string, _ object.TreeEntry) bool {
			return name == gone || strings.HasPrefix(name, gone+"/")
		})
	}
	if err := errors.Join(r.put(files, c.Files, filemode.Regular), r.put(files, c.Links, filemode.Symlink)); err != nil {
		return "", err
	}
	tree, err := r.tree(files, "")
	if err != nil {
		return "", fmt.Errorf("write tree: %w", err)
	}
	who := object.Signature{Name: or(c.Author, "layerd demo"), Email: or(c.Email, "demo@layerd.invalid"), When: c.When}
	if who.When.IsZero() {
		who.When = time.Now()
	}
	hash, err := r.write(&object.Commit{Author: who, Committer: who, Message: c.Subject, TreeHash: tree, ParentHashes: parents})
	if err != nil {
		return "", fmt.Errorf("write commit: %w", err)
	}
	return hash.String(), r.store.SetReference(plumbing.NewHashReference(branch, hash))
}

// Move lets a branch point at a commit that is there, as a forced push does; an
// empty hash deletes the branch.
func (r *Repo) Move(branch, hash string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if hash == "" {
		return r.store.RemoveReference(branchName(branch))
	}
	if _, err := object.GetCommit(r.store, plumbing.NewHash(hash)); err != nil {
		return fmt.Errorf("move branch to %s: %w", hash, err)
	}
	return r.store.SetReference(plumbing.NewHashReference(branchName(branch), plumbing.NewHash(hash)))
}

// Head is the commit a branch is at; empty when there is no such branch.
func (r *Repo) Head(branch string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ref, err := r.store.Reference(branchName(branch))
	if err != nil {
		return ""
	}
	return ref.Hash().String()
}

func branchName(branch string) plumbing.ReferenceName {
	return plumbing.NewBranchReferenceName(or(branch, DefaultBranch))
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// current lists the files of a branch by path, and its tip as parent.
func (r *Repo) current(branch plumbing.ReferenceName) (map[string]object.TreeEntry, []plumbing.Hash, error) {
	files := map[string]object.TreeEntry{}
	ref, err := storer.ResolveReference(r.store, branch)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return files, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	commit, err := object.GetCommit(r.store, ref.Hash())
	if err != nil {
		return nil, nil, err
	}
	tree, err := commit.Tree()
	if err != nil {
		return nil, nil, err
	}
	walk := object.NewTreeWalker(tree, true, nil)
	defer walk.Close()
	for {
		name, entry, err := walk.Next()
		if err != nil {
			break // io.EOF: everything is in memory
		}
		if entry.Mode != filemode.Dir {
			files[name] = entry
		}
	}
	return files, []plumbing.Hash{ref.Hash()}, nil
}

// put stores contents as blobs and enters them.
func (r *Repo) put(files map[string]object.TreeEntry, contents map[string]string, mode filemode.FileMode) error {
	for name, text := range contents {
		if !fs.ValidPath(name) || name == "." {
			return fmt.Errorf("%q is no path of a file", name)
		}
		blob := r.store.NewEncodedObject()
		blob.SetType(plumbing.BlobObject)
		w, err := blob.Writer()
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
		hash, err := r.store.SetEncodedObject(blob)
		if err != nil {
			return err
		}
		files[name] = object.TreeEntry{Mode: mode, Hash: hash}
	}
	return nil
}

// tree writes the tree of all files below prefix, which is empty or ends in "/".
func (r *Repo) tree(files map[string]object.TreeEntry, prefix string) (plumbing.Hash, error) {
	entries := map[string]object.TreeEntry{}
	for name, entry := range files {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		first, _, below := strings.Cut(rest, "/")
		if !below {
			entries[first] = object.TreeEntry{Name: first, Mode: entry.Mode, Hash: entry.Hash}
			continue
		}
		if entries[first].Mode == filemode.Dir {
			continue
		}
		sub, err := r.tree(files, path.Join(prefix, first)+"/")
		if err != nil {
			return plumbing.ZeroHash, err
		}
		entries[first] = object.TreeEntry{Name: first, Mode: filemode.Dir, Hash: sub}
	}
	// Git sorts folders as if their names ended in a slash.
	key := func(e object.TreeEntry) string {
		if e.Mode == filemode.Dir {
			return e.Name + "/"
		}
		return e.Name
	}
	list := slices.SortedFunc(maps.Values(entries), func(a, b object.TreeEntry) int { return strings.Compare(key(a), key(b)) })
	return r.write(&object.Tree{Entries: list})
}

func (r *Repo) write(o interface {
	Encode(plumbing.EncodedObject) error
}) (plumbing.Hash, error) {
	encoded := r.store.NewEncodedObject()
	if err := o.Encode(encoded); err != nil {
		return plumbing.ZeroHash, err
	}
	return r.store.SetEncodedObject(encoded)
}

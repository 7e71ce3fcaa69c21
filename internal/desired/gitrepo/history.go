package gitrepo

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// History is how a folder of a working tree on this machine came to be what HEAD has:
// all commits that HEAD goes back to, and the tags among them.
type History struct {
	op      *operation
	l       *local
	head    plumbing.Hash
	past    map[plumbing.Hash]ancestor // HEAD and what it goes back to
	trees   map[plumbing.Hash]plumbing.Hash
	without string // a file at the top of the folder that does not count as a change
}

// ancestor is a commit without its text.
type ancestor struct {
	parents []plumbing.Hash
	tree    plumbing.Hash // of the whole repository
	when    time.Time
}

// Tag is a tag on a commit.
type Tag struct {
	Name   string // without refs/tags/
	Commit string
	// Past reports that HEAD goes back to the commit. A tag on another branch does not
	// count as one that was before.
	Past bool
}

// OpenHistory reads the history of a folder. Changes of the file without, at the top of
// the folder, count as none: it is what is written for each version. A shallow clone is
// refused: what came since a version cannot be known there.
func OpenHistory(folder, without string) (*History, error) {
	op := &operation{verb: "read the history of", Repo: &Repo{name: folder, path: ".", max: DefaultMaxBytes, read: nil}}
	abs, err := filepath.Abs(folder)
	if err != nil {
		return nil, op.fail(KindInvalid, "%v", err)
	}
	l, err := op.enclosing(abs)
	switch {
	case err != nil:
		return nil, err
	case l == nil || l.worktree == "":
		return nil, op.fail(KindNotARepository, "is in no working tree of a Git repository")
	}
	if grafts, err := os.ReadFile(filepath.Join(l.common, "shallow")); err == nil && len(grafts) > 0 {
		return nil, op.fail(KindUnsupported, "the clone is shallow, and what came since the last version is not in it: fetch the whole history with its tags (fetch-depth: 0 of actions/checkout, or git fetch --unshallow --tags)")
	}
	op.path = below(l.worktree, abs)
	head, err := storer.ResolveReference(l, plumbing.HEAD)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return nil, op.fail(KindEmpty, "the repository is empty: nobody has made a commit yet")
	}
	if err != nil {
		return nil, op.fail(KindCorrupt, "read HEAD: %v", err)
	}
	h := &History{op: op, l: l, head: head.Hash(), past: map[plumbing.Hash]ancestor{}, trees: map[plumbing.Hash]plumbing.Hash{}, without: without}
	return h, h.walk()
}

// Head returns the commit that is checked out.
func (h *History) Head() string { return h.head.String() }

// Root returns the folder of the working tree, and the path in it of the folder whose
// history it is, with slashes.
func (h *History) Root() (worktree, folder string) { return h.l.worktree, h.op.path }

// At returns the repository as HEAD has it, below a folder of it.
func (h *History) At(folder string, read []string) (Commit, error) {
	op := &operation{verb: h.op.verb, Repo: &Repo{name: h.op.name, path: folder, max: DefaultMaxBytes, read: read}, partial: h.op.partial}
	return op.commit(h.l, h.head)
}

func (h *History) walk() error {
	for todo := []plumbing.Hash{h.head}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, seen := h.past[at]; seen {
			continue
		}
		c, err := object.GetCommit(h.l, at)
		if err != nil {
			return h.op.missing("commit", at, err)
		}
		h.past[at] = ancestor{c.ParentHashes, c.TreeHash, c.Committer.When}
		todo = append(todo, c.ParentHashes...)
	}
	return nil
}

// Tags returns the tags that begin with a prefix, sorted by name.
func (h *History) Tags(prefix string) ([]Tag, error) {
	var tags []Tag
	for _, name := range h.l.refNames() {
		short, ok := strings.CutPrefix(name, "refs/tags/")
		if !ok || !strings.HasPrefix(short, prefix) {
			continue
		}
		ref, err := storer.ResolveReference(h.l, plumbing.ReferenceName(name))
		if err != nil {
			return nil, h.op.fail(KindCorrupt, "read tag %q: %v", short, err)
		}
		commit, err := h.commitOf(ref.Hash())
		if err != nil {
			return nil, err
		}
		_, past := h.past[commit]
		tags = append(tags, Tag{short, commit.String(), past})
	}
	return tags, nil
}

// commitOf returns the commit that a tag is on, which may be on another tag.
func (h *History) commitOf(at plumbing.Hash) (plumbing.Hash, error) {
	for range 10 {
		t, err := object.GetTag(h.l, at)
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			return at, nil // a lightweight one
		}
		if err != nil {
			return at, h.op.missing("tag", at, err)
		}
		at = t.Target
	}
	return at, nil
}

// Entry is a commit that changed the folder, with its whole message.
type Entry struct{ Hash, Message string }

// Changes returns the commits that changed the folder and that HEAD goes back to and the
// commit since does not, newest first; all of them where since is empty. A merge changed
// it where it has it as none of its parents does.
func (h *History) Changes(since string) ([]Entry, error) {
	before := map[plumbing.Hash]bool{}
	for todo := []plumbing.Hash{plumbing.NewHash(since)}; since != "" && len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !before[at] {
			before[at] = true
			todo = append(todo, h.past[at].parents...)
		}
	}
	var list []Entry
	for _, at := range h.sorted(before) {
		changed, err := h.changed(at)
		if err != nil {
			return nil, err
		}
		if !changed {
			continue
		}
		c, err := object.GetCommit(h.l, at)
		if err != nil {
			return nil, h.op.missing("commit", at, err)
		}
		list = append(list, Entry{at.String(), strings.ToValidUTF8(c.Message, "\uFFFD")})
	}
	return list, nil
}

// Same reports whether the folder is in HEAD as it is in another commit.
func (h *History) Same(other string) (bool, error) {
	a, err := h.folderAt(h.head)
	if err != nil {
		return false, err
	}
	b, err := h.folderAt(plumbing.NewHash(other))
	return a == b, err
}

func (h *History) changed(at plumbing.Hash) (bool, error) {
	own, err := h.folderAt(at)
	if err != nil {
		return false, err
	}
	parents := h.past[at].parents
	if len(parents) == 0 {
		return !own.IsZero(), nil
	}
	for _, p := range parents {
		theirs, err := h.folderAt(p)
		if err != nil || own == theirs {
			return false, err
		}
	}
	return true, nil
}

// folderAt returns a hash of what a commit has in the folder; zero where it has none.
func (h *History) folderAt(at plumbing.Hash) (plumbing.Hash, error) {
	root := h.past[at].tree
	if sum, known := h.trees[root]; known {
		return sum, nil
	}
	tree, err := h.op.folder(h.l, root)
	var sum plumbing.Hash
	switch {
	case errors.Is(err, KindPathGone):
	case err != nil:
		return sum, err
	default:
		var text strings.Builder
		for _, e := range tree.Entries {
			if e.Name != h.without {
				text.WriteString(e.Mode.String() + " " + e.Hash.String() + " " + e.Name + "\x00")
			}
		}
		sum = plumbing.ComputeHash(plumbing.BlobObject, []byte(text.String()))
	}
	h.trees[root] = sum
	return sum, nil
}

// File returns a file of the folder as HEAD has it, and the first commit, along first
// parents, from which on it is so. The commit is empty where there is no such file.
func (h *History) File(name string) (content []byte, since string, err error) {
	var want plumbing.Hash
	for at := h.head; ; {
		tree, err := h.op.folder(h.l, h.past[at].tree)
		if errors.Is(err, KindPathGone) {
			return content, since, nil
		}
		if err != nil {
			return nil, "", err
		}
		e, err := tree.FindEntry(name)
		if err != nil || !e.Mode.IsFile() || since != "" && e.Hash != want {
			return content, since, nil
		}
		if since == "" {
			if content, err = h.blob(e.Hash); err != nil {
				return nil, "", err
			}
		}
		want, since = e.Hash, at.String()
		parents := h.past[at].parents
		if len(parents) == 0 {
			return content, since, nil
		}
		at = parents[0]
	}
}

func (h *History) blob(hash plumbing.Hash) ([]byte, error) {
	blob, err := h.l.EncodedObject(plumbing.BlobObject, hash)
	if err != nil {
		return nil, h.op.missing("file", hash, err)
	}
	if blob.Size() > h.op.max {
		return nil, h.op.fail(KindTooLarge, "file %s has more than %d bytes", hash, h.op.max)
	}
	data, err := content(blob)
	if err != nil {
		return nil, h.op.missing("file", hash, err)
	}
	return data, nil
}

// sorted returns the commits that are not in before, each before what it goes back to,
// and the newer before the older where neither goes back to the other.
func (h *History) sorted(before map[plumbing.Hash]bool) []plumbing.Hash {
	children := map[plumbing.Hash]int{}
	for at, c := range h.past {
		for _, p := range c.parents {
			if !before[at] {
				children[p]++
			}
		}
	}
	newer := func(a, b plumbing.Hash) int {
		return cmp.Or(h.past[b].when.Compare(h.past[a].when), cmp.Compare(a.String(), b.String()))
	}
	var list, ready []plumbing.Hash // ready: the newest first
	if !before[h.head] {
		ready = append(ready, h.head)
	}
	for len(ready) > 0 {
		at := ready[0]
		ready = ready[1:]
		list = append(list, at)
		for _, p := range h.past[at].parents {
			if children[p]--; children[p] == 0 && !before[p] {
				i, _ := slices.BinarySearchFunc(ready, p, newer)
				ready = slices.Insert(ready, i, p)
			}
		}
	}
	return list
}

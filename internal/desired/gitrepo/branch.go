package gitrepo

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// refuse returns why a name cannot be taken: it has all that is to be said, and nothing was
// being read.
func refuse(format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Message: fmt.Sprintf(format, args...)}
}

// CanBranch returns why a branch of this name cannot be made; nil = it can.
func (h *History) CanBranch(name string) error {
	ref := plumbing.NewBranchReferenceName(name)
	if err := ref.Validate(); err != nil || name == "" || strings.HasPrefix(name, "-") {
		return refuse("%q is no name of a branch", name)
	}
	for _, other := range h.l.refNames() {
		short, ok := strings.CutPrefix(other, "refs/heads/")
		switch {
		case !ok:
		case short == name:
			return refuse("there is a branch %s already", name)
		case strings.HasPrefix(name, short+"/"), strings.HasPrefix(short, name+"/"):
			return refuse("there is a branch %s, beside which Git can have none that is called %s", short, name)
		}
	}
	return nil
}

// Branch makes a branch with one commit on top of HEAD, in which a file below the
// worktree has another content. Nothing is checked out, and neither the index nor the
// working tree is touched: what is being worked on stays as it is.
func (h *History) Branch(name, file string, content []byte, message string, by Tagger, now time.Time) (commit string, err error) {
	if err := h.CanBranch(name); err != nil {
		return "", err
	}
	tree, err := h.replaced(h.past[h.head].tree, strings.Split(path.Clean(file), "/"), content)
	if err != nil {
		return "", err
	}
	who := object.Signature{Name: by.Name, Email: by.Email, When: now}
	made := &object.Commit{Author: who, Committer: who, Message: strings.TrimSuffix(message, "\n") + "\n", TreeHash: tree, ParentHashes: []plumbing.Hash{h.head}}
	hash, err := h.store(made.Encode)
	if err != nil {
		return "", h.op.fail(KindCorrupt, "write the commit: %v", err)
	}
	if err := h.l.SetReference(plumbing.NewHashReference(plumbing.NewBranchReferenceName(name), hash)); err != nil {
		return "", h.op.fail(KindCorrupt, "write branch %s: %v", name, err)
	}
	return hash.String(), nil
}

// replaced returns a tree in which a file that is there has another content.
func (h *History) replaced(tree plumbing.Hash, file []string, content []byte) (plumbing.Hash, error) {
	t, err := object.GetTree(h.l, tree)
	if err != nil {
		return tree, h.op.missing("tree", tree, err)
	}
	entries := append([]object.TreeEntry(nil), t.Entries...)
	for i := range entries {
		e := &entries[i]
		switch {
		case e.Name != file[0]:
			continue
		case len(file) > 1 && e.Mode == filemode.Dir:
			e.Hash, err = h.replaced(e.Hash, file[1:], content)
		case len(file) == 1 && e.Mode.IsFile() && e.Mode != filemode.Symlink:
			e.Hash, err = h.store(func(o plumbing.EncodedObject) error { return blob(o, content) })
		default:
			continue
		}
		if err != nil {
			return tree, err
		}
		return h.store((&object.Tree{Entries: entries}).Encode)
	}
	return tree, h.op.fail(KindPathGone, "HEAD has no plain file %s", strings.Join(file, "/"))
}

func blob(o plumbing.EncodedObject, content []byte) error {
	o.SetType(plumbing.BlobObject)
	w, err := o.Writer()
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	return w.Close()
}

func (h *History) store(encode func(plumbing.EncodedObject) error) (plumbing.Hash, error) {
	o := h.l.NewEncodedObject()
	if err := encode(o); err != nil {
		return plumbing.ZeroHash, err
	}
	return h.l.SetEncodedObject(o)
}

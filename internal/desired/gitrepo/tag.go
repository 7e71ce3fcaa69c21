package gitrepo

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	gitconfig "github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Tagger is who makes an annotated tag.
type Tagger struct{ Name, Email string }

// CanTag returns why a tag of this name cannot be made; nil = it can.
func (h *History) CanTag(name string) error {
	for _, ref := range h.l.refNames() {
		switch short, ok := strings.CutPrefix(ref, "refs/tags/"); {
		case !ok:
		case short == name:
			return refuse("there is a tag %s already", name)
		case strings.HasPrefix(name, short+"/"), strings.HasPrefix(short, name+"/"):
			return refuse("there is a tag %s, beside which Git can have none that is called %s", short, name)
		}
	}
	return nil
}

// Tag makes a tag on HEAD: an annotated one, or one without a message where nobody is
// known who makes it, as Git needs a name and an address for that.
func (h *History) Tag(name, message string, by Tagger, now time.Time) error {
	if err := h.CanTag(name); err != nil {
		return err
	}
	at := h.head
	if by.Name != "" && by.Email != "" {
		tag := &object.Tag{
			Name: name, Message: message + "\n", TargetType: plumbing.CommitObject, Target: h.head,
			Tagger: object.Signature{Name: by.Name, Email: by.Email, When: now},
		}
		o := h.l.NewEncodedObject()
		err := tag.Encode(o)
		if err == nil {
			at, err = h.l.SetEncodedObject(o)
		}
		if err != nil {
			return h.op.fail(KindCorrupt, "write tag %s: %v", name, err)
		}
	}
	if err := h.l.SetReference(plumbing.NewHashReference(plumbing.NewTagReferenceName(name), at)); err != nil {
		return h.op.fail(KindCorrupt, "write tag %s: %v", name, err)
	}
	return nil
}

// Tagger returns who Git's configuration says works here; empty = it does not say.
func (h *History) Tagger() Tagger {
	t := Tagger{h.l.settings.last("user.name"), h.l.settings.last("user.email")}
	global, err := gitconfig.LoadConfig(gitconfig.GlobalScope)
	if err != nil {
		return t // a configuration that cannot be read names nobody
	}
	if t.Name == "" {
		t.Name = global.User.Name
	}
	if t.Email == "" {
		t.Email = global.User.Email
	}
	return t
}

// Uncommitted returns the first file of the working tree that HEAD does not have as it
// is, or that is gone; "" when the tree is clean. A file that Git is told to ignore is
// none of the tree.
func (h *History) Uncommitted() (string, error) {
	tree, err := object.GetTree(h.l, h.past[h.head].tree)
	if err != nil {
		return "", h.op.missing("tree", h.past[h.head].tree, err)
	}
	root, err := os.OpenRoot(h.l.worktree)
	if err != nil {
		return "", h.op.fail(KindPathGone, "%v", err)
	}
	defer root.Close()
	tracked := map[string]bool{} // and the folders that they are in
	files := object.NewTreeWalker(tree, true, nil)
	defer files.Close()
	for {
		name, e, err := files.Next()
		if errors.Is(err, io.EOF) {
			return h.untracked(root, tracked)
		}
		if err != nil {
			return "", h.op.missing("tree", e.Hash, err)
		}
		tracked[name] = true
		switch e.Mode {
		case filemode.Dir, filemode.Submodule:
		default:
			if same, err := h.onDisk(root, name, e); err != nil || !same {
				return name, err
			}
		}
	}
}

// onDisk reports whether a file is on disk as a commit has it. A checkout may have
// written other line ends, and the content of a large file for its pointer.
func (h *History) onDisk(root *os.Root, name string, e object.TreeEntry) (bool, error) {
	if e.Mode == filemode.Symlink {
		to, err := root.Readlink(filepath.FromSlash(name))
		return err == nil && plumbing.ComputeHash(plumbing.BlobObject, []byte(to)) == e.Hash, nil
	}
	data, err := root.ReadFile(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, h.op.fail(KindPathGone, "%v", err)
	case plumbing.ComputeHash(plumbing.BlobObject, data) == e.Hash:
		return true, nil
	}
	blob, err := h.l.EncodedObject(plumbing.BlobObject, e.Hash)
	if err != nil || blob.Size() > h.op.max {
		return false, nil
	}
	was, err := content(blob)
	if err != nil {
		return false, nil
	}
	pointer := bytes.HasPrefix(was, []byte("version https://git-lfs.github.com/spec/"))
	return pointer || bytes.IndexByte(data, 0) < 0 && bytes.Equal(unixLines(data), unixLines(was)), nil
}

// untracked returns the first file that is in no commit and that Git is not told to
// ignore; "" when there is none. A repository inside this one is not looked at.
func (h *History) untracked(root *os.Root, tracked map[string]bool) (found string, err error) {
	disk := osfs.New(h.l.worktree)
	patterns, _ := gitignore.ReadPatterns(disk, nil) // one that cannot be read ignores nothing
	global, _ := gitignore.LoadGlobalPatterns(osfs.New("/"))
	patterns = append(append(global, h.excluded()...), patterns...)
	ignored := gitignore.NewMatcher(patterns)
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".", tracked[name]:
			return nil
		case d.Name() == ".git", d.IsDir() && isRepository(filepath.Join(h.l.worktree, filepath.FromSlash(name))),
			ignored.Match(strings.Split(name, "/"), d.IsDir()):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		found = name
		return fs.SkipAll
	})
	if err != nil {
		return "", h.op.fail(KindPathGone, "%v", err)
	}
	return found, nil
}

func isRepository(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ".git"))
	return err == nil
}

// excluded returns what the repository's own list of ignored files has, which is in no
// commit.
func (h *History) excluded() []gitignore.Pattern {
	text, _ := os.ReadFile(path.Join(h.l.common, "info", "exclude")) // there need not be one
	var list []gitignore.Pattern
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			list = append(list, gitignore.ParsePattern(line, nil))
		}
	}
	return list
}

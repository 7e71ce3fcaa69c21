package gitrepo

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// Past is what a branch was at, one commit after the other along their first parents,
// the newest first: what somebody saw who looked at the branch each time that it moved.
type Past struct {
	Commits []Commit // Files is nil where they cannot be read
	// Whole reports that the last of them is the first commit of the repository:
	// there was nothing before it.
	Whole bool
}

// Past returns the commit hash and those that the branch was at before, at most most
// of them. It is empty where hash is not among the last most commits of the branch.
func (r *Repo) Past(ctx context.Context, hash string, most int) (Past, error) {
	return run(ctx, r, "read the past of", func(ctx context.Context, op *operation) (Past, error) {
		if op.endpoint.Protocol == "file" {
			l, err := op.openLocal()
			if err != nil {
				return Past{}, err
			}
			return op.past(l, plumbing.NewHash(hash), hash, most)
		}
		session, err := op.connect(ctx)
		if err != nil {
			return Past{}, err
		}
		defer session.Close()
		tip, refs, err := op.advertised(ctx, session)
		if err != nil {
			return Past{}, err
		}
		op.depth = most
		pack, err := op.receive(ctx, session, refs, tip)
		if err != nil {
			return Past{}, err
		}
		objects, err := op.unpack(pack)
		if err != nil {
			return Past{}, err
		}
		return op.past(objects, tip, hash, most)
	})
}

// DirPast is Repo.Past for a folder on this machine, whose working tree is at hash.
func DirPast(folder, hash string, most int) (Past, error) {
	op := &operation{verb: "open", Repo: &Repo{name: folder, path: ".", max: DefaultMaxBytes}}
	abs, err := filepath.Abs(folder)
	if err != nil {
		return Past{}, op.fail(KindInvalid, "%v", err)
	}
	l, err := op.enclosing(abs)
	if err != nil || l == nil {
		return Past{}, err
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	if below, err := filepath.Rel(l.worktree, abs); err == nil && l.worktree != "" && filepath.IsLocal(below) {
		op.path = filepath.ToSlash(below)
	}
	hash = strings.TrimSuffix(hash, dirty)
	return op.past(l, plumbing.NewHash(hash), hash, most)
}

// past walks along the first parents of tip. A commit that is missing ends it: the clone
// is shallow, or was fetched without what comes before.
func (op *operation) past(objects storer.EncodedObjectStorer, tip plumbing.Hash, hash string, most int) (Past, error) {
	var past Past
	for at := tip; len(past.Commits) < most; {
		c, err := object.GetCommit(objects, at)
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			return past, nil
		}
		if err != nil {
			return past, op.missing("commit", at, err)
		}
		if len(past.Commits) > 0 || at.String() == hash {
			past.Commits = append(past.Commits, op.earlier(objects, c))
		}
		if len(c.ParentHashes) == 0 {
			past.Whole = len(past.Commits) > 0
			return past, nil
		}
		at = c.ParentHashes[0]
	}
	return past, nil
}

// earlier is a commit of the past. What cannot be read of it, as a folder that was not
// there yet, is no error: nobody follows it any more.
func (op *operation) earlier(objects storer.EncodedObjectStorer, c *object.Commit) Commit {
	commit, err := op.commit(objects, c.Hash)
	if err != nil {
		commit = describe(c)
	}
	if tree, err := op.folder(objects, c.TreeHash); err == nil {
		commit.Tree = tree.Hash.String()
	}
	return commit
}

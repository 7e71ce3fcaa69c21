package gitrepo

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/memory"
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
		s, err := op.dial(ctx)
		if err != nil {
			return Past{}, err
		}
		defer s.talk.Close()
		tip, err := s.find(ctx, op)
		if err != nil {
			return Past{}, err
		}
		op.budget.reset(op.max) // the list of refs was counted apart
		objects, err := op.receivePast(ctx, s, tip, most)
		if err != nil {
			return Past{}, err
		}
		return op.past(objects, tip, hash, most)
	})
}

// receivePast downloads the last depth commits, and of their files only those that are
// read where the server can leave out the others.
func (op *operation) receivePast(ctx context.Context, s *server, tip plumbing.Hash, depth int) (*memory.Storage, error) {
	if s.filters() && (op.read != nil || op.path != ".") {
		objects, err := op.receivePastPart(ctx, s, tip, depth)
		if _, no := errors.AsType[*refusal](err); !no {
			return objects, err
		}
		// It offers filters and does not let single files be fetched: then all.
		if s, err = op.dial(ctx); err != nil {
			return nil, err
		}
		defer s.talk.Close()
	}
	op.unfiltered = true
	return op.download(ctx, s, memory.NewStorage(), []plumbing.Hash{tip}, depth, "")
}

// receivePastPart downloads the last depth commits and their trees, and then the files
// that are read.
func (op *operation) receivePastPart(ctx context.Context, s *server, tip plumbing.Hash, depth int) (*memory.Storage, error) {
	objects, err := op.download(ctx, s, memory.NewStorage(), []plumbing.Hash{tip}, depth, "blob:none")
	if err != nil {
		return nil, err
	}
	wanted := map[plumbing.Hash]bool{}
	for at, n := tip, 0; n < depth; n++ {
		c, err := object.GetCommit(objects, at)
		if err != nil {
			break // there is no more of it
		}
		if found, err := op.survey(objects, at); err == nil { // else nobody follows it
			for _, hash := range found.absent() {
				wanted[hash] = true
			}
		}
		if len(c.ParentHashes) == 0 {
			break
		}
		at = c.ParentHashes[0]
	}
	if len(wanted) == 0 {
		return objects, nil
	}
	return objects, op.bring(ctx, s, objects, slices.Collect(maps.Keys(wanted)))
}

// DirPast is Repo.Past for a folder on this machine, whose working tree is at hash. read
// are the files that will be read, as for Dir.
func DirPast(folder string, read []string, hash string, most int) (Past, error) {
	op := &operation{verb: "open", read: read, Repo: &Repo{name: folder, path: ".", max: DefaultMaxBytes}}
	abs, err := filepath.Abs(folder)
	if err != nil {
		return Past{}, op.fail(KindInvalid, "%v", err)
	}
	l, err := op.enclosing(abs)
	if err != nil || l == nil {
		return Past{}, err
	}
	op.path = below(l.worktree, abs)
	hash = strings.TrimSuffix(hash, dirty)
	return op.past(l, plumbing.NewHash(hash), hash, most)
}

// below returns where a folder is in its working tree; "." where it has none.
func below(worktree, abs string) string {
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	if rel, err := filepath.Rel(worktree, abs); err == nil && worktree != "" && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return "."
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

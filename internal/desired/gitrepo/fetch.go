package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"
)

// branchGone names some of the branches that are there: most often one of them
// was meant. Those of a remote count where no other is.
func (op *operation) branchGone(refs []string) *Error {
	const few = 5
	names, tagged := branchNames(refs, "refs/heads/"), slices.Contains(refs, "refs/tags/"+op.branch.Short())
	if len(names) == 0 {
		names = branchNames(refs, "refs/remotes/")
	}
	there := "there is no other branch either"
	if len(names) > 0 {
		there = "there is " + strings.Join(names[:min(few, len(names))], ", ")
	}
	if len(names) > few {
		there += fmt.Sprintf(" and %d more", len(names)-few)
	}
	if tagged {
		there = "there is a tag of this name, and only branches are followed; " + there
	}
	return op.fail(KindBranchGone, "branch %q does not exist (any more); %s", op.branch.Short(), there)
}

func branchNames(refs []string, prefix string) []string {
	var names []string
	for _, ref := range refs {
		if name, ok := strings.CutPrefix(ref, prefix); ok && !strings.HasSuffix(name, "/HEAD") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// receive downloads one commit: without its past where the server can leave that
// out, and without the files that are not read where it can leave out those.
func (op *operation) receive(ctx context.Context, s *server, hash plumbing.Hash) (Commit, error) {
	if s.filters() && (op.read != nil || op.path != ".") {
		commit, err := op.receivePart(ctx, s, hash)
		if _, no := errors.AsType[*refusal](err); !no {
			return commit, err
		}
		// It offers filters and does not let single files be fetched: then all.
		if s, err = op.dial(ctx); err != nil {
			return Commit{}, err
		}
		defer s.talk.Close()
	}
	op.unfiltered = true
	objects, err := op.download(ctx, s, memory.NewStorage(), []plumbing.Hash{hash}, 1, "")
	if err != nil {
		return Commit{}, err
	}
	return op.commit(objects, hash)
}

// receivePart downloads the commit and its trees, and then the files that are read.
func (op *operation) receivePart(ctx context.Context, s *server, hash plumbing.Hash) (Commit, error) {
	objects, err := op.download(ctx, s, memory.NewStorage(), []plumbing.Hash{hash}, 1, "blob:none")
	if err != nil {
		return Commit{}, err
	}
	found, err := op.survey(objects, hash)
	if err != nil {
		return Commit{}, err
	}
	if files := found.absent(); len(files) > 0 {
		if err := op.bring(ctx, s, objects, files); err != nil {
			return Commit{}, err
		}
	}
	return found.build()
}

// bring fetches single files into a store.
func (op *operation) bring(ctx context.Context, s *server, into *memory.Storage, files []plumbing.Hash) error {
	if !s.v2 { // one question a connection
		var err error
		if s, err = op.dial(ctx); err != nil {
			return err
		}
		defer s.talk.Close()
	}
	_, err := op.download(ctx, s, into, files, 0, "")
	return err
}

// download fetches objects into a store, see server.fetch.
func (op *operation) download(ctx context.Context, s *server, into *memory.Storage, wants []plumbing.Hash, depth int, filter string) (*memory.Storage, error) {
	pack, err := s.fetch(ctx, wants, depth, filter)
	if err != nil {
		return nil, err
	}
	if len(pack) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return into, op.unpackInto(into, pack)
}

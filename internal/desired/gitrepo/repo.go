package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// Repo follows one branch. It is safe for concurrent use and keeps nothing
// open between calls.
type Repo struct {
	endpoint *transport.Endpoint // never changed: go-git writes into the copies
	name     string              // for messages, without credentials
	branch   plumbing.ReferenceName
	path     string // as fs.ValidPath wants it
	read     selection
	auth     Auth
	timeout  time.Duration
	max      int64

	transport http.RoundTripper
	// noV2 remembers that the server answered protocol 0 where protocol 2
	// failed, so that not every look costs two requests.
	noV2 atomic.Bool
}

// Commit is one commit and what it holds.
type Commit struct {
	// Hash is the full hexadecimal name; of Dir also "<hash>+dirty" or empty.
	Hash string
	// Edited names a file of Dir that is not as the commit has it; empty when there
	// is none, or when that cannot be found out.
	Edited string
	// Author, Email and Subject are as somebody wrote them: not to be trusted,
	// but valid UTF-8 and without line ends.
	Author, Email, Subject string
	When                   time.Time // of the commit, not of the authoring
	// Parent is the hash of the first parent: what the branch was at before. Empty =
	// there is none, or nobody knows.
	Parent string
	// Tree names what Files holds: equal ones are the same files. Only of a Past.
	Tree string
	// Files is rooted at Options.Path. It implements fs.ReadDirFS,
	// fs.ReadFileFS, fs.StatFS and fs.ReadLinkFS.
	Files fs.FS
}

// String names the repository for people, without credentials.
func (r *Repo) String() string { return r.name }

// Tip asks which commit the branch is at and downloads nothing else.
func (r *Repo) Tip(ctx context.Context) (string, error) {
	return run(ctx, r, "look at", func(ctx context.Context, op *operation) (string, error) {
		hash, err := op.tip(ctx)
		if err != nil {
			return "", err
		}
		return hash.String(), nil
	})
}

// Pull returns the commit that the branch is at, and true, unless its hash is
// last: then the zero Commit and false. An empty last always pulls.
func (r *Repo) Pull(ctx context.Context, last string) (Commit, bool, error) {
	commit, err := run(ctx, r, "pull", func(ctx context.Context, op *operation) (Commit, error) {
		return op.pull(ctx, last)
	})
	return commit, commit.Hash != "", err
}

// At returns what lies at some paths below Options.Path in a commit, and no other file:
// what is not read by everybody who follows the branch, and large. Each path may be a
// file or a folder.
func (r *Repo) At(ctx context.Context, hash string, paths ...string) (Commit, error) {
	return run(ctx, r, "read from", func(ctx context.Context, op *operation) (Commit, error) {
		op.read = selection{}
		for _, p := range paths {
			if !fs.ValidPath(p) {
				return Commit{}, op.fail(KindInvalid, "%q is no path inside the repository", p)
			}
			op.read = append(op.read, At(p)...)
		}
		if op.endpoint.Protocol == "file" {
			l, err := op.openLocal()
			if err != nil {
				return Commit{}, err
			}
			return op.commit(l, plumbing.NewHash(hash))
		}
		s, err := op.dial(ctx)
		if err != nil {
			return Commit{}, err
		}
		defer s.talk.Close()
		return op.receive(ctx, s, plumbing.NewHash(hash))
	})
}

// operation is one call: its credentials, and what the wire has seen of it.
type operation struct {
	*Repo
	verb    string
	read    selection // the repository's own, unless a call reads something else
	budget  budget
	secrets secrets
	hostErr error // what the check of the SSH host key said
	status  int   // of the last HTTP response
	// unpacked is how many bytes the packs that came so far hold.
	unpacked   int64
	unfiltered bool  // files came that nobody reads, since the server cannot leave them out
	wireErr    error // of the last HTTP request, which go-git may have hidden in a text

	partial   bool // a clone on this machine that lacks objects on purpose
	spoken    bool // it was Git that answered
	v2Refused bool // the server answered, but not the question in protocol 2
}

// run does f under the deadline. f runs apart, so that the call returns even
// when something below does not obey the context; the connections it leaves
// behind are closed by the end of the context.
func run[T any](ctx context.Context, r *Repo, verb string, f func(context.Context, *operation) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	op := &operation{Repo: r, verb: verb, read: r.read}
	op.budget.reset(r.max)
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		var out outcome
		// go-git reads what a stranger sent: a panic in there is an error of
		// the data, not the end of the daemon.
		defer func() {
			if p := recover(); p != nil {
				out.err = op.fail(KindCorrupt, "reading what came failed badly: %v", p)
			}
			if t, ok := r.transport.(interface{ CloseIdleConnections() }); ok {
				t.CloseIdleConnections()
			}
			done <- out
		}()
		out.value, out.err = f(ctx, op)
		if out.err != nil {
			out.err = op.explain(ctx, out.err)
		}
	}()
	select {
	case out := <-done:
		return out.value, out.err
	case <-ctx.Done():
		var none T
		return none, ended(ctx, r, verb)
	}
}

// ended is the error of a call whose context is over. It looks at nothing that
// the abandoned work may still be writing.
func ended(ctx context.Context, r *Repo, verb string) *Error {
	message := "interrupted"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		message = fmt.Sprintf("no complete answer within %s", r.timeout)
	}
	return &Error{Op: verb, Repo: r.name, Kind: KindUnreachable, Message: message, cause: ctx.Err()}
}

func (op *operation) fail(kind Kind, format string, args ...any) *Error {
	return &Error{Op: op.verb, Repo: op.name, Kind: kind, Message: op.secrets.clean(fmt.Sprintf(format, args...))}
}

// tip finds the branch in the cheapest way the transport has.
func (op *operation) tip(ctx context.Context) (plumbing.Hash, error) {
	switch op.endpoint.Protocol {
	case "file":
		local, err := op.openLocal()
		if err != nil {
			return plumbing.ZeroHash, err
		}
		return local.tip(op)
	case "http", "https":
		if hash, ok, err := op.glance(ctx); ok || err != nil {
			return hash, err
		}
	}
	s, err := op.dial(ctx)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	defer s.talk.Close()
	return s.find(ctx, op)
}

// pull answers the zero Commit when the branch is still at last.
func (op *operation) pull(ctx context.Context, last string) (Commit, error) {
	if op.endpoint.Protocol == "file" {
		return op.pullLocal(last)
	}
	if last != "" && op.endpoint.Protocol != "ssh" {
		hash, ok, err := op.glance(ctx)
		if err != nil || ok && hash.String() == last {
			return Commit{}, err
		}
	}
	s, err := op.dial(ctx)
	if err != nil {
		return Commit{}, err
	}
	defer s.talk.Close()
	// What this connection says is what is fetched: the branch may have moved since
	// the look.
	hash, err := s.find(ctx, op)
	if err != nil || hash.String() == last {
		return Commit{}, err
	}
	op.budget.reset(op.max) // the list of refs was counted apart
	return op.receive(ctx, s, hash)
}

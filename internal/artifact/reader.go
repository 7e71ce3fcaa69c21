package artifact

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// Objects reads S3 as one account in one Region. archive/s3.Client is one.
type Objects interface {
	// Head returns an object as it is now, or one version of it.
	Head(ctx context.Context, bucket, key, version string) (archive.Object, error)
	// Read writes what an object has to a writer.
	Read(ctx context.Context, o archive.Object, to io.Writer) error
}

// Options are where archives are read from.
type Options struct {
	// Objects connects to S3 with the rights of an environment.
	Objects func(context.Context, desired.Environment) (Objects, error)
	// Files returns what lies at a path of the repository in a commit, and maybe more;
	// nil = there is no repository. A *RefusedError is why there is nothing to be read.
	Files func(ctx context.Context, commit, name string) (fs.FS, error)
	// Store remembers what was found good; nil = only this process does. Repository is
	// the identity of the repository, which is part of the keys.
	Store      store.Store
	Repository string
	Log        *slog.Logger // nil = no log
}

// RefusedError is why a path of a repository holds no archive.
type RefusedError struct{ Code, Message, Suggestion string }

func (e *RefusedError) Error() string { return e.Message }

// Reader looks into archives. It is safe for concurrent use.
type Reader struct {
	Options
	// contents is what archives that were found good have in them.
	contents *inspect.Memory

	mu sync.Mutex // guards all below
	// turns hold one token each: who has it reads an archive. Each environment has one of
	// its own for objects, so that one that stalls takes nobody else's time, and a disk
	// has to hold one object for each of them. What lies in the repository is held in
	// memory until it is sent, and comes from one Git: it has one turn for all,
	// repositoryTurn.
	turns  map[string]chan struct{}
	good   map[wanted]good
	judged map[judged]state.Content
	seen   map[sight]bool
}

// wanted is what is pinned: a version of a layer, and where its archive is. The commit of a
// path in the repository is not in it.
type wanted struct{ location, layer, version string }

func wantedOf(a state.Artifact) wanted { return wanted{a.Location, a.Layer, a.Version} }

// good is what was found good.
type good struct {
	judged
	content state.Content
}

// judged is something that cannot change, and what it was held against.
type judged struct {
	object        archive.Object // of S3
	location      string         // in the repository
	commit        string
	layer         string // whose name and version a folder's zip has in it
	version       string
	runtimes      string
	architectures string
}

// sight is an object as a place has seen it, with the rights that it has there.
type sight struct {
	account, region, role string
	object                archive.Object
}

// most is how many things are remembered in memory before all are forgotten.
const most = 2000

// New returns a Reader.
func New(o Options) *Reader {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Reader{Options: o, turns: map[string]chan struct{}{}, good: map[wanted]good{}, judged: map[judged]state.Content{}, seen: map[sight]bool{}}
	r.contents = &inspect.Memory{Store: o.Store, Log: o.Log}
	return r
}

// Look returns what an archive is. An error means that nobody knows.
func (r *Reader) Look(ctx context.Context, env desired.Environment, a state.Artifact) (state.Content, error) {
	var found state.Content
	var err error
	if bucket, key, ok := a.S3(); ok {
		found, err = r.lookAtObject(ctx, env, a, bucket, key)
	} else {
		found, err = r.lookAtPath(ctx, a)
	}
	if err != nil {
		return state.Content{}, err
	}
	return against(found, a), nil
}

// Open returns an archive for publishing, which is to be closed. It is an error,
// state.LookAgain, if it is not what it was found to be any more.
func (r *Reader) Open(ctx context.Context, env desired.Environment, a state.Artifact, was state.Content) (apply.Source, error) {
	bucket, key, inS3 := a.S3()
	var now state.Content
	var src apply.Source
	var err error
	if inS3 {
		// What was seen may have been deleted or closed since: Lambda would not find it.
		r.overlook(env, bucket, key)
		now, err = r.lookAtObject(ctx, env, a, bucket, key)
		src = apply.Source{Bucket: bucket, Key: key, ObjectVersion: now.ObjectVersion}
	} else {
		now, src, err = r.openPath(ctx, a)
	}
	if err != nil {
		src.Close()
		return apply.Source{}, err
	}
	if now = against(now, a); now.Code != "" || now.SHA256 != was.SHA256 || now.ObjectVersion != was.ObjectVersion {
		why := now.Message
		if now.Code == "" {
			why = fmt.Sprintf("it has sha256:%s by now, and had sha256:%s", now.SHA256, was.SHA256)
		}
		src.Close()
		return apply.Source{}, &state.Error{Op: "read", Resource: a.Location, Kind: state.LookAgain, Message: why}
	}
	return src, nil
}

// Inside returns which packages an archive has that was found good, by its SHA-256, in this
// process or one before it. Nothing is read for it.
func (r *Reader) Inside(ctx context.Context, sha256 string) (inspect.Contents, bool) {
	return r.contents.GetArchive(ctx, sha256)
}

// repositoryTurn is whose turn it is to read from the repository: an environment has a
// name.
const repositoryTurn = ""

// take waits for the turn to have an archive, of an environment or of the repository, which
// ends with the first call of release.
func (r *Reader) take(ctx context.Context, whose string) (release func(), err error) {
	r.mu.Lock()
	turn := r.turns[whose]
	if turn == nil {
		turn = make(chan struct{}, 1)
		turn <- struct{}{}
		r.turns[whose] = turn
	}
	r.mu.Unlock()
	select {
	case <-turn:
		return sync.OnceFunc(func() { turn <- struct{}{} }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

package artifact

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

func judgedFor(a state.Artifact) judged {
	return judged{runtimes: a.Runtimes, architectures: a.Architectures}
}

// saw reports whether a place has seen an object in this process, with its own rights.
func (r *Reader) saw(env desired.Environment, o archive.Object) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[sightOf(env, o)]
}

func (r *Reader) note(env desired.Environment, o archive.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) >= most {
		clear(r.seen)
	}
	r.seen[sightOf(env, o)] = true
}

func sightOf(env desired.Environment, o archive.Object) sight {
	return sight{env.Account, env.Region, env.Role, o}
}

// overlook forgets that a place has seen an object.
func (r *Reader) overlook(env desired.Environment, bucket, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.seen {
		if s.object.Bucket == bucket && s.object.Key == key && s == sightOf(env, s.object) {
			delete(r.seen, s)
		}
	}
}

// pinned returns what was found good for an artifact; zero = nothing yet. An error means
// that the store was not read: what is pinned is not known, and nothing else may be pinned.
func (r *Reader) pinned(ctx context.Context, a state.Artifact) (good, error) {
	r.mu.Lock()
	g, ok := r.good[wantedOf(a)]
	r.mu.Unlock()
	if ok {
		return g, nil
	}
	g, err := r.load(ctx, a)
	if err != nil {
		return good{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.good) >= most {
		clear(r.good)
	}
	r.good[wantedOf(a)] = g // also that nothing is kept: the store is asked once
	return g, nil
}

// Known returns what the archive of a version was found to be when it was last looked at
// and was good, in this process or one before it. Nothing is read for it.
func (r *Reader) Known(ctx context.Context, a state.Artifact) (state.Content, bool) {
	g, err := r.pinned(ctx, a)
	return g.content, err == nil && g.content.SHA256 != ""
}

func (r *Reader) unpin(a state.Artifact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.good[wantedOf(a)] = good{}
}

// known returns what something that cannot change was found to be.
func (r *Reader) known(ctx context.Context, a state.Artifact, what judged) (state.Content, bool) {
	if g, err := r.pinned(ctx, a); err == nil && g.judged == what && g.content.SHA256 != "" {
		return g.content, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.judged[what]
	return found, ok
}

// remember keeps what something that cannot change was found to be. What is bad is
// kept in this process only, and pins nothing: it is to be replaced.
func (r *Reader) remember(ctx context.Context, a state.Artifact, what judged, found state.Content) {
	r.mu.Lock()
	if len(r.judged) >= most {
		clear(r.judged)
	}
	r.judged[what] = found
	right := found.Code == "" && (a.SHA256 == "" || a.SHA256 == found.SHA256)
	if right {
		r.good[wantedOf(a)] = good{what, found}
	}
	r.mu.Unlock()
	if right {
		r.save(ctx, a, good{what, found})
	}
}

// document is what the store has of one layer's archives. Stored: names and meanings
// stay.
type document struct {
	V     int     `json:"v"`
	Found []entry `json:"found"` // the newest last
}

// entry is one archive that was found good.
type entry struct {
	Location string `json:"location"`
	Version  string `json:"version"` // of the layer
	// ObjectVersion and ETag are of an object, Commit of a path in the repository.
	ObjectVersion string `json:"object_version,omitempty"`
	ETag          string `json:"etag,omitempty"`
	Commit        string `json:"commit,omitempty"`
	Runtimes      string `json:"runtimes,omitempty"`
	Architectures string `json:"architectures,omitempty"`
	SHA256        string `json:"sha256"`
	Size          int64  `json:"size"`
	Unzipped      int64  `json:"unzipped"`
	Checks        int    `json:"checks"`
}

const (
	docVersion = 1
	keepMost   = 100 // archives of one layer
)

func (r *Reader) docs() store.Documents[document] {
	return store.Documents[document]{Store: r.Store, Version: docVersion}
}

func (r *Reader) key(a state.Artifact) string {
	return store.Key("artifacts", r.Repository, a.Layer)
}

// load reads what the store knows of an artifact. What is damaged there does not mend
// itself: the archive is looked at anew then.
func (r *Reader) load(ctx context.Context, a state.Artifact) (good, error) {
	if r.Store == nil {
		return good{}, nil
	}
	doc, _, err := r.docs().Get(ctx, r.key(a))
	if errors.Is(err, store.ErrCorrupt) {
		r.Log.Warn("what is kept of archives is damaged", "layer", a.Layer, "err", err)
		return good{}, nil
	}
	if err != nil {
		return good{}, fmt.Errorf("read which archive of %s was looked at before: %w", a.Layer, err)
	}
	for _, e := range doc.Found {
		if e.Location == a.Location && e.Version == a.Version && e.Checks == checks {
			return e.good(a), nil
		}
	}
	return good{}, nil
}

func (e entry) good(a state.Artifact) good {
	g := good{
		judged:  judged{runtimes: e.Runtimes, architectures: e.Architectures},
		content: state.Content{SHA256: e.SHA256, Size: e.Size, Unzipped: e.Unzipped, ObjectVersion: e.ObjectVersion},
	}
	if bucket, key, ok := a.S3(); ok {
		g.object = archive.Object{Bucket: bucket, Key: key, Version: e.ObjectVersion, ETag: e.ETag, Size: e.Size}
	} else {
		g.location, g.commit, g.layer, g.version = e.Location, e.Commit, a.Layer, e.Version
	}
	return g
}

// save keeps what was found good, for the processes after this one. A store that takes
// nothing, as that of a plan, is no failure: it is read again then.
func (r *Reader) save(ctx context.Context, a state.Artifact, g good) {
	if r.Store == nil {
		return
	}
	e := entry{
		Location: a.Location, Version: a.Version, ObjectVersion: g.object.Version, ETag: g.object.ETag, Commit: g.commit,
		Runtimes: a.Runtimes, Architectures: a.Architectures, SHA256: g.content.SHA256, Size: g.content.Size, Unzipped: g.content.Unzipped, Checks: checks,
	}
	err := r.docs().Update(ctx, r.key(a), func(d *document) bool {
		if slices.Contains(d.Found, e) {
			return false
		}
		d.V = docVersion
		d.Found = slices.DeleteFunc(d.Found, func(old entry) bool { return old.Location == e.Location && old.Version == e.Version })
		d.Found = append(d.Found[max(0, len(d.Found)-keepMost+1):], e)
		return true
	})
	if err != nil {
		r.Log.Debug("archive not remembered", "location", a.Location, "err", err)
	}
}

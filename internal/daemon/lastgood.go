package daemon

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/strictyaml"
)

// lastGood is the last commit at which an environment was valid and resolved in
// AWS.
type lastGood struct {
	hash, author, subject string
	when                  time.Time // of the commit
	files                 fs.FS
	at                    time.Time             // when it was last seen to be valid
	envs                  []desired.Environment // what it wanted then; nil = not read yet
	saved                 bool                  // it is in the store
}

// lastGoodDoc is the stored head of a lastGood. The files are a zip archive, cut
// into parts: a store's values are small. Stored: names and meanings stay.
type lastGoodDoc struct {
	V       int       `json:"v"`
	Hash    string    `json:"hash"`
	Author  string    `json:"author"`
	Subject string    `json:"subject"`
	When    time.Time `json:"when"`
	At      time.Time `json:"at"`
	// Slot is which of two sets of parts belongs to it: the other one is written
	// while this one may still be read.
	Slot  int `json:"slot"`
	Parts int `json:"parts"`
}

const docVersion = 1

// partSize keeps a part below store.MaxValue.
const partSize = 300 << 10

func (d *Daemon) lastGoodKey(environment string, more ...string) string {
	return lastGoodKey(d.Repository, environment, more...)
}

func lastGoodKey(repository, environment string, more ...string) string {
	return store.Key(append([]string{"desired", repository, environment}, more...)...)
}

func (d *Daemon) lastGoodDocs() store.Documents[lastGoodDoc] {
	return store.Documents[lastGoodDoc]{Store: d.Store, Version: docVersion}
}

// saveLastGood stores the last good commit of an environment, unless it is stored
// already. The head is written last: a kill in between leaves the old one.
func (d *Daemon) saveLastGood(ctx context.Context, environment string) error {
	d.mu.Lock()
	kept := d.lastGood[environment]
	if kept == nil || kept.saved {
		d.mu.Unlock()
		return nil
	}
	g := *kept // what changes of it does so under the lock
	d.mu.Unlock()
	old, v, err := d.lastGoodDocs().Get(ctx, d.lastGoodKey(environment))
	if err != nil {
		return fmt.Errorf("read the last good commit of %s: %w", environment, err)
	}
	if old.Hash != g.hash || old.Hash == "" {
		data, err := archive(g.files, environment)
		if err != nil {
			return fmt.Errorf("pack %s for %s: %w", g.hash, environment, err)
		}
		doc := lastGoodDoc{V: docVersion, Hash: g.hash, Author: g.author, Subject: g.subject, When: g.when.UTC(), At: g.at.UTC(), Slot: 1 - old.Slot}
		for ; len(data) > partSize*doc.Parts; doc.Parts++ {
			part := data[partSize*doc.Parts : min(len(data), partSize*(doc.Parts+1))]
			if err := d.put(ctx, d.lastGoodKey(environment, fmt.Sprint(doc.Slot), fmt.Sprint(doc.Parts)), part); err != nil {
				return fmt.Errorf("keep the last good commit of %s: %w", environment, err)
			}
		}
		if _, err := d.lastGoodDocs().Write(ctx, d.lastGoodKey(environment), v.Revision, &doc); err != nil {
			return fmt.Errorf("keep the last good commit of %s: %w", environment, err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	kept.saved = true
	return nil
}

// dropLastGood deletes what is stored of an environment that was removed: a
// daemon that starts without Git would look after it again. The slot stays, so
// that what is written next goes to the other.
func (d *Daemon) dropLastGood(ctx context.Context, environment string) error {
	doc, v, err := d.lastGoodDocs().Get(ctx, d.lastGoodKey(environment))
	if err != nil || doc.Hash == "" {
		return err
	}
	_, err = d.lastGoodDocs().Write(ctx, d.lastGoodKey(environment), v.Revision, &lastGoodDoc{V: docVersion, Slot: doc.Slot})
	return err
}

// loadLastGood reads the last good commits and the four revisions of all
// environments, for a start while Git is out of reach or invalid. What cannot
// be read is logged and left out: a newer commit will replace it.
func (d *Daemon) loadLastGood(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, d.keeper.Term()/3)
	defer cancel()
	names, err := d.lastGoodNames(asking)
	if err != nil {
		d.storeFails(err)
		return
	}
	d.lastGoodLoaded.Store(true)
	for _, name := range names {
		if err := d.loadLastGoodOf(asking, name); err != nil && ctx.Err() == nil {
			d.Log.Error("last good commit not read", "env", name, "err", err)
		}
	}
	applied, err := appliers(asking, d.Store, d.Repository)
	if err != nil && ctx.Err() == nil {
		d.Log.Error("not read who has applied what", "err", err)
	}
	d.mu.Lock()
	d.view, d.applied = nil, applied
	d.mu.Unlock()
}

func (d *Daemon) lastGoodNames(ctx context.Context) ([]string, error) {
	var names []string
	for v, err := range d.Store.List(ctx, store.Query{Prefix: store.Prefix("desired", d.Repository)}) {
		if err != nil {
			return nil, err
		}
		segments, err := store.Split(v.Key)
		if err != nil {
			return nil, err
		}
		if len(segments) == 3 {
			names = append(names, segments[2])
		}
	}
	return names, nil
}

func (d *Daemon) loadLastGoodOf(ctx context.Context, environment string) error {
	doc, _, err := d.lastGoodDocs().Get(ctx, d.lastGoodKey(environment))
	if err != nil || doc.Hash == "" {
		return err
	}
	d.mu.Lock()
	known := d.lastGood[environment]
	same := known != nil && known.hash == doc.Hash
	if same {
		known.saved = true
	}
	d.mu.Unlock()
	if same {
		return nil
	}
	files, err := unpack(ctx, d.Store, doc, func(part string) string { return d.lastGoodKey(environment, fmt.Sprint(doc.Slot), part) })
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := d.lastGood[environment]; now == nil || now == known {
		d.lastGood[environment] = &lastGood{hash: doc.Hash, author: doc.Author, subject: doc.Subject, when: doc.When, files: files, at: doc.At, saved: true}
	}
	return nil
}

// unpack reads the files of a last good commit.
func unpack(ctx context.Context, s store.Store, doc lastGoodDoc, key func(part string) string) (fs.FS, error) {
	var data []byte
	for i := range doc.Parts {
		v, err := s.Get(ctx, key(fmt.Sprint(i)))
		if err != nil {
			return nil, err
		}
		data = append(data, v.Data...)
	}
	files, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w: %w", store.ErrCorrupt, err)
	}
	return files, nil
}

// LastGood returns the last good commit of an environment as a daemon has kept it, for
// whoever has to act while what Git has now cannot be used, and when it was last seen
// to be valid. Its Hash is empty where none is kept.
func LastGood(ctx context.Context, s store.Store, repository, environment string) (c gitrepo.Commit, at time.Time, err error) {
	docs := store.Documents[lastGoodDoc]{Store: s, Version: docVersion}
	doc, _, err := docs.Get(ctx, lastGoodKey(repository, environment))
	if err != nil || doc.Hash == "" {
		return c, at, err
	}
	files, err := unpack(ctx, s, doc, func(part string) string { return lastGoodKey(repository, environment, fmt.Sprint(doc.Slot), part) })
	if err != nil {
		return c, at, fmt.Errorf("read the last good commit of %s: %w", environment, err)
	}
	return gitrepo.Commit{Hash: doc.Hash, Author: doc.Author, Subject: doc.Subject, When: doc.When, Files: files}, doc.At, nil
}

// archive packs the files that desired.Load may look at for one environment. Of the
// others only the names are needed: where one of their files cannot be read, it is
// empty here, and so is a layer left out that this environment was valid without.
func archive(files fs.FS, environment string) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	own := "environments/" + environment + ".yaml"
	err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil && name != "." && name != "environments":
			return nil // what could not be read then was not needed
		case err != nil || e.IsDir() || !desired.Reads(name):
			return err
		}
		data, err := readDesired(files, name, e)
		switch {
		case err == nil:
		case name == own || name == "layerd.yaml":
			return err
		case path.Dir(name) != "environments":
			return nil
		}
		w, err := z.Create(name)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// readDesired reads a file as desired.Load does: no link, and nothing that is too
// large.
func readDesired(files fs.FS, name string, e fs.DirEntry) ([]byte, error) {
	if !e.Type().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	data, err := strictyaml.ReadFile(files, name)
	if err == nil && len(data) > strictyaml.MaxFileBytes {
		err = &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	return data, err
}

// put writes over whatever is there.
func (d *Daemon) put(ctx context.Context, key string, data []byte) error {
	v, err := d.Store.Get(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		_, err = d.Store.Create(ctx, key, data)
	case err == nil && !bytes.Equal(v.Data, data):
		_, err = d.Store.Replace(ctx, key, v.Revision, data)
	}
	return err
}

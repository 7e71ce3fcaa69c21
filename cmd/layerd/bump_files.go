package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/bump"
	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// inUse returns the versions of the layer that are live in the environments, and those
// that layerd has applied there. What cannot be found out is a note.
func (a *app) inUse(ctx context.Context, f bumpFlags, b bumping) (known []bump.Known, notes []string, err error) {
	spec, err := a.whichStore(f.store, b.src.tree)
	if err != nil {
		return nil, nil, err
	}
	s, err := a.openToRead(ctx, spec)
	if err != nil {
		notes = append(notes, "what layerd has applied is not known: "+plainCause(err).Error())
		s = nil
	}
	if s != nil {
		defer s.Close()
	}
	connect, err := a.connector(ctx, daemon.AWSOptions{Logger: a.logger()})
	if err != nil {
		return nil, nil, err
	}
	for _, env := range f.envs {
		for _, e := range b.src.tree.Environments {
			if e.Name != env {
				continue
			}
			for _, w := range e.Layers {
				if w.Name != b.layer || !w.Owned || w.Layer == "" {
					continue
				}
				where := e.Name + ", " + e.Region
				labels, err := labelsOf(ctx, connect, s, b.src.repository, e, w)
				if err != nil {
					notes = append(notes, fmt.Sprintf("what is live in %s is not known: %v", where, plainCause(err)))
				}
				for _, v := range labels {
					known = append(known, bump.Known{Version: v, Where: "it is live in " + where})
				}
			}
		}
	}
	return known, notes, nil
}

// labelsOf returns the semantic versions of a layer that are live, as far as AWS answers,
// and those that were applied. A nil store knows nothing.
func labelsOf(ctx context.Context, connect connector, s store.Store, repository string, e desired.Environment, w desired.LayerWish) ([]*semver.Version, error) {
	var applied map[string]int64
	var pastErr error
	if s != nil {
		past, err := history.Open(s, repository).Past(ctx, e.Name, e.Region)
		applied, pastErr = past.Layers[w.Layer].Numbers, err
	}
	snap := &state.Snapshot{Layers: []state.Layer{{ARN: w.Layer}}}
	cloud, err := connect(ctx, e)
	if err == nil {
		err = cloud.Check(ctx)
	}
	if err == nil {
		snap.Layers[0].Versions, err = cloud.LayerVersions(ctx, w.Layer)
	}
	var list []*semver.Version
	for _, text := range catalog.New(w, snap, applied).Labels() {
		if v := bump.Parse(text); v != nil {
			list = append(list, v)
		}
	}
	for text := range applied {
		if v := bump.Parse(text); v != nil {
			list = append(list, v)
		}
	}
	return list, errors.Join(err, pastErr)
}

// bumpFiles returns the files as they are with the next version in them, by name in the
// repository; those that have it already are left out.
func (a *app) bumpFiles(ctx context.Context, f bumpFlags, b bumping, next *semver.Version) (map[string][]byte, error) {
	read := func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(b.root, filepath.FromSlash(name))) }
	places, err := bump.Places(b.src.tree, f.envs, b.layer)
	if err != nil {
		return nil, usage("nothing was written", "%w", err)
	}
	files, err := bump.ReplaceAll(read, places, next)
	if err != nil {
		return nil, usage("nothing was written", "%w", err)
	}
	if err := a.checkBump(ctx, f, b, files, next); err != nil {
		return nil, err
	}
	name := path.Join(b.folder, versionFile)
	now, err := read(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the layer's version: %w", err)
	}
	committed, _, err := b.history.File(versionFile)
	if err != nil {
		return nil, err
	}
	if v := bump.Parse(string(now)); v != nil && !v.Equal(next) && !v.Equal(orZero(bump.Parse(string(committed)))) {
		return nil, usage("commit it or take it back", "%s has %s, which is not committed; nothing was written", name, v)
	}
	files[name] = bump.ReplaceVersionFile(now, next.String())
	for name, data := range files {
		if was, err := read(name); err == nil && string(was) == string(data) {
			delete(files, name)
		}
	}
	return files, nil
}

func orZero(v *semver.Version) *semver.Version {
	if v == nil {
		return &semver.Version{}
	}
	return v
}

// checkBump reads the repository as it would be, before anything is written.
func (a *app) checkBump(ctx context.Context, f bumpFlags, b bumping, files map[string][]byte, next *semver.Version) error {
	after, err := a.want(ctx, source{files: overlay{b.src.files, files}, revision: b.src.revision}, desired.Options{})
	if err != nil {
		return err
	}
	return bump.Check(b.src.tree, after, f.envs, b.layer, next)
}

// overlay is a repository of which some files have another content.
type overlay struct {
	fs.FS
	files map[string][]byte
}

// Open implements fs.FS.
func (o overlay) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	if data, ok := o.files[name]; err == nil && ok {
		return rewritten{f, bytes.NewReader(data)}, nil
	}
	return f, err
}

// rewritten is a file with another content.
type rewritten struct {
	fs.File
	content *bytes.Reader
}

// Read implements fs.File.
func (r rewritten) Read(p []byte) (int, error) { return r.content.Read(p) }

// replaceFiles writes files of a repository. All are written beside their places first,
// and then take them; where one cannot, the others are as they were.
func replaceFiles(root string, files map[string][]byte) (err error) {
	type written struct{ tmp, name string }
	var ready []written
	defer func() {
		for _, w := range ready {
			_ = os.Remove(w.tmp) // gone where all went well
		}
	}()
	before := map[string][]byte{}
	for name, data := range files {
		at := filepath.Join(root, filepath.FromSlash(name))
		mode := fs.FileMode(0o644)
		if info, err := os.Lstat(at); err == nil {
			if !info.Mode().IsRegular() {
				return fmt.Errorf("write %s: it is no plain file", name)
			}
			mode = info.Mode().Perm()
			if before[at], err = os.ReadFile(at); err != nil {
				return fmt.Errorf("write %s: %w", name, plainCause(err))
			}
		}
		tmp, err := os.CreateTemp(filepath.Dir(at), ".layerd-*")
		if err != nil {
			return fmt.Errorf("write %s: %w", name, plainCause(err))
		}
		ready = append(ready, written{tmp.Name(), at})
		_, writeErr := tmp.Write(data)
		if err := errors.Join(writeErr, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
			return fmt.Errorf("write %s: %w", name, plainCause(err))
		}
	}
	for i, w := range ready {
		if err := os.Rename(w.tmp, w.name); err != nil {
			for _, done := range ready[:i] {
				err = errors.Join(err, putBack(done.name, before[done.name]))
			}
			return fmt.Errorf("write %s: %w", w.name, plainCause(err))
		}
	}
	return nil
}

func putBack(name string, data []byte) error {
	if data == nil {
		return os.Remove(name)
	}
	return os.WriteFile(name, data, 0o644)
}

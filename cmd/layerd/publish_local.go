package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/artifact"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state"
)

// localArchive reads one layer's archive from a file of this machine.
type localArchive struct {
	location string // its name
	version  string // that it is, and no other
	reader   *artifact.Reader
	rest     round.Artifacts
}

// localArchive returns what --artifact names; nil = nothing.
func (f *publishFlags) localArchive() (*localArchive, error) {
	if f.artifact == "" {
		return nil, nil
	}
	info, err := os.Stat(f.artifact)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage("layerd build makes one", "--artifact %s: there is no such file", f.artifact)
	case err != nil:
		return nil, fmt.Errorf("--artifact: %w", err)
	case !info.Mode().IsRegular():
		return nil, usage("layerd build makes a zip of a folder", "--artifact %s is not a file", f.artifact)
	}
	path, err := filepath.Abs(f.artifact)
	if err != nil {
		return nil, fmt.Errorf("--artifact: %w", err)
	}
	folder := os.DirFS(filepath.Dir(path))
	files := func(context.Context, string, string) (fs.FS, error) { return folder, nil }
	return &localArchive{location: filepath.Base(path), reader: artifact.New(artifact.Options{Files: files})}, nil
}

func (l *localArchive) of(a state.Artifact) round.Artifacts {
	if a.Location == l.location && a.Version == l.version {
		return l.reader
	}
	return l.rest
}

// Look is round.Artifacts.
func (l *localArchive) Look(ctx context.Context, e desired.Environment, a state.Artifact) (state.Content, error) {
	return l.of(a).Look(ctx, e, a)
}

// Open is round.Artifacts.
func (l *localArchive) Open(ctx context.Context, e desired.Environment, a state.Artifact, found state.Content) (apply.Source, error) {
	return l.of(a).Open(ctx, e, a, found)
}

// Inside is round.Artifacts.
func (l *localArchive) Inside(ctx context.Context, sha256 string) (inspect.Contents, bool) {
	if c, ok := l.reader.Inside(ctx, sha256); ok || l.rest == nil {
		return c, ok
	}
	return l.rest.Inside(ctx, sha256)
}

// sum is the SHA-256 of the file that a version is to be made of; empty where none is
// named.
func (l *localArchive) sum(ctx context.Context, w wantedVersion) (string, error) {
	if l == nil {
		return "", nil
	}
	a := state.Artifact{Location: l.location, Layer: w.layer, Version: w.version.Semver.String()}
	found, err := l.reader.Look(ctx, desired.Environment{}, a)
	return found.SHA256, err
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/state/awslambda"
)

// opening reads what is in a zip: archive.Open, or archive.Skim where what is compiled does
// not matter and the most of it need not come.
type opening = func(io.ReaderAt, int64) (*archive.Contents, error)

// fetchArchive reads the zip behind a link of AWS. Whoever has the link can read the
// archive: it is in no error.
func fetchArchive(ctx context.Context, c daemon.Connection, location string, size int64, open opening) (found inspect.Archive) {
	if location == "" {
		return inspect.Archive{Unread: "AWS has no copy of it that could be read"}
	}
	err := c.ReadAddress(ctx, location, size, func(r io.ReaderAt) (err error) {
		found.Contents, err = open(r, size)
		return err
	})
	if err != nil {
		return inspect.Archive{Unread: "it was not read: " + err.Error()}
	}
	return found
}

// fetchLayer reads the archive of a layer version, also of one that stays in a bucket.
func fetchLayer(ctx context.Context, c daemon.Connection, v state.LayerVersionARN, p awslambda.Published) (found inspect.Archive) {
	if p.Location != "" {
		return fetchArchive(ctx, c, p.Location, p.Size, archive.Open)
	}
	err := c.ReadLayer(ctx, v, func(a daemon.LayerArchive) (err error) {
		found.Contents, err = archive.Open(a, a.Size)
		return err
	})
	if err != nil {
		return inspect.Archive{Unread: "it stays in a bucket, and was not read: " + err.Error()}
	}
	return found
}

// openArchive reads a zip on this machine.
func openArchive(name string) (*archive.Contents, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usage("--layer takes a zip, or the ARN of a layer version", "--layer %s: %w", name, plainCause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, usage("name the zip; layerd build makes one of a folder", "--layer %s is no file", name)
	}
	c, err := archive.Open(f, info.Size())
	if err != nil {
		return nil, &exitError{code: exitFailed, err: fmt.Errorf("%s: %w", name, err), hint: "name a zip as Lambda takes it"}
	}
	return c, nil
}

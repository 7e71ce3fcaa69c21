package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/words"
)

const (
	// mostDownload is larger than any zip that Lambda takes: 250 MB unzipped.
	mostDownload = archive.MaxUnzipped + 50<<20
	// downloadTimeout bounds one archive.
	downloadTimeout = 5 * time.Minute
)

// fetchArchive reads the zip behind a link of AWS through a temporary file. Whoever has
// the link can read the archive: it is in no error.
func fetchArchive(ctx context.Context, location string) inspect.Archive {
	if location == "" {
		return inspect.Archive{Unread: "AWS has no copy of it: it stays in a bucket of its owner"}
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	file, size, err := download(ctx, location)
	if err != nil {
		return inspect.Archive{Unread: "it was not downloaded: " + withoutLink(err).Error()}
	}
	defer os.Remove(file.Name())
	defer file.Close()
	c, err := archive.Open(file, size)
	if err != nil {
		return inspect.Archive{Unread: "it was downloaded, and cannot be read: " + err.Error()}
	}
	return inspect.Archive{Contents: c}
}

// withoutLink takes the link out of an error of net/http.
func withoutLink(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// download writes what a link leads to into a temporary file, which the caller removes.
func download(ctx context.Context, location string) (file *os.File, size int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, 0, errors.New("AWS's link to it makes no sense")
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("the answer was %s", answer.Status)
	}
	if file, err = os.CreateTemp("", "layerd-*.zip"); err != nil {
		return nil, 0, err
	}
	size, err = io.Copy(file, io.LimitReader(answer.Body, mostDownload+1))
	if err == nil && size > mostDownload {
		err = fmt.Errorf("it is larger than %s, and no function could have it", words.Bytes(mostDownload))
	}
	if err != nil {
		file.Close()
		os.Remove(file.Name())
		return nil, 0, err
	}
	return file, size, nil
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

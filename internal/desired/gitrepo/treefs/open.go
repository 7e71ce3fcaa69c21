package treefs

import (
	"errors"
	"io"
	"io/fs"
)

var (
	errFolder   = errors.New("is a folder")
	errNoFolder = errors.New("is not a folder")
)

// openFile reads one file of a Tree. The content is opened at the first Read,
// so that a file which cannot be read can still be opened and described.
type openFile struct {
	node   *node
	path   string
	reader io.ReadCloser
	closed bool
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.node, nil }

func (f *openFile) Read(p []byte) (int, error) {
	if f.closed {
		return 0, &fs.PathError{Op: "read", Path: f.path, Err: fs.ErrClosed}
	}
	if f.reader == nil {
		r, err := f.node.file.Open()
		if err != nil {
			return 0, &fs.PathError{Op: "read", Path: f.path, Err: err}
		}
		f.reader = r
	}
	return f.reader.Read(p)
}

func (f *openFile) Close() error {
	f.closed = true
	if f.reader == nil {
		return nil
	}
	return f.reader.Close()
}

// openFolder lists a folder whose entries were read beforehand.
type openFolder struct {
	info fs.FileInfo
	path string
	rest []fs.DirEntry // not delivered yet
}

func (f *openFolder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFolder) Close() error               { return nil }

func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.path, Err: errFolder}
}

// ReadDir follows fs.ReadDirFile: all of the rest for n <= 0, else at most n
// and io.EOF when there is none.
func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(f.rest) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(f.rest) {
		n = len(f.rest)
	}
	entries := make([]fs.DirEntry, n)
	copy(entries, f.rest)
	f.rest = f.rest[n:]
	return entries, nil
}

// openLink is a symbolic link: it can be described, and reading it fails.
type openLink struct {
	info fs.FileInfo
	path string
}

func (f *openLink) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openLink) Close() error               { return nil }

func (f *openLink) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.path, Err: ErrLink}
}

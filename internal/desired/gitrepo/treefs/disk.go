package treefs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// ErrTooLarge is what reading a file above the limit of a Disk answers.
var ErrTooLarge = errors.New("is larger than is read from a repository")

var errIrregular = errors.New("is neither a file nor a folder")

// Disk is a folder on disk as an fs.FS. os.Root keeps every access inside the
// folder even when entries are swapped while they are looked at; on top of
// that no link is followed, also not one that stays inside.
type Disk struct {
	root   *os.Root // closed by the garbage collector: a Commit has no Close
	max    int64
	sealed map[string]error // folders that are not read, and why
}

var (
	_ fs.ReadDirFS  = (*Disk)(nil)
	_ fs.ReadFileFS = (*Disk)(nil)
	_ fs.StatFS     = (*Disk)(nil)
	_ fs.ReadLinkFS = (*Disk)(nil)
)

// OpenDisk opens dir. The name dir itself may be a link: it is what the user
// typed. Files above max bytes are listed and not read.
func OpenDisk(dir string, max int64) (*Disk, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	return &Disk{root: root, max: max}, nil
}

// Seal makes reading a folder, or anything below it, fail with the error that is
// given for its path. It must be called before the Disk is read.
func (d *Disk) Seal(folders map[string]error) { d.sealed = folders }

// look describes name and refuses to pass through a link or a sealed folder on
// the way to it.
func (d *Disk) look(op, name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	parts := strings.Split(name, "/")
	if slices.Contains(parts, ".git") {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	var info fs.FileInfo
	for i := range parts {
		var err error
		at := path.Join(parts[:i+1]...)
		if info, err = d.root.Lstat(at); err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink != 0 && i < len(parts)-1 {
			return nil, &fs.PathError{Op: op, Path: at, Err: ErrLink}
		}
		if err := d.sealed[at]; err != nil && i < len(parts)-1 {
			return nil, &fs.PathError{Op: op, Path: at, Err: err}
		}
	}
	return info, nil
}

// Open opens a file, a folder or a link; a link can be asked for Stat only.
// Pipes and devices are refused: opening one could wait for ever.
func (d *Disk) Open(name string) (fs.File, error) {
	info, err := d.look("open", name)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		entries, err := d.list(name)
		if err != nil {
			return nil, err
		}
		return &openFolder{info: info, path: name, rest: entries}, nil
	case info.Mode()&fs.ModeSymlink != 0:
		return &openLink{info: info, path: name}, nil
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "open", Path: name, Err: errIrregular}
	case info.Size() > d.max:
		return nil, &fs.PathError{Op: "open", Path: name, Err: ErrTooLarge}
	}
	return d.root.Open(name)
}

// ReadFile reads a whole file, up to the limit.
func (d *Disk) ReadFile(name string) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, d.max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > d.max {
		return nil, &fs.PathError{Op: "read", Path: name, Err: ErrTooLarge}
	}
	return data, nil
}

// ReadDir lists a folder, sorted by name.
func (d *Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	info, err := d.look("readdir", name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNoFolder}
	}
	return d.list(name)
}

func (d *Disk) list(name string) ([]fs.DirEntry, error) {
	if err := d.sealed[name]; err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	entries := make([]fs.DirEntry, 0, len(names))
	for _, base := range names {
		if base == ".git" {
			continue
		}
		// Asked through the root again: the entries of an opened folder are
		// described by their outside path, which the root does not guard.
		info, err := d.root.Lstat(path.Join(name, base))
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since it was listed
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	sortEntries(entries)
	return entries, nil
}

// Stat and Lstat are the same here: a link is never followed.
func (d *Disk) Stat(name string) (fs.FileInfo, error) { return d.look("stat", name) }

// Lstat describes the entry itself.
func (d *Disk) Lstat(name string) (fs.FileInfo, error) { return d.look("stat", name) }

// ReadLink returns where a link points, for a message about it.
func (d *Disk) ReadLink(name string) (string, error) {
	if _, err := d.look("readlink", name); err != nil {
		return "", err
	}
	return d.root.Readlink(name)
}

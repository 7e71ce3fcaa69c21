package archive

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/layerd/layerd/internal/strictyaml"
)

// File is one member of a layer's archive: a file or a link. Folders come of the names
// in them.
type File struct {
	Name       string // with slashes, as it stands in the archive
	Size       int64  // bytes; of a link 0
	Executable bool   // its owner may run it
	Link       string // where a link leads, relative to its folder; empty = a file

	open func() (io.ReadCloser, error)
}

// Open returns the content of a file.
func (f File) Open() (io.ReadCloser, error) { return f.open() }

// NewFile returns a file of what is in memory.
func NewFile(name string, data []byte) File {
	return File{Name: name, Size: int64(len(data)), open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(string(data))), nil
	}}
}

// Limits of an archive. A zip without its 64-bit extension, which not everything that
// reads layers knows, holds 65,535 members.
const (
	MaxFiles    = 65_534
	maxName     = 1024        // bytes of a path
	MaxUnzipped = 262_144_000 // bytes, of a function and all its layers (AWS.md section 2.3)
	WarnZipped  = 50 << 20    // bytes: what may be sent without S3, and the guide's number
)

// Problem is one thing wrong with a layer or its archive.
type Problem = strictyaml.Problem

func problem(code, file, message, suggestion string) Problem {
	return strictyaml.NewProblem(code, strictyaml.Position{File: file}, message, suggestion)
}

func warning(code, file, message, suggestion string) Problem {
	p := problem(code, file, message, suggestion)
	p.Severity = strictyaml.Warning
	return p
}

// Collect returns the files of a folder, whose names in the archive begin with prefix
// ("python" or ""), and what is wrong with any. skip reports whether a path in it, a
// folder's included, is left out; nil = nothing is. The order does not depend on the
// disk. A folder on disk is to be an os.Root's: a file is opened through it, so that a
// link that is put in its place meanwhile leads nowhere.
func Collect(root fs.FS, prefix string, skip func(name string, folder bool) bool) (files []File, problems []Problem, err error) {
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			problems = append(problems, problem("unreadable", name, err.Error(), "make it readable for whoever builds"))
			return nil
		case name == ".":
			return nil
		case skip != nil && skip(name, d.IsDir()) && d.IsDir():
			return fs.SkipDir
		case skip != nil && skip(name, d.IsDir()):
			return nil
		}
		if p := badName(name); p != nil {
			problems = append(problems, *p)
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		if len(files) >= MaxFiles {
			problems = append(problems, tooMany())
			return fs.SkipAll
		}
		f, p := collect(root, name, path.Join(prefix, name), d)
		if p != nil {
			problems = append(problems, *p)
			return nil
		}
		files = append(files, f)
		return nil
	})
	return files, problems, err
}

func tooMany() Problem {
	return problem("too_many_files", "", fmt.Sprintf("there are more than %d files, which is what a zip holds", MaxFiles),
		"leave out what is not needed, with build: {exclude: […]}, or make two layers of it")
}

// collect returns one file or link of a folder.
func collect(root fs.FS, name, inside string, d fs.DirEntry) (File, *Problem) {
	bad := func(code, message, suggestion string) (File, *Problem) {
		p := problem(code, name, message, suggestion)
		return File{}, &p
	}
	info, err := d.Info()
	switch {
	case err != nil:
		return bad("unreadable", err.Error(), "make it readable for whoever builds")
	case d.Type()&fs.ModeSymlink != 0:
		target, err := fs.ReadLink(root, name)
		switch {
		case err != nil:
			return bad("unreadable", err.Error(), "make it readable for whoever builds")
		case leadsOut(name, target):
			return bad("link_outside", fmt.Sprintf("is a link to %q, which is not in the folder", target), "put a copy of it here, or a link within the folder")
		}
		return File{Name: inside, Link: target, open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(target)), nil }}, nil
	case !info.Mode().IsRegular():
		return bad("special_file", fmt.Sprintf("is no file but a %s", kindOf(info.Mode())), "remove it: an archive has files, folders and links")
	case info.Size() > MaxUnzipped:
		return bad("too_large", fmt.Sprintf("has %d bytes, more than a function may have with all its layers (%d)", info.Size(), MaxUnzipped), "keep it in S3 or EFS")
	}
	return File{
		Name: inside, Size: info.Size(), Executable: info.Mode()&0o100 != 0,
		open: func() (io.ReadCloser, error) { return root.Open(name) },
	}, nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeDevice != 0:
		return "device"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	default:
		return "special file"
	}
}

// leadsOut reports whether a link of a file at name leaves the archive's root: where it
// is unpacked, it would show another file.
func leadsOut(name, target string) bool {
	if target == "" || path.IsAbs(target) {
		return true
	}
	return !fs.ValidPath(path.Join(path.Dir(name), target))
}

// badName returns what is wrong with a path, or nil. A name that is not UTF-8 has another
// one in each program that unpacks it.
func badName(name string) *Problem {
	why, shown := "", strings.ToValidUTF8(name, "�")
	switch {
	case !utf8.ValidString(name):
		why = "is not UTF-8"
	case len(name) > maxName:
		why, shown = fmt.Sprintf("is longer than %d bytes", maxName), shown[:min(len(shown), 60)]+"…"
		shown = strings.ToValidUTF8(shown, "")
	case strings.ContainsFunc(name, unicode.IsControl):
		why = "has a control character"
	case strings.Contains(name, `\`):
		why = "has a backslash, which some programs take for a slash"
	case path.IsAbs(name):
		why = "begins at the root, and an archive is unpacked below /opt"
	case !fs.ValidPath(name):
		why = `leads out of the archive, or has an empty part, "." or ".."`
	default:
		return nil
	}
	p := problem("bad_name", strings.Map(visible, shown), "the name "+why, "rename it")
	return &p
}

func visible(r rune) rune {
	if unicode.IsControl(r) {
		return '�'
	}
	return r
}

// Merge returns the files of several sources as one sorted list. What two of them have
// is a problem: one would hide the other.
func Merge(sources ...[]File) (files []File, problems []Problem) {
	all := slices.Concat(sources...)
	slices.SortStableFunc(all, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range all {
		if n := len(files); n > 0 && files[n-1].Name == f.Name {
			problems = append(problems, problem("file_twice", f.Name, "comes from two places, and one would hide the other",
				"rename the layer's own, or leave one out with build: {exclude: […]}"))
			continue
		}
		files = append(files, f)
	}
	if len(files) > MaxFiles {
		problems = append(problems, tooMany())
	}
	return files, problems
}

// FileAt returns a file of an archive with the content of another file on disk.
func FileAt(f File, name string) (File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return File{}, fmt.Errorf("read %s: %w", f.Name, err)
	}
	f.Size = info.Size()
	f.open = func() (io.ReadCloser, error) { return os.Open(name) }
	return f, nil
}

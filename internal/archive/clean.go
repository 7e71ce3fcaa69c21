package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Cleaned is what was left out of an archive, by reason.
type Cleaned struct {
	Files int
	Bytes int64
	// By counts the files by what they are: "__pycache__", "*.pyc", "tests",
	// "*.dist-info", "bin", or the glob that excluded them.
	By map[string]int
}

// Clean leaves out what a layer does not need: the list of the team's guide (caches and
// compiled files of Python, tests, what installers write about themselves), the
// commands of packages, whose first line names the Python of the machine that built,
// and what the globs of exclude match.
func Clean(files []File, exclude []string) (kept []File, out Cleaned) {
	out.By = map[string]int{}
	for _, f := range files {
		why := needless(f.Name)
		if why == "" {
			why = excluded(f.Name, exclude)
		}
		if why == "" {
			kept = append(kept, f)
			continue
		}
		out.Files, out.Bytes = out.Files+1, out.Bytes+f.Size
		out.By[why]++
	}
	return kept, out
}

// needless returns why a path is left out of every layer; "" if it is not.
func needless(name string) string {
	parts := strings.Split(name, "/")
	file := parts[len(parts)-1]
	if parts[0] != "python" {
		if file == ".DS_Store" || name == "nodejs/node_modules/.package-lock.json" {
			return file
		}
		return ""
	}
	dirs := parts[:len(parts)-1]
	switch {
	case slices.Contains(dirs, "__pycache__"):
		return "__pycache__"
	case strings.HasSuffix(file, ".pyc"), strings.HasSuffix(file, ".pyo"):
		return "*.pyc"
	case file == ".DS_Store", file == ".lock": // of Finder, and of uv
		return file
	case len(dirs) == 2 && dirs[1] == "bin":
		return "bin"
	case slices.Contains(dirs[1:], "tests"):
		return "tests"
	case len(dirs) > 1 && strings.HasSuffix(dirs[len(dirs)-1], ".dist-info") && file != "METADATA" && file != "RECORD":
		return "*.dist-info"
	case slices.ContainsFunc(dirs[:max(len(dirs)-1, 0)], func(d string) bool { return strings.HasSuffix(d, ".dist-info") }):
		return "*.dist-info" // its licenses and SBOMs
	}
	return ""
}

// excluded returns the first glob that matches a path: as it stands in the archive,
// below its top folder, or, where the glob has no slash, any part of it, as in a
// .gitignore.
func excluded(name string, globs []string) string {
	_, below, _ := strings.Cut(name, "/")
	for _, g := range globs {
		for _, at := range []string{name, below} {
			if ok, err := doublestar.Match(g, at); ok && err == nil {
				return g
			}
		}
		if strings.Contains(g, "/") {
			continue
		}
		for part := range strings.SplitSeq(name, "/") {
			if ok, err := path.Match(g, part); ok && err == nil {
				return g
			}
		}
	}
	return ""
}

// Records writes the RECORD of each package of Python anew: of what is in the archive,
// sorted, with the hash of what is there by now. Installers write it in an order of
// their own, and it would name what was left out and what strip has changed.
func Records(files []File) ([]File, error) {
	byName := map[string]File{}
	for _, f := range files {
		byName[f.Name] = f
	}
	files = slices.Clone(files)
	for i, f := range files {
		if !strings.HasSuffix(f.Name, ".dist-info/RECORD") {
			continue
		}
		data, err := content(f)
		if err != nil {
			return nil, err
		}
		data, err = rerecord(f.Name, data, byName)
		if err != nil {
			return nil, err
		}
		files[i] = NewFile(f.Name, data)
	}
	return files, nil
}

func rerecord(at string, old []byte, have map[string]File) ([]byte, error) {
	root := path.Dir(path.Dir(at))
	var rows [][]string
	for _, name := range recorded(old) {
		f, ok := have[path.Join(root, name)]
		switch {
		case !ok || name != path.Clean(name):
		case f.Name == at:
			rows = append(rows, []string{name, "", ""})
		default:
			data, err := content(f)
			if err != nil {
				return nil, err
			}
			sum := sha256.Sum256(data)
			rows = append(rows, []string{name, "sha256=" + base64.RawURLEncoding.EncodeToString(sum[:]), fmt.Sprint(len(data))})
		}
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	rows = slices.CompactFunc(rows, func(a, b []string) bool { return a[0] == b[0] })
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.WriteAll(rows) // a buffer takes everything
	return out.Bytes(), nil
}

func content(f File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, MaxUnzipped+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name, err)
	}
	return data, nil
}

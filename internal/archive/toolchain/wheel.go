package toolchain

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/words"
)

// mostUnpacked bounds what all wheels of a layer may unpack to: more than a layer may
// have, since some of it is left out of the archive again.
const mostUnpacked = 2 * archive.MaxUnzipped

// unpacker unpacks wheels (the binary distribution format, PEP 427) side by side.
type unpacker struct {
	bytes int64
	files int
	err   error // of the disk
}

// wheel unpacks one wheel into a folder of site-packages. What its names would write
// elsewhere is refused, by os.Root too.
func (u *unpacker) wheel(name, site string) (problems []archive.Problem) {
	base := filepath.Base(name)
	bad := func(code, why, suggestion string) {
		problems = append(problems, strictyaml.NewProblem(code, strictyaml.Position{File: base}, why, suggestion))
	}
	z, err := zip.OpenReader(name)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		bad("bad_wheel", "is no wheel: "+err.Error(), "download it anew, or take another version")
		return problems
	}
	defer z.Close()
	root, err := os.OpenRoot(site)
	if err != nil {
		u.err = err
		return nil
	}
	defer root.Close()
	var names []string
	for _, f := range z.File {
		to, skip := installedName(f.Name)
		switch {
		case skip || strings.HasSuffix(f.Name, "/"):
			continue
		case !filepath.IsLocal(f.Name) || strings.Contains(f.Name, `\`):
			bad("bad_name", fmt.Sprintf("names %q, which is not inside it", f.Name), "do not trust this package")
			return problems
		case !f.Mode().IsRegular():
			bad("special_file", fmt.Sprintf("has %q, which is no file", f.Name), "take another version")
			return problems
		}
		if u.files++; u.files > 4*archive.MaxFiles {
			bad("too_many_files", fmt.Sprintf("has more files than a layer: over %d with the wheels before", 4*archive.MaxFiles), "leave the package out")
			return problems
		}
		if err := u.file(root, f, to); err != nil {
			if errors.Is(err, errBomb) {
				bad("too_large", fmt.Sprintf("unpacks to more than %s with the wheels before it", words.Bytes(mostUnpacked)), "leave the package out, or do not trust it")
			} else {
				bad("bad_wheel", fmt.Sprintf("%s: %v", f.Name, err), "download it anew, or take another version")
			}
			return problems
		}
		names = append(names, to)
	}
	u.err = record(root, names)
	return problems
}

// record writes where the files of a wheel went: its own RECORD has them where they
// were in the wheel.
func record(root *os.Root, names []string) error {
	at := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(path.Dir(n), ".dist-info") && path.Base(n) == "RECORD" })
	if at < 0 {
		return nil // it will have none
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	for _, n := range names {
		_ = w.Write([]string{n, "", ""}) // a buffer takes everything
	}
	w.Flush()
	return root.WriteFile(names[at], out.Bytes(), 0o644)
}

// installedName returns where a file of a wheel goes; skip is for what no layer has:
// commands and headers.
func installedName(name string) (to string, skip bool) {
	top, rest, ok := strings.Cut(name, "/")
	if !ok || !strings.HasSuffix(top, ".data") {
		return name, false
	}
	scheme, below, _ := strings.Cut(rest, "/")
	return below, scheme == "scripts" || scheme == "headers"
}

var errBomb = errors.New("too large")

func (u *unpacker) file(root *os.Root, f *zip.File, to string) error {
	if err := root.MkdirAll(path.Dir(to), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if f.Mode()&0o100 != 0 {
		mode = 0o755
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := root.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(r, mostUnpacked-u.bytes+1))
	u.bytes += n
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	if u.bytes > mostUnpacked {
		return errBomb
	}
	return nil
}

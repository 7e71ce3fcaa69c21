package archive

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"path"
	"slices"
	"strings"

	"deps.dev/util/pypi"
)

// PackageKind is where a package comes from.
type PackageKind string

// The kinds of packages that are known by their own files.
const (
	PyPI PackageKind = "pypi"
	NPM  PackageKind = "npm"
)

// Package is a package of others that a layer carries.
type Package struct {
	Kind    PackageKind
	Name    string // as its ecosystem compares names
	Version string
	License string // as it says itself; empty = it does not say
	Size    int64  // bytes of its files, unzipped

	requires []string // Requires-Dist
	dir      string   // of what says so, in the archive
}

func sortPackages(list []Package) {
	slices.SortFunc(list, func(a, b Package) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version), strings.Compare(a.dir, b.dir))
	})
}

// At returns where in the archive it is said that the package is there.
func (p Package) At() string { return p.dir }

// isEgg reports whether a name is that of the metadata which older tools write: a file
// PKG-INFO in a folder NAME.egg-info or EGG-INFO, or a file NAME.egg-info.
func isEgg(name string) bool {
	dir, base := path.Split(name)
	dir = path.Base(dir)
	return base == "PKG-INFO" && (strings.HasSuffix(dir, ".egg-info") || dir == "EGG-INFO") || strings.HasSuffix(base, ".egg-info")
}

var errNoPackage = errors.New("names no package and version")

// pythonPackage reads the METADATA of a dist-info folder, or the PKG-INFO of an egg.
func pythonPackage(name string, data []byte) (Package, error) {
	// The header ends at the first empty line; without one it is all header.
	h, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(data, "\n\n"...)))).ReadMIMEHeader()
	p := Package{Kind: PyPI, Name: pypi.CanonPackageName(h.Get("Name")), Version: h.Get("Version"), requires: h["Requires-Dist"], dir: path.Dir(name)}
	p.License = h.Get("License-Expression")
	if p.License == "" && !strings.ContainsAny(h.Get("License"), "\n") && len(h.Get("License")) < 100 {
		p.License = h.Get("License")
	}
	for _, c := range h["Classifier"] {
		if rest, ok := strings.CutPrefix(c, "License :: "); ok && (p.License == "" || strings.EqualFold(p.License, "unknown")) {
			p.License = rest[strings.LastIndex(rest, ":: ")+1:]
			p.License = strings.TrimSpace(strings.TrimPrefix(p.License, ":"))
		}
	}
	if p.Name == "" || p.Version == "" {
		return Package{}, errNoPackage
	}
	return p, nil
}

// nodePackage reads a package.json that stands in a folder of node_modules; others are
// the layer's own, and none.
func nodePackage(name string, data []byte) (Package, error) {
	dir := path.Dir(name)
	_, below, ok := cutLast("/"+dir, "/node_modules/")
	if !ok || strings.Count(below, "/") > strings.Count(below[:min(1, len(below))], "@") {
		return Package{}, nil
	}
	var file struct {
		Name    string          `json:"name"`
		Version string          `json:"version"`
		License json.RawMessage `json:"license"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return Package{}, fmt.Errorf("is no package.json: %w", err)
	}
	if file.Name == "" || file.Version == "" {
		return Package{}, errNoPackage
	}
	p := Package{Kind: NPM, Name: file.Name, Version: file.Version, dir: dir}
	if json.Unmarshal(file.License, &p.License) != nil {
		var old struct{ Type string }
		_ = json.Unmarshal(file.License, &old) // how it was written until 2015
		p.License = old.Type
	}
	return p, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// weigh adds up what each package's files take: of Python what its RECORD lists, of
// Node what is in its folder.
func (c *Contents) weigh(z *zip.Reader) {
	sizes := make(map[string]int64, len(c.Files))
	for _, m := range c.Files {
		sizes[m.Name] = m.Size
	}
	records := map[string]*zip.File{}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".dist-info/RECORD") {
			records[path.Dir(f.Name)] = f
		}
	}
	for i := range c.Packages {
		p := &c.Packages[i]
		if p.Kind == NPM {
			for _, m := range c.Files {
				if rest, in := strings.CutPrefix(m.Name, p.dir+"/"); in && !strings.Contains("/"+rest, "/node_modules/") {
					p.Size += m.Size
				}
			}
			continue
		}
		if r := records[p.dir]; r != nil {
			data, err := read(r, maxMetadata)
			if err != nil {
				continue // it weighs nothing that is known
			}
			for _, name := range recorded(data) {
				p.Size += sizes[path.Join(path.Dir(p.dir), name)]
			}
		}
	}
}

// recorded returns the paths in a RECORD, which are relative to where its package stands.
func recorded(data []byte) (names []string) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	for {
		row, err := r.Read()
		if err != nil {
			return names
		}
		names = append(names, row[0])
	}
}

// Largest returns the n packages that weigh most, the heaviest first.
func (c *Contents) Largest(n int) []Package {
	list := slices.Clone(c.Packages)
	slices.SortStableFunc(list, func(a, b Package) int { return int(b.Size - a.Size) })
	return list[:min(n, len(list))]
}

// Bare returns the modules of Python that nothing beside them describes, once by each name
// that their package may have: metadata was left out to save space, and nobody knows their
// versions. The layer's own module is described by its manifest.
func (c *Contents) Bare() (list []Package) {
	described, seen := map[[2]string]bool{}, map[string]bool{}
	for _, p := range c.Packages {
		if p.Kind == PyPI {
			described[[2]string{path.Dir(p.dir), pypi.CanonPackageName(p.Name)}] = true
		}
	}
	for _, p := range c.Own() {
		described[[2]string{path.Dir(p.dir), p.Name}] = true
	}
	declared := map[string]bool{}
	for _, p := range c.Declared {
		declared[pypi.CanonPackageName(p.Name)] = declared[pypi.CanonPackageName(p.Name)] || p.Kind == PyPI
	}
	for _, m := range c.Files {
		top := topModule(m.Name)
		at := pythonRoot(m.Name)
		where := path.Join(at, top)
		if top == "" || seen[where] {
			continue
		}
		seen[where] = true
		names := distributions(top)
		if slices.ContainsFunc(names, func(name string) bool { return described[[2]string{at, name}] || declared[name] }) {
			continue
		}
		for _, name := range names {
			list = append(list, Package{Kind: PyPI, Name: name, dir: where})
		}
	}
	sortPackages(list)
	return list
}

// Own returns the modules of the layers themselves, as their manifests name them.
func (c *Contents) Own() (list []Package) {
	for _, m := range c.Manifests {
		seen := map[string]bool{}
		for _, f := range c.Files {
			top := topModule(f.Name)
			where := path.Join(pythonRoot(f.Name), top)
			if name := pypi.CanonPackageName(m.Name); top != "" && pypi.CanonPackageName(top) == name && !seen[where] {
				seen[where] = true
				list = append(list, Package{Kind: PyPI, Name: name, Version: m.Version, dir: where})
			}
		}
	}
	sortPackages(list)
	return list
}

// distributions returns the names, as PyPI compares them, of the packages that a module of
// Python may be of: most are called as they are imported, and these are not.
func distributions(module string) []string {
	return append([]string{pypi.CanonPackageName(module)}, otherNames[module]...)
}

var otherNames = map[string][]string{
	"Crypto": {"pycryptodome", "pycrypto"}, "Cryptodome": {"pycryptodomex"}, "MySQLdb": {"mysqlclient"}, "OpenSSL": {"pyopenssl"},
	"PIL": {"pillow"}, "attr": {"attrs"}, "bs4": {"beautifulsoup4"}, "cv2": {"opencv-python", "opencv-python-headless"},
	"dateutil": {"python-dateutil"}, "dns": {"dnspython"}, "docx": {"python-docx"}, "dotenv": {"python-dotenv"},
	"git": {"gitpython"}, "jose": {"python-jose"}, "jwt": {"pyjwt"}, "ldap": {"python-ldap"},
	"magic": {"python-magic"}, "multipart": {"python-multipart"}, "nacl": {"pynacl"},
	"pkg_resources": {"setuptools"}, "pptx": {"python-pptx"}, "psycopg2": {"psycopg2-binary"}, "serial": {"pyserial"},
	"sklearn": {"scikit-learn"}, "skimage": {"scikit-image"}, "usb": {"pyusb"}, "yaml": {"pyyaml"},
	"zmq": {"pyzmq"},
}

// pythonRoot returns the folder of a path below python/ that modules are imported from.
func pythonRoot(name string) string {
	if before, _, ok := strings.Cut(name, "/site-packages/"); ok && strings.HasPrefix(name, "python/lib/python") {
		return before + "/site-packages"
	}
	return "python"
}

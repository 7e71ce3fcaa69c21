package archive

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Contents is what is in a layer's zip.
type Contents struct {
	Size     int64 // bytes of the zip
	Unzipped int64 // bytes of what is in it, as its directory says
	Files    []Member
	Binaries []Binary
	Packages []Package
	// Manifests are those of layerd in it, see Manifest.
	Manifests []Manifest
	// Declared are the packages that the archive's manifests name, see Manifest.
	Declared []Package
	// Problems are what is wrong with the zip itself.
	Problems []Problem

	// Doubts are files that describe a package and of which nobody knows which.
	Doubts []Problem

	metadata int64 // bytes of what describes packages that were read
}

// Member is one file of a zip.
type Member struct {
	Name       string
	Size       int64 // bytes, unzipped
	Compressed int64 // bytes
	CRC32      uint32
	Link       bool
	Executable bool
}

// What is read of a member at most. A zip's directory may lie about sizes.
const (
	maxMetadata = 4 << 20   // of a METADATA or a package.json
	allMetadata = 256 << 20 // of all of them
	maxBinary   = 64 << 20  // of an ELF file, which is read whole
)

// Open reads what is in a zip of size bytes. An error means that it is no zip or could
// not be read; what is wrong inside is in Problems. No member is unpacked to disk.
func Open(r io.ReaderAt, size int64) (*Contents, error) { return open(r, size, true) }

// notZip says no more than once that it is none.
func notZip(err error) error {
	if errors.Is(err, zip.ErrFormat) {
		return errors.New("not a zip, or cut off")
	}
	return fmt.Errorf("not a zip: %w", err)
}

// Skim is Open without what needs all of the archive: Binaries and the packages' sizes
// are left out. It reads the directory and what describes packages, so that an archive
// far away need not come whole.
func Skim(r io.ReaderAt, size int64) (*Contents, error) { return open(r, size, false) }

func open(r io.ReaderAt, size int64, whole bool) (*Contents, error) {
	c := &Contents{Size: size}
	bounded := &directory{ReaderAt: r, left: maxDirectory}
	z, err := zip.NewReader(bounded, size)
	if bounded.left < 0 {
		c.Problems = append(c.Problems, tooMany())
		return c, nil
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, notZip(err)
	}
	bounded.whole = true
	seen := map[string]bool{}
	for _, f := range z.File {
		c.member(f, seen)
	}
	if len(c.Files) > MaxFiles {
		c.Problems = append(c.Problems, tooMany())
		return c, nil
	}
	for _, f := range z.File {
		if f.Mode().IsRegular() {
			c.look(f, whole)
		}
	}
	if whole {
		c.weigh(z)
	}
	sortPackages(c.Packages)
	sortPackages(c.Declared)
	return c, nil
}

// maxDirectory is how much of a zip is read for its directory, in bytes: MaxFiles names
// of 200 bytes. Each name takes more memory than it has bytes, and what the zip says of
// how many there are may be a lie.
const maxDirectory = 16 << 20

// directory is a zip whose directory is read; all of it may be read once that is whole.
type directory struct {
	io.ReaderAt
	left  int64
	whole bool
}

func (d *directory) ReadAt(p []byte, off int64) (int, error) {
	if !d.whole {
		if d.left -= int64(len(p)); d.left < 0 {
			return 0, errTooLarge
		}
	}
	return d.ReaderAt.ReadAt(p, off)
}

// member notes what a zip's directory says of one member.
func (c *Contents) member(f *zip.File, seen map[string]bool) {
	name := strings.TrimSuffix(f.Name, "/")
	if p := badName(name); p != nil {
		c.Problems = append(c.Problems, *p)
		return
	}
	mode := f.Mode()
	switch {
	case mode.IsDir():
		return
	case mode&fs.ModeSymlink != 0:
		if target, err := read(f, maxName); err != nil || leadsOut(name, string(target)) {
			c.Problems = append(c.Problems, problem("link_outside", name, "is a link that leads out of the archive", "pack what it leads to"))
			return
		}
	case !mode.IsRegular():
		c.Problems = append(c.Problems, problem("special_file", name, "is no file but a "+kindOf(mode), "leave it out"))
		return
	}
	if seen[name] {
		c.Problems = append(c.Problems, warning("file_twice", name, "is in the zip twice; the last one counts", "pack it once"))
	}
	seen[name] = true
	size := int64(min(f.UncompressedSize64, 1<<50)) // a lie that would turn the sum
	c.Unzipped += size
	c.Files = append(c.Files, Member{
		Name: name, Size: size, Compressed: int64(min(f.CompressedSize64, 1<<50)),
		CRC32: f.CRC32, Link: mode&fs.ModeSymlink != 0, Executable: mode&0o100 != 0,
	})
}

// look reads what a member is, if it is one that something follows from.
func (c *Contents) look(f *zip.File, binaries bool) {
	name := f.Name
	switch {
	case strings.HasSuffix(name, ".dist-info/METADATA"), isEgg(name):
		c.found(f, pythonPackage)
	case strings.HasSuffix(name, "/package.json"):
		c.found(f, nodePackage)
	case isManifest(name):
		c.declared(f)
	case binaries && f.UncompressedSize64 >= 52: // the least that a header of ELF takes
		c.binary(f)
	}
}

// metadataOf returns what a member that describes packages has.
func (c *Contents) metadataOf(f *zip.File) ([]byte, bool) {
	data, err := read(f, maxMetadata)
	if c.metadata += int64(len(data)); err == nil && c.metadata > allMetadata {
		err = errTooMuch
	}
	if err != nil {
		c.Problems = append(c.Problems, warning("unreadable", f.Name, err.Error(), "look at what wrote it"))
		return nil, false
	}
	return data, true
}

func (c *Contents) doubt(f *zip.File, why error) {
	c.Doubts = append(c.Doubts, warning("unreadable", f.Name, why.Error(), "look at what wrote it"))
}

func (c *Contents) found(f *zip.File, parse func(name string, data []byte) (Package, error)) {
	data, ok := c.metadataOf(f)
	if !ok {
		return
	}
	p, err := parse(f.Name, data)
	switch {
	case err != nil:
		c.doubt(f, err)
	case p.Name != "":
		c.Packages = append(c.Packages, p)
	}
}

// declared notes what a manifest of ours lists.
func (c *Contents) declared(f *zip.File) {
	data, ok := c.metadataOf(f)
	if !ok {
		return
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil || m.FormatVersion != "1" {
		c.doubt(f, errors.New("is no manifest of layerd that this release can read"))
		return
	}
	c.Manifests = append(c.Manifests, m)
	for _, p := range m.Packages {
		c.Declared = append(c.Declared, Package{Kind: p.Kind, Name: p.Name, Version: p.Version, License: p.License, dir: f.Name})
	}
}

var elfMagic = []byte("\x7fELF")

// binary notes an ELF file.
func (c *Contents) binary(f *zip.File) {
	r, err := f.Open()
	if err != nil {
		return // its directory said so already, or it is compressed in a way of its own
	}
	defer r.Close()
	head := make([]byte, len(elfMagic))
	if _, err := io.ReadFull(r, head); err != nil || !bytes.Equal(head, elfMagic) {
		return
	}
	data, err := io.ReadAll(io.LimitReader(r, maxBinary))
	if err != nil {
		c.Problems = append(c.Problems, problem("unreadable", f.Name, err.Error(), "pack it anew"))
		return
	}
	if len(data) == maxBinary {
		c.Problems = append(c.Problems, warning("not_examined", f.Name,
			fmt.Sprintf("is larger than %d MB: neither its architecture nor its C library were looked at", maxBinary>>20), "see that it is made for the layer's runtimes"))
		return
	}
	b, err := parseELF(f.Name, append(head, data...))
	if err != nil {
		c.Problems = append(c.Problems, problem("bad_elf", f.Name, err.Error(), "build or download it anew"))
		return
	}
	c.Binaries = append(c.Binaries, b)
}

var (
	errTooLarge = errors.New("is larger than what is read of such a file")
	errTooMuch  = errors.New("was not read: all that describes packages is larger than what is read of it")
)

// read returns the content of a member of up to most bytes, whatever its directory says.
func read(f *zip.File, most int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, errTooLarge
	}
	return data, err
}

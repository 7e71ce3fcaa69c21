package archive

import (
	"archive/zip"
	"bytes"
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
	// Problems are what is wrong with the zip itself.
	Problems []Problem
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
	maxMetadata = 4 << 20  // of a METADATA or a package.json
	maxBinary   = 64 << 20 // of an ELF file, which is read whole
)

// Open reads what is in a zip of size bytes. An error means that it is no zip or could
// not be read; what is wrong inside is in Problems. No member is unpacked to disk.
func Open(r io.ReaderAt, size int64) (*Contents, error) {
	c := &Contents{Size: size}
	bounded := &directory{ReaderAt: r, left: maxDirectory}
	z, err := zip.NewReader(bounded, size)
	if bounded.left < 0 {
		c.Problems = append(c.Problems, tooMany())
		return c, nil
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("not a zip: %w", err)
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
			c.look(f)
		}
	}
	c.weigh(z)
	sortPackages(c.Packages)
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
func (c *Contents) look(f *zip.File) {
	name := f.Name
	switch {
	case strings.HasSuffix(name, ".dist-info/METADATA"):
		c.found(f, pythonPackage)
	case strings.HasSuffix(name, "/package.json"):
		c.found(f, nodePackage)
	case f.UncompressedSize64 >= 52: // the least that a header of ELF takes
		c.binary(f)
	}
}

func (c *Contents) found(f *zip.File, parse func(name string, data []byte) (Package, bool)) {
	data, err := read(f, maxMetadata)
	if err != nil {
		c.Problems = append(c.Problems, warning("unreadable", f.Name, err.Error(), "look at what wrote it"))
		return
	}
	if p, ok := parse(f.Name, data); ok {
		c.Packages = append(c.Packages, p)
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

var errTooLarge = errors.New("is larger than what is read of such a file")

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

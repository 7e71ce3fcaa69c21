package archive

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
)

// Packed is what became of an archive.
type Packed struct {
	SHA256   string // hex, of the zip's bytes
	Size     int64  // bytes of the zip
	Unzipped int64  // bytes of what is in it
	Files    int
}

// epoch is the time of every member: the first that a zip can hold.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Pack writes the zip of files, which need not be sorted. The same names, contents and
// right to run make the same bytes, whatever the machine. progress, if it is not nil, is
// told how many files and how many of their bytes are in, after each file and within
// large ones.
//
// An error of out or of a file that cannot be read, or has changed its size since it
// was collected, ends it: the archive is then no good.
func Pack(out io.Writer, files []File, progress func(files int, unzipped int64)) (Packed, error) {
	sum := sha256.New()
	counted := &counter{w: io.MultiWriter(out, sum)}
	z := zip.NewWriter(counted)
	z.RegisterCompressor(zip.Deflate, deflater())
	packed := Packed{Files: len(files)}
	sorted := slices.Clone(files)
	slices.SortFunc(sorted, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	if progress == nil {
		progress = func(int, int64) {}
	}
	for i, f := range sorted {
		within := func(n int64) { progress(i, packed.Unzipped+n) }
		if err := pack(z, f, within); err != nil {
			return Packed{}, fmt.Errorf("pack %s: %w", f.Name, err)
		}
		packed.Unzipped += f.Size
		progress(i+1, packed.Unzipped)
	}
	if err := z.Close(); err != nil {
		return Packed{}, fmt.Errorf("pack: %w", err)
	}
	packed.Size, packed.SHA256 = counted.n, hex.EncodeToString(sum.Sum(nil))
	return packed, nil
}

// deflater returns a compressor that is one for all files, which are written one after
// the other: making it takes longer than compressing most of them.
func deflater() zip.Compressor {
	var one *flate.Writer
	return func(w io.Writer) (io.WriteCloser, error) {
		if one != nil {
			one.Reset(w)
			return one, nil
		}
		var err error
		one, err = flate.NewWriter(w, flate.BestCompression)
		return one, err
	}
}

func pack(z *zip.Writer, f File, within func(n int64)) error {
	h := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: epoch}
	mode := fs.FileMode(0o644)
	switch {
	case f.Link != "":
		mode, h.Method = fs.ModeSymlink|0o777, zip.Store
	case f.Executable:
		mode = 0o755
	}
	h.SetMode(mode)
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.Copy(w, &follower{r: r, told: within})
	switch {
	case err != nil:
		return err
	case f.Link == "" && n != f.Size:
		return fmt.Errorf("it had %d bytes and now has %d", f.Size, n)
	}
	return nil
}

// counter counts what is written through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// follower reports how much was read through it, after every megabyte.
type follower struct {
	r       io.Reader
	n, last int64
	told    func(n int64)
}

func (f *follower) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if f.n += int64(n); f.n-f.last >= 1<<20 {
		f.last = f.n
		f.told(f.n)
	}
	return n, err
}

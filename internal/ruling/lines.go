package ruling

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/store"
)

const (
	// inline is up to how many bytes lines stay in the value that they belong
	// to, as text that a person can read in the database.
	inline = 32 << 10
	// partSize is how many bytes of compressed lines one part holds. Parts are
	// found by their own hash, so that another size may be chosen any day.
	partSize = 256 << 10
)

// pack is how many lines are kept. Parts is empty for lines that stay in their
// value. Stored: names and meanings stay.
type pack struct {
	Count int      `json:"count,omitempty"` // of lines in the parts
	Size  int      `json:"size,omitempty"`  // of these in bytes, before they were compressed
	Parts []string `json:"parts,omitempty"` // hex SHA-256 of each part, in order
}

// version says what a program must know to read a value with this pack. One
// that knows nothing of parts would take an approval without lines for one
// that was never bound, and so for more than it is.
func (p pack) version() int {
	if len(p.Parts) > 0 {
		return version
	}
	return versionInline
}

// large says whether lines get parts of their own.
func large(lines []string) bool { return size(lines) > inline }

func size(lines []string) (n int) {
	for _, l := range lines {
		n += len(l) + 1
	}
	return n
}

// writeLines writes the parts of lines and gives the pack that names them.
//
// A part's key is the hash of its bytes: whoever writes it again writes the
// same, nobody ever changes one, and an approval shares those of its offer. The
// value that names the parts is written after all of them. Whoever is killed in
// between leaves parts that nobody names, which harm nobody.
func writeLines(ctx context.Context, s store.Store, repository, environment string, lines []string) (pack, error) {
	data, err := squeeze(lines)
	if err != nil {
		return pack{}, fmt.Errorf("write %d lines of %s: %w", len(lines), environment, err)
	}
	p := pack{Count: len(lines), Size: size(lines)}
	for part := range slices.Chunk(data, partSize) {
		sum := sha256.Sum256(part)
		name := hex.EncodeToString(sum[:])
		_, err := s.Create(ctx, partKey(repository, environment, name), part)
		if err != nil && !errors.Is(err, store.ErrExists) {
			return pack{}, fmt.Errorf("write %d lines of %s: %w", len(lines), environment, err)
		}
		p.Parts = append(p.Parts, name)
	}
	return p, nil
}

// readLines gives the lines of a pack that has parts. A part that is missing
// or altered is damage, and never a shorter list: lines that are not seen are
// lines that a person approved.
func readLines(ctx context.Context, s store.Store, repository, environment string, p pack) ([]string, error) {
	var data []byte
	for _, name := range p.Parts {
		v, err := s.Get(ctx, partKey(repository, environment, name))
		switch sum := sha256.Sum256(v.Data); {
		case errors.Is(err, store.ErrNotFound):
			// Not wrapped: "not found" would say that there is no approval.
			return nil, fmt.Errorf("read the lines of %s: %w: part %s is missing", environment, store.ErrCorrupt, name)
		case err != nil:
			return nil, fmt.Errorf("read the lines of %s: %w", environment, err)
		case hex.EncodeToString(sum[:]) != name:
			return nil, fmt.Errorf("read the lines of %s: %w: part %s was altered", environment, store.ErrCorrupt, name)
		}
		data = append(data, v.Data...)
	}
	lines, err := spread(data, p.Size)
	if err == nil && len(lines) != p.Count {
		err = fmt.Errorf("%d lines instead of %d", len(lines), p.Count)
	}
	if err != nil {
		return nil, fmt.Errorf("read the lines of %s: %w: %w", environment, store.ErrCorrupt, err)
	}
	return lines, nil
}

// squeeze compresses lines, each ended by a newline: what zcat shows is what a
// digest is the hash of.
func squeeze(lines []string) ([]byte, error) {
	var b bytes.Buffer
	// The fastest level makes twice the bytes of the default one in a third of
	// its time, and both fit into few parts.
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		if strings.Contains(l, "\n") {
			return nil, fmt.Errorf("%w: the line %.80q has a newline", store.ErrInvalid, l)
		}
		if _, err := io.WriteString(z, l+"\n"); err != nil {
			return nil, err
		}
	}
	err = z.Close()
	return b.Bytes(), err
}

// spread is the other way round. size bounds what is read, and is what it
// must be.
func spread(data []byte, size int) ([]string, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	// Lines are pieces of one text, which is held once.
	var text strings.Builder
	text.Grow(min(max(size, 0), 64<<20))
	n, err := io.Copy(&text, io.LimitReader(z, int64(size)+1))
	switch {
	case err != nil:
		return nil, err
	case n != int64(size):
		return nil, fmt.Errorf("not the %d bytes that they were", size)
	}
	return strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n"), nil
}

func partKey(repository, environment, name string) string {
	return store.Key("lines", repository, environment, name)
}

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
	// chunkSize is how many bytes of compressed lines one chunk holds. Chunks are
	// found by their own hash, so that another size may be chosen any day.
	chunkSize = 256 << 10
)

// chunkIndex is where lines are kept that are too many for the value that they
// belong to. It is empty for lines that stay there. Stored: names and meanings
// stay.
type chunkIndex struct {
	Count  int      `json:"count,omitempty"` // of lines in the chunks
	Size   int      `json:"size,omitempty"`  // of these in bytes, before they were compressed
	Chunks []string `json:"parts,omitempty"` // hex SHA-256 of each, in order
}

// version returns the version of a value with this index. A program that has not
// heard of chunks would take an approval without lines for one
// that was never bound, and so for more than it is.
func (p chunkIndex) version() int {
	if len(p.Chunks) > 0 {
		return version
	}
	return versionInline
}

// large reports whether lines are kept in chunks.
func large(lines []string) bool { return size(lines) > inline }

func size(lines []string) (n int) {
	for _, l := range lines {
		n += len(l) + 1
	}
	return n
}

// writeChunks writes lines in chunks and returns their index.
//
// A chunk's key is the hash of its bytes: whoever writes it again writes the
// same, nobody ever changes one, and an approval shares those of its
// plan. The value that names the chunks is written after all of them. Whoever is
// killed in between leaves chunks that nobody names, which harm nobody.
func writeChunks(ctx context.Context, s store.Store, repository, environment string, lines []string) (chunkIndex, error) {
	data, err := compress(lines)
	if err != nil {
		return chunkIndex{}, fmt.Errorf("write %d lines of %s: %w", len(lines), environment, err)
	}
	p := chunkIndex{Count: len(lines), Size: size(lines)}
	for part := range slices.Chunk(data, chunkSize) {
		sum := sha256.Sum256(part)
		name := hex.EncodeToString(sum[:])
		_, err := s.Create(ctx, chunkKey(repository, environment, name), part)
		if err != nil && !errors.Is(err, store.ErrExists) {
			return chunkIndex{}, fmt.Errorf("write %d lines of %s: %w", len(lines), environment, err)
		}
		p.Chunks = append(p.Chunks, name)
	}
	return p, nil
}

// readChunks returns the lines that an index has. A chunk that is missing
// or altered is damage, and never a shorter list: lines that are not seen are
// lines that a person approved.
func readChunks(ctx context.Context, s store.Store, repository, environment string, p chunkIndex) ([]string, error) {
	var data []byte
	for _, name := range p.Chunks {
		v, err := s.Get(ctx, chunkKey(repository, environment, name))
		switch sum := sha256.Sum256(v.Data); {
		case errors.Is(err, store.ErrNotFound):
			// Not wrapped: "not found" would mean that there is no approval.
			return nil, fmt.Errorf("read the lines of %s: %w: part %s is missing", environment, store.ErrCorrupt, name)
		case err != nil:
			return nil, fmt.Errorf("read the lines of %s: %w", environment, err)
		case hex.EncodeToString(sum[:]) != name:
			return nil, fmt.Errorf("read the lines of %s: %w: part %s was altered", environment, store.ErrCorrupt, name)
		}
		data = append(data, v.Data...)
	}
	lines, err := decompress(data, p.Size)
	if err == nil && len(lines) != p.Count {
		err = fmt.Errorf("%d lines instead of %d", len(lines), p.Count)
	}
	if err != nil {
		return nil, fmt.Errorf("read the lines of %s: %w: %w", environment, store.ErrCorrupt, err)
	}
	return lines, nil
}

// compress compresses lines, each ended by a newline: what zcat shows is what a
// digest is the hash of.
func compress(lines []string) ([]byte, error) {
	var b bytes.Buffer
	// The fastest level makes twice the bytes of the default one in a third of
	// its time, and both fit into few chunks.
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

// decompress is the inverse of compress. size bounds what is read, and is what it
// must be.
func decompress(data []byte, size int) ([]string, error) {
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

func chunkKey(repository, environment, name string) string {
	return store.Key("lines", repository, environment, name)
}

// Package ranged reads an archive that a URL leads to, by the pieces of it that are asked
// for.
//
//	r, err := ranged.Open(ctx, client, url, size)
//	defer r.Close()
//	contents, err := archive.Skim(r, r.Size())
//
// # What is promised
//
//   - The URL is a secret, since whoever has it may read: it is in no error and is not
//     kept longer than the Reader.
//   - Pieces are asked for by Range and kept, as many as maxKept. Where the server has no
//     ranges, or more than half of the archive was asked for, it is read once as a whole
//     into a temporary file that is gone after Close.
//   - No more is read than the archive's size, whatever the server sends, and nothing
//     after the context has ended. Nothing is sent that signs.
//   - What the server answers is checked: another size, another piece, or another object
//     than at first is an error.
package ranged

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/archive"
)

const (
	// pieceSize is how much is asked for at once, in bytes: the directory of a usual
	// layer, or a few of its small files.
	pieceSize = 128 << 10
	// maxKept is how many pieces are kept.
	maxKept = 64
	// small is up to where an archive is read at once: a call costs more than its bytes.
	small = 1 << 20
	// timeout bounds one piece, and wholeTimeout one whole archive, of 250 MB at most.
	timeout      = 30 * time.Second
	wholeTimeout = 5 * time.Minute
)

// Client does what a request asks, as http.Client does.
type Client interface {
	Do(*http.Request) (*http.Response, error)
}

// Reader is an archive that is read by pieces. It is safe for concurrent use.
type Reader struct {
	ctx    context.Context // io.ReaderAt has no place for one
	client Client
	url    string
	size   int64

	mu     sync.Mutex // guards the rest
	etag   string
	pieces map[int64][]byte // by number
	order  []int64          // of pieces, the oldest first
	asked  int64            // bytes
	calls  int
	whole  *os.File
	failed error // for good: what was met once is not asked for again
}

// Open returns a reader of the size bytes that address leads to. It asks for nothing yet.
// Whatever ctx bounds is bounded for the life of the Reader.
func Open(ctx context.Context, client Client, address string, size int64) (*Reader, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("the archive has no address that can be read")
	case size <= 0:
		return nil, errors.New("the archive's size is not known")
	case size > archive.MaxUnzipped:
		return nil, fmt.Errorf("the archive has %d bytes, more than a layer may have", size)
	}
	return &Reader{ctx: ctx, client: client, url: address, size: size, pieces: map[int64][]byte{}}, nil
}

// Size returns how many bytes the archive has.
func (r *Reader) Size() int64 { return r.size }

// Err returns what keeps the archive from being read; nil where it can be. What is wrong
// inside of it is nothing of the Reader's.
func (r *Reader) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// Calls returns how many requests were made.
func (r *Reader) Calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// Close removes what was kept.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pieces, r.failed = nil, os.ErrClosed
	if r.whole == nil {
		return nil
	}
	defer os.Remove(r.whole.Name())
	return r.whole.Close()
}

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	for n < len(p) {
		at := off + int64(n)
		switch {
		case r.failed != nil:
			return n, r.failed
		case at >= r.size:
			return n, io.EOF
		case r.whole != nil:
			m, err := r.whole.ReadAt(p[n:min(int64(len(p)), int64(n)+r.size-at)], at)
			n += m
			if err != nil && !errors.Is(err, io.EOF) {
				return n, err
			}
			continue
		}
		piece, err := r.piece(at / pieceSize)
		if err != nil {
			r.failed = err
			return n, err
		}
		if piece != nil { // else the whole is there now
			n += copy(p[n:], piece[at%pieceSize:])
		}
	}
	return n, nil
}

// piece returns a piece; nil means that the whole was read instead.
func (r *Reader) piece(number int64) ([]byte, error) {
	if data, ok := r.pieces[number]; ok {
		return data, nil
	}
	from := number * pieceSize
	to := min(from+pieceSize, r.size)
	if r.size <= small || r.asked+to-from > r.size/2 {
		return nil, r.all()
	}
	r.asked += to - from
	data, err := r.get(from, to)
	if err != nil || data == nil {
		return nil, err
	}
	if len(r.order) >= maxKept {
		delete(r.pieces, r.order[0])
		r.order = r.order[1:]
	}
	r.pieces[number], r.order = data, append(r.order, number)
	return data, nil
}

// get asks for bytes of the archive. Where the server answers with all of it, that is
// kept, and nil returned.
func (r *Reader) get(from, to int64) ([]byte, error) {
	answer, cancel, err := r.ask(fmt.Sprintf("bytes=%d-%d", from, to-1), timeout)
	if err != nil {
		return nil, err
	}
	defer cancel()
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil, r.keep(answer.Body)
	}
	if err := r.check(answer, from, to); err != nil {
		return nil, err
	}
	data := make([]byte, to-from)
	if _, err := io.ReadFull(answer.Body, data); err != nil {
		return nil, r.lost(err)
	}
	return data, nil
}

var contentRange = regexp.MustCompile(`^bytes (\d+)-(\d+)/(\d+)$`)

// check makes sure that an answer is the piece that was asked for, of the same object.
func (r *Reader) check(answer *http.Response, from, to int64) error {
	want := []string{strconv.FormatInt(from, 10), strconv.FormatInt(to-1, 10), strconv.FormatInt(r.size, 10)}
	m := contentRange.FindStringSubmatch(answer.Header.Get("Content-Range"))
	if m == nil || m[1] != want[0] || m[2] != want[1] || m[3] != want[2] {
		return errors.New("the server answered with another piece of the archive than was asked for, or of another one")
	}
	etag := answer.Header.Get("ETag")
	if r.etag != "" && etag != r.etag {
		return errors.New("the archive was replaced while it was read")
	}
	r.etag = etag
	return nil
}

// all reads the whole archive.
func (r *Reader) all() error {
	answer, cancel, err := r.ask("", wholeTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %d", answer.StatusCode)
	}
	return r.keep(answer.Body)
}

// keep writes the whole archive into a file of its own.
func (r *Reader) keep(body io.Reader) error {
	f, err := os.CreateTemp("", "layerd-*.zip")
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(body, r.size+1))
	if err == nil && n != r.size {
		err = fmt.Errorf("%d of %d bytes came", n, r.size)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name()) // in the system's folder for what is temporary
		return r.lost(err)
	}
	r.whole = f
	return nil
}

// ask sends a request. cancel ends what is left of it.
func (r *Reader) ask(pieces string, within time.Duration) (*http.Response, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(r.ctx, within)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		cancel()
		return nil, nil, errors.New("the archive has no address that can be read")
	}
	if pieces != "" {
		request.Header.Set("Range", pieces)
	}
	r.calls++
	answer, err := r.client.Do(request)
	if err != nil {
		cancel()
		return nil, nil, r.lost(err)
	}
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusPartialContent || answer.StatusCode == http.StatusPartialContent && pieces == "" {
		_ = answer.Body.Close()
		cancel()
		return nil, nil, fmt.Errorf("the server answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	return answer, cancel, nil
}

// lost returns why nothing came, without the URL, which net/http puts into its errors.
func (r *Reader) lost(err error) error {
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fmt.Errorf("the archive did not come: %w", err)
}

package ranged

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/archive"
)

const secret = "X-Amz-Signature=abc"

// archiveOf returns a zip with a package in front of and one behind bytes that no
// compression makes smaller.
func archiveOf(t *testing.T, bulk int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, method uint16, data []byte) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	noise := make([]byte, bulk)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // never fails
	add("python/a-1.dist-info/METADATA", zip.Deflate, []byte("Name: a\nVersion: 1\n\n"))
	add("python/bulk.so", zip.Store, noise)
	add("python/b-2.dist-info/METADATA", zip.Deflate, []byte("Name: b\nVersion: 2\n\n"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// server serves data as S3 does, but for what alter does.
func server(t *testing.T, data []byte, alter func(w http.ResponseWriter, r *http.Request) bool) (client *http.Client, address string, sent *int) {
	t.Helper()
	sent = new(int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		if alter != nil && alter(w, r) {
			return
		}
		http.ServeContent(&counter{w, sent}, r, "x.zip", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(s.Close)
	return s.Client(), s.URL + "/x.zip?" + secret, sent
}

type counter struct {
	http.ResponseWriter
	n *int
}

func (c *counter) Write(p []byte) (int, error) {
	*c.n += len(p)
	return c.ResponseWriter.Write(p)
}

func TestOnlyWhatIsNeededIsRead(t *testing.T) {
	data := archiveOf(t, 20<<20)
	client, address, sent := server(t, data, nil)
	r, err := Open(t.Context(), client, address, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := archive.Skim(r, r.Size())
	if err != nil || len(c.Packages) != 2 || len(c.Files) != 3 {
		t.Fatalf("%+v, %v", c, err)
	}
	if *sent > 4*pieceSize || r.Calls() > 4 {
		t.Errorf("%d bytes in %d calls", *sent, r.Calls())
	}
}

// Whatever is asked for in whatever order, it is what stands there.
func TestReadAtIsThatOfTheArchive(t *testing.T) {
	data := archiveOf(t, 3<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for _, ranges := range []bool{true, false} {
		client, address, _ := server(t, data, func(_ http.ResponseWriter, r *http.Request) bool {
			if !ranges {
				r.Header.Del("Range")
			}
			return false
		})
		temp := t.TempDir()
		t.Setenv("TMPDIR", temp)
		r, err := Open(t.Context(), client, address, int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			off := random.Int64N(int64(len(data)) + 10)
			p, q := make([]byte, random.IntN(300_000)), make([]byte, 300_000)
			n, err := r.ReadAt(p, off)
			m, want := bytes.NewReader(data).ReadAt(q[:len(p)], off)
			if n != m || !bytes.Equal(p[:n], q[:m]) || errors.Is(err, io.EOF) != errors.Is(want, io.EOF) && len(p) > 0 {
				t.Fatalf("ranges %v: at %d of %d: %d bytes, %v, want %d, %v", ranges, off, len(p), n, err, m, want)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(temp, "*")); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
		if _, err := r.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// A server that lies is an error, without the address, and no more is read than the
// archive has.
func TestServersThatLie(t *testing.T) {
	data := archiveOf(t, 3<<20)
	endless := func(w io.Writer) {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}
	calls := 0
	for name, alter := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"expired": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(403); return true },
		"redirects": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "ftp://x/?"+secret, http.StatusFound)
			return true
		},
		"hangs up":    func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"endless":     func(w http.ResponseWriter, _ *http.Request) bool { endless(w); return true },
		"short":       func(w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, "PK"); return true },
		"other piece": func(_ http.ResponseWriter, r *http.Request) bool { r.Header.Set("Range", "bytes=0-9"); return false },
		"another size": func(w http.ResponseWriter, r *http.Request) bool {
			http.ServeContent(w, r, "x", time.Time{}, bytes.NewReader(append(data, 1)))
			return true
		},
		"another object": func(w http.ResponseWriter, _ *http.Request) bool {
			calls++
			w.Header().Set("ETag", fmt.Sprint(`"`, calls, `"`))
			return false
		},
		"no piece": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(206); return true },
	} {
		client, address, _ := server(t, data, alter)
		r, err := Open(t.Context(), client, address, int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 3*pieceSize)
		if _, err = r.ReadAt(p, 0); err == nil {
			t.Errorf("%s: nothing was noticed", name)
			continue
		}
		if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "http") {
			t.Errorf("%s: the error shows the address: %v", name, err)
		}
		if r.Err() == nil {
			t.Errorf("%s: it is not for good", name)
		}
		before := r.Calls()
		if _, err := r.ReadAt(p, 0); err == nil || r.Calls() != before {
			t.Errorf("%s: it was asked again", name)
		}
		_ = r.Close()
	}
}

func TestWhatIsNotOpened(t *testing.T) {
	for address, size := range map[string]int64{"": 1, "file:///etc/passwd": 1, "https://x/": 0, "https://y/": archive.MaxUnzipped + 1, "%zz": 1} {
		if _, err := Open(t.Context(), http.DefaultClient, address, size); err == nil {
			t.Errorf("%q of %d bytes was opened", address, size)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client, address, _ := server(t, archiveOf(t, 10), nil)
	r, err := Open(ctx, client, address, 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(make([]byte, 1), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

package storetest

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/layerd/layerd/internal/store"
)

// What is below testdata was written by layerd of commit 6485e27, and stands for
// every store that people have: see its README. It is never written anew.
var (
	//go:embed testdata/past.txt
	pastText string
	//go:embed testdata/past.db.gz
	pastFile []byte
)

// PastAWS is what AWS had then, a line each: a Region, a function or a version of
// one (NAME:1), and the number of the only layer version that it has; or an alias
// (NAME:live) and the version that it serves.
//
//go:embed testdata/aws.txt
var PastAWS string

// PastRepository is the identity of the repository that the past is of.
const PastRepository = "github.com/acme/layers"

// Past returns a store with what layerd of commit 6485e27 wrote in a night in
// which every kind of document came about.
func Past(t testing.TB) *store.Memory {
	t.Helper()
	m := store.NewMemory()
	for line := range strings.Lines(pastText) {
		key, data, err := undump(line)
		if err == nil {
			_, err = m.Create(t.Context(), key, data)
		}
		if err != nil {
			t.Fatalf("the past, at %.80q: %v", line, err)
		}
	}
	return m
}

// PastFile writes the same as the SQLite database that it was in.
func PastFile(t testing.TB, path string) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(pastFile))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// packed marks bytes that are no text.
const packed = "base64:"

// Dump writes all of a store, a line for each value: the key, a tab, and the
// bytes as they are, which are JSON on one line; other bytes in base64.
func Dump(t testing.TB, s store.Store) string {
	t.Helper()
	var b strings.Builder
	for v, err := range s.List(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		text := string(v.Data)
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\n\x00") || strings.HasPrefix(text, packed) {
			text = packed + base64.StdEncoding.EncodeToString(v.Data)
		}
		fmt.Fprintf(&b, "%s\t%s\n", v.Key, text)
	}
	return b.String()
}

// undump reads a line of Dump.
func undump(line string) (key string, data []byte, err error) {
	key, text, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
	if !ok {
		return "", nil, fmt.Errorf("%w: no tab", store.ErrInvalid)
	}
	if code, ok := strings.CutPrefix(text, packed); ok {
		data, err = base64.StdEncoding.DecodeString(code)
		return key, data, err
	}
	return key, []byte(text), nil
}

// Reread checks that every value of the past below a prefix comes out of the
// present program as it went in. again reads one and writes it, as the package
// that owns it does; it is not asked about bytes that are no document. There must
// be at least one value, so that a key that was renamed is noticed.
func Reread(t *testing.T, prefix string, again func(v store.Value) ([]byte, error)) {
	t.Helper()
	asked := 0
	for v, err := range Past(t).List(t.Context(), store.Query{Prefix: prefix}) {
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(v.Data, []byte("{")) {
			continue
		}
		asked++
		got, err := again(v)
		if err != nil || !bytes.Equal(got, v.Data) {
			t.Errorf("%s is read and written as\n%s\n%v, and was\n%s", v.Key, got, err, v.Data)
		}
	}
	if asked == 0 {
		t.Errorf("there is nothing below %s", prefix)
	}
}

package sqlitestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/store"
)

func openReadOnly(t *testing.T, path string) *Store {
	t.Helper()
	s, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestReadOnlyAbsent(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "layerd.db"), filepath.Join(dir, "none", "layerd.db")} {
		if s, err := OpenReadOnly(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("OpenReadOnly of nothing = %v, %v, want ErrNotExist and the path", s, err)
		}
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("OpenReadOnly created %q", left)
	}
}

func TestReadOnlyRefusesWrites(t *testing.T) {
	path := tempPath(t)
	w := open(t, path)
	rev := create(t, w, "a", "one")
	r := openReadOnly(t, path)
	if _, err := r.Create(t.Context(), "b", nil); !errors.Is(err, store.ErrReadOnly) || !strings.Contains(err.Error(), path) {
		t.Errorf("Create: %v, want ErrReadOnly and the path", err)
	}
	if _, err := r.Replace(t.Context(), "a", rev, nil); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("Replace: %v, want ErrReadOnly", err)
	}
	if _, err := r.read.ExecContext(t.Context(), "DELETE FROM entry"); err == nil {
		t.Error("SQLite itself would have written")
	}
}

// TestReadOnlyBesideWriter: it sees each write at once, also after the writer
// has come and gone.
func TestReadOnlyBesideWriter(t *testing.T) {
	path := tempPath(t)
	w := open(t, path)
	rev := create(t, w, "a", "one")
	r := openReadOnly(t, path)
	want := func(data string) {
		t.Helper()
		if v, err := r.Get(t.Context(), "a"); err != nil || string(v.Data) != data {
			t.Errorf("Get = %q, %v, want %q", v.Data, err, data)
		}
	}
	want("one")
	rev, err := w.Replace(t.Context(), "a", rev, []byte("two"))
	if err != nil {
		t.Fatal(err)
	}
	want("two")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want("two")
	if _, err := open(t, path).Replace(t.Context(), "a", rev, []byte("three")); err != nil {
		t.Fatal(err)
	}
	want("three")
}

// TestReadOnlyFolder has a process read that may not write the folder. (A test
// that runs as root could write it all the same, so that process is nobody.)
func TestReadOnlyFolder(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(t *testing.T, path string) // leaves what is found there
		want string
	}{
		{"closed", func(t *testing.T, path string) {
			s := open(t, path)
			create(t, s, "a", "one")
			s.Close()
		}, "a=one\n"},
		{"open for writing", func(t *testing.T, path string) {
			create(t, open(t, path), "a", "one")
		}, "a=one\n"},
		{"a copy without the log", func(t *testing.T, path string) {
			copyDatabase(t, path, "")
		}, "a=one\n"},
		{"a copy with log and shared memory", func(t *testing.T, path string) { // as a killed writer leaves them
			copyDatabase(t, path, "-wal", "-shm")
		}, "a=one\nb=two\n"},
		{"a copy with the log alone", func(t *testing.T, path string) {
			copyDatabase(t, path, "-wal")
		}, "copy both files to a folder that can"},
		{"nothing", func(*testing.T, string) {}, "no such file or directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := sharedDir(t)
			path := filepath.Join(dir, "layerd.db")
			test.make(t, path)
			for _, name := range files(t, dir) {
				chmod(t, filepath.Join(dir, name), 0o444)
			}
			chmod(t, dir, 0o555)
			defer chmod(t, dir, 0o755)
			before := files(t, dir)
			got, _ := nobody(t, "dump", path).CombinedOutput()
			if !strings.Contains(string(got), test.want) {
				t.Errorf("another user reads %q, want %q", got, test.want)
			}
			if diff := cmp.Diff(before, files(t, dir)); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
		})
	}
}

// TestReadOnlyFile: Open must not succeed where the first write would fail, also
// when log and shared memory are there already and nothing needs to be made.
func TestReadOnlyFile(t *testing.T) {
	for name, suffixes := range map[string][]string{"closed": nil, "killed": {"-wal", "-shm"}} {
		t.Run(name, func(t *testing.T) {
			dir := sharedDir(t)
			path := filepath.Join(dir, "layerd.db")
			copyDatabase(t, path, suffixes...)
			for _, name := range files(t, dir) {
				chmod(t, filepath.Join(dir, name), 0o444)
			}
			chmod(t, dir, 0o555)
			defer chmod(t, dir, 0o755)
			got, err := nobody(t, "write", path).CombinedOutput()
			if err == nil || !strings.HasPrefix(string(got), "open store") || !strings.Contains(string(got), "this user") {
				t.Errorf("Open by a user who may only read: %q, %v, want an error that says so", got, err)
			}
		})
	}
}

// copyDatabase copies a store with a=one merged and b=two in its log.
func copyDatabase(t *testing.T, path string, suffixes ...string) {
	t.Helper()
	source := tempPath(t)
	s := open(t, source)
	create(t, s, "a", "one")
	if _, err := s.write.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	create(t, s, "b", "two")
	contents := map[string][]byte{}
	for _, suffix := range append(suffixes, "") {
		contents[suffix] = readFile(t, source+suffix)
	}
	for suffix, content := range contents {
		writeFile(t, path+suffix, string(content))
	}
}

// TestStill: a file that is read without locks must not change under the
// reader's feet unnoticed.
func TestStill(t *testing.T) {
	path := tempPath(t)
	s := open(t, path)
	create(t, s, "a", "one")
	s.Close()
	old := time.Now().Add(-time.Hour) // so that no write shares its time stamp
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := openStill(path, info)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if v, err := r.Get(t.Context(), "a"); err != nil || string(v.Data) != "one" {
		t.Errorf("Get = %+v, %v", v, err)
	}

	w := open(t, path)
	create(t, w, "b", "two") // in the log: the file itself is as before
	wantMoved := func(when string) {
		t.Helper()
		if v, err := r.Get(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "open it again") {
			t.Errorf("Get %s = %+v, %v, want advice to open again", when, v, err)
		}
		if _, err := r.Get(t.Context(), "b"); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get of the new key %s: %v, want no answer", when, err)
		}
		for v, err := range r.List(t.Context(), store.Query{}) {
			if err == nil {
				t.Errorf("List %s yields %+v", when, v)
			}
		}
	}
	wantMoved("beside a writer")
	w.Close()
	wantMoved("after the writer merged its log")
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

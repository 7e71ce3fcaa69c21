package sqlitestore

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// losses are all the ways in which a file is not what was opened any more. Each
// gets the path of a store that is open, and that of a copy which was made when
// the store had fewer writes. present is the value of "a" in what lies there
// afterwards; empty = there is no store.
func losses() []loss {
	return []loss{
		{"deleted", func(t *testing.T, path, copied string) { remove(t, path, path+"-wal", path+"-shm") }, ""},
		{"deleted, the log stays", func(t *testing.T, path, copied string) { remove(t, path) }, ""},
		{"moved away", func(t *testing.T, path, copied string) { rename(t, path, path+".away") }, ""},
		{"the folder deleted", func(t *testing.T, path, copied string) {
			if err := os.RemoveAll(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		}, ""},
		{"the folder moved away", func(t *testing.T, path, copied string) { rename(t, filepath.Dir(path), filepath.Dir(path)+".away") }, ""},
		{"another folder in its place", func(t *testing.T, path, copied string) { // as a mount over it
			rename(t, filepath.Dir(path), filepath.Dir(path)+".away")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			rename(t, copied, path)
		}, "old"},
		{"a file where the folder was", func(t *testing.T, path, copied string) {
			rename(t, filepath.Dir(path), filepath.Dir(path)+".away")
			writeFile(t, filepath.Dir(path), "x")
		}, ""},
		{"a copy renamed over it", func(t *testing.T, path, copied string) {
			remove(t, path+"-wal", path+"-shm")
			rename(t, copied, path)
		}, "old"},
		{"an empty file", func(t *testing.T, path, copied string) {
			remove(t, path, path+"-wal", path+"-shm")
			writeFile(t, path, "")
		}, ""},
		{"a new store", func(t *testing.T, path, copied string) {
			remove(t, path, path+"-wal", path+"-shm")
			create(t, open(t, path), "a", "new")
		}, "new"},
		{"a new store, the log stays", func(t *testing.T, path, copied string) {
			remove(t, path)
			create(t, open(t, path), "a", "new")
		}, "new"},
		{"the log deleted", func(t *testing.T, path, copied string) { remove(t, path+"-wal") }, "present"},
		{"log and shared memory deleted", func(t *testing.T, path, copied string) { remove(t, path+"-wal", path+"-shm") }, "present"},
		{"shared memory deleted", func(t *testing.T, path, copied string) { remove(t, path+"-shm") }, "present"},
		{"cut to nothing", func(t *testing.T, path, copied string) { truncate(t, path, 0) }, ""},
		{"cut", func(t *testing.T, path, copied string) { truncate(t, path, 5000) }, ""},
		{"the log cut", func(t *testing.T, path, copied string) { truncate(t, path+"-wal", 0) }, "*"},
		{"overwritten by an older copy", func(t *testing.T, path, copied string) { overwrite(t, path, copied) }, "old"},
		{"overwritten by an older copy, log deleted", func(t *testing.T, path, copied string) {
			overwrite(t, path, copied)
			remove(t, path+"-wal", path+"-shm")
		}, "old"},
		{"overwritten by a copy as new as the log", func(t *testing.T, path, copied string) {
			sqlFile("VACUUM INTO '"+copied+".new'")(t, path)
			overwrite(t, path, copied+".new")
		}, "present"},
		{"overwritten by another store", func(t *testing.T, path, copied string) {
			other := copied + ".other"
			s, err := Open(other)
			if err != nil {
				t.Fatal(err)
			}
			create(t, s, "a", "other")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			overwrite(t, path, other)
		}, "other"},
		{"overwritten by something else", func(t *testing.T, path, copied string) { writeFile(t, path, "not a database") }, ""},
		{"an older state restored by SQLite", func(t *testing.T, path, copied string) {
			sqlFile(`UPDATE entry SET data = CAST('old' AS BLOB) WHERE key = 'a'; UPDATE origin SET generation = 1`)(t, path)
		}, "old"},
		{"its identity deleted", func(t *testing.T, path, copied string) { sqlFile("DELETE FROM origin")(t, path) }, ""},
		{"the table of its identity dropped", func(t *testing.T, path, copied string) { sqlFile("DROP TABLE origin")(t, path) }, ""},
		{"the table of its identity renamed", func(t *testing.T, path, copied string) {
			sqlFile("ALTER TABLE origin RENAME TO was")(t, path)
		}, ""},
		{"the table of its values dropped", func(t *testing.T, path, copied string) { sqlFile("DROP TABLE entry")(t, path) }, ""},
	}
}

type loss struct {
	name    string
	lose    func(t *testing.T, path, copied string)
	present string
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// overwrite is cp(1): the file stays the same, its content does not.
func overwrite(t *testing.T, path, from string) {
	t.Helper()
	writeFile(t, path, string(readFile(t, from)))
}

// lived opens a store that has had a life: an older copy of it lies elsewhere,
// and its log has been merged since.
func lived(t *testing.T) (s *Store, path, copied string, rev store.Revision) {
	t.Helper()
	dir := t.TempDir()
	path, copied = filepath.Join(dir, "state", "layerd.db"), filepath.Join(dir, "copy.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) // what becomes of a lost one is not our matter
	rev = create(t, s, "a", "old")
	if _, err := s.write.ExecContext(t.Context(), "VACUUM INTO ?", copied); err != nil {
		t.Fatal(err)
	}
	if rev, err = s.Replace(t.Context(), "a", rev, []byte("between")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.ExecContext(t.Context(), "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		t.Fatal(err)
	}
	if rev, err = s.Replace(t.Context(), "a", rev, []byte("present")); err != nil {
		t.Fatal(err)
	}
	return s, path, copied, rev
}

// TestP1Replaced: whichever way the file was lost, nothing is acknowledged after
// it; and what lies there afterwards is opened anew, if it is a store.
func TestP1Replaced(t *testing.T) {
	for _, l := range losses() {
		t.Run(l.name, func(t *testing.T) {
			s, path, copied, rev := lived(t)
			if err := s.Reopen(t.Context()); err != nil || s.Check() != nil {
				t.Errorf("Reopen of what is there: %v, Check %v", err, s.Check())
			}
			l.lose(t, path, copied)
			if rev, err := s.Replace(t.Context(), "a", rev, []byte("void")); !errors.Is(err, store.ErrReplaced) || rev != "" {
				t.Fatalf("Replace = %q, %v, want ErrReplaced", rev, err)
			}
			if _, err := s.Create(t.Context(), "b", nil); !errors.Is(err, store.ErrReplaced) {
				t.Errorf("Create: %v, want ErrReplaced", err)
			}
			if v, err := s.Get(t.Context(), "a"); !errors.Is(err, store.ErrReplaced) {
				t.Errorf("Get = %q, %v, want ErrReplaced", v.Data, err)
			}
			if err := s.Check(); !errors.Is(err, store.ErrReplaced) {
				t.Errorf("Check: %v, want ErrReplaced", err)
			}
			if l.present == "" {
				checkStaysLost(t, s, path, copied)
				return
			}
			if err := s.Reopen(t.Context()); err != nil {
				t.Fatalf("Reopen: %v", err)
			}
			v, err := s.Get(t.Context(), "a")
			if err != nil || l.present != "*" && string(v.Data) != l.present {
				t.Errorf("Get after Reopen = %q, %v, want %q", v.Data, err, l.present)
			}
			checkWorks(t, s, path)
		})
	}
}

// checkStaysLost: where there is no store, none is made; one that is put there
// is opened.
func checkStaysLost(t *testing.T, s *Store, path, copied string) {
	t.Helper()
	for range 2 {
		if err := s.Reopen(t.Context()); !errors.Is(err, store.ErrReplaced) {
			t.Fatalf("Reopen: %v, want ErrReplaced", err)
		}
		if _, err := s.Create(t.Context(), "b", nil); !errors.Is(err, store.ErrReplaced) {
			t.Errorf("Create after Reopen: %v, want ErrReplaced", err)
		}
	}
	if info, err := os.Stat(filepath.Dir(path)); err == nil && !info.IsDir() {
		remove(t, filepath.Dir(path))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, beside := range []string{path + "-wal", path + "-shm"} {
		if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	rename(t, copied, path)
	if err := s.Reopen(t.Context()); err != nil {
		t.Fatalf("Reopen of what was put back: %v", err)
	}
	if v, err := s.Get(t.Context(), "a"); err != nil || string(v.Data) != "old" {
		t.Errorf("Get after Reopen = %q, %v, want old", v.Data, err)
	}
	checkWorks(t, s, path)
}

// checkWorks: it is whole, it is written to, and others see that.
func checkWorks(t *testing.T, s *Store, path string) {
	t.Helper()
	create(t, s, "after", "it")
	checkIntegrity(t, s)
	if v, err := openReadOnly(t, path).Get(t.Context(), "after"); err != nil || string(v.Data) != "it" {
		t.Errorf("another one reads %q, %v", v.Data, err)
	}
	if err := s.Check(); err != nil {
		t.Errorf("Check: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if v, err := s.Get(t.Context(), "after"); err != nil || string(v.Data) != "it" {
		t.Errorf("at the next start: %q, %v", v.Data, err)
	}
	checkIntegrity(t, s)
}

// TestTablesGone: who only reads learns it as well, and reads no empty store.
func TestTablesGone(t *testing.T) {
	s, path, _, _ := lived(t)
	sqlFile("DROP TABLE entry")(t, path)
	if v, err := s.Get(t.Context(), "a"); !errors.Is(err, store.ErrReplaced) {
		t.Errorf("Get = %q, %v, want ErrReplaced", v.Data, err)
	}
	for v, err := range s.List(t.Context(), store.Query{}) {
		if !errors.Is(err, store.ErrReplaced) {
			t.Errorf("List = %q, %v, want ErrReplaced", v.Key, err)
		}
	}
	if err := s.Check(); !errors.Is(err, store.ErrReplaced) {
		t.Errorf("Check: %v, want ErrReplaced", err)
	}
}

// TestReopenWaitsForReaders: what is in the log alone is not left behind because
// somebody still reads what was there before.
func TestReopenWaitsForReaders(t *testing.T) {
	s, path, _, rev := lived(t)
	reader, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	tx, err := reader.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // it was, below
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM entry").Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if _, err := s.Replace(t.Context(), "a", rev, []byte("latest")); err != nil {
		t.Fatal(err)
	}
	remove(t, path+"-shm")
	s.busy = 0
	if _, err := s.write.ExecContext(t.Context(), "PRAGMA busy_timeout = 0"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(t.Context()); !errors.Is(err, store.ErrReplaced) || !errors.Is(err, store.ErrBusy) {
		t.Errorf("Reopen while somebody reads: %v, want ErrReplaced and ErrBusy", err)
	}
	if err := errors.Join(tx.Rollback(), reader.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(t.Context()); err != nil {
		t.Fatalf("Reopen: %v", err)
	}
	if v, err := s.Get(t.Context(), "a"); err != nil || string(v.Data) != "latest" {
		t.Errorf("Get after Reopen = %q, %v, want latest", v.Data, err)
	}
	checkWorks(t, s, path)
}

// TestNotReplaced: what is usual is no loss.
func TestNotReplaced(t *testing.T) {
	for name, act := range map[string]func(t *testing.T, path string){
		"another writes and leaves": func(t *testing.T, path string) {
			s := open(t, path)
			create(t, s, "b", "x")
		},
		"the log merged by another": sqlFile("PRAGMA wal_checkpoint(PASSIVE)"),
		"the log merged and cut":    sqlFile("PRAGMA wal_checkpoint(TRUNCATE)"),
		"made compact":              sqlFile("VACUUM"),
		"copied": func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("VACUUM INTO ?", path+".copy"); err != nil {
				t.Fatal(err)
			}
		},
		"many writes": func(t *testing.T, path string) { // the log is merged on the way
			s := open(t, path)
			rev := create(t, s, "big", "")
			for range 40 {
				var err error
				if rev, err = s.Replace(t.Context(), "big", rev, make([]byte, store.MaxValue)); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, path, _, rev := lived(t)
			t.Run("act", func(t *testing.T) { act(t, path) }) // closes what it opened
			rev, err := s.Replace(t.Context(), "a", rev, []byte("more"))
			if err != nil {
				t.Fatal(err)
			}
			for range 40 { // and ours is merged as well
				if rev, err = s.Replace(t.Context(), "a", rev, make([]byte, store.MaxValue)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOutOfSight: what cannot be looked at is not lost, and is left as it is open.
func TestOutOfSight(t *testing.T) {
	s, path, _, rev := lived(t)
	dir := filepath.Dir(path)
	rename(t, dir, dir+".away")
	if err := os.Symlink(dir, dir); err != nil { // goes round in circles
		t.Fatal(err)
	}
	_, failed := s.Replace(t.Context(), "a", rev, []byte("unseen"))
	for doing, err := range map[string]error{"Replace": failed, "Check": s.Check(), "Reopen": s.Reopen(t.Context())} {
		if err == nil || errors.Is(err, store.ErrReplaced) {
			t.Errorf("%s: %v, want an error that is not ErrReplaced", doing, err)
		}
	}
	remove(t, dir)
	rename(t, dir+".away", dir)
	if _, err := s.Replace(t.Context(), "a", rev, []byte("seen")); err != nil {
		t.Errorf("Replace: %v", err)
	}
	checkWorks(t, s, path)
}

// TestReplacedLink: the path is a link, and the link is what is turned.
func TestReplacedLink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "layerd.db")
	for _, name := range []string{"one", "two"} {
		path := filepath.Join(dir, name, "db")
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		create(t, s, "a", name)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join("one", "db"), link); err != nil {
		t.Fatal(err)
	}
	s := open(t, link)
	create(t, s, "b", "")
	remove(t, link)
	if err := os.Symlink(filepath.Join("two", "db"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), "c", nil); !errors.Is(err, store.ErrReplaced) {
		t.Errorf("Create: %v, want ErrReplaced", err)
	}
	if err := s.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get(t.Context(), "a"); err != nil || string(v.Data) != "two" {
		t.Errorf("Get after Reopen = %q, %v", v.Data, err)
	}
}

func TestContractReplaced(t *testing.T) {
	storetest.Replaced(t, func(t *testing.T) (s store.Replaceable, lose, mend func()) {
		path := tempPath(t)
		return open(t, path), func() { remove(t, path, path+"-wal", path+"-shm") }, func() {
			if err := open(t, path).Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

package sqlitestore

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/store"
)

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "state")
	path := filepath.Join(dir, "layerd.db")
	s := open(t, path)
	create(t, s, "a", "")
	for name, want := range map[string]fs.FileMode{dir: 0o700 | fs.ModeDir, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("mode of %s = %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

// TestPaths: characters that mean something in the URI the driver takes.
func TestPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "a?mode=memory", "a#b.db", "100%.db", "a%20b.db", "a&b=c;d.db", "層.db", ":memory:", "file:x.db"} {
		path := filepath.Join(t.TempDir(), name)
		s := open(t, path)
		create(t, s, "k", "v")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := files(t, filepath.Dir(path)); !cmp.Equal(got, []string{name}) {
			t.Errorf("files for %q: %q", name, got)
		}
		r, err := OpenReadOnly(path)
		if err != nil {
			t.Errorf("OpenReadOnly of %q: %v", name, err)
			continue
		}
		if _, err := r.Get(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		r.Close()
	}
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	s := open(t, "layerd.db")
	t.Chdir(t.TempDir()) // the store must not follow
	create(t, s, "a", "")
	if _, err := os.Stat("layerd.db"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a database in the new folder: %v", err)
	}
}

func TestReopen(t *testing.T) {
	path := tempPath(t)
	s := open(t, path)
	rev := create(t, s, "a", "one")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := readFile(t, path)
	for _, reopen := range []func(string) (*Store, error){Open, OpenReadOnly} {
		s, err := reopen(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), "a")
		if diff := cmp.Diff(store.Value{Key: "a", Data: []byte("one"), Revision: rev}, got); err != nil || diff != "" {
			t.Errorf("Get after reopening: %v (-want +got):\n%s", err, diff)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if !bytes.Equal(before, readFile(t, path)) {
		t.Error("opening and reading changed the file")
	}
}

func TestRefusedPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeFile(t, file, "text")
	for name, path := range map[string]string{"a folder": dir, "below a file": filepath.Join(file, "layerd.db")} {
		for _, f := range []func(string) (*Store, error){Open, OpenReadOnly} {
			if s, err := f(path); err == nil || !strings.Contains(err.Error(), path) && !strings.Contains(err.Error(), file) {
				t.Errorf("open of %s = %v, %v, want an error that names it", name, s, err)
			}
		}
	}
	if got := readFile(t, file); string(got) != "text" {
		t.Errorf("the file in the way holds %q", got)
	}
}

// TestForeign: what is not ours is refused, named, and not changed by a byte.
func TestForeign(t *testing.T) {
	garbage := strings.Repeat("not a database ", 1000)
	for _, test := range []struct {
		name string
		make func(t *testing.T, path string)
		want error
		text string
	}{
		{"text", func(t *testing.T, path string) { writeFile(t, path, garbage) }, store.ErrCorrupt, "restore the file from a copy"},
		{"another program", sqlFile("CREATE TABLE notes (a)"), nil, "not one of layerd"},
		{"another program's number", sqlFile("PRAGMA application_id = 7"), nil, "not one of layerd"},
		{"another program's version", sqlFile("PRAGMA user_version = 7"), nil, "not one of layerd"},
		{"newer", sqlFile("CREATE TABLE entry (a); PRAGMA application_id = 0x6c797264; PRAGMA user_version = 99"), store.ErrNewer, "it has schema 99, this layerd knows 2; update layerd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := tempPath(t)
			test.make(t, path)
			before := readFile(t, path)
			for _, f := range []func(string) (*Store, error){Open, OpenReadOnly} {
				s, err := f(path)
				if err == nil {
					s.Close()
					t.Fatal("it was opened")
				}
				if test.want != nil && !errors.Is(err, test.want) {
					t.Errorf("error %v, want %v", err, test.want)
				}
				if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("error %q, want the path and %q", err, test.text)
				}
			}
			if !bytes.Equal(before, readFile(t, path)) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestDamaged overwrites the pages behind the first, then the tail.
func TestDamaged(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"overwritten": func(b []byte) []byte {
			return append(b[:4096:4096], bytes.Repeat([]byte{0xA5}, len(b)-4096)...)
		},
		"cut off": func(b []byte) []byte { return b[:4096] },
	} {
		t.Run(name, func(t *testing.T) {
			path := tempPath(t)
			s := open(t, path)
			for _, key := range []string{"a", "b", "c"} {
				create(t, s, key, strings.Repeat(key, 5000))
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			writeFile(t, path, string(damage(readFile(t, path))))

			s, err := Open(path)
			if err == nil {
				defer s.Close()
				_, err = s.Get(t.Context(), "b")
			}
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), path) {
				t.Errorf("reading a damaged file: %v, want ErrCorrupt and the path", err)
			}
		})
	}
}

// TestUnfinished: a process that was killed between making the file and the
// schema leaves an empty file. Nothing was lost: there is no past, and the next
// Open makes one.
func TestUnfinished(t *testing.T) {
	for name, unfinished := range map[string]func(*testing.T, string){
		"empty":       func(t *testing.T, path string) { writeFile(t, path, "") },
		"only logged": sqlFile("PRAGMA journal_mode = WAL"),
	} {
		t.Run(name, func(t *testing.T) {
			path := tempPath(t)
			unfinished(t, path)
			if s, err := OpenReadOnly(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("OpenReadOnly = %v, %v, want ErrNotExist", s, err)
			}
			create(t, open(t, path), "a", "")
		})
	}
}

// TestSchema1 reads a database as schema 1 left it. It must pass for ever.
func TestSchema1(t *testing.T) {
	path := tempPath(t)
	sqlFile(string(readFile(t, "testdata/v1.sql")))(t, path)
	s := open(t, path)
	var got []store.Value
	for v, err := range s.List(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	want := []store.Value{
		{Key: "history/prod/1", Data: []byte(`{"v":1}`), Revision: "R5ZJX3ZQF2PLSEBQ6DTSVTL2QX"},
		{Key: "history/prod/2", Data: []byte{0, 255}, Revision: "6XKQ2VVTC7GZ2H4J5LQPWD3AUM"},
		{Key: "layer/層%2F1", Revision: "OZWEM5DTAZ7JYQSFWEZTL3DQKX"},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
		t.Errorf("values of schema 1 (-want +got):\n%s", diff)
	}
	if _, err := s.Replace(t.Context(), "layer/層%2F1", want[2].Revision, []byte("new")); err != nil {
		t.Error(err)
	}
}

// TestSchemaIsPinned: a new database is what schema 1 says, column by column.
// Who changes the schema must add a migration, not edit one.
func TestSchemaIsPinned(t *testing.T) {
	fixture, fresh := tempPath(t), tempPath(t)
	sqlFile(string(readFile(t, "testdata/v1.sql")))(t, fixture)
	var schemas [2]string
	for i, path := range []string{fixture, fresh} {
		err := open(t, path).read.QueryRowContext(t.Context(), "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name)").Scan(&schemas[i])
		if err != nil {
			t.Fatal(err)
		}
	}
	if normal := strings.Fields(schemas[0]); !cmp.Equal(normal, strings.Fields(schemas[1])) {
		t.Errorf("a new database has the schema\n%s\nand schema 1 is\n%s", schemas[1], schemas[0])
	}
}

// TestMigrate takes the fixture through steps that do not exist yet: one that
// works, one that fails halfway, and one that another process has done already.
func TestMigrate(t *testing.T) {
	path := tempPath(t)
	sqlFile(string(readFile(t, "testdata/v1.sql")))(t, path)
	db, err := sql.Open("sqlite", path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want := func(version int, columns string) {
		t.Helper()
		id, err := identify(t.Context(), db)
		var got string
		if err == nil {
			err = db.QueryRowContext(t.Context(), "SELECT group_concat(name) FROM pragma_table_info('entry')").Scan(&got)
		}
		if err != nil || id.version != version || got != columns || id.application != applicationID {
			t.Errorf("identity %+v with columns %s, %v, want version %d with %s", id, got, err, version, columns)
		}
	}

	half := append(migrations(), `ALTER TABLE entry ADD COLUMN extra TEXT; ALTER TABLE nothing ADD COLUMN extra TEXT`)
	if err := prepare(t.Context(), db, half, busyTimeout); err == nil || !strings.Contains(err.Error(), "migrate to schema 3") {
		t.Errorf("a migration that fails: %v, want an error that names schema 3", err)
	}
	want(1, "key,data,revision")

	whole := append(migrations(), `ALTER TABLE entry ADD COLUMN extra TEXT NOT NULL DEFAULT 'x'`, `ALTER TABLE entry RENAME COLUMN extra TO more`)
	for range 2 { // the second time there is nothing to do
		if err := prepare(t.Context(), db, whole, busyTimeout); err != nil {
			t.Fatal(err)
		}
		want(4, "key,data,revision,more")
	}
	if err := migrate(t.Context(), db, whole); err != nil { // looked before the other process was done
		t.Errorf("a migration that was done meanwhile: %v", err)
	}
	want(4, "key,data,revision,more")
	if err := inspect(t.Context(), db, 5, 5); err == nil || !strings.Contains(err.Error(), "open it once for writing") {
		t.Errorf("reading an older schema: %v, want advice", err)
	}
	if s, err := Open(path); !errors.Is(err, store.ErrNewer) {
		t.Errorf("Open by the older layerd = %v, %v, want ErrNewer", s, err)
	}
}

// sqlFile returns a function that makes a database with a script.
func sqlFile(script string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(script); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// plan and history read what an earlier layerd left, without a change to it.
func TestAnOlderStoreIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	sqlFile(migrations()[0]+fmt.Sprintf("; PRAGMA application_id = %d; PRAGMA user_version = 1; PRAGMA journal_mode = WAL", applicationID))(t, path)
	s, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("reading it: %v", err)
	}
}

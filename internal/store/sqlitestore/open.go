package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/semaphore"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// busyTimeout is how long SQLite waits for a lock of another process. Our own
// transactions take milliseconds; seconds mean a person with an open
// transaction or a disk in trouble.
const busyTimeout = 5 * time.Second

// readers is how many reads run at once. Reads do not wait for the writer.
const readers = 4

// Open opens the database at path for reading and writing. It creates the
// database, and the folder it lies in, when they do not exist, and brings an
// older database to the present schema.
func Open(path string) (*Store, error) { return openWithin(path, busyTimeout) }

func openWithin(path string, busy time.Duration) (*Store, error) {
	abs, err := place(path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s := &Store{path: abs, busy: busy, calls: semaphore.NewWeighted(allCalls)}
	if err := s.connect(context.Background()); err != nil {
		return nil, s.explain("open store", err)
	}
	return s, nil
}

// connect opens the file at the store's path, which must be there.
func (s *Store) connect(ctx context.Context) error {
	write, err := connect(s.path, 1, url.Values{
		"mode":          {"rw"},        // place made the file: SQLite would give it to the world
		"_synchronous":  {"FULL"},      // an acknowledged write is on the disk
		"_txlock":       {"immediate"}, // what is read before a write must hold when it is written
		"_busy_timeout": {milliseconds(s.busy)},
	})
	if err != nil {
		return err
	}
	read, err := connect(s.path, readers+1, readOnly(s.busy)) // one is the anchor
	if err != nil {
		return errors.Join(err, write.Close())
	}
	err = prepare(ctx, write, migrations(), s.busy)
	var now opened
	if err == nil {
		now, err = look(ctx, s.path, write, read)
	}
	if err != nil {
		return errors.Join(err, read.Close(), write.Close())
	}
	s.write, s.read, s.known = write, read, now
	return nil
}

// OpenReadOnly opens the database at path for reading. Writes return
// store.ErrReadOnly. Where there is no database, or one that nothing was ever
// written to, the error is fs.ErrNotExist.
func OpenReadOnly(path string) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := checkKind(info); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s, err := openShared(abs)
	if !cannotShare(err) {
		return s, err
	}
	// The shared memory cannot be made here. Without a log nobody has the
	// database open, so the file alone is the truth. With a log it is not: part
	// of the past would be missing, and pages may be half merged.
	if n := logSize(abs); n > 0 {
		return nil, fmt.Errorf("%w; %s-wal holds %d bytes that are not merged yet, and the folder cannot be written: "+
			"copy both files to a folder that can", err, abs, n)
	}
	return openStill(abs, info)
}

// openShared reads beside writers, through SQLite's shared memory.
func openShared(abs string) (*Store, error) {
	return openReaders(&Store{path: abs, calls: semaphore.NewWeighted(allCalls)}, readOnly(busyTimeout))
}

// openStill reads a file that nobody writes. SQLite takes no locks then and
// looks for no log.
func openStill(abs string, info fs.FileInfo) (*Store, error) {
	params := readOnly(busyTimeout)
	params.Set("immutable", "1")
	return openReaders(&Store{path: abs, still: info, calls: semaphore.NewWeighted(allCalls)}, params)
}

func openReaders(s *Store, params url.Values) (*Store, error) {
	var err error
	if s.read, err = connect(s.path, readers, params); err != nil {
		return nil, s.explain("open store", err)
	}
	if err := inspect(context.Background(), s.read, oldestRead, len(migrations())); err != nil {
		return nil, errors.Join(s.explain("open store", err), s.Close())
	}
	return s, nil
}

func readOnly(busy time.Duration) url.Values {
	return url.Values{"mode": {"ro"}, "_busy_timeout": {milliseconds(busy)}}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// connect returns a pool; nothing is opened before its first use. The path is
// escaped, so that ?, # and % in it are not read as parts of an URI.
func connect(abs string, connections int, params url.Values) (*sql.DB, error) {
	params.Set("_error_rc", "1")  // no "out of memory" for a file that is not there
	params.Set("_defensive", "1") // no statement can damage the file
	params.Set("_dqs", "0")       // a misspelt column is an error and not a text
	uri := url.URL{Scheme: "file", OmitHost: true, Path: abs, RawQuery: params.Encode()}
	db, err := sql.Open("sqlite", uri.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// place returns the absolute path, after making sure that there is a file.
func place(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(abs), 0o700); err != nil {
		return "", err
	}
	info, err := os.Stat(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return abs, createEmpty(abs)
	}
	if err != nil {
		return "", err
	}
	return abs, checkKind(info)
}

// createEmpty makes an empty file of mode 0600, which SQLite also gives to its
// log. The file is made under another name and linked, not opened under its own:
// by closing it we would drop the locks of another goroutine that has opened the
// same new database in between. Losing that race is as good as winning it.
func createEmpty(abs string) error {
	f, err := os.CreateTemp(filepath.Dir(abs), "."+filepath.Base(abs)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := f.Close(); err != nil {
		return err
	}
	left := beside(abs)
	err = os.Link(f.Name(), abs)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	// What lay there before the file did is of a database that is gone, and holds
	// what was not merged. Whoever still has it open would share it with the new one.
	for suffix, now := range beside(abs) {
		if was, ok := left[suffix]; ok && os.SameFile(was, now) {
			err = errors.Join(err, os.Rename(abs+suffix, abs+".replaced"+suffix))
		}
	}
	return err
}

// beside returns those of the files of a log that are there, by their suffix.
func beside(abs string) map[string]fs.FileInfo {
	found := map[string]fs.FileInfo{}
	for _, suffix := range []string{logSuffix, sharedSuffix} {
		if info, err := os.Stat(abs + suffix); err == nil {
			found[suffix] = info
		}
	}
	return found
}

func checkKind(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("not a regular file (%s)", info.Mode())
	}
	return nil
}

// logSize returns the size of the log beside the database, 0 when there is none.
func logSize(abs string) int64 {
	info, err := os.Stat(abs + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

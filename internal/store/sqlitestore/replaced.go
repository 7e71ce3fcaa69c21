package sqlitestore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	lib "modernc.org/sqlite/lib"

	"github.com/layerd/layerd/internal/store"
)

// SQLite never notices that the file it has open is not the one at its path any
// more: it writes on, into what nobody will find again. This file is about
// noticing.

// The files that SQLite keeps beside a database. Without either of them other
// processes see another state than we do.
const (
	logSuffix    = "-wal"
	sharedSuffix = "-shm"
)

// origin is which database it is, and how many writes it has seen.
type origin struct {
	id         string
	generation int64
	// laid is true for a file that was written whole, by VACUUM INTO or from a
	// dump: its pages lie elsewhere than those that our log is to be merged with.
	// Known of what is in the file itself.
	laid bool
}

func readOrigin(ctx context.Context, db querier) (origin, error) {
	var o origin
	err := db.QueryRowContext(ctx, `SELECT id, generation FROM origin`).Scan(&o.id, &o.generation)
	if errors.Is(err, sql.ErrNoRows) {
		err = replaced("it has lost its identity")
	}
	return o, err
}

// opened is what was opened.
type opened struct {
	*sync.Mutex // guards the rest; nil in a store for reading

	real              string // the path without symbolic links: where the log lies
	file, log, shared fs.FileInfo
	// anchor is a connection that stays: while one has the log open, SQLite does
	// not begin another.
	anchor *sql.Conn
	id     string
	// written is the newest generation that was seen, merged the newest that was
	// seen in the file itself, which is behind while writes are in the log alone;
	// -1 = none was.
	written, merged int64
	// gone is why this is not the store any more. It stays until Reopen.
	gone error
}

// look notes what was opened at path.
func look(ctx context.Context, path string, write, read *sql.DB) (o opened, err error) {
	o = opened{Mutex: &sync.Mutex{}, merged: -1}
	if o.anchor, err = read.Conn(ctx); err != nil {
		return o, err
	}
	defer func() {
		if err != nil {
			o.release()
		}
	}()
	now, err := readOrigin(ctx, o.anchor) // opens the log as well
	if err != nil {
		return o, err
	}
	o.id, o.written = now.id, now.generation
	if o.real, err = filepath.EvalSymlinks(path); err != nil {
		return o, err
	}
	merged, err := originInFile(ctx, o.real)
	if err != nil {
		// A new database is in its log alone. When others keep us from merging
		// it there is less to compare with, and that is all.
		_, _ = write.ExecContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`)
		merged, err = originInFile(ctx, o.real)
	}
	if err == nil {
		o.merged = merged.generation
	}
	for _, f := range []struct {
		into *fs.FileInfo
		path string
	}{{&o.file, path}, {&o.log, o.real + logSuffix}, {&o.shared, o.real + sharedSuffix}} {
		if *f.into, err = os.Stat(f.path); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (o *opened) release() {
	if o.anchor != nil {
		_ = o.anchor.Close() // returns it to its pool
		o.anchor = nil
	}
}

// Check implements store.Replaceable.
func (s *Store) Check() error {
	_ = s.calls.Acquire(context.Background(), 1) // Reopen ends, with its context
	defer s.calls.Release(1)
	if err := s.check(); err != nil {
		return s.explain("check", err)
	}
	return nil
}

// check needs one of calls.
func (s *Store) check() error {
	if s.known.Mutex == nil || s.closed {
		return nil
	}
	s.known.Lock()
	defer s.known.Unlock()
	if s.known.gone != nil {
		return s.known.gone
	}
	return s.known.noted(s.known.compare(s.path))
}

// noted remembers an ErrReplaced.
func (o *opened) noted(err error) error {
	if errors.Is(err, store.ErrReplaced) {
		o.gone = err
	}
	return err
}

func replaced(format string, args ...any) error {
	return fmt.Errorf("%w: %w", store.ErrReplaced, fmt.Errorf(format, args...))
}

// compare costs three looks at the disk as long as nobody but the log has
// written.
func (o *opened) compare(path string) error {
	file, err := sameFile(path, o.file)
	if err != nil {
		return err
	}
	log, err := sameFile(o.real+logSuffix, o.log)
	if err != nil {
		return err
	}
	if _, err := sameFile(o.real+sharedSuffix, o.shared); err != nil {
		return err
	}
	cut := log.Size() < o.log.Size()
	if !cut && same(file, o.file) {
		o.log = log
		return nil
	}
	// Merging the log writes the file, and is usual; so does a copy that is
	// written over it.
	least := o.merged
	if cut {
		least = o.written // what was in the log has to be in the file now
	}
	settled, now, err := o.settled(path, file, log.Size())
	if err != nil || !settled {
		return err // while it is being written, nobody can tell: at the next call
	}
	if now.id != o.id || now.generation < least || now.laid {
		return replaced("an older or another database was written over the file")
	}
	o.file, o.log, o.merged = file, log, now.generation
	return nil
}

// settled reads the origin in the file, unless it is being written meanwhile. logged is
// how many bytes of its log may belong to it.
func (o *opened) settled(path string, before fs.FileInfo, logged int64) (bool, origin, error) {
	now, err := originInFile(context.Background(), o.real)
	after, statErr := os.Stat(path)
	switch {
	case statErr == nil && !same(before, after):
		return false, now, nil
	case err == nil || statErr != nil:
		return true, now, statErr
	}
	if before.Size() > 0 && o.merged < 0 && kindOf(err) == lib.SQLITE_ERROR {
		return false, now, nil // it was in the log alone until now
	}
	if kindOf(err) == lib.SQLITE_CORRUPT && logged > 0 && before.Size() >= o.file.Size() {
		// Who was killed while merging leaves pages in the file that go with others in
		// the log: without it they make no sense, and with it nothing is lost. So do
		// pages that are merged at this moment, within one tick of the file's time. Merging never makes the file smaller.
		return false, now, nil
	}
	switch kindOf(err) {
	case lib.SQLITE_ERROR, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB: // ERROR: no such table
		err = replaced("the file was overwritten: %w", err)
	}
	return true, now, err
}

// same reports whether a file was not written since.
func same(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func sameFile(path string, want fs.FileInfo) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, replaced("%s is gone", filepath.Base(path))
	case err != nil:
		return nil, err
	case !os.SameFile(info, want):
		return nil, replaced("%s is another file now", filepath.Base(path))
	}
	return info, nil
}

// originInFile reads the origin without the log: what is in the file itself.
// SQLite takes no locks for that, and keeps ours when it closes the file.
func originInFile(ctx context.Context, path string) (origin, error) {
	params := readOnly(0)
	params.Set("immutable", "1")
	db, err := connect(path, 1, params)
	if err != nil {
		return origin{}, err
	}
	defer db.Close()
	o, err := readOrigin(ctx, db)
	if err != nil {
		return o, err
	}
	// Bytes 18 and 19 of a database are 2 while it has a log; nobody can take that
	// back while we have it open. They are read as SQL: opening the file drops the
	// locks of this process.
	var header []byte
	err = db.QueryRowContext(ctx, `SELECT substr(data, 19, 2) FROM sqlite_dbpage WHERE pgno = 1`).Scan(&header)
	o.laid = !bytes.Equal(header, []byte{2, 2})
	return o, err
}

// follows returns ErrReplaced for an origin that is not later than what was
// seen: somebody restored an older state by SQLite's own means. err is what reading
// it came back with. ctx is that of the transaction in which it was read: when it
// ends, the transaction does by itself, and others may have written since.
func (o *opened) follows(ctx context.Context, now origin, err error) error {
	o.Lock()
	defer o.Unlock()
	if err == nil && (now.id != o.id || now.generation < o.written) {
		err = replaced("an older or another state was restored into it")
	}
	if err != nil {
		if ended := ctx.Err(); ended != nil {
			return ended
		}
		return o.noted(tableGone(err))
	}
	o.written = now.generation
	return nil
}

// tableGone returns ErrReplaced for an error of a statement of ours that has worked
// before: a table that it names is not there any more.
func tableGone(err error) error {
	if kindOf(err) == lib.SQLITE_ERROR {
		return replaced("it has lost its tables: %w", err)
	}
	return err
}

// lost is tableGone for a statement in an open store, which remembers it. It needs
// one of calls.
func (s *Store) lost(err error) error {
	err = tableGone(err)
	if s.known.Mutex == nil || !errors.Is(err, store.ErrReplaced) {
		return err
	}
	s.known.Lock()
	defer s.known.Unlock()
	return s.known.noted(err)
}

func (o *opened) wrote(generation int64) {
	o.Lock()
	defer o.Unlock()
	o.written = max(o.written, generation)
}

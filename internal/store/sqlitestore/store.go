package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"iter"
	"math"
	"os"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/layerd/layerd/internal/store"
)

// A page of a list ends after so many rows or bytes of data, whichever is
// first: 256 of the largest values would be 90 MB.
const (
	pageRows  = 256
	pageBytes = 1 << 20
)

// allCalls is more than there ever are at once.
const allCalls = math.MaxInt64

const (
	sqlGet     = `SELECT data, revision FROM entry WHERE key = ?`
	sqlCreate  = `INSERT INTO entry (key, data, revision) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING`
	sqlReplace = `UPDATE entry SET data = ?, revision = ? WHERE key = ? AND revision = ?`
	sqlList    = `SELECT key, data, revision FROM entry WHERE key >= ?`
)

// Store is an open database. It implements store.Store.
type Store struct {
	path string
	busy time.Duration // how long to wait for other processes

	// calls guards what follows, which Reopen replaces: a call must not end up half
	// in the old database. Each call holds one of it, Reopen and Close hold all. A
	// wait for it ends with the context, which one for a sync.RWMutex would not, and
	// SQLite waits for other processes while it is held.
	calls  *semaphore.Weighted
	closed bool
	// write has one connection, so that the goroutines of this process queue
	// here, where the wait is fair, and not at SQLite's file lock, where it is
	// not. It is nil in a store for reading.
	write *sql.DB
	read  *sql.DB
	// still is set where the file is read without locks: what it looked like
	// then, and must still look like after every read.
	still fs.FileInfo
	known opened // of a store for writing: what was opened
}

var _ store.Replaceable = (*Store)(nil)

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string) (store.Value, error) {
	if err := s.calls.Acquire(ctx, 1); err != nil {
		return store.Value{}, s.explain("get "+key, err)
	}
	defer s.calls.Release(1)
	v := store.Value{Key: key}
	err := store.CheckKey(key)
	if err == nil {
		err = s.moved() // a connection that is new would begin another log
	}
	if err == nil {
		err = s.lost(s.read.QueryRowContext(ctx, sqlGet, key).Scan(&v.Data, &v.Revision))
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if moved := s.moved(); moved != nil {
		err = moved // else "not found" could be an answer out of a mixture
	}
	if err != nil {
		return store.Value{}, s.explain("get "+key, err)
	}
	return v, nil
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	rev := store.NewRevision()
	if err := s.change(ctx, store.ErrExists, key, data, sqlCreate, key, bytesOf(data), string(rev)); err != nil {
		return "", s.explain("create "+key, err)
	}
	return rev, nil
}

// Replace implements store.Store.
func (s *Store) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	rev := store.NewRevision()
	if err := s.change(ctx, store.ErrChanged, key, data, sqlReplace, bytesOf(data), string(rev), key, string(old)); err != nil {
		return "", s.explain("replace "+key, err)
	}
	return rev, nil
}

// change runs one statement that compares and swaps, in a transaction of its
// own: it either changed its row durably, or lost and changed nothing.
func (s *Store) change(ctx context.Context, lost error, key string, data []byte, statement string, args ...any) error {
	if err := store.CheckWrite(key, data); err != nil {
		return err
	}
	if err := s.calls.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.calls.Release(1)
	if s.write == nil {
		return store.ErrReadOnly
	}
	if err := s.check(); err != nil {
		return err
	}
	if err := s.swap(ctx, lost, statement, args...); err != nil {
		return err
	}
	// Again: it may have been written to a file that was deleted meanwhile.
	return s.check()
}

func (s *Store) swap(ctx context.Context, lost error, statement string, args ...any) error {
	tx, err := s.write.BeginTx(ctx, nil) // BEGIN IMMEDIATE: nobody writes in between
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	now, err := readOrigin(ctx, tx)
	if err := s.known.follows(ctx, now, err); err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return s.lost(err)
	}
	switch n, err := result.RowsAffected(); {
	case err != nil:
		return err
	case n == 0:
		return lost
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.known.wrote(now.generation + 1)
	return nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, q store.Query) iter.Seq2[store.Value, error] {
	return store.Pages(ctx, q, s.page)
}

// page reads one page and releases its connection before it returns, so that
// a loop over a list may write, or stop, without holding up anybody.
func (s *Store) page(ctx context.Context, q store.Query) ([]store.Value, bool, error) {
	if err := s.calls.Acquire(ctx, 1); err != nil {
		return nil, false, s.explain("read a page", err)
	}
	defer s.calls.Release(1)
	if err := s.moved(); err != nil {
		return nil, false, s.explain("read a page", err)
	}
	values, more, err := s.scan(ctx, q)
	if moved := s.moved(); moved != nil {
		err = moved
	}
	if err != nil {
		return nil, false, s.explain("read a page", err)
	}
	return values, more, nil
}

func (s *Store) scan(ctx context.Context, q store.Query) ([]store.Value, bool, error) {
	limit := pageRows
	if q.Limit > 0 {
		limit = min(limit, q.Limit)
	}
	statement, args := listStatement(q, limit)
	rows, err := s.read.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, false, s.lost(err)
	}
	defer rows.Close()
	var values []store.Value
	size := 0
	for size < pageBytes && rows.Next() {
		var v store.Value
		if err := rows.Scan(&v.Key, &v.Data, &v.Revision); err != nil {
			return nil, false, err
		}
		values = append(values, v)
		size += len(v.Data)
	}
	return values, size >= pageBytes || len(values) == limit, rows.Err()
}

// listStatement names the upper bound only where there is one: with it, SQLite
// begins at the right end of the index in both directions.
func listStatement(q store.Query, limit int) (string, []any) {
	from, to := q.Range()
	statement, args := sqlList, []any{from}
	if to != "" {
		statement, args = statement+" AND key < ?", append(args, to)
	}
	order := " ORDER BY key"
	if q.Reverse {
		order += " DESC"
	}
	return statement + order + " LIMIT ?", append(args, limit)
}

// moved returns an error when the file is not what it was: then the answer just
// read may be that of a file that is gone or, where files are read without locks,
// a mixture of two states.
func (s *Store) moved() error {
	if s.still == nil {
		return s.check()
	}
	now, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	same := os.SameFile(now, s.still) && now.Size() == s.still.Size() && now.ModTime().Equal(s.still.ModTime())
	if !same || logSize(s.path) > 0 {
		return errors.New("another process has begun to write it; open it again")
	}
	return nil
}

// Close implements store.Store. The writer is closed last: SQLite merges the
// log into the database and removes it when its last connection ends, which a
// connection for reading cannot do.
func (s *Store) Close() error {
	_ = s.calls.Acquire(context.Background(), allCalls) // ends when the calls do
	defer s.calls.Release(allCalls)
	s.closed = true
	if err := s.disconnect(); err != nil {
		return s.explain("close", err)
	}
	return nil
}

func (s *Store) disconnect() error {
	s.known.release()
	err := s.read.Close()
	if s.write != nil {
		err = errors.Join(err, s.write.Close())
	}
	return err
}

// bytesOf makes nil an empty value: SQLite would take nil for NULL.
func bytesOf(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

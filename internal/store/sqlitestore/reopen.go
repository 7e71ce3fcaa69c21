package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// errNothing: the file is there and no database.
var errNothing = errors.New("nothing was written to it yet")

// gone adds to err what to do about a file that is not there, or holds nothing: that
// is for a person to decide.
func gone(path string, err error) error {
	return fmt.Errorf("%w; put it back, or begin without a past with layerd store init --store %s", err, words.ShellQuote("sqlite:"+path))
}

// Reopen implements store.Replaceable.
func (s *Store) Reopen(ctx context.Context) error {
	const doing = "open store again"
	if err := s.calls.Acquire(ctx, allCalls); err != nil {
		return s.explain(doing, err)
	}
	defer s.calls.Release(allCalls)
	switch err := s.check(); {
	case err == nil:
		return nil
	case !errors.Is(err, store.ErrReplaced):
		return s.explain(doing, err) // it could not be looked at, and may well be there
	}
	if err := s.reopen(ctx); err != nil {
		if !errors.Is(err, store.ErrReplaced) {
			err = fmt.Errorf("%w: %w", store.ErrReplaced, err)
		}
		return s.explain(doing, err)
	}
	return nil
}

func (s *Store) reopen(ctx context.Context) error {
	info, err := os.Stat(s.path)
	if err != nil {
		return gone(s.path, err)
	}
	if err := checkKind(info); err != nil {
		return err
	}
	connected := s.known.anchor != nil // else an earlier call came this far
	if connected && os.SameFile(info, s.known.file) {
		if err := s.leave(ctx, info); err != nil {
			return err
		}
	}
	// First this: in one process, two connections to one file share what the old
	// one has of the log. SQLite merges and deletes no log of a file that is not
	// at its path any more, so there is nothing that could fail and matter.
	_ = s.disconnect()
	if err := checkWritten(ctx, s.path); err != nil {
		return err
	}
	return s.connect(ctx)
}

// checkWritten returns an error for a file that holds no database of ours:
// connect would make one of an empty file, as is right at the first start, and
// nobody would learn that the past is lost.
func checkWritten(ctx context.Context, path string) error {
	db, err := connect(path, 1, readOnly(busyTimeout))
	if err != nil {
		return err
	}
	defer db.Close()
	id, err := identify(ctx, db)
	if err == nil && id.empty() {
		err = gone(path, errNothing)
	}
	return errors.Join(err, id.check(len(migrations())))
}

// leave parts from a file that still is at its path, when our log does not
// belong to it any more: because a copy was written over the file, or because
// somebody else has begun another log. On closing SQLite would merge our log into
// it, which would destroy both. So the file is replaced by its own copy, which
// SQLite then leaves alone, and our log is put aside rather than deleted.
func (s *Store) leave(ctx context.Context, before fs.FileInfo) error {
	logPath := s.known.real + logSuffix
	log, err := os.Stat(logPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ours := err == nil && os.SameFile(log, s.known.log)
	cut := ours && log.Size() < s.known.log.Size()
	settled, now, err := s.known.settled(s.path, before, 0)
	switch {
	case !settled:
		return errors.New("it is being written")
	case err != nil:
		return err // not a whole database: nothing is touched until there is one
	case !now.laid && now.id == s.known.id && now.generation >= s.known.merged && (ours && !cut || log == nil):
		// Our log belongs to it: what is only there must not be lost with its name.
		return mergeAll(ctx, s.write)
	}
	if err := replaceByCopy(ctx, s.known.real, before); err != nil {
		return err
	}
	if ours {
		err = os.Rename(logPath, s.known.real+".replaced"+logSuffix)
	}
	if gone := os.Remove(s.known.real + sharedSuffix); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// mergeAll merges the whole log into the file. That somebody still reads what was
// there before is no error to SQLite, which then leaves the rest in the log.
func mergeAll(ctx context.Context, db querier) error {
	var busy, inLog, merged int
	if err := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(FULL)`).Scan(&busy, &inLog, &merged); err != nil {
		return err
	}
	if busy != 0 || merged < inLog {
		return fmt.Errorf("%w: somebody reads it, and its log cannot be merged", store.ErrBusy)
	}
	return nil
}

// replaceByCopy gives the file at path another inode. Reading it drops our locks
// on it, which we are about to give up.
func replaceByCopy(ctx context.Context, path string, before fs.FileInfo) error {
	to, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(to.Name())
	if err := errors.Join(copyInto(to, path), to.Close()); err != nil {
		return err
	}
	if now, err := os.Stat(path); err != nil || !same(now, before) {
		return errors.Join(err, errors.New("it was written meanwhile"))
	}
	if err := checkWhole(ctx, to.Name()); err != nil {
		return err
	}
	return os.Rename(to.Name(), path)
}

func copyInto(to *os.File, path string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return to.Sync()
}

// checkWhole returns store.ErrCorrupt for a copy that is not whole.
func checkWhole(ctx context.Context, path string) error {
	params := readOnly(0)
	params.Set("immutable", "1")
	db, err := connect(path, 1, params)
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s; put a whole copy in its place", store.ErrCorrupt, verdict)
	}
	return nil
}

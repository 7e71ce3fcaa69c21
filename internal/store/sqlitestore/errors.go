package sqlitestore

import (
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/layerd/layerd/internal/store"
)

// explain wraps an error with what was being done and to which file, and sorts
// SQLite's codes by what to do next. The driver's own text stays in the message.
// A call whose context ended comes with the context's error and none of SQLite's.
func (s *Store) explain(doing string, err error) error {
	sentinel, advice := meaning(kindOf(err))
	if sentinel == nil {
		return fmt.Errorf("%s in %s: %w%s", doing, s.path, err, advice)
	}
	return fmt.Errorf("%s in %s: %w: %w%s", doing, s.path, sentinel, err, advice)
}

// meaning returns the sentinel for a kind of failure, and what a person can do.
func meaning(kind int) (error, string) {
	switch kind {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return store.ErrCorrupt, "; restore the file from a copy, or move it away to begin without a past"
	case lib.SQLITE_FULL:
		return syscall.ENOSPC, "; make room and try again"
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return store.ErrBusy, "; another process holds it"
	case lib.SQLITE_READONLY, lib.SQLITE_PERM:
		return store.ErrReadOnly, "; this user may not write the file or its folder"
	case lib.SQLITE_CANTOPEN:
		return nil, "; may this user read and write the file and its folder?"
	case lib.SQLITE_IOERR:
		return nil, "; is the disk full or failing?"
	}
	return nil, ""
}

func isBusy(err error) bool { return kindOf(err) == lib.SQLITE_BUSY }

// kindOf returns the kind of SQLite's result code, which is its low byte (the
// rest is detail), and 0 for other errors.
func kindOf(err error) int {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return 0
	}
	return failure.Code() & 0xff
}

// cannotShare: SQLite could not make or read the shared memory beside a
// database that it opens for reading. It has no single code for that.
func cannotShare(err error) bool {
	kind := kindOf(err)
	return kind == lib.SQLITE_CANTOPEN || kind == lib.SQLITE_READONLY
}

package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/layerd/layerd/internal/store"
)

// applicationID marks a database as ours, in the header that file(1) shows:
// "lyrd" in ASCII. It is in every database that exists: never change it.
const applicationID = 0x6c797264

// migrations returns the statements that lead from each version of the schema
// to the next. The version of a database (PRAGMA user_version) is how many were
// carried out. Databases with these versions exist: append, never edit.
func migrations() []string {
	return []string{
		// Keys are text and not blobs, so that a person can read them. The
		// order of text is that of its bytes (collation BINARY).
		`CREATE TABLE entry (
			key      TEXT NOT NULL PRIMARY KEY,
			data     BLOB NOT NULL,
			revision TEXT NOT NULL
		) STRICT`,
		// The database has an identity and counts its writes, so that another one
		// in its place, or an older copy, is told from it (see replaced.go).
		// Triggers count, since no statement can forget them.
		`CREATE TABLE origin (id TEXT NOT NULL, generation INTEGER NOT NULL) STRICT;
		INSERT INTO origin (id, generation) VALUES (lower(hex(randomblob(16))), 0);
		CREATE TRIGGER entry_created AFTER INSERT ON entry BEGIN UPDATE origin SET generation = generation + 1; END;
		CREATE TRIGGER entry_replaced AFTER UPDATE ON entry BEGIN UPDATE origin SET generation = generation + 1; END`,
	}
}

// identity is how a database identifies itself.
type identity struct {
	application int
	version     int
	tables      int
}

// empty: nothing was written yet, by anybody.
func (id identity) empty() bool { return id == identity{} }

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// identify reads the identity of a database in one statement, so that it cannot
// be half that of before a migration.
func identify(ctx context.Context, db querier) (identity, error) {
	var id identity
	err := db.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&id.application, &id.version, &id.tables)
	return id, err
}

// check returns why a database with this identity must be left alone by a
// layerd that knows so many versions.
func (id identity) check(known int) error {
	switch {
	case id.empty():
		return nil
	case id.application != applicationID:
		return errors.New("a SQLite database, but not one of layerd")
	case id.version > known:
		return fmt.Errorf("%w: it has schema %d, this layerd knows %d; update layerd", store.ErrNewer, id.version, known)
	}
	return nil
}

// oldestRead is the oldest schema that can be read as it is: what came since is
// about telling files apart, which only who writes must. So plan and history work
// on a store that an earlier layerd left.
const oldestRead = 1

// inspect decides whether a database can be read as it is by a layerd that knows so
// many versions and reads those from oldest on.
func inspect(ctx context.Context, db querier, oldest, known int) error {
	id, err := identify(ctx, db)
	if err != nil {
		return err
	}
	switch err := id.check(known); {
	case err != nil:
		return err
	case id.empty():
		return fmt.Errorf("nothing was written to it yet: %w", fs.ErrNotExist)
	case id.version < oldest:
		return fmt.Errorf("it has schema %d, this layerd reads %d; open it once for writing, as the daemon does", id.version, known)
	}
	return nil
}

// prepare brings a database to the present schema. It looks before it writes:
// even turning on the log would change a file that may not be ours.
func prepare(ctx context.Context, db *sql.DB, steps []string, busy time.Duration) error {
	id, err := identify(ctx, db)
	if err != nil {
		return err
	}
	if err := id.check(len(steps)); err != nil {
		return err
	}
	if err := turnOnLog(ctx, db, busy); err != nil {
		return err
	}
	if id.version < len(steps) {
		return migrate(ctx, db, steps)
	}
	return tryWrite(ctx, db)
}

// turnOnLog makes the write-ahead log the journal of the database, which lasts.
// Two processes that do so to one new database at once both read it and both
// want it alone. SQLite sees that waiting would be a deadlock and answers busy
// at once, whatever its timeout, so this one wait is ours.
func turnOnLog(ctx context.Context, db *sql.DB, busy time.Duration) error {
	mode, err := backoff.Retry(ctx, func() (mode string, err error) {
		err = db.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode)
		if err != nil && !isBusy(err) {
			err = backoff.Permanent(err)
		}
		return mode, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(10*time.Millisecond)), backoff.WithMaxElapsedTime(busy))
	if err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file system allows no write-ahead log (journal mode %s)", mode)
	}
	return nil
}

// tryWrite changes nothing, but needs the right to write: SQLite opens a file
// that this user may only read without a word, and the first to notice would be
// the daemon in the middle of a rollout.
func tryWrite(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, `DELETE FROM entry WHERE false`)
	return err
}

// migrate carries out the steps that are missing, all or none.
func migrate(ctx context.Context, db *sql.DB, steps []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	// Again, now that we hold the lock: another process may have been faster.
	id, err := identify(ctx, tx)
	if err != nil {
		return err
	}
	if err := id.check(len(steps)); err != nil {
		return err
	}
	for version := id.version; version < len(steps); version++ {
		statement := fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d", steps[version], applicationID, version+1)
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", version+1, err)
		}
	}
	return tx.Commit()
}

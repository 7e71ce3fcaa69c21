package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func tempPath(t *testing.T) string { return filepath.Join(t.TempDir(), "layerd.db") }

func create(t *testing.T, s *Store, key, data string) store.Revision {
	t.Helper()
	rev, err := s.Create(t.Context(), key, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, tempPath(t)) })
}

// TestContractShared: two handles in one process, which is harder than two
// processes: they share POSIX locks.
func TestContractShared(t *testing.T) {
	storetest.Shared(t, func(t *testing.T) (store.Store, store.Store) {
		path := tempPath(t)
		return open(t, path), open(t, path)
	})
}

func BenchmarkSQLite(b *testing.B) {
	storetest.BenchmarkStore(b, func(b *testing.B) store.Store {
		s, err := Open(filepath.Join(b.TempDir(), "layerd.db"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { s.Close() })
		return s
	})
}

// TestOpenTogether: the first start of several processes at once. Turning on
// the log needs the file alone for a moment, and the schema is made once.
func TestOpenTogether(t *testing.T) {
	for range 40 { // without the wait in turnOnLog, a few of them fail
		path := tempPath(t)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 6 {
			wg.Go(func() {
				<-start
				openOnce(t, path)
			})
		}
		close(start)
		wg.Wait()
		// Two that close in the same instant may both leave the log to the
		// other; what counts is that the next one finds all in order.
		s := open(t, path)
		create(t, s, "a", "")
		checkIntegrity(t, s)
	}
}

func openOnce(t *testing.T, path string) {
	s, err := Open(path)
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestDurability pins what a power cut depends on and no test can cut.
func TestDurability(t *testing.T) {
	s := open(t, tempPath(t))
	create(t, s, "a", "")
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "application_id": "1819898468", "user_version": "2"} {
		var got string
		if err := s.write.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %s, %v, want %s", pragma, got, err, want)
		}
	}
	if n := s.write.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d connections may write, want 1", n)
	}
}

// TestListUsesTheIndex: a list of a few keys must not walk over all the others,
// in either direction.
func TestListUsesTheIndex(t *testing.T) {
	s := open(t, tempPath(t))
	for _, reverse := range []bool{false, true} {
		statement, args := listStatement(store.Query{Prefix: "a/", Reverse: reverse}, 1)
		var id, parent, unused int
		var detail string
		err := s.read.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, args...).Scan(&id, &parent, &unused, &detail)
		if err != nil || !strings.Contains(detail, "(key>? AND key<?)") {
			t.Errorf("plan of %s: %q, %v, want a search with both bounds", statement, detail, err)
		}
	}
}

// TestPageIsBounded: a list of large values must not hold all of them at once,
// else the history of a large environment is the memory of the daemon.
func TestPageIsBounded(t *testing.T) {
	s := open(t, tempPath(t))
	for i := range 8 {
		create(t, s, fmt.Sprint(i), strings.Repeat("x", store.MaxValue))
	}
	values, more, err := s.page(t.Context(), store.Query{})
	size := 0
	for _, v := range values {
		size += len(v.Data)
	}
	if err != nil || !more || size < pageBytes || size > pageBytes+store.MaxValue {
		t.Errorf("first page: %d values, %d bytes, more %t, %v; want a little over %d bytes", len(values), size, more, err, pageBytes)
	}
}

// TestWaiting: a writer waits for another process's transaction no longer than
// its context, or the busy timeout.
func TestWaiting(t *testing.T) {
	path := tempPath(t)
	other, s := open(t, path), open(t, path)
	hasty, err := openWithin(path, 30*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer hasty.Close()
	holder, err := other.write.BeginTx(t.Context(), nil) // BEGIN IMMEDIATE
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := s.Create(ctx, "a", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Create behind a lock: %v, want DeadlineExceeded", err)
	}
	if waited := time.Since(begun); waited > busyTimeout/2 {
		t.Errorf("Create waited %s for a context of 50 ms", waited)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get behind a lock: %v, want an answer", err)
	}

	if _, err := hasty.Create(t.Context(), "a", nil); !errors.Is(err, store.ErrBusy) || !strings.Contains(err.Error(), path) {
		t.Errorf("Create behind a lock: %v, want ErrBusy and the path", err)
	}

	if s, err := openWithin(path, 30*time.Millisecond); !errors.Is(err, store.ErrBusy) {
		t.Errorf("Open behind a lock = %v, %v, want ErrBusy", s, err)
	}

	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	create(t, hasty, "a", "")
	create(t, s, "b", "")
}

// TestQueueInProcess: a caller whose context ends while it waits for our own
// single writer leaves the queue.
func TestQueueInProcess(t *testing.T) {
	s := open(t, tempPath(t))
	holder, err := s.write.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Create(ctx, "a", nil)
		done <- err
	}()
	for s.write.Stats().WaitCount == 0 {
		runtime.Gosched()
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Create in the queue: %v, want Canceled", err)
	}
	holder.Close()
	create(t, s, "a", "")
}

// TestFullDisk limits the pages of the database, which is how SQLite itself
// simulates a full disk: the write fails whole and the store goes on.
func TestFullDisk(t *testing.T) {
	s := open(t, tempPath(t))
	rev := create(t, s, "small", "before")
	if _, err := s.write.ExecContext(t.Context(), "PRAGMA max_page_count = 20"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Create(t.Context(), "large", make([]byte, store.MaxValue))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), s.path) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("Create on a full disk: %v, want ENOSPC, the path and advice", err)
	}
	if _, err := s.Get(t.Context(), "large"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get of what did not fit: %v, want ErrNotFound", err)
	}
	if _, err := s.Replace(t.Context(), "small", rev, []byte("after")); err != nil {
		t.Errorf("Replace that fits: %v", err)
	}
	checkIntegrity(t, s)
}

func checkIntegrity(t *testing.T, s *Store) {
	t.Helper()
	var result string
	if err := s.read.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		t.Errorf("integrity_check = %s, %v", result, err)
	}
}

// files returns the names in a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

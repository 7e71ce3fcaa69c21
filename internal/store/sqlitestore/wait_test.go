package sqlitestore

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// While Reopen waits for another process, calls end with their context. They hung
// on a lock, and with them virtual time, which SQLite was waiting for.
func TestCallsEndWithTheirContextDuringReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(filepath.Join(t.TempDir(), "state.db"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.calls.Acquire(t.Context(), allCalls); err != nil { // as Reopen does
			t.Fatal(err)
		}
		for name, call := range map[string]func(context.Context) error{
			"Get":     func(ctx context.Context) error { _, err := s.Get(ctx, "a"); return err },
			"Create":  func(ctx context.Context) error { _, err := s.Create(ctx, "a", nil); return err },
			"Replace": func(ctx context.Context) error { _, err := s.Replace(ctx, "a", "1", nil); return err },
			"List": func(ctx context.Context) error {
				for _, err := range s.List(ctx, store.Query{}) {
					return err
				}
				return nil
			},
			"Reopen": s.Reopen,
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrReplaced) {
				t.Errorf("%s: %v, want the context's error and none of the store", name, err)
			}
			cancel()
		}
		s.calls.Release(allCalls)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

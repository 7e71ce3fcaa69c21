package lease

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// fickle is a store in whose place another one can be put.
type fickle struct {
	store.Store
	mu     sync.Mutex // guards the rest
	now    store.Store
	notice bool // it can tell by itself
	lost   bool
}

func (f *fickle) put(s store.Store) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now, f.lost = s, true
}

func (f *fickle) at() (store.Store, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.notice && f.lost {
		return nil, store.ErrReplaced
	}
	return f.now, nil
}

func (f *fickle) Check() error {
	_, err := f.at()
	return err
}

func (f *fickle) Reopen(context.Context) error { return nil }

func (f *fickle) Get(ctx context.Context, key string) (store.Value, error) {
	s, err := f.at()
	if err != nil {
		return store.Value{}, err
	}
	return s.Get(ctx, key)
}

func (f *fickle) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	s, err := f.at()
	if err != nil {
		return "", err
	}
	return s.Create(ctx, key, data)
}

func (f *fickle) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	s, err := f.at()
	if err != nil {
		return "", err
	}
	return s.Replace(ctx, key, old, data)
}

// older has the lease as it was: by this holder or another, some beats ago.
func older(t *testing.T, from store.Store) store.Store {
	t.Helper()
	v, err := from.Get(t.Context(), key(account))
	if err != nil {
		t.Fatal(err)
	}
	s := store.NewMemory()
	if _, err := s.Create(t.Context(), key(account), v.Data); err != nil {
		t.Fatal(err)
	}
	return s
}

// A holder whose store was replaced learns it: at once, or with its next
// renewal, and reports why.
func TestP1TheStoreIsReplaced(t *testing.T) {
	for name, replace := range map[string]func(t *testing.T, at *fickle) store.Store{
		"by an empty one": func(*testing.T, *fickle) store.Store { return store.NewMemory() },
		"by an older copy": func(t *testing.T, at *fickle) store.Store {
			copied := older(t, at.now)
			time.Sleep(Term)
			return copied
		},
		"by one in which another has it": func(t *testing.T, _ *fickle) store.Store {
			s := store.NewMemory()
			take(t, keeper(s, "other"))
			return s
		},
	} {
		for _, notice := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				first := store.NewMemory()
				if err := take(t, keeper(first, "before")).Release(t.Context()); err != nil {
					t.Fatal(err)
				}
				s := &fickle{now: first, notice: notice}
				l := take(t, keeper(s, "a"))
				time.Sleep(Term)
				bound, cancel := l.Bind(t.Context())
				defer cancel()
				s.put(replace(t, s))
				if notice {
					if err := l.Check(); !errors.Is(err, store.ErrReplaced) || !errors.Is(err, ErrLost) {
						t.Errorf("%s: Check at once: %v", name, err)
					}
				}
				time.Sleep(Term/3 + time.Second)
				if err := l.Check(); !errors.Is(err, store.ErrReplaced) || !errors.Is(err, ErrLost) {
					t.Errorf("%s, notice %t: Check after a renewal: %v", name, notice, err)
				}
				if !errors.Is(context.Cause(bound), store.ErrReplaced) {
					t.Errorf("%s: what was bound to it: %v", name, context.Cause(bound))
				}
				if err := l.Release(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/layerd/layerd/internal/store"
)

// byBytes compares data as a whole: a store may return nil for no bytes, and
// cmp would take seconds to walk through the large values.
func byBytes() cmp.Option { return cmp.Comparer(bytes.Equal) }

func create(t *testing.T, s store.Store, key, data string) store.Revision {
	t.Helper()
	rev, err := s.Create(t.Context(), key, []byte(data))
	if err != nil {
		t.Fatalf("Create of %.40q: %v", key, err)
	}
	return rev
}

func replace(t *testing.T, s store.Store, key string, old store.Revision, data string) store.Revision {
	t.Helper()
	rev, err := s.Replace(t.Context(), key, old, []byte(data))
	if err != nil {
		t.Fatalf("Replace of %.40q: %v", key, err)
	}
	return rev
}

func get(t *testing.T, s store.Store, key string) store.Value {
	t.Helper()
	v, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get of %.40q: %v", key, err)
	}
	return v
}

// walk returns the keys of a list, and the error that ended it.
func walk(ctx context.Context, s store.Store, q store.Query) ([]string, error) {
	var keys []string
	for v, err := range s.List(ctx, q) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, v.Key)
	}
	return keys, nil
}

func list(t *testing.T, s store.Store, q store.Query) []store.Value {
	t.Helper()
	var values []store.Value
	for v, err := range s.List(t.Context(), q) {
		if err != nil {
			t.Fatalf("List of %+v: %v", q, err)
		}
		values = append(values, v)
	}
	return values
}

func wantKeys(t *testing.T, s store.Store, q store.Query, want ...string) {
	t.Helper()
	got, err := walk(t.Context(), s, q)
	if err != nil {
		t.Fatalf("List of %+v: %v", q, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("List of %+v (-want +got):\n%s", q, diff)
	}
}

func wantValue(t *testing.T, s store.Store, want store.Value) {
	t.Helper()
	if diff := cmp.Diff(want, get(t, s, want.Key), byBytes()); diff != "" {
		t.Errorf("Get of %.40q (-want +got):\n%s", want.Key, diff)
	}
}

// wantError returns a check of the two results of a write.
func wantError(t *testing.T, what string, want error) func(store.Revision, error) {
	t.Helper()
	return func(rev store.Revision, err error) {
		t.Helper()
		if rev != "" || !errors.Is(err, want) {
			t.Errorf("%s = %q, %v, want error %q", what, rev, err, want)
		}
	}
}

func sorted(keys []string) []string { return slices.Sorted(slices.Values(keys)) }

func isSorted(keys []string) bool { return slices.IsSorted(keys) }

func reversed[T any](s []T) []T {
	r := slices.Clone(s)
	slices.Reverse(r)
	return r
}

// BenchmarkStore measures a write and a list of 2,000 values of 500 bytes,
// about what a year of a small team's history is.
func BenchmarkStore(b *testing.B, open func(b *testing.B) store.Store) {
	data := make([]byte, 500)
	b.Run("create", func(b *testing.B) {
		s, i := open(b), 0
		for b.Loop() {
			i++
			if _, err := s.Create(b.Context(), fmt.Sprintf("history/%09d", i), data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("replace", func(b *testing.B) {
		s := open(b)
		rev, err := s.Create(b.Context(), "lease", data)
		for b.Loop() && err == nil {
			rev, err = s.Replace(b.Context(), "lease", rev, data)
		}
		if err != nil {
			b.Fatal(err)
		}
	})
	b.Run("list2000", func(b *testing.B) {
		s := open(b)
		for i := range 2000 {
			if _, err := s.Create(b.Context(), fmt.Sprintf("history/%09d", i), data); err != nil {
				b.Fatal(err)
			}
		}
		for b.Loop() {
			if keys, err := walk(b.Context(), s, store.Query{Reverse: true}); len(keys) != 2000 || err != nil {
				b.Fatalf("list: %d values, %v", len(keys), err)
			}
		}
	})
}

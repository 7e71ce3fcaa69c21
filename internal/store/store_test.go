package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		s := store.NewMemory()
		t.Cleanup(func() { s.Close() })
		return s
	})
}

func BenchmarkMemory(b *testing.B) {
	storetest.BenchmarkStore(b, func(*testing.B) store.Store { return store.NewMemory() })
}

// TestRange holds the bounds of a range against the plain meaning of prefix
// and start, for keys around every edge.
func TestRange(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune{1, '/', 'a', 'b', 0x7f, 0x80, '層', 0xD7FF, 0xE000, 0xFFFF, 0x10000, utf8.MaxRune}), 0, 3, -1)
	rapid.Check(t, func(t *rapid.T) {
		q := store.Query{Prefix: text.Draw(t, "prefix"), After: text.Draw(t, "after"), Reverse: rapid.Bool().Draw(t, "reverse")}
		key := text.Filter(func(s string) bool { return s != "" }).Draw(t, "key")
		if rapid.Bool().Draw(t, "below") {
			key = q.Prefix + key
		}
		from, to := q.Range()
		got := from <= key && (to == "" || key < to)
		prefixed := len(key) >= len(q.Prefix) && key[:len(q.Prefix)] == q.Prefix
		want := prefixed && (q.After == "" || (q.Reverse && key < q.After) || (!q.Reverse && key > q.After))
		if got != want {
			t.Errorf("%q in %q..%q of %+v: %t, want %t", key, from, to, q, got, want)
		}
		if !utf8.ValidString(from) || !utf8.ValidString(to) {
			t.Errorf("bounds %q..%q of %+v are not UTF-8", from, to, q)
		}
	})
}

// TestPages drives the loop with pages that lie, fail or end by themselves.
func TestPages(t *testing.T) {
	broken := errors.New("broken")
	value := func(key string) store.Value { return store.Value{Key: key} }
	for _, test := range []struct {
		name  string
		limit int
		page  store.PageFunc
		want  []string
		err   string
	}{
		{"short pages", 0, func(_ context.Context, q store.Query) ([]store.Value, bool, error) {
			next := map[string]string{"": "a", "a": "b", "b": "c"}[q.After]
			return []store.Value{value(next)}, next != "c", nil
		}, []string{"a", "b", "c"}, ""},
		{"limit over pages", 3, func(_ context.Context, q store.Query) ([]store.Value, bool, error) {
			keys := []string{"a", "b", "c", "d"}
			at := slices.Index(keys, q.After) + 1
			end := min(at+2, at+q.Limit)
			return []store.Value{value(keys[at]), value(keys[end-1])}[:end-at], true, nil
		}, []string{"a", "b", "c"}, ""},
		{"second page fails", 0, func(_ context.Context, q store.Query) ([]store.Value, bool, error) {
			if q.After != "" {
				return nil, false, broken
			}
			return []store.Value{value("a")}, true, nil
		}, []string{"a"}, "list p: broken"},
		{"endless", 0, func(context.Context, store.Query) ([]store.Value, bool, error) { return nil, true, nil },
			nil, "list p: a page without values says that more follow"},
		{"past the limit", 1, func(context.Context, store.Query) ([]store.Value, bool, error) {
			return []store.Value{value("a"), value("b")}, false, nil
		}, nil, "list p: a page of 2 values where 1 were asked for"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var keys []string
			end := ""
			for v, err := range store.Pages(t.Context(), store.Query{Prefix: "p", Limit: test.limit}, test.page) {
				if err != nil {
					end += err.Error()
					continue // an error must be the last thing yielded, and come once
				}
				keys = append(keys, v.Key)
			}
			if !cmp.Equal(keys, test.want) || end != test.err {
				t.Errorf("keys %q and error %q, want %q and %q", keys, end, test.want, test.err)
			}
		})
	}
}

func TestErrorsNameTheKey(t *testing.T) {
	s := store.NewMemory()
	_, getErr := s.Get(t.Context(), "lease/1")
	_, replaceErr := s.Replace(t.Context(), "lease/1", "r", nil)
	_, createErr := s.Create(t.Context(), "lease/1", make([]byte, store.MaxValue+1))
	got := fmt.Sprintf("%v\n%v\n%v", getErr, replaceErr, createErr)
	want := "get lease/1: not found\n" +
		"replace lease/1: changed since it was read\n" +
		"create lease/1: invalid: the value of lease/1 has 358401 bytes, more than 358400"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestNewRevision(t *testing.T) {
	seen := map[store.Revision]bool{}
	for range 1000 {
		r := store.NewRevision()
		if len(r) < 20 || seen[r] {
			t.Fatalf("revision %q is short or repeats", r)
		}
		seen[r] = true
	}
}

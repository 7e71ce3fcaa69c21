package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/store"
)

// testModel compares random histories with a map. Each history lives under a
// root of its own in one store: opening a store is the slow part of many
// implementations.
func testModel(t *testing.T, s store.Store) {
	histories := 0
	rapid.Check(t, func(rt *rapid.T) {
		histories++
		m := model{store: s, root: store.Prefix("model", fmt.Sprintf("%06d", histories)), values: map[string]store.Value{}}
		rt.Repeat(map[string]func(*rapid.T){
			"create":  m.create,
			"replace": m.replace,
			"get":     m.get,
			"list":    m.list,
		})
	})
}

// model is what the store must hold below root.
type model struct {
	store  store.Store
	root   string
	values map[string]store.Value
	past   []store.Revision // every revision that is not current any more
}

// key draws from few keys, so that histories meet their own traces. The
// segments are neighbours of each other in one way or another.
func (m *model) key(t *rapid.T) string {
	segment := rapid.SampledFrom([]string{"", "a", "ab", "b", "a/b", "%", "%2F", "層", "層b", "😀", "\U0010ffff"})
	return m.root + store.Key(rapid.SliceOfN(segment, 1, 2).Draw(t, "segments")...)
}

func (m *model) data(t *rapid.T) []byte {
	return rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "data")
}

func (m *model) create(t *rapid.T) {
	key, data := m.key(t), m.data(t)
	rev, err := m.store.Create(t.Context(), key, data)
	if _, exists := m.values[key]; exists {
		if !errors.Is(err, store.ErrExists) {
			t.Fatalf("Create of %q, which exists: %v", key, err)
		}
		return
	}
	m.wrote(t, key, data, rev, err)
}

func (m *model) replace(t *rapid.T) {
	key, data := m.key(t), m.data(t)
	now := m.values[key].Revision // empty where there is none, which must lose too
	old := now
	if len(m.past) > 0 && rapid.Bool().Draw(t, "stale") {
		old = rapid.SampledFrom(m.past).Draw(t, "old")
	}
	rev, err := m.store.Replace(t.Context(), key, old, data)
	if now == "" || old != now {
		if !errors.Is(err, store.ErrChanged) {
			t.Fatalf("Replace of %q at %q, which is at %q: %v", key, old, now, err)
		}
		return
	}
	m.past = append(m.past, now)
	m.wrote(t, key, data, rev, err)
}

func (m *model) wrote(t *rapid.T, key string, data []byte, rev store.Revision, err error) {
	used := slices.Contains(m.past, rev)
	for _, v := range m.values {
		used = used || v.Revision == rev
	}
	if err != nil || rev == "" || used {
		t.Fatalf("write of %q = revision %q (used before: %t), %v", key, rev, used, err)
	}
	m.values[key] = store.Value{Key: key, Data: data, Revision: rev}
}

func (m *model) get(t *rapid.T) {
	key := m.key(t)
	got, err := m.store.Get(t.Context(), key)
	want, exists := m.values[key]
	if !exists && errors.Is(err, store.ErrNotFound) {
		return
	}
	if diff := cmp.Diff(want, got, byBytes()); !exists || err != nil || diff != "" {
		t.Fatalf("Get of %q: %v (-want +got):\n%s", key, err, diff)
	}
}

func (m *model) list(t *rapid.T) {
	q := store.Query{
		Prefix:  rapid.SampledFrom([]string{m.root, m.key(t), m.root + store.Prefix("a"), m.root + "層"}).Draw(t, "prefix"),
		Reverse: rapid.Bool().Draw(t, "reverse"),
		After:   rapid.SampledFrom([]string{"", "", m.key(t), "A", "z", m.root}).Draw(t, "after"),
		Limit:   rapid.IntRange(0, 5).Draw(t, "limit"),
	}
	var got []store.Value
	for v, err := range m.store.List(t.Context(), q) {
		if err != nil {
			t.Fatalf("List of %+v: %v", q, err)
		}
		got = append(got, v)
	}
	if diff := cmp.Diff(m.expect(q), got, byBytes()); diff != "" {
		t.Fatalf("List of %+v (-want +got):\n%s", q, diff)
	}
}

// expect answers a query as slowly and plainly as possible.
func (m *model) expect(q store.Query) []store.Value {
	keys := slices.Sorted(maps.Keys(m.values))
	if q.Reverse {
		slices.Reverse(keys)
	}
	var want []store.Value
	for _, key := range keys {
		behind := q.After == "" || (q.Reverse && key < q.After) || (!q.Reverse && key > q.After)
		if behind && strings.HasPrefix(key, q.Prefix) && (q.Limit == 0 || len(want) < q.Limit) {
			want = append(want, m.values[key])
		}
	}
	return want
}

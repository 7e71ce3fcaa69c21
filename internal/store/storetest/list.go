package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/store"
)

func testList(t *testing.T, s store.Store) {
	for _, key := range []string{"b/2", "a/1", "c", "b/10", "b/1"} { // not in order
		create(t, s, key, "data of "+key)
	}
	for _, test := range []struct {
		q    store.Query
		want []string
	}{
		{store.Query{}, []string{"a/1", "b/1", "b/10", "b/2", "c"}},
		{store.Query{Reverse: true}, []string{"c", "b/2", "b/10", "b/1", "a/1"}},
		{store.Query{Limit: 2}, []string{"a/1", "b/1"}},
		{store.Query{Limit: 2, Reverse: true}, []string{"c", "b/2"}},
		{store.Query{Limit: 5}, []string{"a/1", "b/1", "b/10", "b/2", "c"}},
		{store.Query{Limit: 99}, []string{"a/1", "b/1", "b/10", "b/2", "c"}},
		{store.Query{After: "b/1"}, []string{"b/10", "b/2", "c"}},
		{store.Query{After: "b/1", Reverse: true}, []string{"a/1"}},
		{store.Query{After: "b/15"}, []string{"b/2", "c"}}, // need not exist
		{store.Query{After: "b/15", Reverse: true}, []string{"b/10", "b/1", "a/1"}},
		{store.Query{After: "c"}, nil},
		{store.Query{After: "a/1", Reverse: true}, nil},
		{store.Query{Prefix: "b/"}, []string{"b/1", "b/10", "b/2"}},
		{store.Query{Prefix: "b/", Reverse: true, Limit: 1}, []string{"b/2"}},
		{store.Query{Prefix: "b/", After: "b/1", Limit: 1}, []string{"b/10"}},
		{store.Query{Prefix: "b/1"}, []string{"b/1", "b/10"}}, // an equal key has the prefix
		{store.Query{Prefix: "d"}, nil},
		// a start outside the prefix is before everything or behind it
		{store.Query{Prefix: "b/", After: "a"}, []string{"b/1", "b/10", "b/2"}},
		{store.Query{Prefix: "b/", After: "z"}, nil},
		{store.Query{Prefix: "b/", After: "z", Reverse: true}, []string{"b/2", "b/10", "b/1"}},
		{store.Query{Prefix: "b/", After: "a", Reverse: true}, nil},
	} {
		wantKeys(t, s, test.q, test.want...)
	}
	for _, v := range list(t, s, store.Query{}) {
		if diff := cmp.Diff(get(t, s, v.Key), v); diff != "" {
			t.Errorf("Get and List differ (-get +list):\n%s", diff)
		}
	}
}

// testNeighbours: prefixes that share their beginning, hold what patterns give
// a meaning to, or end in a rune after which nothing or something odd comes.
func testNeighbours(t *testing.T, s store.Store) {
	groups := [][]string{
		{"a", "b"}, {"a", "bc"}, {"a", "b/c"}, {"a", "B"}, {"a", "%"}, {"a", "_"}, {"a", "*"}, {"a", "["}, {"a", ""},
		{"層"}, {"屢"}, {"\ud7ff"}, {"\ue000"}, {"\U0010ffff"}, {"\U0010fffe"}, {"\u007f"}, {"\u0080"},
	}
	for _, g := range groups {
		for _, leaf := range []string{"1", "2"} {
			create(t, s, store.Key(append(g, leaf)...), "")
		}
	}
	for _, g := range groups {
		want := []string{store.Key(append(g, "1")...), store.Key(append(g, "2")...)}
		wantKeys(t, s, store.Query{Prefix: store.Prefix(g...)}, want...)
		wantKeys(t, s, store.Query{Prefix: store.Prefix(g...), Reverse: true}, reversed(want)...)
		// without the closing slash the last rune is the end of the range
		open := store.Key(g...)
		var all []string
		for _, v := range list(t, s, store.Query{}) {
			if len(v.Key) >= len(open) && v.Key[:len(open)] == open {
				all = append(all, v.Key)
			}
		}
		wantKeys(t, s, store.Query{Prefix: open}, all...)
	}
}

// testPages crosses the page size of every implementation, in both orders and
// with limits on both sides of it.
func testPages(t *testing.T, s store.Store) {
	const total = 600
	var keys []string
	for i := range total {
		key := fmt.Sprintf("p/%04d", i)
		keys = append(keys, key)
		create(t, s, key, key)
	}
	create(t, s, "o", "")
	create(t, s, "q", "")
	wantKeys(t, s, store.Query{Prefix: "p/"}, keys...)
	wantKeys(t, s, store.Query{Prefix: "p/", Reverse: true}, reversed(keys)...)
	for _, limit := range []int{1, 255, 256, 257, 512, 513, total - 1, total, total + 1} {
		n := min(limit, total)
		wantKeys(t, s, store.Query{Prefix: "p/", Limit: limit}, keys[:n]...)
		wantKeys(t, s, store.Query{Prefix: "p/", Limit: limit, Reverse: true}, reversed(keys)[:n]...)
	}
	// a caller who pages by hand sees the same
	var got []string
	for q := (store.Query{Prefix: "p/", Limit: 97}); len(got) <= total; {
		page := list(t, s, q)
		for _, v := range page {
			got = append(got, v.Key)
		}
		if len(page) < q.Limit {
			break
		}
		q.After = page[len(page)-1].Key
	}
	if diff := cmp.Diff(keys, got); diff != "" {
		t.Errorf("pages of 97 (-want +got):\n%s", diff)
	}
}

// testLargeValues: pages must end by size too, and still miss nothing.
func testLargeValues(t *testing.T, s store.Store) {
	var want []store.Value
	for i := range 9 {
		data := make([]byte, store.MaxValue-i)
		data[len(data)-1] = byte(i)
		key := fmt.Sprint("large/", i)
		want = append(want, store.Value{Key: key, Data: data, Revision: create(t, s, key, string(data))})
	}
	if got := list(t, s, store.Query{}); !cmp.Equal(got, want, byBytes()) {
		t.Errorf("List of large values: %d values, want %d, or other bytes", len(got), len(want))
	}
	if got := list(t, s, store.Query{Reverse: true, Limit: 7}); !cmp.Equal(got, reversed(want)[:7], byBytes()) {
		t.Errorf("List of large values in reverse: %d values, want 7, or other bytes", len(got))
	}
}

// testLongestKeys: what a list begins behind, or with, may be as long as a key
// and longer, which is a bound that some database has no room for.
func testLongestKeys(t *testing.T, s store.Store) {
	long := func(n int, end string) string { return strings.Repeat("k", n-len(end)) + end }
	keys := []string{"j", long(store.MaxKey-1, "b"), long(store.MaxKey, "a"), long(store.MaxKey, "b"),
		long(store.MaxKey, "層"), long(store.MaxKey, "\U0010ffff"), "l"}
	for _, key := range keys {
		create(t, s, key, "")
	}
	bounds := append(slices.Clone(keys), long(store.MaxKey+1, "b"), long(store.MaxKey+1, "層"), long(2*store.MaxKey, "k"))
	for _, bound := range bounds {
		for _, q := range []store.Query{
			{After: bound}, {After: bound, Reverse: true}, {Prefix: bound}, {Prefix: bound, Reverse: true},
			{Prefix: "kk", After: bound}, {Prefix: "kk", After: bound, Reverse: true, Limit: 1},
		} {
			from, to := q.Range()
			var want []string
			for _, key := range sorted(keys) {
				if from <= key && (to == "" || key < to) {
					want = append(want, key)
				}
			}
			if q.Reverse {
				want = reversed(want)
			}
			if q.Limit > 0 {
				want = want[:min(len(want), q.Limit)]
			}
			wantKeys(t, s, q, want...)
		}
	}
}

// testListAgain: a sequence may be walked twice and reads anew each time.
func testListAgain(t *testing.T, s store.Store) {
	create(t, s, "a", "")
	create(t, s, "b", "")
	seq := s.List(t.Context(), store.Query{Limit: 2})
	for _, want := range [][]string{{"a", "b"}, {"a", "aa"}} {
		var got []string
		for v, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v.Key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("walk (-want +got):\n%s", diff)
		}
		if len(want) == 2 && want[1] == "b" {
			create(t, s, "aa", "")
		}
	}
}

// testListAndWrite: a loop may write to the store it reads, sees each key once
// all the same, and two lists may run at once.
func testListAndWrite(t *testing.T, s store.Store) {
	const total = 300 // more than a page
	for i := range total {
		create(t, s, fmt.Sprintf("a/%03d", i), "old")
	}
	seen := map[string]int{}
	for v, err := range s.List(t.Context(), store.Query{Prefix: "a/"}) {
		if err != nil {
			t.Fatal(err)
		}
		seen[v.Key]++
		replace(t, s, v.Key, v.Revision, "new")
		if len(seen)%100 == 0 {
			wantKeys(t, s, store.Query{Prefix: "a/", Limit: 1, Reverse: true}, fmt.Sprintf("a/%03d", total-1))
			create(t, s, fmt.Sprintf("b/%03d", len(seen)), "outside")
		}
	}
	if len(seen) != total {
		t.Errorf("saw %d keys, want %d", len(seen), total)
	}
	for key, n := range seen {
		if n != 1 || string(get(t, s, key).Data) != "new" {
			t.Errorf("key %s was seen %d times and holds %q", key, n, get(t, s, key).Data)
		}
	}
}

// testListStopped: a loop that breaks leaves nothing behind that could block.
func testListStopped(t *testing.T, s store.Store) {
	for i := range 20 {
		create(t, s, fmt.Sprintf("a/%02d", i), "")
	}
	for range 50 { // more often than any pool has connections
		for v, err := range s.List(t.Context(), store.Query{}) {
			if err != nil || v.Key != "a/00" {
				t.Fatalf("first value = %+v, %v", v, err)
			}
			break
		}
	}
	create(t, s, "b", "")
	if err := s.Close(); err != nil {
		t.Errorf("Close after stopped lists: %v", err)
	}
}

package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/store"
)

// Run checks that what open returns keeps the contract.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"absent", testAbsent},
		{"create", testCreate},
		{"replace", testReplace},
		{"revisions", testRevisions},
		{"bytes", testBytes},
		{"copies", testCopies},
		{"keys", testKeys},
		{"limits", testLimits},
		{"list", testList},
		{"list neighbours", testNeighbours},
		{"list pages", testPages},
		{"list large values", testLargeValues},
		{"list longest keys", testLongestKeys},
		{"list again", testListAgain},
		{"list and write", testListAndWrite},
		{"list stopped", testListStopped},
		{"one creator", testOneCreator},
		{"one replacer", testOneReplacer},
		{"counter", testCounter},
		{"readers and writers", testReadersAndWriters},
		{"writers", testWriters},
		{"interrupted", testInterrupted},
		{"cancelled", testCancelled},
		{"closed", testClosed},
		{"model", testModel},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // most of the time of a store is waiting for its disk
			test.run(t, open(t))
		})
	}
}

func testAbsent(t *testing.T, s store.Store) {
	if v, err := s.Get(t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get of nothing = %v, %v, want ErrNotFound", v, err)
	}
	wantError(t, "Replace of nothing", store.ErrChanged)(s.Replace(t.Context(), "a", store.NewRevision(), []byte("x")))
	// The empty revision is no way to create: it would make Replace win a race
	// that Create must decide.
	wantError(t, "Replace of nothing at no revision", store.ErrChanged)(s.Replace(t.Context(), "a", "", []byte("x")))
	wantKeys(t, s, store.Query{})
}

func testCreate(t *testing.T, s store.Store) {
	rev := create(t, s, "a", "one")
	wantValue(t, s, store.Value{Key: "a", Data: []byte("one"), Revision: rev})
	wantError(t, "second Create", store.ErrExists)(s.Create(t.Context(), "a", []byte("two")))
	wantError(t, "second Create of the same bytes", store.ErrExists)(s.Create(t.Context(), "a", []byte("one")))
	wantValue(t, s, store.Value{Key: "a", Data: []byte("one"), Revision: rev})
}

func testReplace(t *testing.T, s store.Store) {
	first, other := create(t, s, "a", "one"), create(t, s, "b", "one")
	second := replace(t, s, "a", first, "two")
	wantValue(t, s, store.Value{Key: "a", Data: []byte("two"), Revision: second})
	for name, old := range map[string]store.Revision{
		"an old revision": first, "no revision": "", "another key's revision": other, "an invented revision": store.NewRevision(),
	} {
		wantError(t, "Replace at "+name, store.ErrChanged)(s.Replace(t.Context(), "a", old, []byte("three")))
	}
	wantValue(t, s, store.Value{Key: "a", Data: []byte("two"), Revision: second})
	wantValue(t, s, store.Value{Key: "b", Data: []byte("one"), Revision: other})
	wantError(t, "Create after Replace", store.ErrExists)(s.Create(t.Context(), "a", []byte("four")))
}

// testRevisions: a value that returns to its old bytes has not returned to its
// old revision, else a slow writer would overwrite what it never saw (ABA).
func testRevisions(t *testing.T, s store.Store) {
	seen := map[store.Revision]string{}
	note := func(what string, rev store.Revision) store.Revision {
		t.Helper()
		if before, ok := seen[rev]; ok || rev == "" {
			t.Fatalf("revision %q of %s was used before, for %q", rev, what, before)
		}
		seen[rev] = what
		return rev
	}
	for _, key := range []string{"a", "b"} {
		rev := note(key, create(t, s, key, "same"))
		for i := range 5 {
			rev = note(fmt.Sprint(key, i), replace(t, s, key, rev, "other"))
			rev = note(fmt.Sprint(key, i, " back"), replace(t, s, key, rev, "same"))
			rev = note(fmt.Sprint(key, i, " unchanged"), replace(t, s, key, rev, "same"))
		}
		wantValue(t, s, store.Value{Key: key, Data: []byte("same"), Revision: rev})
	}
}

func testBytes(t *testing.T, s store.Store) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, data := range map[string][]byte{
		"nil": nil, "empty": {}, "zero": {0}, "every": all, "bad-utf8": []byte("\xff\xfe\x00\xc3"),
		"text": []byte("MAKOTO共通ライブラリ"), "quotes": []byte(`'";--`), "number": []byte("007"),
	} {
		rev := create(t, s, name, string(data))
		wantValue(t, s, store.Value{Key: name, Data: data, Revision: rev})
		// and as a second value, which is another statement in every adapter
		rev = replace(t, s, name, replace(t, s, name, rev, "between"), string(data))
		wantValue(t, s, store.Value{Key: name, Data: data, Revision: rev})
	}
	if _, err := s.Create(t.Context(), "really-nil", nil); err != nil {
		t.Errorf("Create of nil: %v", err)
	}
	if v := get(t, s, "really-nil"); len(v.Data) != 0 || v.Revision == "" {
		t.Errorf("Create of nil, then Get = %+v, want no bytes and a revision", v)
	}
}

// testCopies: neither side may change what the other holds.
func testCopies(t *testing.T, s store.Store) {
	data := []byte("one")
	rev, err := s.Create(t.Context(), "a", data)
	if err != nil {
		t.Fatal(err)
	}
	data[0] = 'X'
	want := store.Value{Key: "a", Data: []byte("one"), Revision: rev}
	wantValue(t, s, want)
	get(t, s, "a").Data[0] = 'Y'
	wantValue(t, s, want)
	for _, v := range list(t, s, store.Query{}) {
		v.Data[0] = 'Z'
	}
	wantValue(t, s, want)
	data = []byte("two")
	if want.Revision, err = s.Replace(t.Context(), "a", rev, data); err != nil {
		t.Fatal(err)
	}
	data[0] = 'X'
	want.Data = []byte("two")
	wantValue(t, s, want)
}

// testKeys: keys that a careless implementation folds together or cuts short.
func testKeys(t *testing.T, s store.Store) {
	keys := []string{
		"a", "A", "a ", " a", "a/", "/a", "a//b", "a/b", "a%", "a_", "a*", "a?", "a.", "..", "7", "07", "7.0", "null",
		"層", "が", "か\u3099", "é", "e\u0301", "😀", "\ufffd", "\uffff", "\U0010ffff", "\n", "'", `"`, `\`,
		strings.Repeat("k", store.MaxKey), strings.Repeat("k", store.MaxKey-1) + "l",
	}
	want := map[string]store.Revision{}
	for _, key := range keys {
		want[key] = create(t, s, key, "data of "+key)
	}
	for key, rev := range want {
		wantValue(t, s, store.Value{Key: key, Data: []byte("data of " + key), Revision: rev})
	}
	wantKeys(t, s, store.Query{}, sorted(keys)...)
	wantKeys(t, s, store.Query{Reverse: true}, reversed(sorted(keys))...)
}

func testLimits(t *testing.T, s store.Store) {
	largest := string(bytes.Repeat([]byte{0, 0xff}, store.MaxValue/2))
	rev := create(t, s, "large", largest)
	rev = replace(t, s, "large", rev, "small")
	rev = replace(t, s, "large", rev, largest)
	want := store.Value{Key: "large", Data: []byte(largest), Revision: rev}

	tooLarge := make([]byte, store.MaxValue+1)
	wantError(t, "Create of too much", store.ErrInvalid)(s.Create(t.Context(), "larger", tooLarge))
	wantError(t, "Replace by too much", store.ErrInvalid)(s.Replace(t.Context(), "large", rev, tooLarge))
	wantValue(t, s, want)
	for _, key := range []string{"", strings.Repeat("k", store.MaxKey+1), "\xff", "a\xc3", "a\x00b"} {
		wantError(t, fmt.Sprintf("Create of %.20q", key), store.ErrInvalid)(s.Create(t.Context(), key, nil))
		wantError(t, fmt.Sprintf("Replace of %.20q", key), store.ErrInvalid)(s.Replace(t.Context(), key, rev, nil))
		if _, err := s.Get(t.Context(), key); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("Get of %.20q: %v, want ErrInvalid", key, err)
		}
	}
	for _, q := range []store.Query{{Prefix: "\xff"}, {Prefix: "a\x00"}, {After: "\xc3"}, {Limit: -1}} {
		if keys, err := walk(t.Context(), s, q); len(keys) != 0 || !errors.Is(err, store.ErrInvalid) {
			t.Errorf("List of %+v = %q, %v, want ErrInvalid", q, keys, err)
		}
	}
	wantKeys(t, s, store.Query{}, "large")
}

// testCancelled: what has not begun when the context ends must not happen.
func testCancelled(t *testing.T, s store.Store) {
	rev := create(t, s, "a", "one")
	create(t, s, "b", "one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get after cancel: %v", err)
	}
	wantError(t, "Create after cancel", context.Canceled)(s.Create(ctx, "c", nil))
	wantError(t, "Replace after cancel", context.Canceled)(s.Replace(ctx, "a", rev, nil))
	if keys, err := walk(ctx, s, store.Query{}); len(keys) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("List after cancel = %q, %v", keys, err)
	}
	wantKeys(t, s, store.Query{}, "a", "b")
	wantValue(t, s, store.Value{Key: "a", Data: []byte("one"), Revision: rev})

	// A list that is under way ends before its next value.
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	var keys []string
	var end error
	for v, err := range s.List(ctx, store.Query{}) {
		cancel()
		if end = err; err == nil {
			keys = append(keys, v.Key)
		}
	}
	if !cmp.Equal(keys, []string{"a"}) || !errors.Is(end, context.Canceled) {
		t.Errorf("List cancelled at its first value = %q, %v, want a and Canceled", keys, end)
	}
}

// testClosed: a closed store must not answer that there is nothing.
func testClosed(t *testing.T, s store.Store) {
	rev := create(t, s, "a", "one")
	for i := range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close number %d: %v", i+1, err)
		}
	}
	if _, err := s.Get(t.Context(), "a"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get after Close: %v, want an error that is no answer", err)
	}
	if _, err := s.Create(t.Context(), "b", nil); err == nil || errors.Is(err, store.ErrExists) {
		t.Errorf("Create after Close: %v, want an error that is no answer", err)
	}
	if _, err := s.Replace(t.Context(), "a", rev, nil); err == nil || errors.Is(err, store.ErrChanged) {
		t.Errorf("Replace after Close: %v, want an error that is no answer", err)
	}
	if keys, err := walk(t.Context(), s, store.Query{}); err == nil {
		t.Errorf("List after Close = %q without an error", keys)
	}
}

package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/store"
)

func TestKey(t *testing.T) {
	for _, test := range []struct {
		segments []string
		want     string
	}{
		{[]string{"history", "prod", "2026-11-24T04:05:06Z"}, "history/prod/2026-11-24T04:05:06Z"},
		{[]string{"a/b", "c"}, "a%2Fb/c"},
		{[]string{"100%", "%2F"}, "100%25/%252F"},
		{[]string{"本番", "層"}, "本番/層"},
		{[]string{"a", "", "b"}, "a//b"},
		{[]string{"", ""}, "/"},
		{[]string{"a\x00b"}, "a%00b"},
		{[]string{"a b+c&d"}, "a b+c&d"},
	} {
		got := store.Key(test.segments...)
		if got != test.want {
			t.Errorf("Key(%q) = %q, want %q", test.segments, got, test.want)
		}
		back, err := store.Split(got)
		if diff := cmp.Diff(test.segments, back); err != nil || diff != "" {
			t.Errorf("Split(%q): %v (-want +got):\n%s", got, err, diff)
		}
	}
}

func TestPrefix(t *testing.T) {
	if got := store.Prefix(); got != "" {
		t.Errorf("Prefix() = %q, want everything", got)
	}
	if got, want := store.Prefix("a", "b/c"), "a/b%2Fc/"; got != want {
		t.Errorf("Prefix = %q, want %q", got, want)
	}
}

func TestSplitRefuses(t *testing.T) {
	for _, key := range []string{"", "a%", "a%2", "a%zz", "a%2f", "a%41", "a/%2", "a\x00"} {
		if got, err := store.Split(key); err == nil {
			t.Errorf("Split(%q) = %q, want an error", key, got)
		}
	}
}

// TestKeyProperties: different segments, different keys; back again; a prefix
// finds exactly what is below its segments.
func TestKeyProperties(t *testing.T) {
	segments := rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "ab", "/", "%", "a/b", "%2F", "2F", "層", "\x00"}),
		rapid.String(),
	), 1, 3)
	rapid.Check(t, func(t *rapid.T) {
		a, b := segments.Draw(t, "a"), segments.Draw(t, "b")
		if rapid.Bool().Draw(t, "extend") {
			b = append(slices.Clone(a), b...)
		}
		ka, kb := store.Key(a...), store.Key(b...)
		if (ka == kb) != slices.Equal(a, b) {
			t.Fatalf("Key(%q) = %q and Key(%q) = %q", a, ka, b, kb)
		}
		if back, err := store.Split(ka); ka != "" && (err != nil || !slices.Equal(back, a)) {
			t.Fatalf("Split(Key(%q)) = %q, %v", a, back, err)
		}
		below := len(b) > len(a) && slices.Equal(a, b[:len(a)])
		if got := strings.HasPrefix(kb, store.Prefix(a...)); got != below {
			t.Fatalf("%q begins with Prefix(%q): %t, want %t", kb, a, got, below)
		}
	})
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"a/b", "a%2Fb", "%", "//", "%00", "層/%25"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if segments, err := store.Split(key); err == nil && store.Key(segments...) != key {
			t.Errorf("Split(%q) = %q, which is the key %q", key, segments, store.Key(segments...))
		}
	})
}

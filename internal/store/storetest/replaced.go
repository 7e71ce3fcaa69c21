package storetest

import (
	"errors"
	"testing"

	"github.com/layerd/layerd/internal/store"
)

// Replaced checks that a store notices that it was taken away, and stays away
// until it is opened anew. open returns it fresh and empty; lose takes away what
// it keeps its values in, and mend makes an empty one in its place.
func Replaced(t *testing.T, open func(t *testing.T) (s store.Replaceable, lose, mend func())) {
	for _, mended := range []bool{false, true} {
		name := map[bool]string{false: "mended late", true: "mended at once"}[mended]
		t.Run(name, func(t *testing.T) {
			s, lose, mend := open(t)
			rev := create(t, s, "a", "one")
			if err := errors.Join(s.Check(), s.Reopen(t.Context())); err != nil {
				t.Errorf("Check and Reopen of what is there: %v", err)
			}
			rev = replace(t, s, "a", rev, "two")
			lose()
			wantLost(t, s, rev)
			if mended {
				mend()
				wantLost(t, s, rev) // whoever knows the old one must not go on with this one
			} else {
				for range 2 {
					if err := s.Reopen(t.Context()); !errors.Is(err, store.ErrReplaced) {
						t.Errorf("Reopen where there is nothing: %v, want ErrReplaced", err)
					}
					wantLost(t, s, rev)
				}
				mend()
			}
			if err := s.Reopen(t.Context()); err != nil {
				t.Fatalf("Reopen: %v", err)
			}
			wantKeys(t, s, store.Query{})
			wantError(t, "Replace at a revision of the old store", store.ErrChanged)(s.Replace(t.Context(), "a", rev, nil))
			create(t, s, "a", "three")
			if err := s.Check(); err != nil {
				t.Errorf("Check after Reopen: %v", err)
			}
		})
	}
}

func wantLost(t *testing.T, s store.Replaceable, rev store.Revision) {
	t.Helper()
	wantError(t, "Replace", store.ErrReplaced)(s.Replace(t.Context(), "a", rev, []byte("void")))
	wantError(t, "Create", store.ErrReplaced)(s.Create(t.Context(), "b", nil))
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, store.ErrReplaced) {
		t.Errorf("Get: %v, want ErrReplaced", err)
	}
	if keys, err := walk(t.Context(), s, store.Query{}); !errors.Is(err, store.ErrReplaced) || len(keys) > 0 {
		t.Errorf("List = %q, %v, want ErrReplaced", keys, err)
	}
	if err := store.Check(s); !errors.Is(err, store.ErrReplaced) {
		t.Errorf("Check: %v, want ErrReplaced", err)
	}
}

package sqlitestore_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/store/sqlitestore"
	"github.com/layerd/layerd/internal/store/storetest"
)

// A database that an earlier layerd wrote opens, for reading as for writing, and
// holds what was written.
func TestPast(t *testing.T) {
	want := storetest.Dump(t, storetest.Past(t))
	for name, open := range map[string]func(string) (*sqlitestore.Store, error){"write": sqlitestore.Open, "read": sqlitestore.OpenReadOnly} {
		path := filepath.Join(t.TempDir(), "past.db")
		storetest.PastFile(t, path)
		s, err := open(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, storetest.Dump(t, s)); diff != "" {
			t.Errorf("%s (-as text +as database):\n%s", name, diff)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

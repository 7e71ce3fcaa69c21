package lease

import (
	"testing"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// A lease that an earlier layerd left is read whole, and written as it was:
// given back, held while somebody waits, and kept for who asked.
func TestPastIsReadWhole(t *testing.T) {
	s := storetest.Past(t)
	k := New(s, Holder{Name: "now"}, 0)
	storetest.Reread(t, store.Prefix("lease"), func(v store.Value) ([]byte, error) {
		account := v.Key[len("lease/"):]
		d, rev, err := k.read(t.Context(), account)
		if err != nil {
			return nil, err
		}
		if _, err := k.write(t.Context(), account, rev, d); err != nil {
			return nil, err
		}
		now, err := s.Get(t.Context(), v.Key)
		return now.Data, err
	})
}

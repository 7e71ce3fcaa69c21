package history

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// again reads a value as a D and writes that.
func again[D any](v store.Value) ([]byte, error) {
	var d D
	if err := decode(v, &d); err != nil {
		return nil, err
	}
	return json.Marshal(d)
}

// What an earlier layerd kept is read whole, and written as it was.
func TestPastIsReadWhole(t *testing.T) {
	const of = storetest.PastRepository
	for prefix, reread := range map[string]func(store.Value) ([]byte, error){
		store.Prefix("past", of, "function"): again[functionDoc],
		store.Prefix("past", of, "layer"):    again[layerDoc],
		store.Prefix("past", of, "pruned"):   again[prunedDoc],
		store.Prefix("open", of):             again[openDoc],
		store.Prefix("rollout", of):          again[rolloutDoc],
		store.Prefix("history", of): func(v store.Value) ([]byte, error) {
			if strings.HasSuffix(v.Key, "/"+rulingSegment) {
				return again[rulingDoc](v)
			}
			return again[record](v)
		},
	} {
		storetest.Reread(t, prefix, reread)
	}
}

// A rollout that is read and saved again stays what it was: nothing of it is
// only in the store or only in the program.
func TestPastRolloutsAreKept(t *testing.T) {
	s := storetest.Past(t)
	before := storetest.Dump(t, s)
	log, asked := Open(s, storetest.PastRepository), 0
	for v, err := range s.List(t.Context(), store.Query{Prefix: store.Prefix("rollout", storetest.PastRepository)}) {
		if err != nil {
			t.Fatal(err)
		}
		segments, err := store.Split(v.Key)
		if err != nil {
			t.Fatal(err)
		}
		ro, err := log.Rollout(t.Context(), segments[2], segments[3])
		if err != nil || ro == nil {
			t.Fatalf("%s: %v, %v", v.Key, ro, err)
		}
		if err := log.SaveRollout(t.Context(), segments[2], segments[3], *ro); err != nil {
			t.Fatal(err)
		}
		asked++
	}
	if diff := cmp.Diff(before, storetest.Dump(t, s)); diff != "" || asked < 5 {
		t.Errorf("%d rollouts; (-was +saved again):\n%s", asked, diff)
	}
}

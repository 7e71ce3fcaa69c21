package ruling

import (
	"encoding/json"
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
		store.Prefix("approval", of):   again[approvalDoc],
		store.Prefix("offer", of):      again[offerDoc],
		store.Prefix("quarantine", of): again[quarantineDoc],
		store.Prefix("forgotten", of):  again[forgottenDoc],
	} {
		storetest.Reread(t, prefix, reread)
	}
}

// Updating an approval without a change writes what was there, its lines where
// they were: in the value, or in parts.
func TestPastApprovalsAreKept(t *testing.T) {
	s := storetest.Past(t)
	before := storetest.Dump(t, s)
	lines := map[string]int{}
	for _, env := range []string{"prod", "staging", "wait"} {
		list, err := Load(t.Context(), s, storetest.PastRepository, env)
		if err != nil || len(list) != 1 {
			t.Fatalf("%s has %v, %v", env, list, err)
		}
		lines[env] = len(list[0].Scope)
		if err := Update(t.Context(), s, storetest.PastRepository, list[0], func(*Approval) {}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]int{"prod": 0, "staging": 5, "wait": 600}, lines); diff != "" {
		t.Errorf("lines of the approvals (-want +got): %s", diff)
	}
	if diff := cmp.Diff(before, storetest.Dump(t, s)); diff != "" {
		t.Errorf("(-was +updated):\n%s", diff)
	}
}

package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

type tally struct {
	V     int `json:"v"`
	Count int `json:"count"`
}

func tallies(s store.Store) store.Documents[tally] {
	return store.Documents[tally]{Store: s, Version: 2}
}

func addOne(d *tally) bool {
	d.V = 2
	d.Count++
	return true
}

// What a newer layerd wrote, or what is damaged, is an error for each call and
// stays as it is, also where the rest of it has another form.
func TestDocumentsThatCannotBeRead(t *testing.T) {
	for data, want := range map[string]error{
		`{"v":2,"count":1}`: nil, `{"count":1}`: nil, `{"v":1,"count":1,"more":true}`: nil,
		`{"v":3,"count":1}`: store.ErrNewer, `{"v":3,"count":[1]}`: store.ErrNewer,
		`{"v":2,"count":[1]}`: store.ErrCorrupt, `{"v":2`: store.ErrCorrupt, ``: store.ErrCorrupt, `{"v":"2"}`: store.ErrCorrupt,
	} {
		ctx, s := t.Context(), store.NewMemory()
		rev, err := s.Create(ctx, "a/b", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		got, v, getErr := tallies(s).Get(ctx, "a/b")
		if want == nil && (got.Count != 1 || v.Revision != rev) {
			t.Errorf("%s is read as %+v at %q", data, got, v.Revision)
		}
		var listErr error
		for d, err := range tallies(s).List(ctx, store.Query{}) {
			if listErr = err; err == nil && (d.Name != "b" || d.Doc.Count != 1) {
				t.Errorf("%s is listed as %+v", data, d)
			}
		}
		for call, err := range map[string]error{"Get": getErr, "List": listErr, "Update": tallies(s).Update(ctx, "a/b", addOne)} {
			if !errors.Is(err, want) || err != nil && !strings.HasPrefix(err.Error(), "read a/b: ") {
				t.Errorf("%s: %s: %v, want %v", data, call, err, want)
			}
		}
		if now, _ := s.Get(ctx, "a/b"); want != nil && string(now.Data) != data {
			t.Errorf("%s became %s", data, now.Data)
		}
	}
}

func TestUpdateWritesWhatIsDifferent(t *testing.T) {
	ctx, s := t.Context(), store.NewMemory()
	same := func(*tally) bool { return false }
	if err := tallies(s).Update(ctx, "k", same); err != nil {
		t.Fatal(err)
	}
	if _, v, err := tallies(s).Get(ctx, "k"); err != nil || v.Revision != "" {
		t.Errorf("nothing was to be written: %+v, %v", v, err)
	}
	for range 2 { // the first creates it
		if err := tallies(s).Update(ctx, "k", addOne); err != nil {
			t.Fatal(err)
		}
	}
	d, v, err := tallies(s).Get(ctx, "k")
	if err != nil || d.Count != 2 || string(v.Data) != `{"v":2,"count":2}` {
		t.Errorf("%s, %v", v.Data, err)
	}
	if err := tallies(s).Update(ctx, "k", same); err != nil {
		t.Fatal(err)
	}
	if now, _ := s.Get(ctx, "k"); now.Revision != v.Revision {
		t.Error("what is the same was written")
	}
}

// A value that was read before is not read again, unless it has changed since.
func TestUpdateFromWhatWasRead(t *testing.T) {
	ctx, s := t.Context(), store.NewMemory()
	for _, seen := range []*store.Value{{}, nil} {
		if seen == nil {
			v, err := s.Get(ctx, "k")
			if err != nil {
				t.Fatal(err)
			}
			seen = &v
			if err := tallies(s).Update(ctx, "k", addOne); err != nil {
				t.Fatal(err)
			}
		}
		reads, calls := 0, 0
		counted := storetest.Faulty(s, func(_ context.Context, c storetest.Call) storetest.Fault {
			if c.Op == storetest.OpGet {
				reads++
			}
			return storetest.Fault{}
		})
		err := tallies(counted).UpdateFrom(ctx, "k", seen, func(d *tally) bool { calls++; return addOne(d) })
		if stale := seen.Revision != ""; err != nil || (reads == 1) != stale || (calls == 2) != stale {
			t.Errorf("%d reads, %d tries, %v", reads, calls, err)
		}
	}
	if d, _, err := tallies(s).Get(ctx, "k"); err != nil || d.Count != 3 {
		t.Errorf("%+v, %v", d, err)
	}
}

// Others in the way are waited for, and not for ever; anything else ends it.
func TestPatience(t *testing.T) {
	for err, want := range map[error]int{store.ErrBusy: 20, store.ErrChanged: 20, store.ErrExists: 20, store.ErrReadOnly: 1, nil: 1} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			got := store.Patiently(t.Context(), func() error { tries++; return err })
			if !errors.Is(got, err) || tries != want {
				t.Errorf("%v: %d tries, then %v; want %d", err, tries, got, want)
			}
		})
	}
}

package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// TestFaultyWithoutFaults: what goes well goes as it would without the wrapper.
func TestFaultyWithoutFaults(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store {
		return storetest.Faulty(store.NewMemory(), func(context.Context, storetest.Call) storetest.Fault { return storetest.Fault{} })
	})
}

// removable is a store that can be taken away, and came back.
type removable struct {
	store.Store
	away error
}

func (r *removable) Check() error { return r.away }

func (r *removable) Reopen(ctx context.Context) error {
	if ctx.Err() == nil {
		r.away = nil
	}
	return ctx.Err()
}

// calls makes every call once, on what holds one value under "a/1", and returns
// their errors by the operation.
func calls(ctx context.Context, s store.Store, at store.Revision) map[storetest.Op]error {
	_, get := s.Get(ctx, "a/1")
	_, create := s.Create(ctx, "a/2", []byte("new"))
	_, replace := s.Replace(ctx, "a/1", at, []byte("newer"))
	var list error
	for _, err := range s.List(ctx, store.Query{Prefix: "a/"}) {
		list = err
	}
	all := map[storetest.Op]error{storetest.OpGet: get, storetest.OpCreate: create, storetest.OpReplace: replace, storetest.OpList: list}
	if r, ok := s.(store.Replaceable); ok {
		all[storetest.OpReopen] = r.Reopen(ctx)
	}
	return all
}

func TestFaulty(t *testing.T) {
	fault := errors.New("no answer")
	for _, tt := range []struct {
		name  string
		fault storetest.Fault
		ended bool // the context, before the call
		err   error
		done  bool
	}{
		{"well", storetest.Fault{}, false, nil, true},
		{"before", storetest.Fault{Before: fault}, false, fault, false},
		{"after", storetest.Fault{After: fault}, false, fault, true},
		{"both", storetest.Fault{Before: fault, After: errors.New("lost")}, false, fault, false},
		{"too late", storetest.Fault{}, true, context.Canceled, false},
		{"killed in the middle", storetest.KilledAt(true, fault), true, fault, true},
		{"killed before", storetest.KilledAt(false, fault), true, fault, false},
		{"alive", storetest.KilledAt(true, nil), false, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			memory := store.NewMemory()
			at, err := memory.Create(t.Context(), "a/1", []byte("old"))
			if err != nil {
				t.Fatal(err)
			}
			inner := &removable{memory, store.ErrReplaced}
			s := storetest.Faulty(inner, func(context.Context, storetest.Call) storetest.Fault { return tt.fault })
			if err := store.Check(s); !errors.Is(err, store.ErrReplaced) {
				t.Errorf("Check: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.ended {
				cancel()
			}
			for op, err := range calls(ctx, s, at) {
				if !errors.Is(err, tt.err) {
					t.Errorf("%s: %v, want %v", op, err, tt.err)
				}
			}
			one, _ := memory.Get(t.Context(), "a/1")
			_, err = memory.Get(t.Context(), "a/2")
			if got := string(one.Data) == "newer"; got != tt.done || (err == nil) != tt.done {
				t.Errorf("replaced %v, created %v, want %v", got, err, tt.done)
			}
			if got := inner.away == nil; got != tt.done {
				t.Errorf("opened anew: %v", got)
			}
		})
	}
}

// TestFaultySees: every call is shown with its key and its answer, and a store
// that cannot be replaced does not pretend to be one that can.
func TestFaultySees(t *testing.T) {
	memory := store.NewMemory()
	at, err := memory.Create(t.Context(), "a/1", []byte("old"))
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	s := storetest.Faulty(memory, func(_ context.Context, c storetest.Call) storetest.Fault {
		return storetest.Fault{Done: func(a storetest.Answer) {
			seen = append(seen, fmt.Sprintf("%s %s %q %t: %d of %d bytes, %v", c.Op, c.Key, c.Data, c.Write(), a.Values, a.Bytes, a.Err))
		}}
	})
	if _, ok := s.(store.Replaceable); ok {
		t.Error("it is replaceable")
	}
	all := calls(t.Context(), s, at)
	calls(t.Context(), s, at)
	for op, err := range all {
		if err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
	want := []string{
		`get a/1 "" false: 1 of 6 bytes, <nil>`,
		`create a/2 "new" true: 0 of 0 bytes, <nil>`,
		`replace a/1 "newer" true: 0 of 0 bytes, <nil>`,
		`list a/ "" false: 2 of 14 bytes, <nil>`,
		`get a/1 "" false: 1 of 8 bytes, <nil>`,
		`create a/2 "new" true: 0 of 0 bytes, create a/2: exists already`,
		`replace a/1 "newer" true: 0 of 0 bytes, replace a/1: changed since it was read`,
		`list a/ "" false: 2 of 14 bytes, <nil>`,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

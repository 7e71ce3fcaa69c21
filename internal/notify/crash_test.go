package notify_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/store"
)

// chapters are what happens, one round each.
var chapters = []func(w *notifytest.World){
	func(*notifytest.World) {},
	func(w *notifytest.World) { w.Meddle("makoto-api", notifytest.Common.Version(11)) },
	func(w *notifytest.World) { w.Commit("1.4.2", "a1b2c3d4e5f6") },
	func(w *notifytest.World) { w.Failing["makoto-api"] = "AccessDeniedException: no" },
	func(w *notifytest.World) { w.Now = time.Date(2026, 11, 28, 2, 0, 0, 0, w.Zone) },
	func(w *notifytest.World) { w.Failing = nil },
	func(w *notifytest.World) { w.Meddle("makoto-device-sync") },
	func(w *notifytest.World) {},
}

// tellAll runs the chapters; a process that dies is followed by another one,
// which begins with a round of its own.
func tellAll(t *testing.T, p *process) (titles []string, repeated int) {
	ctx := context.Background()
	memory, w, log := store.NewMemory(), notifytest.NewWorld(), archive{}
	c := &channel{name: "c", process: p}
	b := book(newKillable(memory, p), c)
	for _, chapter := range chapters {
		w.Now = w.Now.Add(10 * time.Minute)
		chapter(w)
		err := round(ctx, b, w, &log)
		if p != nil && p.dead && c.process != nil {
			c.process = nil
			b = book(memory, c)
			err = round(ctx, b, w, &log)
		}
		if err != nil {
			t.Fatalf("an error without a kill: %v", err)
		}
	}
	again := newKillable(memory, nil)
	if err := round(ctx, book(again, c), w, &log); err != nil || again.writes != 0 {
		t.Errorf("a round without news makes %d writes, %v", again.writes, err)
	}
	seen := map[string]bool{}
	for _, m := range c.took {
		if seen[m.ID] {
			repeated++
			continue
		}
		seen[m.ID] = true
		titles = append(titles, m.Headline())
	}
	return titles, repeated
}

// A kill at any call loses no message, and repeats at most the one that was on
// its way.
func TestAKillAtEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want, repeated := tellAll(t, nil)
		if len(want) < 8 || repeated != 0 {
			t.Fatalf("the story tells too little to prove anything: %q", want)
		}
		for _, after := range []bool{false, true} {
			repeats := 0
			for n := 0; ; n++ {
				p := &process{left: n, after: after}
				got, repeated := tellAll(t, p)
				if !p.dead {
					t.Logf("after=%v: %d calls, each one killed, %d repeated a message", after, n, repeats)
					break
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("killed at call %d, after=%v: other messages (-want +got):\n%s", n, after, diff)
				}
				if repeats += repeated; repeated > 1 {
					t.Fatalf("killed at call %d, after=%v: %d messages twice", n, after, repeated)
				}
			}
			// Between the answer of the target and the end of the note are two
			// calls that a kill can hit.
			if repeats != 2*len(want) {
				t.Errorf("%d messages were repeated, of %d", repeats, len(want))
			}
		}
	})
}

// While the store does not work everything waits, and nothing is lost or told
// twice once it does.
func TestTheStoreComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want, _ := tellAll(t, nil)
		memory, w, log := store.NewMemory(), notifytest.NewWorld(), archive{}
		s, c := newKillable(memory, nil), &channel{name: "c"}
		b := book(s, c)
		for _, chapter := range chapters {
			w.Now = w.Now.Add(10 * time.Minute)
			chapter(w)
			s.fail = errors.New("no space left on device")
			if err := round(t.Context(), b, w, &log); err != nil && !errors.Is(err, s.fail) {
				t.Fatal(err)
			}
			s.fail = nil
			if err := round(t.Context(), b, w, &log); err != nil {
				t.Fatal(err)
			}
		}
		if got := c.titles(); !slices.Equal(got, want) {
			t.Errorf("other messages:\n%s", cmp.Diff(want, got))
		}
	})
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/store"
)

const (
	racers = 8  // goroutines at once
	rounds = 15 // of each
)

// Shared checks that two handles on one set of values act as one store. open
// returns them fresh and empty, as two processes would have them.
func Shared(t *testing.T, open func(t *testing.T) (a, b store.Store)) {
	t.Run("sees the other", func(t *testing.T) {
		a, b := open(t)
		rev := create(t, a, "k", "one")
		wantValue(t, b, store.Value{Key: "k", Data: []byte("one"), Revision: rev})
		wantError(t, "Create of the other's key", store.ErrExists)(b.Create(t.Context(), "k", nil))
		second := replace(t, b, "k", rev, "two")
		wantError(t, "Replace behind the other", store.ErrChanged)(a.Replace(t.Context(), "k", rev, nil))
		wantValue(t, a, store.Value{Key: "k", Data: []byte("two"), Revision: second})
		create(t, a, "l", "")
		wantKeys(t, b, store.Query{}, "k", "l")
	})
	t.Run("outlives the other", func(t *testing.T) {
		a, b := open(t)
		rev := create(t, a, "k", "one")
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		wantValue(t, b, store.Value{Key: "k", Data: []byte("one"), Revision: rev})
		replace(t, b, "k", rev, "two")
	})
	t.Run("one creator", func(t *testing.T) { a, b := open(t); raceCreate(t, a, b) })
	t.Run("one replacer", func(t *testing.T) { a, b := open(t); raceReplace(t, a, b) })
	t.Run("counter", func(t *testing.T) { a, b := open(t); raceCount(t, a, b) })
	t.Run("writers", func(t *testing.T) { a, b := open(t); raceWrite(t, a, b) })
}

func testOneCreator(t *testing.T, s store.Store)  { raceCreate(t, s) }
func testOneReplacer(t *testing.T, s store.Store) { raceReplace(t, s) }
func testCounter(t *testing.T, s store.Store)     { raceCount(t, s) }
func testWriters(t *testing.T, s store.Store)     { raceWrite(t, s) }

// together runs f in several goroutines over the handles, and waits for all.
func together(handles []store.Store, f func(i int, s store.Store)) {
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() { f(i, handles[i%len(handles)]) })
	}
	wg.Wait()
}

// winner collects the answers of a race: one revision, everybody else loses.
type winner struct {
	mu   sync.Mutex
	data string
	rev  store.Revision
	wins int
	odd  []error // neither won nor lost
}

func (w *winner) note(data string, rev store.Revision, err, lost error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil:
		w.wins, w.data, w.rev = w.wins+1, data, rev
	case !errors.Is(err, lost):
		w.odd = append(w.odd, err)
	}
}

func (w *winner) check(t *testing.T, s store.Store, key string) {
	t.Helper()
	if w.wins != 1 || len(w.odd) > 0 {
		t.Fatalf("race for %s: %d winners, want 1; odd answers: %v", key, w.wins, w.odd)
	}
	wantValue(t, s, store.Value{Key: key, Data: []byte(w.data), Revision: w.rev})
}

func raceCreate(t *testing.T, handles ...store.Store) {
	for round := range rounds {
		var w winner
		key := fmt.Sprint("race/", round)
		together(handles, func(i int, s store.Store) {
			data := strconv.Itoa(i)
			rev, err := s.Create(t.Context(), key, []byte(data))
			w.note(data, rev, err, store.ErrExists)
		})
		w.check(t, handles[0], key)
	}
}

func raceReplace(t *testing.T, handles ...store.Store) {
	rev := create(t, handles[0], "race", "start")
	for range rounds {
		var w winner
		together(handles, func(i int, s store.Store) {
			data := strconv.Itoa(i)
			next, err := s.Replace(t.Context(), "race", rev, []byte(data))
			w.note(data, next, err, store.ErrChanged)
		})
		w.check(t, handles[len(handles)-1], "race")
		rev = w.rev
	}
}

// raceCount adds up by compare-and-swap: a lost or doubled write is a wrong sum.
func raceCount(t *testing.T, handles ...store.Store) {
	create(t, handles[0], "count", "0")
	together(handles, func(_ int, s store.Store) {
		for range rounds {
			if _, err := Add(t.Context(), s, "count"); err != nil {
				t.Errorf("add: %v", err)
				return
			}
		}
	})
	if got, want := string(get(t, handles[0], "count").Data), strconv.Itoa(racers*rounds); got != want {
		t.Errorf("%d goroutines added up %s, want %s", racers, got, want)
	}
}

// raceWrite has everybody write keys of their own among those of the others,
// each twice, as an append to a history is: none may get lost or old again.
func raceWrite(t *testing.T, handles ...store.Store) {
	var mu sync.Mutex
	want := map[string]store.Value{}
	together(handles, func(i int, s store.Store) {
		for round := range rounds {
			key := fmt.Sprintf("w/%02d/%d", round, i)
			rev, err := s.Create(t.Context(), key, []byte("begun"))
			if err == nil {
				rev, err = s.Replace(t.Context(), key, rev, []byte("ended "+key))
			}
			if err != nil {
				t.Errorf("write of %s: %v", key, err)
				return
			}
			mu.Lock()
			want[key] = store.Value{Key: key, Data: []byte("ended " + key), Revision: rev}
			mu.Unlock()
		}
	})
	for _, s := range handles {
		got := list(t, s, store.Query{Prefix: "w/"})
		if len(got) != len(want) {
			t.Errorf("List has %d values, %d were written", len(got), len(want))
		}
		for _, v := range got {
			if diff := cmp.Diff(want[v.Key], v, byBytes()); diff != "" {
				t.Errorf("value of %s (-want +got):\n%s", v.Key, diff)
			}
		}
	}
}

// Add adds one to the decimal number under key, trying again whenever somebody
// else was faster, and returns the sum. It is how a caller is meant to use
// compare-and-swap, and what tests across processes count with.
func Add(ctx context.Context, s store.Store, key string) (int, error) {
	for {
		v, err := s.Get(ctx, key)
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(string(v.Data))
		if err != nil {
			return 0, err
		}
		_, err = s.Replace(ctx, key, v.Revision, []byte(strconv.Itoa(n+1)))
		if errors.Is(err, store.ErrChanged) {
			continue
		}
		return n + 1, err
	}
}

// testReadersAndWriters: while values grow, no reader sees one shrink, half of
// one, or a list out of order.
func testReadersAndWriters(t *testing.T, s store.Store) {
	create(t, s, "n", "0")
	together([]store.Store{s}, func(i int, s store.Store) {
		last := 0
		for round := range rounds {
			if i%2 == 0 {
				create(t, s, fmt.Sprintf("w/%d/%03d", i, round), "x")
				if _, err := Add(t.Context(), s, "n"); err != nil {
					t.Errorf("add: %v", err)
				}
				continue
			}
			v, err := s.Get(t.Context(), "n")
			n, _ := strconv.Atoi(string(v.Data))
			if err != nil || n < last {
				t.Errorf("Get = %d, %v, after %d", n, err, last)
			}
			last = n
			keys, err := walk(t.Context(), s, store.Query{Prefix: "w/"})
			if err != nil || !isSorted(keys) {
				t.Errorf("List = %q, %v, want order", keys, err)
			}
		}
	})
}

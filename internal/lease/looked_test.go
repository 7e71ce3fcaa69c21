package lease

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// What was looked at is written with the next renewal and when the lease is released,
// stays when it changes hands, and is forgotten with the environment. Another
// repository's environments are not ours.
func TestLooksAreWrittenWithRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		a, b := keeper(s, "a"), keeper(s, "b")
		looked := func() []string {
			v, _, err := b.Look(t.Context(), account)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Sorted(maps.Keys(v.Looked))
		}
		expect := func(when string, want ...string) {
			t.Helper()
			if got := looked(); !slices.Equal(got, want) {
				t.Errorf("%s: looked at %v, want %v", when, got, want)
			}
		}
		look := func() Look { return Look{At: time.Now(), Until: time.Now().Add(15 * time.Minute)} }
		l := take(t, a)
		l.Looked("prod", look())
		expect("before the renewal")
		time.Sleep(Term / 2)
		expect("after it", "prod")
		if err := b.Ask(t.Context(), account); err != nil { // which writes the lease as well
			t.Fatal(err)
		}
		time.Sleep(Term)
		expect("asked for", "prod")
		l.Looked("dev", look())
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect("released", "dev", "prod")
		next := take(t, b)
		expect("taken over", "dev", "prod")
		time.Sleep(forgotten + time.Hour)
		next.Looked("prod", look())
		time.Sleep(Term)
		expect("dev was removed", "prod")
		if err := next.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		take(t, New(s, Holder{Name: "c", Repository: "other"}, 0))
		expect("another repository")
	})
}

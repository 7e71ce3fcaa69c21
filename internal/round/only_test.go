package round_test

import (
	"testing"
	"testing/synctest"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
)

// A round about some steps only, such as a publish from a branch before its merge, lifts
// no quarantine: the environment does not follow what is wanted there. A whole round does.
func TestARoundOfSomeStepsLiftsNoQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := publishing(t, 2)
		bad := backBy(f)
		bad.ByPerson = false
		if _, err := history.Open(f.store, "test").Rulings().Quarantine(t.Context(), bad); err != nil {
			t.Fatal(err)
		}
		holds := func() (n int) {
			list, err := ruling.LoadQuarantines(t.Context(), f.store, "test", "prod")
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range list {
				if q.Holds() {
					n++
				}
			}
			return n
		}
		r := f.round()
		r.Artifacts, r.Only = s, func(s plan.Step) bool { return s.Kind == plan.KindPublish }
		if _, err := r.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(f.newest()) != 1 || holds() != 1 {
			t.Errorf("%d versions published, %d quarantines hold", len(f.newest()), holds())
		}
		f.applyFrom(t, s)
		if holds() != 0 {
			t.Error("a whole round did not lift it, although Git wants another number")
		}
	})
}

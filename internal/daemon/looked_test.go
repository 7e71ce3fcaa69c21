package daemon_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/lease"
)

// The lease of an account has when each of its environments was looked at: a round that
// finds nothing new leaves no other trace, and layerd status has only the store.
func TestTheLeaseSaysWhatWasLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		p := s.start("one")
		time.Sleep(10 * time.Minute)
		looked := func() lease.Look {
			v, _, err := lease.New(s.store, lease.Holder{Name: "status"}, 0).Look(t.Context(), accountID)
			if err != nil {
				t.Fatal(err)
			}
			return v.Looked["dev"]
		}
		first := looked()
		if age := time.Since(first.At); age > 2*time.Minute || !first.Until.After(time.Now()) {
			t.Errorf("looked at %s ago, until %s", age, first.Until)
		}
		time.Sleep(10 * time.Minute)
		if next := looked(); next.At.Sub(first.At) < 8*time.Minute {
			t.Errorf("the second look is not noted: %v after %v", next, first)
		}
		p.stop()
		stopped := looked()
		time.Sleep(time.Hour)
		if looked() != stopped || time.Since(stopped.At) < time.Hour {
			t.Errorf("a daemon that has ended looks: %v", looked())
		}
	})
}

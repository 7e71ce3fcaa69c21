package daemon_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// However many daemons there are, the accounts come to rest: nobody hands one
// round and round.
func TestSharingComesToRest(t *testing.T) {
	for _, daemons := range []int{2, 3, 5} {
		t.Run(fmt.Sprint(daemons, " daemons"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 3)
				for i := range daemons {
					defer s.start(fmt.Sprint("daemon", i)).stop()
					time.Sleep(17 * time.Second)
				}
				time.Sleep(10 * time.Minute)
				before := [2]int64{s.fence(accountID), s.fence(otherAccount)}
				time.Sleep(time.Hour)
				if after := [2]int64{s.fence(accountID), s.fence(otherAccount)}; after != before {
					t.Errorf("in an hour the fencing numbers went from %v to %v", before, after)
				}
				t.Log(before, s.slack.titles())
			})
		})
	}
}

// fence is the number of an account's lease.
func (s *site) fence(account string) int64 {
	s.t.Helper()
	v, err := s.store.Get(s.t.Context(), store.Key("lease", account))
	if err != nil {
		s.t.Fatal(err)
	}
	var d struct {
		Fence int64 `json:"fence"`
	}
	if err := json.Unmarshal(v.Data, &d); err != nil {
		s.t.Fatal(err)
	}
	return d.Fence
}

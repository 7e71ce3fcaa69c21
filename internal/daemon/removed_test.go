package daemon_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
)

// An environment that was removed is not looked after any more, also by a
// daemon that starts while Git is out of reach.
func TestRemovedIsNotFollowedWithoutGit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		var down atomic.Bool
		s.wrapGit = func(to http.RoundTripper) http.RoundTripper { return outage{to, &down} }
		p := s.start("one")
		time.Sleep(3 * time.Minute)
		if _, err := s.repo.Commit(gitserve.Change{Subject: "Remove dev", Delete: []string{"environments/dev.yaml"}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		p.stop()
		down.Store(true)
		p = s.start("two")
		defer p.stop()
		s.meddle(accountID, "makoto-01", 3) // whoever looks after it now
		s.meddle(otherAccount, "makoto-01", 3)
		time.Sleep(5 * time.Minute)
		if n := s.has(accountID, 3); n != 1 {
			t.Error("what was removed from Git was healed")
		}
		time.Sleep(time.Until(time.Date(2000, 1, 1, 2, 1, 0, 0, time.UTC)))
		if n := s.has(otherAccount, 3); n != 0 {
			t.Error("what is in Git was not healed")
		}
		down.Store(false)
		time.Sleep(2 * time.Minute)
		s.commit("Put dev back", map[string]string{"environments/dev.yaml": envFile(accountID, "1.4.0", "")})
		time.Sleep(5 * time.Minute)
		p.stop()
		down.Store(true)
		p = s.start("three")
		defer p.stop()
		s.meddle(accountID, "makoto-02", 3)
		time.Sleep(5 * time.Minute)
		if n := s.has(accountID, 3); n != 0 {
			t.Error("what is back in Git was not healed")
		}
	})
}

// One of two environments of an account is removed: the daemon is ready, and
// hands the account on to whoever asks.
func TestRemovedIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		s.commit("Add test", map[string]string{"environments/test.yaml": envFile(accountID, "1.4.0", "") + "layer_name: ${NAME}-test\n"})
		p := s.start("one")
		defer p.stop()
		time.Sleep(3 * time.Minute)
		if _, err := s.repo.Commit(gitserve.Change{Subject: "Remove test", Delete: []string{"environments/test.yaml"}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		if h := p.daemon.Health(); !h.Ready {
			t.Errorf("not ready: %q", h.Reasons)
		}
		second := s.start("two")
		defer second.stop()
		time.Sleep(10 * time.Minute)
		if a, b := holding(p), holding(second); a != 1 || b != 1 {
			t.Errorf("they have %d and %d accounts", a, b)
		}
	})
}

func holding(p *process) int {
	n := 0
	for _, a := range p.daemon.Health().Accounts {
		if a.Holding {
			n++
		}
	}
	return n
}

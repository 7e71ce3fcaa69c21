package daemon_test

import (
	"context"
	"fmt"
	"math/bits"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// stuckStore returns s, which answers nobody any more once it is stuck.
func stuckStore(s store.Store, stuck *atomic.Bool) store.Store {
	return storetest.Faulty(s, func(ctx context.Context, _ storetest.Call) storetest.Fault {
		if !stuck.Load() {
			return storetest.Fault{}
		}
		<-ctx.Done()
		return storetest.Fault{Before: ctx.Err()}
	})
}

// stuckTarget is a target that takes nothing once it is stuck.
type stuckTarget struct{ stuck *atomic.Bool }

func (stuckTarget) Name() string { return "stuck" }

func (s stuckTarget) Send(ctx context.Context, _ notify.Message) error {
	if !s.stuck.Load() {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// stuckTransport is a wire on which requests get stuck.
type stuckTransport struct {
	to    http.RoundTripper
	stuck *atomic.Bool
}

func (s stuckTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.stuck.Load() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return s.to.RoundTrip(r)
}

// Whatever hangs, and whatever the daemon does at that moment, it stops within
// the 25 seconds that are promised.
func TestItStopsWhateverHangs(t *testing.T) {
	const kinds = 4
	names := []string{"store", "AWS", "Git", "Slack"}
	for set := range 1 << kinds {
		var hang string
		for i, name := range names {
			if set&(1<<i) != 0 {
				hang += " " + name
			}
		}
		if n := bits.OnesCount(uint(set)); n > 2 && !nightly.On() || n == 2 && testing.Short() {
			continue
		}
		t.Run("hangs:"+hang, func(t *testing.T) {
			t.Parallel()
			// From the start, in a quiet time, and at moments of a rollout.
			for _, after := range nightly.Sample([]time.Duration{0, 30 * time.Second, 120500 * time.Millisecond, 122 * time.Second, 124 * time.Second, 130 * time.Second}, 3) {
				for _, wait := range nightly.Sample([]time.Duration{0, 3 * time.Second, 50 * time.Second}, 2) {
					synctest.Test(t, func(t *testing.T) { stopHanging(t, set, after, wait) })
				}
			}
		})
	}
}

func stopHanging(t *testing.T, set int, after, wait time.Duration) {
	s := newSite(t, 60)
	var kept, git, slack, aws atomic.Bool
	s.wrapStore = func(to store.Store) store.Store { return stuckStore(to, &kept) }
	s.wrapGit = func(to http.RoundTripper) http.RoundTripper { return stuckTransport{to, &git} }
	s.target = stuckTarget{&slack}
	s.world.OnCall(func(awssim.Call) awssim.Fault {
		if aws.Load() {
			return awssim.Delay(10 * time.Minute)
		}
		return awssim.Fault{}
	})
	hang := func() {
		for i, b := range []*atomic.Bool{&kept, &aws, &git, &slack} {
			b.Store(set&(1<<i) != 0)
		}
	}
	if after == 0 {
		hang()
	}
	p := s.start("one")
	time.Sleep(min(after, 100*time.Second))
	if after > 100*time.Second {
		s.commit("Raise", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "")})
		time.Sleep(after - 100*time.Second)
	}
	hang()
	time.Sleep(wait)
	began := time.Now()
	p.stop()
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("hanging for %s, %s after the start: stopping took %s", wait, after, took)
	}
	time.Sleep(10 * time.Minute) // what was left behind ends
}

// The store hangs from the start on: that is told, and the daemon lives when the
// store does.
func TestAStoreThatHangsAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		var stuck atomic.Bool
		stuck.Store(true)
		s.wrapStore = func(to store.Store) store.Store { return stuckStore(to, &stuck) }
		p := s.start("one")
		defer p.stop()
		time.Sleep(5 * time.Minute)
		if titles := s.slack.titles(); titles == "" {
			t.Error("nobody is told that the store hangs")
		} else {
			t.Log(titles)
		}
		if h := p.daemon.Health(); !h.Alive || h.Ready {
			t.Errorf("health %+v", h)
		}
		stuck.Store(false)
		time.Sleep(5 * time.Minute)
		if h := p.daemon.Health(); !h.Ready {
			t.Errorf("not ready: %v", h.Reasons)
		}
		stuck.Store(true)
		time.Sleep(5 * time.Minute)
		t.Log(s.slack.titles(), fmt.Sprintf("%+v", p.daemon.Health()))
		if h := p.daemon.Health(); !h.Alive {
			t.Errorf("health %+v", h)
		}
	})
}

package daemon_test

import (
	"context"
	"fmt"
	"iter"
	"math/bits"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/store"
)

// tar is a store that answers no call any more once it is stuck.
type tar struct {
	store.Store
	stuck *atomic.Bool
}

func (s tar) wait(ctx context.Context) error {
	if !s.stuck.Load() {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s tar) Get(ctx context.Context, key string) (store.Value, error) {
	if err := s.wait(ctx); err != nil {
		return store.Value{}, err
	}
	return s.Store.Get(ctx, key)
}

func (s tar) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	if err := s.wait(ctx); err != nil {
		return "", err
	}
	return s.Store.Create(ctx, key, data)
}

func (s tar) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	if err := s.wait(ctx); err != nil {
		return "", err
	}
	return s.Store.Replace(ctx, key, old, data)
}

func (s tar) List(ctx context.Context, q store.Query) iter.Seq2[store.Value, error] {
	if err := s.wait(ctx); err != nil {
		return func(yield func(store.Value, error) bool) { yield(store.Value{}, err) }
	}
	return s.Store.List(ctx, q)
}

// stuckTarget is a target that takes nothing and never answers.
type stuckTarget struct{ stuck *atomic.Bool }

func (stuckTarget) Name() string { return "mute" }

func (m stuckTarget) Send(ctx context.Context, _ notify.Message) error {
	if !m.stuck.Load() {
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
		if n := bits.OnesCount(uint(set)); testing.Short() && (n == 2 || n == 3) {
			continue
		}
		t.Run("hangs:"+hang, func(t *testing.T) {
			// From the start, in a quiet time, and at moments of a rollout.
			for _, after := range []time.Duration{0, 30 * time.Second, 120500 * time.Millisecond, 122 * time.Second, 124 * time.Second, 130 * time.Second} {
				for _, wait := range []time.Duration{0, 3 * time.Second, 50 * time.Second} {
					synctest.Test(t, func(t *testing.T) { stopHanging(t, set, after, wait) })
				}
			}
		})
	}
}

func stopHanging(t *testing.T, set int, after, wait time.Duration) {
	s := newSite(t, 60)
	var kept, git, slack, aws atomic.Bool
	s.wrapStore = func(to store.Store) store.Store { return tar{to, &kept} }
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
		s.wrapStore = func(to store.Store) store.Store { return tar{to, &stuck} }
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

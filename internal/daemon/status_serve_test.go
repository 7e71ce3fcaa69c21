package daemon_test

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/store"
)

// listCounter counts the lists that are asked of a store, and lets them hang whatever their
// context says.
type listCounter struct {
	store.Store
	lists *atomic.Int64
	hang  *atomic.Bool
}

func (c listCounter) List(ctx context.Context, q store.Query) iter.Seq2[store.Value, error] {
	c.lists.Add(1)
	if c.hang.Load() {
		time.Sleep(10 * time.Minute)
	}
	return c.Store.List(ctx, q)
}

func statusAt(d *daemon.Daemon, query string) (int, string) {
	w := httptest.NewRecorder()
	d.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, daemon.StatusPath+query, nil))
	return w.Code, w.Body.String()
}

// A daemon answers what the command answers from its store, without a call to AWS.
func TestADaemonServesItsStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		p := s.start("one")
		time.Sleep(10 * time.Minute)
		s.world.ResetCalls()
		code, body := statusAt(p.daemon, "")
		st, err := present.ReadStatus([]byte(body))
		if code != 200 || err != nil || st.Verdict != present.VerdictAllRight || st.Repository != "acme" || len(st.Environments) != 2 || st.Environments[0].Name != "dev" {
			t.Fatalf("%d, %v: %s", code, err, body)
		}
		if n := len(s.world.Calls()); n != 0 {
			t.Errorf("it made %d calls to AWS", n)
		}
		if code, body = statusAt(p.daemon, "?env=dev"); code != 200 || !strings.Contains(body, `"name":"dev"`) || strings.Contains(body, `"name":"prod"`) {
			t.Errorf("one environment: %d %s", code, body)
		}
		var no daemon.StatusError
		if code, body = statusAt(p.daemon, "?env=dev&env=prd"); code != 400 || json.Unmarshal([]byte(body), &no) != nil || strings.Join(no.Environments, " ") != "dev prod" {
			t.Errorf("an unknown environment: %d %s", code, body)
		}
		time.Sleep(10 * time.Second)
		s.storeDown.Store(true)
		no = daemon.StatusError{}
		if code, body = statusAt(p.daemon, ""); code != 503 || json.Unmarshal([]byte(body), &no) != nil || !strings.Contains(no.Error, "read the store") {
			t.Errorf("without a store: %d %s", code, body)
		}
		s.storeDown.Store(false)
		time.Sleep(10 * time.Second)
		if code, body = statusAt(p.daemon, ""); code != 200 {
			t.Errorf("once it is back: %d %s", code, body)
		}
		p.stop()
	})
}

// Whoever reaches the address can neither keep the store busy nor hold connections that
// health checks need.
func TestStatusIsReadOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		var lists atomic.Int64
		var hang atomic.Bool
		s.wrapStore = func(to store.Store) store.Store { return listCounter{to, &lists, &hang} }
		p := s.start("one")
		time.Sleep(10 * time.Minute)
		ask := func() (codes map[int]int, took time.Duration) {
			codes = map[int]int{}
			var mu sync.Mutex
			var all sync.WaitGroup
			began := time.Now()
			for range 50 {
				all.Go(func() {
					code, _ := statusAt(p.daemon, "")
					mu.Lock()
					defer mu.Unlock()
					codes[code]++
				})
			}
			all.Wait()
			return codes, time.Since(began)
		}
		before := lists.Load()
		statusAt(p.daemon, "")
		one := lists.Load() - before
		time.Sleep(6 * time.Second)
		before = lists.Load()
		if codes, _ := ask(); codes[200] != 50 || lists.Load()-before > one+5 { // the daemon's own
			t.Errorf("fifty at once: %v, %d lists where one takes %d", codes, lists.Load()-before, one)
		}
		time.Sleep(6 * time.Second)
		hang.Store(true)
		if codes, took := ask(); codes[503] != 50 || took > 9*time.Second {
			t.Errorf("while the store hangs: %v after %s", codes, took)
		}
		hang.Store(false)
		time.Sleep(30 * time.Minute) // what hung comes to its end
		p.stop()
	})
}

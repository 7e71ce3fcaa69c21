package daemon_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
)

// readiness is what /readyz and /healthz answer.
func readiness(p *process) (ready bool, reasons string, alive bool) {
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		p.daemon.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	r := ask("/readyz")
	return r.Code == http.StatusOK, r.Body.String(), ask("/healthz").Code == http.StatusOK
}

// failingGit is a Git server that cannot be reached while down says so.
func failingGit(down *atomic.Bool, err error) func(http.RoundTripper) http.RoundTripper {
	return func(to http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if down.Load() {
				return nil, err
			}
			return to.RoundTrip(r)
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestP5NotReadyWhileNothingIsRead starts over something that does not work, and
// breaks it later: readyz is red while nothing is read, says why and since when, is
// green again once it is mended, and healthz is green all the while.
func TestP5NotReadyWhileNothingIsRead(t *testing.T) {
	dns := errors.New("lookup git.test: no such host")
	for name, tt := range map[string]struct {
		// trouble begins what is wrong, and returns its end.
		trouble func(s *site, git *atomic.Bool) (end func())
		why     string
		// later is whether readyz is red in time when it begins later: Git has
		// fifteen minutes.
		later time.Duration
	}{
		"AWS answers 500 to everything": {func(s *site, _ *atomic.Bool) func() {
			s.world.OnCall(func(awssim.Call) awssim.Fault { return awssim.ServerError() })
			return func() { s.world.OnCall(nil) }
		}, "AWS was not read completely for dev", 5 * time.Minute},
		"AWS cannot be reached": {func(s *site, _ *atomic.Bool) func() {
			s.world.OnCall(func(awssim.Call) awssim.Fault { return awssim.Reset() })
			return func() { s.world.OnCall(nil) }
		}, "AWS was not read completely for dev", 5 * time.Minute},
		"AWS throttles everything": {func(s *site, _ *atomic.Bool) func() {
			s.world.OnCall(func(awssim.Call) awssim.Fault { return awssim.Throttle() })
			return func() { s.world.OnCall(nil) }
		}, "AWS was not read completely for dev", 5 * time.Minute},
		"one call answers 500": {func(s *site, _ *atomic.Bool) func() {
			s.world.OnCall(func(c awssim.Call) awssim.Fault {
				if c.Operation == "ListFunctions" {
					return awssim.ServerError()
				}
				return awssim.Fault{}
			})
			return func() { s.world.OnCall(nil) }
		}, "AWS was not read completely for dev", 5 * time.Minute},
		"AWS denies everything": {func(s *site, _ *atomic.Bool) func() {
			s.world.OnCall(awssim.Denied)
			return func() { s.world.OnCall(nil) }
		}, "nothing is read or changed for dev", 3 * time.Minute},
		"no DNS for Git": {func(_ *site, git *atomic.Bool) func() {
			git.Store(true)
			return func() { git.Store(false) }
		}, "no such host", 20 * time.Minute},
		"no environment is valid": {func(s *site, _ *atomic.Bool) func() {
			s.commit("Break all", map[string]string{"environments/dev.yaml": "accoun: 1\n", "environments/prod.yaml": "accoun: 1\n"})
			return func() {
				s.commit("Mend all", map[string]string{"environments/dev.yaml": envFile(accountID, "1.4.0", ""), "environments/prod.yaml": envFile(otherAccount, "1.4.0", "")})
			}
		}, "environments/dev.yaml:1:1", 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			for _, fromStart := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					s := newSite(t, 3)
					var git atomic.Bool
					s.wrapGit = failingGit(&git, dns)
					end := func() {}
					if fromStart {
						end = tt.trouble(s, &git)
					}
					p := s.start("one")
					defer p.stop()
					if !fromStart {
						time.Sleep(2 * time.Minute)
						if ready, body, _ := readiness(p); !ready {
							t.Fatalf("not ready before: %s", body)
						}
						end = tt.trouble(s, &git)
						time.Sleep(tt.later)
					}
					for range 30 {
						ready, body, alive := readiness(p)
						if ready || !alive {
							t.Fatalf("ready %v, alive %v %s after it began: %s", ready, alive, time.Since(p.began), body)
						}
						time.Sleep(6 * time.Second)
					}
					if _, body, _ := readiness(p); !strings.Contains(body, tt.why) || !strings.Contains(body, "since ") {
						t.Errorf("readyz does not say %q and since when: %s", tt.why, body)
					}
					end()
					time.Sleep(5 * time.Minute)
					if ready, body, _ := readiness(p); !ready {
						t.Errorf("not ready after it was mended: %s", body)
					}
				})
			}
		})
	}
}

// TestP5FirstLook: at no instant before the first whole look of every account is it
// ready, however fast or slow that is.
func TestP5FirstLook(t *testing.T) {
	for _, slow := range []time.Duration{0, 5 * time.Second, 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, 3)
			var looked atomic.Int32
			s.world.OnCall(func(c awssim.Call) awssim.Fault {
				if c.Operation == "ListFunctions" {
					looked.Add(1)
					return awssim.SlowAnswer(slow)
				}
				return awssim.Fault{}
			})
			p := s.start("one")
			defer p.stop()
			became := false
			for range 3000 {
				ready, body, _ := readiness(p)
				if ready && looked.Load() < 2 {
					t.Fatalf("ready after %d looks at two accounts: %s", looked.Load(), body)
				}
				became = became || ready
				time.Sleep(20 * time.Millisecond)
			}
			if !became {
				_, body, _ := readiness(p)
				t.Errorf("answers take %s: not ready after a minute: %s", slow, body)
			}
		})
	}
}

// TestP5WrongAccount: credentials of another account are a reason from the first
// round on.
func TestP5WrongAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		s.commit("One account", map[string]string{"environments/prod.yaml": envFile("333333333333", "1.4.0", "")})
		s.stranger = "333333333333"
		p := s.start("one")
		defer p.stop()
		for range 60 {
			if ready, body, alive := readiness(p); ready || !alive {
				t.Fatalf("ready %v, alive %v: %s", ready, alive, body)
			}
			time.Sleep(5 * time.Second)
		}
		if _, body, _ := readiness(p); !strings.Contains(body, "nothing is read or changed for prod") || !strings.Contains(body, "333333333333") || strings.Contains(body, "for dev") {
			t.Errorf("readyz: %s", body)
		}
	})
}

// TestP5LongWork: a rollout that takes longer than three intervals, and a look that
// does, are no reason.
func TestP5LongWork(t *testing.T) {
	for name, slow := range map[string]string{"a long rollout": "UpdateFunctionConfiguration", "a long look": "ListFunctions"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 40)
				s.interval = 10 * time.Second
				s.world.OnCall(func(c awssim.Call) awssim.Fault {
					if c.Operation == slow {
						return awssim.SlowAnswer(25 * time.Second)
					}
					return awssim.Fault{}
				})
				p := s.start("one")
				defer p.stop()
				time.Sleep(2 * time.Minute)
				s.commit("Raise", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "rollout: {max_parallel: 1}\n")})
				for range 120 {
					time.Sleep(5 * time.Second)
					if ready, body, _ := readiness(p); !ready {
						t.Fatalf("%s: %s", time.Since(p.began), body)
					}
				}
			})
		})
	}
}

// TestP5Standby: whoever stands by for a daemon that lives is ready, and nobody is
// while no daemon is known to have the account.
func TestP5Standby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		one := s.start("one")
		time.Sleep(2 * time.Minute)
		two := s.start("two")
		defer two.stop()
		time.Sleep(3 * time.Minute)
		for _, p := range []*process{one, two} {
			if ready, body, _ := readiness(p); !ready {
				t.Errorf("%s: %s", p.name, body)
			}
		}
		one.kill()
		<-one.done
		time.Sleep(5 * time.Minute)
		if ready, body, _ := readiness(two); !ready {
			t.Errorf("two: %s", body)
		}
	})
}

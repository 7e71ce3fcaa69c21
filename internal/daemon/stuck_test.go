package daemon_test

import (
	"context"
	"io/fs"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired/gitrepo"
)

// stuckSource returns a repository of whose commits of one subject one file
// cannot be read to its end, as a search in the reader that does not end would.
type stuckSource struct {
	daemon.Source
	subject, file string
	free          chan struct{}
}

func (s stuckSource) Pull(ctx context.Context, last string) (gitrepo.Commit, bool, error) {
	c, changed, err := s.Source.Pull(ctx, last)
	if c.Subject == s.subject {
		c.Files = stuckFiles{c.Files, s}
	}
	return c, changed, err
}

type stuckFiles struct {
	fs.FS
	in stuckSource
}

func (s stuckFiles) Open(name string) (fs.File, error) {
	// Only the reader is stuck, not who packs the files for the store.
	if name == s.in.file && strings.Contains(string(debug.Stack()), "internal/desired.") {
		<-s.in.free
	}
	return s.FS.Open(name)
}

// One environment, or what all share, cannot be read: health answers at each
// instant, the others go on, the one that hangs stays at its last good commit and
// people are told, reverting the commit is enough, and stopping takes no longer.
func TestReadingThatDoesNotEnd(t *testing.T) {
	for _, tt := range []struct {
		file       string
		dev, drift bool // dev follows the commit; drift is healed in prod
	}{
		{"environments/prod.yaml", true, true},
		{"environments/dev.yaml", false, true},
		{"layerd.yaml", false, true},
	} {
		t.Run(tt.file, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 3)
				s.commit("Without a window", map[string]string{"environments/prod.yaml": envFile(otherAccount, "1.4.0", "")})
				free := make(chan struct{})
				var d *daemon.Daemon
				stop := s.startOddly(func(o *daemon.Options) { o.Source = stuckSource{o.Source, "Stuck", tt.file, free} }, &d)
				time.Sleep(3 * time.Minute)
				s.commit("Stuck", map[string]string{
					"environments/dev.yaml":  envFile(accountID, "1.5.0", ""),
					"environments/prod.yaml": envFile(otherAccount, "1.4.0", "# stuck\n"),
				})
				for range 300 {
					time.Sleep(time.Second)
					w := httptest.NewRecorder()
					began := time.Now()
					d.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
					if w.Code != 200 || time.Since(began) > time.Second {
						t.Fatalf("healthz: %d after %s: %s", w.Code, time.Since(began), w.Body)
					}
				}
				if n := s.has(accountID, 5); (n == 3) != tt.dev {
					t.Errorf("dev: %d of 3 have 5", n)
				}
				s.meddle(otherAccount, "makoto-01", 3)
				time.Sleep(5 * time.Minute)
				if n := s.has(otherAccount, 3); (n == 0) != tt.drift {
					t.Errorf("prod: drift was healed: %v", n == 0)
				}
				if told := s.slack.titles(); !strings.Contains(told, "is not followed") {
					t.Errorf("nobody was told:\n%s", told)
				}
				s.commit("Revert", map[string]string{"environments/prod.yaml": envFile(otherAccount, "1.5.0", "")})
				time.Sleep(5 * time.Minute)
				if n := s.has(otherAccount, 5); n != 3 {
					t.Errorf("prod: %d of 3 have 5", n)
				}
				began := time.Now()
				stop()
				if took := time.Since(began); took > 25*time.Second {
					t.Errorf("stopping took %s", took)
				}
				close(free)
			})
		})
	}
}

// The first commit that a daemon ever sees cannot be read, and it is told to stop
// at once, while that is tried, and after it was given up.
func TestItStopsWhileReadingDoesNotEnd(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Second, 5 * time.Second, 11 * time.Second, time.Minute} {
		for _, file := range []string{"environments/prod.yaml", "layerd.yaml"} {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 3)
				s.commit("Stuck", map[string]string{"environments/prod.yaml": envFile(otherAccount, "1.5.0", "")})
				free := make(chan struct{})
				var d *daemon.Daemon
				stop := s.startOddly(func(o *daemon.Options) { o.Source = stuckSource{o.Source, "Stuck", file, free} }, &d)
				time.Sleep(wait)
				if h := d.Health(); !h.Alive {
					t.Errorf("not alive after %s: %v", wait, h.Reasons)
				}
				began := time.Now()
				stop()
				if took := time.Since(began); took > 25*time.Second {
					t.Errorf("stopping after %s took %s", wait, took)
				}
				close(free)
			})
		}
	}
}

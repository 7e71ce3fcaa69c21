package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/layerd/layerd/internal/store/dynamostore"
	"github.com/layerd/layerd/internal/store/dynamostore/dynamotest"
)

// stores are those that outlive a process, by name.
func (r *runs) stores() map[string]string {
	r.t.Helper()
	db := dynamotest.New()
	server := httptest.NewServer(db)
	r.t.Cleanup(server.Close)
	if _, err := dynamostore.Init(r.t.Context(), db.Config(), "layerd"); err != nil {
		r.t.Fatal(err)
	}
	r.env = append(r.env, "AWS_ENDPOINT_URL_DYNAMODB="+server.URL)
	return map[string]string{"SQLite": "sqlite:" + filepath.Join(r.t.TempDir(), "layerd.db"), "DynamoDB": "dynamodb:layerd"}
}

// TestP9KilledAndStartedAgain: a daemon that was killed without a word is followed
// at once by one on the same host, whether somebody waits for what is left of the
// process or not.
func TestP9KilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	for name, store := range r.stores() {
		t.Run(name, func(t *testing.T) {
			r.configure(store, "")
			before := r.start("--config", r.config)
			before.err.wait(t, `"msg":"lease taken".*"fencing":1\b`)
			for _, waited := range []bool{false, true} {
				if err := before.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				if waited {
					_ = before.Wait()
				} else if err := unix.Waitid(unix.P_PID, before.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
					t.Fatal(err)
				}
				next := r.start("--config", r.config)
				next.err.wait(t, `"msg":"lease taken"`)
				// A term would show as two looks at the holder's decisions.
				if text := next.err.String(); !strings.Contains(text, `"msg":"standing by"`) || strings.Contains(text, "store does not work") {
					t.Errorf("the log of the one that follows:\n%s", text)
				}
				before = next
			}
			r.becomes(before, http.StatusOK, `"holding":true`)
			r.stops(before, syscall.SIGTERM)
		})
	}
}

// TestP8TwoReloads: a SIGHUP that comes while the daemon of the one before takes
// its lease makes nobody wait.
func TestP8TwoReloads(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	for name, store := range r.stores() {
		t.Run(name, func(t *testing.T) {
			r.configure(store, "")
			p := r.start("--config", r.config)
			p.err.wait(t, `"msg":"lease taken"`)
			const reloads = 6
			for range reloads {
				n := strings.Count(p.err.String(), `"msg":"configuration taken in"`)
				if err := p.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
				// As early as can be after the reload, which takes the lease anew.
				p.err.wait(t, `(?s)`+strings.Repeat(`"msg":"configuration taken in".*`, n+1))
			}
			r.becomes(p, http.StatusOK, `"holding":true`)
			r.stops(p, syscall.SIGTERM)
			if text := p.err.String(); strings.Contains(text, "standing by") || strings.Contains(text, "lease lost") {
				t.Errorf("the log:\n%s", text)
			}
		})
	}
}

// TestP6FewDescriptors: with 128 descriptors and 500 half-sent requests the daemon
// has what it needs for Git, AWS and the store, and answers health checks.
func TestP6FewDescriptors(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	r.configure("sqlite:"+filepath.Join(t.TempDir(), "layerd.db"), "")
	p := r.start("--config", r.config)
	r.becomes(p, http.StatusOK, `"ready":true`)
	few := unix.Rlimit{Cur: 128, Max: 128}
	if err := unix.Prlimit(p.Process.Pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		halfSent(t, r.listen)
	}
	open, err := os.ReadDir("/proc/" + pidOf(p) + "/fd")
	if err != nil || len(open) > 100 {
		t.Errorf("%d descriptors are open, %v", len(open), err)
	}
	seen := strings.Count(p.err.String(), `"msg":"round"`)
	p.err.wait(t, `(?s)`+strings.Repeat(`"msg":"round".*`, seen+2)) // both loops go on
	r.becomes(p, http.StatusOK, `"ready":true`)
	r.stops(p, syscall.SIGTERM)
	if text := p.err.String(); strings.Contains(text, "too many open files") || strings.Contains(text, `"level":"ERROR"`) {
		t.Errorf("the log:\n%s", text)
	}
}

// halfSent begins a request that is never finished, until the test ends.
func halfSent(t *testing.T, address string) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: "); err != nil {
		t.Fatal(err)
	}
}

func pidOf(p *process) string { return strconv.Itoa(p.Process.Pid) }

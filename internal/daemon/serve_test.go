package daemon

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// served is a server at a port of loopback.
type served struct {
	*Server
	address string
}

func serveHere(t *testing.T, handler http.Handler) served {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := served{NewServer(handler, slog.New(slog.DiscardHandler)), l.Addr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	}()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return s
}

func (s served) dial(t *testing.T, send string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, send); err != nil {
		t.Fatal(err)
	}
	return c
}

// get asks for a path over a connection of its own.
func (s served) get(t *testing.T, path string) (int, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

func (s served) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// TestP6HalfSentRequests: whatever thousands of clients begin and do not finish, no
// more connections are open than there may be, and a health check is answered.
func TestP6HalfSentRequests(t *testing.T) {
	for name, send := range map[string]string{
		"nothing":              "",
		"half a method":        "GE",
		"half a line":          "GET /heal",
		"half the headers":     "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: 1",
		"a body that is late":  "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
		"chunks without end":   "POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
		"a whole one, kept":    "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"one and a half":       "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea",
		"TLS to a plain port":  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"a proxy's connection": "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex // guards most
			most := 0
			var s served
			s = serveHere(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n := s.count()
				mu.Lock()
				most = max(most, n)
				mu.Unlock()
				w.WriteHeader(http.StatusOK)
			}))
			for i := range 4 * maxConnections {
				s.dial(t, send)
				if i%maxConnections != 0 {
					continue
				}
				if code, err := s.get(t, "/healthz"); code != http.StatusOK {
					t.Fatalf("behind %d of them: %d, %v", i+1, code, err)
				}
			}
			for range 5 {
				if code, err := s.get(t, "/healthz"); code != http.StatusOK {
					t.Fatalf("behind all: %d, %v", code, err)
				}
			}
			mu.Lock() // one that waited may come in still
			defer mu.Unlock()
			if n := s.count(); n > maxConnections || most > maxConnections {
				t.Errorf("%d connections are open, %d were", n, most)
			}
		})
	}
}

// TestP6ARequestInHandIsNotCutOff: those whose answer is under way do not make room;
// who comes then waits for one of them.
func TestP6ARequestInHandIsNotCutOff(t *testing.T) {
	began, free := make(chan struct{}, maxConnections+1), make(chan struct{})
	s := serveHere(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		began <- struct{}{}
		<-free
		w.WriteHeader(http.StatusOK)
	}))
	var wg sync.WaitGroup
	for range maxConnections {
		wg.Go(func() {
			if code, err := s.get(t, "/"); code != http.StatusOK {
				t.Errorf("cut off: %d, %v", code, err)
			}
		})
		<-began
	}
	wg.Go(func() {
		if code, err := s.get(t, "/"); code != http.StatusOK {
			t.Errorf("one more: %d, %v", code, err)
		}
	})
	if n := s.count(); n != maxConnections {
		t.Errorf("%d connections, want %d", n, maxConnections)
	}
	close(free)
	wg.Wait()
}

// TestP6Limits: each time and each size has a limit.
func TestP6Limits(t *testing.T) {
	s := NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	for _, tt := range []struct {
		what string
		got  time.Duration
		most time.Duration
	}{
		{"headers", s.ReadHeaderTimeout, 5 * time.Second},
		{"a request", s.ReadTimeout, 10 * time.Second},
		{"an answer", s.WriteTimeout, 10 * time.Second},
		{"a connection that waits", s.IdleTimeout, 30 * time.Second},
	} {
		if tt.got <= 0 || tt.got > tt.most {
			t.Errorf("%s may take %s, at most %s", tt.what, tt.got, tt.most)
		}
	}
	if s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 8<<10 || maxConnections > 64 || maxRequestBytes > 64<<10 {
		t.Errorf("headers of %d bytes, bodies of %d, %d connections", s.MaxHeaderBytes, maxRequestBytes, maxConnections)
	}
}

// TestP6Sizes: what is larger than it may be is refused.
func TestP6Sizes(t *testing.T) {
	s := serveHere(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		}
	}))
	for _, tt := range []struct {
		send, want string
	}{
		{"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 32<<10) + "\r\n\r\n", "431"},
		{fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", maxRequestBytes+1, strings.Repeat("a", maxRequestBytes+1)), "413"},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200"},
	} {
		c := s.dial(t, tt.send)
		answer := make([]byte, 12)
		if _, err := io.ReadFull(c, answer); err != nil || !strings.HasSuffix(string(answer), tt.want) {
			t.Errorf("%.40q: %q, %v, want %s", tt.send, answer, err, tt.want)
		}
	}
}

package daemon

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// What may be asked of http.listen at once. Whoever reaches it must not take the
// descriptors or the memory from Git, AWS and the store, whatever they send or do
// not send.
const (
	maxConnections  = 64
	maxHeaderBytes  = 8 << 10
	maxRequestBytes = 64 << 10
	headerTimeout   = 5 * time.Second
	requestTimeout  = 10 * time.Second
	answerTimeout   = 10 * time.Second
	idleTimeout     = 30 * time.Second
)

// Server serves a handler to a bounded number of connections. Where there are as
// many, the oldest that waits for its client makes room: half a request must not
// keep out a health check, which a container is restarted for.
type Server struct {
	*http.Server

	mu   sync.Mutex    // guards the rest
	open []*connection // oldest first
}

// connection is one that is open.
type connection struct {
	net.Conn
	serving bool // a whole request was read, and its answer is under way
}

// NewServer returns a server, which writes its own troubles to log.
func NewServer(handler http.Handler, log *slog.Logger) *Server {
	s := &Server{}
	s.Server = &http.Server{
		Handler:           http.MaxBytesHandler(s.mark(handler), maxRequestBytes),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ConnContext: s.admit, ConnState: s.left,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return s
}

// Serve serves until Close.
func (s *Server) Serve(l net.Listener) error {
	return s.Server.Serve(netutil.LimitListener(l, maxConnections))
}

type connectionKey struct{}

// admit notes a connection and sees to it that there is room for the next.
func (s *Server) admit(ctx context.Context, c net.Conn) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &connection{Conn: c}
	s.open = append(s.open, n)
	if len(s.open) >= maxConnections {
		for i, old := range s.open[:len(s.open)-1] {
			if !old.serving {
				s.open = append(s.open[:i], s.open[i+1:]...)
				_ = old.Close() // its client learns it
				break
			}
		}
	}
	return context.WithValue(ctx, connectionKey{}, n)
}

// left forgets a connection that is over.
func (s *Server) left(c net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range s.open {
		if n.Conn == c {
			s.open = append(s.open[:i], s.open[i+1:]...)
			return
		}
	}
}

// mark notes which connections are being answered.
func (s *Server) mark(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
			s.serving(c, true)
			defer s.serving(c, false)
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) serving(c *connection, yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.serving = yes
}

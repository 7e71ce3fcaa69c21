package gitrepo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

var errTooMuch = errors.New("more bytes than the limit allows")

// budget is how many bytes may still be received. The reader that exceeds it
// gets an error, and blown keeps the fact where wrapping may have lost it.
type budget struct {
	left  atomic.Int64
	blown atomic.Bool
}

func (b *budget) reset(bytes int64) { b.left.Store(bytes) }

func (b *budget) spend(n int, err error) (int, error) {
	if b.left.Add(-int64(n)) < 0 {
		b.blown.Store(true)
		return 0, errTooMuch
	}
	return n, err
}

// newTransport is Go's default but for the oldest TLS version it speaks.
// Proxies come from the environment as usual; so do extra authorities
// (SSL_CERT_FILE, SSL_CERT_DIR).
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	t.MaxResponseHeaderBytes = 1 << 20
	return t
}

// meter counts what HTTP receives and notes the last status, which go-git
// turns into texts.
type meter struct{ op *operation }

func (m meter) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := m.op.transport.RoundTrip(req)
	m.op.status, m.op.wireErr = 0, err
	if err != nil {
		return nil, err
	}
	m.op.status = res.StatusCode
	res.Body = meteredBody{res.Body, m.op}
	return res, nil
}

type meteredBody struct {
	io.ReadCloser
	op *operation
}

func (b meteredBody) Read(p []byte) (int, error) {
	n, err := b.op.budget.spend(b.ReadCloser.Read(p))
	if err != nil && err != io.EOF {
		b.op.wireErr = err
	}
	return n, err
}

// meteredConn counts what SSH receives.
type meteredConn struct {
	net.Conn
	budget *budget
}

func (c meteredConn) Read(p []byte) (int, error) { return c.budget.spend(c.Conn.Read(p)) }

// explain turns whatever came from below into an Error with a kind.
func (op *operation) explain(ctx context.Context, err error) error {
	var known *Error
	switch {
	case errors.As(err, &known):
		return known
	case op.budget.blown.Load():
		return op.fail(KindTooLarge, "more than %s came; %s", size(op.max), op.raiseLimit())
	case ctx.Err() != nil:
		return ended(ctx, op.Repo, op.verb)
	case op.hostErr != nil:
		return op.hostErr
	case op.status >= 400:
		return op.explainStatus(err)
	}
	if op.wireErr != nil {
		err = op.wireErr
	}
	text := err.Error()
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &certificate):
		return op.fail(KindHostKey, "the server's certificate is not trusted: %s", text)
	case strings.Contains(text, "no common algorithm for host key"):
		return op.fail(KindHostKey, "the server has no host key of a type that known_hosts lists: %s", text)
	case errors.Is(err, errDenied):
		return op.fail(KindAuth, "the SSH key may not read this repository: %s", text)
	case strings.Contains(text, "unable to authenticate"):
		return op.fail(KindAuth, "the server does not accept the SSH key: %s", text)
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return op.fail(KindNotARepository, "there is no such repository, or these credentials may not see it")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.As(err, &network), op.wireErr != nil:
		return op.fail(KindUnreachable, "the connection failed: %s", text)
	}
	if op.spoken {
		// Also what a branch that was moved under our feet looks like.
		return op.fail(KindUnreachable, "the answer broke off: %s", text)
	}
	return op.fail(KindNotARepository, "what answers does not speak Git: %s", text)
}

// explainStatus sorts HTTP's refusals. Hosts hide private repositories behind
// 404, so that says nothing about whether the credentials are right.
func (op *operation) explainStatus(err error) *Error {
	text := op.secrets.clean(err.Error())
	switch s := op.status; {
	case s == http.StatusUnauthorized && len(op.secrets) == 0:
		return op.fail(KindAuth, "the server wants credentials (401) and none are configured: %s", text)
	case s == http.StatusUnauthorized:
		return op.fail(KindAuth, "the server does not accept the credentials (401): %s", text)
	case s == http.StatusForbidden:
		return op.fail(KindAuth, "the credentials are not allowed to read this repository (403): %s", text)
	case s == http.StatusNotFound:
		return op.fail(KindNotARepository, "there is no such repository, or these credentials may not see it (404)")
	case s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s >= 500:
		return op.fail(KindUnreachable, "the server answered %d %s", s, http.StatusText(s))
	default:
		return op.fail(KindNotARepository, "the server answered %d %s where a repository should be: %s", s, http.StatusText(s), text)
	}
}

// raiseLimit returns what helps when a repository is larger than the limit.
func (op *operation) raiseLimit() string {
	help := "keep large files out of this repository, or raise the limit: git.max_bytes in the daemon's file, --git-max-bytes for a command"
	if op.unfiltered {
		return "this server does not leave out the files that layerd does not read, so " + help
	}
	return help
}

// size writes a limit the way it is configured.
func size(bytes int64) string {
	if bytes >= 1<<20 && bytes%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

package gitrepo

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// Defaults of Options.
const (
	DefaultBranch   = "main"
	DefaultTimeout  = 60 * time.Second
	DefaultMaxBytes = 64 << 20
)

// Options names the branch to follow and how to reach it.
type Options struct {
	// URL is https://…, http://…, ssh://…, user@host:path, or the path or
	// file:// URL of a repository on this machine, bare or not. A user and
	// password in an https:// URL are used like Auth.User and Auth.Token.
	URL string
	// Branch to follow; empty means DefaultBranch.
	Branch string
	// Path is the folder of the repository that holds the desired state,
	// slash-separated; empty means its root.
	Path string
	Auth Auth
	// Timeout bounds every call as a whole; zero means DefaultTimeout.
	Timeout time.Duration
	// MaxBytes bounds what is received and what it unpacks to, in bytes; zero
	// means DefaultMaxBytes. It counts the whole tree, not only Path.
	MaxBytes int64
	// HTTP makes the requests; nil means Go's own transport, with TLS 1.2 and
	// the proxies of the environment.
	HTTP http.RoundTripper
}

// Auth are the credentials. What the URL's scheme does not need is ignored.
type Auth struct {
	// Token is sent over HTTPS as a password, and asked for before every call,
	// so that it may be one that lives for an hour. nil means none.
	Token func(context.Context) (string, error)
	// User goes with Token. Empty means the URL's, else "x-access-token", which
	// GitHub and GitLab take.
	User string

	// SSHKey is a private key in PEM or OpenSSH form; SSHKeyFile names a file
	// with one and is read before every call. With neither, the agent at
	// SSH_AUTH_SOCK is asked.
	SSHKey     []byte
	SSHKeyFile string
	Passphrase string
	// KnownHosts names a file in OpenSSH's known_hosts form. Empty means those
	// of the user and of the machine. There is no way to accept any host.
	KnownHosts string
}

// StaticToken is an Auth.Token that never changes; spaces and line ends around
// it are dropped, as files tend to end in one. An empty one means no token.
func StaticToken(token string) func(context.Context) (string, error) {
	token = strings.TrimSpace(token)
	if token == "" {
		return nil
	}
	return func(context.Context) (string, error) { return token, nil }
}

// New checks the options and does nothing else: no network, no disk.
func New(o Options) (*Repo, error) {
	ep, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	r := &Repo{endpoint: ep, name: display(ep), auth: o.Auth, timeout: o.Timeout, max: o.MaxBytes}
	invalid := func(format string, args ...any) (*Repo, error) {
		return nil, &Error{Op: "open", Repo: r.name, Kind: KindInvalid, Message: fmt.Sprintf(format, args...)}
	}
	if r.timeout == 0 {
		r.timeout = DefaultTimeout
	}
	if r.max == 0 {
		r.max = DefaultMaxBytes
	}
	if r.timeout < 0 || r.max < 0 {
		return invalid("timeout and size limit must not be negative")
	}
	branch := strings.TrimPrefix(o.Branch, "refs/heads/")
	if branch == "" {
		branch = DefaultBranch
	}
	r.branch = plumbing.NewBranchReferenceName(branch)
	if strings.HasPrefix(o.Branch, "refs/") && !strings.HasPrefix(o.Branch, "refs/heads/") || r.branch.Validate() != nil {
		return invalid("%q is no name of a branch", o.Branch)
	}
	r.path = path.Clean(strings.TrimSuffix(o.Path, "/"))
	if !fs.ValidPath(r.path) {
		return invalid("path %q is no folder inside the repository", o.Path)
	}
	if ep.Protocol == "http" && (o.Auth.Token != nil || ep.User != "") && !isLoopback(ep.Host) {
		return invalid("a token is not sent over plain http to another machine; use https")
	}
	if r.transport = o.HTTP; o.HTTP == nil {
		r.transport = newTransport()
	}
	return r, nil
}

// parseURL reads a URL or path. Its errors repeat nothing of the input but the
// scheme, because the rest may hold a password.
func parseURL(raw string) (*transport.Endpoint, error) {
	invalid := func(message string) (*transport.Endpoint, error) {
		return nil, &Error{Op: "open", Repo: "repository", Kind: KindInvalid, Message: message}
	}
	if strings.TrimSpace(raw) == "" {
		return invalid("no URL or path given")
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return invalid("the URL contains a control character")
	}
	ep, err := transport.NewEndpoint(raw)
	if err != nil {
		return invalid("the URL cannot be read")
	}
	switch ep.Protocol {
	case "file":
		if ep.Host != "" && ep.Host != "localhost" {
			return invalid("a file:// URL needs three slashes and an absolute path")
		}
		ep.Path = filepath.Clean(ep.Path)
		return ep, nil
	case "http", "https", "ssh":
	default:
		return invalid(fmt.Sprintf("scheme %q is not supported: use https, ssh or a path", ep.Protocol))
	}
	if ep.Host == "" || strings.Trim(ep.Path, "/") == "" {
		return invalid("the URL names no host or no repository")
	}
	if strings.ContainsAny(ep.Path, "?#") {
		return invalid("a repository's URL has no query and no fragment")
	}
	if strings.HasPrefix(ep.Path, "-") || strings.HasPrefix(ep.Host, "-") {
		return invalid("host and path must not start with a dash")
	}
	if ep.Protocol == "ssh" && ep.Password != "" {
		return invalid("a password does not belong in an ssh URL; use a key")
	}
	return ep, nil
}

// display is the endpoint without its credentials.
func display(ep *transport.Endpoint) string {
	if ep.Protocol == "file" {
		return ep.Path
	}
	shown := *ep
	shown.Password = ""
	if shown.Protocol != "ssh" {
		shown.User = "" // may be a token
	}
	return shown.String()
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

// hostPort is the address to dial, with the default port where none is named.
func hostPort(ep *transport.Endpoint, port int) string {
	if ep.Port != 0 {
		port = ep.Port
	}
	return net.JoinHostPort(strings.Trim(ep.Host, "[]"), fmt.Sprint(port))
}

package gitrepo

import (
	"cmp"
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
	// Read are patterns, as path.Match has them, of the files below Path that
	// will be read; nil means all. What lies elsewhere is listed at most, and
	// fetched only from a server that cannot leave it out.
	Read []string
	Auth Auth
	// Timeout bounds every call as a whole; zero means DefaultTimeout.
	Timeout time.Duration
	// MaxBytes bounds what is received and what it unpacks to, in bytes; zero
	// means DefaultMaxBytes. Of a server that cannot leave out what is not read it
	// counts the whole tree.
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
	r := &Repo{endpoint: ep, name: display(ep), read: o.Read, auth: o.Auth, timeout: o.Timeout, max: o.MaxBytes}
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
	for _, pattern := range o.Read {
		if _, err := path.Match(pattern, ""); err != nil || !fs.ValidPath(pattern) {
			return invalid("%q is no pattern for files in the repository", pattern)
		}
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
	if helper := helperOf(raw); helper != "" {
		message := fmt.Sprintf("this is a form for git-remote-%s, a program that layerd does not run: use https, ssh or a path", helper)
		if helper == "codecommit" {
			to := cmp.Or(codecommitURL(raw), "https://git-codecommit.REGION.amazonaws.com/v1/repos/REPOSITORY")
			message = fmt.Sprintf("this is a form for git-remote-codecommit, a program that layerd does not run; use %s with the Git credentials of an IAM user", to)
		}
		return invalid(message)
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

// helperOf returns which program git would run for an address, as in ext::…; ""
// when it reads it itself.
func helperOf(raw string) string {
	if strings.HasPrefix(raw, "codecommit://") {
		return "codecommit"
	}
	name, _, ok := strings.Cut(raw, "::")
	if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isKeyRune(r) && r != '+' }) {
		return ""
	}
	return name
}

// codecommitURL returns the https form of an address for git-remote-codecommit,
// codecommit::REGION://[PROFILE@]REPOSITORY; "" for any other. Without a Region it
// names a placeholder.
func codecommitURL(raw string) string {
	rest, ok := strings.CutPrefix(raw, "codecommit:")
	if !ok {
		return ""
	}
	region, name, found := strings.Cut(strings.TrimPrefix(rest, ":"), "://")
	if !found { // codecommit://x
		region, name = "", strings.TrimPrefix(rest, "//")
	}
	if _, after, profiled := strings.Cut(name, "@"); profiled {
		name = after
	}
	domain := "amazonaws.com"
	switch {
	case region == "":
		region = "REGION"
	case strings.HasPrefix(region, "cn-"):
		domain += ".cn"
	}
	name = strings.Trim(name, "/")
	if name == "" || strings.ContainsFunc(region+name, func(r rune) bool { return !isKeyRune(r) && r != '.' && r != '_' }) {
		return ""
	}
	return "https://git-codecommit." + region + "." + domain + "/v1/repos/" + name
}

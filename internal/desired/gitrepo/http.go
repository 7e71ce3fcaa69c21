package gitrepo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// login returns the user and password for HTTP; both empty means none.
func (op *operation) login(ctx context.Context) (user, password string, err error) {
	user, password = op.endpoint.User, op.endpoint.Password
	if password == "" {
		// A user alone is how some hosts take a token: https://TOKEN@host/…
		op.secrets.add("", user)
	}
	op.secrets.add(user, password)
	if op.auth.Token == nil {
		return user, password, nil
	}
	token, err := op.auth.Token(ctx)
	token = strings.TrimSpace(token)
	if op.auth.User != "" {
		user = op.auth.User
	}
	if user == "" {
		user = "x-access-token"
	}
	op.secrets.add(user, token)
	var network net.Error
	switch {
	case errors.As(err, &network):
		return "", "", op.fail(KindUnreachable, "read the token: %v", err)
	case err != nil:
		return "", "", op.fail(KindAuth, "read the token: %v", err)
	case token == "":
		return "", "", op.fail(KindAuth, "the token is empty")
	}
	return user, token, nil
}

// maxRedirects is how often the first request may be sent elsewhere.
const maxRedirects = 10

// httpTalk asks one question with each request.
type httpTalk struct {
	op             *operation
	base           string // of the repository, without credentials
	user, password string
	mediaType      string // of the greeting
}

func (op *operation) connectHTTP(ctx context.Context) (talk, error) {
	user, password, err := op.login(ctx)
	if err != nil {
		return nil, err
	}
	ep := *op.endpoint
	ep.User, ep.Password = "", ""
	return &httpTalk{op: op, base: strings.TrimSuffix(ep.String(), "/"), user: user, password: password}, nil
}

func (t *httpTalk) Close() error { return nil }

// complaint says what answered instead of git-upload-pack.
func (t *httpTalk) complaint(err error) error {
	switch {
	case !errors.Is(err, errNotGit):
		return err
	case t.mediaType == "text/plain":
		return fmt.Errorf("%w: it serves the files of a repository (Git's dumb protocol); layerd needs git-http-backend, or a host that speaks the smart one", err)
	}
	return fmt.Errorf("%w in an answer of type %q", err, t.mediaType)
}

const refsPath = "/info/refs"

// greet follows redirects, as a repository that has moved wants it, and asks the new
// place from then on. The credentials stay behind when it is another host's.
func (t *httpTalk) greet(ctx context.Context) (io.ReadCloser, error) {
	res, err := t.do(ctx, http.MethodGet, t.base+refsPath+"?service=git-upload-pack", nil, true, func(req *http.Request, via []*http.Request) error {
		from := via[0].URL
		switch {
		case len(via) > maxRedirects:
			return errors.New("it is redirected without end")
		case from.Scheme == "https" && req.URL.Scheme != "https":
			return errors.New("it is redirected from https to " + req.URL.Scheme)
		case from.Scheme != req.URL.Scheme || from.Host != req.URL.Host:
			t.user, t.password = "", ""
		}
		if t.user == "" {
			req.Header.Del("Authorization")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Text may begin with four digits by chance, and a list of files does.
	if t.mediaType, _, _ = mime.ParseMediaType(res.Header.Get("Content-Type")); strings.HasPrefix(t.mediaType, "text/") {
		_ = res.Body.Close()
		return nil, errNotGit
	}
	at := *res.Request.URL
	path, ok := strings.CutSuffix(at.Path, refsPath)
	if !ok {
		_ = res.Body.Close()
		return nil, fmt.Errorf("it is redirected to %s://%s%s", at.Scheme, at.Host, at.Path)
	}
	at.Path, at.RawPath, at.RawQuery = path, "", ""
	t.base = at.String()
	return res.Body, nil
}

// ask follows no redirect: it would lose the question.
func (t *httpTalk) ask(ctx context.Context, body []byte, v2 bool) (io.ReadCloser, error) {
	res, err := t.do(ctx, http.MethodPost, t.base+"/git-upload-pack", body, v2, stay)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// do sends one request and returns an answer of status 200.
func (t *httpTalk) do(ctx context.Context, method, url string, body []byte, v2 bool, redirect func(*http.Request, []*http.Request) error) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if v2 {
		req.Header.Set("Git-Protocol", "version=2")
	}
	req.Header.Set("User-Agent", "git/layerd")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-git-upload-pack-request")
		req.Header.Set("Accept", "application/x-git-upload-pack-result")
	}
	if t.user != "" {
		req.SetBasicAuth(t.user, t.password)
	}
	res, err := (&http.Client{Transport: meter{t.op}, CheckRedirect: redirect}).Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 4*messageLimit))
	return nil, errors.New(cmp.Or(strings.TrimSpace(string(text)), http.StatusText(res.StatusCode)))
}

// glance is the cheap look: one request in protocol 2 for one branch, answered by
// one line. (Protocol 0 always lists all refs: 1.3 MB for 20,000 of them.) false
// means that the server gave no such answer, for whatever reason: then the long way
// has to find out, and to word the error.
func (op *operation) glance(ctx context.Context) (plumbing.Hash, bool, error) {
	if op.noV2.Load() {
		return plumbing.ZeroHash, false, nil
	}
	t, err := op.connectHTTP(ctx)
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	body, err := t.ask(ctx, lsRefs(op.branch.String()), true)
	if op.wireErr != nil {
		return plumbing.ZeroHash, false, err
	}
	if err != nil {
		op.v2Refused = op.status < 500 && op.status != http.StatusTooManyRequests
		return plumbing.ZeroHash, false, nil
	}
	defer body.Close()
	op.v2Refused = true
	refs, err := readRefs(body)
	hash, ok := refs[op.branch.String()]
	return hash, ok && err == nil, nil
}

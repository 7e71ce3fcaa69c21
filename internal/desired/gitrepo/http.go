package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
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

// connectHTTP makes go-git's session, on a client of ours: nothing global is
// changed. go-git follows redirects of the first request only, and drops the
// credentials when one leads to another host.
func (op *operation) connectHTTP(ctx context.Context) (session, error) {
	user, password, err := op.login(ctx)
	if err != nil {
		return nil, err
	}
	ep := *op.endpoint // go-git writes the target of a redirect into it
	ep.User, ep.Password = "", ""
	var auth transport.AuthMethod
	if user != "" {
		auth = &githttp.BasicAuth{Username: user, Password: password}
	}
	return githttp.NewClient(&http.Client{Transport: meter{op}}).NewUploadPackSession(&ep, auth)
}

// lsRefs is the cheap look: one request in protocol 2 for one branch, answered
// by one line. (Protocol 0 always lists all refs: 1.3 MB for 20,000 of them.)
// false means that the server gave no such answer, for whatever reason: then
// the long way has to find out, and to word the error.
func (op *operation) lsRefs(ctx context.Context) (plumbing.Hash, bool, error) {
	if op.noV2.Load() {
		return plumbing.ZeroHash, false, nil
	}
	user, password, err := op.login(ctx)
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	ep := *op.endpoint
	ep.User, ep.Password = "", ""
	where := strings.TrimSuffix(ep.String(), "/") + "/git-upload-pack"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, where, lsRefsBody(op.branch))
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	req.Header.Set("Git-Protocol", "version=2")
	req.Header.Set("Content-Type", "application/x-git-upload-pack-request")
	req.Header.Set("Accept", "application/x-git-upload-pack-result")
	req.Header.Set("User-Agent", "git/layerd")
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	// A redirect is left to the long way, which guards the credentials.
	client := &http.Client{Transport: meter{op}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := client.Do(req)
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		op.v2Refused = res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests
		return plumbing.ZeroHash, false, nil
	}
	op.v2Refused = true
	hash, ok := findRef(res.Body, op.branch)
	return hash, ok, nil
}

func lsRefsBody(branch plumbing.ReferenceName) io.Reader {
	var body bytes.Buffer
	e := pktline.NewEncoder(&body) // writes to memory: no error can come
	_ = e.EncodeString("command=ls-refs\n", "agent=layerd\n")
	body.WriteString("0001") // the delimiter between capabilities and arguments
	_ = e.EncodeString("ref-prefix " + branch.String() + "\n")
	_ = e.Flush()
	return &body
}

// findRef looks for the branch among "<hash> <name>[ attributes]" lines: the
// prefix that was asked for also matches longer names.
func findRef(r io.Reader, branch plumbing.ReferenceName) (plumbing.Hash, bool) {
	lines := pktline.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(string(lines.Bytes()))
		if len(fields) >= 2 && fields[1] == branch.String() && plumbing.IsHash(fields[0]) {
			return plumbing.NewHash(fields[0]), true
		}
	}
	return plumbing.ZeroHash, false
}

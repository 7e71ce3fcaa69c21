package mototest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Transport sends what is meant for AWS to moto at endpoint, and mends on the way what
// moto 5.2.1 is too wrong about to be used at all:
//
//   - it looks and writes in two steps and on threads, so that two callers both win a
//     condition: the calls of one Transport go one at a time;
//   - it has no versions for a layer that is named by its ARN, and takes
//     GetLayerVersionByArn for ListLayers: both are asked by the layer's name.
//
// A call opens a connection of its own, so that nothing waits on a socket between two
// calls: in a synctest bubble time goes on then.
func Transport(endpoint string) http.RoundTripper {
	target, err := url.Parse(endpoint)
	if err != nil {
		panic(err) // Start returned it
	}
	return &transport{target: target, to: &http.Transport{DisableKeepAlives: true}}
}

type transport struct {
	target *url.URL
	to     http.RoundTripper
	mu     sync.Mutex // held for as long as moto has a call
}

// RoundTrip reads the whole answer: it is there when moto is done.
func (m *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := r.Clone(r.Context())
	if out.Host == "" {
		out.Host = r.URL.Host // by which moto finds the bucket
	}
	out.URL.Scheme, out.URL.Host = m.target.Scheme, m.target.Host
	byName(out.URL)
	resp, err := m.to.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

var layerARN = regexp.MustCompile(`/arn:aws[^:/]*:lambda:[^/]*:layer:`)

// byName rewrites a URL that names a layer by its ARN.
func byName(u *url.URL) {
	if !strings.Contains(u.Path, "/layers") {
		return
	}
	if q := u.Query(); q.Get("find") == "LayerVersion" {
		if arn := strings.Split(q.Get("Arn"), ":"); len(arn) == 8 {
			u.Path, u.RawQuery = strings.TrimSuffix(u.Path, "/")+"/"+arn[6]+"/versions/"+arn[7], ""
		}
	}
	u.Path, u.RawPath = layerARN.ReplaceAllString(u.Path, "/"), ""
}

// Serve makes a URL, until the test is over, behind which to is: for programs that find
// AWS by AWS_ENDPOINT_URL. An error of to is a connection that breaks.
func Serve(t *testing.T, to http.RoundTripper) string {
	t.Helper()
	srv := httptest.NewServer(&httputil.ReverseProxy{
		Transport: to,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", r.In.Host, r.In.Host
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	t.Cleanup(srv.Close)
	return srv.URL
}

// Role makes an execution role and returns its ARN: moto wants a function's to exist.
func Role(t *testing.T, endpoint string) string {
	t.Helper()
	form := url.Values{"Action": {"CreateRole"}, "Version": {"2010-05-08"}, "RoleName": {"function"},
		"AssumeRolePolicyDocument": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusConflict {
		t.Fatalf("create role: %s: %s", resp.Status, body)
	}
	return "arn:aws:iam::123456789012:role/function"
}

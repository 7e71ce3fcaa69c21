package awslambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

const (
	testAccount = "123456789012"
	testRegion  = "ap-northeast-1"
	// planted in environment variables, addresses and tokens: it may turn up
	// nowhere.
	planted = "hunter2-PLANTED"
)

// wire is an AWS that answers from a script: one function per operation. It is
// an http.RoundTripper, so that virtual time passes while it thinks.
type wire struct {
	mu     sync.Mutex
	calls  []string // operations in the order they came
	answer map[string]func(*http.Request, string) (*http.Response, error)
	log    bytes.Buffer
}

type handler = func(*http.Request, string) (*http.Response, error)

func newWire() *wire {
	w := &wire{}
	w.answer = map[string]handler{
		"GetCallerIdentity": identity(testAccount, "arn:aws:iam::"+testAccount+":user/ci"),
	}
	return w
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	op := operation(r, string(body))
	w.mu.Lock()
	w.calls = append(w.calls, op)
	h := w.answer[op]
	w.mu.Unlock()
	if h == nil {
		return failure(501, "NotScripted", op), nil
	}
	return h(r, string(body))
}

func (w *wire) count(op string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		if c == op {
			n++
		}
	}
	return n
}

func (w *wire) total() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

func (w *wire) options() Options {
	return Options{
		Options: awscall.Options{
			Account: testAccount, Region: testRegion,
			HTTPClient: &http.Client{Transport: w},
			Logger:     slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		},
		Limits: NewLimits(1000, 1000),
	}
}

func (w *wire) client(t testing.TB, change ...func(*Options)) *Client {
	t.Helper()
	o := w.options()
	for _, f := range change {
		f(&o)
	}
	c, err := New(t.Context(), testConfig(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testConfig() aws.Config {
	return aws.Config{Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret-"+planted, "token-"+planted)}
}

// operation names a request by its route, as a server would.
func operation(r *http.Request, body string) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	if strings.HasPrefix(r.Host, "sts.") || strings.HasPrefix(r.URL.Host, "sts.") {
		form, _ := url.ParseQuery(body)
		return form.Get("Action")
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Query().Get("find") == "LayerVersion":
		return "GetLayerVersionByArn"
	case r.URL.Query().Get("List") == "ALL":
		return "ListProvisionedConcurrencyConfigs"
	case parts[len(parts)-1] == "provisioned-concurrency":
		return "GetProvisionedConcurrencyConfig"
	case parts[1] == "code-signing-configs" && len(parts) == 2:
		return "ListCodeSigningConfigs"
	case parts[1] == "code-signing-configs":
		return "ListFunctionsByCodeSigningConfig"
	case len(parts) == 5 && parts[3] == "aliases" && r.Method == http.MethodPut:
		return "UpdateAlias"
	case len(parts) == 5 && parts[3] == "aliases":
		return "GetAlias"
	case r.Method == http.MethodPost && parts[1] == "functions" && parts[len(parts)-1] == "versions":
		return "PublishVersion"
	case r.Method == http.MethodPost && parts[1] == "layers" && parts[len(parts)-1] == "versions":
		return "PublishLayerVersion"
	case r.Method == http.MethodGet && parts[1] == "layers" && len(parts) == 5 && parts[3] == "versions":
		return "GetLayerVersion"
	case parts[1] == "functions" && len(parts) == 2:
		return "ListFunctions"
	case parts[1] == "functions" && len(parts) == 3:
		return "GetFunction"
	case parts[len(parts)-1] == "configuration":
		return "UpdateFunctionConfiguration"
	case parts[len(parts)-1] == "aliases":
		return "ListAliases"
	case parts[len(parts)-1] == "policy" && r.Method == http.MethodPost:
		return "AddLayerVersionPermission"
	case len(parts) == 7 && parts[5] == "policy":
		return "RemoveLayerVersionPermission"
	case parts[len(parts)-1] == "policy":
		return "GetLayerVersionPolicy"
	case parts[len(parts)-1] == "versions":
		return "ListLayerVersions"
	case r.Method == http.MethodDelete:
		return "DeleteLayerVersion"
	}
	return r.Method + " " + r.URL.Path
}

func reply(status int, body string, headers ...string) *http.Response {
	h := http.Header{"X-Amzn-Requestid": {"req-1"}, "Content-Type": {"application/json"}}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{
		StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// failure is an error in Lambda's form.
func failure(status int, code, message string, headers ...string) *http.Response {
	b, _ := json.Marshal(map[string]string{"Type": "User", "message": message})
	return reply(status, string(b), append([]string{"X-Amzn-Errortype", code}, headers...)...)
}

func always(r func() *http.Response) handler {
	return func(*http.Request, string) (*http.Response, error) { return r(), nil }
}

// inTurn answers with one handler after the other, and with the last for good.
func inTurn(hs ...handler) handler {
	var mu sync.Mutex
	i := 0
	return func(r *http.Request, body string) (*http.Response, error) {
		mu.Lock()
		h := hs[min(i, len(hs)-1)]
		i++
		mu.Unlock()
		return h(r, body)
	}
}

func breaks(err error) handler {
	return func(*http.Request, string) (*http.Response, error) { return nil, err }
}

func identity(account, arn string) handler {
	return always(func() *http.Response {
		return reply(200, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>`+arn+
			`</Arn><UserId>U</UserId><Account>`+account+`</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, "Content-Type", "text/xml")
	})
}

// config is one function's configuration as AWS would send it, explicit nulls
// and secrets included.
func config(name string, layers ...string) map[string]any {
	var list any
	if len(layers) > 0 {
		var all []any
		for _, l := range layers {
			all = append(all, map[string]any{"Arn": l, "CodeSize": 1})
		}
		list = all
	}
	return map[string]any{
		"FunctionName": name, "FunctionArn": functionARN(name), "Runtime": "python3.12", "PackageType": "Zip",
		"RevisionId": "rev-" + name, "CodeSha256": "sha-" + name, "Version": "$LATEST", "Layers": list, "VpcConfig": nil,
		"LastModified": "2026-09-15T01:03:12.000+0000", "LastUpdateStatus": nil,
		"Environment": map[string]any{"Variables": map[string]any{"PASSWORD": planted}},
	}
}

func with(m map[string]any, kv ...any) map[string]any {
	for i := 0; i+1 < len(kv); i += 2 {
		m[kv[i].(string)] = kv[i+1]
	}
	return m
}

func functionARN(name string) string {
	return "arn:aws:lambda:" + testRegion + ":" + testAccount + ":function:" + name
}

func layerARN(name string) state.LayerARN {
	return state.NewLayerARN("aws", testRegion, testAccount, name)
}

func layerItem(layer string, n int) map[string]any {
	return map[string]any{
		"LayerVersionArn": string(layerARN(layer).Version(int64(n))), "Version": n,
		"Description": fmt.Sprintf("build v1.0.%d", n), "CreatedDate": "2026-09-15T10:03:12.000+0900",
		"CompatibleRuntimes": []string{"python3.12"}, "CompatibleArchitectures": nil,
	}
}

// page is one answer of a paged operation.
func page(key string, items []map[string]any, next string) handler {
	return always(func() *http.Response { return pageReply(key, items, next) })
}

func pageReply(key string, items []map[string]any, next string) *http.Response {
	m := map[string]any{key: items, "NextMarker": nil}
	if items == nil {
		m[key] = []any{}
	}
	if next != "" {
		m["NextMarker"] = next
	}
	b, _ := json.Marshal(m)
	return reply(200, string(b))
}

// paged serves items fifty at a time, as AWS does, with the offset as marker.
func paged(key string, items []map[string]any) handler {
	return func(r *http.Request, _ string) (*http.Response, error) {
		from := 0
		if m := r.URL.Query().Get("Marker"); m != "" {
			if _, err := fmt.Sscanf(m, "at-%d", &from); err != nil {
				return failure(400, "InvalidParameterValueException", "bad marker"), nil
			}
		}
		to := min(from+50, len(items))
		next := ""
		if to < len(items) {
			next = fmt.Sprintf("at-%d", to)
		}
		return pageReply(key, items[from:to], next), nil
	}
}

func jsonReply(v any) handler {
	b, _ := json.Marshal(v)
	return always(func() *http.Response { return reply(200, string(b)) })
}

func kindIs(t *testing.T, err error, want state.Kind) *state.Error {
	t.Helper()
	e, ok := err.(*state.Error)
	if !ok {
		t.Fatalf("got %T (%v), want *state.Error of kind %v", err, err, want)
	}
	if e.Kind != want {
		t.Fatalf("got kind %v (%v), want %v", e.Kind, err, want)
	}
	return e
}

func observe(t *testing.T, c *Client, q state.Query) state.Snapshot {
	t.Helper()
	s, err := c.Observe(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

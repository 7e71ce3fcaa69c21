package cloudwatch

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/layerd/layerd/internal/awssim"
)

const (
	testAccount = "123456789012"
	testRegion  = "ap-northeast-1"
)

// wire is the simulated AWS, but for what a test puts in front of it.
type wire struct {
	world *awssim.World
	// invoke answers each call of a function in turn, the last one for ever;
	// without any the world does.
	invoke []func(*http.Request) (*http.Response, error)

	mu      sync.Mutex
	invoked []*http.Request
	bodies  []string
}

func newWire(invoke ...func(*http.Request) (*http.Response, error)) *wire {
	return &wire{world: awssim.New(awssim.Options{Account: testAccount, Region: testRegion, MetricLag: time.Minute}), invoke: invoke}
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(w.invoke) == 0 || !strings.HasSuffix(r.URL.Path, "/invocations") {
		return w.world.Transport().RoundTrip(r)
	}
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.invoked, w.bodies = append(w.invoked, r), append(w.bodies, string(body))
	answer := w.invoke[min(len(w.invoked), len(w.invoke))-1]
	w.mu.Unlock()
	return answer(r)
}

func (w *wire) client(t *testing.T, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{Account: testAccount, Region: testRegion, HTTPClient: &http.Client{Transport: w}}
	for _, f := range change {
		f(&o)
	}
	c, err := New(testConfig(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testConfig() aws.Config {
	return aws.Config{
		Region: testRegion, BaseEndpoint: aws.String("http://aws.test"),
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
	}
}

// answer is what a function gave; header has pairs.
func answer(status int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"X-Amzn-Requestid": {"req-1"}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func refusal(status int, code string) func(*http.Request) (*http.Response, error) {
	return answer(status, `{"Message":"no, password=hunter2\nsecond line"}`, "X-Amzn-Errortype", code)
}

func broken(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// silent answers when the caller has given up.
func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func encoded(log string) string { return base64.StdEncoding.EncodeToString([]byte(log)) }

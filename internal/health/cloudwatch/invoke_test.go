package cloudwatch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/state"
)

func TestInvoke(t *testing.T) {
	w := newWire(answer(200, `{"errorMessage":"no"}`,
		"X-Amz-Function-Error", "Unhandled", "X-Amz-Executed-Version", "8", "X-Amz-Log-Result", encoded("START\nEND")))
	got, err := w.client(t).Invoke(t.Context(), health.Call{Function: "f", Qualifier: "live", Payload: []byte(`{"a":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	want := health.Answer{Status: 200, FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"no"}`), Log: "START\nEND", ExecutedVersion: "8"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	r := w.invoked[0]
	if r.URL.Path != "/2015-03-31/functions/arn:aws:lambda:"+testRegion+":"+testAccount+":function:f/invocations" || r.URL.Query().Get("Qualifier") != "live" || w.bodies[0] != `{"a":1}` {
		t.Errorf("called %s with %s", r.URL, w.bodies[0])
	}
	if r.Header.Get("X-Amz-Log-Type") != "Tail" || r.Header.Get("X-Amz-Invocation-Type") != "RequestResponse" {
		t.Errorf("headers %v", r.Header)
	}
}

func TestInvokeWithoutAQualifierAsksForNone(t *testing.T) {
	w := newWire(answer(202, "", "X-Amz-Log-Result", "not base64"))
	got, err := w.client(t).Invoke(t.Context(), health.Call{Function: "f", Payload: []byte("{}")})
	if err != nil || got.Status != 202 || got.Log != "" {
		t.Errorf("%+v, %v", got, err)
	}
	if w.invoked[0].URL.RawQuery != "" {
		t.Errorf("query %s", w.invoked[0].URL.RawQuery)
	}
}

// TestInvokeRunsAFunctionOnce: it is asked again only when it certainly did not
// run, and what is then told says what to do next.
func TestInvokeRunsAFunctionOnce(t *testing.T) {
	ok := answer(200, "{}")
	reset := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		name  string
		first func(*http.Request) (*http.Response, error)
		calls int
		kind  state.Kind // of the error, when there is one call
		code  string
	}{
		{"throttled", refusal(429, "TooManyRequestsException"), 2, 0, ""},
		{"no connection", broken(dial), 2, 0, ""},
		{"no network in its VPC", refusal(502, "ENILimitReachedException"), 2, 0, ""},
		{"reset", broken(reset), 1, state.Unsure, ""},
		{"server error", refusal(500, "ServiceException"), 1, state.Unsure, "ServiceException"},
		{"server error we do not know", refusal(503, "Odd"), 1, state.Unsure, "Odd"},
		{"being updated", refusal(409, "ResourceConflictException"), 1, state.LookAgain, "ResourceConflictException"},
		{"gone", refusal(404, "ResourceNotFoundException"), 1, state.Gone, "ResourceNotFoundException"},
		{"denied", refusal(403, "AccessDeniedException"), 1, state.Human, "AccessDeniedException"},
		{"broken runtime", refusal(502, "InvalidRuntimeException"), 1, state.Human, "InvalidRuntimeException"},
		{"runtime alias deleted", refusal(409, "RuntimeAliasDeletedException"), 1, state.Human, "RuntimeAliasDeletedException"},
		{"runtime version deleted", refusal(409, "RuntimeVersionDeletedException"), 1, state.Human, "RuntimeVersionDeletedException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire(c.first, ok)
				_, err := w.client(t).Invoke(t.Context(), health.Call{Function: "f", Payload: []byte("{}")})
				if len(w.invoked) != c.calls || (err == nil) != (c.calls == 2) {
					t.Fatalf("%d calls, %v", len(w.invoked), err)
				}
				if err == nil {
					return
				}
				e, ours := errors.AsType[*state.Error](err)
				if !ours || e.Kind != c.kind || e.Code != c.code || e.Op != "Invoke" || e.Resource != "f" {
					t.Errorf("got %#v", err)
				}
				if c.code != "" && (e.Message != "no, password=***" || e.RequestID != "req-1") {
					t.Errorf("says %q of request %q", e.Message, e.RequestID)
				}
			})
		})
	}
}

// TestInvokeGivesUp: AWS that throttles for ever is told as it is, and not as
// a function that does not answer.
func TestInvokeGivesUp(t *testing.T) {
	for _, c := range []struct {
		within       time.Duration
		calls        int
		atLeast, max time.Duration
	}{
		{time.Minute, 3, 3 * time.Second, 3 * time.Second},
		{2 * time.Second, 2, time.Second, time.Second},
		{time.Second, 1, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWire(refusal(429, "TooManyRequestsException"))
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			defer cancel()
			began := time.Now()
			_, err := w.client(t).Invoke(ctx, health.Call{Function: "f", Payload: []byte("{}")})
			if took := time.Since(began); state.KindOf(err) != state.Again || len(w.invoked) != c.calls || took < c.atLeast || took > c.max {
				t.Errorf("within %v: %d calls in %v, %v", c.within, len(w.invoked), took, err)
			}
		})
	}
}

// smoke is the whole way from a test to its finding.
func smoke(t *testing.T, c *Client) health.Finding {
	return health.Smoke(t.Context(), c, desired.SmokeTest{Function: "f", Timeout: 10 * time.Second}, "")
}

func TestSilenceOfAFunctionIsBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(silent)
		// The deadline of one attempt is for reads: a function may take longer.
		c := w.client(t, func(o *Options) { o.CallTimeout = time.Second })
		began := time.Now()
		f := smoke(t, c)
		if f.Status != health.Bad || f.Sentence != "smoke test of f: no answer within 10s" || time.Since(began) != 10*time.Second || len(w.invoked) != 1 {
			t.Errorf("%+v after %v, %d calls", f, time.Since(began), len(w.invoked))
		}
	})
}

// TestNoConnectionIsNotTheFunctionsFault: net/http says "deadline exceeded" of
// a connection that was never made, as of a function that does not answer.
func TestNoConnectionIsNotTheFunctionsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		open := make(chan struct{})
		defer func() { close(open); synctest.Wait() }()
		net := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case <-ctx.Done():
			case <-open:
			}
			return nil, syscall.ETIMEDOUT
		}}
		w.invoke = append(w.invoke, net.RoundTrip)
		f := smoke(t, w.client(t))
		if f.Status != health.Unknown || !strings.HasPrefix(f.Sentence, "smoke test of f: not known: Invoke f: ") {
			t.Errorf("%+v", f)
		}
	})
}

// TestACutOffCallMayHaveRun, whoever cut it off.
func TestACutOffCallMayHaveRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := newWire(silent).client(t).Invoke(ctx, health.Call{Function: "f", Payload: []byte("{}")})
		if state.KindOf(err) != state.Unsure || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %#v", err)
		}
	})
}

func TestStoppedIsNoJudgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(silent)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		f := health.Smoke(ctx, w.client(t), desired.SmokeTest{Function: "f", Timeout: 10 * time.Second}, "")
		if f.Status != health.Unknown || f.Sentence != "smoke test of f: stopped before it answered" {
			t.Errorf("%+v", f)
		}
	})
}

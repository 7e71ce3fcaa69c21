package cloudwatch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/state"
)

func TestNewRefusesBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no account":    {Region: testRegion},
		"short account": {Account: "1234", Region: testRegion},
		"no region":     {Account: testAccount},
	} {
		if _, err := New(testConfig(), o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// everything is each method, as an error.
var everything = map[string]func(context.Context, *Client) error{
	"Invoke": func(ctx context.Context, c *Client) error {
		_, err := c.Invoke(ctx, health.Call{Function: "f", Payload: []byte("{}")})
		return err
	},
	"Alarms": func(ctx context.Context, c *Client) error {
		_, err := c.Alarms(ctx, []string{"a"})
		return err
	},
	"Sums": func(ctx context.Context, c *Client) error {
		_, err := c.Sums(ctx, []health.Series{{Function: "f", Metric: "Errors"}}, noon, noon.Add(time.Hour))
		return err
	},
	"PutFigures": func(ctx context.Context, c *Client) error {
		return c.PutFigures(ctx, "layerd", []health.Figure{{Name: health.Rounds, Environment: "prod", At: time.Now(), Value: 1}})
	},
}

// Credentials of another account: nothing but the identity is ever asked.
func TestWrongAccountStopsEverything(t *testing.T) {
	for name, do := range everything {
		t.Run(name, func(t *testing.T) {
			w := newWire(answer(200, "{}"))
			c := w.client(t, func(o *Options) { o.Account = "999999999999" })
			for range 2 {
				wrong, ok := errors.AsType[*state.WrongAccountError](do(t.Context(), c))
				if !ok || wrong.Want != "999999999999" || wrong.Have != testAccount {
					t.Errorf("got %+v", wrong)
				}
			}
			if len(w.invoked) != 0 || len(w.world.Calls()) != w.world.Count("GetCallerIdentity") {
				t.Errorf("asked %v, invoked %d times", w.world.Calls(), len(w.invoked))
			}
		})
	}
}

func TestIdentityIsAskedOnce(t *testing.T) {
	w := newWire()
	c := w.client(t)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := c.Alarms(t.Context(), []string{"a"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.world.Count("GetCallerIdentity"); n != 1 {
		t.Errorf("%d identity calls", n)
	}
}

// TestReadsAreMadeAgain: what AWS or the network spoils is asked for again, and
// what AWS refuses is not.
func TestReadsAreMadeAgain(t *testing.T) {
	for op, name := range map[string]string{"DescribeAlarms": "Alarms", "GetMetricData": "Sums", "PutMetricData": "PutFigures"} {
		do := everything[name]
		for _, c := range []struct {
			name  string
			fault func(awssim.Call) awssim.Fault
			kind  state.Kind
			code  string
			calls int // 0 = it succeeds with the second
		}{
			{"throttled", func(awssim.Call) awssim.Fault { return cloudwatchThrottle }, 0, "", 0},
			{"server error", func(awssim.Call) awssim.Fault { return awssim.ServerError() }, 0, "", 0},
			{"reset", func(awssim.Call) awssim.Fault { return awssim.Reset() }, 0, "", 0},
			{"slow", func(awssim.Call) awssim.Fault { return awssim.SlowAnswer(time.Hour) }, 0, "", 0},
			{"denied", awssim.Denied, state.Human, "AccessDenied", 1},
		} {
			t.Run(op+" "+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWire()
					first := true
					w.world.OnCall(func(call awssim.Call) awssim.Fault {
						if call.Operation != op || !first {
							return awssim.Fault{}
						}
						first = false
						return c.fault(call)
					})
					err := do(t.Context(), w.client(t))
					if c.calls == 0 {
						if err != nil || w.world.Count(op) != 2 {
							t.Errorf("%d calls, %v", w.world.Count(op), err)
						}
						return
					}
					e, ours := errors.AsType[*state.Error](err)
					if !ours || e.Kind != c.kind || e.Code != c.code || e.Op != op || w.world.Count(op) != c.calls {
						t.Errorf("%d calls, %#v", w.world.Count(op), err)
					}
				})
			})
		}
	}
}

var cloudwatchThrottle = awssim.Fault{Before: &awssim.Failure{Status: 400, Code: "Throttling", Message: "Rate exceeded"}}

// TestReadsGiveUp: AWS in trouble is Again, and our own end is Stopped.
func TestReadsGiveUp(t *testing.T) {
	for name, do := range everything {
		if name == "Invoke" {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWire()
			w.world.OnCall(func(c awssim.Call) awssim.Fault {
				if c.Operation == "GetCallerIdentity" {
					return awssim.Fault{}
				}
				return awssim.LostAnswer()
			})
			if err := do(t.Context(), w.client(t)); state.KindOf(err) != state.Again {
				t.Errorf("%s: %v", name, err)
			}
			w.world.OnCall(func(awssim.Call) awssim.Fault { return awssim.Delay(time.Hour) })
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if err := do(ctx, w.client(t)); state.KindOf(err) != state.Stopped || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestRoleIsAssumed(t *testing.T) {
	const other, role = "999999999999", "arn:aws:iam::999999999999:role/layerd"
	w := newWire()
	w.world.PutRole(awssim.Role{ARN: role, ExternalID: "x", Trusted: []string{testAccount}})
	c := w.client(t, func(o *Options) { o.Account, o.Role, o.ExternalID = other, role, "x" })
	if _, err := c.Alarms(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if w.world.Count("AssumeRole") != 1 {
		t.Errorf("calls %v", w.world.Calls())
	}
}

// TestARoleThatIsRefusedIsNobodysFault: the function was never asked.
func TestARoleThatIsRefusedIsNobodysFault(t *testing.T) {
	w := newWire(answer(200, "{}"))
	w.world.OnCall(awssim.Denied)
	f := smoke(t, w.client(t, func(o *Options) { o.Role = "arn:aws:iam::" + testAccount + ":role/layerd" }))
	if f.Status != health.Unknown || !strings.HasPrefix(f.Sentence, "smoke test of f: not known: AssumeRole: AccessDenied: ") || len(w.invoked) != 0 {
		t.Errorf("%+v after %d invocations", f, len(w.invoked))
	}
}

// TestNothingSecretIsLogged: bodies and signatures stay out of the log, also
// when the caller's configuration asks for them.
func TestNothingSecretIsLogged(t *testing.T) {
	var log bytes.Buffer
	w := newWire(answer(200, `{"hunter2":1}`, "X-Amz-Log-Result", encoded("hunter2")))
	cfg := testConfig()
	cfg.ClientLogMode = ^cfg.ClientLogMode
	c, err := New(cfg, Options{
		Account: testAccount, Region: testRegion, HTTPClient: httpClient(w),
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Invoke(t.Context(), health.Call{Function: "f", Payload: []byte(`{"hunter2":2}`)}); err != nil {
		t.Fatal(err)
	}
	if s := log.String(); strings.Contains(s, "hunter2") || strings.Contains(s, "Signature") {
		t.Error(s)
	}
}

// An alarm of another account, Region or partition says nothing about ours.
func TestAlarmsOfAnotherPlaceAreRefused(t *testing.T) {
	c := newWire().client(t)
	for arn, own := range map[string]bool{
		"arn:aws:cloudwatch:" + testRegion + ":" + testAccount + ":alarm:a":    true,
		"arn:aws:cloudwatch:" + testRegion + ":999999999999:alarm:a":           false,
		"arn:aws:cloudwatch:us-east-1:" + testAccount + ":alarm:a":             false,
		"arn:aws-cn:cloudwatch:" + testRegion + ":" + testAccount + ":alarm:a": false,
	} {
		for _, out := range []any{
			&cloudwatch.DescribeAlarmsOutput{MetricAlarms: []types.MetricAlarm{{AlarmArn: &arn}}},
			&cloudwatch.DescribeAlarmsOutput{CompositeAlarms: []types.CompositeAlarm{{AlarmArn: &arn}}},
		} {
			var err error
			answers(nil, out, func(arn *string) { err = c.creds.Where().Own("DescribeAlarms", *arn) })
			if (err == nil) != own {
				t.Errorf("%s: %v", arn, err)
			}
		}
	}
}

// Both clients of a place sign with one session, whose account is asked once.
func TestCredentialsAreShared(t *testing.T) {
	w := newWire()
	first := w.client(t)
	second := w.client(t, func(o *Options) { o.Credentials = first.creds })
	for _, c := range []*Client{first, second} {
		if _, err := c.Alarms(t.Context(), []string{"a"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.world.Count("GetCallerIdentity"); n != 1 {
		t.Errorf("%d identity calls", n)
	}
}

// A refused invocation repeats what it was called with, and an address may be a
// presigned one.
func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		`Could not parse {"password":"hunter2"}` + "\nsecond line": `Could not parse {"password":"***"}`,
		"see https://b.s3.amazonaws.com/k?sig=hunter2 for more":    "see https://b.s3.amazonaws.com/k?… for more",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

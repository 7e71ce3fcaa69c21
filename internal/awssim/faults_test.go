package awssim_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/awssim"
)

// once makes the first call of an operation fail.
func once(operation string, f awssim.Fault) func(awssim.Call) awssim.Fault {
	done := false
	return func(c awssim.Call) awssim.Fault {
		if done || c.Operation != operation {
			return awssim.Fault{}
		}
		done = true
		return f
	}
}

func publish(ctx context.Context, c *lambda.Client) error {
	_, err := c.PublishLayerVersion(ctx, &lambda.PublishLayerVersionInput{
		LayerName: aws.String("l"), Content: &types.LayerVersionContentInput{ZipFile: awssim.Zip(map[string]string{"a": "b"})}})
	return err
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name     string
		fault    awssim.Fault
		code     string // empty: no answer
		versions int    // there afterwards
		status   int
		applied  bool
	}{
		{"throttled", awssim.Throttle(), "TooManyRequestsException", 0, 429, false},
		{"server error", awssim.ServerError(), "ServiceException", 0, 500, false},
		{"server error after", awssim.ServerErrorAfter(), "ServiceException", 1, 500, true},
		{"reset", awssim.Reset(), "", 0, 0, false},
		{"lost answer", awssim.LostAnswer(), "", 1, 0, true},
		{"denied", awssim.Denied(awssim.Call{Service: "lambda", Operation: "PublishLayerVersion"}), "AccessDeniedException", 0, 403, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := awssim.New(awssim.Options{})
			w.OnCall(once("PublishLayerVersion", c.fault))
			err := publish(t.Context(), client(w))
			if c.code != "" {
				code(t, err, c.code)
			} else if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %v, want a connection reset", err)
			}
			if got := len(w.LayerVersions("l")); got != c.versions {
				t.Errorf("%d versions, want %d", got, c.versions)
			}
			call := w.Calls()[0]
			if call.Status != c.status || call.Applied != c.applied || call.ErrorCode != c.code {
				t.Errorf("the log says %d %q, applied %t", call.Status, call.ErrorCode, call.Applied)
			}
		})
	}
}

// Publishing has no idempotency token: with the SDK's own retries a lost
// answer makes two versions.
func TestALostAnswerAndARetryPublishTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{})
		w.OnCall(once("PublishLayerVersion", awssim.LostAnswer()))
		cfg := config(w)
		cfg.Retryer = func() aws.Retryer { return retry.NewStandard() }
		must(t, publish(t.Context(), lambda.NewFromConfig(cfg)))
		if got := len(w.LayerVersions("l")); got != 2 {
			t.Errorf("%d versions, want 2", got)
		}
	})
}

func TestSlowAnswersTakeVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{})
		w.OnCall(func(awssim.Call) awssim.Fault { return awssim.Delay(time.Hour) })
		start := time.Now()
		must(t, publish(t.Context(), client(w)))
		if took := time.Since(start); took != time.Hour {
			t.Errorf("took %s, want an hour", took)
		}
		if got := w.LayerVersions("l")[0].Created.Sub(start); got != time.Hour {
			t.Errorf("created after %s: a delayed call happens when it happens", got)
		}
	})
}

// Who gives up before a delayed call begins has done nothing; who gives up on
// a slow answer does not know.
func TestGivingUpOnASlowCall(t *testing.T) {
	for _, c := range []struct {
		name     string
		fault    awssim.Fault
		versions int
	}{
		{"before", awssim.Delay(time.Minute), 0},
		{"after", awssim.SlowAnswer(time.Minute), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := awssim.New(awssim.Options{})
				w.OnCall(once("PublishLayerVersion", c.fault))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				if err := publish(ctx, client(w)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want the deadline", err)
				}
				if took := time.Since(start); took != time.Second {
					t.Errorf("took %s, want a second", took)
				}
				if got := len(w.LayerVersions("l")); got != c.versions {
					t.Errorf("%d versions, want %d", got, c.versions)
				}
				if s := w.Calls()[0].Status; s != 0 {
					t.Errorf("the log says %d was answered", s)
				}
			})
		})
	}
}

func TestACancelledRequestDoesNothing(t *testing.T) {
	w := awssim.New(awssim.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := publish(ctx, client(w)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(w.Calls()) != 0 || len(w.LayerVersions("l")) != 0 {
		t.Errorf("calls %v", w.Calls())
	}
}

// Over a socket a dropped connection is a dropped connection.
func TestTheHandlerDropsConnections(t *testing.T) {
	w := awssim.New(awssim.Options{})
	srv := httptest.NewServer(w.Handler())
	defer srv.Close()
	cfg := config(w)
	cfg.BaseEndpoint, cfg.HTTPClient = &srv.URL, srv.Client()
	w.OnCall(once("PublishLayerVersion", awssim.LostAnswer()))
	err := publish(t.Context(), lambda.NewFromConfig(cfg))
	if err == nil || len(w.LayerVersions("l")) != 1 {
		t.Errorf("got %v and %d versions, want an error and one", err, len(w.LayerVersions("l")))
	}
	must(t, publish(t.Context(), lambda.NewFromConfig(cfg)))
}

// OnCall may use the World: this is how somebody else writes between a read
// and the write that follows it.
func TestMeddlingBetweenTwoCalls(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f"})
	w.OnCall(func(c awssim.Call) awssim.Fault {
		if c.Operation == "UpdateFunctionConfiguration" {
			w.EditFunction(c.Resource, func(f *awssim.Function) { f.Description = "somebody else" })
		}
		return awssim.Fault{}
	})
	c := client(w)
	out, err := c.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	must(t, err)
	_, err = c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
		FunctionName: aws.String("f"), RevisionId: out.Configuration.RevisionId, Layers: []string{}})
	code(t, err, "PreconditionFailedException")
}

func TestCallsAreRemembered(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f"})
	arn := w.LayerARN("l", w.PutLayerVersion(awssim.LayerVersion{Name: "l"}))
	c := client(w)
	must(t, setLayers(t, c, "f", arn))
	_, err := c.GetLayerVersion(t.Context(), &lambda.GetLayerVersionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(9)})
	code(t, err, "ResourceNotFoundException")
	_, err = c.GetLayerVersionByArn(t.Context(), &lambda.GetLayerVersionByArnInput{Arn: &arn})
	must(t, err)

	calls := w.Calls()
	if len(calls) != 3 || w.Writes() != 1 || w.Count("GetLayerVersion") != 1 || w.Count("GetLayerVersionByArn") != 1 {
		t.Fatalf("calls are %+v", calls)
	}
	for i, want := range []awssim.Call{
		{Seq: 1, Operation: "UpdateFunctionConfiguration", Resource: "f", Write: true, Status: 200, Applied: true},
		{Seq: 2, Operation: "GetLayerVersion", Resource: "l:9", Status: 404, ErrorCode: "ResourceNotFoundException"},
		{Seq: 3, Operation: "GetLayerVersionByArn", Resource: arn, Status: 200, Applied: true},
	} {
		got := calls[i]
		if in, ok := got.Input.(*lambda.UpdateFunctionConfigurationInput); i == 0 && (!ok || in.Layers[0] != arn) {
			t.Errorf("input is %+v", got.Input)
		}
		want.Service, want.Account, want.Region = "lambda", "123456789012", "us-east-1"
		want.Caller = "arn:aws:iam::123456789012:user/awssim"
		got.Time, got.Input = time.Time{}, nil
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	w.ResetCalls()
	must(t, setLayers(t, c, "f"))
	if calls := w.Calls(); len(calls) != 1 || calls[0].Seq != 4 {
		t.Errorf("after a reset: %+v", calls)
	}
}

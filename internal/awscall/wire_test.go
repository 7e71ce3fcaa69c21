package awscall_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go/middleware"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/awssim"
)

func TestConnectRefusesBadOptions(t *testing.T) {
	for name, o := range map[string]awscall.Options{
		"no account":    {Region: region},
		"short account": {Account: "1234", Region: region},
		"no digits":     {Account: "12345678901x", Region: region},
		"no region":     {Account: ours},
	} {
		if _, _, err := (awscall.Wire{}).Connect(aws.Config{}, o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// The configuration is the caller's: nothing that is added for one client is in
// that of another.
func TestTheCallersConfigurationStays(t *testing.T) {
	given := aws.Config{APIOptions: make([]func(*middleware.Stack) error, 0, 8), RetryMaxAttempts: 3}
	cfg, _, err := awscall.Wire{}.Connect(given, awscall.Options{Account: ours, Region: region})
	if err != nil {
		t.Fatal(err)
	}
	plain := awscall.Wire{}.Config(given)
	if len(cfg.APIOptions) == len(plain.APIOptions) || given.AppID != "" || given.Region != "" || given.RetryMaxAttempts != 3 || cfg.RetryMaxAttempts != 0 {
		t.Errorf("given %+v", given)
	}
	if rest := given.APIOptions[:1]; rest[0] != nil {
		t.Error("an option was written into the array of the caller's")
	}
}

// The SDK can log whole requests; ours must not, whatever the configuration
// says and whoever listens.
func TestBodiesAreNeverLogged(t *testing.T) {
	for _, quiet := range []bool{true, false} {
		var log bytes.Buffer
		w, keys := world()
		cfg := aws.Config{Region: region, Credentials: keys, ClientLogMode: ^aws.ClientLogMode(0), HTTPClient: &http.Client{Transport: w.Transport()}}
		wire := awscall.Wire{}
		if !quiet {
			wire.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
		cfg = wire.Config(cfg)
		if err := get(t.Context(), lambda.NewFromConfig(cfg)); err != nil {
			t.Fatal(err)
		}
		if quiet && cfg.ClientLogMode != 0 || strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "Signature") {
			t.Errorf("mode %b, logged: %s", cfg.ClientLogMode, log.String())
		}
	}
}

// An attempt has a deadline of its own, which the wait for its turn is not part
// of, and which a call may do without.
func TestDeadlineOfAnAttempt(t *testing.T) {
	const turn, limit = time.Hour, 7 * time.Second
	for name, c := range map[string]struct {
		delay    time.Duration
		options  []func(*middleware.Stack) error
		attempts int
	}{
		"in time":   {delay: time.Second, attempts: 1},
		"too slow":  {delay: time.Minute, attempts: 8},
		"unbounded": {delay: 10 * time.Minute, options: []func(*middleware.Stack) error{awscall.Unbounded}, attempts: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, keys := world()
			w.OnCall(func(call awssim.Call) awssim.Fault {
				if call.Operation != "GetFunction" {
					return awssim.Fault{}
				}
				return awssim.Delay(c.delay)
			})
			waited := 0
			pace := awscall.BeforeAttempt("Turn", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
				middleware.FinalizeOutput, middleware.Metadata, error,
			) {
				waited++
				if err := awscall.Sleep(ctx, turn); err != nil {
					return middleware.FinalizeOutput{}, middleware.Metadata{}, err
				}
				return next.HandleFinalize(ctx, in)
			})
			cfg, _, err := awscall.Wire{Pace: pace}.Connect(aws.Config{Credentials: keys}, awscall.Options{
				Account: ours, Region: region, CallTimeout: limit, HTTPClient: &http.Client{Transport: w.Transport()},
			})
			if err != nil {
				t.Fatal(err)
			}
			err = get(t.Context(), lambda.NewFromConfig(cfg, func(o *lambda.Options) { o.APIOptions = append(o.APIOptions, c.options...) }))
			if late := c.attempts > 1; late != awscall.TimedOut(err) || late == (err == nil) {
				t.Errorf("%s: %v", name, err)
			}
			if n := w.Count("GetFunction"); n != c.attempts || waited != n+1 { // one turn is for the identity
				t.Errorf("%s: %d attempts after %d turns, want %d", name, n, waited, c.attempts)
			}
		})
	}
}

// Identity is proven before an attempt takes its turn: what else has to hold at
// the moment of sending is not made old by it.
func TestIdentityComesBeforeTheTurn(t *testing.T) {
	w, keys := world()
	keys.turn("THEIRS", "")
	turns := 0
	pace := awscall.BeforeAttempt("Turn", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		turns++
		return next.HandleFinalize(ctx, in)
	})
	cfg, _, err := awscall.Wire{Pace: pace}.Connect(aws.Config{Credentials: keys}, awscall.Options{
		Account: ours, Region: region, HTTPClient: &http.Client{Transport: w.Transport()},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := get(t.Context(), lambda.NewFromConfig(cfg)); err == nil || turns != 1 { // that of GetCallerIdentity
		t.Errorf("%d turns, %v", turns, err)
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := awscall.Sleep(ctx, time.Hour); err == nil || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if err := awscall.Sleep(t.Context(), time.Hour); err != nil {
			t.Error(err)
		}
	})
}

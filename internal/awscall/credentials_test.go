package awscall_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

const (
	ours   = "123456789012"
	theirs = "210987654321"
	region = "ap-northeast-1"
)

// ring is a source of credentials that somebody renews.
type ring struct {
	mu    sync.Mutex // guards key
	key   string
	token string
}

func (r *ring) Retrieve(context.Context) (aws.Credentials, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return aws.Credentials{AccessKeyID: r.key, SecretAccessKey: "secret", SessionToken: r.token}, nil
}

func (r *ring) turn(key, token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.key, r.token = key, token
}

// world has OURS, OURS2 and THEIRS, and a function f in both accounts.
func world() (*awssim.World, *ring) {
	w := awssim.New(awssim.Options{Account: ours, Region: region, Limits: awssim.Unlimited()})
	w.AddKey("OURS", ours, "")
	w.AddKey("OURS2", ours, "")
	w.AddKey("THEIRS", theirs, "arn:aws:iam::"+theirs+":user/stray")
	for _, account := range []string{ours, theirs} {
		w.PutFunction(awssim.Function{Account: account, Name: "f"})
	}
	return w, &ring{key: "OURS"}
}

// client is made as the package comment says.
func client(t *testing.T, w *awssim.World, source aws.CredentialsProvider, o awscall.Options) (*lambda.Client, *awscall.Credentials) {
	t.Helper()
	o.Region, o.HTTPClient = region, &http.Client{Transport: w.Transport()}
	cfg, creds, err := awscall.Wire{}.Connect(aws.Config{Credentials: source}, o)
	if err != nil {
		t.Fatal(err)
	}
	return lambda.NewFromConfig(cfg), creds
}

func get(ctx context.Context, c *lambda.Client) error {
	_, err := c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	return err
}

func strayed(w *awssim.World) (calls []string) {
	for _, c := range w.Calls() {
		if strings.HasSuffix(c.Caller, "/stray") && c.Operation != "GetCallerIdentity" {
			calls = append(calls, c.Operation)
		}
	}
	return calls
}

func TestIdentityIsAskedOnceForEachSetOfCredentials(t *testing.T) {
	w, keys := world()
	c, _ := client(t, w, keys, awscall.Options{Account: ours})
	for i, set := range [][2]string{{"OURS", ""}, {"OURS2", ""}, {"OURS2", "renewed"}} {
		keys.turn(set[0], set[1])
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := get(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := w.Count("GetCallerIdentity"); n != i+1 {
			t.Errorf("%d identity calls after %d sets", n, i+1)
		}
	}
	if n := w.Count("GetFunction"); n != 60 {
		t.Errorf("%d calls", n)
	}
}

func TestAnotherAccountsCredentialsSignNothing(t *testing.T) {
	w, keys := world()
	c, creds := client(t, w, keys, awscall.Options{Account: ours})
	for range 3 {
		keys.turn("OURS", "")
		if err := get(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		keys.turn("THEIRS", "")
		for range 5 {
			wrong, ok := errors.AsType[*state.WrongAccountError](get(t.Context(), c))
			if !ok || wrong.Want != ours || wrong.Have != theirs {
				t.Errorf("got %+v", wrong)
			}
		}
	}
	if n := w.Count("GetCallerIdentity"); n != 6 {
		t.Errorf("%d identity calls for 6 changes", n)
	}
	if who, err := creds.Ask(t.Context()); err != nil || who.Account != theirs {
		t.Errorf("asked whatever the account: %+v, %v", who, err)
	}
	if calls := strayed(w); len(calls) > 0 {
		t.Errorf("sent: %v", calls)
	}
}

// The credentials change between the attempts of one call.
func TestRetryIsProvenToo(t *testing.T) {
	for _, answer := range []awssim.Fault{awssim.Throttle(), awssim.ServerError(), awssim.Reset(), awssim.LostAnswer()} {
		synctest.Test(t, func(t *testing.T) {
			w, keys := world()
			c, _ := client(t, w, keys, awscall.Options{Account: ours})
			w.OnCall(func(call awssim.Call) awssim.Fault {
				if call.Operation != "GetFunction" {
					return awssim.Fault{}
				}
				keys.turn("THEIRS", "")
				return answer
			})
			if err := get(t.Context(), c); state.Elsewhere(err) == nil {
				t.Errorf("got %v", err)
			}
			if calls := strayed(w); len(calls) > 0 || w.Count("GetFunction") != 1 {
				t.Errorf("sent %v, %d calls in all", calls, w.Count("GetFunction"))
			}
		})
	}
}

// The credentials change while AWS is asked about the ones before: what signs
// is what was asked about.
func TestChangeDuringTheQuestion(t *testing.T) {
	w, keys := world()
	c, _ := client(t, w, keys, awscall.Options{Account: ours})
	w.OnCall(func(call awssim.Call) awssim.Fault {
		if call.Operation == "GetCallerIdentity" {
			keys.turn("THEIRS", "")
		}
		return awssim.Fault{}
	})
	if err := get(t.Context(), c); state.Elsewhere(err) == nil {
		t.Errorf("got %v", err)
	}
	if calls := strayed(w); len(calls) > 0 {
		t.Errorf("sent: %v", calls)
	}
}

// A role is proven like any credentials, whatever its ARN says, and the account
// of whoever assumes it does not matter.
func TestRole(t *testing.T) {
	for account, right := range map[string]bool{ours: true, theirs: false} {
		synctest.Test(t, func(t *testing.T) {
			w, keys := world()
			role := "arn:aws:iam::" + account + ":role/layerd"
			w.PutRole(awssim.Role{ARN: role, ExternalID: "x"})
			keys.turn("THEIRS", "")
			c, _ := client(t, w, keys, awscall.Options{Account: ours, Role: role, ExternalID: "x"})
			for range 3 {
				if err := get(t.Context(), c); (err == nil) != right || !right && state.Elsewhere(err) == nil {
					t.Errorf("role of %s: %v", account, err)
				}
				time.Sleep(50 * time.Minute) // the session is renewed
			}
			if n := w.Count("GetCallerIdentity"); n != w.Count("AssumeRole") {
				t.Errorf("%d identity calls for %d sessions", n, w.Count("AssumeRole"))
			}
		})
	}
}

// What a source keeps until it expires is fetched anew by Check, once.
func TestCheckFetchesAnewWhatWasWrong(t *testing.T) {
	w, keys := world()
	keys.turn("THEIRS", "")
	c, creds := client(t, w, aws.NewCredentialsCache(keys), awscall.Options{Account: ours})
	if _, err := creds.Check(t.Context()); state.Elsewhere(err) == nil {
		t.Fatalf("got %v", err)
	}
	keys.turn("OURS", "")
	if err := get(t.Context(), c); state.Elsewhere(err) == nil {
		t.Fatalf("kept by the source, and got %v", err)
	}
	if who, err := creds.Check(t.Context()); err != nil || who.Account != ours || who.Partition != "aws" {
		t.Errorf("%+v, %v", who, err)
	}
	if err := get(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// A question that stays without an answer signs nothing, is not repeated by the
// retries of the call as well, and is asked again by the next call.
func TestUnansweredQuestion(t *testing.T) {
	for name, fault := range map[string]func(awssim.Call) awssim.Fault{
		"throttled": func(awssim.Call) awssim.Fault { return awssim.Throttle() },
		"500":       func(awssim.Call) awssim.Fault { return awssim.ServerError() },
		"reset":     func(awssim.Call) awssim.Fault { return awssim.Reset() },
		"denied":    awssim.Denied,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, keys := world()
				c, _ := client(t, w, keys, awscall.Options{Account: ours})
				w.OnCall(func(call awssim.Call) awssim.Fault {
					if call.Operation == "GetCallerIdentity" {
						return fault(call)
					}
					return awssim.Fault{}
				})
				if err := get(t.Context(), c); err == nil || state.Elsewhere(err) != nil {
					t.Errorf("got %v", err)
				}
				if n := w.Count("GetCallerIdentity"); n > 8 || w.Count("GetFunction") > 0 {
					t.Errorf("%d identity calls, %d others", n, w.Count("GetFunction"))
				}
				w.OnCall(nil)
				if err := get(t.Context(), c); err != nil {
					t.Errorf("when STS answers again: %v", err)
				}
			})
		})
	}
}

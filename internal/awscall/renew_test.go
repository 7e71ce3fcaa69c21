package awscall_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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

// expiries are how services say that the credentials are no good any more.
var expiries = []string{
	"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidSignatureException",
	"SignatureDoesNotMatch", "RequestExpired", "MissingAuthenticationTokenException", "IncompleteSignature", "AuthFailure",
}

// file is a source as the SDK's chain is: it keeps what it has read until it is
// invalidated, whatever has become of the file.
type file struct {
	ring
	kept  aws.Credentials
	stale bool
	reads int
}

func (f *file) Retrieve(ctx context.Context) (aws.Credentials, error) {
	now, _ := f.ring.Retrieve(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stale || !f.kept.HasKeys() {
		f.kept, f.stale = now, false
		f.reads++
	}
	return f.kept, nil
}

func (f *file) Invalidate() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stale = true
}

func (f *file) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

// refuses lets AWS refuse what is signed with any of the keys.
func refuses(w *awssim.World, code string, keys ...string) {
	w.OnCall(func(c awssim.Call) awssim.Fault {
		if !slices.ContainsFunc(keys, func(key string) bool { return strings.HasSuffix(c.Caller, ":user/"+key) }) {
			return awssim.Fault{}
		}
		return awssim.Fault{Before: &awssim.Failure{Status: 403, Code: code, Message: "The security token included in the request is expired"}}
	})
}

// refusals counts the calls that were refused.
func refusals(w *awssim.World) (n int) {
	for _, c := range w.Calls() {
		if c.Status == http.StatusForbidden {
			n++
		}
	}
	return n
}

func put(ctx context.Context, c *lambda.Client) error {
	_, err := c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f")},
		func(o *lambda.Options) { o.Retryer = awscall.Retryer(awscall.Careful) })
	return err
}

var barring = awscall.Sorter{Kind: func(string, error, bool) state.Kind { return state.Human }}

// each plays what the credentials of a client are refused with, in a read and in a
// write, before and after AWS was asked whose they are.
func each(t *testing.T, play func(t *testing.T, code string, proven bool, do func(context.Context, *lambda.Client) error)) {
	for _, code := range expiries {
		for name, do := range map[string]func(context.Context, *lambda.Client) error{"read": get, "write": put} {
			for _, proven := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, proven %v", code, name, proven), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { play(t, code, proven, do) })
				})
			}
		}
	}
}

// kept is a client whose source has read OURS, and AWS has answered whose it is
// where proven is true.
func kept(t *testing.T, proven bool) (*awssim.World, *file, *lambda.Client, *awscall.Credentials) {
	w, _ := world()
	keys := &file{ring: ring{key: "OURS"}}
	c, creds := client(t, w, keys, awscall.Options{Account: ours})
	if proven {
		if _, err := creds.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	} else if _, err := keys.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, keys, c, creds
}

// together makes calls at once, and returns what they came back with.
func together(t *testing.T, c *lambda.Client, do func(context.Context, *lambda.Client) error) []error {
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() { errs[i] = do(t.Context(), c) })
	}
	wg.Wait()
	return errs
}

// Another program has renewed the credentials: the call that AWS refused for the
// old ones is made once more with the new ones, and the source is read once.
func TestO2RenewedCredentialsAreReadAnew(t *testing.T) {
	each(t, func(t *testing.T, code string, proven bool, do func(context.Context, *lambda.Client) error) {
		w, keys, c, _ := kept(t, proven)
		refuses(w, code, "OURS")
		keys.turn("OURS2", "")
		for _, err := range together(t, c, do) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := keys.count(); n != 2 {
			t.Errorf("the source was read %d times", n)
		}
	})
}

// Nothing newer is there: the first call tells of all others, which are not sent;
// the source is read once more and not for each; and what is asked in the next
// round is asked of AWS again, so that a refusal that passes is not remembered.
func TestO1RefusedCredentialsSignNothingMore(t *testing.T) {
	each(t, func(t *testing.T, code string, proven bool, do func(context.Context, *lambda.Client) error) {
		w, keys, c, creds := kept(t, proven)
		refuses(w, code, "OURS")
		for range 3 { // rounds
			w.ResetCalls()
			reads := keys.count()
			if _, err := creds.Check(t.Context()); err != nil && proven {
				t.Errorf("known to be of the account, and %v", err)
			}
			err := do(t.Context(), c)
			for _, err := range append(together(t, c, do), err) {
				e, ok := errors.AsType[*state.Error](barring.Write("Op", "f", err))
				if !ok || e.Kind != state.Barred || e.Code != code {
					t.Fatalf("%+v", e)
				}
			}
			if n := refusals(w); n > 2 {
				t.Errorf("%d calls were refused", n)
			}
			if n := keys.count() - reads; n > 2 {
				t.Errorf("the source was read %d times in one round", n)
			}
			time.Sleep(time.Minute)
		}
		w.OnCall(nil)
		if _, err := creds.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := do(t.Context(), c); err != nil {
			t.Errorf("AWS takes them again: %v", err)
		}
	})
}

// What is renewed is refused as well, and again: no loop.
func TestO2NoLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, keys, c, _ := kept(t, true)
		n := 0
		w.OnCall(func(awssim.Call) awssim.Fault {
			n++
			keys.turn(fmt.Sprintf("OURS%d", n+2), "")
			return awssim.Fault{Before: &awssim.Failure{Status: 403, Code: "ExpiredTokenException"}}
		})
		if err := get(t.Context(), c); state.KindOf(barring.Read("Op", "f", err)) != state.Barred {
			t.Errorf("got %v", err)
		}
		if n > 12 {
			t.Errorf("%d calls", n)
		}
	})
}

// The credentials that assume a role are renewed, and so is the session of a role
// that AWS does not accept any more.
func TestO2RenewedForARole(t *testing.T) {
	role := "arn:aws:iam::" + ours + ":role/layerd"
	for _, code := range expiries {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := world()
				w.PutRole(awssim.Role{ARN: role})
				keys := &file{ring: ring{key: "OURS"}}
				c, _ := client(t, w, keys, awscall.Options{Account: ours, Role: role})
				if err := get(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				refuses(w, code, "OURS")
				keys.turn("OURS2", "")
				time.Sleep(2 * time.Hour) // the session has ended
				if err := get(t.Context(), c); err != nil {
					t.Error(err)
				}
				first := true
				w.OnCall(func(call awssim.Call) awssim.Fault {
					if call.Operation != "GetFunction" || !first {
						return awssim.Fault{}
					}
					first = false
					return awssim.Fault{Before: &awssim.Failure{Status: 403, Code: code}}
				})
				sessions := w.Count("AssumeRole")
				if err := get(t.Context(), c); err != nil || w.Count("AssumeRole") != sessions+1 {
					t.Errorf("%d new sessions: %v", w.Count("AssumeRole")-sessions, err)
				}
			})
		})
	}
}

// A client whose account does not matter, as that of a store, has its credentials
// read anew as well.
func TestO2RenewedForAStore(t *testing.T) {
	for _, code := range expiries {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := world()
				keys := &file{ring: ring{key: "OURS"}}
				cfg := awscall.Wire{HTTPClient: &http.Client{Transport: w.Transport()}}.Config(aws.Config{Region: region, Credentials: keys})
				c := lambda.NewFromConfig(cfg)
				if err := get(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				refuses(w, code, "OURS")
				if err := get(t.Context(), c); err == nil || keys.count() != 2 {
					t.Errorf("read %d times: %v", keys.count(), err)
				}
				time.Sleep(time.Minute)
				keys.turn("OURS2", "")
				if err := get(t.Context(), c); err != nil || keys.count() != 3 {
					t.Errorf("read %d times: %v", keys.count(), err)
				}
			})
		})
	}
}

// What is refused for its own sake, or passes, has nothing fetched anew.
func TestO2OtherErrorsFetchNothing(t *testing.T) {
	for name, fault := range map[string]func(awssim.Call) awssim.Fault{
		"denied": awssim.Denied, "throttled": func(awssim.Call) awssim.Fault { return awssim.Throttle() },
		"lost": func(awssim.Call) awssim.Fault { return awssim.LostAnswer() },
		"key": func(awssim.Call) awssim.Fault {
			return awssim.Fault{Before: &awssim.Failure{Status: 502, Code: "KMSAccessDeniedException"}}
		},
		"subscription": func(awssim.Call) awssim.Fault {
			return awssim.Fault{Before: &awssim.Failure{Status: 403, Code: "SubscriptionRequiredException"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, keys, c, _ := kept(t, true)
				w.OnCall(fault)
				_, _ = get(t.Context(), c), put(t.Context(), c)
				if n := keys.count(); n != 1 {
					t.Errorf("the source was read %d times", n)
				}
			})
		})
	}
}

package round_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
)

// answers is an answer of AWS for every call, with a code.
func answers(status int, code string) func(awssim.Call) awssim.Fault {
	return func(awssim.Call) awssim.Fault {
		return awssim.Fault{Before: &awssim.Failure{Status: status, Code: code, Message: "in AWS's own words"}}
	}
}

// TestO1OneCauseEndsTheRound: in the middle of 13 updates the account or the session
// is refused. The first, or where that could be one function's the second, tells of
// all: the rest is not tried, the Region has one failure with AWS's words, and the
// round after it is mended does the rest.
func TestO1OneCauseEndsTheRound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// fault is what AWS answers to each write from then on; reads as well where
		// the name of the case says everything.
		fault func(awssim.Call) awssim.Fault
		reads bool
		sent  int // writes that AWS gets of it at the most
		code  string
	}{
		{"ExpiredToken", answers(403, "ExpiredTokenException"), true, 1, plan.CodeRefused},
		{"ExpiredToken of writes", answers(400, "ExpiredToken"), false, 1, plan.CodeRefused},
		{"InvalidClientTokenId", answers(403, "InvalidClientTokenId"), true, 1, plan.CodeRefused},
		{"UnrecognizedClient", answers(403, "UnrecognizedClientException"), true, 1, plan.CodeRefused},
		{"SubscriptionRequired", answers(400, "SubscriptionRequiredException"), true, 1, plan.CodeRefused},
		{"OptInRequired", answers(403, "OptInRequired"), true, 1, plan.CodeRefused},
		{"AccountProblem", answers(403, "AccountProblem"), false, 1, plan.CodeRefused},
		{"AccessDenied", awssim.Denied, false, 2, plan.CodeDenied},
		{"AccessDenied everything", awssim.Denied, true, 2, plan.CodeDenied},
		{"throttled for good", func(awssim.Call) awssim.Fault { return awssim.Throttle() }, false, 13 * 5 * 8, "aws_unreachable"},
		{"no network", func(awssim.Call) awssim.Fault { return awssim.Reset() }, true, 13 * 5 * 8, "aws_unreachable"},
		{"500 for all", func(awssim.Call) awssim.Fault { return awssim.ServerError() }, true, 13 * 5 * 8, "aws_unreachable"},
	} {
		for _, at := range []int{0, 1, 5, 12} {
			t.Run(fmt.Sprintf("O1 %s after %d", c.name, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, 13, awssim.Options{})
					f.aws.RequestsPerSecond = 1 // so that one is under way at a time
					var writes atomic.Int32
					begun, refused := atomic.Bool{}, atomic.Int32{}
					f.world.OnCall(func(call awssim.Call) awssim.Fault {
						if call.Operation == "UpdateFunctionConfiguration" && int(writes.Add(1)) > at {
							begun.Store(true)
							refused.Add(1)
							return c.fault(call)
						}
						if begun.Load() && c.reads {
							return c.fault(call)
						}
						return awssim.Fault{}
					})
					r := f.apply(t.Context())
					region := r.Plans[0].Regions[0]
					n := statuses(r)
					if region.Failure == nil && at < 12 || region.Failure != nil && region.Failure.Code != c.code {
						t.Errorf("the failure is %+v", region.Failure)
					}
					if n[plan.StatusFailed] > 2 && c.code != "aws_unreachable" || n[plan.StatusApplied]+n[plan.StatusFailed]+n[plan.StatusSkipped] != 13 {
						t.Errorf("results %v", n)
					}
					if int(refused.Load()) > c.sent {
						t.Errorf("%d writes were refused", refused.Load())
					}
					tried := 0
					for _, s := range region.Steps {
						if s.Result.Status == plan.StatusSkipped {
							tried++
							if !strings.HasPrefix(s.Result.Error, "not tried: ") {
								t.Errorf("%s: %+v", s.ID, s.Result)
							}
						}
					}
					f.world.OnCall(nil)
					f.apply(t.Context())
					if left := f.behind(5); len(left) > 0 {
						t.Errorf("the round after does not change %v", left)
					}
					f.world.ResetCalls()
					if f.apply(t.Context()); f.world.Writes() != 0 {
						t.Errorf("and the next one writes %d times", f.world.Writes())
					}
				})
			})
		}
	}
}

// A missing right, a key, a state of one function stops no other, wherever it
// comes in the order, and whatever goes before and after it.
func TestO1OneFunctionsOwnTroubleStopsNoOther(t *testing.T) {
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	for name, fault := range map[string]func(awssim.Call) awssim.Fault{
		"denied": awssim.Denied, "key": answers(502, "KMSAccessDeniedException"), "parameter": answers(400, "InvalidParameterValueException"),
		"500": func(awssim.Call) awssim.Fault { return awssim.ServerError() }, "conflict": answers(409, "ResourceConflictException"),
		"throttled": func(awssim.Call) awssim.Fault { return awssim.Throttle() },
	} {
		for at := range 4 {
			t.Run(fmt.Sprintf("%s, %d", name, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, 13, awssim.Options{})
					bad := fmt.Sprintf("makoto-%04d", at*4)
					f.world.OnCall(func(c awssim.Call) awssim.Fault {
						if c.Operation == "UpdateFunctionConfiguration" && c.Resource == bad {
							return fault(c)
						}
						return awssim.Fault{}
					})
					r := f.apply(t.Context())
					if n := statuses(r); n[plan.StatusApplied] != 12 || n[plan.StatusFailed] != 1 || r.Plans[0].Regions[0].Failure != nil {
						t.Errorf("results %v, %+v", n, r.Plans[0].Regions[0].Failure)
					}
				})
			})
		}
	}
}

// offline is a network that goes away: no name is found, no connection made.
type offline struct {
	http.RoundTripper
	gone *atomic.Bool
}

func (o offline) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.gone.Load() {
		return nil, &url.Error{Op: "Post", URL: "https://lambda", Err: &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}}
	}
	return o.RoundTripper.RoundTrip(r)
}

// The record of such a round says what was done, and of nothing else that it was.
func TestO1TheRecordSaysWhatWasTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 13, awssim.Options{})
		f.aws.RequestsPerSecond = 1
		var gone atomic.Bool
		var writes atomic.Int32
		f.aws.HTTPClient = &http.Client{Transport: offline{f.world.Transport(), &gone}}
		f.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == "UpdateFunctionConfiguration" && writes.Add(1) == 5 {
				gone.Store(true)
			}
			return awssim.Fault{}
		})
		r := f.apply(t.Context())
		if failure := r.Plans[0].Regions[0].Failure; failure == nil || failure.Code != "aws_unreachable" || !failure.Retryable {
			t.Errorf("%+v", failure)
		}
		gone.Store(false)
		f.apply(t.Context())
		if left := f.behind(5); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		applied := 0
		for e, err := range history.Open(f.store, "test").Entries(t.Context(), history.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Status == plan.StatusApplied {
				applied++
			}
			if e.Status == "" {
				t.Errorf("no end: %+v", e)
			}
		}
		if applied != 13 {
			t.Errorf("%d were applied", applied)
		}
	})
}

package awscall_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

// asked is what a table of kinds was asked.
type asked struct {
	code    string
	changes bool
}

func sorter(got *[]asked) awscall.Sorter {
	return awscall.Sorter{Kind: func(code string, _ error, changes bool) state.Kind {
		*got = append(*got, asked{code, changes})
		return state.LookAgain
	}}
}

// What may have happened is told apart from what surely did not, a careful call
// is repeated only where it did not, and the table is asked about all that is
// neither our own end nor another account.
func TestLostAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		fault     func(awssim.Call) awssim.Fault
		lost      bool
		throttled bool
		code      string
		careful   int // attempts
	}{
		"throttled": {fault: func(awssim.Call) awssim.Fault { return awssim.Throttle() }, throttled: true, code: "TooManyRequestsException", careful: 8},
		"denied":    {fault: awssim.Denied, code: "AccessDeniedException", careful: 1},
		"500":       {fault: func(awssim.Call) awssim.Fault { return awssim.ServerError() }, lost: true, code: "ServiceException", careful: 1},
		"reset":     {fault: func(awssim.Call) awssim.Fault { return awssim.Reset() }, lost: true, careful: 1},
		"lost":      {fault: func(awssim.Call) awssim.Fault { return awssim.LostAnswer() }, lost: true, careful: 1},
		"late":      {fault: func(awssim.Call) awssim.Fault { return awssim.SlowAnswer(time.Hour) }, lost: true, careful: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, keys := world()
				cl, _ := client(t, w, keys, awscall.Options{Account: ours})
				w.OnCall(func(call awssim.Call) awssim.Fault {
					if call.Operation == "GetCallerIdentity" {
						return awssim.Fault{}
					}
					return c.fault(call)
				})
				_, err := cl.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f")},
					func(o *lambda.Options) { o.Retryer = awscall.Retryer(awscall.Careful) })
				if awscall.Lost(err) != c.lost || awscall.Throttled(err) != c.throttled || awscall.Ended(err) != nil || w.Count("UpdateFunctionConfiguration") != c.careful {
					t.Errorf("lost %v, throttled %v, %d attempts: %v", awscall.Lost(err), awscall.Throttled(err), w.Count("UpdateFunctionConfiguration"), err)
				}
				var got []asked
				s := sorter(&got)
				e, ok := errors.AsType[*state.Error](s.Write("Op", "f", err))
				if _ = s.Read("Op", "f", err); !ok || e.Code != c.code || e.Op != "Op" || e.Resource != "f" || e.Kind != state.LookAgain {
					t.Errorf("%+v", e)
				}
				if want := []asked{{c.code, true}, {c.code, false}}; fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("the table was asked %v, want %v", got, want)
				}
			})
		})
	}
}

// Our own end is no failure of anything, unless what was on its way may have
// happened: that is for the table.
func TestOurOwnEnd(t *testing.T) {
	for name, inFlight := range map[string]bool{"before": false, "in flight": true} {
		synctest.Test(t, func(t *testing.T) {
			w, keys := world()
			cl, creds := client(t, w, keys, awscall.Options{Account: ours})
			if _, err := creds.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.OnCall(func(awssim.Call) awssim.Fault { return awssim.Delay(time.Hour) })
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if !inFlight {
				cancel()
			}
			err := get(ctx, cl)
			var got []asked
			s := sorter(&got)
			read, write := s.Read("Op", "", err), s.Write("Op", "", err)
			if state.KindOf(read) != state.Stopped || (state.KindOf(write) != state.Stopped) != inFlight || (len(got) == 1) != inFlight {
				t.Errorf("%s: read %v, write %v, asked %v", name, state.KindOf(read), state.KindOf(write), got)
			}
			for _, err := range []error{read, write, awscall.Plain(err)} {
				if awscall.Ended(err) == nil {
					t.Errorf("%s: %v does not tell the cause", name, err)
				}
			}
		})
	}
}

// What fetched the credentials is named, and a call that needed them changed
// nothing.
func TestCallInsideACall(t *testing.T) {
	w, keys := world()
	cl, _ := client(t, w, keys, awscall.Options{Account: ours, Role: "arn:aws:iam::" + ours + ":role/missing"})
	var got []asked
	e, ok := errors.AsType[*state.Error](sorter(&got).Write("UpdateFunctionConfiguration", "f", get(t.Context(), cl)))
	if !ok || e.Op != "AssumeRole" || e.Resource != "" || len(got) != 1 || got[0] != (asked{"AccessDenied", false}) {
		t.Errorf("%+v, asked %v", e, got)
	}

	imds := &smithy.OperationError{ServiceID: "Lambda", OperationName: "GetFunction", Err: fmt.Errorf("get credentials: %w",
		&smithy.OperationError{ServiceID: "ec2imds", OperationName: "GetMetadata", Err: errors.New("404 at http://169.254.169.254")})}
	e, ok = errors.AsType[*state.Error](sorter(&got).Read("GetFunction", "f", imds))
	if !ok || e.Op != "GetFunction" || e.Kind != state.Barred || e.Message != "no AWS credentials found" {
		t.Errorf("%+v", e)
	}
	imds.Err = fmt.Errorf("%w: %w", imds.Err, context.Canceled)
	if err := sorter(&got).Read("GetFunction", "f", imds); state.KindOf(err) != state.Stopped {
		t.Errorf("our own end while credentials are looked for: %v, %v", state.KindOf(err), err)
	}
}

func TestSortPassesOn(t *testing.T) {
	var got []asked
	if err := sorter(&got).Read("Op", "", nil); err != nil {
		t.Error(err)
	}
	wrong := &state.WrongAccountError{Want: ours, Have: theirs}
	if err := sorter(&got).Write("Op", "f", fmt.Errorf("sign: %w", wrong)); err != error(wrong) || len(got) > 0 {
		t.Errorf("%v, asked %v", err, got)
	}
}

func TestNeverSent(t *testing.T) {
	for err, want := range map[error]bool{
		&url.Error{Op: "Put", URL: "https://x", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}: true,
		&url.Error{Op: "Put", URL: "https://x", Err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}}:   false,
		fmt.Errorf("call: %w", &awscall.UnsentError{Err: errors.New("the lease ended")}):                  true,
		errors.New("x"): false,
	} {
		if awscall.NeverSent(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}

func TestPlain(t *testing.T) {
	const secret = "token=hunter2"
	for err, want := range map[error]string{
		&url.Error{Op: "Put", URL: "https://x?" + secret, Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}: "no answer: dial: connection refused",
		errors.New("first\nsecond " + secret):                    "first",
		&awscall.UnsentError{Err: errors.New("the lease ended")}: "not sent: the lease ended",
		fmt.Errorf("x %s: %w", secret, context.Canceled):         "context canceled",
	} {
		if got := awscall.Plain(err); got.Error() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		" Rate exceeded ": "Rate exceeded",
		"The request signature does not match.\n\nThe Canonical String was\nx-amz-security-token:hunter2": "The request signature does not match.",
		"see https://b.s3.amazonaws.com/k?X-Amz-Signature=hunter2&x=1 for more":                           "see https://b.s3.amazonaws.com/k?… for more",
		strings.Repeat("é", 600): strings.Repeat("é", 500) + "…",
		"":                       "",
	} {
		if got := awscall.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

package sqs

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

func open(t *testing.T, w *awssim.World, url string) *Queue {
	t.Helper()
	q, err := New(aws.Config{
		Region:     "us-west-2", // another one than the queue's
		HTTPClient: &http.Client{Transport: w.Transport()}, Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
	}, url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestMessagesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Region: "ap-northeast-1"})
		q := open(t, w, w.Forward("layerd", nil))
		began := time.Now()
		if got, err := q.Receive(t.Context()); err != nil || len(got) != 0 || time.Since(began) != wait {
			t.Errorf("%d messages, %v, after %v", len(got), err, time.Since(began))
		}
		for range 23 {
			w.Send("layerd", "hello")
		}
		for w.Waiting("layerd") > 0 {
			got, err := q.Receive(t.Context())
			if err != nil || len(got) == 0 || got[0].Body != "hello" || time.Since(got[0].Sent) > time.Second {
				t.Fatalf("%+v, %v", got, err)
			}
			if err := q.Delete(t.Context(), got); err != nil {
				t.Fatal(err)
			}
		}
		// What is not deleted is there again soon.
		w.Send("layerd", "left")
		for range 3 {
			if got, err := q.Receive(t.Context()); err != nil || len(got) != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		if age := time.Since(began); age > wait+3*Hidden {
			t.Errorf("it took %v", age)
		}
	})
}

// A wait that is ended from outside ends at once, and is no failure of the queue.
func TestAWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Region: "ap-northeast-1"})
		q := open(t, w, w.Forward("layerd", nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := q.Receive(ctx)
		if state.KindOf(err) != state.Stopped || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestWhatErrorsMean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Region: "ap-northeast-1"})
		url := w.Forward("layerd", nil)
		for name, tt := range map[string]struct {
			url   string
			fault func(awssim.Call) awssim.Fault
			want  state.Kind
			code  string
		}{
			"no such queue": {url: url + "x", want: state.Human, code: "QueueDoesNotExist"},
			"denied":        {url: url, fault: awssim.Denied, want: state.Human, code: "AccessDeniedException"},
			"away":          {url: url, fault: func(awssim.Call) awssim.Fault { return awssim.ServerError() }, want: state.Again},
			"cut off":       {url: url, fault: func(awssim.Call) awssim.Fault { return awssim.Reset() }, want: state.Again},
		} {
			w.OnCall(func(c awssim.Call) awssim.Fault {
				if tt.fault != nil && c.Service == "sqs" {
					return tt.fault(c)
				}
				return awssim.Fault{}
			})
			_, err := open(t, w, tt.url).Receive(t.Context())
			e, ok := errors.AsType[*state.Error](err)
			if !ok || e.Kind != tt.want || tt.code != "" && e.Code != tt.code && e.Code != "AWS.SimpleQueueService.NonExistentQueue" {
				t.Errorf("%s: %#v", name, err)
			}
		}
	})
}

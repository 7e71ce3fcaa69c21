package notifytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/notify"
)

// Contract is one implementation of notify.Target.
type Contract struct {
	// New returns a target that makes its calls through w.
	New func(w http.RoundTripper) notify.Target
	// Secrets are what the target was given in confidence, in all the parts
	// that would help somebody who reads a log.
	Secrets []string
	// Service returns a fresh service, which answers as the real one does and
	// refuses what it refuses. An error fails the test: the service would have
	// taken it, and should not have been sent it.
	Service func() func(r *http.Request) (status int, body string, err error)
}

// Run checks one implementation.
func Run(t *testing.T, c Contract) {
	t.Run("delivers", c.delivers)
	t.Run("sorts answers", c.sortsAnswers)
	t.Run("passes on when to come back", c.retryAfter)
	t.Run("survives the network", c.network)
	t.Run("follows no redirect", c.redirect)
	t.Run("ends with its context", c.cancelled)
	t.Run("fits", c.fits)
}

// wire is a network that answers as a test wants, and counts.
type wire struct {
	mu     sync.Mutex // guards calls
	calls  int
	answer func(r *http.Request) (reply, error)
}

// reply is an answer.
type reply struct {
	status int
	body   string
	header http.Header
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.calls++
	w.mu.Unlock()
	a, err := w.answer(r)
	if err != nil {
		return nil, err
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	return &http.Response{
		StatusCode: a.status, Status: fmt.Sprint(a.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r,
	}, nil
}

func (c Contract) accept(t *testing.T) func(r *http.Request) (reply, error) {
	service := c.Service()
	return func(r *http.Request) (reply, error) {
		status, body, err := service(r)
		if err != nil {
			t.Error(err)
		}
		return reply{status: status, body: body}, nil
	}
}

func (c Contract) delivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: c.accept(t)}
		target := c.New(w)
		if target.Name() == "" || target.Name() != c.New(w).Name() {
			t.Errorf("the name is %q and %q", target.Name(), c.New(w).Name())
		}
		if err := target.Send(t.Context(), Plain()); err != nil || w.calls != 1 {
			t.Errorf("%d calls, %v", w.calls, err)
		}
	})
}

// want is how an answer must be sorted. Which of the two it is that a refusal
// asks for depends on the service's words.
func want(status int) []notify.Verdict {
	switch {
	case status == 408, status == 425, status == 429, status >= 500:
		return []notify.Verdict{notify.Later}
	case status == 413:
		return []notify.Verdict{notify.Never}
	default:
		return []notify.Verdict{notify.Broken, notify.Never}
	}
}

// sortsAnswers goes through all codes, with a body that repeats the request as
// proxies do.
func (c Contract) sortsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status, accept := 0, c.accept(t)
		w := &wire{answer: func(r *http.Request) (reply, error) {
			body := fmt.Sprintf("<h1>%s %s</h1> %s", r.Method, r.URL, strings.Join(c.Secrets, " "))
			header := http.Header{"Location": {r.URL.String() + "/elsewhere"}, "Www-Authenticate": {"Basic realm=" + r.URL.String()}}
			if status < 300 {
				return accept(r)
			}
			return reply{status, body, header}, nil
		}}
		target := c.New(w)
		for status = 200; status < 600; status++ {
			err := target.Send(t.Context(), Plain())
			if status < 300 {
				if err != nil {
					t.Errorf("%d: %v", status, err)
				}
				continue
			}
			c.check(t, err)
			if e, ok := errors.AsType[*notify.SendError](err); !ok || !slices.Contains(want(status), e.Verdict) {
				t.Errorf("%d gives %#v, want one of %v", status, err, want(status))
			} else if !strings.Contains(e.Reason, fmt.Sprint(status)) {
				t.Errorf("the reason does not say %d: %s", status, e.Reason)
			}
		}
	})
}

// check holds an error against the secrets.
func (c Contract) check(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	AssertLeaksNoSecret(t, err, c.Secrets...)
}

// AssertLeaksNoSecret fails if any form of an error holds a secret, also one
// that it wraps.
func AssertLeaksNoSecret(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, form := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e), fmt.Sprintf("%q", e)} {
			for _, s := range secrets {
				if strings.Contains(form, s) || strings.Contains(form, url.QueryEscape(s)) {
					t.Errorf("%q leaks %q", form, s)
				}
			}
		}
	}
}

func (c Contract) retryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		header := http.Header{}
		w := &wire{answer: func(r *http.Request) (reply, error) { return reply{429, "rate_limited", header}, nil }}
		target := c.New(w)
		for text, want := range map[string]time.Duration{"30": 30 * time.Second, "1": time.Second, "": 0, "soon": 0, "-5": 0} {
			header.Set("Retry-After", text)
			err := target.Send(t.Context(), Plain())
			if e, ok := errors.AsType[*notify.SendError](err); !ok || e.RetryAfter != want || e.Verdict != notify.Later {
				t.Errorf("Retry-After %q gives %#v, want %s", text, err, want)
			}
		}
		// A date counts from the moment of the answer, which the fake gives it.
		w.answer = func(r *http.Request) (reply, error) {
			at := time.Now().UTC().Add(2 * time.Minute).Truncate(time.Second)
			return reply{429, "", http.Header{"Retry-After": {at.Format(http.TimeFormat)}}}, nil
		}
		err := target.Send(t.Context(), Plain())
		if e, ok := errors.AsType[*notify.SendError](err); !ok || e.RetryAfter <= 110*time.Second || e.RetryAfter > 2*time.Minute {
			t.Errorf("a date gives %#v", err)
		}
	})
}

// network goes through what can happen on the way, each with the secret in it.
func (c Contract) network(t *testing.T) {
	secret := strings.Join(c.Secrets, " ")
	for name, fail := range map[string]func(r *http.Request) error{
		"no such host": func(r *http.Request) error { return &net.DNSError{Err: "no such host " + secret, Name: r.URL.String()} },
		"refused": func(r *http.Request) error {
			return &net.OpError{Op: "dial " + r.URL.String(), Net: secret, Err: errors.New("connect: refused by " + secret)}
		},
		"proxy": func(r *http.Request) error { return fmt.Errorf("proxyconnect %s: %s", r.URL, secret) },
		"reset": func(r *http.Request) error { return fmt.Errorf("read %s: %w", r.URL, io.ErrUnexpectedEOF) },
		"no answer": func(r *http.Request) error {
			<-r.Context().Done()
			return fmt.Errorf("%s: %w", r.URL, r.Context().Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answer: func(r *http.Request) (reply, error) { return reply{}, fail(r) }}
				start := time.Now()
				err := c.New(w).Send(t.Context(), Plain())
				c.check(t, err)
				if e, ok := errors.AsType[*notify.SendError](err); !ok || e.Verdict != notify.Later {
					t.Errorf("%#v", err)
				}
				if took := time.Since(start); took > time.Minute {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func (c Contract) redirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{answer: func(r *http.Request) (reply, error) {
				return reply{status, "", http.Header{"Location": {"https://elsewhere.example/" + c.Secrets[0]}}}, nil
			}}
			c.check(t, c.New(w).Send(t.Context(), Plain()))
			if w.calls != 1 {
				t.Errorf("%d was followed: %d calls", status, w.calls)
			}
		})
	}
}

func (c Contract) cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(r *http.Request) (reply, error) {
			<-r.Context().Done()
			return reply{}, &url.Error{Op: "Post", URL: r.URL.String(), Err: r.Context().Err()}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel()
		}()
		err := c.New(w).Send(ctx, Plain())
		c.check(t, err)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// fits sends what is too long, too much and too clever.
func (c Contract) fits(t *testing.T) {
	for name, m := range Monsters() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := c.New(&wire{answer: c.accept(t)}).Send(t.Context(), m); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Plain is a message without anything special.
func Plain() notify.Message {
	return notify.Message{
		ID: "prod#1", Status: notify.Opened, Severity: notify.Warning, Title: "prod: something is so",
		Alert:    notify.ID{Kind: notify.Drift, Environment: "prod", Region: "ap-northeast-1", Key: "makoto-common"},
		Sections: []notify.Section{{Text: "It is so."}}, At: time.Date(2026, 11, 25, 1, 30, 0, 0, time.UTC),
	}
}

// Monsters are messages that no service takes as they are.
func Monsters() map[string]notify.Message {
	long, many, clever, empty, folded := Plain(), Plain(), Plain(), Plain(), Plain()
	long.Title = strings.Repeat("長い&<", 300)
	long.Sections = []notify.Section{{Text: strings.Repeat("&", 9000)}, {Text: strings.Repeat("🚀", 9000)}, {Items: []string{strings.Repeat("<", 9000)}}}
	long.Context = strings.Repeat("c", 9000)
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("makoto-chat-handler-with-a-name-as-long-as-aws-allows-%04d", i))
	}
	many.Sections = nil
	for range 90 {
		many.Sections = append(many.Sections, notify.Section{Text: "They are many:", Items: names, More: 987})
	}
	many.Sections = append(many.Sections, notify.Section{Text: "To release it:", Code: "layerd approve prod 0123456789abcdef"})
	hostile := "<!channel> <!here> <@U0001> <#C0001> <https://evil.example|click me> @channel @here *bold* ``` & \x00\x1b[31m \u202eevil \u2066\u009b8m\u200b\ufeff\U000e0041\u2028\r\n\b\x7f \xff"
	clever.Title, clever.Context = hostile, hostile
	clever.Sections = []notify.Section{{Text: hostile, Items: []string{hostile, hostile}, Code: hostile}}
	var lines []notify.Section
	for range 200 {
		lines = append(lines, notify.Section{Text: "x"})
	}
	short := Plain()
	short.Sections = lines
	empty.Sections, empty.Title, empty.Context = []notify.Section{{}, {}}, "", ""
	folded.Folded = 12
	return map[string]notify.Message{"long": long, "many": many, "short": short, "clever": clever, "empty": empty, "folded": folded}
}

package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/notify"
)

// flaky is a target that is away while err is not nil.
type flaky struct {
	reader
	name string
	mu   sync.Mutex // guards err
	err  error
}

func (f *flaky) Name() string { return f.name }

func (f *flaky) Send(ctx context.Context, m notify.Message) error {
	f.mu.Lock()
	err := f.err
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.reader.Send(ctx, m)
}

func (f *flaky) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// secret is one that is there while err is nil.
type secret struct {
	mu  sync.Mutex // guards err
	err error
}

func (s *secret) read(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *secret) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

var errRevoked = &notify.SendError{Verdict: notify.Broken, Reason: "slack: 404 Not Found: no_service"}

// Q3, Q4: what is no matter of Git and a person has to mend as well: a target that
// takes no messages and a secret that is gone are each in the log, in readyz, in
// the metrics and in an alert, with since when; once, and no more as soon as they
// work, by themselves.
func TestQ3Q4EverySourceIsHeardOf(t *testing.T) {
	slackURL := "read secret file /run/secrets/slack: no such file or directory"
	sources := map[string]struct {
		breaks func(slack, there *flaky, gone *secret)
		kind   notify.Kind
		place  string
		text   string
		log    string
	}{
		"a webhook that is revoked": {func(s, _ *flaky, _ *secret) { s.set(errRevoked) },
			notify.DeliveryFailed, "slack", "404 Not Found: no_service", "target takes no messages"},
		"a token that is wrong": {func(s, _ *flaky, _ *secret) {
			s.set(&notify.SendError{Verdict: notify.Broken, Reason: "slack: 403 Forbidden: invalid_token"})
		}, notify.DeliveryFailed, "slack", "403 Forbidden: invalid_token", "target takes no messages"},
		"a host without a name": {func(s, _ *flaky, _ *secret) {
			s.set(&notify.SendError{Verdict: notify.Later, Reason: "slack: the name of the host was not found"})
		}, notify.DeliveryFailed, "slack", "the name of the host was not found", "target takes no messages"},
		"a pause of an hour": {func(s, _ *flaky, _ *secret) {
			s.set(&notify.SendError{Verdict: notify.Later, Reason: "slack: 429", RetryAfter: time.Hour})
		}, notify.DeliveryFailed, "slack", "slack: 429", "target takes no messages"},
		"the file of a webhook": {func(_, _ *flaky, g *secret) { g.set(errors.New(slackURL)) },
			notify.SecretUnreadable, "notify[0].slack.webhook_url", slackURL, "secret cannot be read"},
		"a store of secrets": {func(_, _ *flaky, g *secret) {
			g.set(errors.New("read secret secretsmanager layerd/slack: GetSecretValue: AccessDeniedException: no"))
		}, notify.SecretUnreadable, "notify[0].slack.webhook_url", "AccessDeniedException", "secret cannot be read"},
	}
	for _, name := range nightly.Sample(slices.Sorted(maps.Keys(sources)), 2) {
		tt := sources[name]
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 2)
				slack, there, gone := &flaky{name: "slack"}, &flaky{name: "there"}, &secret{}
				var log logText
				var d *daemon.Daemon
				stop := s.startOddly(func(o *daemon.Options) {
					o.Log = slog.New(slog.NewTextHandler(&log, nil))
					o.Targets = []notify.Target{slack, there}
					o.Secrets = []daemon.Secret{{Key: "notify[0].slack.webhook_url", Read: gone.read}}
				}, &d)
				defer stop()
				time.Sleep(10 * time.Minute)
				if h := d.Health(); !h.Ready || len(d.Problems()) != 0 {
					t.Fatalf("%q", h.Reasons)
				}
				slack.take()
				there.take()
				tt.breaks(slack, there, gone)
				began := time.Now()
				s.meddle(otherAccount, "makoto-00", 3) // there is something to tell: it waits for its window
				time.Sleep(30 * time.Minute)
				h := d.Health()
				i := slices.IndexFunc(h.Reasons, func(r string) bool { return strings.Contains(r, tt.text) && strings.Contains(r, tt.place) })
				if h.Ready || len(h.Reasons) != 1 || i < 0 {
					t.Fatalf("ready %v: %q", h.Ready, h.Reasons)
				}
				list := d.Problems()
				if len(list) != 1 || list[0].Code != string(tt.kind) || list[0].Place != tt.place || list[0].Since.Sub(began) > 2*time.Minute || list[0].Since.Before(began) {
					t.Errorf("%+v", list)
				}
				if since := "since " + list[0].Since.UTC().Format(time.RFC3339); !strings.HasSuffix(h.Reasons[i], since) {
					t.Errorf("%q does not say %s", h.Reasons[i], since)
				}
				shows(t, "broken", scrape(t, &process{daemon: d}), fmt.Sprintf(`layerd_problems{code=%q,env="",severity="error"} 1`, tt.kind), "layerd_ready 0")
				if tt.kind == notify.DeliveryFailed && !strings.Contains(h.Reasons[i], "1 message waits") {
					t.Errorf("%q does not say how many wait", h.Reasons[i])
				}
				if got := strings.Count(log.String(), "level=ERROR"); got != 1 || !strings.Contains(log.String(), tt.log) {
					t.Errorf("%d errors in the log:\n%s", got, &log)
				}
				if n, text := told(there.take(), tt.kind, notify.Opened); n != 1 || !strings.Contains(text, tt.text) {
					t.Errorf("told %d times: %s", n, text)
				}
				slack.set(nil)
				gone.set(nil)
				time.Sleep(time.Hour + 2*time.Minute)
				if h := d.Health(); !h.Ready || len(d.Problems()) != 0 {
					t.Errorf("it works, and: %q", h.Reasons)
				}
				shows(t, "mended", scrape(t, &process{daemon: d}), "-layerd_problems", "layerd_notify_waiting 0", "layerd_ready 1")
				if n, _ := told(there.take(), tt.kind, notify.Resolved); n != 1 {
					t.Errorf("resolved %d times", n)
				}
				if n, text := told(slack.take(), notify.Drift, notify.Opened); n != 1 {
					t.Errorf("what waited arrived %d times: %s", n, text)
				}
				if got := strings.Count(log.String(), "level=ERROR"); got != 1 || !strings.Contains(log.String(), "again") {
					t.Errorf("%d errors in the log at the end:\n%s", got, &log)
				}
			})
		})
	}
}

// Q4: what Slack does not take at its only target is on record all the same, and a
// restart and a reload try at once, with the loudest.
func TestQ4ARestartWithALongQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 2)
		slack := &flaky{name: "slack", err: &notify.SendError{Verdict: notify.Later, Reason: "slack: 429", RetryAfter: time.Hour}}
		s.target = slack
		p := s.start("one")
		time.Sleep(5 * time.Minute) // two first looks wait
		s.commit("Not valid", map[string]string{"environments/dev.yaml": "acount: 1\n"})
		time.Sleep(20 * time.Minute)
		reasons := fmt.Sprint(p.daemon.Health().Reasons)
		if !strings.Contains(reasons, "slack: it takes no messages, 3 messages wait: slack: 429 (delivery_failed), since 2000-01-01T00:00:0") {
			t.Errorf("%s", reasons)
		}
		p.stop()
		slack.set(nil)
		time.Sleep(time.Minute)
		p = s.start("two")
		defer p.stop()
		time.Sleep(20 * time.Second)
		got := slack.take()
		// Another account's may be known a moment earlier.
		got = slices.DeleteFunc(got, func(m notify.Message) bool { return m.Alert.Environment == "prod" })
		if len(got) != 2 || got[0].Alert.Kind != notify.DesiredInvalid || got[1].Alert.Kind != notify.Baseline {
			t.Errorf("after 20 s it has %d: %+v", len(got), got)
		}
		time.Sleep(20 * time.Minute)
		if got := slack.take(); len(got) != 0 {
			t.Errorf("told again: %+v", got)
		}
	})
}

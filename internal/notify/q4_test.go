package notify_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/store"
)

// gate is a channel that is away while shut is not nil.
type gate struct {
	channel
	shut error
}

func newGate(name string, shut error) *gate {
	g := &gate{channel: channel{name: name}, shut: shut}
	g.refuse = func(notify.Message) error { return g.shut }
	return g
}

var errRevoked = &notify.SendError{Verdict: notify.Broken, Reason: "slack: 404 Not Found: no_service"}

// loop delivers for a while as the daemon does: when something is due, and at
// least once a minute.
func loop(t *testing.T, b *notify.Book, length time.Duration) {
	t.Helper()
	for end := time.Now().Add(length); time.Now().Before(end); {
		d, err := b.Deliver(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wait := min(time.Minute, time.Until(end))
		if !d.Next.IsZero() {
			wait = min(wait, max(time.Until(d.Next), time.Second))
		}
		time.Sleep(wait)
	}
}

// Q4: whatever a target answers for an hour, it is tried at most a minute apart, or
// as it asks but at most an hour, and has what waits a minute after it is back.
func TestQ4TriesAreAMinuteApart(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		apart time.Duration
	}{
		"revoked":                {errRevoked, time.Minute},
		"a token that is wrong":  {&notify.SendError{Verdict: notify.Broken, Reason: "slack: 403 Forbidden: invalid_token"}, time.Minute},
		"gone":                   {&notify.SendError{Verdict: notify.Broken, Reason: "slack: 410 Gone"}, time.Minute},
		"away":                   {&notify.SendError{Verdict: notify.Later, Reason: "slack: the name of the host was not found"}, time.Minute},
		"unsorted":               {errors.New("who knows"), time.Minute},
		"asks for ten seconds":   {later(10 * time.Second), time.Minute},
		"asks for ten minutes":   {later(10 * time.Minute), 10 * time.Minute},
		"asks for a day":         {later(24 * time.Hour), time.Hour},
		"asks for ever":          {later(1 << 62), time.Hour},
		"the address is missing": {&notify.SendError{Verdict: notify.Later, Reason: "slack: read the address of the webhook: no such file"}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newGate("c", tt.err)
				b := queue(t, store.NewMemory(), 12, c)
				loop(t, b, 4*time.Hour)
				for i := range c.at[1:] {
					if got := c.at[i+1].Sub(c.at[i]); got > tt.apart {
						t.Fatalf("%s between two tries", got)
					}
				}
				if most := 2*int(4*time.Hour/time.Minute) + 100; len(c.at) > most && name != "asks for ten seconds" {
					t.Errorf("%d tries in four hours", len(c.at))
				}
				if len(c.took) != 0 {
					t.Fatal("something was taken")
				}
				c.shut = nil
				loop(t, b, tt.apart+time.Second)
				if len(c.took) != 12 {
					t.Errorf("%d of 12 messages arrived", len(c.took))
				}
				if s := b.Targets(); !s[0].Since.IsZero() || s[0].Waiting != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// Q4: a new message tries at once, unless the target itself asked for a pause; one
// that hangs is not asked more often for that.
func TestQ4ANewMessageTriesAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want int
	}{"revoked": {errRevoked, 1}, "asked for a pause": {later(time.Hour), 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newGate("c", tt.err)
				b := queue(t, store.NewMemory(), 3, c)
				loop(t, b, 10*time.Minute+time.Second)
				before := len(c.at)
				c.shut = nil
				if _, err := b.TellRepository(t.Context(), notify.Repository{Now: time.Now(), ReadAt: time.Now().Add(-time.Hour)}); err != nil {
					t.Fatal(err)
				}
				if _, err := b.Deliver(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := len(c.at) - before; min(got, 1) != tt.want {
					t.Errorf("%d tries at once", got)
				}
			})
		})
	}
}

// Q4: of what waits the loudest is first, whatever came first and wherever it is
// from; among equals the oldest.
func TestQ4LoudestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newGate("c", errRevoked)
		b, w := book(store.NewMemory(), c), notifytest.NewWorld()
		w.Zone = time.UTC
		step := func(change func(*notify.Situation)) {
			t.Helper()
			time.Sleep(time.Minute)
			w.Now = time.Now()
			x := w.Round()
			change(&x)
			if _, err := b.Tell(t.Context(), x); err != nil {
				t.Fatal(err)
			}
		}
		step(func(*notify.Situation) {})                                                        // info
		step(func(x *notify.Situation) { x.Ended = []history.Entry{entry("f1", w.Now)} })       // info
		step(func(*notify.Situation) { w.Meddle("makoto-api", notifytest.Common.Version(11)) }) // seen by the next
		step(func(*notify.Situation) {})                                                        // warning
		step(func(x *notify.Situation) {
			e := entry("f2", w.Now)
			e.Status, e.Error = "failed", "no"
			x.Ended = []history.Entry{e}
		}) // failure
		if _, err := b.TellRepository(t.Context(), notify.Repository{Now: time.Now(), ReadAt: time.Now().Add(-time.Hour)}); err != nil {
			t.Fatal(err)
		}
		loop(t, b, time.Hour)
		c.shut = nil
		loop(t, b, 2*time.Minute)
		var got []string
		for _, m := range c.took {
			got = append(got, string(m.Severity)+" "+string(m.Alert.Kind))
		}
		want := []string{"failure git_stale", "failure apply_failed", "warning drift", "info baseline", "info change_applied"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Q4: an alert that comes while a long queue is delivered is next.
func TestQ4ARedAlertOvertakesAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newGate("c", nil)
		b := queue(t, store.NewMemory(), 40, c)
		c.refuse = func(notify.Message) error {
			time.Sleep(time.Second)
			if len(c.took) == 3 {
				_, err := b.TellRepository(t.Context(), notify.Repository{Now: time.Now(), ReadAt: time.Now().Add(-time.Hour)})
				return err
			}
			return nil
		}
		loop(t, b, 2*time.Minute)
		if len(c.took) != 41 || c.took[4].Alert.Kind != notify.GitStale {
			t.Errorf("of %d messages it is not the fifth: %q", len(c.took), c.titles())
		}
	})
}

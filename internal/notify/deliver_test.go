package notify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/store"
)

// queue returns a book in which n messages wait, each about its own function.
func queue(t *testing.T, s store.Store, n int, targets ...notify.Target) *notify.Book {
	t.Helper()
	b, w := book(s, targets...), notifytest.NewWorld()
	w.Now = time.Now()
	for i := range n {
		w.Now = w.Now.Add(time.Second)
		x := w.Round()
		if i > 0 {
			e := entry(fmt.Sprint("f", i), w.Now)
			e.Layer = fmt.Sprint("layer-", i%7)
			x.Ended = []history.Entry{e}
		}
		if _, err := b.Tell(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// deliver delivers until nothing waits, as the daemon does, and gives all that
// was refused.
func deliver(t *testing.T, b *notify.Book, most time.Duration) (failed []notify.Undelivered) {
	t.Helper()
	start := time.Now()
	for {
		d, err := b.Deliver(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		failed = append(failed, d.Failed...)
		if d.Waiting == 0 {
			if !d.Next.IsZero() {
				t.Errorf("nothing waits until %s", d.Next)
			}
			return failed
		}
		if d.Next.IsZero() || time.Since(start) > most {
			t.Fatalf("after %s %d messages wait until %s", time.Since(start), d.Waiting, d.Next)
		}
		if !d.Next.After(time.Now()) {
			t.Fatalf("what could be tried now was not tried")
		}
		time.Sleep(time.Until(d.Next))
	}
}

func later(after time.Duration) error {
	return &notify.SendError{Verdict: notify.Later, Reason: "slack: 429", RetryAfter: after}
}

func TestRetry(t *testing.T) {
	fails := func(n int, err error) func(notify.Message) error {
		return func(notify.Message) error {
			if n--; n >= 0 {
				return err
			}
			return nil
		}
	}
	seconds := func(list []time.Time) (out []int) {
		for i := range list[1:] {
			out = append(out, int(list[i+1].Sub(list[i]).Seconds()))
		}
		return out
	}
	for _, tc := range []struct {
		name   string
		refuse func(notify.Message) error
		want   []int // seconds between attempts
	}{
		{"at once", nil, nil},
		{"as asked", fails(2, later(90*time.Second)), []int{90, 90}},
		{"as asked, and an hour at most", fails(2, later(5*time.Hour)), []int{3600, 3600}},
		{"a minute apart at most", fails(9, errors.New("who knows")), []int{10, 20, 60, 60, 60, 60, 60, 60, 60}},
		{"until a person mends it", fails(5, &notify.SendError{Verdict: notify.Broken, Reason: "no_service"}), []int{10, 20, 40, 60, 60}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &channel{name: "c", refuse: tc.refuse}
				b := queue(t, store.NewMemory(), 1, c)
				failed := deliver(t, b, 24*time.Hour)
				if got := seconds(c.at); !slices.Equal(got, tc.want) || len(failed) != len(tc.want) || len(c.took) != 1 {
					t.Errorf("tried after %v s, want %v; %d failures, %d taken", got, tc.want, len(failed), len(c.took))
				}
				for _, f := range failed {
					if f.Dropped || f.Target != "c" || f.Err == nil || f.Message.Title == "" {
						t.Errorf("%+v", f)
					}
				}
			})
		})
	}
}

// Q4: what a restart finds waiting is tried at once, whatever the target asked of
// the process before, and whatever an earlier release noted.
func TestQ4ARestartTriesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := store.NewMemory(), &channel{name: "c", refuse: func(notify.Message) error { return later(time.Hour) }}
		b := queue(t, s, 2, c)
		if _, err := b.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.refuse = nil
		again := book(s, c)
		if _, err := again.Cursor(t.Context(), "prod"); err != nil { // what a daemon begins with
			t.Fatal(err)
		}
		if d, err := again.Deliver(t.Context()); err != nil || d.Waiting != 0 {
			t.Fatalf("%+v, %v, tried %d times", d, err, len(c.at))
		}
		if diff := cmp.Diff([]string{"prod#1", "prod#2"}, ids(c)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Messages stay in order, targets do not wait for each other, and a message
// that is refused for good or again and again does not hold up the others.
func TestOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		refuse  error
		dropped int
	}{
		"refused for good":        {&notify.SendError{Verdict: notify.Never, Reason: "invalid_blocks"}, 1},
		"refused again and again": {&notify.SendError{Verdict: notify.Later, Reason: "rollup_error"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fine := &channel{name: "fine"}
				bad := &channel{name: "bad", refuse: func(m notify.Message) error {
					if strings.HasSuffix(m.ID, "#3") {
						return tc.refuse
					}
					return nil
				}}
				b := queue(t, store.NewMemory(), 6, fine, bad)
				all := func(numbers ...int) (list []string) {
					for _, n := range numbers {
						list = append(list, fmt.Sprintf("prod#%d", n))
					}
					return list
				}
				d, err := b.Deliver(t.Context())
				if err != nil || len(d.Failed) != 1 {
					t.Errorf("%+v, %v", d, err)
				}
				if diff := cmp.Diff(all(1, 2, 3, 4, 5, 6), ids(fine)); diff != "" {
					t.Errorf("one target waits for the other (-want +got):\n%s", diff)
				}
				// Whatever it is about the third message, the others get through.
				for start := time.Now(); len(bad.took) < 5; {
					next, err := b.Deliver(t.Context())
					if err != nil || time.Since(start) > 2*time.Hour {
						t.Fatalf("after %s only %v got through, %v", time.Since(start), ids(bad), err)
					}
					d.Failed = append(d.Failed, next.Failed...)
					if len(bad.took) < 5 {
						time.Sleep(time.Until(next.Next))
					}
				}
				w := notifytest.NewWorld()
				w.Now = time.Now()
				x := w.Round()
				x.Ended = []history.Entry{entry("later", w.Now)}
				if _, err := b.Tell(t.Context(), x); err != nil {
					t.Fatal(err)
				}
				if next, err := b.Deliver(t.Context()); err != nil || next.Sent != 2 {
					t.Errorf("a message that is queued later waits for it: %+v, %v", next, err)
				}
				failed := append(d.Failed, deliver(t, b, 8*24*time.Hour)...)
				if diff := cmp.Diff(all(1, 2, 4, 5, 6, 7), ids(bad)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				dropped := 0
				for _, f := range failed {
					if f.Dropped {
						dropped++
					}
				}
				if dropped != tc.dropped {
					t.Errorf("%d of %d failures say that the message was dropped", dropped, len(failed))
				}
			})
		})
	}
}

func ids(c *channel) (list []string) {
	for _, m := range c.took {
		list = append(list, m.ID)
	}
	return list
}

// A target that is down is tried once a turn, not once for each message.
func TestATargetThatIsDownIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{name: "c", refuse: func(notify.Message) error { return later(0) }}
		b := queue(t, store.NewMemory(), 50, c)
		for range 3 {
			if _, err := b.Deliver(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if len(c.at) != 1 {
			t.Errorf("tried %d times", len(c.at))
		}
	})
}

// When too much waits, the oldest of the same alert go, and that is said.
func TestTheOutboxIsBounded(t *testing.T) {
	nightly.NotShort(t, "it queues one message after the other")
	synctest.Test(t, func(t *testing.T) {
		s, c := store.NewMemory(), &channel{name: "c"}
		const n = 1 + 7*40
		b, w := queue(t, s, 1, c), notifytest.NewWorld()
		for range n / 7 {
			w.Now = time.Now()
			x := w.Round()
			for layer := range 7 {
				e := entry(fmt.Sprint("f", layer, w.Now.Unix()), w.Now)
				e.Layer = fmt.Sprint("layer-", layer)
				x.Ended = append(x.Ended, e)
			}
			if _, err := b.Tell(t.Context(), x); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		v, err := s.Get(t.Context(), store.Key("alert", repository, "prod"))
		if err != nil || len(v.Data) > store.MaxValue*2/3 {
			t.Errorf("%d bytes, %v", len(v.Data), err)
		}
		deliver(t, b, time.Hour)
		folded, titles := 0, map[notify.ID]bool{}
		for _, m := range c.took {
			folded += m.Folded
			titles[m.Alert] = true
		}
		if len(c.took) != 200 || folded != n-200 { // document.go: mostWaiting
			t.Errorf("%d arrived and %d are said to be dropped, of %d", len(c.took), folded, n)
		}
		if len(titles) != 8 || c.took[0].Alert.Kind != notify.Baseline {
			t.Errorf("of some alerts nothing arrived: %v", titles)
		}
		if last := c.took[len(c.took)-1].ID; last != fmt.Sprintf("prod#%d", n) {
			t.Errorf("the last is %s", last)
		}
	})
}

// A fleet does not fit into one value in full; alerts then lose names, and
// nothing else.
func TestManyAlertsFit(t *testing.T) {
	s, w := store.NewMemory(), notifytest.NewWorld()
	c := &channel{name: "c"}
	b := book(s, c)
	if _, err := b.Tell(t.Context(), w.Round()); err != nil {
		t.Fatal(err)
	}
	x := w.Round()
	template := drifted(t, w, time.Minute, 11).Plan.Regions[0].Drift[0]
	for layer := range 400 {
		for f := range 30 {
			d := template
			d.Layer, d.Function = fmt.Sprintf("layer-%03d", layer), fmt.Sprintf("makoto-a-function-with-a-long-name-%04d-%04d", layer, f)
			x.Plan.Regions[0].Drift = append(x.Plan.Regions[0].Drift, d)
		}
	}
	x.Now = w.Now
	events, err := b.Tell(t.Context(), x)
	if err != nil || len(events) != 400 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if events, err := b.Tell(t.Context(), x); err != nil || len(events) != 0 {
		t.Errorf("told twice: %d, %v", len(events), err)
	}
}

// A target that is not configured any more does not fill the outbox for ever.
func TestATargetThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		queue(t, s, 3, &channel{name: "old"})
		w, counted := notifytest.NewWorld(), newKillable(s, nil)
		b := book(counted, &channel{name: "new"})
		for day := range 9 {
			w.Now = time.Now().AddDate(0, 0, day)
			if _, err := b.Tell(t.Context(), w.Round()); err != nil {
				t.Fatal(err)
			}
			if day == 6 && counted.writes > 0 {
				t.Error("it was given up within a week")
			}
		}
		v, err := s.Get(t.Context(), store.Key("alert", repository, "prod"))
		if err != nil || strings.Contains(string(v.Data), `"old"`) || counted.writes != 1 {
			t.Errorf("%d writes, %v:\n%s", counted.writes, err, v.Data)
		}
	})
}

// When its context ends, Deliver returns quietly; what was being sent is sent
// again.
func TestDeliverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := &channel{name: "c", refuse: func(notify.Message) error { cancel(); return ctx.Err() }}
		b := queue(t, store.NewMemory(), 2, c)
		if d, err := b.Deliver(ctx); !errors.Is(err, context.Canceled) || len(d.Failed) != 0 {
			t.Errorf("%+v, %v", d, err)
		}
		c.refuse = nil
		deliver(t, b, time.Minute)
		if len(c.took) != 2 {
			t.Errorf("%d taken", len(c.took))
		}
	})
}

// What a target took is noted also when the context ends, or the store fails
// for a moment.
func TestTakenIsNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, c := newKillable(store.NewMemory(), nil), &channel{name: "c"}
		b := queue(t, s, 2, c)
		c.refuse = func(notify.Message) error {
			cancel()
			s.fail = errors.New("disk full")
			return nil
		}
		if _, err := b.Deliver(ctx); !errors.Is(err, s.fail) {
			t.Errorf("%v", err)
		}
		s.fail, c.refuse = nil, nil
		deliver(t, b, time.Minute)
		if diff := cmp.Diff([]string{"prod#1", "prod#2"}, ids(c)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

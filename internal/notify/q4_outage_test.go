package notify_test

import (
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

// stale reports Git as unread, or as read.
func stale(t *testing.T, b *notify.Book, unread bool, lost ...string) {
	t.Helper()
	r := notify.Repository{Now: time.Now(), ReadAt: time.Now()}
	if unread {
		r.ReadAt, r.Error = time.Now().Add(-20*time.Minute), "503 Service Unavailable"
	}
	for _, account := range lost {
		r.Lost = append(r.Lost, notify.LostLease{Account: account, Since: time.Now(), Reason: "no answer"})
	}
	if _, err := b.TellRepository(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func text(m notify.Message) string {
	var b strings.Builder
	for _, s := range m.Sections {
		b.WriteString(s.Text + " " + strings.Join(s.Items, " ") + s.Code + "\n")
	}
	return b.String()
}

// Q4: what opened and ended while a target was away is one message for it, which
// says both; what is still open is one message of what it is by now; a target that
// was there has all of it, in its order.
func TestQ4WhatCameAndWentIsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away, there := newGate("away", errRevoked), newGate("there", nil)
		b := book(store.NewMemory(), away, there)
		stale(t, b, true, "111111111111")
		loop(t, b, 6*time.Minute)
		stale(t, b, true, "111111111111", "222222222222") // an update of the one
		loop(t, b, 6*time.Minute)
		stale(t, b, false, "111111111111", "222222222222") // the end of the other
		loop(t, b, 6*time.Minute)
		away.shut = nil
		loop(t, b, 2*time.Minute)
		want := []string{"layerd: the lease of 2 accounts was lost", "Resolved: layerd: Git was not read for 20m"}
		if diff := cmp.Diff(want, away.titles()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		lost, git := text(away.took[0]), text(away.took[1])
		if away.took[0].Status != notify.Opened || !strings.HasPrefix(lost, "Open since ") || !strings.Contains(lost, "222222222222") || strings.Contains(lost, "New:") {
			t.Errorf("what is still open: %s %s", away.took[0].Status, lost)
		}
		if !strings.Contains(git, "Resolved after 12m") || !strings.Contains(git, "503 Service Unavailable") || !strings.Contains(git, "As of ") {
			t.Errorf("what came and went: %s", git)
		}
		want = []string{
			"layerd: Git was not read for 20m", "layerd: the lease of 1 account was lost", "Update: layerd: the lease of 2 accounts was lost",
			"Resolved: layerd: Git was not read for 20m",
		}
		if diff := cmp.Diff(want, there.titles()); diff != "" {
			t.Errorf("the other target (-want +got):\n%s", diff)
		}
		if got := text(there.took[2]); !strings.Contains(got, "New: 222222222222.") {
			t.Errorf("its update: %s", got)
		}
		if got := text(there.took[3]); strings.Contains(got, "503") {
			t.Errorf("its end repeats what it had: %s", got)
		}
	})
}

// Q4: what came and went four times is one message, which counts the others.
func TestQ4WhatComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newGate("c", errRevoked)
		b := book(store.NewMemory(), c)
		for range 4 {
			stale(t, b, true)
			loop(t, b, 10*time.Minute)
			stale(t, b, false)
			loop(t, b, 10*time.Minute)
		}
		c.shut = nil
		loop(t, b, 2*time.Minute)
		if len(c.took) != 1 || c.took[0].Status != notify.Resolved || c.took[0].Folded != 3 {
			t.Errorf("%d: %+v", len(c.took), c.took)
		}
	})
}

// Q4: what is over by what was done is told by that alone.
func TestQ4WhatWasSettledIsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newGate("c", nil)
		b, w := book(store.NewMemory(), c), notifytest.NewWorld()
		w.Now = time.Date(2026, 11, 25, 10, 30, 0, 0, w.Zone)
		tell := func(after time.Duration) {
			t.Helper()
			w.Now = w.Now.Add(after)
			if _, err := b.Tell(t.Context(), w.Round()); err != nil {
				t.Fatal(err)
			}
			loop(t, b, 2*time.Minute)
		}
		tell(0)
		c.shut = errRevoked
		w.Meddle("makoto-api", notifytest.Common.Version(11))
		tell(time.Minute) // drift, which waits for the window
		w.Now = time.Date(2026, 11, 28, 2, 0, 0, 0, w.Zone)
		tell(0) // healed
		tell(10 * time.Minute)
		c.shut = nil
		tell(10 * time.Minute)
		if got := c.titles(); len(got) != 2 || !strings.Contains(got[1], "and layerd restored it") {
			t.Errorf("%q", got)
		}
	})
}

// Q4: a message whose place another one takes while it is on its way is told once
// as opened, whether it arrives or not.
func TestQ4ReplacedOnItsWay(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		over bool
		want []string
	}{
		"it arrives, and there is news":  {nil, false, []string{"opened", "updated"}},
		"it arrives, and is over":        {nil, true, []string{"opened", "resolved"}},
		"it is lost, and there is news":  {errRevoked, false, []string{"opened"}},
		"it is lost, and all of it over": {errRevoked, true, []string{"resolved"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newGate("c", errRevoked)
				b := book(store.NewMemory(), c)
				stale(t, b, false, "111111111111")
				loop(t, b, 10*time.Minute)
				c.refuse = func(notify.Message) error {
					c.refuse = nil
					if tt.over {
						stale(t, b, false)
					} else {
						stale(t, b, false, "111111111111", "222222222222")
					}
					return tt.err
				}
				loop(t, b, 5*time.Minute)
				var got []string
				for _, m := range c.took {
					got = append(got, string(m.Status))
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("%q, want %q", got, tt.want)
				}
			})
		})
	}
}

// Q4: a target that takes nothing is known with since when and how many wait, also
// after a restart, and no more once it works.
func TestQ4TheStateOfATarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := store.NewMemory(), newGate("c", errRevoked)
		b := queue(t, s, 3, c)
		if got := b.Targets()[0]; !got.Since.IsZero() {
			t.Errorf("it was not tried: %+v", got)
		}
		began := time.Now()
		loop(t, b, time.Hour)
		check := func(b *notify.Book) {
			t.Helper()
			if got := b.Targets()[0]; !got.Since.Equal(began) || got.Waiting != 3 || got.Reason != errRevoked.Reason {
				t.Errorf("%+v, and it began %s", got, began)
			}
		}
		check(b)
		again := book(s, c)
		if _, err := again.Cursor(t.Context(), "prod"); err != nil {
			t.Fatal(err)
		}
		loop(t, again, time.Minute)
		check(again)
		c.shut = nil
		loop(t, again, 2*time.Minute)
		if got := again.Targets()[0]; !got.Since.IsZero() || got.Waiting != 0 {
			t.Errorf("it works: %+v", got)
		}
	})
}

// Q4: a restart at any moment of an outage and of its end tells nothing twice and
// loses nothing.
func TestQ4ARestartTellsNothingTwice(t *testing.T) {
	for minute := range 12 {
		synctest.Test(t, func(t *testing.T) {
			s, c := store.NewMemory(), newGate("c", nil)
			b := book(s, c)
			for i := range 12 {
				if i == minute {
					b = book(s, c)
				}
				if i == 2 {
					c.shut = errRevoked
				}
				if i == 8 {
					c.shut = nil
				}
				stale(t, b, i > 2 && i < 6, "111111111111")
				loop(t, b, time.Minute)
			}
			want := []string{"layerd: the lease of 1 account was lost", "Resolved: layerd: Git was not read for 20m"}
			if diff := cmp.Diff(want, c.titles()); diff != "" {
				t.Errorf("a restart in minute %d (-want +got):\n%s", minute, diff)
			}
		})
	}
}

// Q4: that a target takes nothing is an alert for the others, after five minutes,
// and is over when it takes something.
func TestQ4TheOthersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away, there := newGate("away", errRevoked), newGate("there", nil)
		b := book(store.NewMemory(), away, there)
		tell := func(minutes int) {
			t.Helper()
			for range minutes {
				if _, err := b.TellRepository(t.Context(), notify.Repository{Now: time.Now(), ReadAt: time.Now(), Targets: b.Targets()}); err != nil {
					t.Fatal(err)
				}
				loop(t, b, time.Minute)
			}
		}
		stale(t, b, true)
		loop(t, b, time.Minute)
		tell(20)
		alerts, err := b.Alerts(t.Context(), "")
		if err != nil || len(alerts) != 1 || alerts[0].Kind != notify.DeliveryFailed {
			t.Errorf("%+v, %v", alerts, err)
		}
		away.shut = nil
		tell(5)
		want := []string{
			"layerd: Git was not read for 20m", "Resolved: layerd: Git was not read for 20m",
			"layerd: no messages arrive at 1 target", "Resolved: layerd: no messages arrive at 1 target",
		}
		if diff := cmp.Diff(want, there.titles()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := text(there.took[2]); !strings.Contains(got, "Away takes nothing since ") || !strings.Contains(got, "no_service") {
			t.Errorf("%s", got)
		}
		if got := away.titles(); !slices.Equal(got, want[1:2]) {
			t.Errorf("whom it is about: %q", got)
		}
	})
}

// Q4: a target that hangs does not keep another one from what is loudest.
func TestQ4ATargetThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs, there := newGate("hangs", nil), newGate("there", nil)
		hangs.refuse = func(notify.Message) error {
			time.Sleep(10 * time.Second)
			return &notify.SendError{Verdict: notify.Later, Reason: "no answer within 10s"}
		}
		b := queue(t, store.NewMemory(), 5, hangs, there)
		stale(t, b, true)
		began := time.Now()
		loop(t, b, 30*time.Minute)
		if len(there.took) != 6 || there.took[0].Alert.Kind != notify.GitStale || there.at[5].Sub(began) > time.Minute {
			t.Errorf("%q", there.titles())
		}
		for i := range hangs.at[1:] {
			if got := hangs.at[i+1].Sub(hangs.at[i]); got > time.Minute+10*time.Second {
				t.Errorf("%s between two tries", got)
			}
		}
	})
}

// Q4: what was sent and could not be noted does not keep people from hearing why.
func TestQ4TheStoreFailsWhileMessagesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newKillable(store.NewMemory(), nil), newGate("c", nil)
		b := book(s, c)
		stale(t, b, true, "111111111111")
		s.fail = errors.New("disk full")
		time.Sleep(time.Second)
		for range 5 {
			if _, err := b.TellRepository(t.Context(), notify.Repository{Now: time.Now(), Store: "disk full"}); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Deliver(t.Context()); !errors.Is(err, s.fail) {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		want := []string{"layerd: Git was not read for 20m", "layerd: the store does not work"}
		if diff := cmp.Diff(want, c.titles()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		s.fail = nil
		loop(t, b, time.Minute)
		if diff := cmp.Diff(append(want, "layerd: the lease of 1 account was lost"), c.titles()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Q4: with far too much waiting the loud ones stay.
func TestQ4TheLoudOnesStay(t *testing.T) {
	nightly.NotShort(t, "it tells 300 messages one after the other, as shorter outages do")
	synctest.Test(t, func(t *testing.T) {
		c := newGate("c", errRevoked)
		b, began := book(store.NewMemory(), c), time.Now()
		for i := range 300 {
			time.Sleep(time.Second)
			x := notify.Situation{Environment: "prod", Now: time.Now(), LookedAt: began.Add(-time.Hour), Ended: []history.Entry{entry(fmt.Sprint("f", i), time.Now())}}
			x.Ended[0].Layer = fmt.Sprint("layer-", i)
			if _, err := b.Tell(t.Context(), x); err != nil {
				t.Fatal(err)
			}
		}
		c.shut = nil
		loop(t, b, 2*time.Minute)
		folded := 0
		for _, m := range c.took {
			folded += m.Folded
		}
		if len(c.took) != 200 || folded != 101 || c.took[0].Alert.Kind != notify.AWSStale {
			t.Errorf("%d arrived, %d are counted, the first is %s", len(c.took), folded, c.took[0].Alert.Kind)
		}
	})
}

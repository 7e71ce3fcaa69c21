package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/round"
)

// Where standard error is no terminal, what is waited for is said at once and again
// every ten seconds at most, with how long it still takes; what is done within ten
// seconds is not told at all.
func TestProgressLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var said []string
		l := newProgressLines(time.Now, func(text string) { said = append(said, fmt.Sprint(time.Since(begin), " ", text)) })
		apply := func(done int) {
			l.report(round.Progress{Environment: "prod", Region: "r", Phase: "apply", Done: done, Total: 9})
		}
		apply(1)
		time.Sleep(9 * time.Second)
		apply(2)
		time.Sleep(2 * time.Second)
		apply(3)
		apply(4)
		l.wait("prod · r: wave 1", begin.Add(40*time.Second))
		time.Sleep(15 * time.Second) // an alarm is looked at meanwhile, and the wait begins again
		apply(5)
		l.wait("prod · r: wave 1", begin.Add(40*time.Second))
		time.Sleep(14 * time.Second)
		l.wait("prod · r: wave 2", begin.Add(44*time.Second)) // what is new is said at once
		time.Sleep(time.Second)
		l.clear()
		l.clear()
		time.Sleep(time.Minute)
		want := []string{
			"11s prod · r  apply 3/9", "11s prod · r: wave 1, 29s left", "21s prod · r: wave 1, 19s left",
			"31s prod · r: wave 1, 9s left", "40s prod · r: wave 2, 4s left",
		}
		if got := strings.Join(said, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	})
}

// A bake of a day is about thirty lines and not nine thousand.
func TestProgressLinesOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		l := newProgressLines(time.Now, func(string) { at = append(at, time.Now()) })
		until := time.Now().Add(24 * time.Hour)
		for time.Now().Before(until) {
			l.wait("prod · r: wave 1", until)
			time.Sleep(15 * time.Second)
			l.report(round.Progress{Environment: "prod", Region: "r", Phase: "look"})
		}
		l.clear()
		if len(at) < 20 || len(at) > 500 {
			t.Errorf("%d lines", len(at))
		}
		for i := 1; i < len(at); i++ {
			if at[i].Sub(at[i-1]) < leastBetween {
				t.Errorf("two lines within %s", at[i].Sub(at[i-1]))
			}
		}
	})
}

// On a terminal the line counts down, and whatever comes next ends that.
func TestStatusLineCountsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := &statusLine{out: &out, width: 60, now: time.Now}
		s.wait("prod · r: wave 1", time.Now().Add(3*time.Second))
		time.Sleep(2500 * time.Millisecond)
		s.report(round.Progress{Environment: "prod", Region: "r", Phase: "look"})
		time.Sleep(time.Minute)
		s.clear()
		const begin = "\r\x1b[K"
		want := begin + "prod · r: wave 1, 3s left" + begin + "prod · r: wave 1, 2s left" + begin + "prod · r: wave 1, 1s left" + begin + "prod · r  look" + begin
		if got := out.String(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

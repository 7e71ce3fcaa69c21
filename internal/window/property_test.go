package window_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/window"
)

// drawCalendar makes a calendar of up to three windows and two freezes.
func drawCalendar(t *rapid.T, z *time.Location, now time.Time) window.Calendar {
	c := window.Calendar{Zone: z, Cutoff: time.Duration(rapid.IntRange(0, 90).Draw(t, "cutoff")) * time.Minute}
	for range rapid.IntRange(0, 3).Draw(t, "windows") {
		c.Windows = append(c.Windows, drawWindow(t, z))
	}
	for range rapid.IntRange(0, 2).Draw(t, "freezes") {
		from := now.Add(time.Duration(rapid.IntRange(-20000, 20000).Draw(t, "freeze from")) * time.Minute)
		length := time.Duration(rapid.IntRange(1, 10000).Draw(t, "freeze length")) * time.Minute
		every := rapid.SampledFrom([]string{"", "year"}).Draw(t, "every")
		f, err := window.ParseFreeze(from.Format(time.RFC3339), from.Add(length).Format(time.RFC3339), every, z)
		if err != nil {
			t.Fatal(err)
		}
		c.Freezes = append(c.Freezes, f)
	}
	return c
}

func drawWindow(t *rapid.T, z *time.Location) window.Window {
	days := rapid.SampledFrom([]string{"daily", "Sat", "Sun", "Sat,Sun", "Mon-Fri", "Fri-Mon", "first Sat", "second,last Sun", "fifth Mon"}).Draw(t, "days")
	from := rapid.IntRange(0, 95).Draw(t, "from") * 15
	length := rapid.IntRange(1, 95).Draw(t, "length") * 15
	if rapid.Bool().Draw(t, "clock") {
		to := (from + length) % 1440
		w, err := window.Parse(fmt.Sprintf("%s %02d:%02d-%02d:%02d", days, from/60, from%60, to/60, to%60), z)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	minutes := rapid.SampledFrom([]string{"0", "30", "*/20", "5,55"}).Draw(t, "minutes")
	hours := rapid.SampledFrom([]string{"0", "1-3", "23", "*", "*/2"}).Draw(t, "hours")
	dates := rapid.SampledFrom([]string{"* * *", "* * SAT", "* * 0,6", "* * SAT#1", "* * SUN#2,FRIL", "L * *", "1-7 * *", "* 3,11 7"}).Draw(t, "dates")
	w, err := window.ParseCron(minutes+" "+hours+" "+dates, time.Duration(length*rapid.IntRange(1, 3).Draw(t, "times"))*time.Minute, z)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// drawInstant prefers the neighbourhood of a jump.
func drawInstant(t *rapid.T, c clock) time.Time {
	if len(c.jumps) > 0 && rapid.IntRange(0, 3).Draw(t, "near a jump") > 0 {
		return rapid.SampledFrom(c.jumps).Draw(t, "jump").Add(time.Duration(rapid.IntRange(-4000, 1000).Draw(t, "minutes")) * time.Minute)
	}
	return begin.Add(time.Duration(rapid.IntRange(0, 2*365*1440).Draw(t, "minute")) * time.Minute)
}

func TestCalendarProperties(t *testing.T) {
	clocks := everyClock(t)
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(clocks).Draw(t, "clock")
		now := drawInstant(t, k)
		c := drawCalendar(t, k.zone, now)
		t.Logf("%s, cutoff %s, now %s, windows %v, freezes %v", k.zone, c.Cutoff, now, c.Windows, c.Freezes)
		checkOpenings(t, c, now)
		checkNextOpen(t, c, now)
	})
}

// checkOpenings: in order, apart, half-open, and At agrees on both sides of each
// end and everywhere between.
func checkOpenings(t *rapid.T, c window.Calendar, now time.Time) {
	next := c.Next(now, 8)
	last := now
	for i, o := range next {
		if i > 0 && !o.Start.After(next[i-1].End) {
			t.Fatalf("%v begins before or when %v ends", o, next[i-1])
		}
		if !o.End.IsZero() && (!o.End.After(o.Start) || !o.End.After(now)) {
			t.Fatalf("%v is empty or over", o)
		}
		// Who asks later sees further, so of what lasts for most of the horizon the later
		// look alone may see the end, which then is beyond what the first one saw.
		again := c.Next(o.Start, 1)
		if len(again) != 1 || !again[0].Start.Equal(o.Start) {
			t.Fatalf("asked at its start, %v is %v", o, again)
		}
		end := o.End
		if end.IsZero() {
			if end = again[0].End; !end.IsZero() && end.Sub(now) <= 400*24*time.Hour {
				t.Fatalf("asked at its start, %v is %v, which %v could see", o, again, now)
			}
		}
		if !again[0].End.Equal(o.End) && len(c.Windows) > 0 && end.Sub(o.Start) < 300*24*time.Hour {
			t.Fatalf("asked at its start, %v is %v", o, again)
		}
		if i > 0 || o.Start.After(now) {
			checkAt(t, c, o.Start.Add(-1), false)
		}
		checkAt(t, c, o.Start, true)
		last = o.Start
		if !o.End.IsZero() {
			checkAt(t, c, o.End.Add(-1), true)
			checkAt(t, c, o.End, false)
			last = o.End
		}
	}
	for range 20 {
		if !last.After(now) {
			break
		}
		at := now.Add(time.Duration(rapid.Int64Range(0, int64(last.Sub(now))-1).Draw(t, "between")))
		within := false
		for _, o := range next {
			within = within || !at.Before(o.Start) && (o.End.IsZero() || at.Before(o.End))
		}
		checkAt(t, c, at, within)
	}
}

func checkAt(t *rapid.T, c window.Calendar, at time.Time, within bool) {
	s := c.At(at)
	if got := s.InWindow && !s.Frozen; got != within {
		t.Fatalf("at %s: got within open time %v, want %v: %+v", at, got, within, s)
	}
	canStart := within && (s.ClosesAt.IsZero() || at.Before(s.ClosesAt.Add(-c.Cutoff)))
	if s.Open != canStart {
		t.Fatalf("at %s: got open %v, want %v: %+v", at, s.Open, canStart, s)
	}
	by := map[bool]string{true: "freeze", false: "window"}[s.Frozen]
	if s.Open {
		by = ""
	}
	if s.By != by || s.Reason == "" || s.Open && !s.NextOpen.IsZero() || !within && !s.ClosesAt.IsZero() {
		t.Fatalf("at %s: %+v contradicts itself", at, s)
	}
}

// checkNextOpen: what is announced happens, and nothing opens before it.
func checkNextOpen(t *rapid.T, c window.Calendar, now time.Time) {
	s := c.At(now)
	if s.Open {
		return
	}
	until := s.NextOpen
	if until.IsZero() {
		until = now.Add(399 * 24 * time.Hour)
	} else if !c.At(until).Open || c.At(until.Add(-1)).Open {
		t.Fatalf("next open %s is not when it opens: %+v", until, c.At(until))
	}
	// Each minute when it is soon, and a sample when it is not.
	step := max(time.Minute, until.Sub(now)/150)
	for at := now; at.Before(until); at = at.Add(step) {
		if early := c.At(at); early.Open || !early.NextOpen.Equal(s.NextOpen) && !s.NextOpen.IsZero() {
			t.Fatalf("at %s: %+v, but announced is %s", at, early, s.NextOpen)
		}
	}
}

// FuzzParse: whatever is written is refused with a place and a suggestion that
// works, or is a window that its own String describes.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"Saturday 02:00-06:00 JST", "Mon-Fri 09:00-17:00 Asia/Tokyo", "Sat,Sun 22:00-04:00", "daily 02:00-04:00 UTC",
		"Sat 24:00-25:00", "Sat 02:00-06:00 EST", "土曜日　02：00〜06：00", "Sat-Sat 1:1-1:1", "0 2 * * SAT", "@hourly", "CRON_TZ=UTC",
		"*/0 2 * * 7", "0 2 * * 1-7/9223372036854775807", "0 0 31 2 *", "12-28", "first,third Saturday 02:00-06:00", "last Fri,first and Sun 02:00-06:00", "Sat 25:00-30:00", "第1土曜 22:00-26:00", "0 2 L * SAT#1,5L", "0 25 * * SAT",
		"2026-12-28T18:00+09:00", "20261228", "2026-12-28 25:00", "2026-12-28 18:00 JST", "first Sat 02:00-06:00", "2026-02-29", "\xff\x00", "Sat 02:00-06:00 ../../etc/passwd",
	} {
		f.Add(seed)
	}
	now := time.Date(2027, 3, 14, 6, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if w, err := window.Parse(text, nil); err != nil {
			checkRefusal(t, text, err, func(s string) error { _, err := window.Parse(s, nil); return err })
		} else {
			again, err := window.Parse(w.String(), nil)
			if err != nil || !again.Equal(w) {
				t.Errorf("%q is %s, which is %s and %v", text, w, again, err)
			}
			checkOpens(t, w, now)
		}
		if w, err := window.ParseCron(text, time.Hour, nil); err != nil {
			checkRefusal(t, text, err, func(s string) error { _, err := window.ParseCron(s, time.Hour, nil); return err })
		} else {
			expr := strings.TrimSuffix(strings.TrimPrefix(w.String(), "cron "), " for 1h UTC")
			again, err := window.ParseCron(expr, time.Hour, nil)
			if err != nil || !again.Equal(w) {
				t.Errorf("%q is %s, which is %s and %v", text, w, again, err)
			}
			window.Calendar{Windows: []window.Window{w}}.At(now)
		}
		if f, err := window.ParseFreeze(text, text, "year", nil); err != nil {
			checkRefusal(t, text, err, func(s string) error {
				if _, err := window.ParseFreeze(s, s, "year", nil); err == nil {
					return nil
				}
				_, err := window.ParseFreeze("1970-01-01", s, "", nil) // of one time there is no freeze
				return err
			})
		} else if !f.From.Before(f.Until) {
			t.Errorf("%q: empty freeze %v", text, f)
		}
		if _, err := window.LoadZone(text); err != nil {
			checkRefusal(t, text, err, func(s string) error { _, err := window.LoadZone(s); return err })
		}
	})
}

func checkRefusal(t *testing.T, text string, err error, parse func(string) error) {
	t.Helper()
	var e *window.ParseError
	if !errors.As(err, &e) {
		t.Fatalf("%q: got %v, want a *ParseError", text, err)
	}
	if e.Offset < 0 || e.Offset > len(e.Text) || e.Rune() > e.Offset || e.Problem == "" || e.Field == "" {
		t.Errorf("%q: got %+v", text, e)
	}
	if e.Suggestion == e.Text && e.Text != "" {
		t.Errorf("%q: suggests itself", text)
	}
	if e.Suggestion != "" && parse(e.Suggestion) != nil {
		t.Errorf("%q: suggests %q, which is refused: %v", text, e.Suggestion, parse(e.Suggestion))
	}
}

// checkOpens: an HH:MM window opens within the week, or Check says why not; one of a
// month has a fifth day at least every third month.
func checkOpens(t *testing.T, w window.Window, now time.Time) {
	t.Helper()
	next := window.Calendar{Windows: []window.Window{w}}.Next(now, 1)
	within := 15
	if regexp.MustCompile(`first|second|third|fourth|fifth|last`).MatchString(w.String()) {
		within = 100
	}
	if len(next) != 1 || next[0].Start.Sub(now) > time.Duration(within)*24*time.Hour {
		t.Errorf("%s: next opening %v", w, next)
	}
}

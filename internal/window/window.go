package window

import (
	"fmt"
	"slices"
	"time"
)

// A Window is one recurring time of permission. The zero Window never opens.
// Windows come from Parse and ParseCron and do not change; two that open at the
// same times have, but for the spelling of a cron field, the same String.
type Window struct {
	text string // normalised, without the zone
	zone *time.Location

	// starts are the minutes of a day at which an occurrence is scheduled,
	// ascending: one for an HH:MM window, any number for a cron window.
	starts []int

	// An HH:MM window has days and to, a cron window has cron and length.
	days   days
	to     int // minute of the starting day; above 1440 it is on the next one
	cron   *cronDates
	length time.Duration // elapsed

	// runs has, for each of the starts of a cron window, the index of the last
	// one that is reached without a pause while the clock does not jump.
	runs []int
}

// String returns the window in one normal form that Parse reads again, such as
// "Saturday 02:00-06:00 Asia/Tokyo", or, of a cron window,
// "cron 0 2 * * SAT for 4h Asia/Tokyo".
func (w Window) String() string {
	if w.text == "" {
		return "never"
	}
	return w.text + " " + w.zone.String()
}

// Equal reports whether two windows are the same. It makes cmp.Equal work.
func (w Window) Equal(other Window) bool { return w.String() == other.String() }

// Zone returns the zone in which the window is meant; UTC for the zero Window.
func (w Window) Zone() *time.Location {
	if w.zone == nil {
		return time.UTC
	}
	return w.zone
}

// newClock returns an HH:MM window. from and to are minutes of the day, to up to
// 1440; one that is not after from is on the next day.
func newClock(on days, from, to int, zone *time.Location) Window {
	if to <= from {
		to += 24 * 60
	}
	end := fmt.Sprintf("%02d:%02d", to/60%24, to%60)
	if to == 24*60 {
		end = "24:00"
	}
	text := fmt.Sprintf("%s %02d:%02d-%s", on, from/60, from%60, end)
	return Window{text: text, zone: zone, starts: []int{from}, days: on, to: to}
}

// Length returns how long an occurrence lasts while the clocks do not jump.
func (w Window) Length() time.Duration {
	if w.cron == nil && len(w.starts) > 0 {
		return time.Duration(w.to-w.starts[0]) * time.Minute
	}
	return w.length
}

// Swapped returns the window with start and end exchanged, for one that ends on the day
// after it starts; ok is false for any other.
func (w Window) Swapped() (other Window, ok bool) {
	if w.cron != nil || w.to <= 24*60 {
		return Window{}, false
	}
	return newClock(w.days, w.to-24*60, w.starts[0], w.zone), true
}

// always reports whether the window has no outside at all.
func (w Window) always() bool {
	return w.days.weekly == everyDay && w.starts[0] == 0 && w.to == 24*60
}

// on reports whether occurrences are scheduled on a numbered day.
func (w Window) on(number int64) bool {
	if w.cron == nil {
		return w.days.has(number)
	}
	return w.cron.has(number)
}

// A span is open or frozen time, half-open.
type span struct{ start, end time.Time }

func (s span) contains(t time.Time) bool { return !t.Before(s.start) && t.Before(s.end) }

// A cursor walks through the occurrences of one window in order of start, which
// is also their order of end.
type cursor struct {
	w     Window
	day   int64 // the numbered day to look at next
	i     int   // and the index in w.starts
	limit int64 // the last day to look at; what makes every walk end
}

// endingAfter returns a cursor at the first occurrence of w that ends after t.
func (w Window) endingAfter(t time.Time, limit int64) cursor {
	c := cursor{w: w, limit: limit}
	if w.cron == nil {
		c.day = dayOf(reached(t, w.Zone())-int64(w.to)*60) + 1
		return c
	}
	wall := reached(t.Add(-w.length), w.zone)
	c.day = dayOf(wall)
	c.i, _ = slices.BinarySearchFunc(w.starts, wall-c.day*day, func(start int, passed int64) int {
		if int64(start)*60 > passed {
			return 1
		}
		return -1
	})
	return c
}

// next returns the next occurrence. Occurrences that a gap swallows are passed
// over, and those of a cron window that follow one another without a pause may
// come as one.
func (c *cursor) next() (span, bool) {
	for ; c.day <= c.limit; c.day, c.i = c.day+1, 0 {
		if len(c.w.starts) <= c.i || !c.w.on(c.day) {
			continue
		}
		if c.w.cron != nil {
			return c.elapsed(), true
		}
		s := c.w.clock(c.day)
		c.i++
		if s.start.Before(s.end) {
			return s, true
		}
	}
	return span{}, false
}

// clock returns the occurrence of an HH:MM window that is scheduled on a day. It
// is empty when the clock jumps over all of it.
func (w Window) clock(number int64) span {
	midnight := number * day
	return span{
		start: first(midnight+int64(w.starts[0])*60, w.zone),
		end:   first(midnight+int64(w.to)*60, w.zone),
	}
}

// elapsed returns the cron occurrence at the cursor and moves on. As long as the
// clock does not jump it takes in those that follow without a pause: an hourly
// window of an hour is one span a day then, not 24, which is what keeps a search
// over 400 days cheap.
func (c *cursor) elapsed() span {
	w, at := c.w, c.w.starts[c.i]
	wall := c.day*day + int64(at)*60
	start := first(wall, w.zone)
	c.i++
	s := stretchAt(start)
	if start.Unix()+s.offset != wall {
		return span{start, start.Add(w.length)} // pushed out of a gap
	}
	startOf := func(i int) time.Time { return start.Add(time.Duration(w.starts[i]-at) * time.Minute) }
	last := w.runs[c.i-1]
	for !startOf(last).Before(s.end) {
		last--
	}
	c.i = last + 1
	return span{start, startOf(last).Add(w.length)}
}

package window

import "time"

// A wall time is what a clock on the wall shows, as the seconds since 1970 that
// a clock in UTC would have when it shows the same. Wall times are plain
// numbers: days have 86,400 seconds and nothing jumps. Only the functions of
// this file go between wall times and instants.

const (
	day = 24 * 60 * 60 // seconds on the wall

	// No zone is or was further from UTC than this: Manila was 15:56 behind
	// until 1844, Metlakatla 15:14 ahead until 1867.
	maxOffset = 16 * time.Hour

	// The furthest a clock can have gone back is a crossing of the date line
	// (Kwajalein in 1969, 23 h).
	maxRepeat = 32 * time.Hour
)

// endOfTime and dawnOfTime stand for "never ends" and "never began" where instants
// are compared. They never leave the package.
func endOfTime() time.Time  { return time.Unix(1<<40, 0) }
func dawnOfTime() time.Time { return time.Unix(-1<<40, 0) }

// A stretch is a time during which the clocks of a zone do not jump.
type stretch struct {
	end    time.Time // where they do; endOfTime for the last one
	offset int64     // seconds east of UTC
}

// stretchAt returns the stretch that t is in. Every walk over a zone is made of
// it, and ends because the end is always after t.
func stretchAt(t time.Time) stretch {
	_, offset := t.Zone()
	for end := boundAfter(t); ; end = boundAfter(end) {
		if !end.Before(endOfTime()) {
			return stretch{end: endOfTime(), offset: int64(offset)}
		}
		if _, next := end.Zone(); next != offset {
			return stretch{end: end, offset: int64(offset)}
		}
	}
}

// boundAfter returns an instant after t up to which the offset of t holds, in the
// same zone, and endOfTime when that is for good. Only this function asks for
// ZoneBounds, whose promise is not kept where a rule and not a table says when the
// clocks jump, after 2037 in most zones: each year ends there with its 365th day,
// and throughout the 366th the end is one that has passed.
func boundAfter(t time.Time) time.Time {
	_, end := t.ZoneBounds()
	if end.IsZero() {
		return endOfTime()
	}
	if end.After(t) {
		return end
	}
	// No clock jumps twice within a day.
	same, other := t.Truncate(time.Second), t.Truncate(time.Second).Add(day*time.Second)
	_, offset := t.Zone()
	if _, o := other.Zone(); o == offset {
		return other
	}
	for other.Sub(same) > time.Second {
		middle := same.Add((other.Sub(same) / 2).Truncate(time.Second))
		if _, o := middle.Zone(); o == offset {
			same = middle
		} else {
			other = middle
		}
	}
	return other
}

// first returns the first instant at which the clocks of zone show wall or more.
// Inside a spring gap that is the end of the gap; in the repeated hour of autumn
// it is the first of the two. first never decreases as wall increases.
func first(wall int64, zone *time.Location) time.Time {
	t := time.Unix(wall, 0).Add(-maxOffset).In(zone)
	for {
		s := stretchAt(t)
		at := time.Unix(wall-s.offset, 0)
		if at.Before(t) {
			at = t // the clock jumped over wall just here
		}
		if at.Before(s.end) {
			return at.In(zone)
		}
		t = s.end.In(zone)
	}
}

// settled returns the first instant from which on the clocks of zone show wall
// or more for good. It differs from first only in the repeated hour of autumn.
func settled(wall int64, zone *time.Location) time.Time {
	until := time.Unix(wall, 0).Add(maxOffset)
	after := first(wall, zone)
	for t := after; t.Before(until); {
		s := stretchAt(t)
		if at := time.Unix(wall-s.offset, 0); at.After(t) {
			after = at // the clock went back below wall, and gets there again here
			if at.After(s.end) {
				after = s.end
			}
		}
		t = s.end.In(zone)
	}
	return after.In(zone)
}

// reached returns the highest wall time that the clocks of zone have shown up to
// and including t. It is the inverse of first: first(w) is not after t exactly
// where w <= reached(t).
func reached(t time.Time, zone *time.Location) int64 {
	var highest int64
	for at, begun := t.Add(-maxRepeat).In(zone), false; ; begun = true {
		s := stretchAt(at)
		last := t
		if !s.end.After(t) {
			last = s.end.Add(-time.Second)
		}
		if w := last.Unix() + s.offset; !begun || w > highest {
			highest = w
		}
		if s.end.After(t) {
			return highest
		}
		at = s.end.In(zone)
	}
}

// wallOf returns the wall time of a date and a time of day.
func wallOf(year int, month time.Month, dayOfMonth, hour, minute, second int) int64 {
	return time.Date(year, month, dayOfMonth, hour, minute, second, 0, time.UTC).Unix()
}

// dayOf returns the number of the day of a wall time, counted from 1970-01-01.
func dayOf(wall int64) int64 {
	d := wall / day
	if wall%day < 0 {
		d--
	}
	return d
}

// weekdayOf returns the day of the week of a numbered day; day 0 was a Thursday.
func weekdayOf(number int64) time.Weekday {
	return time.Weekday(((number+4)%7 + 7) % 7)
}

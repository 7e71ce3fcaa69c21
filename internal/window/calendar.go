package window

import (
	"iter"
	"slices"
	"time"
)

// horizon is how far ahead a Calendar looks.
const (
	horizonDays = 400
	horizon     = horizonDays * 24 * time.Hour

	// maxOpenings bounds a search that finds openings but none that is long
	// enough: "*/5 * * * *" for 1m under a cutoff of 2m has 115,200 of them in
	// 400 days.
	maxOpenings = 10_000

	// maxSteps bounds a search through occurrences that run into one another:
	// twenty cron windows with a minute of each hour for themselves have 28,800 a
	// day. It is a number of occurrences and no time, so that an answer depends on
	// nothing but the question.
	maxSteps = 200_000
)

// A Calendar is what an environment has of windows and freezes.
type Calendar struct {
	Windows []Window // none means that it is always open but for freezes
	Freezes []Freeze
	Cutoff  time.Duration  // start nothing this close to the end of an opening
	Zone    *time.Location // of the times that are shown; nil means the first window's, else UTC
}

// A Status is a Calendar's answer for one instant.
type Status struct {
	Open     bool   // a change may start now
	By       string // what forbids it when not: "freeze", or else "window", which includes the cutoff
	InWindow bool   // now is within a window, or there are none
	Frozen   bool   // now is within a freeze
	Reason   string // a sentence for a person

	// ClosesAt is the end of the open time that now is in, the cutoff included.
	// Zero when now is not in open time, and when it does not end within 400 days.
	ClosesAt time.Time

	// NextOpen is, when closed, the earliest instant at which Open becomes true.
	// Zero when there is none within 400 days.
	NextOpen time.Time
}

// An Opening is a time in which the calendar is open, half-open. The length of
// an Opening is End-Start; a zero End means that it does not close within 400
// days, or not before the year 10000. Start is never zero: an opening that began more
// than 400 days before it was asked about, or never, starts at the instant asked
// about.
type Opening struct{ Start, End time.Time }

// At reports whether a change may start now, why, and when that changes. It costs
// microseconds; ask again before each start.
func (c Calendar) At(now time.Time) Status {
	if now.IsZero() {
		return Status{By: "window", Reason: "closed: it is not known what time it is"}
	}
	frozen := c.frozen(now)
	s := Status{InWindow: c.inWindow(now)}
	var freeze, open span // what now is in
	for _, f := range frozen {
		if f.contains(now) {
			s.Frozen, freeze = true, f
		}
	}
	for o := range c.openings(now, frozen) {
		if o.contains(now) {
			open = o
			s.ClosesAt = c.inZone(o.end)
			if s.Open = c.startable(o, now); s.Open {
				break
			}
		} else if c.startable(o, o.start) {
			s.NextOpen = c.inZone(o.start)
			break
		}
	}
	switch {
	case s.Frozen:
		s.By = "freeze"
	case !s.Open:
		s.By = "window"
	}
	s.Reason = c.reason(now, s, freeze, open)
	return s
}

// Next returns up to n openings, in order, the first of which may already have
// begun at from. It looks 400 days ahead. The cutoff does not shorten them.
func (c Calendar) Next(from time.Time, n int) []Opening {
	var next []Opening
	if from.IsZero() {
		return nil
	}
	frozen := c.frozen(from)
	for o := range c.openings(from, frozen) {
		if len(next) >= n || c.beyond(later(o.start, from)) {
			break
		}
		if o.contains(from) {
			o.start = c.began(o.start, from, frozen)
		}
		next = append(next, Opening{Start: c.inZone(o.start), End: c.inZone(o.end)})
	}
	return next
}

// startable reports whether a change may start at t within the opening o.
func (c Calendar) startable(o span, t time.Time) bool {
	return o.end.Equal(endOfTime()) || t.Before(o.end.Add(-max(c.Cutoff, 0)))
}

// inZone returns t in the zone of the calendar, and zero for what comes after the
// year 9999 there: no later time can be written, and people mean "for good".
func (c Calendar) inZone(t time.Time) time.Time {
	if c.beyond(t) {
		return time.Time{}
	}
	return t.In(c.zone())
}

func (c Calendar) beyond(t time.Time) bool { return t.In(c.zone()).Year() > 9999 }

func (c Calendar) zone() *time.Location {
	switch {
	case c.Zone != nil:
		return c.Zone
	case len(c.Windows) > 0:
		return c.Windows[0].Zone()
	}
	return time.UTC
}

// always reports whether the windows never close.
func (c Calendar) always() bool {
	return len(c.Windows) == 0 || slices.ContainsFunc(c.Windows, Window.always)
}

func (c Calendar) inWindow(now time.Time) bool {
	if c.always() {
		return true
	}
	for _, w := range c.Windows {
		cursor := w.endingAfter(now, lastDay(now))
		if o, ok := cursor.next(); ok && o.contains(now) {
			return true
		}
	}
	return false
}

// lastDay bounds the search from t: an opening that begins at the horizon may
// still have to be followed for as long again.
func lastDay(t time.Time) int64 { return dayOf(t.Unix()) + 2*horizonDays + 2 }

// frozen returns the frozen times around t, merged and in order. Annual freezes
// are written out as far as a search from t may look, back and ahead.
func (c Calendar) frozen(t time.Time) []span {
	var all []span
	for _, f := range c.Freezes {
		all = f.spans(all, t.Year()-2, t.Year()+2)
	}
	slices.SortFunc(all, func(a, b span) int { return a.start.Compare(b.start) })
	merged := all[:0]
	for _, s := range all {
		if n := len(merged); n > 0 && !s.start.After(merged[n-1].end) {
			if s.end.After(merged[n-1].end) {
				merged[n-1].end = s.end
			}
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// openings yields the open times that end after t, in order, up to those that
// begin 400 days after it. The first may begin too late, at t, when it is made of
// several occurrences; began knows better.
func (c Calendar) openings(t time.Time, frozen []span) iter.Seq[span] {
	steps := maxSteps
	return c.search(t, frozen, &steps)
}

// search yields openings as long as there are steps left. An opening at which
// they run out may end too early, which is the safe side.
func (c Calendar) search(t time.Time, frozen []span, steps *int) iter.Seq[span] {
	return func(yield func(span) bool) {
		found := 0
		for gap := range between(frozen, t) {
			u := c.union(later(gap.start, t), lastDay(t), steps)
			for o, ok := u.next(); ok && o.start.Before(gap.end); o, ok = u.next() {
				o.start = later(o.start, gap.start)
				if gap.end.Before(o.end) {
					o.end = gap.end
				}
				if found++; found > maxOpenings || o.start.Sub(t) > horizon {
					return
				}
				if o.start.Before(o.end) && !yield(o) {
					return
				}
			}
		}
	}
}

// between yields the times between the frozen ones, from the one that t is in or
// before.
func between(frozen []span, t time.Time) iter.Seq[span] {
	return func(yield func(span) bool) {
		gap := span{start: dawnOfTime()}
		for _, f := range frozen {
			gap.end = f.start
			if t.Before(gap.end) && !yield(gap) {
				return
			}
			gap.start = f.end
		}
		gap.end = endOfTime()
		if gap.start.Before(gap.end) {
			yield(gap)
		}
	}
}

// began follows an opening that contains now back to its start.
func (c Calendar) began(start, now time.Time, frozen []span) time.Time {
	earliest := dawnOfTime()
	for _, f := range frozen {
		if !f.end.After(now) {
			earliest = f.end
		}
	}
	if c.always() {
		start = earliest
	}
	steps := 0
	for extended := !c.always(); extended && start.After(earliest) && now.Sub(start) <= horizon; {
		extended = false
		if steps += len(c.Windows); steps > maxSteps {
			return now
		}
		for _, w := range c.Windows {
			// An occurrence that ends at start or later, and begins before it.
			cursor := w.endingAfter(start.Add(-time.Second), dayOf(start.Unix())+2)
			if o, ok := cursor.next(); ok && o.start.Before(start) {
				start, extended = o.start, true
			}
		}
	}
	if start = later(start, earliest); now.Sub(start) > horizon {
		return now
	}
	return start
}

// A union walks through the occurrences of several windows, merged: in order, and
// with a pause between any two. A union of none is open without end.
type union struct {
	cursors []cursor
	heads   []span // the next of each cursor; an exhausted one is dropped
	from    time.Time
	endless bool
	steps   *int // occurrences that may still be looked at
}

func (c Calendar) union(from time.Time, limit int64, steps *int) *union {
	u := &union{from: from, endless: c.always(), steps: steps}
	if u.endless {
		return u
	}
	for _, w := range c.Windows {
		u.cursors = append(u.cursors, w.endingAfter(from, limit))
		u.heads = append(u.heads, span{})
		u.advance(len(u.heads) - 1)
	}
	return u
}

// advance moves the i-th cursor on. The head of an exhausted one is at the end of
// time, and that of each when the steps are.
func (u *union) advance(i int) {
	head, ok := u.cursors[i].next()
	if *u.steps--; !ok || *u.steps < 0 {
		head = span{endOfTime(), endOfTime()}
	}
	u.heads[i] = head
}

func (u *union) next() (span, bool) {
	if u.endless {
		u.endless = false
		return span{dawnOfTime(), endOfTime()}, true
	}
	if len(u.heads) == 0 {
		return span{}, false
	}
	merged := slices.MinFunc(u.heads, func(a, b span) int { return a.start.Compare(b.start) })
	if merged.start.Equal(endOfTime()) {
		return span{}, false
	}
	for grown := true; grown; {
		grown = false
		for i := range u.heads {
			for !u.heads[i].start.After(merged.end) {
				merged.end = later(merged.end, u.heads[i].end)
				u.advance(i)
				grown = true
				if merged.end.Sub(later(merged.start, u.from)) > horizon {
					u.heads = nil // nothing comes after what does not end
					return span{merged.start, endOfTime()}, true
				}
			}
		}
	}
	return merged, true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

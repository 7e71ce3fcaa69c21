package window

import (
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/words"
)

// A Notice is something that a person should know before it happens.
type Notice struct {
	Kind    string    // one of the constants
	Window  string    // the window, as its String; empty for the calendar as a whole
	At      time.Time // when it happens; zero for what is always so
	Message string    // a sentence for a person, which names the window
}

// The kinds of notices. NeverOpens is a mistake, for a loader to refuse; the
// others are for people to judge.
const (
	NeverOpens = "never_opens" // nothing may start at any time, whenever that is asked
	LongClosed = "long_closed" // nothing may start in the next 400 days
	EitherDay  = "either_day"  // a cron expression restricts both day fields, which widens it
	Overlap    = "overlap"     // occurrences of one cron window run into one another
	Skipped    = "skipped"     // the clock jumps over a whole occurrence
	Shortened  = "shortened"   // an occurrence is shorter than the others
	Lengthened = "lengthened"  // an occurrence is longer than the others
	Moved      = "moved"       // a cron occurrence starts later, its time does not exist
)

// Check returns what people should know about the 400 days from now on: first
// what is always so, then what happens on a day, in order of time.
func (c Calendar) Check(now time.Time) []Notice {
	var notices []Notice
	if now.IsZero() {
		return nil
	}
	if !c.opensEver() {
		notices = append(notices, Notice{Kind: NeverOpens, Message: c.whyNever()})
	} else if s := c.At(now); !s.Open && s.NextOpen.IsZero() {
		notices = append(notices, Notice{Kind: LongClosed, Message: c.whyLong(now, s)})
	}
	for _, w := range c.Windows {
		if w.cron != nil {
			notices = append(notices, w.checkCron(now)...)
		}
		for _, j := range w.jumps(now) {
			notices = append(notices, w.checkJump(now, j)...)
		}
	}
	notices = slices.DeleteFunc(notices, func(n Notice) bool { return c.beyond(n.At) })
	slices.SortStableFunc(notices, func(a, b Notice) int { return a.At.Compare(b.At) })
	return notices
}

// opensEver reports whether a change may start at any time at all. It needs no
// clock, so that one commit means one thing on every day: a freeze that comes once
// passes, and what recurs is looked at over years that have every kind of year, of
// every weekday, after the last annual freeze has come for the first time.
func (c Calendar) opensEver() bool {
	const years = 30 // what the calendar does between two centuries repeats after 28
	recurring, first := c, 2000
	recurring.Freezes = nil
	for _, f := range c.Freezes {
		switch {
		case f.Until.IsZero():
			return false
		case f.Every != "" && !f.From.IsZero():
			recurring.Freezes = append(recurring.Freezes, f)
			first = max(first, (f.From.Year()/400+1)*400)
		}
	}
	t := time.Date(first, time.January, 1, 0, 0, 0, 0, time.UTC)
	end := t.AddDate(years, 0, 0)
	// Where so many occurrences are too short, none is long enough.
	for steps := 2 * maxSteps; t.Before(end) && steps > 0; {
		found, next := 0, t.Add(horizon)
		for o := range recurring.search(t, recurring.frozen(t), &steps) {
			if recurring.startable(o, later(o.start, t)) {
				return true
			}
			if found++; found == maxOpenings {
				next = o.end
			}
		}
		t = next
	}
	return false
}

// whyNever names the part to change: windows that have no occurrence, windows
// that are all frozen, or a cutoff that leaves nothing.
func (c Calendar) whyNever() string {
	uncut := c
	uncut.Cutoff = 0
	unfrozen := uncut
	unfrozen.Freezes = nil
	switch {
	case uncut.opensEver():
		return fmt.Sprintf("never opens: the cutoff of %s leaves nothing of any opening", words.Duration(c.Cutoff))
	case unfrozen.opensEver():
		return "never opens: it is frozen all the time"
	}
	return "never opens: no window has an occurrence (" + c.windows() + ")"
}

// whyLong names what keeps a calendar closed that opens later than s looked.
func (c Calendar) whyLong(now time.Time, s Status) string {
	long := fmt.Sprintf("does not open in the %d days from %s: ", horizonDays, now.In(c.zone()).Format(time.DateOnly))
	if s.Frozen {
		for _, f := range c.frozen(now) {
			if f.contains(now) {
				return long + c.frozenReason(now, f)
			}
		}
	}
	unfrozen := c
	unfrozen.Freezes = nil
	switch {
	case len(c.Next(now, 1)) > 0:
		return long + fmt.Sprintf("the cutoff of %s leaves nothing of any opening", words.Duration(c.Cutoff))
	case len(unfrozen.Next(now, 1)) > 0:
		return long + "it is frozen whenever a window is open"
	}
	return long + "no window has an occurrence (" + c.windows() + ")"
}

// checkCron finds what a cron expression means but its writer may not.
func (w Window) checkCron(now time.Time) []Notice {
	var notices []Notice
	if w.cron.either {
		notices = append(notices, Notice{Kind: EitherDay, Window: w.String(), Message: fmt.Sprintf(
			"%s opens on each day that matches the day of month or the day of week, not only on those that match both", w)})
	}
	var before int64
	found := false
	today := dayOf(reached(now, w.zone))
	for d := today; d <= today+horizonDays; d++ {
		if !w.on(d) {
			continue
		}
		for _, m := range w.starts {
			wall := d*day + int64(m)*60
			if found && time.Duration(wall-before)*time.Second < w.length {
				at := first(wall, w.zone)
				return append(notices, Notice{Kind: Overlap, Window: w.String(), At: at, Message: fmt.Sprintf(
					"%s overlaps itself: the occurrence of %s is still open when that of %s begins, so that it stays open for longer than %s",
					w, wallString(before), wallString(wall), words.Duration(w.length))})
			}
			before, found = wall, true
		}
	}
	return notices
}

// A jump is one change of the clocks: the instant, and the wall times that the
// clocks would have shown and do show.
type jump struct {
	at            time.Time
	would, showed int64
}

func (w Window) jumps(now time.Time) []jump {
	var jumps []jump
	for t := now; ; {
		s := stretchAt(t.In(w.Zone()))
		if s.end.Sub(now) > horizon {
			return jumps
		}
		t = s.end
		after := stretchAt(t.In(w.Zone()))
		jumps = append(jumps, jump{at: t, would: t.Unix() + s.offset, showed: t.Unix() + after.offset})
	}
}

// checkJump returns what a jump does to the occurrences around it.
func (w Window) checkJump(now time.Time, j jump) []Notice {
	var notices []Notice
	// The day before may have an overnight occurrence.
	for d := dayOf(min(j.would, j.showed)) - 1; d <= dayOf(max(j.would, j.showed)); d++ {
		if len(w.starts) == 0 || !w.on(d) {
			continue
		}
		if w.cron != nil {
			notices = append(notices, w.checkMoved(d, j)...)
			continue
		}
		n := w.checkLength(d, j)
		if n.Kind != "" && (n.Kind == Skipped || w.clock(d).end.After(now)) {
			notices = append(notices, n)
		}
	}
	return notices
}

// checkMoved finds the cron starts of a day that fall into the gap j.
func (w Window) checkMoved(d int64, j jump) []Notice {
	for _, m := range w.starts {
		if wall := d*day + int64(m)*60; j.would <= wall && wall < j.showed {
			return []Notice{{Kind: Moved, Window: w.String(), At: j.at, Message: fmt.Sprintf(
				"%s: the start of %s moves to %s, %s", w, wallString(wall), wallString(j.showed), j)}}
		}
	}
	return nil
}

// checkLength compares the HH:MM occurrence of a day with what it is on others.
func (w Window) checkLength(d int64, j jump) Notice {
	o := w.clock(d)
	usual := w.Length()
	n := Notice{Window: w.String(), At: o.start}
	date := wallString(d * day)[:len("2006-01-02")]
	switch length := o.end.Sub(o.start); {
	case length <= 0:
		n.Kind = Skipped
		n.Message = fmt.Sprintf("%s: none on %s, %s", w, date, j)
	case length == usual:
		return Notice{}
	default:
		n.Kind = Lengthened
		if length < usual {
			n.Kind = Shortened
		}
		n.Message = fmt.Sprintf("%s: on %s it lasts %s instead of %s, from %s to %s, %s", w, date,
			words.Duration(length), words.Duration(usual), o.start.Format("15:04 MST"), o.end.Format("15:04 MST"), j)
	}
	return n
}

// String is the end of a sentence.
func (j jump) String() string {
	direction := "forward"
	if j.showed < j.would {
		direction = "back"
	}
	return fmt.Sprintf("the clock goes %s from %s to %s", direction, wallString(j.would)[11:], wallString(j.showed)[11:])
}

func wallString(wall int64) string { return time.Unix(wall, 0).UTC().Format("2006-01-02 15:04") }

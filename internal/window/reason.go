package window

import (
	"fmt"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/words"
)

// moment is words.Moment in the zone of the windows.
func (c Calendar) moment(t time.Time) string {
	return words.Moment(t, c.zone())
}

// reason words a Status. freeze and open are the frozen and the open time that now
// is in; at most one of them is not empty.
func (c Calendar) reason(now time.Time, s Status, freeze, open span) string {
	switch {
	case s.Frozen:
		return c.frozenReason(now, freeze) + c.reopening(s)
	case s.Open && len(c.Windows) == 0 && s.ClosesAt.IsZero():
		return "open: there is no change window"
	case s.Open && s.ClosesAt.IsZero():
		return fmt.Sprintf("open, does not close within %d days (%s)", horizonDays, c.windows())
	case s.Open:
		return c.openReason(open)
	case s.InWindow:
		return fmt.Sprintf("closing: nothing starts in the last %s before %s%s", words.Duration(c.Cutoff), c.moment(open.end), c.reopening(s))
	}
	return "closed" + c.reopening(s) + " (" + c.windows() + ")" // never without windows
}

func (c Calendar) openReason(open span) string {
	reason := "open until " + c.moment(open.end)
	if c.Cutoff > 0 {
		reason += ", starts until " + c.moment(open.end.Add(-c.Cutoff))
	}
	if f, ok := c.freezeAt(open.end); ok {
		return reason + ", when a freeze begins" + f.because()
	}
	if len(c.Windows) == 0 {
		return reason
	}
	return reason + " (" + c.windows() + ")"
}

func (c Calendar) frozenReason(now time.Time, freeze span) string {
	f, _ := c.freezeAt(now)
	if freeze.end.Equal(endOfTime()) {
		return "frozen" + f.because()
	}
	return "frozen until " + c.moment(freeze.end) + f.because()
}

func (c Calendar) reopening(s Status) string {
	if s.NextOpen.IsZero() {
		return fmt.Sprintf(", no opening within %d days", horizonDays)
	}
	return ", opens " + c.moment(s.NextOpen)
}

// freezeAt returns the freeze that t is in; of several the one that ends last.
func (c Calendar) freezeAt(t time.Time) (Freeze, bool) {
	var found Freeze
	var end time.Time
	for _, f := range c.Freezes {
		for _, s := range f.spans(nil, t.Year()-1, t.Year()+1) {
			if s.contains(t) && s.end.After(end) {
				found, end = f, s.end
			}
		}
	}
	return found, !end.IsZero()
}

// because returns ": reason (owner)", as far as they are known.
func (f Freeze) because() string {
	s := ""
	if f.Reason != "" {
		s = ": " + f.Reason
	}
	if f.Owner != "" {
		s += " (" + f.Owner + ")"
	}
	return s
}

func (c Calendar) windows() string {
	var names []string
	for _, w := range c.Windows {
		names = append(names, w.String())
	}
	if len(names) > 3 {
		names = append(names[:3], fmt.Sprintf("and %d more", len(names)-3))
	}
	return strings.Join(names, "; ")
}

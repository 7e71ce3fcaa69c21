package window

import (
	"strings"
	"time"
)

// A Freeze is a time in which no change may start, whatever the windows allow. The
// zero values of From and Until mean without beginning and without end, so that
// a freeze "until further notice" has no Until.
type Freeze struct {
	From, Until time.Time // half-open; their location is the zone in which the freeze is meant
	Every       string    // "" for once, "year" for every year from that of From on
	Reason      string    // for people; may be empty
	Owner       string    // whom to ask; may be empty

	// FromDate and UntilDate are true when a date was given without a time. It
	// is what an annual freeze repeats: one that ends with 28 February has that
	// day as its last in leap years too, although Until is 1 March.
	FromDate, UntilDate bool
}

// anchorYear is the year of an annual freeze that was written without one. It
// is a leap year, so that 02-29 can be written.
const anchorYear = 2000

// lastInstant is the end of a freeze until 9999-12-31, which is how people write
// "for good". A later one could not be written in RFC 3339, whatever the zone.
func lastInstant() time.Time { return time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC) }

// ParseFreeze reads a freeze. from and until are dates (2006-01-02), which mean
// whole days, both ends included, or times (2006-01-02 15:04 in zone, or with an
// offset, 2006-01-02T15:04+09:00). every is "" or "year", and with the latter the year may be left out
// (12-28), and the end may be in the next year. A nil zone is UTC. The error is a
// *ParseError.
//
// In a year without 29 February a freeze that begins with that day begins on
// 1 March, and one that ends with it ends with 28 February.
func ParseFreeze(from, until, every string, zone *time.Location) (Freeze, error) {
	if zone == nil {
		zone = time.UTC
	}
	if every != "" && every != "year" {
		e := &ParseError{Field: "every", Text: every, Problem: "a freeze comes once or every year"}
		switch strings.ToLower(every) {
		case "year", "yearly", "annual", "annually", "1y", "12mo":
			e.Suggestion = "year"
		}
		return Freeze{}, e
	}
	a, e := parsePoint("from", from, every)
	if e != nil {
		return Freeze{}, e
	}
	b, e := parsePoint("until", until, every)
	if e != nil {
		return Freeze{}, e
	}
	if a.noYear != b.noYear {
		return Freeze{}, freezeProblem("until", until, "from and until both name a year, or neither does", "")
	}
	if a.noYear {
		a.at, b.at = anchored(a.at, b.at)
	}
	f := Freeze{From: a.instant(zone), Every: every, FromDate: a.date, UntilDate: b.date}
	f.Until = settled(b.past(), zone)
	if b.exact {
		f.Until = b.at.In(zone)
	}
	if f.Until.After(lastInstant()) {
		f.Until = lastInstant().In(zone)
	}
	switch {
	case !f.From.Before(f.Until):
		return Freeze{}, freezeProblem("until", until, "is not after from", "")
	case every == "year" && !f.Until.Before(f.From.AddDate(1, 0, 0)):
		return Freeze{}, freezeProblem("until", until, "a freeze of a year or more that comes every year never ends", "")
	}
	return f, nil
}

// anchored returns two dates without a year in the years nearest to anchorYear in
// which they exist and come in order.
func anchored(from, until time.Time) (time.Time, time.Time) {
	a, b := anchorYear, anchorYear
	if until.Before(from) {
		b++
		if until.Month() == time.February && until.Day() == 29 {
			a, b = anchorYear-1, anchorYear
		}
	}
	return from.AddDate(a-from.Year(), 0, 0), until.AddDate(b-until.Year(), 0, 0)
}

func freezeProblem(field, text, problem, suggestion string) *ParseError {
	return &ParseError{Field: field, Text: text, Problem: problem, Suggestion: suggestion}
}

// spans appends the times of f that touch the years from to to.
func (f Freeze) spans(all []span, from, to int) []span {
	if f.Every == "" || f.From.IsZero() || f.Until.IsZero() {
		s := span{f.From, f.Until}
		if f.From.IsZero() {
			s.start = dawnOfTime()
		}
		if f.Until.IsZero() {
			s.end = endOfTime()
		}
		return appendSpan(all, s)
	}
	zone := f.From.Location()
	last := f.Until.In(zone)
	if f.UntilDate {
		last = last.Add(-time.Second) // Until is the midnight after the last day
	}
	for year := max(from, f.From.Year()); year <= to; year++ {
		start, _ := inYear(f.From, year, f.FromDate)
		end, exists := inYear(last, year+last.Year()-f.From.Year(), f.UntilDate)
		if f.UntilDate && exists {
			end += day
		}
		all = appendSpan(all, span{first(start, zone), settled(end, zone)})
	}
	return all
}

// inYear returns the wall time of t in another year, at midnight for a date. In a
// year without 29 February that is the midnight after the 28th, and exists is
// false.
func inYear(t time.Time, year int, date bool) (wall int64, exists bool) {
	if t.Month() == time.February && t.Day() == 29 && time.Date(year, time.February, 29, 0, 0, 0, 0, time.UTC).Day() != 29 {
		return wallOf(year, time.March, 1, 0, 0, 0), false
	}
	if date {
		return wallOf(year, t.Month(), t.Day(), 0, 0, 0), true
	}
	return wallOf(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second()), true
}

func appendSpan(all []span, s span) []span {
	if s.start.Before(s.end) {
		return append(all, s)
	}
	return all
}

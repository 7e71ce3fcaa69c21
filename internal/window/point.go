package window

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// firstYear is the first that a date may name. An earlier one is a slip of the
// pen, and year 1 begins with what package time takes for no time at all.
const firstYear = 1970

// A point is a date or a time as it was written.
type point struct {
	at     time.Time // a wall time, in UTC; an instant when exact
	exact  bool      // written with an offset
	date   bool      // written without a time
	noYear bool
}

// instant is where something begins that begins at p.
func (p point) instant(zone *time.Location) time.Time {
	if p.exact {
		return p.at.In(zone)
	}
	return first(p.at.Unix(), zone)
}

// past is the wall time at which p is over: that of p, or the end of its day.
func (p point) past() int64 {
	if p.date {
		return p.at.Unix() + day
	}
	return p.at.Unix()
}

var (
	// timeShape is a time as people write it: with T or a space, and with an offset
	// or without. RFC 3339 has seconds; most people have none.
	timeShape = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})[Tt ](\d{1,2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?(?: ?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d))?$`)
	// offsetShape is an offset that lacks something: +09, +0900, + 9:00.
	offsetShape = regexp.MustCompile(`^(.*\d{2}:\d{2}) *([+-]) ?(\d{1,2}):?(\d{2})?$`)
	// lateShape has an hour that is one of the next day.
	lateShape = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})([T ])(2[4-9]|3[0-9]|4[0-7])(:[0-5]\d)(.*)$`)
	// bareShape is a date without anything between its parts.
	bareShape = regexp.MustCompile(`^(\d{4})?(\d{2})(\d{2})$`)
	// namedShape is a time and the name of a zone.
	namedShape = regexp.MustCompile(`^(.*\d{2}:\d{2}) +([A-Za-z][A-Za-z_/+-]*)$`)
)

// CheckPoint returns what is wrong with one end of a freeze, which may lack its year
// here; nil or a *ParseError.
func CheckPoint(text string) error {
	if _, e := parsePoint("until", text, "year"); e != nil {
		return e
	}
	return nil
}

// Instant reads a time with an offset, such as 2026-12-28T18:00+09:00; ok is false for
// any other text.
func Instant(text string) (t time.Time, ok bool) {
	p, ok := readTime(text)
	return p.at, ok && p.exact
}

// parsePoint reads a date or a time.
func parsePoint(field, text, every string) (point, *ParseError) {
	e := foreign(field, text)
	if e == nil {
		p, problem := readPoint(text, every)
		if problem == "" {
			return p, nil
		}
		e = freezeProblem(field, text, problem, "")
		if problem == notAPoint {
			e.Problem, e.Suggestion = likelyPoint(text)
		}
	}
	if _, problem := readPoint(e.Suggestion, every); problem != "" {
		e.Suggestion = "" // what a user copies from a message must work
	}
	return point{}, e
}

const notAPoint = "not a date (2006-01-02) or time (2006-01-02 15:04, or with an offset, 2006-01-02T15:04+09:00)"

// readPoint is parsePoint without a suggestion: what is wrong with text, "" for
// nothing.
func readPoint(text, every string) (p point, problem string) {
	p, ok := readTime(text)
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		p, ok = point{at: t, date: true}, true
	}
	if t, err := time.Parse("01-02", text); err == nil {
		if every != "year" {
			return point{}, "a date without a year needs every: year"
		}
		return point{at: t, date: true, noYear: true}, ""
	}
	switch {
	case !ok:
		return point{}, notAPoint
	case p.at.Year() < firstYear:
		return point{}, fmt.Sprintf("a year before %d", firstYear)
	}
	return p, ""
}

// readTime reads a time with its date.
func readTime(text string) (point, bool) {
	m := timeShape.FindStringSubmatch(text)
	if m == nil {
		return point{}, false
	}
	seconds, offset := m[3], strings.ToUpper(m[4])
	if seconds == "" {
		seconds = ":00"
	}
	if offset == "" {
		offset = "Z"
	}
	t, err := time.Parse(time.RFC3339, m[1]+"T"+strings.Repeat("0", 5-len(m[2]))+m[2]+seconds+offset)
	if err != nil {
		return point{}, false
	}
	if m[4] == "" {
		return point{at: t.UTC()}, true
	}
	return point{at: t, exact: true}, true
}

// likelyPoint returns what is wrong with a text that is no date or time, and what
// was most likely meant, which may be wrong itself.
func likelyPoint(text string) (problem, suggestion string) {
	problem = notAPoint
	if m := lateShape.FindStringSubmatch(text); m != nil {
		if date, err := time.Parse(time.DateOnly, m[1]); err == nil {
			hour := (int(m[3][0]-'0')*10 + int(m[3][1]-'0')) - 24
			return fmt.Sprintf("there is no hour after 23; %s%s is %02d%s of the next day", m[3], m[4], hour, m[4]),
				fmt.Sprintf("%s%s%02d%s%s", date.AddDate(0, 0, 1).Format(time.DateOnly), m[2], hour, m[4], m[5])
		}
	}
	if m := bareShape.FindStringSubmatch(text); m != nil {
		return problem, strings.TrimPrefix(m[1]+"-"+m[2]+"-"+m[3], "-")
	}
	if m := offsetShape.FindStringSubmatch(text); m != nil {
		return problem, strings.Replace(m[1], " ", "T", 1) + m[2] + padded(m[3]) + ":" + padded(m[4])
	}
	if m := namedShape.FindStringSubmatch(text); m != nil {
		p, ok := readTime(m[1])
		zone, err := LoadZone(m[2])
		if ok && err == nil {
			return "a time has an offset and not the name of a zone; without one it is meant in the environment's zone", p.instant(zone).Format("2006-01-02T15:04Z07:00")
		}
	}
	if plain := strings.NewReplacer("/", "-", ".", "-").Replace(text); plain != text {
		return problem, plain
	}
	return problem, ""
}

// padded writes a part of an offset with two digits.
func padded(digits string) string { return strings.Repeat("0", 2-len(digits)) + digits }

package window

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// cronDates are the dates of a cron expression.
type cronDates struct {
	months, dates uint64 // bit n is the n-th of the year, of the month
	monthEnd      bool   // L: the last day of a month
	days          days
	either        bool // both day fields are restricted: a date has to match one of them
}

func (c *cronDates) has(number int64) bool {
	_, month, date := time.Unix(number*day, 0).UTC().Date()
	if c.months&(1<<month) == 0 {
		return false
	}
	inMonth := c.dates&(1<<date) != 0 || c.monthEnd && endsMonth(number, 1)
	inWeek := c.days.has(number)
	if c.either {
		return inMonth || inWeek
	}
	return inMonth && inWeek
}

// starBit is how the parser marks a field that was * (robfig/cron, spec.go).
const starBit = 1 << 63

// datesOf returns the dates of what the parser read, and of what it has no words
// for and was never shown.
func datesOf(s *cron.SpecSchedule, beyond cronDates) *cronDates {
	c := beyond
	c.months, c.dates = s.Month, s.Dom
	c.days.weekly = weekdays(s.Dow) & everyDay
	anyDate, anyDay := s.Dom&starBit != 0, s.Dow&starBit != 0
	if c.monthEnd && anyDate {
		c.dates, anyDate = 0, false // the field had nothing else
	}
	if c.days.monthly != [6]weekdays{} {
		c.days.weekly, anyDay = 0, false // takeMonthly lets nothing stand beside it
	}
	c.either = !anyDate && !anyDay
	return &c
}

// monthlyPart is a day of the week in the month, as Quartz writes it: SAT#1, SATL.
// Numbers count from Sunday as 0, as everywhere in the field. #L and #-1 are other
// tools' words for L.
var monthlyPart = regexp.MustCompile(`^([A-Z]{3}|[0-9])(?:#([0-9]+)|L|(#L|#-1))$`)

// late is an hour of the next day, from 24 to 47, in a list or a range of hours.
var late = regexp.MustCompile(`(?:^|[^0-9/])(2[4-9]|3[0-9]|4[0-7])(?:[^0-9]|$)`)

// takeMonthly reads the days of the month in the day-of-week field, SAT#1 and SATL,
// and writes them in one form. The parser has no such days, and is given * instead.
func (c *cronDates) takeMonthly(expr string, f *cronField) *ParseError {
	if !strings.ContainsAny(f.text, "#L") {
		return nil
	}
	parts := strings.Split(f.text, ",")
	at := f.offset
	for i, part := range parts {
		d, ordinal, problem := readMonthly(part)
		if problem != "" {
			e := cronProblem(expr, at, "day of week: "+problem, "")
			if before, found := strings.CutSuffix(part, "#L"); found || strings.HasSuffix(part, "#-1") {
				before = strings.TrimSuffix(before, "#-1")
				e.Suggestion = expr[:at] + before + "L" + expr[min(at+len(part), len(expr)):]
			}
			return e
		}
		bit := weekdays(1) << d
		if c.days.monthly[ordinal]&bit != 0 {
			return cronProblem(expr, at, fmt.Sprintf("day of week: %q is in the list twice", part), "")
		}
		c.days.monthly[ordinal] |= bit
		parts[i] = monthlyText(d, ordinal)
		at += len(part) + 1
	}
	f.text, f.plain = strings.Join(parts, ","), "*"
	return nil
}

// readMonthly reads SAT#1 or SATL. problem is to be read after the name of the field.
func readMonthly(part string) (d time.Weekday, ordinal int, problem string) {
	m := monthlyPart.FindStringSubmatch(part)
	if m == nil {
		return 0, 0, fmt.Sprintf("%q is not a day of the month beside others that are; each needs its own, as in SAT#1,SAT#3 (the first and the third Saturday) or SATL (the last)", part)
	}
	number := weekdayNumber(m[1])
	switch n, err := strconv.Atoi(m[2]); {
	case number < 0:
		return 0, 0, fmt.Sprintf("%q is not a day of the week", m[1])
	case m[3] != "":
		return 0, 0, fmt.Sprintf("%q: the last one in a month is written L", part)
	case m[2] == "":
		return time.Weekday(number % 7), lastOrdinal, ""
	case err != nil || n < 1 || n > lastOrdinal:
		return 0, 0, fmt.Sprintf("%q: a month has five such days at most; #1 is the first, and L the last", part)
	default:
		return time.Weekday(number % 7), n - 1, ""
	}
}

// monthlyText writes a day of the month as takeMonthly reads it.
func monthlyText(d time.Weekday, ordinal int) string {
	name := strings.ToUpper(d.String()[:3])
	if ordinal == lastOrdinal {
		return name + "L"
	}
	return fmt.Sprintf("%s#%d", name, ordinal+1)
}

// takeMonthEnd takes L, the last day of the month, out of the day-of-month field.
func (c *cronDates) takeMonthEnd(f *cronField) {
	parts := strings.Split(f.text, ",")
	rest := slices.DeleteFunc(slices.Clone(parts), func(part string) bool { return part == "L" })
	if c.monthEnd = len(rest) < len(parts); c.monthEnd {
		f.plain = strings.Join(rest, ",")
		if len(rest) == 0 {
			f.plain = "*"
		}
	}
}

// lateHour returns the problem with an hour from 24 on, which is how Japanese
// timetables write the hours after midnight, or nil. The expression for the day
// after is offered where it is one.
func lateHour(expr string, fields [5]cronField) *ParseError {
	hour := fields[1]
	m := late.FindStringSubmatch(hour.text)
	if m == nil {
		return nil
	}
	n, _ := strconv.Atoi(m[1])
	e := cronProblem(expr, hour.offset, fmt.Sprintf("hour: there is no hour after 23; %d is %d of the next day", n, n-24), "")
	// The day after one of a month may be in another month.
	if hour.text != m[1] || fields[2].text != "*" || fields[3].text != "*" || fields[4].plain != fields[4].text {
		return e
	}
	spec, err := parseSpec("* * * * " + fields[4].text)
	if err != nil {
		return e
	}
	dow := fields[4].text
	if spec.Dow&starBit == 0 {
		after := (weekdays(spec.Dow) & everyDay).next()
		if dow = strings.ToUpper(after.String()); len(dow) > 3 && !strings.ContainsAny(dow, ",-") {
			dow = dow[:3]
		}
		if after == everyDay {
			dow = "*"
		}
	}
	e.Suggestion = strings.Join([]string{fields[0].text, strconv.Itoa(n - 24), "*", "*", dow}, " ")
	return e
}

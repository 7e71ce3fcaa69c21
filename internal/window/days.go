package window

import (
	"strings"
	"time"
)

// weekdays is a set; bit 0 is Sunday, as in time.Weekday.
type weekdays uint8

const everyDay weekdays = 1<<7 - 1

func (d weekdays) has(w time.Weekday) bool { return d&(1<<w) != 0 }

// next returns the days after those of d.
func (d weekdays) next() weekdays { return (d<<1 | d>>6) & everyDay }

// String names the days as Parse reads them: "daily", "Saturday", "Mon-Fri",
// "Mon,Wed,Sat,Sun". The week begins on Monday.
func (d weekdays) String() string {
	if d == everyDay {
		return "daily"
	}
	var parts []string
	for i := 0; i < 7; i++ {
		j := i
		for j < 7 && d.has(time.Weekday((j+1)%7)) {
			j++
		}
		if run := j - i; run > 2 {
			parts = append(parts, short(i)+"-"+short(j-1))
			i = j
		} else if run > 0 {
			parts = append(parts, short(i))
		}
	}
	if len(parts) == 1 && len(parts[0]) == 3 {
		for w := time.Sunday; w <= time.Saturday; w++ {
			if d.has(w) {
				return w.String()
			}
		}
	}
	return strings.Join(parts, ",")
}

// short abbreviates the i-th day of a week that begins on Monday.
func short(i int) string { return time.Weekday((i + 1) % 7).String()[:3] }

// ordinals are the places that a day of the week may have in a month, as Parse
// reads them and as monthly counts them. A month has a fifth one now and then.
func ordinals() [6]string {
	return [6]string{"first", "second", "third", "fourth", "fifth", "last"}
}

// lastOrdinal is the index in ordinals of the one that is the fourth or the fifth.
const lastOrdinal = 5

// days are the dates on which something is scheduled: days of the week, or of a
// month such as its first Saturday.
type days struct {
	weekly  weekdays
	monthly [6]weekdays // by ordinal
}

// has reports whether a numbered day is among them.
func (d days) has(number int64) bool {
	weekday := weekdayOf(number)
	if d.weekly.has(weekday) || d.monthly == [6]weekdays{} {
		return d.weekly.has(weekday)
	}
	_, _, date := time.Unix(number*day, 0).UTC().Date()
	return d.monthly[(date-1)/7].has(weekday) || d.monthly[lastOrdinal].has(weekday) && endsMonth(number, 7)
}

// endsMonth reports whether a numbered day is one of the last n of its month.
func endsMonth(number int64, n int64) bool {
	return time.Unix(number*day, 0).UTC().Month() != time.Unix((number+n)*day, 0).UTC().Month()
}

// String names the days as Parse reads them.
func (d days) String() string {
	var parts []string
	for i, of := range d.monthly {
		for j := range 7 {
			if w := time.Weekday((j + 1) % 7); of.has(w) {
				parts = append(parts, ordinals()[i]+" "+w.String())
			}
		}
	}
	if d.weekly != 0 {
		parts = append(parts, d.weekly.String())
	}
	return strings.Join(parts, ",")
}

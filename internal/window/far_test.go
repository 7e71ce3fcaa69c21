package window_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/window"
)

// oddDays are instants at which a rule for the clocks of a zone may go wrong
// that is right on other days: around the ends of the years of all kinds, around
// leap days, and on the first days after the tables of the zone database end.
func oddDays() []time.Time {
	var days []time.Time
	for _, year := range []int{1, 1600, 1900, 1970, 2026, 2028, 2036, 2037, 2038, 2040, 2087, 2088, 2096, 2099, 2100, 2104, 2399, 2400, 4000, 9996, 9998} {
		days = append(days,
			time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(year, 2, 29, 12, 0, 0, 0, time.UTC),
			time.Date(year, 6, 30, 12, 0, 0, 0, time.UTC), time.Date(year, 12, 30, 12, 0, 0, 0, time.UTC),
			time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(year, 12, 31, 12, 0, 0, 0, time.UTC),
			time.Date(year, 12, 31, 23, 59, 59, 0, time.UTC),
		)
	}
	return days
}

// zonesToWalk are all zones with LAYERD_ZONES=all, and else a few of each kind:
// without summer time, north, south, half an hour, backwards, and with tables
// that go on longer.
func zonesToWalk(t *testing.T) []string {
	if os.Getenv("LAYERD_ZONES") == "all" {
		return everyZone(t)
	}
	return []string{"UTC", "Asia/Tokyo", newYork, "Europe/Dublin", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Asia/Gaza"}
}

// A daily window opens as the clock shows on each odd day, in every zone.
func TestEveryZoneOnOddDays(t *testing.T) {
	for _, name := range everyZone(t) {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range oddDays() {
			checkDay(t, z, d)
		}
	}
}

// Every day until 2200, in a few zones of each kind or in all of them.
func TestEveryDayUntil2200(t *testing.T) {
	for _, name := range zonesToWalk(t) {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for d := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC); d.Year() <= 2200; d = d.AddDate(0, 0, 1) {
			checkDay(t, z, d)
		}
	}
}

// checkDay compares the day of a daily window with what the clock shows: it
// begins at the first minute that shows 12:00 or more and ends likewise at 18:00,
// hours at which no clock has jumped since 1970.
func checkDay(t *testing.T, z *time.Location, at time.Time) {
	t.Helper()
	w, err := window.Parse("daily 12:00-18:00", z)
	if err != nil {
		t.Error(err)
		return
	}
	y, m, d := at.In(z).Date()
	want := window.Opening{Start: time.Date(y, m, d, 12, 0, 0, 0, z), End: time.Date(y, m, d, 18, 0, 0, 0, z)}
	next := window.Calendar{Windows: []window.Window{w}}.Next(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Add(-24*time.Hour), 3)
	for _, o := range next {
		if o.Start.Equal(want.Start) && o.End.Equal(want.End) {
			return
		}
	}
	t.Errorf("%s: got %v, want one of them to be %v", z, next, want)
}

// The case that users met, and its neighbours: any end on the last day of a leap
// year, in any zone with summer time.
func TestAFreezeThatEndsOnTheLastDayOfALeapYear(t *testing.T) {
	for _, name := range []string{newYork, "Europe/Berlin", "Europe/London", "Australia/Sydney", "America/Havana", "Europe/Dublin"} {
		for _, until := range []string{"2040-12-30", "2040-12-31", "2044-12-31", "2096-12-31", "2400-12-31", "2040-12-31 12:00", "2040-12-31T23:59:59Z", "2099-12-31", "9996-12-31", "9999-12-31"} {
			f := freeze(t, "2026-12-20", until, "", name)
			if len(until) == len("2006-01-02") && until != "9999-12-31" {
				day, _ := time.ParseInLocation("2006-01-02", until, zone(t, name))
				if want := day.AddDate(0, 0, 1); !f.Until.Equal(want) {
					t.Errorf("%s %s: got %s, want %s", name, until, f.Until, want)
				}
			}
			c := window.Calendar{Windows: []window.Window{parse(t, "Saturday 02:00-06:00 "+name)}, Freezes: []window.Freeze{f}}
			for _, now := range []string{"2026-11-24T00:00:00Z", "2026-12-20T12:00:00Z", "2039-12-31T12:00:00Z", "2040-12-31T12:00:00Z"} {
				c.At(instant(t, now))
				c.Next(instant(t, now), 3)
				c.Check(instant(t, now))
			}
		}
	}
}

// A hundred windows, each with minutes of its own, under a cutoff that leaves
// nothing: the answer is bounded by a number of occurrences, whatever they are.
func TestASearchThroughManyWindowsIsBounded(t *testing.T) {
	var c window.Calendar
	for i := range 100 {
		c.Windows = append(c.Windows, parseCron(t, fmt.Sprintf("%d-59/5 * * * *", i%5), time.Minute, newYork))
	}
	c.Cutoff = 1000 * 24 * time.Hour
	now := instant(t, "2026-11-24T00:00:30Z")
	if s := c.At(now); s.Open {
		t.Error("open within the cutoff")
	}
	c.Next(now, 5) // minutes, without a bound
	c.Check(now)
}

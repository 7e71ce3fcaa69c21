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

// zonesToWalk are all zones with LAYERD_ZONES=all, of several names of one table the
// first, and else a few of each kind: without summer time, north, south, half an
// hour, backwards, and with tables that go on longer.
func zonesToWalk(t *testing.T) []string {
	if os.Getenv("LAYERD_ZONES") == "all" {
		return everyTable(t)
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
		t.Run(name, func(t *testing.T) { t.Parallel(); everyDayUntil2200(t, z) })
	}
}

func everyDayUntil2200(t *testing.T, z *time.Location) {
	for d := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC); d.Year() <= 2200; d = d.AddDate(0, 0, 1) {
		checkDay(t, z, d)
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

// S1: every search ends, and what it says holds, over all that a calendar may have:
// windows of weeks, of months and of cron, freezes that come once and every year, of
// which one ends or begins at the odd day itself, and a cutoff. All zones with
// LAYERD_ZONES=all, else a few of each kind.
func TestS1EverySearchEndsInEveryZoneOnOddDays(t *testing.T) {
	for _, name := range zonesToWalk(t) {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		windows := []window.Window{oddWindow(t, "Saturday 02:00-06:00", z), oddWindow(t, "first Saturday 22:00-04:00", z), oddWindow(t, "last Sunday 00:00-24:00", z), oddWindow(t, "30 2 * * FRI#5", z), oddWindow(t, "0 0 L 2 *", z)}
		for i, at := range oddDays() {
			c := window.Calendar{Zone: z, Windows: windows[i%len(windows):], Cutoff: time.Duration(i%3) * 30 * time.Minute, Freezes: oddFreezes(t, at, z)}
			checkFar(t, c, at)
			c.Windows = nil
			checkFar(t, c, at)
		}
	}
}

func oddWindow(t *testing.T, text string, z *time.Location) window.Window {
	t.Helper()
	w, err := window.Parse(text, z)
	if text[0] < 'A' {
		w, err = window.ParseCron(text, 3*time.Hour, z)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// oddFreezes are freezes around an instant, as far as dates can be written there.
func oddFreezes(t *testing.T, at time.Time, z *time.Location) (all []window.Freeze) {
	t.Helper()
	day := func(years, days int) string { return at.In(z).AddDate(years, 0, days).Format(time.DateOnly) }
	for _, f := range [][3]string{
		{day(0, -3), day(0, 0), ""}, {day(0, 0), day(0, 0), "year"}, {day(0, 1) + " 01:30", day(0, 2) + "T02:30", "year"},
		{day(0, 20), day(13, 0), ""}, {"02-29", "03-01", "year"}, {"12-28", "01-03", "year"}, {"2026-12-20", "9999-12-31", ""},
	} {
		parsed, err := window.ParseFreeze(f[0], f[1], f[2], z)
		if err != nil {
			continue // before 1970, or after 9999
		}
		if f[1] != "9999-12-31" || at.Year() == 2040 {
			all = append(all, parsed)
		}
	}
	return all
}

// checkFar: what is announced happens, in order, at times that can be written.
func checkFar(t *testing.T, c window.Calendar, at time.Time) {
	t.Helper()
	s := c.At(at)
	if (s.By == "") != s.Open || s.Reason == "" {
		t.Fatalf("%s at %s: %+v", c.Zone, at, s)
	}
	if !s.NextOpen.IsZero() && (!s.NextOpen.After(at) || !c.At(s.NextOpen).Open || c.At(s.NextOpen.Add(-time.Second)).Open) {
		t.Fatalf("%s at %s: opens %s, where it is %+v after %+v", c.Zone, at, s.NextOpen, c.At(s.NextOpen), c.At(s.NextOpen.Add(-time.Second)))
	}
	times := []time.Time{s.NextOpen, s.ClosesAt}
	end := time.Time{}
	for i, o := range c.Next(at, 4) {
		if o.Start.IsZero() || i > 0 && (end.IsZero() || o.Start.Before(end)) || !o.End.IsZero() && !o.End.After(o.Start) {
			t.Fatalf("%s at %s: %+v after %s", c.Zone, at, o, end)
		}
		end = o.End
		times = append(times, o.Start, o.End)
	}
	for _, n := range c.Check(at) {
		times = append(times, n.At)
	}
	for _, u := range times {
		if _, err := u.MarshalJSON(); err != nil {
			t.Fatalf("%s at %s: %v", c.Zone, at, err)
		}
	}
}

// S1: what is asked in the last hours of the last year that can be written is
// answered, and nothing is announced for later.
func TestS1TheLastDaysThatCanBeWritten(t *testing.T) {
	for _, name := range []string{"UTC", "Asia/Tokyo", newYork, "Pacific/Kiritimati", "Pacific/Niue"} {
		z := zone(t, name)
		for _, at := range []time.Time{
			time.Date(9998, 6, 1, 0, 0, 0, 0, z), time.Date(9999, 1, 1, 0, 0, 0, 0, z), time.Date(9999, 12, 1, 12, 0, 0, 0, z), time.Date(9999, 12, 31, 0, 0, 0, 0, z),
			time.Date(9999, 12, 31, 13, 0, 0, 0, z), time.Date(9999, 12, 31, 23, 59, 59, 0, z),
		} {
			for _, windows := range [][]window.Window{nil, {oddWindow(t, "daily 12:00-18:00", z)}, {oddWindow(t, "daily 22:00-04:00", z)}, {oddWindow(t, "first Saturday 22:00-04:00", z)}, {oddWindow(t, "0 * * * *", z)}} {
				for _, freezes := range [][]window.Freeze{nil, {freeze(t, "12-28", "01-03", "year", name)}, {freeze(t, "2026-12-20", "9999-12-31", "", name)}, {freeze(t, "9999-12-30", "9999-12-31", "", name)}} {
					checkFar(t, window.Calendar{Zone: z, Windows: windows, Freezes: freezes, Cutoff: 15 * time.Minute}, at)
				}
			}
		}
	}
}

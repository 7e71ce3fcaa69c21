package window_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/window"
)

func TestCheck(t *testing.T) {
	now := instant(t, "2027-01-01T00:00:00Z")
	const spring, autumn = ", the clock goes forward from 02:00 to 03:00", ", the clock goes back from 02:00 to 01:00"
	at := func(w window.Window, moreFreezes ...window.Freeze) window.Calendar {
		return window.Calendar{Windows: []window.Window{w}, Freezes: moreFreezes}
	}
	for _, tc := range []struct {
		name string
		c    window.Calendar
		want []string
	}{
		{name: "nothing to say", c: at(parse(t, "Saturday 02:00-06:00 JST"))},
		{name: "no windows"},
		{name: "skipped", c: at(parse(t, "Sun 02:00-02:30 America/New_York")), want: []string{
			"skipped 2027-03-14: Sunday 02:00-02:30 America/New_York: none on 2027-03-14" + spring}},
		{name: "not on that day", c: at(parse(t, "Mon-Sat 02:00-02:30 America/New_York"))},
		{name: "shortened and lengthened", c: at(parse(t, "daily 00:00-04:00 America/New_York")), want: []string{
			"shortened 2027-03-14: daily 00:00-04:00 America/New_York: on 2027-03-14 it lasts 3h instead of 4h, from 00:00 EST to 04:00 EDT" + spring,
			"lengthened 2027-11-07: daily 00:00-04:00 America/New_York: on 2027-11-07 it lasts 5h instead of 4h, from 00:00 EDT to 04:00 EST" + autumn}},
		{name: "overnight", c: at(parse(t, "Sat 22:00-04:00 America/New_York")), want: []string{
			"shortened 2027-03-13: Saturday 22:00-04:00 America/New_York: on 2027-03-13 it lasts 5h instead of 6h, from 22:00 EST to 04:00 EDT" + spring,
			"lengthened 2027-11-06: Saturday 22:00-04:00 America/New_York: on 2027-11-06 it lasts 7h instead of 6h, from 22:00 EDT to 04:00 EST" + autumn}},
		{name: "moved", c: at(parseCron(t, "30 2 * * *", time.Hour, newYork)), want: []string{
			"moved 2027-03-14: cron 30 2 * * * for 1h America/New_York: the start of 2027-03-14 02:30 moves to 2027-03-14 03:00" + spring}},
		{name: "either day", c: at(parseCron(t, "0 4 1-7 * SAT", time.Hour, "UTC")), want: []string{
			"either_day 0001-01-01: cron 0 4 1-7 * SAT for 1h UTC opens on each day that matches the day of month or the day of week, not only on those that match both"}},
		{name: "not either day", c: at(parseCron(t, "0 4 * * SAT", time.Hour, "UTC"))},
		{name: "touching is not overlapping", c: at(parseCron(t, "@hourly", time.Hour, "UTC"))},
		{name: "overlap within a day", c: at(parseCron(t, "@hourly", 90*time.Minute, "UTC")), want: []string{
			"overlap 2027-01-01: cron 0 * * * * for 1h30m UTC overlaps itself: the occurrence of 2027-01-01 00:00 is still open when that of 2027-01-01 01:00 begins, so that it stays open for longer than 1h30m"}},
		{name: "too rare", c: at(parseCron(t, "0 0 29 2 *", time.Hour, "UTC")), want: []string{"long_closed 0001-01-01: " +
			"does not open in the 400 days from 2027-01-01: no window has an occurrence (cron 0 0 29 2 * for 1h UTC)"}},
		{name: "the zero window", c: at(window.Window{}), want: []string{"never_opens 0001-01-01: " +
			"never opens: no window has an occurrence (never)"}},
		{name: "frozen", c: at(parse(t, "Sat 02:00-06:00 JST"), window.Freeze{}), want: []string{"never_opens 0001-01-01: " +
			"never opens: it is frozen all the time"}},
		{name: "cut off", c: window.Calendar{Windows: []window.Window{parse(t, "Sat 02:00-06:00 JST")}, Cutoff: 4 * time.Hour}, want: []string{"never_opens 0001-01-01: " +
			"never opens: the cutoff of 4h leaves nothing of any opening"}},
		{name: "frozen for decades", c: at(parse(t, "Sat 02:00-06:00 JST"), freeze(t, "2026-12-20", "2099-12-31", "", "Asia/Tokyo")), want: []string{
			"long_closed 0001-01-01: does not open in the 400 days from 2027-01-01: frozen until Fri 2100-01-01 00:00 JST"}},
		{name: "frozen all the year, each year", c: at(parse(t, "Sat 02:00-06:00 UTC"), freeze(t, "01-01", "06-30", "year", "UTC"), freeze(t, "07-01", "12-31", "year", "UTC")), want: []string{
			"never_opens 0001-01-01: never opens: it is frozen all the time"}},
		{name: "frozen all the year, each year from 2050 on", c: at(parse(t, "Sat 02:00-06:00 UTC"), freeze(t, "2050-01-01", "2050-06-30", "year", "UTC"), freeze(t, "2050-07-01", "2050-12-31", "year", "UTC")), want: []string{
			"never_opens 0001-01-01: never opens: it is frozen all the time"}},
		{name: "a Monday in one day of the year", c: at(parse(t, "Mon 02:00-06:00 UTC"), freeze(t, "01-02", "12-31", "year", "UTC")), want: []string{
			"long_closed 0001-01-01: does not open in the 400 days from 2027-01-01: it is frozen whenever a window is open"}},
		{name: "a Saturday of 29 February", c: at(parse(t, "Sat 02:00-06:00 UTC"), freeze(t, "03-01", "01-31", "year", "UTC"), freeze(t, "02-01", "02-28", "year", "UTC")), want: []string{
			"long_closed 0001-01-01: does not open in the 400 days from 2027-01-01: frozen until Tue 2028-02-29 00:00 UTC"}},
		{name: "often, and each time too short", c: window.Calendar{Windows: []window.Window{parseCron(t, "*/5 * * * *", time.Minute, "UTC")}, Cutoff: 2 * time.Minute}, want: []string{
			"never_opens 0001-01-01: never opens: the cutoff of 2m leaves nothing of any opening"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, n := range tc.c.Check(now) {
				got = append(got, n.Kind+" "+n.At.Format(time.DateOnly)+": "+n.Message)
			}
			if diff := cmp.Diff(got, tc.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

// One calendar opens, or never does, whenever that is asked: a commit that was
// valid before a freeze begins is valid while it lasts.
func TestNeverOpensWhateverTheTime(t *testing.T) {
	saturday := parse(t, "Saturday 02:00-06:00 JST")
	tokyo := zone(t, "Asia/Tokyo")
	for _, tc := range []struct {
		name  string
		c     window.Calendar
		never bool
	}{
		{"a freeze of decades", window.Calendar{Windows: []window.Window{saturday}, Freezes: []window.Freeze{freeze(t, "2026-12-20", "2099-12-31", "", "Asia/Tokyo")}}, false},
		{"a freeze for good, without a window", window.Calendar{Zone: tokyo, Freezes: []window.Freeze{freeze(t, "2026-12-20", "9999-12-31", "", "Asia/Tokyo")}}, false},
		{"many freezes without a pause", window.Calendar{Windows: []window.Window{saturday}, Freezes: []window.Freeze{
			freeze(t, "2026-12-20", "2027-12-31", "", "Asia/Tokyo"), freeze(t, "2028-01-01", "2029-12-31", "", "Asia/Tokyo")}}, false},
		{"a leap day", window.Calendar{Windows: []window.Window{parseCron(t, "0 0 29 2 *", time.Hour, "UTC")}}, false},
		{"a cutoff that is too long", window.Calendar{Windows: []window.Window{saturday}, Cutoff: 4 * time.Hour}, true},
		{"frozen every year but for a day, from 2030 on", window.Calendar{Windows: []window.Window{saturday}, Freezes: []window.Freeze{freeze(t, "2030-01-02", "2030-12-31", "year", "Asia/Tokyo")}}, false},
	} {
		for _, now := range []string{"1970-01-01T00:00:00Z", "2026-11-24T00:00:00Z", "2026-12-19T14:59:00Z", "2026-12-19T15:00:00Z", "2027-06-01T00:00:00Z", "2040-12-31T12:00:00Z", "2098-12-01T00:00:00Z", "2100-02-28T00:00:00Z", "9998-12-31T12:00:00Z"} {
			never := false
			for _, n := range tc.c.Check(instant(t, now)) {
				never = never || n.Kind == window.NeverOpens
			}
			if never != tc.never {
				t.Errorf("%s, asked at %s: never opens is %v, want %v", tc.name, now, never, tc.never)
			}
		}
	}
}

// A notice about an occurrence that is over helps nobody.
func TestCheckLooksAhead(t *testing.T) {
	c := window.Calendar{Windows: []window.Window{parse(t, "daily 00:00-04:00 America/New_York")}}
	for _, n := range c.Check(instant(t, "2027-03-14T08:00:00Z")) { // when it closes
		if n.At.Before(instant(t, "2027-03-14T08:00:00Z")) {
			t.Errorf("got %s", n.Message)
		}
	}
}

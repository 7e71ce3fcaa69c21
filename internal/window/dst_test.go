package window_test

import (
	"fmt"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/window"
)

const newYork = "America/New_York"

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := window.LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func parse(t testing.TB, text string) window.Window {
	t.Helper()
	w, err := window.Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func parseCron(t testing.TB, expr string, length time.Duration, zoneName string) window.Window {
	t.Helper()
	w, err := window.ParseCron(expr, length, zone(t, zoneName))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// openingsOn prints the openings of c that begin on a day, with their elapsed
// length: "03:00 EDT to 03:30 EDT (30m0s)".
func openingsOn(t testing.TB, c window.Calendar, z *time.Location, date string) []string {
	t.Helper()
	noon, err := time.ParseInLocation("2006-01-02 15:04", date+" 12:00", z)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range c.Next(noon.Add(-36*time.Hour), 400) {
		start, end := o.Start.In(z), o.End.In(z)
		if start.Format(time.DateOnly) == date {
			got = append(got, fmt.Sprintf("%s to %s (%s)", start.Format("15:04 MST"), end.Format("15:04 MST"), end.Sub(start)))
		}
	}
	return got
}

// The sentences of the contract, and next to each what the peers were measured to
// do in the same case: Argo CD and Flux Operator by their own logic on robfig/cron
// v3.0.1, kured by its own code.
func TestClockChangesComparedWithPeers(t *testing.T) {
	const spring, autumn = "2027-03-14", "2027-11-07" // New York: 02:00 to 03:00, and 02:00 back to 01:00
	for _, tc := range []struct {
		name   string
		text   string        // an HH:MM window, or
		cron   string        // a cron window
		length time.Duration // of this length
		zone   string
		date   string
		want   []string
		peers  string
	}{
		{name: "the start is in the gap", text: "daily 02:30-03:30", date: spring,
			want:  []string{"03:00 EDT to 03:30 EDT (30m0s)"},
			peers: "Argo CD the same; Flux never opens that day; kured opens an hour early, at 01:30 EST"},
		{name: "all of it is in the gap", text: "daily 02:00-02:30", date: spring,
			peers: "Argo CD and Flux the same, but nobody is told"},
		{name: "exactly the gap", text: "daily 02:00-03:00", date: spring},
		{name: "the end is in the gap", text: "daily 01:30-02:30", date: spring,
			want: []string{"01:30 EST to 03:00 EDT (30m0s)"}},
		{name: "spring within a window", text: "daily 00:00-04:00", date: spring,
			want:  []string{"00:00 EST to 04:00 EDT (3h0m0s)"},
			peers: "Argo CD the same; Flux four hours, to 05:00"},
		{name: "autumn within a window", text: "daily 00:00-04:00", date: autumn,
			want:  []string{"00:00 EDT to 04:00 EST (5h0m0s)"},
			peers: "Argo CD the same; Flux four hours, to 03:00"},
		{name: "the repeated hour is a window", text: "daily 01:00-02:00", date: autumn,
			want:  []string{"01:00 EDT to 02:00 EST (2h0m0s)"},
			peers: "Argo CD twice 59 minutes, shut at 01:00 EST; Flux the same"},
		{name: "within the repeated hour", text: "daily 01:30-01:45", date: autumn,
			want:  []string{"01:30 EDT to 01:45 EDT (15m0s)"},
			peers: "Argo CD and Flux open twice; kured the same"},
		{name: "the end is repeated", text: "daily 00:30-01:30", date: autumn,
			want: []string{"00:30 EDT to 01:30 EDT (1h0m0s)"}},
		{name: "the start is repeated", text: "daily 01:30-02:30", date: autumn,
			want: []string{"01:30 EDT to 02:30 EST (2h0m0s)"}},
		{name: "overnight into spring", text: "Sat 22:00-04:00", date: "2027-03-13",
			want:  []string{"22:00 EST to 04:00 EDT (5h0m0s)"},
			peers: "kured takes 00:00-04:00 and 22:00-24:00 of the same Saturday"},

		{name: "cron starts in the gap", cron: "30 2 * * *", length: time.Hour, date: spring,
			want:  []string{"03:00 EDT to 04:00 EDT (1h0m0s)"},
			peers: "Argo CD 03:00-03:30; Flux never opens that day"},
		{name: "cron over spring", cron: "0 0 * * *", length: 4 * time.Hour, date: spring,
			want:  []string{"00:00 EST to 05:00 EDT (4h0m0s)"},
			peers: "Argo CD three hours, to 04:00; Flux the same"},
		{name: "cron over autumn", cron: "0 0 * * *", length: 4 * time.Hour, date: autumn,
			want:  []string{"00:00 EDT to 03:00 EST (4h0m0s)"},
			peers: "Argo CD five hours, to 04:00; Flux the same"},
		{name: "cron in the repeated hour", cron: "0 1 * * *", length: time.Hour, date: autumn,
			want:  []string{"01:00 EDT to 01:00 EST (1h0m0s)"},
			peers: "Argo CD twice 59 minutes; Flux two hours"},
		{name: "short cron in the repeated hour", cron: "30 1 * * *", length: 15 * time.Minute, date: autumn,
			want:  []string{"01:30 EDT to 01:45 EDT (15m0s)"},
			peers: "Argo CD and Flux open twice; kured the same"},
		{name: "cron without a pause", cron: "0 * * * *", length: time.Hour, date: autumn,
			want: []string{"02:00 EST to 01:00 EST (8735h0m0s)"}}, // shut from 01:00 to 02:00 EST, in 2027 and in 2028

		{name: "no midnight", text: "daily 00:00-02:00", zone: "America/Santiago", date: "2027-09-05",
			want: []string{"01:00 -03 to 02:00 -03 (1h0m0s)"}},
		{name: "no midnight for cron", cron: "0 0 * * *", length: 2 * time.Hour, zone: "America/Santiago", date: "2027-09-05",
			want: []string{"01:00 -03 to 03:00 -03 (2h0m0s)"}, peers: "robfig/cron skips the day"},
		{name: "midnight is put off", text: "daily 22:00-00:00", zone: "America/Santiago", date: "2027-04-03",
			want: []string{"22:00 -03 to 00:00 -04 (3h0m0s)"}},
		{name: "half an hour forward", text: "daily 02:00-03:00", zone: "Australia/Lord_Howe", date: "2027-10-03",
			want: []string{"02:30 +11 to 03:00 +11 (30m0s)"}},
		{name: "half an hour back", text: "daily 01:00-03:00", zone: "Australia/Lord_Howe", date: "2027-04-04",
			want: []string{"01:00 +11 to 03:00 +1030 (2h30m0s)"}},
		{name: "two hours forward", text: "daily 00:00-04:00", zone: "Antarctica/Troll", date: "2027-03-28",
			want: []string{"00:00 +00 to 04:00 +02 (2h0m0s)"}},
		{name: "all in a gap of two hours", text: "daily 01:00-02:30", zone: "Antarctica/Troll", date: "2027-03-28"},
		{name: "winter is the exception", text: "daily 00:00-04:00", zone: "Europe/Dublin", date: "2027-03-28",
			want: []string{"00:00 GMT to 04:00 IST (3h0m0s)"}},
		{name: "back for Ramadan", text: "daily 02:00-04:00", zone: "Africa/Casablanca", date: "2027-02-07",
			want: []string{"02:00 +01 to 04:00 +00 (3h0m0s)"}},
		{name: "forward after Ramadan", text: "daily 02:00-04:00", zone: "Africa/Casablanca", date: "2027-03-14",
			want: []string{"03:00 +01 to 04:00 +01 (1h0m0s)"}},
		{name: "a day that did not exist", text: "Fri 09:00-17:00", zone: "Pacific/Apia", date: "2011-12-30"},
		{name: "the night into it", text: "Thu 22:00-04:00", zone: "Pacific/Apia", date: "2011-12-29",
			want: []string{"22:00 -10 to 00:00 +14 (2h0m0s)"}},
		{name: "a day that came twice", text: "daily 09:00-10:00", zone: "Pacific/Kwajalein", date: "1969-09-30",
			want: []string{"09:00 +11 to 10:00 +11 (1h0m0s)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.zone == "" {
				tc.zone = newYork
			}
			var w window.Window
			if tc.cron != "" {
				w = parseCron(t, tc.cron, tc.length, tc.zone)
			} else {
				w = parse(t, tc.text+" "+tc.zone)
			}
			got := openingsOn(t, window.Calendar{Windows: []window.Window{w}}, zone(t, tc.zone), tc.date)
			if diff := cmp.Diff(got, tc.want); diff != "" {
				t.Errorf("%s on %s (peers: %s), got, want:\n%s", w, tc.date, tc.peers, diff)
			}
		})
	}
}

// What kured gets wrong without any clock change: an overnight window belongs to
// the day on which it started.
func TestOvernightBelongsToTheDayItStarted(t *testing.T) {
	c := window.Calendar{Windows: []window.Window{parse(t, "Fri 22:00-04:00 Asia/Tokyo")}}
	for _, tc := range []struct {
		at   string
		open bool
	}{
		{"2026-11-27T00:00:00+09:00", false}, // Friday, the tail of Thursday
		{"2026-11-27T03:59:00+09:00", false},
		{"2026-11-27T21:59:59+09:00", false},
		{"2026-11-27T22:00:00+09:00", true},
		{"2026-11-28T00:00:00+09:00", true}, // Saturday, still Friday's window
		{"2026-11-28T03:59:59+09:00", true},
		{"2026-11-28T04:00:00+09:00", false},
		{"2026-11-28T22:00:00+09:00", false},
	} {
		if got := c.At(instant(t, tc.at)).Open; got != tc.open {
			t.Errorf("open at %s: got %v, want %v", tc.at, got, tc.open)
		}
	}
}

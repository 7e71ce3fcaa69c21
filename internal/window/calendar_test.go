package window_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/window"
)

func freeze(t testing.TB, from, until, every, zoneName string) window.Freeze {
	t.Helper()
	f, err := window.ParseFreeze(from, until, every, zone(t, zoneName))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A moment is what At must say about one instant. Empty texts are zero times.
type moment struct {
	at           string
	open, frozen bool
	inWindow     bool
	by           string
	closes, next string
	says         string
}

func checkMoments(t *testing.T, c window.Calendar, moments []moment) {
	t.Helper()
	for _, m := range moments {
		got := c.At(instant(t, m.at))
		if !strings.Contains(got.Reason, m.says) {
			t.Errorf("at %s: got reason %q, want it to say %q", m.at, got.Reason, m.says)
		}
		want := window.Status{Open: m.open, By: m.by, InWindow: m.inWindow, Frozen: m.frozen, Reason: got.Reason}
		if m.closes != "" {
			want.ClosesAt = instant(t, m.closes)
		}
		if m.next != "" {
			want.NextOpen = instant(t, m.next)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("at %s, got, want:\n%s", m.at, diff)
		}
	}
}

func TestAt(t *testing.T) {
	// 2026-11-28 is a Saturday.
	c := window.Calendar{Windows: []window.Window{parse(t, "Saturday 02:00-06:00 JST")}}
	checkMoments(t, c, []moment{
		{at: "2026-11-28T01:59:59.999999999+09:00", by: "window", next: "2026-11-28T02:00:00+09:00",
			says: "closed, opens Sat 2026-11-28 02:00 JST (Saturday 02:00-06:00 Asia/Tokyo)"},
		{at: "2026-11-28T02:00:00+09:00", open: true, inWindow: true, closes: "2026-11-28T06:00:00+09:00",
			says: "open until Sat 2026-11-28 06:00 JST (Saturday"},
		{at: "2026-11-28T05:59:59.999999999+09:00", open: true, inWindow: true, closes: "2026-11-28T06:00:00+09:00"},
		{at: "2026-11-28T06:00:00+09:00", by: "window", next: "2026-12-05T02:00:00+09:00"},
		{at: "2026-11-27T17:30:00Z", open: true, inWindow: true, closes: "2026-11-28T06:00:00+09:00"}, // whatever the zone of now
	})
}

func TestCutoffCountsFromTheEndOfTheUnion(t *testing.T) {
	c := window.Calendar{
		Windows: []window.Window{
			parse(t, "Sat 02:00-04:00 JST"), parse(t, "Sat 04:00-06:00 JST"), parse(t, "Sat 03:00-05:00 JST"),
			parse(t, "Sun 02:00-02:30 JST"), // no longer than the cutoff: nothing ever starts here
		},
		Cutoff: 30 * time.Minute,
	}
	const end, nextWeek = "2026-11-28T06:00:00+09:00", "2026-12-05T02:00:00+09:00"
	checkMoments(t, c, []moment{
		{at: "2026-11-28T03:45:00+09:00", open: true, inWindow: true, closes: end, says: "starts until Sat 2026-11-28 05:30 JST"},
		{at: "2026-11-28T05:29:59.5+09:00", open: true, inWindow: true, closes: end},
		{at: "2026-11-28T05:30:00+09:00", by: "window", inWindow: true, closes: end, next: nextWeek,
			says: "closing: nothing starts in the last 30m before Sat 2026-11-28 06:00 JST, opens Sat 2026-12-05 02:00 JST"},
		{at: "2026-11-28T06:00:00+09:00", by: "window", next: nextWeek},
		{at: "2026-11-29T02:00:00+09:00", by: "window", inWindow: true, closes: "2026-11-29T02:30:00+09:00", next: nextWeek},
	})
}

func TestFreezeWins(t *testing.T) {
	yearEnd := freeze(t, "2026-12-26 04:00", "2027-01-03", "", "Asia/Tokyo")
	yearEnd.Reason, yearEnd.Owner = "year end", "platform"
	c := window.Calendar{
		Windows: []window.Window{parse(t, "Sat 02:00-06:00 JST")},
		Freezes: []window.Freeze{yearEnd},
		Cutoff:  time.Hour,
	}
	const begins, next = "2026-12-26T04:00:00+09:00", "2027-01-09T02:00:00+09:00"
	checkMoments(t, c, []moment{
		{at: "2026-12-26T02:59:59+09:00", open: true, inWindow: true, closes: begins, says: "when a freeze begins: year end (platform)"},
		{at: "2026-12-26T03:00:00+09:00", by: "window", inWindow: true, closes: begins, next: next}, // the cutoff before the freeze
		{at: "2026-12-26T04:00:00+09:00", by: "freeze", inWindow: true, frozen: true, next: next,
			says: "frozen until Mon 2027-01-04 00:00 JST: year end (platform), opens Sat 2027-01-09 02:00 JST"},
		{at: "2027-01-01T12:00:00+09:00", by: "freeze", frozen: true, next: next},
		{at: "2027-01-03T23:59:59.9+09:00", by: "freeze", frozen: true, next: next},
		{at: "2027-01-04T00:00:00+09:00", by: "window", next: next},
	})
}

func TestFreezesAreMerged(t *testing.T) {
	a, b := freeze(t, "2026-12-20", "2026-12-24", "", "Asia/Tokyo"), freeze(t, "2026-12-22", "2026-12-31", "", "Asia/Tokyo")
	a.Reason, b.Reason = "campaign", "year end"
	c := window.Calendar{Freezes: []window.Freeze{b, a}, Zone: zone(t, "Asia/Tokyo")}
	checkMoments(t, c, []moment{
		{at: "2026-12-19T23:59:59+09:00", open: true, inWindow: true, closes: "2026-12-20T00:00:00+09:00", says: "campaign"},
		{at: "2026-12-20T00:00:00+09:00", by: "freeze", inWindow: true, frozen: true, next: "2027-01-01T00:00:00+09:00",
			says: "frozen until Fri 2027-01-01 00:00 JST: campaign"},
		{at: "2026-12-23T00:00:00+09:00", by: "freeze", inWindow: true, frozen: true, next: "2027-01-01T00:00:00+09:00",
			says: "year end"},
		{at: "2027-01-01T00:00:00+09:00", open: true, inWindow: true, says: "open: there is no change window"},
	})
}

func TestOpenEnds(t *testing.T) {
	now := instant(t, "2026-11-28T03:00:00+09:00")
	hour := time.Hour
	for _, tc := range []struct {
		name     string
		c        window.Calendar
		open     bool
		by, says string
		want     []window.Opening
	}{
		{name: "nothing at all", open: true, want: []window.Opening{{Start: now}}},
		{name: "a cutoff of no window", c: window.Calendar{Cutoff: hour}, open: true, want: []window.Opening{{Start: now}}},
		{name: "daily without an outside", c: window.Calendar{Windows: []window.Window{parse(t, "daily 00:00-24:00")}}, open: true,
			says: "does not close", want: []window.Opening{{Start: now}}},
		{name: "always by parts", c: window.Calendar{Windows: []window.Window{parse(t, "Mon-Sat 00:00-24:00"), parse(t, "Sun 00:00-24:00")}}, open: true,
			says: "does not close", want: []window.Opening{{Start: now}}},
		{name: "the zero window", c: window.Calendar{Windows: []window.Window{{}}}, by: "window", says: "no opening within 400 days (never)"},
		{name: "until further notice", c: window.Calendar{Freezes: []window.Freeze{{From: now.Add(-hour)}}}, by: "freeze", says: "frozen, no opening"},
		{name: "without beginning", c: window.Calendar{Freezes: []window.Freeze{{Until: now}}}, open: true, want: []window.Opening{{Start: now}}},
		{name: "frozen without any bound", c: window.Calendar{Freezes: []window.Freeze{{}}}, by: "freeze", says: "frozen, no opening"},
		{name: "a freeze that was over before it began", c: window.Calendar{Freezes: []window.Freeze{{From: now, Until: now.Add(-hour)}}}, open: true,
			want: []window.Opening{{Start: now}}},
		{name: "a freeze with fractions of a second", c: window.Calendar{Freezes: []window.Freeze{{From: now.Add(-1), Until: now.Add(1)}}}, by: "freeze",
			want: []window.Opening{{Start: now.Add(1)}}},
		{name: "a cutoff longer than any opening", c: window.Calendar{Windows: []window.Window{parse(t, "Sat 02:00-06:00 JST")}, Cutoff: 4 * hour}, by: "window",
			says: "no opening", want: []window.Opening{
				{Start: now.Add(-hour), End: now.Add(3 * hour)}, {Start: now.Add(167 * hour), End: now.Add(171 * hour)}}},
		{name: "the far past is not searched", c: window.Calendar{Windows: []window.Window{parseCron(t, "@hourly", hour, "UTC")}}, open: true,
			want: []window.Opening{{Start: now}}},
		{name: "beyond the horizon", c: window.Calendar{Windows: []window.Window{parseCron(t, "0 0 29 2 *", hour, "UTC")}}, by: "window", says: "no opening within 400 days"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := tc.c.At(now)
			if s.Open != tc.open || s.By != tc.by || !strings.Contains(s.Reason, tc.says) {
				t.Errorf("got open %v by %q: %s", s.Open, s.By, s.Reason)
			}
			if diff := cmp.Diff(tc.c.Next(now, 2), tc.want); diff != "" {
				t.Errorf("next openings, got, want:\n%s", diff)
			}
		})
	}
}

func TestNeverOpenOnAZeroTime(t *testing.T) {
	for _, c := range []window.Calendar{{}, {Windows: []window.Window{parse(t, "daily 00:00-24:00")}}} {
		s := c.At(time.Time{})
		if s.Open || s.InWindow || s.By != "window" || s.Reason == "" {
			t.Errorf("at the zero time: got %+v, want closed", s)
		}
		if got := c.Next(time.Time{}, 3); got != nil {
			t.Errorf("after the zero time: got %v, want no openings", got)
		}
		if got := c.Check(time.Time{}); got != nil {
			t.Errorf("check of the zero time: got %v, want nothing", got)
		}
	}
}

// A window longer than the pause between its starts once gave somebody two and a
// half days of maintenance (googlecloudrobotics/core, pull request 575). The
// union is that long; Check warns of them.
func TestLongWindowsMergeAndSaySo(t *testing.T) {
	now := instant(t, "2026-11-24T00:00:00Z")
	c := window.Calendar{Windows: []window.Window{parseCron(t, "0 5 * * SAT,SUN", 38*time.Hour, "UTC")}}
	want := []window.Opening{{Start: instant(t, "2026-11-28T05:00:00Z"), End: instant(t, "2026-11-30T19:00:00Z")}}
	for _, from := range []time.Time{now, want[0].Start, want[0].End.Add(-time.Second)} {
		if diff := cmp.Diff(c.Next(from, 1), want); diff != "" {
			t.Errorf("from %s, got, want:\n%s", from, diff)
		}
	}
	notices := c.Check(now)
	if len(notices) != 1 || notices[0].Kind != window.Overlap || !notices[0].At.Equal(instant(t, "2026-11-29T05:00:00Z")) {
		t.Errorf("got notices %v, want one overlap", notices)
	}
}

func TestNextFollowsAnOpeningBackToItsStart(t *testing.T) {
	// Five whole days are one opening, and Wednesday is in the middle of it.
	c := window.Calendar{Windows: []window.Window{parse(t, "Mon-Fri 00:00-24:00 JST")}}
	want := []window.Opening{
		{Start: instant(t, "2026-11-23T00:00:00+09:00"), End: instant(t, "2026-11-28T00:00:00+09:00")},
		{Start: instant(t, "2026-11-30T00:00:00+09:00"), End: instant(t, "2026-12-05T00:00:00+09:00")},
	}
	from := instant(t, "2026-11-25T12:34:56.789+09:00")
	if diff := cmp.Diff(c.Next(from, 2), want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	c.Freezes = []window.Freeze{freeze(t, "2026-11-24", "2026-11-24", "", "Asia/Tokyo"), freeze(t, "2026-11-26 10:00", "2026-11-26 11:00", "", "Asia/Tokyo")}
	want = []window.Opening{
		{Start: instant(t, "2026-11-25T00:00:00+09:00"), End: instant(t, "2026-11-26T10:00:00+09:00")},
		{Start: instant(t, "2026-11-26T11:00:00+09:00"), End: instant(t, "2026-11-28T00:00:00+09:00")},
	}
	if diff := cmp.Diff(c.Next(from, 2), want); diff != "" {
		t.Errorf("with freezes, got, want:\n%s", diff)
	}
	if got := c.Next(from, 0); got != nil {
		t.Errorf("no openings asked for, got %v", got)
	}
}

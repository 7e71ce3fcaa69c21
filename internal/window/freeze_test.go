package window_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/window"
)

func TestParseFreeze(t *testing.T) {
	for _, tc := range []struct{ name, from, until, zone, wantFrom, wantUntil string }{
		{"one day", "2026-12-31", "2026-12-31", "Asia/Tokyo", "2026-12-31T00:00:00+09:00", "2027-01-01T00:00:00+09:00"},
		{"days", "2026-12-28", "2027-01-03", "Asia/Tokyo", "2026-12-28T00:00:00+09:00", "2027-01-04T00:00:00+09:00"},
		{"times", "2026-12-28 18:00", "2027-01-04T09:30", "Asia/Tokyo", "2026-12-28T18:00:00+09:00", "2027-01-04T09:30:00+09:00"},
		{"seconds", "2026-12-28 18:00:01", "2026-12-28T18:00:02", "UTC", "2026-12-28T18:00:01Z", "2026-12-28T18:00:02Z"},
		{"instants", "2026-12-28T18:00:00Z", "2026-12-28T21:00:00+01:00", "Asia/Tokyo", "2026-12-29T03:00:00+09:00", "2026-12-29T05:00:00+09:00"},
		{"a time and a date", "2026-12-28 18:00", "2026-12-28", "Asia/Tokyo", "2026-12-28T18:00:00+09:00", "2026-12-29T00:00:00+09:00"},
		{"a day without midnight", "2027-09-05", "2027-09-05", "America/Santiago", "2027-09-05T01:00:00-03:00", "2027-09-06T00:00:00-03:00"},
		{"a day of 25 hours", "2027-11-07", "2027-11-07", newYork, "2027-11-07T00:00:00-04:00", "2027-11-08T00:00:00-05:00"},
		{"midnight comes twice, both on Sunday", "2027-11-06", "2027-11-06", "America/Havana", "2027-11-06T00:00:00-04:00", "2027-11-07T00:00:00-04:00"},
		{"the repeated hour, whole", "2027-11-07 01:00", "2027-11-07 01:30", newYork, "2027-11-07T01:00:00-04:00", "2027-11-07T01:30:00-05:00"},
		{"back over midnight", "2007-11-03", "2007-11-03", "America/St_Johns", "2007-11-03T00:00:00-02:30", "2007-11-04T00:00:00-03:30"},
	} {
		f, err := window.ParseFreeze(tc.from, tc.until, "", zone(t, tc.zone))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if from, until := f.From.Format(time.RFC3339), f.Until.Format(time.RFC3339); from != tc.wantFrom || until != tc.wantUntil {
			t.Errorf("%s: got %s to %s, want %s to %s", tc.name, from, until, tc.wantFrom, tc.wantUntil)
		}
	}
}

func TestParseFreezeProblems(t *testing.T) {
	for _, tc := range []struct {
		from, until, every string
		field              string
		want               problem
	}{
		{"2026-12-28", "2026-12-27", "", "until", problem{0, "not after from", ""}},
		{"2026-12-28 10:00", "2026-12-28 10:00", "", "until", problem{0, "not after from", ""}},
		{"2026-12-28T10:00:00+09:00", "2026-12-28 00:30", "", "until", problem{0, "not after from", ""}},
		{"2026-02-30", "2026-03-01", "", "from", problem{0, "not a date", ""}},
		{"2026/12/28", "2026-12-31", "", "from", problem{0, "not a date", "2026-12-28"}},
		{"2026-12-28", "2026.12.31 10:00", "", "until", problem{0, "not a date", "2026-12-31 10:00"}},
		{"tomorrow", "2026-12-31", "", "from", problem{0, "not a date", ""}},
		{"", "2026-12-31", "", "from", problem{0, "not a date", ""}},
		{"2026－12－28", "2026-12-31", "", "from", problem{4, "U+FF0D", "2026-12-28"}},
		{"１２月", "2026-12-31", "", "from", problem{0, "U+FF11", ""}},
		{"12-28", "2026-12-31", "", "from", problem{0, "needs every: year", ""}},
		{"2026-12-28", "01-03", "year", "until", problem{0, "both name a year", ""}},
		{"2026-12-28", "2027-01-03", "yearly", "every", problem{0, "once or every year", "year"}},
		{"2026-12-28", "2027-01-03", "week", "every", problem{0, "once or every year", ""}},
		{"2026-01-01", "2026-12-31", "year", "until", problem{0, "never ends", ""}},
		{"0001-01-01", "2026-12-31", "", "from", problem{0, "a year before 1970", ""}},
		{"0000-12-01", "0000-12-31", "", "from", problem{0, "a year before 1970", ""}}, // would end with no time at all
		{"0206-12-20", "2027-01-04", "year", "from", problem{0, "a year before 1970", ""}},
		{"2026-12-28", "0027-01-03", "", "until", problem{0, "a year before 1970", ""}},
		{"2026-12-28", "0001-01-01T00:00:00Z", "", "until", problem{0, "a year before 1970", ""}},
		{"2026-12-28", "10000-01-01", "", "until", problem{0, "not a date", ""}},
	} {
		_, err := window.ParseFreeze(tc.from, tc.until, tc.every, nil)
		checkProblem(t, tc.from+" to "+tc.until, err, tc.want)
		if e, ok := err.(*window.ParseError); ok && e.Field != tc.field {
			t.Errorf("%s to %s: got field %q, want %q", tc.from, tc.until, e.Field, tc.field)
		}
	}
}

// frozenDays returns the first and the last whole day of each freeze of a year
// in UTC: the openings between them are what is left.
func frozenDays(c window.Calendar, year int) []string {
	var days []string
	for d := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() == year; d = d.AddDate(0, 0, 1) {
		if first, last := c.At(d).Frozen, c.At(d.Add(24*time.Hour-1)).Frozen; first != last {
			days = append(days, d.Format("01-02")+" partly")
		} else if first {
			days = append(days, d.Format("01-02"))
		}
	}
	return days
}

func TestAnnualFreezes(t *testing.T) {
	for _, tc := range []struct {
		name, from, until string
		want              map[int][]string
	}{
		{"over new year", "2026-12-30", "2027-01-02", map[int][]string{
			2026: {"12-30", "12-31"}, 2027: {"01-01", "01-02", "12-30", "12-31"}, 2031: {"01-01", "01-02", "12-30", "12-31"}}},
		{"without a year", "12-30", "01-02", map[int][]string{2026: {"01-01", "01-02", "12-30", "12-31"}}},
		{"not before its first year", "2026-06-01", "2026-06-01", map[int][]string{2025: nil, 2026: {"06-01"}, 2027: {"06-01"}}},
		{"29 February alone", "2028-02-29", "2028-02-29", map[int][]string{2028: {"02-29"}, 2029: nil, 2031: nil, 2032: {"02-29"}}},
		{"29 February alone, without a year", "02-29", "02-29", map[int][]string{2026: nil, 2028: {"02-29"}}},
		{"to the end of February", "2024-02-27", "2024-02-29", map[int][]string{2026: {"02-27", "02-28"}, 2028: {"02-27", "02-28", "02-29"}}},
		{"to 28 February", "2026-02-27", "2026-02-28", map[int][]string{2026: {"02-27", "02-28"}, 2028: {"02-27", "02-28"}}},
		{"from 29 February", "2024-02-29", "2024-03-01", map[int][]string{2026: {"03-01"}, 2028: {"02-29", "03-01"}}},
		{"from winter to 29 February", "12-31", "02-29", map[int][]string{2100: nil}}, // counted below
		{"by the hour", "2026-02-28 12:00", "2026-03-01 12:00", map[int][]string{
			2027: {"02-28 partly", "03-01 partly"}, 2028: {"02-28 partly", "02-29", "03-01 partly"}}},
	} {
		f, err := window.ParseFreeze(tc.from, tc.until, "year", nil)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		c := window.Calendar{Freezes: []window.Freeze{f}}
		for year, want := range tc.want {
			got := frozenDays(c, year)
			if tc.name == "from winter to 29 February" { // 2100 is no leap year
				if len(got) != 31+28+1 {
					t.Errorf("%s in %d: got %d days, want 60: %v", tc.name, year, len(got), got)
				}
				continue
			}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("%s in %d, got, want:\n%s", tc.name, year, diff)
			}
		}
	}
}

// An annual freeze that begins on a day without a midnight in its first year
// begins at midnight in the others.
func TestAnnualFreezeKeepsWholeDays(t *testing.T) {
	c := window.Calendar{Freezes: []window.Freeze{freeze(t, "2027-09-05", "2027-09-05", "year", "America/Santiago")}}
	next := c.Next(instant(t, "2028-09-01T00:00:00-04:00"), 2)
	if len(next) != 2 {
		t.Fatalf("got %d openings, want 2", len(next))
	}
	got := []string{next[0].End.In(zone(t, "America/Santiago")).Format(time.RFC3339), next[1].Start.In(zone(t, "America/Santiago")).Format(time.RFC3339)}
	if diff := cmp.Diff(got, []string{"2028-09-05T00:00:00-03:00", "2028-09-06T00:00:00-03:00"}); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

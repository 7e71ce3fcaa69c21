package window_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/window"
)

// O6: days of a month, in both languages, in one form.
func TestO6DaysOfTheMonth(t *testing.T) {
	for text, want := range map[string]string{
		"first Saturday 02:00-06:00":                "first Saturday 02:00-06:00 UTC",
		"last Fri 22:00-02:00 JST":                  "last Friday 22:00-02:00 Asia/Tokyo",
		"First,Third sat 02:00-06:00":               "first Saturday,third Saturday 02:00-06:00 UTC",
		"third Sat,first Sat 02:00-06:00":           "first Saturday,third Saturday 02:00-06:00 UTC",
		" second  Tue , fourth Tue  02:00 - 06:00 ": "second Tuesday,fourth Tuesday 02:00-06:00 UTC",
		"first Sat,last Sun 02:00-06:00":            "first Saturday,last Sunday 02:00-06:00 UTC",
		"first Sunday,first Monday 02:00-06:00":     "first Monday,first Sunday 02:00-06:00 UTC",
		"fifth Wednesday 02:00-06:00":               "fifth Wednesday 02:00-06:00 UTC",
		"first Saturday 22:00-24:00":                "first Saturday 22:00-24:00 UTC",
	} {
		w, err := window.Parse(text, nil)
		if err != nil || w.String() != want {
			t.Errorf("%q: got %s and %v, want %s", text, w, err, want)
			continue
		}
		if again, err := window.Parse(w.String(), nil); err != nil || !again.Equal(w) {
			t.Errorf("%s read again: got %s and %v", w, again, err)
		}
	}
	for expr, want := range map[string]string{
		"0 2 * * SAT#1": "SAT#1", "0 2 ? * sat#1": "SAT#1", "0 2 * * 6#1": "SAT#1", "0 2 * * 7#2": "SUN#2", "0 2 * * 0#2": "SUN#2",
		"0 2 * * SATL": "SATL", "0 2 * * 5L": "FRIL", "0 2 * * SAT#1,SAT#3": "SAT#1,SAT#3", "0 2 * * MON#5,FRIL": "MON#5,FRIL",
	} {
		w, err := window.ParseCron(expr, time.Hour, nil)
		if err != nil || w.String() != "cron 0 2 * * "+want+" for 1h UTC" {
			t.Errorf("%q: got %s and %v, want %s", expr, w, err, want)
		}
	}
	if w := parseCron(t, "0 2 1,L * *", time.Hour, "UTC"); w.String() != "cron 0 2 1,L * * for 1h UTC" {
		t.Errorf("got %s", w)
	}
}

func TestO6DaysOfTheMonthProblems(t *testing.T) {
	for _, tc := range []struct {
		text string
		want problem
	}{
		{"1st Saturday 02:00-06:00", problem{0, "written first", "first Saturday 02:00-06:00"}},
		{"first,3rd Saturday 02:00-06:00", problem{6, "written third", "first,third Saturday 02:00-06:00"}},
		{"first and third Saturday 02:00-06:00", problem{6, "joined by commas", "first,third Saturday 02:00-06:00"}},
		{"Sat and Sun 02:00-06:00", problem{4, "joined by commas", "Sat,Sun 02:00-06:00"}},
		{"first Saturday of the month 02:00-06:00", problem{15, "HH:MM", "first Saturday 02:00-06:00"}},
		{"Sat#1 02:00-06:00", problem{0, "outside of cron", "first Saturday 02:00-06:00"}},
		{"SATL 02:00-06:00", problem{0, "outside of cron", "last Saturday 02:00-06:00"}},
		{"first Sat,Sun 02:00-06:00", problem{10, "in one list", ""}},
		{"Sun,first Sat 02:00-06:00", problem{4, "in one list", ""}},
		{"first daily 02:00-06:00", problem{6, "not a day", ""}},
		{"first Mon-Fri 02:00-06:00", problem{6, "one day, not a range", ""}},
		{"first,first Sat 02:00-06:00", problem{6, "in the list twice", ""}},
		{"first Sat,first Sat 02:00-06:00", problem{16, "in the list twice", ""}},
		{"first,Saturday 02:00-06:00", problem{6, "expected first, second", ""}},
		{"first 02:00-06:00", problem{6, "expected a day", ""}},
		{"sixth Saturday 02:00-06:00", problem{0, "not a day", ""}},
		{"第1土曜日 02:00-06:00", problem{0, "U+7B2C", "first Sat 02:00-06:00"}},
		{"毎月第１・第３土曜 02:00〜06:00", problem{0, "U+6BCE", "first ,third Sat 02:00-06:00"}},
		{"最終金曜日　22:00〜翌2:00", problem{0, "U+6700", "last Fri 22:00-2:00"}},
	} {
		_, err := window.Parse(tc.text, nil)
		checkProblem(t, tc.text, err, tc.want)
	}
	for _, tc := range []struct {
		expr string
		want problem
	}{
		{"0 2 * * SAT#0", problem{8, "five such days", ""}},
		{"0 2 * * SAT#-1", problem{8, "written L", "0 2 * * SATL"}},
		{"0 2 * * sat#L", problem{8, "written L", "0 2 * * SATL"}},
		{"0 2 * * SAT#1,SUN", problem{14, "each needs its own", ""}},
		{"0 2 * * SAT#1,3", problem{14, "as in SAT#1,SAT#3", ""}},
		{"0 2 * * MON-FRI,SAT#1", problem{8, "each needs its own", ""}},
		{"0 2 * * L", problem{8, "SATL", ""}},
		{"0 2 * * SAT#1,6#1", problem{14, "twice", ""}},
		{"0 2 * * SAT#1/2", problem{8, "each needs its own", ""}},
		{"0 2 * * FOO#1", problem{8, "not a day of the week", ""}},
		{"0 2 * * 9#1", problem{8, "not a day of the week", ""}},
		{"0 2 15W * *", problem{4, "day of month", ""}},
		{"0 0 2 ? * SAT#1", problem{15, "6 fields", "0 2 ? * SAT#1"}},
		{"0 0 2 ? * 7#1", problem{13, "6 fields", ""}},
	} {
		_, err := window.ParseCron(tc.expr, time.Hour, nil)
		checkProblem(t, tc.expr, err, tc.want)
	}
}

// isOrdinal is another way to tell the n-th weekday of a month: by counting. 6 is
// the last.
func isOrdinal(date time.Time, n int) bool {
	count := 0
	for d := time.Date(date.Year(), date.Month(), 1, 0, 0, 0, 0, time.UTC); d.Month() == date.Month(); d = d.AddDate(0, 0, 1) {
		if d.Weekday() == date.Weekday() {
			if count++; d.Day() == date.Day() && n < 6 {
				return count == n
			}
		}
	}
	return n == 6 && date.AddDate(0, 0, 7).Month() != date.Month()
}

// O6: windows and cron open on the days that counting finds, in every month of
// eight years, and say the same.
func TestO6DaysOfTheMonthAgainstCounting(t *testing.T) {
	names := []string{"first", "second", "third", "fourth", "fifth", "last"}
	for n := 1; n <= 6; n++ {
		for weekday := time.Sunday; weekday <= time.Saturday; weekday++ {
			cron := fmt.Sprintf("0 2 * * %d#%d", weekday, n)
			if n == 6 {
				cron = fmt.Sprintf("0 2 * * %dL", weekday)
			}
			a := window.Calendar{Windows: []window.Window{parse(t, names[n-1]+" "+weekday.String()+" 02:00-06:00 UTC")}}
			b := window.Calendar{Windows: []window.Window{parseCron(t, cron, 4*time.Hour, "UTC")}}
			for d := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC); d.Year() < 2034; d = d.AddDate(0, 0, 1) {
				want := d.Weekday() == weekday && isOrdinal(d, n)
				if a.At(d).InWindow != want || b.At(d).InWindow != want {
					t.Fatalf("%s and %s on %s: got %v and %v, want %v", a.Windows[0], b.Windows[0], d, a.At(d).InWindow, b.At(d).InWindow, want)
				}
			}
			if n := len(a.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 20)); n < 4 {
				t.Errorf("%s: only %d openings in 400 days", a.Windows[0], n)
			}
		}
	}
	c := window.Calendar{Windows: []window.Window{parseCron(t, "0 2 L * *", time.Hour, "UTC")}}
	for d := time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC); d.Year() < 2034; d = d.AddDate(0, 0, 1) {
		if got, want := c.At(d).Open, d.AddDate(0, 0, 1).Day() == 1; got != want {
			t.Errorf("the last of the month on %s: got %v, want %v", d, got, want)
		}
	}
}

// An overnight window belongs to the day that it names, also when that is the last
// of a month.
func TestO6OvernightOnTheLastDayOfAMonth(t *testing.T) {
	c := window.Calendar{Windows: []window.Window{parse(t, "last Saturday 22:00-04:00 JST")}}
	next := c.Next(instant(t, "2026-10-20T00:00:00Z"), 1) // 2026-10-31 is a Saturday
	if len(next) != 1 || next[0].Start.Format(time.RFC3339) != "2026-10-31T22:00:00+09:00" || next[0].End.Format(time.RFC3339) != "2026-11-01T04:00:00+09:00" {
		t.Errorf("got %v", next)
	}
}

// W3: an hour after 24:00 is one of the next day. What is offered opens and closes
// at the instants that were written; where no window can, the message names the day.
func TestW3HoursAfterMidnight(t *testing.T) {
	for _, tc := range []struct {
		text string
		want problem
	}{
		{"Sat 25:00-06:00 JST", problem{4, "25:00 is 01:00 of the next day, Sunday", "Sunday 01:00-06:00 JST"}},
		{"Sat 25:00-30:00 JST", problem{4, "25:00 is 01:00 of the next day, Sunday", "Sunday 01:00-06:00 JST"}},
		{"Sat 24:00-06:00", problem{4, "24:00 is 00:00 of the next day, Sunday", "Sunday 00:00-06:00"}},
		{"Sun 26:30-28:00", problem{4, "next day, Monday", "Monday 02:30-04:00"}},
		{"Mon-Fri 25:00-29:00", problem{8, "next day, Tue-Sat", "Tue-Sat 01:00-05:00"}},
		{"Sat,Sun 25:00-29:00", problem{8, "next day, Mon,Sun", "Mon,Sun 01:00-05:00"}},
		{"daily 25:00-29:00 UTC", problem{6, "25:00 is 01:00 of the next day", "daily 01:00-05:00 UTC"}},
		{"Sat 22:00-26:00", problem{10, "26:00 is 02:00 of the next day", "Sat 22:00-02:00"}},
		{"Sat 22:00-30:00 JST", problem{10, "30:00 is 06:00 of the next day", "Sat 22:00-06:00 JST"}},
		{"first Sat 22:00-26:00", problem{16, "26:00 is 02:00", "first Sat 22:00-02:00"}},
		{"Sat 22:00 - 36:00", problem{12, "36:00 is 12:00", "Sat 22:00 - 12:00"}},
		{"Sat 02:00-30:00", problem{10, "a window ends within 24 hours; write two", ""}},
		{"Sat 02:00-26:00", problem{10, "write two", ""}},
		{"Sat 26:00-01:00", problem{4, "26:00 is 02:00 of the next day, Sunday", ""}},
		{"Sat 24:00-24:00", problem{4, "next day, Sunday", ""}},
		{"first Sat 25:00-29:00", problem{10, "25:00 is 01:00 of the next day", ""}}, // not always the first Sunday
		{"Sat 48:00-50:00", problem{4, "no such hour", ""}},
		{"土曜 25:00〜30:00", problem{0, "U+571F", ""}}, // first the characters, then the hours
		{"Sat ２５:00-30:00", problem{4, "U+FF12", ""}},
	} {
		_, err := window.Parse(tc.text, nil)
		checkProblem(t, tc.text, err, tc.want)
	}
	for _, tc := range []struct {
		expr string
		want problem
	}{
		{"0 25 * * SAT", problem{2, "25 is 1 of the next day", "0 1 * * SUN"}},
		{"30 24 * * SUN", problem{3, "24 is 0 of the next day", "30 0 * * MON"}},
		{"0 26 * * MON-FRI", problem{2, "26 is 2", "0 2 * * TUE-SAT"}},
		{"0 26 * * 6", problem{2, "26 is 2", "0 2 * * SUN"}},
		{"0 26 * * *", problem{2, "26 is 2", "0 2 * * *"}},
		{"0 22-25 * * SAT", problem{2, "25 is 1", ""}},
		{"0 25 31 * *", problem{2, "25 is 1", ""}},
		{"0 25 * 12 SAT", problem{2, "25 is 1", ""}},
		{"0 25 * * SAT#1", problem{2, "25 is 1", ""}},
	} {
		_, err := window.ParseCron(tc.expr, time.Hour, nil)
		checkProblem(t, tc.expr, err, tc.want)
	}
}

// W3, whatever is written: what is offered for hours after midnight opens at the
// instants that were meant, in the week that counts them by hand.
func TestW3WhatIsOfferedIsWhatWasMeant(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	offered := 0
	for range 3000 {
		weekday := time.Weekday(r.IntN(7))
		from, to := r.IntN(47*4)*15, r.IntN(47*4)*15
		if from < 1440 && to <= 1440 || to%1440 == from%1440 {
			continue
		}
		text := fmt.Sprintf("%s %02d:%02d-%02d:%02d", weekday, from/60, from%60, to/60, to%60)
		_, err := window.Parse(text, nil)
		e, ok := err.(*window.ParseError)
		if !ok {
			t.Fatalf("%s: got %v", text, err)
		}
		if e.Suggestion == "" {
			continue
		}
		offered++
		monday := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC) // a Monday
		start := monday.AddDate(0, 0, (int(weekday)+6)%7).Add(time.Duration(from) * time.Minute)
		end := start.Truncate(24 * time.Hour).Add(time.Duration(to%1440) * time.Minute)
		if !end.After(start) {
			end = end.AddDate(0, 0, 1)
		}
		next := window.Calendar{Windows: []window.Window{parse(t, e.Suggestion+" UTC")}}.Next(start, 1)
		if len(next) != 1 || !next[0].Start.Equal(start) || !next[0].End.Equal(end) {
			t.Fatalf("%s is offered as %s, which opens %v, want %s to %s", text, e.Suggestion, next, start, end)
		}
	}
	if offered < 500 {
		t.Errorf("only %d were offered anything", offered)
	}
}

// O6: a time with an offset is that instant, in every form that people write.
func TestO6TimesWithAnOffset(t *testing.T) {
	for _, text := range []string{
		"2026-12-28T18:00+09:00", "2026-12-28T18:00:00+09:00", "2026-12-28T09:00Z", "2026-12-28T09:00:00Z", "2026-12-28t09:00z", "2026-12-28T18:00:00.000+09:00",
		"2026-12-28 18:00+09:00", "2026-12-28 18:00 +09:00", "2026-12-28 18:00:00 +09:00", "2026-12-28T04:00-05:00", "2026-12-28T9:00Z", "2026-12-28 04:00", "2026-12-28T04:00:00", "2026-12-28 4:00",
	} {
		for _, ends := range [][2]string{{text, "2027-01-04"}, {"2026-01-01", text}} {
			f, err := window.ParseFreeze(ends[0], ends[1], "", zone(t, newYork))
			got := f.From
			if ends[1] == text {
				got = f.Until
			}
			if err != nil || !got.Equal(instant(t, "2026-12-28T09:00:00Z")) {
				t.Errorf("%v: got %s and %v", ends, got, err)
			}
		}
	}
	for text, want := range map[string]string{
		"2026-12-28T18:00+09": "2026-12-28T18:00+09:00", "2026-12-28T18:00+0900": "2026-12-28T18:00+09:00", "2026-12-28 18:00 +9:00": "2026-12-28T18:00+09:00",
		"2026-12-28 18:00 JST": "2026-12-28T18:00+09:00", "2026-12-28T18:00 Asia/Tokyo": "2026-12-28T18:00+09:00", "2026-12-28 18:00 UTC": "2026-12-28T18:00Z", "2026-12-28 18:00 EST": "",
		"20261228": "2026-12-28", "2026/12/28": "2026-12-28", "2026/12/28 18:00": "2026-12-28 18:00", "2026.12.28": "2026-12-28", "20261328": "",
		"2026-12-28 24:00": "2026-12-29 00:00", "2026-12-28 25:30": "2026-12-29 01:30", "2026-12-31T26:00+09:00": "2027-01-01T02:00+09:00", "2026-12-28 48:00": "",
		"２０２６-12-28": "2026-12-28", "2026-12-28T18:00+25:00": "", "2026-12-28T18:00+09:60": "", "2026-02-30": "", "2026-12-28T": "", "": "", "soon": "", "1969-12-31": "",
		"2026-12-28 18:60": "", "2026-12-28T18": "", "12/28": "",
	} {
		_, err := window.ParseFreeze("1970-01-02", text, "", nil)
		e, ok := err.(*window.ParseError)
		if !ok || e.Suggestion != want {
			t.Errorf("%q: got %v, want the suggestion %q", text, err, want)
		}
		if want != "" {
			if _, err := window.ParseFreeze("1970-01-02", want, "", nil); err != nil {
				t.Errorf("%q suggests %q: %v", text, want, err)
			}
		}
	}
}

// Lists of every kind have one text, and that text reads as the same window.
func TestEveryListOfDaysReadsAsItPrints(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		var parts []string
		for _, n := range []string{"first", "second", "third", "fourth", "fifth", "last"} {
			for d := time.Sunday; d <= time.Saturday; d++ {
				if r.IntN(12) == 0 {
					parts = append(parts, n+" "+d.String()[:3+r.IntN(2)*(len(d.String())-3)])
				}
			}
		}
		if len(parts) == 0 {
			continue
		}
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		w := parse(t, strings.Join(parts, ",")+" 02:00-06:00 UTC")
		if again := parse(t, w.String()); !again.Equal(w) {
			t.Errorf("%s is %s", w, again)
		}
		days := strings.Split(strings.TrimSuffix(w.String(), " 02:00-06:00 UTC"), ",")
		if slices.Sort(days); len(slices.Compact(days)) != len(parts) {
			t.Errorf("%v is %s", parts, w)
		}
	}
}

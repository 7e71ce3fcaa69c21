package window_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/window"
)

func TestParse(t *testing.T) {
	tokyo := zone(t, "Asia/Tokyo")
	for _, tc := range []struct{ text, want string }{
		{"Saturday 02:00-06:00 JST", "Saturday 02:00-06:00 Asia/Tokyo"},
		{"Mon-Fri 09:00-17:00 Asia/Tokyo", "Mon-Fri 09:00-17:00 Asia/Tokyo"},
		{"Sat,Sun 22:00-04:00", "Sat,Sun 22:00-04:00 Asia/Tokyo"},
		{"daily 02:00-04:00 UTC", "daily 02:00-04:00 UTC"},
		{"daily 02:00-04:00 KST", "daily 02:00-04:00 Asia/Seoul"},
		{"  sat , SUN   2:00 - 6:00   UTC  ", "Sat,Sun 02:00-06:00 UTC"},
		{"Sunday,saturday 02:00-06:00 UTC", "Sat,Sun 02:00-06:00 UTC"},
		{"Fri-Mon 02:00-06:00 UTC", "Mon,Fri-Sun 02:00-06:00 UTC"},
		{"Sun-Sat 02:00-06:00 UTC", "daily 02:00-06:00 UTC"},
		{"Mon,Tue,Wed,Sat 02:00-06:00 UTC", "Mon-Wed,Sat 02:00-06:00 UTC"},
		{"Mon-Tue 02:00-06:00 UTC", "Mon,Tue 02:00-06:00 UTC"},
		{"Sat 00:00-24:00 UTC", "Saturday 00:00-24:00 UTC"},
		{"Sat 22:00-24:00 UTC", "Saturday 22:00-24:00 UTC"},
		{"Sat 22:00-00:00 UTC", "Saturday 22:00-24:00 UTC"},
		{"Wednesday 23:59-00:01 Etc/UTC", "Wednesday 23:59-00:01 Etc/UTC"},
	} {
		w, err := window.Parse(tc.text, tokyo)
		if err != nil {
			t.Errorf("%q: %v", tc.text, err)
			continue
		}
		if got := w.String(); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.text, got, tc.want)
		}
		again, err := window.Parse(w.String(), nil)
		if err != nil || !again.Equal(w) {
			t.Errorf("%q read again: got %q and %v", w, again, err)
		}
	}
	if w, err := window.Parse("daily 02:00-04:00", nil); err != nil || w.Zone() != time.UTC {
		t.Errorf("without any zone: got %s and %v, want UTC", w, err)
	}
}

// problem is what the table tests say about a *ParseError: where it points, a
// part of what it says, and what it suggests.
type problem struct {
	offset     int
	says       string
	suggestion string
}

func checkProblem(t *testing.T, text string, err error, want problem) {
	t.Helper()
	var e *window.ParseError
	if !errors.As(err, &e) {
		t.Errorf("%q: got %v, want a *ParseError", text, err)
		return
	}
	if e.Offset != want.offset || e.Suggestion != want.suggestion {
		t.Errorf("%q: got offset %d and suggestion %q, want %d and %q", text, e.Offset, e.Suggestion, want.offset, want.suggestion)
	}
	if !strings.Contains(e.Error(), want.says) {
		t.Errorf("%q: got %q, want it to say %q", text, e, want.says)
	}
	if e.Suggestion != "" && !strings.Contains(e.Error(), e.Suggestion) {
		t.Errorf("%q: %q does not show the suggestion", text, e)
	}
}

func TestParseProblems(t *testing.T) {
	for _, tc := range []struct {
		text string
		want problem
	}{
		{"", problem{0, "expected a day", ""}},
		{"   ", problem{3, "expected a day", ""}},
		{"02:00-06:00 JST", problem{0, "expected a day", "daily 02:00-06:00 JST"}},
		{"Saterday 02:00-06:00 JST", problem{0, `"Saterday" is not a day`, "Saturday 02:00-06:00 JST"}},
		{"Mon,Wedn 02:00-06:00", problem{4, `"Wedn"`, "Mon,Wed 02:00-06:00"}},
		{"weekdays 09:00-17:00", problem{0, "not a day", "Mon-Fri 09:00-17:00"}},
		{"weekend 09:00-17:00", problem{0, "not a day", "Sat,Sun 09:00-17:00"}},
		{"xyzzy 09:00-17:00", problem{0, "not a day", ""}},
		{"Mon,daily 09:00-17:00", problem{4, "not a day", ""}},
		{"Mon- 09:00-17:00", problem{5, "expected a day", ""}},
		{"Mon-Mon 09:00-17:00", problem{0, "one day or all seven", ""}},
		{"Mon-Wed,Tue 09:00-17:00", problem{8, "Tuesday is in the list twice", ""}},
		{"Sat", problem{3, "HH:MM", ""}},
		{"Sat 02-06", problem{4, "HH:MM", ""}},
		{"Sat 2:0-6:0", problem{4, "HH:MM", ""}},
		{"Sat 02:00", problem{9, "expected a -", ""}},
		{"Sat 02:00-", problem{10, "HH:MM", ""}},
		{"Sat 02:00-06:60", problem{10, "HH:MM", ""}},
		{"Sat 02:00:00-06:00:00", problem{9, "without seconds", ""}},
		{"Sat 2:00pm-6:00pm", problem{8, "24-hour clock", ""}},
		{"Sat 99:00-06:00", problem{4, "no such hour", ""}},
		{"Sat 22:00-25:30 JST", problem{10, "no hour after 24:00", "Sat 22:00-01:30 JST"}},
		{"Sat 24:00-04:00 JST", problem{4, "no hour after 24:00", "Sunday 00:00-04:00 JST"}},
		{"Sat 02:00-02:00 JST", problem{4, "equal", "Sat 00:00-24:00 JST"}},
		{"Sat 02:00-06:00 PST", problem{16, `time zone "PST"`, "Sat 02:00-06:00 America/Los_Angeles"}},
		{"Sat 02:00-06:00 asia/tokyo", problem{16, "unknown time zone", "Sat 02:00-06:00 Asia/Tokyo"}},
		{"Sat 02:00-06:00 Asia/Tokyo JST", problem{16, "time zone", ""}},
		{"Sat 02:00-06:00 +09:00", problem{16, "not an IANA", "Sat 02:00-06:00 Asia/Tokyo"}},
		{"Sat\u300002:00-06:00", problem{3, "U+3000", "Sat 02:00-06:00"}},
		{"Sat 02：00-06:00", problem{6, "U+FF1A", "Sat 02:00-06:00"}},
		{"Sat 02:00-０６:00", problem{10, "U+FF10", "Sat 02:00-06:00"}},
		{"Sat 02:00〜06:00", problem{9, "'〜' (U+301C)", "Sat 02:00-06:00"}},
		{"Sat 02:00～06:00", problem{9, "'～' (U+FF5E)", "Sat 02:00-06:00"}},
		{"Sat 02:00–06:00", problem{9, "U+2013", "Sat 02:00-06:00"}},
		{"Sat 02:00-06:00\tJST", problem{15, "U+0009", "Sat 02:00-06:00 JST"}},
		{"Ｓａｔ 02:00-06:00", problem{0, "U+FF33", "Sat 02:00-06:00"}},
		{"Sat、Sun 02:00-06:00", problem{3, "U+3001", "Sat,Sun 02:00-06:00"}},
		{"土曜日02:00-06:00", problem{0, "U+571F", "Sat 02:00-06:00"}},
		{"毎日 02:00-06:00", problem{0, "U+6BCE", "daily 02:00-06:00"}},
		{"Sat 02:00-06:00 東京", problem{16, "U+6771", ""}},
		{"Sat 02:00-06:00\x00", problem{15, "U+0000", ""}},
		{"Sat 02:00-06:00\xff", problem{15, "not a character", ""}},
	} {
		_, err := window.Parse(tc.text, nil)
		checkProblem(t, tc.text, err, tc.want)
	}
}

func TestParseErrorCountsRunes(t *testing.T) {
	for _, tc := range []struct {
		e    window.ParseError
		want int
	}{
		{window.ParseError{Text: "abc", Offset: 2}, 2},
		{window.ParseError{Text: "土曜〜", Offset: 6}, 2},
		{window.ParseError{Text: "土曜〜", Offset: 9}, 3},
		{window.ParseError{Text: "", Offset: 9}, 0},
	} {
		if got := tc.e.Rune(); got != tc.want {
			t.Errorf("%q at byte %d: got character %d, want %d", tc.e.Text, tc.e.Offset, got, tc.want)
		}
	}
}

func TestLoadZone(t *testing.T) {
	for name, want := range map[string]string{
		"Asia/Tokyo": "Asia/Tokyo", "JST": "Asia/Tokyo", "KST": "Asia/Seoul", "UTC": "UTC",
		"America/Argentina/Buenos_Aires": "America/Argentina/Buenos_Aires",
		"America/Port-au-Prince":         "America/Port-au-Prince", "Antarctica/DumontDUrville": "Antarctica/DumontDUrville",
	} {
		z, err := window.LoadZone(name)
		if err != nil || z.String() != want {
			t.Errorf("%q: got %v and %v, want %q", name, z, err, want)
		}
	}
	for _, tc := range []struct{ name, suggestion string }{
		{"", "UTC"}, {"Local", "UTC"}, {"utc", "UTC"}, {"Z", "UTC"}, {"GMT", "UTC"},
		{"jst", "Asia/Tokyo"}, {"Japan", "Asia/Tokyo"}, {"ROK", "Asia/Seoul"}, {"+09:00", "Asia/Tokyo"},
		{"Etc/GMT-9", "Asia/Tokyo"}, {"Etc/GMT+9", "UTC"},
		{"EST", "America/New_York"}, {"MST", "America/Denver"}, {"HST", ""}, {"CET", "Europe/Berlin"}, {"EET", "Europe/Helsinki"},
		{"PST", "America/Los_Angeles"}, {"BST", "Europe/London"}, {"IST", "Asia/Kolkata"}, {"CST", "America/Chicago"}, {"WET", "Europe/Lisbon"},
		{"asia/tokyo", "Asia/Tokyo"}, {"ASIA/TOKYO", "Asia/Tokyo"}, {"Asia/Tokio", "Asia/Tokyo"}, {"Tokyo", "Asia/Tokyo"},
		{"America/New York", "America/New_York"}, {"new york", "America/New_York"},
		{"Asia//Tokyo", "Asia/Tokyo"}, {"./Asia/Tokyo", "Asia/Tokyo"}, {"posix/Asia/Tokyo", ""}, {"right/UTC", ""},
		{"../etc/passwd", ""}, {"/etc/passwd", ""}, {"Ａsia/Tokyo", "Asia/Tokyo"}, {"Mars/Olympus_Mons", ""},
	} {
		_, err := window.LoadZone(tc.name)
		var e *window.ParseError
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v, want a *ParseError", tc.name, err)
			continue
		}
		if e.Suggestion != tc.suggestion {
			t.Errorf("%q: got suggestion %q, want %q", tc.name, e.Suggestion, tc.suggestion)
		}
	}
}

func TestParseCron(t *testing.T) {
	for _, tc := range []struct {
		expr   string
		length time.Duration
		want   string
	}{
		{"0 2 * * SAT", 4 * time.Hour, "cron 0 2 * * SAT for 4h Asia/Tokyo"},
		{" 0  2 ? * sat ", 90 * time.Minute, "cron 0 2 * * SAT for 1h30m Asia/Tokyo"},
		{"0 2 * * 7", time.Minute, "cron 0 2 * * 0 for 1m Asia/Tokyo"},
		{"0 2 * * 5-7", time.Hour, "cron 0 2 * * 5,6,0 for 1h Asia/Tokyo"},
		{"0 2 * * SAT-SUN", time.Hour, "cron 0 2 * * 6,0 for 1h Asia/Tokyo"},
		{"0 2 * * 1-7/2", time.Hour, "cron 0 2 * * 1,3,5,0 for 1h Asia/Tokyo"},
		{"0 2 * * MON,7", 61 * time.Second, "cron 0 2 * * MON,0 for 1m1s Asia/Tokyo"},
		{"@daily", time.Hour, "cron 0 0 * * * for 1h Asia/Tokyo"},
		{"@weekly", 31 * 24 * time.Hour, "cron 0 0 * * 0 for 744h Asia/Tokyo"},
		{"0 0 29 2 *", time.Hour, "cron 0 0 29 2 * for 1h Asia/Tokyo"},
	} {
		w, err := window.ParseCron(tc.expr, tc.length, zone(t, "Asia/Tokyo"))
		if err != nil {
			t.Errorf("%q: %v", tc.expr, err)
			continue
		}
		if got := w.String(); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.expr, got, tc.want)
		}
	}
	if w, err := window.ParseCron("@hourly", time.Minute, nil); err != nil || w.Zone() != time.UTC {
		t.Errorf("without a zone: got %s and %v, want UTC", w, err)
	}
}

func TestParseCronProblems(t *testing.T) {
	for _, tc := range []struct {
		expr string
		want problem
	}{
		{"", problem{0, "0 fields", ""}},
		{"0 2 * *", problem{7, "4 fields", ""}},
		{"0 0 2 * * SAT", problem{13, "6 fields", "0 2 * * SAT"}},
		{"0 2 ? * SAT *", problem{13, "6 fields", "0 2 ? * SAT"}},
		{"0 2 ? * 7 *", problem{11, "6 fields", ""}}, // 7 is Saturday in AWS and Sunday here
		{"cron(0 2 * * SAT)", problem{0, "minute", ""}},
		{"CRON_TZ=UTC", problem{5, "timezone", ""}},
		{"TZ=0", problem{0, "timezone", ""}},
		{"CRON_TZ=JST 0 2 * * *", problem{5, "timezone", ""}},
		{"@every 1h", problem{0, "only @hourly", ""}},
		{"@every -1s", problem{0, "only @hourly", ""}},
		{"@midnight", problem{0, "only @hourly", "@daily"}},
		{" @yearly", problem{1, "only @hourly", "0 0 1 1 *"}},
		{"@fortnightly", problem{0, "only @hourly", ""}},
		{"? 2 * * *", problem{0, `minute: "?"`, ""}},
		{"*-5 2 * * *", problem{0, `minute: "*-5"`, ""}},
		{"0,,5 2 * * *", problem{2, `minute: ""`, ""}},
		{", 2 * * *", problem{0, `minute: ""`, ""}},
		{"60 2 * * *", problem{0, "minute: end of range (60)", ""}},
		{"0 24 * * *", problem{2, "hour: there is no hour after 23", "0 0 * * *"}},
		{"0 48 * * *", problem{2, "hour: end of range (48)", ""}},
		{"0 2 0 * *", problem{4, "day of month: beginning of range (0)", ""}},
		{"0 2 L-3 * *", problem{4, `day of month: "L-3"`, ""}},
		{"0 2 * FOO *", problem{6, "month: not a number or a name", ""}},
		{"0 2 * 13 *", problem{6, "month: end of range", ""}},
		{"0 2 * * 8", problem{8, "day of week: end of range", ""}},
		{"0 2 * * 8-7", problem{8, "day of week: end of range", ""}},
		{"0 2 * * FRI-MON", problem{8, "day of week: beginning of range", ""}},
		{"0 2 * * 5-7/0", problem{8, "day of week: ", ""}},
		{"0 2 * * SAT#6", problem{8, `"SAT#6": a month has five`, ""}},
		{"*/0 2 * * *", problem{0, "minute: step", ""}},
		{"0 2 * * ＳAT", problem{8, "U+FF33", "0 2 * * SAT"}},
		{"0\u30002 * * *", problem{1, "U+3000", "0 2 * * *"}},
		{"0 0 31 2 *", problem{0, "never opens", ""}},
		{"0 0 31 2,4,6,9,11 *", problem{0, "never opens", ""}},
	} {
		_, err := window.ParseCron(tc.expr, time.Hour, nil)
		checkProblem(t, tc.expr, err, tc.want)
	}
	for _, length := range []time.Duration{0, -time.Hour, 59 * time.Second, 744*time.Hour + 1, time.Minute + time.Millisecond} {
		_, err := window.ParseCron("0 2 * * *", length, nil)
		var e *window.ParseError
		if !errors.As(err, &e) || e.Field != "duration" {
			t.Errorf("length %s: got %v, want a problem with the duration", length, err)
		}
	}
}

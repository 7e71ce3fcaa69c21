package words

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var tokyo = time.FixedZone("JST", 9*3600)

func TestWords(t *testing.T) {
	at := time.Date(2026, 11, 27, 17, 0, 0, 0, time.UTC)
	for _, tc := range []struct{ got, want string }{
		{Count(1, "function"), "1 function"}, {Count(0, "function"), "0 functions"}, {Count(2, "alias"), "2 aliases"},
		{Plural(1, "function has", "functions have"), "1 function has"}, {Plural(2, "function has", "functions have"), "2 functions have"},
		{Version(12, "1.4.1"), "12 (1.4.1)"}, {Version(12, ""), "12"}, {Version(0, "1.4.1"), "none"},
		{Moment(at, tokyo), "Sat 2026-11-28 02:00 JST"}, {Moment(at, nil), "Fri 2026-11-27 17:00 UTC"},
		{Clock(at, tokyo), "Sat 02:00 JST"},
		{Until(at, at.Add(-90*time.Minute), tokyo), "Sat 2026-11-28 02:00 JST (in 1h30m)"}, {Until(at, at, tokyo), "Sat 2026-11-28 02:00 JST"},
		{Opening(at, at.Add(4*time.Hour), tokyo), "Sat 2026-11-28 02:00-06:00 JST"},
		{Opening(at, at.Add(23*time.Hour), tokyo), "Sat 2026-11-28 02:00 JST to Sun 2026-11-29 01:00 JST"},
		{Commit("a1b2c3d4e5"), "a1b2c3d"}, {Commit("a1b2c3d4e5+dirty"), "a1b2c3d+dirty"}, {Commit(""), ""}, {Commit("abc"), "abc"},
		{Few([]string{"a", "b"}), "a, b"}, {Few(strings.Fields("a b c d e f g")), "a, b, c, d, e and 2 more"}, {Few(nil), ""},
		{Sentence("it is so"), "It is so."}, {Sentence("makoto-chat has it."), "makoto-chat has it."}, {Sentence("layerd waits"), "layerd waits."}, {Sentence(" "), ""},
	} {
		if tc.got != tc.want {
			t.Errorf("%q, want %q", tc.got, tc.want)
		}
	}
}

func TestZonesWithoutAName(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	for offset, want := range map[int]string{-3: "UTC-03:00", 4: "UTC+04:00"} {
		zone := time.FixedZone(fmt.Sprintf("%+03d", offset), offset*3600)
		for _, got := range []string{Moment(at, zone), Clock(at, zone), Opening(at, at.Add(time.Hour), zone)} {
			if !strings.HasSuffix(got, " "+want) {
				t.Errorf("%q does not end with %s", got, want)
			}
		}
	}
}

// A length of time is rounded in one way everywhere: 59m59s was "1h" in one place
// and "59m" in another.
func TestLengthsOfTime(t *testing.T) {
	for d, want := range map[time.Duration][3]string{
		0:                               {"0s", "0s", "0s"},
		time.Hour + time.Second:         {"1h", "1h0m1s", "1h"},
		90 * time.Minute:                {"1h30m", "1h30m", "1h30m"},
		40 * time.Second:                {"40s", "40s", "40s"},
		59*time.Minute + 59*time.Second: {"1h", "59m59s", "1h"},
		12 * time.Minute:                {"12m", "12m", "12m"},
		3*time.Hour + 12*time.Minute:    {"3h12m", "3h12m", "3h10m"},
		24 * time.Hour:                  {"1d", "24h", "24h"},
		76*time.Hour + 4*time.Minute:    {"3d4h", "76h4m", "76h5m"},
		72*time.Hour + 4*time.Minute:    {"3d", "72h4m", "72h5m"},
	} {
		if got := [3]string{Span(d), Duration(d), About(d)}; got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func TestTruncate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, n := rapid.String().Draw(t, "text"), rapid.IntRange(3, 40).Draw(t, "n")
		got := Truncate(text, n)
		if len(got) > n || !utf8.ValidString(got) || !strings.HasPrefix(text, strings.TrimSuffix(got, "…")) {
			t.Fatalf("%q cut to %d is %q", text, n, got)
		}
	})
}

func TestShellQuote(t *testing.T) {
	for s, want := range map[string]string{
		"prod": "prod", "https://github.com/acme/x.git": "https://github.com/acme/x.git", "": "''",
		"my repo": "'my repo'", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'", "日本": "'日本'",
		"a\nb\x1b[8m'\\": `$'a\x0ab\x1b[8m\'\\'`, "\u202ex": `$'\xe2\x80\xaex'`, "\xffé": `$'\xff\xc3\xa9'`,
	} {
		if got := ShellQuote(s); got != want {
			t.Errorf("ShellQuote(%q) = %s, want %s", s, got, want)
		}
	}
}

func TestRanges(t *testing.T) {
	for want, numbers := range map[string][]int64{
		"": nil, "3": {3}, "3, 4": {4, 3}, "3-5": {5, 3, 4, 4}, "3-17, 20": {20, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3},
		"1, 3, 5-7": {1, 3, 5, 6, 7}, "1, 2, 4, 5": {1, 2, 4, 5},
	} {
		if got := Ranges(numbers); got != want {
			t.Errorf("Ranges(%v) = %q, want %q", numbers, got, want)
		}
	}
}

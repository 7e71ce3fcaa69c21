package window_test

import (
	"testing"
	"time"

	"github.com/layerd/layerd/internal/window"
)

// At is asked once per environment and round, and again before each start.
func BenchmarkAt(b *testing.B) {
	annual := freeze(b, "12-28", "01-03", "year", "Asia/Tokyo")
	for _, bc := range []struct {
		name string
		c    window.Calendar
		at   string
	}{
		{"open", window.Calendar{Windows: []window.Window{parse(b, "Saturday 02:00-06:00 JST")}}, "2026-11-28T03:00:00+09:00"},
		{"closed", window.Calendar{Windows: []window.Window{parse(b, "Saturday 02:00-06:00 JST")}}, "2026-11-24T12:00:00+09:00"},
		{"zone with summer time", window.Calendar{Windows: []window.Window{parse(b, "Sun,Sat 02:00-06:00 America/New_York")}}, "2030-03-08T12:00:00Z"},
		{"five windows and five freezes", window.Calendar{Windows: []window.Window{
			parse(b, "Mon 02:00-06:00 JST"), parse(b, "Tue 02:00-06:00 JST"), parse(b, "Wed 22:00-06:00 Europe/Berlin"), parse(b, "Sat,Sun 00:00-24:00 JST"),
			parseCron(b, "0 3 * * SAT", 4*time.Hour, newYork)},
			Freezes: []window.Freeze{annual, annual, annual, annual, annual}}, "2026-12-01T12:00:00Z"},
		{"frozen", window.Calendar{Windows: []window.Window{parse(b, "Saturday 02:00-06:00 JST")}, Freezes: []window.Freeze{annual}}, "2027-01-01T12:00:00Z"},
		{"often", window.Calendar{Windows: []window.Window{parseCron(b, "*/5 * * * *", time.Minute, newYork)}}, "2026-12-01T12:02:00Z"},
		{"worst: never closes", window.Calendar{Windows: []window.Window{parseCron(b, "* * * * *", time.Minute, newYork)}}, "2026-12-01T12:00:00Z"},
		{"worst: cut off for good", window.Calendar{Windows: []window.Window{parse(b, "daily 02:00-06:00 America/New_York")}, Cutoff: 4 * time.Hour}, "2026-12-01T12:00:00Z"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			now := instant(b, bc.at)
			for b.Loop() {
				bc.c.At(now)
			}
		})
	}
}

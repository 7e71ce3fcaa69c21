package window

import (
	"testing"
	"time"
)

// A stretch ends after the instant that it is asked for, its offset holds up to
// the last second, and another one begins where it ends.
func TestAStretchEndsWhereTheOffsetChanges(t *testing.T) {
	for _, name := range []string{"UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin", "Europe/Dublin", "Europe/London", "Australia/Sydney", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Pacific/Apia"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range []time.Time{
			time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2040, 12, 31, 12, 0, 0, 0, time.UTC),
			time.Date(2096, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(9990, 1, 1, 0, 0, 0, 0, time.UTC),
		} {
			at := from.In(zone)
			for range 300 {
				s := stretchAt(at)
				if s.end.Equal(endOfTime()) {
					break
				}
				if !s.end.After(at) {
					t.Fatalf("%s: the stretch at %s ends at %s", name, at, s.end)
				}
				_, last := s.end.Add(-time.Second).In(zone).Zone()
				_, next := s.end.In(zone).Zone()
				if int64(last) != s.offset || int64(next) == s.offset {
					t.Fatalf("%s: the stretch at %s with %d ends at %s, where %d becomes %d", name, at, s.offset, s.end, last, next)
				}
				at = s.end.In(zone)
			}
		}
	}
}

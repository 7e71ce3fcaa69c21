package window_test

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/window"
)

// everyZone returns the names of all zones that the Go distribution knows.
func everyZone(t testing.TB) []string {
	t.Helper()
	names, _ := zones(t)
	return names
}

// everyTable returns one name of each table of transitions: many names are
// older or other ones of the same.
func everyTable(t testing.TB) (first []string) {
	t.Helper()
	names, tables := zones(t)
	seen := map[string]bool{}
	for _, name := range names {
		if !seen[tables[name]] {
			seen[tables[name]], first = true, append(first, name)
		}
	}
	return first
}

// zones returns the names of all zones, and the table of each.
func zones(t testing.TB) (names []string, tables map[string]string) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	tables = map[string]string{}
	for _, f := range archive.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		file, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		table, err := io.ReadAll(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		names, tables[f.Name] = append(names, f.Name), string(table)
	}
	if len(names) < 400 {
		t.Fatalf("got %d zones, want all of them", len(names))
	}
	return names, tables
}

// Two years that every property is checked over.
var (
	begin = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	end   = begin.AddDate(2, 0, 0)
)

// A clock is a zone, and the instants at which it jumps within the two years.
type clock struct {
	zone  *time.Location
	jumps []time.Time
}

// everyClock returns one zone for each different behaviour within the two years.
func everyClock(t testing.TB) []clock {
	t.Helper()
	var clocks []clock
	seen := map[string]bool{}
	for _, name := range everyZone(t) {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		c := clock{zone: z}
		_, offset := begin.In(z).Zone()
		behaviour := fmt.Sprint(offset)
		for at := begin.In(z); ; {
			_, next := at.ZoneBounds()
			if next.IsZero() || next.After(end) {
				break
			}
			_, offset = next.Zone()
			behaviour += fmt.Sprintf(" %d:%d", next.Unix(), offset)
			c.jumps = append(c.jumps, next)
			at = next
		}
		if !seen[behaviour] {
			seen[behaviour] = true
			clocks = append(clocks, c)
		}
	}
	if len(clocks) < 50 {
		t.Fatalf("got %d different clocks, want more", len(clocks))
	}
	return clocks
}

// The rule of names holds for every zone that exists, and the list that feeds the
// suggestions names none that does not.
func TestEveryZoneName(t *testing.T) {
	for _, name := range everyZone(t) {
		_, err := window.LoadZone(name)
		want := (strings.Contains(name, "/") && !strings.ContainsAny(strings.TrimPrefix(name, "Etc/GMT"), "+") && !strings.HasPrefix(name, "Etc/GMT-")) || name == "UTC"
		if (err == nil) != want {
			t.Errorf("%s: got %v, want accepted: %v", name, err, want)
		}
	}
	listed, err := os.ReadFile("zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(listed))
	if !sort.StringsAreSorted(names) {
		t.Error("zones.txt is not sorted")
	}
	for _, name := range names {
		if _, err := window.LoadZone(name); err != nil {
			t.Errorf("listed: %v", err)
		}
	}
}

// wallSeconds is a second way to read a clock, by its hands.
func wallSeconds(t time.Time) int64 {
	y, m, d := t.Date()
	return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, time.UTC).Unix()
}

// A schedule is a daily window in a form that brute force understands: minutes
// of the day; elapsed for a cron window.
type schedule struct {
	from, length int
	elapsed      bool
}

func (s schedule) window(t testing.TB, z *time.Location) window.Window {
	t.Helper()
	from := ((s.from % 1440) + 1440) % 1440
	if s.elapsed {
		w, err := window.ParseCron(fmt.Sprintf("%d %d * * *", from%60, from/60), time.Duration(s.length)*time.Minute, z)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	to := (from + s.length) % 1440
	w, err := window.Parse(fmt.Sprintf("daily %02d:%02d-%02d:%02d", from/60, from%60, to/60, to%60), z)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A film is what a clock shows, once a minute, over the four days around an
// instant.
type film struct {
	minutes []time.Time
	walls   []int64
}

func filmAround(z *time.Location, at time.Time) film {
	var f film
	for m := range 4 * 1440 {
		t := at.Truncate(time.Minute).Add(time.Duration(m-2*1440) * time.Minute).In(z)
		f.minutes = append(f.minutes, t)
		f.walls = append(f.walls, wallSeconds(t))
	}
	return f
}

// firstAt returns the index of the first minute that shows wall or more.
func (f film) firstAt(wall int64) int {
	for i, w := range f.walls {
		if w >= wall {
			return i
		}
	}
	return len(f.walls)
}

// open reports for each minute whether the daily schedule is open.
func (f film) open(s schedule) []bool {
	from := ((s.from % 1440) + 1440) % 1440
	open := make([]bool, len(f.walls))
	for day := f.walls[0] / 86400; day <= f.walls[len(f.walls)-1]/86400; day++ {
		if day*86400+int64(from)*60 < f.walls[0] {
			continue // began before the film
		}
		first := f.firstAt(day*86400 + int64(from)*60)
		last := first + s.length
		if !s.elapsed {
			last = f.firstAt(day*86400 + int64(from+s.length)*60)
		}
		for i := first; i < min(last, len(open)); i++ {
			open[i] = true
		}
	}
	return open
}

// Every zone, every jump of its clock in two years, and the windows that are
// worst for it: what a minute-by-minute look at the clock finds is what At returns.
func TestEveryJumpOfEveryZoneAgainstBruteForce(t *testing.T) {
	for _, c := range everyClock(t) {
		for _, jump := range c.jumps {
			before := jump.Add(-time.Minute).In(c.zone)
			would := before.Hour()*60 + before.Minute() + 1 // what the clock would have shown
			shows := jump.In(c.zone).Hour()*60 + jump.In(c.zone).Minute()
			f := filmAround(c.zone, jump)
			for _, s := range []schedule{
				{would, 15, false}, {would + 30, 60, false}, {would - 30, 60, false}, {shows, 60, false}, {shows + 15, 15, false}, {0, 240, false}, {22 * 60, 360, false},
				{would, 15, true}, {would + 30, 60, true}, {would - 30, 60, true}, {shows, 60, true}, {shows + 15, 15, true}, {0, 240, true}, {22 * 60, 360, true},
			} {
				checkFilm(t, f, f.open(s), s.window(t, c.zone))
			}
		}
	}
}

// checkFilm compares the two days in the middle, whose neighbours are known:
// every change and a minute in a hundred.
func checkFilm(t *testing.T, f film, open []bool, w window.Window) {
	t.Helper()
	calendar := window.Calendar{Windows: []window.Window{w}}
	for i := 1440; i < 3*1440; i++ {
		if edge := open[i] != open[i-1] || open[i] != open[i+1]; !edge && i%101 != 0 {
			continue
		}
		if got := calendar.At(f.minutes[i]).Open; got != open[i] {
			t.Fatalf("%s at %s: got open %v, want %v", w, f.minutes[i], got, open[i])
		}
	}
}

// Each day of two years has at most one occurrence of a daily window, in every
// zone, and exactly one unless Check announced that there is none.
func TestOneOccurrencePerScheduledStart(t *testing.T) {
	for _, c := range everyClock(t) {
		for _, s := range []schedule{{1 * 60, 60, false}, {2 * 60, 30, false}, {23*60 + 30, 60, false}, {2*60 + 30, 60, true}, {0, 30, true}} {
			calendar := window.Calendar{Windows: []window.Window{s.window(t, c.zone)}}
			from := begin.In(c.zone)
			from = time.Date(from.Year(), from.Month(), from.Day(), 12, 0, 0, 0, c.zone)
			until := from.AddDate(0, 0, 365)
			want, got := 365, 0
			for _, n := range calendar.Check(from) {
				if n.Kind == window.Skipped && n.At.Before(until) {
					want--
				}
			}
			for _, o := range calendar.Next(from, 400) {
				if o.Start.Before(until) {
					got++
				}
			}
			if got != want {
				t.Errorf("%s: got %d occurrences in 365 days, want %d", calendar.Windows[0], got, want)
			}
		}
	}
}

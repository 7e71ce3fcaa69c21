package cloudwatch

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/health"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func httpClient(w *wire) *http.Client { return &http.Client{Transport: w} }

func TestAlarms(t *testing.T) {
	w := newWire()
	w.world.PutAlarm(awssim.Alarm{Name: "errors", State: "ALARM", Reason: "5 > 1", Since: noon})
	w.world.PutAlarm(awssim.Alarm{Name: "all", Composite: true, State: "INSUFFICIENT_DATA", Since: noon})
	w.world.PutAlarm(awssim.Alarm{Name: "not asked for", State: "ALARM"})
	got, err := w.client(t).Alarms(t.Context(), []string{"errors", "all", "missing"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]health.Alarm{
		"errors": {Name: "errors", State: "ALARM", Reason: "5 > 1", Since: noon},
		"all":    {Name: "all", State: "INSUFFICIENT_DATA", Since: noon},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

// TestManyAlarms: in chunks, through empty pages, and slower than AWS allows.
func TestManyAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.world = awssim.New(awssim.Options{Account: testAccount, Region: testRegion, EmptyPages: true})
		var names []string
		for i := range 1250 {
			names = append(names, fmt.Sprintf("a%04d", i))
			w.world.PutAlarm(awssim.Alarm{Name: names[i], Composite: i%2 == 0})
		}
		began := time.Now()
		c := w.client(t)
		got, err := c.Alarms(t.Context(), names)
		if err != nil || len(got) != len(names) {
			t.Fatalf("%d alarms, %v", len(got), err)
		}
		var times []time.Time
		for _, call := range w.world.Calls() {
			if call.Operation == "DescribeAlarms" {
				times = append(times, call.Time)
				if call.Status != 200 {
					t.Errorf("status %d", call.Status)
				}
			}
		}
		if len(times) < 13 {
			t.Errorf("%d calls", len(times))
		}
		for i := range times[:len(times)-2*alarmRate] {
			if times[i+2*alarmRate].Sub(times[i]) < time.Second*9/10 {
				t.Errorf("%d calls in %v", 2*alarmRate+1, times[i+2*alarmRate].Sub(times[i]))
			}
		}
		if time.Since(began) > 15*time.Second {
			t.Errorf("it took %v", time.Since(began))
		}
	})
}

// TestSums: only what lies within, under the exact dimensions, and no data is
// not zero.
func TestSums(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		from := time.Now().UTC().Truncate(time.Minute).Add(time.Hour)
		to := from.Add(10 * time.Minute)
		time.Sleep(2 * time.Hour)
		put := func(qualifier string, at time.Time, calls, errors int) {
			w.world.PutTraffic(awssim.Traffic{Function: "f", Qualifier: qualifier, Version: "7", Time: at, Invocations: calls, Errors: errors})
		}
		put("", from.Add(-time.Second), 1000, 1000) // before
		put("", to, 1000, 1000)                     // after
		put("", from, 5, 1)
		put("live", to.Add(-time.Second), 3, 2)
		put("blue", from.Add(5*time.Minute), 2, 0)
		series := []health.Series{
			{Function: "f", Metric: "Invocations"},
			{Function: "f", Qualifier: "live", Metric: "Invocations"},
			{Function: "f", Qualifier: "live", Metric: "Errors"},
			{Function: "f", Qualifier: "blue", Metric: "Errors"},
			{Function: "f", Qualifier: "7", Metric: "Errors"},
			{Function: "g", Metric: "Errors"},
		}
		got, err := w.client(t).Sums(t.Context(), series, from, to)
		if err != nil {
			t.Fatal(err)
		}
		want := []health.Sum{
			{Series: series[0], Value: 10, Known: true},
			{Series: series[1], Value: 3, Known: true},
			{Series: series[2], Value: 2, Known: true},
			{Series: series[3], Value: 0, Known: true},
			{Series: series[4]},
			{Series: series[5]},
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Error(diff)
		}
	})
}

// TestMeasure: what adds up does, what does not has its highest point, and a share of
// an alias's calls is found by the version that ran.
func TestMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		from := time.Now().UTC().Truncate(time.Hour)
		for hour, took := range []time.Duration{100, 300, 200} {
			w.world.PutTraffic(awssim.Traffic{Function: "f", Qualifier: "live", Version: "7", Time: from.Add(time.Duration(hour) * time.Hour), Invocations: 10, Duration: took * time.Millisecond})
		}
		w.world.PutTraffic(awssim.Traffic{Function: "f", Qualifier: "live", Version: "8", Time: from, Invocations: 4, Duration: time.Second})
		time.Sleep(6 * time.Hour)
		of := func(executed, metric, statistic string) health.Measure {
			return health.Measure{Series: health.Series{Function: "f", Qualifier: "live", Metric: metric}, Executed: executed, Statistic: statistic}
		}
		list := []health.Measure{of("", "Invocations", "Sum"), of("7", "Invocations", "Sum"), of("7", "Duration", "Sum"), of("7", "Duration", "p99"), of("", "Duration", "p99"), of("9", "Duration", "p99")}
		got, err := w.client(t).Measure(t.Context(), list, from, from.Add(5*time.Hour), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []float64{34, 30, 6000, 300, 1000, 0} {
			if got[i].Value != want || got[i].Known != (want > 0) || got[i].Series != list[i].Series {
				t.Errorf("%+v is %+v, want %v", list[i], got[i], want)
			}
		}
		if n := w.world.Count("GetMetricData"); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestManySeries: 500 at once, and pages until there is no more.
func TestManySeries(t *testing.T) {
	for _, c := range []struct {
		name                   string
		empty                  bool
		series, minutes, calls int
	}{
		{"two chunks", false, 501, 1, 2},
		{"empty pages", true, 501, 1, 4},
		{"two pages", false, 500, 202, 2}, // of 101,000 points; one has 100,800
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire()
				w.world = awssim.New(awssim.Options{Account: testAccount, Region: testRegion, EmptyPages: c.empty})
				from := time.Now().UTC().Truncate(time.Minute)
				var series []health.Series
				for i := range c.series {
					name := fmt.Sprintf("f%d", i)
					series = append(series, health.Series{Function: name, Metric: "Invocations"})
					for m := range c.minutes {
						w.world.PutMetric(awssim.Metric{Name: "Invocations", Dimensions: map[string]string{"FunctionName": name}, Time: from.Add(time.Duration(m) * time.Minute), Value: 2})
					}
				}
				time.Sleep(6 * time.Hour)
				got, err := w.client(t).Sums(t.Context(), series, from, from.Add(5*time.Hour))
				if err != nil || len(got) != len(series) {
					t.Fatalf("%d sums, %v", len(got), err)
				}
				for i, s := range got {
					if s.Series != series[i] || s.Value != 2*float64(c.minutes) || !s.Known || s.Partial {
						t.Fatalf("%+v", s)
					}
				}
				if n := w.world.Count("GetMetricData"); n != c.calls {
					t.Errorf("%d calls, want %d", n, c.calls)
				}
			})
		})
	}
}

// TestDataThatDoesNotComeInFullIsPartial, whatever of it came.
func TestDataThatDoesNotComeInFullIsPartial(t *testing.T) {
	for status, partial := range map[string]bool{"Complete": false, "PartialData": true, "InternalError": true, "Forbidden": true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWire()
			w.world.OnQuery(func(q awssim.Query) string {
				if q.Name == "Errors" {
					return status
				}
				return ""
			})
			from := time.Now().UTC().Truncate(time.Minute)
			for m := range 3 {
				w.world.PutTraffic(awssim.Traffic{Function: "f", Time: from.Add(time.Duration(m) * time.Minute), Invocations: 30, Errors: 1})
			}
			time.Sleep(10 * time.Minute)
			got, err := w.client(t).Sums(t.Context(), []health.Series{{Function: "f", Metric: "Errors"}, {Function: "f", Metric: "Invocations"}}, from, from.Add(5*time.Minute))
			if err != nil || got[0].Partial != partial || got[0].Known == partial || !got[1].Known || got[1].Partial || got[1].Value != 90 {
				t.Errorf("%s: %+v, %v", status, got, err)
			}
		})
	}
}

// TestABakeIsJudgedOnTheWire is the way that a rollout goes: judged when the
// data is there, by what CloudWatch counted.
func TestABakeIsJudgedOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		c := w.client(t)
		began := time.Now().UTC().Truncate(time.Minute).Add(time.Hour)
		for m := range 120 {
			at := began.Add(time.Duration(m-60)*time.Minute + 30*time.Second)
			broken := 0
			if !at.Before(began) {
				broken = 4 // of ten, since the change
			}
			w.world.PutTraffic(awssim.Traffic{Function: "f", Qualifier: "live", Version: "8", Time: at, Invocations: 10, Errors: broken})
			w.world.PutTraffic(awssim.Traffic{Function: "g", Time: at, Invocations: 10, Errors: 5}) // as ever
		}
		bake := health.Span{From: began.Add(time.Minute), To: began.Add(11 * time.Minute)}
		limit := 0.05
		q := health.Question{
			Functions: []health.Watched{{Function: "f", Qualifier: "live"}, {Function: "g"}},
			Bake:      bake, Before: health.Span{From: began.Add(-10 * time.Minute), To: began}, MaxErrorRate: &limit,
		}
		time.Sleep(time.Until(bake.To.Add(health.MetricDelay)))
		var told []string
		for _, f := range health.Rates(t.Context(), c, q) {
			told = append(told, string(f.Status)+": "+f.Sentence)
		}
		want := []string{
			"bad: error rate of f:live is 40% (40 of 100 calls), limit 5%, before 0%",
			"bad: error rate of all functions is 45% (90 of 200 calls), limit 5%, before 25%",
		}
		if !slices.Equal(told, want) {
			t.Errorf("got %q, want %q", told, want)
		}
	})
}

// pages returns one marker after the other.
func pages(markers []string, calls *int) func(context.Context, *string) (*string, error) {
	return func(context.Context, *string) (*string, error) {
		*calls++
		return &markers[*calls-1], nil
	}
}

// TestAMarkerThatComesTwiceIsAnError: it would go round for ever.
func TestAMarkerThatComesTwiceIsAnError(t *testing.T) {
	for name, markers := range map[string][]string{"twice": {"a", "b", "a"}, "at once": {"a", "a"}} {
		calls := 0
		err := sweep(t.Context(), "Op", pages(markers, &calls))
		if err == nil || calls != len(markers) {
			t.Errorf("%s: %d calls, %v", name, calls, err)
		}
	}
	calls := 0
	if err := sweep(t.Context(), "Op", pages([]string{"a", "b", ""}, &calls)); err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

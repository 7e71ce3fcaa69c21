package inspect

import (
	"math"
	"time"

	"github.com/layerd/layerd/internal/health"
)

// Traffic is what was called. Missing data is not zero: Known reports that there was a
// data point at all, and Unread that something of it could not be read, so that the
// numbers are of a part.
type Traffic struct {
	Invocations, Errors, Throttles int64
	// Duration is of all invocations together, in milliseconds: averages do not add up.
	Duration float64
	// P99 is the highest that any point of any series has, in milliseconds; 0 = none.
	P99    float64
	Known  bool
	Unread bool
}

// add adds what else was called.
func (t *Traffic) add(o Traffic) {
	t.Invocations += o.Invocations
	t.Errors += o.Errors
	t.Throttles += o.Throttles
	t.Duration += o.Duration
	t.P99 = max(t.P99, o.P99)
	t.Known = t.Known || o.Known
	t.Unread = t.Unread || o.Unread
}

// without returns what is left when a part is counted elsewhere. Counts arrive one by
// one, so that a part may be ahead of the whole: less than nothing is left of none.
func (t Traffic) without(part Traffic) Traffic {
	left := Traffic{
		Invocations: max(0, t.Invocations-part.Invocations), Errors: max(0, t.Errors-part.Errors), Throttles: max(0, t.Throttles-part.Throttles),
		Duration: max(0, t.Duration-part.Duration), P99: t.P99, Known: t.Known, Unread: t.Unread || part.Unread,
	}
	if part.Known && left.Invocations == 0 { // nobody called it so: how long it took, and that it was called at all, is of the part
		left.Duration, left.P99 = 0, 0
		left.Known = left.Throttles > 0
	}
	return left
}

// Average returns how long an invocation took on average, each counting once; ok is
// false where none is known.
func (t Traffic) Average() (ms float64, ok bool) {
	if t.Invocations == 0 {
		return 0, false
	}
	return t.Duration / float64(t.Invocations), true
}

// Span is the time over which calls are counted.
type Span struct {
	From, To time.Time
	Point    time.Duration // how long one data point is
}

// CloudWatch keeps points of a minute for 15 days, of five minutes for 63, and of an
// hour for 455.
const (
	dayLong = 24 * time.Hour
	// MostPeriod is how long anything is kept.
	MostPeriod = 455 * dayLong
	// mostPoints of each of 500 series fit on one page.
	mostPoints = 200
)

// SpanOf returns the span of the last period before now. Its points are short enough for
// it and long enough to fit on one page, and it begins and ends with one: it is longer
// than the period by at most two points, of which the last is not over yet.
func SpanOf(now time.Time, period time.Duration) Span {
	steps := []time.Duration{time.Minute, 5 * time.Minute, time.Hour, 6 * time.Hour, dayLong, 3 * dayLong}
	i := 0
	if period > 3*time.Hour {
		i = 2 // of the few calls of five minutes the 99th percentile is the slowest
	}
	for i < len(steps)-1 && period > time.Duration(mostPoints-2)*steps[i] {
		i++
	}
	point := steps[i]
	from, to := now.Add(-period).UTC().Truncate(point), now.UTC().Truncate(point)
	if to.Before(now) {
		to = to.Add(point)
	}
	return Span{From: from, To: to, Point: point}
}

// usageMetrics are what is asked of each series, and how.
func usageMetrics() []health.Measure {
	var list []health.Measure
	for _, name := range []string{"Invocations", "Errors", "Throttles", "Duration"} {
		list = append(list, health.Measure{Series: health.Series{Metric: name}, Statistic: "Sum"})
	}
	return append(list, health.Measure{Series: health.Series{Metric: "Duration"}, Statistic: "p99"})
}

// Measures returns what is to be asked of CloudWatch about series: five questions each.
func Measures(series []Series) []health.Measure {
	each := usageMetrics()
	list := make([]health.Measure, 0, len(each)*len(series))
	for _, s := range series {
		for _, m := range each {
			m.Function, m.Qualifier, m.Executed = s.Function, s.Qualifier, s.Executed
			list = append(list, m)
		}
	}
	return list
}

// Calls puts the answers to Measures together, which are in the same order. Where
// one metric has points and another has none, none of that happened.
func Calls(asked []health.Measure, answers []health.Sum) map[Series]Traffic {
	all := map[Series]Traffic{}
	for i, m := range asked {
		s := Series{m.Function, m.Qualifier, m.Executed}
		t, a := all[s], answers[i]
		t.Known, t.Unread = t.Known || a.Known, t.Unread || a.Partial
		n := int64(math.Round(a.Value))
		switch {
		case !a.Known:
		case m.Metric == "Invocations":
			t.Invocations = n
		case m.Metric == "Errors":
			t.Errors = n
		case m.Metric == "Throttles":
			t.Throttles = n
		case m.Statistic == "p99":
			t.P99 = a.Value
		default:
			t.Duration = a.Value
		}
		all[s] = t
	}
	return all
}

package awssim

import (
	"cmp"
	"strings"
	"time"
)

// Metric is one sample of a series, as seeded.
type Metric struct {
	Account, Region string // default: the World's
	Namespace       string // default AWS/Lambda
	Name            string
	Dimensions      map[string]string
	Time            time.Time // default: now
	Value           float64
}

// Traffic is calls of a function that nobody made: what callers other than the
// one under test do. Errors are among the Invocations, Throttles are not.
type Traffic struct {
	Account, Region string // default: the World's
	Function        string
	Qualifier       string // what callers name: an alias, a version, or nothing
	Version         string // what ran; only told for an alias
	Time            time.Time
	Invocations     int
	Errors          int
	Throttles       int
	Duration        time.Duration // of each invocation; 0 = none is counted
}

// PutMetric adds a sample. It shows Options.MetricLag after its time.
func (w *World) PutMetric(m Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.Time.IsZero() {
		m.Time = time.Now()
	}
	s := w.store(cmp.Or(m.Account, w.opts.Account), cmp.Or(m.Region, w.opts.Region))
	k := seriesKey(cmp.Or(m.Namespace, lambdaMetrics), m.Name, m.Dimensions)
	s.metrics[k] = append(s.metrics[k], sample{m.Time, m.Time.Add(w.opts.MetricLag), m.Value, m.Value, m.Value, 1})
}

// PutTraffic adds what Lambda itself would have counted.
func (w *World) PutTraffic(t Traffic) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.Time.IsZero() {
		t.Time = time.Now()
	}
	w.counted(t, t.Time)
	if t.Duration > 0 && t.Invocations > 0 {
		w.lasted(t, t.Invocations, t.Duration)
	}
}

const lambdaMetrics = "AWS/Lambda"

// sample is what is known of one instant; count values that add up to sum.
type sample struct {
	at, visible      time.Time
	sum, least, most float64
	count            float64
}

// seriesKey names a series. Dimensions must match exactly: a series without
// one is another series.
func seriesKey(namespace, name string, dimensions map[string]string) string {
	var b strings.Builder
	b.WriteString(namespace + "\x00" + name)
	for _, k := range sortedKeys(dimensions) {
		b.WriteString("\x00" + k + "\x00" + dimensions[k])
	}
	return b.String()
}

// counted adds calls to all series Lambda keeps of them. A sample stands at
// the start of the call and shows some time after its end. A call that was
// throttled is no invocation; one that went well is an error count of zero.
func (w *World) counted(t Traffic, ended time.Time) {
	s := w.store(cmp.Or(t.Account, w.opts.Account), cmp.Or(t.Region, w.opts.Region))
	add := func(name string, n, of int) {
		if of == 0 {
			return
		}
		v := sample{at: t.Time, visible: ended.Add(w.opts.MetricLag), sum: float64(n), count: float64(of)}
		if n > 0 {
			v.most = 1
		}
		if n == of {
			v.least = 1
		}
		for _, d := range t.dimensions() {
			k := seriesKey(lambdaMetrics, name, d)
			s.metrics[k] = append(s.metrics[k], v)
		}
	}
	add("Invocations", t.Invocations, t.Invocations)
	add("Errors", t.Errors, t.Invocations)
	add("Throttles", t.Throttles, t.Invocations+t.Throttles)
}

// timed adds how long one call took.
func (w *World) timed(t Traffic, took time.Duration) { w.lasted(t, 1, took) }

// lasted adds so many calls that each took as long.
func (w *World) lasted(t Traffic, calls int, took time.Duration) {
	s := w.store(cmp.Or(t.Account, w.opts.Account), cmp.Or(t.Region, w.opts.Region))
	ms, n := float64(took)/float64(time.Millisecond), float64(calls)
	for _, d := range t.dimensions() {
		k := seriesKey(lambdaMetrics, "Duration", d)
		s.metrics[k] = append(s.metrics[k], sample{t.Time, t.Time.Add(took + w.opts.MetricLag), n * ms, ms, ms, n})
	}
}

// dimensions are the sets under which Lambda counts a call. Resource is there
// only when the caller named one, and ExecutedVersion only under an alias.
func (t Traffic) dimensions() []map[string]string {
	sets := []map[string]string{nil, {"FunctionName": t.Function}}
	if t.Qualifier == "" {
		return sets
	}
	resource := t.Function + ":" + t.Qualifier
	sets = append(sets, map[string]string{"FunctionName": t.Function, "Resource": resource})
	if t.Version != "" && !targetPattern.MatchString(t.Qualifier) {
		sets = append(sets, map[string]string{"FunctionName": t.Function, "Resource": resource, "ExecutedVersion": t.Version})
	}
	return sets
}

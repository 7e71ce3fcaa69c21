package awssim

import (
	"cmp"
	"fmt"
	"time"
)

// AlarmRule is what an alarm looks at: one series under exactly these dimensions, which
// know no wildcards, and when it rings.
type AlarmRule struct {
	Namespace, Metric string
	Dimensions        map[string]string
	Statistic         string        // Sum, Average, Minimum, Maximum or SampleCount
	Period            time.Duration // whole minutes
	// Of the last Evaluated periods so many must breach: Breaching, 0 = all of them.
	Evaluated, Breaching int
	Threshold            float64
	// Comparison is how AWS calls it: GreaterThanThreshold and so on.
	Comparison string
	// Missing says what a period without data is: missing (default), notBreaching,
	// breaching or ignore.
	Missing string
}

// reserve is by how many periods the range is longer that CloudWatch reads: AWS
// documents it by an example (five for three), and not as a number.
const reserve = 2

// breaches reports whether a value is on the wrong side.
func (r AlarmRule) breaches(v float64) bool {
	switch r.Comparison {
	case "GreaterThanThreshold":
		return v > r.Threshold
	case "GreaterThanOrEqualToThreshold":
		return v >= r.Threshold
	case "LessThanThreshold":
		return v < r.Threshold
	case "LessThanOrEqualToThreshold":
		return v <= r.Threshold
	}
	panic("a comparison that is none: " + r.Comparison)
}

// judge returns the state of an alarm that was in state before, as AWS documents it:
// what is there of the range counts first, the newest of it, and only where that is less
// than what is evaluated does a period without data count for what Missing says.
func (r AlarmRule) judge(before string, points map[time.Time]sample, now time.Time) (state, reason string) {
	end := now.UTC().Truncate(r.Period)
	var real []float64 // the newest first
	for i := range r.Evaluated + reserve {
		if s, ok := points[end.Add(-time.Duration(i+1)*r.Period)]; ok {
			real = append(real, s.statistic(r.Statistic))
		}
	}
	real = real[:min(len(real), r.Evaluated)]
	missing, bad := r.Evaluated-len(real), 0
	for _, v := range real {
		if r.breaches(v) {
			bad++
		}
	}
	reason = fmt.Sprintf("%d of %d periods breach, %d have no data", bad, r.Evaluated, missing)
	need := cmp.Or(r.Breaching, r.Evaluated)
	doubt := missing > 0 && bad == len(real) // nothing that is there is well
	switch {
	case bad >= need:
	case r.Missing == "breaching":
		bad += missing
	case r.Missing == "notBreaching":
	case r.Missing == "ignore" && doubt:
		return before, reason
	case r.Missing != "ignore" && len(real) == 0:
		return "INSUFFICIENT_DATA", reason
	case r.Missing != "ignore" && doubt:
		bad = need
	}
	if bad >= need {
		return "ALARM", reason
	}
	return "OK", reason
}

// look lets the alarms that have a rule look at their series, as CloudWatch does each
// minute.
func (c *call) look() {
	for name, a := range c.store.alarms {
		if a.Rule == nil {
			continue
		}
		points := map[time.Time]sample{}
		for _, s := range c.store.metrics[seriesKey(a.Rule.Namespace, a.Rule.Metric, a.Rule.Dimensions)] {
			if at := s.at.UTC().Truncate(a.Rule.Period); !s.visible.After(c.now) {
				points[at] = points[at].plus(s)
			}
		}
		state, reason := a.Rule.judge(a.State, points, c.now)
		if state != a.State {
			a.Since = c.now
		}
		a.State, a.Reason = state, reason
		c.store.alarms[name] = a
	}
}

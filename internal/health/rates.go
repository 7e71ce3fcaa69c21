package health

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/layerd/layerd/internal/desired"
)

const (
	// MetricDelay is how long after the end of a span its data may still come:
	// judge a bake that long after its end, not before.
	MetricDelay = desired.MetricDelay
	// MinInvocations is from how many calls on a rate means anything.
	MinInvocations = 20
)

// Span is a stretch of time, From included, To excluded.
type Span struct{ From, To time.Time }

// aligned returns the whole minutes of a span, which is what CloudWatch counts
// by; To is never before From.
func (s Span) aligned() Span {
	from, to := s.From.Truncate(time.Minute), s.To.Truncate(time.Minute)
	if from.Before(s.From) {
		from = from.Add(time.Minute)
	}
	if to.Before(from) {
		to = from
	}
	return Span{from, to}
}

func (s Span) length() time.Duration { return s.To.Sub(s.From) }

// Watched is a function of a rollout, as a whole or one alias or version of it.
type Watched struct {
	Function, Qualifier string // an empty Qualifier is the whole function
}

// Question is what is asked of the metrics of a rollout's functions.
type Question struct {
	Functions []Watched
	// Bake is the span to judge. Before is as long and ends when the rollout
	// began: what was as bad then is not the rollout's doing.
	Bake, Before Span
	// MaxErrorRate is a share, 0 to 1; nil = not looked at.
	MaxErrorRate *float64
	// MaxThrottles is how many throttled calls the bake may have; nil = not
	// looked at.
	MaxThrottles *int
}

// Rates compares the error rate and the throttles of a bake with their limits
// and with the time before. Each returns a finding for each function that is bad
// and one for all of them together, whatever that comes to:
//
//   - Bad is what is above its limit and above what it was before. Fewer than
//     MinInvocations calls before excuse nothing: one call that failed would be
//     a rate of 100%.
//   - A function of fewer than MinInvocations calls shows nothing by itself about
//     errors, and counts in the whole. A throttled call counts by itself.
//   - A function of which not all data came, in either span, counts nowhere;
//     what would be good without it is unknown.
//   - No data, or fewer than MinInvocations calls of all, is unknown.
//
// Both spans are cut to whole minutes; the one before to the length of the
// bake.
func Rates(ctx context.Context, src Source, q Question) []Finding {
	if len(q.Functions) == 0 || q.MaxErrorRate == nil && q.MaxThrottles == nil {
		return nil
	}
	bake, before := q.Bake.aligned(), q.Before.aligned()
	if longer := before.length() - bake.length(); longer > 0 {
		before.From = before.From.Add(longer)
	}
	if bake.length() == 0 {
		return q.unknown("the bake has no whole minute")
	}
	now, err := src.Sums(ctx, q.series(), bake.From, bake.To)
	if err != nil {
		return q.unknown(words(err.Error()))
	}
	var then []Sum
	if before.length() > 0 {
		if then, err = src.Sums(ctx, q.series(), before.From, before.To); err != nil {
			return q.unknown(words(err.Error()))
		}
	}
	pairs := q.pairs(tally(now), tally(then))
	var findings []Finding
	if q.MaxErrorRate != nil {
		findings = append(findings, judge(pairs, errorRule(*q.MaxErrorRate))...)
	}
	if q.MaxThrottles != nil {
		findings = append(findings, judge(pairs, throttleRule(*q.MaxThrottles))...)
	}
	return findings
}

// unknown is the finding of each thing that was asked for, all for one reason.
func (q Question) unknown(why string) []Finding {
	var findings []Finding
	if q.MaxErrorRate != nil {
		findings = append(findings, Finding{About: allFunctions, Status: Unknown, Code: CodeErrorRate, Sentence: "error rate of all functions is not known: " + why})
	}
	if q.MaxThrottles != nil {
		findings = append(findings, Finding{About: allFunctions, Status: Unknown, Code: CodeThrottles, Sentence: "throttles of all functions are not known: " + why})
	}
	return findings
}

const (
	invocations = "Invocations"
	failures    = "Errors"
	throttles   = "Throttles"

	allFunctions = "all functions"
)

// series asks of each function once, and only for what is needed: CloudWatch
// takes money for each.
func (q Question) series() []Series {
	metrics := []string{invocations}
	if q.MaxErrorRate != nil {
		metrics = append(metrics, failures)
	}
	if q.MaxThrottles != nil {
		metrics = append(metrics, throttles)
	}
	var list []Series
	for _, w := range unique(q.Functions) {
		for _, m := range metrics {
			list = append(list, Series{Function: w.Function, Qualifier: w.Qualifier, Metric: m})
		}
	}
	return list
}

func unique(list []Watched) []Watched {
	seen := map[Watched]bool{}
	return slices.DeleteFunc(slices.Clone(list), func(w Watched) bool {
		was := seen[w]
		seen[w] = true
		return was
	})
}

// counts are what one function, or all of them, did in one span.
type counts struct {
	calls, errors, throttled float64
	known                    bool // there was a data point at all
	partial                  bool // and some are missing
}

func (c *counts) add(o counts) {
	c.calls += o.calls
	c.errors += o.errors
	c.throttled += o.throttled
	c.known = c.known || o.known
}

// rate is a share, 0 to 1; ok is false when there were too few calls to tell.
func (c counts) rate() (share float64, ok bool) {
	if c.calls < MinInvocations {
		return 0, false
	}
	return c.errors / c.calls, true
}

// tally puts the series of each function together. No data point of one metric
// where another has some is none that happened.
func tally(sums []Sum) map[Watched]counts {
	all := map[Watched]counts{}
	for _, s := range sums {
		w := Watched{s.Function, s.Qualifier}
		c := all[w]
		switch {
		case s.Partial:
			c.partial = true
		case s.Known:
			c.known = true
			switch s.Metric {
			case invocations:
				c.calls += s.Value
			case failures:
				c.errors += s.Value
			case throttles:
				c.throttled += s.Value
			}
		}
		all[w] = c
	}
	return all
}

// pair is one function, or all, in the bake and before.
type pair struct {
	name      string
	now, then counts
}

func (p pair) partial() bool { return p.now.partial || p.then.partial }

func (q Question) pairs(now, then map[Watched]counts) []pair {
	var list []pair
	for _, w := range unique(q.Functions) {
		list = append(list, pair{subject(w.Function, w.Qualifier), now[w], then[w]})
	}
	return list
}

// rule is how one number is judged.
type rule struct {
	code string
	// weigh returns Unknown where there is too little to judge by, and the
	// sentence without its subject.
	weigh func(pair) (Status, string)
}

func errorRule(limit float64) rule {
	return rule{CodeErrorRate, func(p pair) (Status, string) {
		now, ok := p.now.rate()
		if !ok {
			return Unknown, fmt.Sprintf("error rate of %s is not known: %s, %d are needed", p.name, calls(p.now), MinInvocations)
		}
		then, measured := p.then.rate()
		before := "too few calls before"
		if measured {
			before = "before " + percent(then)
		}
		status := Good
		if now > limit && now > then { // then is 0 where nothing was measured
			status = Bad
		}
		return status, fmt.Sprintf("error rate of %s is %s (%.0f of %s), limit %s, %s",
			p.name, percent(now), p.now.errors, calls(p.now), percent(limit), before)
	}}
}

func throttleRule(limit int) rule {
	return rule{CodeThrottles, func(p pair) (Status, string) {
		if !p.now.known {
			return Unknown, fmt.Sprintf("throttles of %s are not known: no data", p.name)
		}
		before := fmt.Sprintf("before %.0f", p.then.throttled)
		if !p.then.known {
			before = "no data before"
		}
		status := Good
		if p.now.throttled > float64(limit) && p.now.throttled > p.then.throttled {
			status = Bad
		}
		return status, fmt.Sprintf("%s throttled of %s, limit %d, %s", count(int(p.now.throttled), "call"), p.name, limit, before)
	}}
}

// judge returns a finding for each function that is bad and one for all.
func judge(pairs []pair, r rule) []Finding {
	var findings []Finding
	all := pair{name: allFunctions}
	partial := 0
	for _, p := range pairs {
		if p.partial() {
			partial++
			continue
		}
		all.now.add(p.now)
		all.then.add(p.then)
		if status, says := r.weigh(p); status == Bad {
			findings = append(findings, Finding{About: p.name, Status: Bad, Code: r.code, Sentence: says})
		}
	}
	status, says := r.weigh(all)
	if partial > 0 {
		says += fmt.Sprintf("; the data of %s did not come in full", count(partial, "function"))
		if status == Good {
			status = Unknown
		}
	}
	return append(findings, Finding{About: allFunctions, Status: status, Code: r.code, Sentence: says})
}

func calls(c counts) string {
	if !c.known {
		return "no data"
	}
	return count(int(c.calls), "call")
}

// percent writes a share with two decimals at most; the counts beside it are
// exact.
func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e4)/100, 'f', -1, 64) + "%"
}

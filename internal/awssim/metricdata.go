package awssim

import (
	"cmp"
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// maxDatapoints is what one answer of GetMetricData has at most.
const maxDatapoints = 100_800

var queryIDPattern = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// Query is one series somebody asks GetMetricData for.
type Query struct {
	Account, Region, Namespace, Name string
	Dimensions                       map[string]string
	Start, End                       time.Time
}

// OnQuery lets f say how a series is answered: Complete (also empty),
// PartialData, which lacks the newest point, InternalError or Forbidden, which
// have none. nil stops that. f must not use the World.
func (w *World) OnQuery(f func(Query) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onQuery = f
}

// getMetricData answers what is visible by now. A series nobody has written to
// is complete and empty: that is no zero.
func (c *call) getMetricData(in *cloudwatch.GetMetricDataInput) (any, *apiError) {
	if e := checkQueries(in); e != nil {
		return nil, e
	}
	page, e := c.metricPage(in)
	if e != nil {
		return nil, e
	}
	out := &cloudwatch.GetMetricDataOutput{MetricDataResults: []types.MetricDataResult{}}
	for _, q := range in.MetricDataQueries {
		if q.ReturnData != nil && !*q.ReturnData {
			continue
		}
		r := c.series(in, q)
		r.Timestamps, r.Values, r.StatusCode = page.take(r.Timestamps, r.Values, r.StatusCode)
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	out.NextToken = page.next()
	return out, nil
}

func checkQueries(in *cloudwatch.GetMetricDataInput) *apiError {
	switch {
	case in.StartTime == nil || in.EndTime == nil || len(in.MetricDataQueries) == 0:
		return refuse(400, "MissingParameter", "The request must contain StartTime, EndTime and MetricDataQueries.")
	case !in.StartTime.Before(*in.EndTime):
		return wrongInput("The parameter EndTime must be greater than StartTime.")
	case len(in.MetricDataQueries) > 500:
		return wrongInput("The collection MetricDataQueries must not have a size greater than 500.")
	case in.MaxDatapoints != nil && (*in.MaxDatapoints < 1 || *in.MaxDatapoints > maxDatapoints):
		return wrongInput("The value %d for parameter MaxDatapoints is invalid. Valid range: 1 to %d.", *in.MaxDatapoints, maxDatapoints)
	case in.LabelOptions != nil:
		return unsupported("the member LabelOptions")
	}
	seen := map[string]bool{}
	for i, q := range in.MetricDataQueries {
		id := str(q.Id)
		if !queryIDPattern.MatchString(id) {
			return wrongInput("The value %s for parameter MetricDataQueries.member.%d.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.", id, i+1)
		}
		if seen[id] {
			return wrongInput("The values for parameter id in MetricDataQueries are not unique.")
		}
		seen[id] = true
		if e := checkQuery(i+1, q); e != nil {
			return e
		}
	}
	return nil
}

var statistics = []string{"Sum", "Average", "Minimum", "Maximum", "SampleCount"}

// percentile reads a statistic such as p99 or p99.9.
func percentile(name string) (share float64, ok bool) {
	digits, ok := strings.CutPrefix(name, "p")
	n, err := strconv.ParseFloat(digits, 64)
	return n / 100, ok && err == nil && n >= 0 && n <= 100
}

// counts reports whether a statistic can be told here.
func counts(statistic string) bool {
	_, is := percentile(statistic)
	return is || slices.Contains(statistics, statistic)
}

func checkQuery(n int, q types.MetricDataQuery) *apiError {
	s := q.MetricStat
	switch {
	case q.Expression != nil && s != nil:
		return wrongInput("The parameter MetricDataQueries.member.%d must have either Expression or MetricStat.", n)
	case q.Expression != nil || q.AccountId != nil:
		return unsupported("expressions and queries of other accounts")
	case s == nil || s.Metric == nil || s.Metric.MetricName == nil || s.Metric.Namespace == nil || s.Period == nil || s.Stat == nil:
		return refuse(400, "MissingParameter", "The request must contain MetricDataQueries.member.%d.MetricStat in full.", n)
	case *s.Period < 60 || *s.Period%60 != 0:
		return wrongInput("The parameter MetricDataQueries.member.%d.MetricStat.Period must be a multiple of 60.", n)
	case len(s.Metric.Dimensions) > 30:
		return wrongInput("The collection MetricDataQueries.member.%d.MetricStat.Metric.Dimensions must not have a size greater than 30.", n)
	case s.Unit != "":
		return unsupported("the member Unit")
	case !counts(*s.Stat):
		return unsupported("the statistic " + *s.Stat)
	}
	return nil
}

// series answers one query in full, before it is cut into pages. Start is
// within, end is not; both in whole minutes.
func (c *call) series(in *cloudwatch.GetMetricDataInput, q types.MetricDataQuery) types.MetricDataResult {
	m := q.MetricStat.Metric
	dims := map[string]string{}
	for _, d := range m.Dimensions {
		dims[str(d.Name)] = str(d.Value)
	}
	period := time.Duration(*q.MetricStat.Period) * time.Second
	start := in.StartTime.Truncate(time.Minute)
	sums, samples := map[time.Time]sample{}, map[time.Time][]sample{}
	share, isPercentile := percentile(*q.MetricStat.Stat)
	for _, s := range c.store.metrics[seriesKey(*m.Namespace, *m.MetricName, dims)] {
		minute := s.at.UTC().Truncate(time.Minute)
		if s.visible.After(c.now) || minute.Before(start) || !minute.Before(*in.EndTime) {
			continue
		}
		at := minute.Truncate(period)
		sums[at] = sums[at].plus(s)
		if isPercentile {
			samples[at] = append(samples[at], s)
		}
	}
	times := slices.Collect(maps.Keys(sums))
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	status := c.queryStatus(Query{c.store.account, c.store.region, *m.Namespace, *m.MetricName, dims, *in.StartTime, *in.EndTime})
	switch {
	case status == types.StatusCodePartialData && len(times) > 0:
		times = times[1:]
	case status != types.StatusCodeComplete:
		times = nil
	}
	if in.ScanBy == types.ScanByTimestampAscending {
		slices.Reverse(times)
	}
	r := types.MetricDataResult{Id: q.Id, Label: aws.String(cmp.Or(str(q.Label), *m.MetricName)), StatusCode: status,
		Timestamps: []time.Time{}, Values: []float64{}}
	for _, t := range times {
		value := sums[t].statistic(*q.MetricStat.Stat)
		if isPercentile {
			value = nearestRank(samples[t], share)
		}
		r.Timestamps, r.Values = append(r.Timestamps, t), append(r.Values, value)
	}
	return r
}

// nearestRank returns the least value that a share of all values does not exceed.
// CloudWatch itself interpolates in buckets of its own, about as closely.
func nearestRank(samples []sample, share float64) float64 {
	slices.SortFunc(samples, func(a, b sample) int { return cmp.Compare(a.sum/a.count, b.sum/b.count) })
	all := 0.0
	for _, s := range samples {
		all += s.count
	}
	passed := 0.0
	for _, s := range samples {
		if passed += s.count; passed >= share*all {
			return s.sum / s.count
		}
	}
	return samples[len(samples)-1].most
}

func (c *call) queryStatus(q Query) types.StatusCode {
	if c.w.onQuery == nil {
		return types.StatusCodeComplete
	}
	return types.StatusCode(cmp.Or(c.w.onQuery(q), "Complete"))
}

func (s sample) plus(t sample) sample {
	if s.count == 0 {
		return t
	}
	return sample{sum: s.sum + t.sum, least: min(s.least, t.least), most: max(s.most, t.most), count: s.count + t.count}
}

func (s sample) statistic(name string) float64 {
	switch name {
	case "Average":
		return s.sum / s.count
	case "Minimum":
		return s.least
	case "Maximum":
		return s.most
	case "SampleCount":
		return s.count
	}
	return s.sum
}

// metricPage deals out the points of one answer. A series that does not fit is
// PartialData here and goes on in the next page.
type metricPage struct {
	skip, room, taken int
	more              bool
}

func (c *call) metricPage(in *cloudwatch.GetMetricDataInput) (*metricPage, *apiError) {
	p := &metricPage{room: maxDatapoints}
	if in.MaxDatapoints != nil {
		p.room = int(*in.MaxDatapoints)
	}
	if in.NextToken != nil {
		b, err := base64.URLEncoding.DecodeString(*in.NextToken)
		n, err2 := strconv.Atoi(string(b))
		if err != nil || err2 != nil || n < 0 {
			return nil, refuse(400, "InvalidNextToken", "The next token specified is invalid.")
		}
		p.skip, p.taken = n, n
	} else if c.w.opts.EmptyPages {
		p.room, p.more = 0, true // nothing yet, and a token
	}
	return p, nil
}

func (p *metricPage) take(times []time.Time, values []float64, status types.StatusCode) ([]time.Time, []float64, types.StatusCode) {
	passed := min(p.skip, len(times))
	p.skip -= passed
	n := min(p.room, len(times)-passed)
	if n < len(times)-passed || p.more {
		p.more = true
		if status == types.StatusCodeComplete {
			status = types.StatusCodePartialData
		}
	}
	p.room, p.taken = p.room-n, p.taken+n
	return times[passed : passed+n], values[passed : passed+n], status
}

func (p *metricPage) next() *string {
	if !p.more {
		return nil
	}
	return aws.String(base64.URLEncoding.EncodeToString([]byte(strconv.Itoa(p.taken))))
}

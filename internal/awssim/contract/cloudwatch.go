package contract

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

func alarmFacts() []fact {
	return []fact{
		{name: "DescribeAlarms passes over names that do not exist", seeded: true, check: absentAlarms},
		{name: "DescribeAlarms tells the state and since when", seeded: true, check: alarmState},
		{name: "a composite alarm is found only by its type", seeded: true, check: compositeAlarms},
		{name: "DescribeAlarms by prefix follows NextToken to the end", seeded: true, check: alarmPages},
		{name: "more than a hundred alarm names are refused", check: manyAlarms},
		{name: "alarm names together with a prefix are refused", check: namesAndPrefix},
		{name: "a NextToken of DescribeAlarms that is none is refused", check: badAlarmToken},
	}
}

func metricFacts() []fact {
	return []fact{
		{name: "a series without data is complete and empty", check: noData},
		{name: "StartTime is within and EndTime is not", seeded: true, check: halfOpen},
		{name: "points come newest first unless asked otherwise", seeded: true, check: scanOrder},
		{name: "a period adds up what it spans", seeded: true, check: longPeriod},
		{name: "a percentile is one of the values of its period", seeded: true, check: percentileOfPeriod},
		{name: "dimensions match exactly or not at all", seeded: true, check: exactDimensions},
		{name: "a query without ReturnData is not answered", seeded: true, check: hiddenQuery},
		{name: "more points than MaxDatapoints come in pages, partial until the end", seeded: true, check: pointPages},
		{name: "more than 500 queries are refused", check: manyQueries},
		{name: "a query id with a capital first is refused", check: badQueryID},
		{name: "a query id used twice is refused", check: queryIDTwice},
		{name: "a period that is no multiple of a minute is refused", check: oddPeriod},
		{name: "an EndTime before StartTime is refused", check: backwards},
		{name: "a metric is read as it was put, under the dimensions it was put with", check: putMetric},
		{name: "what is put twice adds up, and is no higher", check: putTwice},
		{name: "a value that is no number is refused, and all that came with it", check: putNaN},
		{name: "a namespace of AWS is not written to", check: putReserved},
		{name: "more than a thousand metrics are refused", check: putMany},
	}
}

const wrongInput = "ValidationError"

func (p *probe) alarms(in *cloudwatch.DescribeAlarmsInput) (metric, composite []string) {
	p.Helper()
	for pages := cloudwatch.NewDescribeAlarmsPaginator(p.cloudwatch, in); pages.HasMorePages(); {
		out, err := pages.NextPage(p.ctx)
		p.must(err)
		for _, a := range out.MetricAlarms {
			metric = append(metric, aws.ToString(a.AlarmName))
		}
		for _, a := range out.CompositeAlarms {
			composite = append(composite, aws.ToString(a.AlarmName))
		}
	}
	return metric, composite
}

func absentAlarms(p *probe) {
	p.must(p.env.Seeds.Alarm(p.name("a"), false, "OK"))
	got, _ := p.alarms(&cloudwatch.DescribeAlarmsInput{AlarmNames: []string{p.name("a"), p.name("b")}})
	if !slices.Equal(got, []string{p.name("a")}) {
		p.Errorf("alarms are %v, want only %s", got, p.name("a"))
	}
}

func alarmState(p *probe) {
	p.must(p.env.Seeds.Alarm(p.name("a"), false, "ALARM"))
	pages := cloudwatch.NewDescribeAlarmsPaginator(p.cloudwatch, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{p.name("a")}})
	var found []types.MetricAlarm
	for pages.HasMorePages() {
		out, err := pages.NextPage(p.ctx)
		p.must(err)
		found = append(found, out.MetricAlarms...)
	}
	if len(found) != 1 {
		p.Fatalf("found %d alarms, want 1", len(found))
	}
	a := found[0]
	if a.StateValue != types.StateValueAlarm || time.Since(aws.ToTime(a.StateUpdatedTimestamp)).Abs() > time.Hour || aws.ToString(a.AlarmArn) == "" {
		p.Errorf("alarm is %s since %v, ARN %s", a.StateValue, a.StateUpdatedTimestamp, aws.ToString(a.AlarmArn))
	}
}

func compositeAlarms(p *probe) {
	p.must(p.env.Seeds.Alarm(p.name("m"), false, "OK"))
	p.must(p.env.Seeds.Alarm(p.name("c"), true, "OK"))
	names := []string{p.name("m"), p.name("c")}
	if m, c := p.alarms(&cloudwatch.DescribeAlarmsInput{AlarmNames: names}); len(m) != 1 || len(c) != 0 {
		p.Errorf("without types: %v and %v, want the metric alarm alone", m, c)
	}
	both := []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm}
	if m, c := p.alarms(&cloudwatch.DescribeAlarmsInput{AlarmNames: names, AlarmTypes: both}); len(m) != 1 || len(c) != 1 {
		p.Errorf("with both types: %v and %v, want one of each", m, c)
	}
	if m, c := p.alarms(&cloudwatch.DescribeAlarmsInput{AlarmNames: names, AlarmTypes: both[1:]}); len(m) != 0 || len(c) != 1 {
		p.Errorf("with the one type: %v and %v, want the composite alarm alone", m, c)
	}
}

func alarmPages(p *probe) {
	var want []string
	for i := range 5 {
		want = append(want, p.name("x"+strconv.Itoa(i)))
		p.must(p.env.Seeds.Alarm(want[i], false, "OK"))
	}
	p.must(p.env.Seeds.Alarm(p.name("y"), false, "OK"))
	in := &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String(p.name("x")), MaxRecords: aws.Int32(2)}
	got, _ := p.alarms(in)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		p.Errorf("alarms are %v, want %v", got, want)
	}
	if out, err := p.cloudwatch.DescribeAlarms(p.ctx, in); err != nil || len(out.MetricAlarms) > 2 {
		p.Errorf("%d on a page of 2, %v", len(out.MetricAlarms), err)
	}
}

func manyAlarms(p *probe) {
	_, err := p.cloudwatch.DescribeAlarms(p.ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: slices.Repeat([]string{"a"}, 101)})
	p.refused(err, 400, wrongInput, "")
}

func namesAndPrefix(p *probe) {
	_, err := p.cloudwatch.DescribeAlarms(p.ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"a"}, AlarmNamePrefix: aws.String("a")})
	p.refused(err, 400, wrongInput, "")
}

func badAlarmToken(p *probe) {
	_, err := p.cloudwatch.DescribeAlarms(p.ctx, &cloudwatch.DescribeAlarmsInput{NextToken: aws.String("none")})
	p.refused(err, 400, "InvalidNextToken", "")
}

// noon is a whole hour not long ago.
func noon() time.Time { return time.Now().UTC().Truncate(time.Hour).Add(-3 * time.Hour) }

// series seeds one series of the fact with a value a minute, from noon on.
func (p *probe) series(name string, dims map[string]string, values ...float64) {
	p.Helper()
	for i, v := range values {
		p.must(p.env.Seeds.Metric("Contract/"+p.prefix, name, dims, noon().Add(time.Duration(i)*time.Minute), v))
	}
}

// sum is a query for the sums of a series of the fact.
func (p *probe) sum(id, name string, period int32, dims map[string]string) types.MetricDataQuery {
	m := &types.Metric{Namespace: aws.String("Contract/" + p.prefix), MetricName: &name}
	for _, k := range slices.Sorted(maps.Keys(dims)) {
		m.Dimensions = append(m.Dimensions, types.Dimension{Name: &k, Value: aws.String(dims[k])})
	}
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{Metric: m, Period: &period, Stat: aws.String("Sum")}}
}

// points asks for minutes from to to after noon and puts the pages together.
func (p *probe) points(from, to int, change func(*cloudwatch.GetMetricDataInput), queries ...types.MetricDataQuery) map[string][]float64 {
	p.Helper()
	in := span(from, to, queries...)
	if change != nil {
		change(in)
	}
	got := map[string][]float64{}
	for pages := cloudwatch.NewGetMetricDataPaginator(p.cloudwatch, in); pages.HasMorePages(); {
		out, err := pages.NextPage(p.ctx)
		p.must(err)
		for _, r := range out.MetricDataResults {
			got[aws.ToString(r.Id)] = append(got[aws.ToString(r.Id)], r.Values...)
			if out.NextToken == nil && r.StatusCode != types.StatusCodeComplete {
				p.Errorf("%s ends as %s", aws.ToString(r.Id), r.StatusCode)
			}
		}
	}
	return got
}

func span(from, to int, queries ...types.MetricDataQuery) *cloudwatch.GetMetricDataInput {
	return &cloudwatch.GetMetricDataInput{MetricDataQueries: queries,
		StartTime: aws.Time(noon().Add(time.Duration(from) * time.Minute)), EndTime: aws.Time(noon().Add(time.Duration(to) * time.Minute))}
}

func (p *probe) equal(got map[string][]float64, id string, want ...float64) {
	p.Helper()
	if v, ok := got[id]; !ok || !slices.Equal(v, want) {
		p.Errorf("%s is %v (answered: %v), want %v", id, v, ok, want)
	}
}

func noData(p *probe) { p.equal(p.points(0, 9, nil, p.sum("q", "none", 60, nil)), "q") }

func halfOpen(p *probe) {
	p.series("m", nil, 1, 2, 4, 8)
	p.equal(p.points(1, 3, nil, p.sum("q", "m", 60, nil)), "q", 4, 2)
}

func scanOrder(p *probe) {
	p.series("m", nil, 1, 2)
	p.equal(p.points(0, 9, nil, p.sum("q", "m", 60, nil)), "q", 2, 1)
	ascending := func(in *cloudwatch.GetMetricDataInput) { in.ScanBy = types.ScanByTimestampAscending }
	p.equal(p.points(0, 9, ascending, p.sum("q", "m", 60, nil)), "q", 1, 2)
}

func longPeriod(p *probe) {
	p.series("m", nil, 1, 2, 4, 8, 16, 32)
	p.equal(p.points(0, 10, nil, p.sum("q", "m", 300, nil)), "q", 32, 31)
}

func percentileOfPeriod(p *probe) {
	p.series("m", nil, 10, 20, 30, 40)
	for stat, want := range map[string]float64{"p99": 40, "p100": 40} {
		q := p.sum("q", "m", 300, nil)
		q.MetricStat.Stat = aws.String(stat)
		// CloudWatch interpolates between values, by little.
		if got := p.points(0, 5, nil, q)["q"]; len(got) != 1 || got[0] < 0.95*want || got[0] > 1.05*want {
			p.Errorf("%s is %v, want %v", stat, got, want)
		}
	}
}

func exactDimensions(p *probe) {
	one, two := map[string]string{"a": "1"}, map[string]string{"a": "1", "b": "2"}
	p.series("m", one, 1)
	p.series("m", two, 2)
	got := p.points(0, 9, nil, p.sum("none", "m", 60, nil), p.sum("one", "m", 60, one), p.sum("two", "m", 60, two),
		p.sum("other", "m", 60, map[string]string{"b": "2"}))
	p.equal(got, "none")
	p.equal(got, "one", 1)
	p.equal(got, "two", 2)
	p.equal(got, "other")
}

func hiddenQuery(p *probe) {
	p.series("m", nil, 1)
	hidden := p.sum("hidden", "m", 60, nil)
	hidden.ReturnData = aws.Bool(false)
	got := p.points(0, 9, nil, hidden, p.sum("q", "m", 60, nil))
	if _, ok := got["hidden"]; ok || len(got["q"]) != 1 {
		p.Errorf("got %v, want q alone", got)
	}
}

func pointPages(p *probe) {
	p.series("m", nil, 1, 2, 4, 8, 16)
	two := func(in *cloudwatch.GetMetricDataInput) { in.MaxDatapoints = aws.Int32(2) }
	p.series("n", nil, 3, 5, 7)
	got := p.points(0, 9, two, p.sum("q", "m", 60, nil), p.sum("r", "n", 60, nil))
	p.equal(got, "q", 16, 8, 4, 2, 1)
	p.equal(got, "r", 7, 5, 3)
	in := span(0, 9, p.sum("q", "m", 60, nil))
	two(in)
	out, err := p.cloudwatch.GetMetricData(p.ctx, in)
	p.must(err)
	if r := out.MetricDataResults[0]; len(r.Values) > 2 || out.NextToken == nil || r.StatusCode != types.StatusCodePartialData {
		p.Errorf("first page has %v, %s, NextToken %v", r.Values, r.StatusCode, out.NextToken != nil)
	}
}

func (p *probe) wrongQueries(from, to int, words string, queries ...types.MetricDataQuery) {
	p.Helper()
	_, err := p.cloudwatch.GetMetricData(p.ctx, span(from, to, queries...))
	p.refused(err, 400, wrongInput, words)
}

func manyQueries(p *probe) {
	var queries []types.MetricDataQuery
	for i := range 501 {
		queries = append(queries, p.sum("q"+strconv.Itoa(i), "m", 60, nil))
	}
	p.wrongQueries(0, 9, "", queries...)
}

func badQueryID(p *probe) {
	p.wrongQueries(0, 9, "is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.", p.sum("Q", "m", 60, nil))
}

func queryIDTwice(p *probe) {
	p.wrongQueries(0, 9, "are not unique", p.sum("q", "m", 60, nil), p.sum("q", "n", 60, nil))
}

func oddPeriod(p *probe) { p.wrongQueries(0, 9, "", p.sum("q", "m", 90, nil)) }

func backwards(p *probe) { p.wrongQueries(9, 0, "", p.sum("q", "m", 60, nil)) }

package cloudwatch

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/layerd/layerd/internal/health"
)

const (
	seriesAtOnce = 500 // in one GetMetricData
	addedUp      = "Sum"
	// mostPages ends what would go on for ever under ever new markers: a day in
	// minutes of 500 series is eight pages.
	mostPages = 1000
)

// Sums adds up each series over a span of whole minutes. One that CloudWatch
// does not call complete at the end is Partial.
func (c *Client) Sums(ctx context.Context, series []health.Series, from, to time.Time) ([]health.Sum, error) {
	list := make([]health.Measure, len(series))
	for i, s := range series {
		list[i] = health.Measure{Series: s, Statistic: addedUp}
	}
	return c.Measure(ctx, list, from, to, time.Minute)
}

// Measure is Sums for other statistics too, with points of a given length in whole
// minutes, of which from and to are multiples. The results are in the order of the
// list. Long points are few: a page has room for 201 of each of 500 series.
func (c *Client) Measure(ctx context.Context, list []health.Measure, from, to time.Time, point time.Duration) ([]health.Sum, error) {
	if _, err := c.checked(ctx); err != nil {
		return nil, err
	}
	var sums []health.Sum
	for chunk := range slices.Chunk(list, seriesAtOnce) {
		part, err := c.measure(ctx, chunk, from, to, point)
		if err != nil {
			return nil, err
		}
		sums = append(sums, part...)
	}
	return sums, nil
}

func (c *Client) measure(ctx context.Context, list []health.Measure, from, to time.Time, point time.Duration) ([]health.Sum, error) {
	in := &cloudwatch.GetMetricDataInput{StartTime: &from, EndTime: &to, ScanBy: types.ScanByTimestampAscending}
	all := make([]gathered, len(list))
	for i, m := range list {
		all[i].sum.Series, all[i].highest = m.Series, m.Statistic != addedUp
		in.MetricDataQueries = append(in.MetricDataQueries, query(i, m, point))
	}
	err := sweep(ctx, "GetMetricData", func(ctx context.Context, token *string) (*string, error) {
		in.NextToken = token
		out, err := c.metrics.GetMetricData(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, r := range out.MetricDataResults {
			if i, ok := index(aws.ToString(r.Id)); ok && i < len(all) {
				all[i].add(r)
			}
		}
		return out.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	sums := make([]health.Sum, len(all))
	for i, g := range all {
		sums[i] = g.done()
	}
	return sums, nil
}

// query asks for one series. An id must begin with a small letter.
func query(i int, m health.Measure, point time.Duration) types.MetricDataQuery {
	// Dimensions must match exactly: a series without one is another series.
	dimensions := []types.Dimension{{Name: aws.String("FunctionName"), Value: aws.String(m.Function)}}
	if m.Qualifier != "" {
		dimensions = append(dimensions, types.Dimension{Name: aws.String("Resource"), Value: aws.String(m.Function + ":" + m.Qualifier)})
	}
	if m.Executed != "" {
		dimensions = append(dimensions, types.Dimension{Name: aws.String("ExecutedVersion"), Value: aws.String(m.Executed)})
	}
	return types.MetricDataQuery{
		Id: aws.String("s" + strconv.Itoa(i)),
		MetricStat: &types.MetricStat{
			Metric: &types.Metric{Namespace: aws.String("AWS/Lambda"), MetricName: aws.String(m.Metric), Dimensions: dimensions},
			Period: aws.Int32(int32(point / time.Second)), Stat: aws.String(m.Statistic),
		},
	}
}

func index(id string) (int, bool) {
	if id == "" {
		return 0, false
	}
	i, err := strconv.Atoi(id[1:])
	return i, err == nil && i >= 0
}

// gathered is one series while its pages come in.
type gathered struct {
	sum     health.Sum
	highest bool // its points do not add up
	points  int
	status  types.StatusCode // of the last page that had it
	failed  bool             // one page said that there is an error
}

// add takes one page. PartialData there may mean that the next one goes on.
func (g *gathered) add(r types.MetricDataResult) {
	for _, v := range r.Values {
		if g.highest {
			g.sum.Value = max(g.sum.Value, v)
		} else {
			g.sum.Value += v
		}
	}
	g.points += len(r.Values)
	g.status = r.StatusCode
	g.failed = g.failed || r.StatusCode != types.StatusCodeComplete && r.StatusCode != types.StatusCodePartialData
}

func (g *gathered) done() health.Sum {
	g.sum.Partial = g.failed || g.status != types.StatusCodeComplete
	g.sum.Known = g.points > 0 && !g.sum.Partial
	return g.sum
}

// sweep asks for page after page: see awscall.Sorter.
func sweep(ctx context.Context, op string, page func(context.Context, *string) (*string, error)) error {
	return sorter.Sweep(ctx, op, "", mostPages, page)
}

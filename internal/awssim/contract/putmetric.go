package contract

import (
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// data puts values into a series of the fact, a minute each, from noon on.
func (p *probe) data(dims []types.Dimension, values ...float64) *cloudwatch.PutMetricDataInput {
	in := &cloudwatch.PutMetricDataInput{Namespace: aws.String("Contract/" + p.prefix)}
	for i, v := range values {
		in.MetricData = append(in.MetricData, types.MetricDatum{MetricName: aws.String("m"), Dimensions: dims, Value: &v,
			Timestamp: aws.Time(noon().Add(time.Duration(i) * time.Minute)), Unit: types.StandardUnitCount})
	}
	return in
}

func putMetric(p *probe) {
	dims := []types.Dimension{{Name: aws.String("Environment"), Value: aws.String("prod")}, {Name: aws.String("Layer"), Value: aws.String("common")}}
	_, err := p.cloudwatch.PutMetricData(p.ctx, p.data(dims, 3, 0, 5))
	p.must(err)
	both, one := map[string]string{"Layer": "common", "Environment": "prod"}, map[string]string{"Layer": "common"}
	got := p.points(0, 9, nil, p.sum("q", "m", 60, both), p.sum("other", "m", 60, one))
	p.equal(got, "q", 5, 0, 3)
	p.equal(got, "other")
}

// putTwice is why alarms that layerd's figures are for look at the Maximum.
func putTwice(p *probe) {
	for range 2 {
		_, err := p.cloudwatch.PutMetricData(p.ctx, p.data(nil, 3))
		p.must(err)
	}
	highest := p.sum("highest", "m", 300, nil)
	highest.MetricStat.Stat = aws.String("Maximum")
	got := p.points(0, 5, nil, p.sum("sum", "m", 300, nil), highest)
	p.equal(got, "sum", 6)
	p.equal(got, "highest", 3)
}

func putNaN(p *probe) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := p.cloudwatch.PutMetricData(p.ctx, p.data(nil, 1, v))
		p.refused(err, 400, "InvalidParameterValue", "")
	}
	p.equal(p.points(0, 9, nil, p.sum("q", "m", 60, nil)), "q")
}

func putReserved(p *probe) {
	in := p.data(nil, 1)
	in.Namespace = aws.String("AWS/Lambda")
	_, err := p.cloudwatch.PutMetricData(p.ctx, in)
	p.refused(err, 400, "InvalidParameterValue", "")
}

func putMany(p *probe) {
	in := p.data(nil, 1)
	in.MetricData = slices.Repeat(in.MetricData, 1001)
	_, err := p.cloudwatch.PutMetricData(p.ctx, in)
	p.refused(err, 400, wrongInput, "")
}

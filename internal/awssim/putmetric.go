package awssim

import (
	"math"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// What one PutMetricData takes.
const (
	maxData       = 1000
	maxValues     = 150
	maxDimensions = 30
	oldestDatum   = 14 * 24 * time.Hour
	newestDatum   = 2 * time.Hour
)

// putMetricData takes all of a request or nothing. What is put shows
// Options.MetricLag later, by which time its minute may have long been over.
func (c *call) putMetricData(in *cloudwatch.PutMetricDataInput) (any, *apiError) {
	switch {
	case len(in.EntityMetricData) > 0 || in.StrictEntityValidation != nil:
		return nil, unsupported("metrics of entities")
	case str(in.Namespace) == "" || len(in.MetricData) == 0:
		return nil, refuse(400, "MissingParameter", "The request must contain Namespace and MetricData.")
	case strings.HasPrefix(*in.Namespace, "AWS/"):
		return nil, wrongValue("The value AWS/ for parameter Namespace is invalid.")
	case len(in.MetricData) > maxData:
		return nil, wrongInput("The collection MetricData must not have a size greater than %d.", maxData)
	}
	var put []func()
	for i, d := range in.MetricData {
		dims, e := c.checkDatum(i+1, d)
		if e != nil {
			return nil, e
		}
		k, s := seriesKey(*in.Namespace, *d.MetricName, dims), c.sampleOf(d)
		put = append(put, func() { c.store.metrics[k] = append(c.store.metrics[k], s...) })
	}
	for _, do := range put {
		do()
	}
	return &cloudwatch.PutMetricDataOutput{}, nil
}

// wrongValue is how PutMetricData refuses a value that it looks at itself.
func wrongValue(format string, args ...any) *apiError {
	return refuse(400, "InvalidParameterValue", format, args...)
}

func (c *call) checkDatum(n int, d types.MetricDatum) (map[string]string, *apiError) {
	switch {
	case str(d.MetricName) == "":
		return nil, refuse(400, "MissingParameter", "The parameter MetricData.member.%d.MetricName is required.", n)
	case len(d.Dimensions) > maxDimensions:
		return nil, wrongInput("The collection MetricData.member.%d.Dimensions must not have a size greater than %d.", n, maxDimensions)
	case d.StatisticValues != nil || d.StorageResolution != nil:
		return nil, unsupported("the members StatisticValues and StorageResolution")
	case (d.Value == nil) == (len(d.Values) == 0):
		return nil, refuse(400, "InvalidParameterCombination", "The parameters MetricData.member.%d.Value and MetricData.member.%d.Values are mutually exclusive and you have specified both or none.", n, n)
	case len(d.Values) > maxValues || len(d.Counts) > 0 && len(d.Counts) != len(d.Values):
		return nil, wrongValue("The parameters MetricData.member.%d.Values and Counts must have the same size, of at most %d.", n, maxValues)
	}
	values := d.Values
	if d.Value != nil {
		values = []float64{*d.Value}
	}
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) > math.Pow(2, 360) {
			return nil, wrongValue("The value %v for parameter MetricData.member.%d.Value is invalid.", v, n)
		}
	}
	if d.Timestamp != nil && (c.now.Sub(*d.Timestamp) > oldestDatum || d.Timestamp.Sub(c.now) > newestDatum) {
		return nil, wrongValue("The parameter MetricData.member.%d.Timestamp must specify a time within the past two weeks.", n)
	}
	dims := map[string]string{}
	for _, dim := range d.Dimensions {
		if str(dim.Name) == "" || str(dim.Value) == "" {
			return nil, wrongValue("The parameter MetricData.member.%d.Dimensions has an empty name or value.", n)
		}
		dims[*dim.Name] = *dim.Value
	}
	return dims, nil
}

func (c *call) sampleOf(d types.MetricDatum) (list []sample) {
	at := c.now
	if d.Timestamp != nil {
		at = *d.Timestamp
	}
	visible := c.now.Add(c.w.opts.MetricLag)
	if d.Value != nil {
		return []sample{{at, visible, *d.Value, *d.Value, *d.Value, 1}}
	}
	for i, v := range d.Values {
		count := 1.0
		if len(d.Counts) > 0 {
			count = d.Counts[i]
		}
		list = append(list, sample{at, visible, v * count, v, v, count})
	}
	return list
}

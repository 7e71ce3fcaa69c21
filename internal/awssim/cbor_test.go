package awssim

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// What is written can be read back, whatever is in it.
func TestCBORRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.Ptr(rapid.StringN(0, 8, -1), true)
		in := cloudwatch.GetMetricDataInput{
			StartTime:     new(time.UnixMilli(rapid.Int64Range(-1e12, 4e12).Draw(t, "start")).UTC()),
			MaxDatapoints: rapid.Ptr(rapid.Int32(), true).Draw(t, "max"),
			NextToken:     text.Draw(t, "token"),
			ScanBy:        rapid.SampledFrom([]types.ScanBy{"", types.ScanByTimestampAscending}).Draw(t, "scan"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "queries") {
			in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{
				Id: text.Draw(t, "id"), ReturnData: rapid.Ptr(rapid.Bool(), true).Draw(t, "data"),
				MetricStat: &types.MetricStat{Stat: text.Draw(t, "stat")}})
		}
		var got cloudwatch.GetMetricDataInput
		if err := fromCBOR(toCBOR(&in), &got); err != nil {
			t.Fatal(err)
		}
		// EquateApproxTime: times are floating-point seconds on the wire.
		opts := cmp.Options{cmpopts.IgnoreUnexported(cloudwatch.GetMetricDataInput{}, types.MetricDataQuery{}, types.MetricStat{}),
			cmpopts.EquateApproxTime(time.Millisecond)}
		if d := cmp.Diff(got, in, opts); d != "" {
			t.Errorf("(-got +want)\n%s", d)
		}
	})
}

func TestCBORThatDoesNotFit(t *testing.T) {
	for name, v := range map[string]any{
		"a string for a number": struct{ MaxDatapoints string }{"x"},
		"a number for a string": struct{ NextToken int64 }{1},
		"a number for a list":   struct{ MetricDataQueries int64 }{1},
		"a string for a time":   struct{ StartTime string }{"now"},
		"a number too large":    struct{ MaxDatapoints int64 }{1 << 40},
		"a string in a list":    struct{ MetricDataQueries []string }{[]string{"x"}},
	} {
		if err := fromCBOR(toCBOR(v), new(cloudwatch.GetMetricDataInput)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := fromCBOR(toCBOR(struct{ Unknown []string }{[]string{"x"}}), new(cloudwatch.GetMetricDataInput)); err != nil {
		t.Errorf("an unknown member: %v", err)
	}
}

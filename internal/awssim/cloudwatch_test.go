package awssim_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/layerd/layerd/internal/awssim"
)

// lambdaSum asks for one of Lambda's own series over the last hour, this
// minute included.
func lambdaSum(t *testing.T, w *awssim.World, metric string, dims map[string]string) types.MetricDataResult {
	t.Helper()
	m := &types.Metric{Namespace: aws.String("AWS/Lambda"), MetricName: &metric}
	for _, k := range slices.Sorted(maps.Keys(dims)) {
		m.Dimensions = append(m.Dimensions, types.Dimension{Name: &k, Value: aws.String(dims[k])})
	}
	now := time.Now()
	out, err := cloudwatch.NewFromConfig(config(w)).GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(now.Add(-time.Hour)), EndTime: aws.Time(now.Add(time.Minute)),
		MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("q"),
			MetricStat: &types.MetricStat{Metric: m, Period: aws.Int32(3600), Stat: aws.String("Sum")}}}})
	must(t, err)
	return out.MetricDataResults[0]
}

// total is the sum of all points; -1: there are none.
func total(r types.MetricDataResult) float64 {
	if len(r.Values) == 0 {
		return -1
	}
	sum := 0.0
	for _, v := range r.Values {
		sum += v
	}
	return sum
}

func TestMetricsShowAMinuteLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{})
		w.PutTraffic(awssim.Traffic{Function: "f", Invocations: 3})
		time.Sleep(time.Minute - 1) // virtual
		if got := total(lambdaSum(t, w, "Invocations", nil)); got != -1 {
			t.Errorf("%v after less than a minute, want no point", got)
		}
		time.Sleep(time.Nanosecond)
		if got := total(lambdaSum(t, w, "Invocations", nil)); got != 3 {
			t.Errorf("%v after a minute, want 3", got)
		}
	})
}

func TestTrafficCountsUnderEverySetOfDimensions(t *testing.T) {
	w := awssim.New(awssim.Options{MetricLag: -1})
	w.PutTraffic(awssim.Traffic{Function: "f", Qualifier: "live", Version: "3", Invocations: 10, Errors: 2, Throttles: 1})
	w.PutTraffic(awssim.Traffic{Function: "f", Qualifier: "live", Version: "4", Invocations: 1})
	w.PutTraffic(awssim.Traffic{Function: "f", Qualifier: "4", Version: "4", Invocations: 100})
	w.PutTraffic(awssim.Traffic{Function: "f", Invocations: 1000})
	f := map[string]string{"FunctionName": "f"}
	with := func(kv ...string) map[string]string {
		d := maps.Clone(f)
		for i := 0; i < len(kv); i += 2 {
			d[kv[i]] = kv[i+1]
		}
		return d
	}
	for _, tc := range []struct {
		dims                           map[string]string
		invocations, errors, throttles float64
	}{
		{nil, 1111, 2, 1},
		{f, 1111, 2, 1},
		{with("Resource", "f:live"), 11, 2, 1},
		{with("Resource", "f:live", "ExecutedVersion", "3"), 10, 2, 1},
		{with("Resource", "f:live", "ExecutedVersion", "4"), 1, 0, 0},
		{with("Resource", "f:4"), 100, 0, 0},
		{with("Resource", "f:4", "ExecutedVersion", "4"), -1, -1, -1},
		{with("ExecutedVersion", "4"), -1, -1, -1},
		{with("Resource", "f"), -1, -1, -1},
	} {
		for metric, want := range map[string]float64{"Invocations": tc.invocations, "Errors": tc.errors, "Throttles": tc.throttles} {
			if got := total(lambdaSum(t, w, metric, tc.dims)); got != want {
				t.Errorf("%s of %v is %v, want %v", metric, tc.dims, got, want)
			}
		}
	}
}

func TestAQueryIsAnsweredAsScripted(t *testing.T) {
	w := awssim.New(awssim.Options{MetricLag: -1})
	for i := range 3 {
		w.PutMetric(awssim.Metric{Name: "Errors", Time: time.Now().Add(-time.Duration(i) * time.Hour), Value: 1})
	}
	for status, want := range map[string]int{"": 2, "Complete": 2, "PartialData": 1, "InternalError": 0, "Forbidden": 0} {
		w.OnQuery(func(q awssim.Query) string {
			if q.Name != "Errors" || q.Namespace != "AWS/Lambda" || q.Account != "123456789012" {
				t.Errorf("asked about %+v", q)
			}
			return status
		})
		r := lambdaSum(t, w, "Errors", nil)
		if status == "" {
			status = "Complete"
		}
		// The hour that began up to an hour ago may hold one point or two.
		if string(r.StatusCode) != status || len(r.Values) > want || want > 0 && len(r.Values) < want-1 {
			t.Errorf("%s: %s with %d points", status, r.StatusCode, len(r.Values))
		}
	}
}

func TestNineDescribeAlarmsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cloudwatch.NewFromConfig(config(awssim.New(awssim.Options{})))
		if n := answered(t, 20, "Throttling", func() error { _, err := c.DescribeAlarms(t.Context(), nil); return err }); n != 9 {
			t.Errorf("%d, want 9", n)
		}
	})
}

func TestAnAlarmChangesStateAndGoes(t *testing.T) {
	w := awssim.New(awssim.Options{})
	c := cloudwatch.NewFromConfig(config(w))
	get := func() []types.MetricAlarm {
		out, err := c.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{StateValue: types.StateValueAlarm})
		must(t, err)
		return out.MetricAlarms
	}
	w.PutAlarm(awssim.Alarm{Name: "a"})
	if got := get(); len(got) != 0 {
		t.Errorf("%d in ALARM, want none", len(got))
	}
	w.PutAlarm(awssim.Alarm{Name: "a", State: "ALARM", Reason: "3 errors"})
	if got := get(); len(got) != 1 || *got[0].StateReason != "3 errors" || *got[0].AlarmArn != "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a" {
		t.Errorf("got %+v", got)
	}
	w.DropAlarm("a")
	if got := get(); len(got) != 0 {
		t.Errorf("%d after it is gone", len(got))
	}
}

// CloudWatch answers with the codes of the query protocol it once spoke, and
// the call is in the log as any other.
func TestCloudWatchRefusesInItsOwnWords(t *testing.T) {
	w := awssim.New(awssim.Options{})
	c := cloudwatch.NewFromConfig(config(w))
	w.OnCall(awssim.Denied)
	_, err := c.DescribeAlarms(t.Context(), nil)
	code(t, err, "AccessDenied")
	w.OnCall(func(awssim.Call) awssim.Fault { return awssim.ServerError() })
	_, err = c.DescribeAlarms(t.Context(), nil)
	code(t, err, "ServiceException")
	if log := w.Calls()[0]; log.Service != "cloudwatch" || log.Operation != "DescribeAlarms" || log.Write || log.Status != 403 {
		t.Errorf("log has %+v", log)
	}
	w.OnCall(nil)
	_, err = c.ListMetrics(t.Context(), nil)
	code(t, err, "NotImplementedException")
	resp, body := raw(t, w, "POST", "/service/GraniteServiceVersion20100801/operation/DescribeAlarms", "{", "Smithy-Protocol", "rpc-v2-cbor",
		"Authorization", "AWS4-HMAC-SHA256 Credential=AKIDTEST/20261124/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0")
	if resp.StatusCode != 400 || !strings.Contains(body, "SerializationException") {
		t.Errorf("a body that is no CBOR: %s %q", resp.Status, body)
	}
}

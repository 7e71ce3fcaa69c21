package awssim_test

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/layerd/layerd/internal/awssim"
)

// TestMissingData is the table in CloudWatch's guide of what an alarm makes of five
// periods, the newest last: 0 is well, X is not, - has no data.
func TestMissingData(t *testing.T) {
	const retain = "RETAIN"
	for _, tt := range []struct {
		periods                    string
		breaching                  int // of 3
		missing, ignore, bad, good string
	}{
		{"0 - X - X", 3, "OK", "OK", "OK", "OK"},
		{"0 - - - -", 3, "OK", "OK", "OK", "OK"},
		{"- - - - -", 3, "INSUFFICIENT_DATA", retain, "ALARM", "OK"},
		{"0 X X - X", 3, "ALARM", "ALARM", "ALARM", "ALARM"},
		{"- - X - -", 3, "ALARM", retain, "ALARM", "OK"},
		{"0 - X - X", 2, "ALARM", "ALARM", "ALARM", "ALARM"},
		{"0 0 X 0 X", 2, "ALARM", "ALARM", "ALARM", "ALARM"},
		{"0 - X - -", 2, "OK", "OK", "ALARM", "OK"},
		{"- - - - 0", 2, "OK", "OK", "ALARM", "OK"},
		{"- - - X -", 2, "ALARM", retain, "ALARM", "OK"},
	} {
		for treat, want := range map[string]string{"missing": tt.missing, "": tt.missing, "ignore": tt.ignore, "breaching": tt.bad, "notBreaching": tt.good} {
			for _, before := range []string{"OK", "ALARM"} {
				synctest.Test(t, func(t *testing.T) {
					w := awssim.New(awssim.Options{Region: "us-east-1"})
					w.PutAlarm(awssim.Alarm{Name: "a", State: before, Rule: &awssim.AlarmRule{Namespace: "n", Metric: "m", Statistic: "Maximum", Period: time.Minute,
						Evaluated: 3, Breaching: tt.breaching, Threshold: 1, Comparison: "GreaterThanThreshold", Missing: treat}})
					now := time.Now().Truncate(time.Minute)
					for i, p := range strings.Fields(tt.periods) {
						if p != "-" {
							w.PutMetric(awssim.Metric{Namespace: "n", Name: "m", Time: now.Add(time.Duration(i-5) * time.Minute), Value: map[string]float64{"0": 0, "X": 2}[p]})
						}
					}
					want := want
					if want == retain {
						want = before
					}
					if got := alarmOf(t, w, "a"); got != want {
						t.Errorf("%s, %d of 3, missing data is %q, was %s: %s, want %s", tt.periods, tt.breaching, treat, before, got, want)
					}
				})
			}
		}
	}
}

func alarmOf(t *testing.T, w *awssim.World, name string) string {
	t.Helper()
	out, err := cloudwatch.NewFromConfig(config(w)).DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}})
	must(t, err)
	if len(out.MetricAlarms) != 1 {
		t.Fatalf("%d alarms are called %s", len(out.MetricAlarms), name)
	}
	return string(out.MetricAlarms[0].StateValue)
}

// TestAnAlarmLooksAtOneSeries: dimensions match exactly, and no star stands for anything.
func TestAnAlarmLooksAtOneSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Region: "us-east-1"})
		rule := func(name string, dims map[string]string) {
			w.PutAlarm(awssim.Alarm{Name: name, Rule: &awssim.AlarmRule{Namespace: "n", Metric: "m", Dimensions: dims, Statistic: "Sum", Period: 5 * time.Minute,
				Evaluated: 1, Threshold: 10, Comparison: "GreaterThanThreshold"}})
		}
		rule("exact", map[string]string{"A": "1", "B": "2"})
		rule("fewer", map[string]string{"A": "1"})
		rule("none", nil)
		rule("star", map[string]string{"A": "*", "B": "*"})
		for range 2 {
			_, err := cloudwatch.NewFromConfig(config(w)).PutMetricData(t.Context(), figures(datum(6, "A", "1", "B", "2")))
			must(t, err)
		}
		for minute := range 6 {
			want := "INSUFFICIENT_DATA" // the period is under way
			if minute == 5 {
				want = "ALARM"
			}
			for _, name := range []string{"exact", "fewer", "none", "star"} {
				if name != "exact" {
					want = "INSUFFICIENT_DATA"
				}
				if got := alarmOf(t, w, name); got != want {
					t.Errorf("after %d minutes: %s is %s, want %s", minute, name, got, want)
				}
			}
			time.Sleep(time.Minute)
		}
	})
}

func datum(v float64, dims ...string) types.MetricDatum {
	d := types.MetricDatum{MetricName: aws.String("m"), Value: &v}
	for i := 0; i < len(dims); i += 2 {
		d.Dimensions = append(d.Dimensions, types.Dimension{Name: &dims[i], Value: &dims[i+1]})
	}
	return d
}

func figures(data ...types.MetricDatum) *cloudwatch.PutMetricDataInput {
	return &cloudwatch.PutMetricDataInput{Namespace: aws.String("n"), MetricData: data}
}

// TestPutMetricDataTakesAllOrNothing: one value that is none, and nothing is there.
func TestPutMetricDataTakesAllOrNothing(t *testing.T) {
	w := awssim.New(awssim.Options{Region: "us-east-1"})
	c := cloudwatch.NewFromConfig(config(w))
	old, coming := datum(1), datum(1)
	old.Timestamp, coming.Timestamp = aws.Time(time.Now().AddDate(0, 0, -15)), aws.Time(time.Now().Add(3*time.Hour))
	both := datum(1)
	both.Values = []float64{1}
	for _, bad := range []types.MetricDatum{datum(math.NaN()), datum(math.Inf(1)), old, coming, both, datum(1, "A", ""), {MetricName: aws.String("m")}} {
		if _, err := c.PutMetricData(t.Context(), figures(datum(1), bad)); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	out, err := c.GetMetricData(context.Background(), &cloudwatch.GetMetricDataInput{StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now().Add(time.Hour)),
		MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("q"), MetricStat: &types.MetricStat{Stat: aws.String("Sum"), Period: aws.Int32(60),
			Metric: &types.Metric{Namespace: aws.String("n"), MetricName: aws.String("m")}}}}})
	must(t, err)
	if v := out.MetricDataResults[0].Values; len(v) > 0 {
		t.Errorf("%v is there", v)
	}
}

// TestPutMetricDataInflates: the SDK compresses what is large, and the largest request
// there may be is taken.
func TestPutMetricDataInflates(t *testing.T) {
	w := awssim.New(awssim.Options{Region: "us-east-1"})
	cfg := config(w)
	cfg.RequestMinCompressSizeBytes = 1000
	encodings := map[string]int{}
	cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		encodings[r.Header.Get("Content-Encoding")]++
		return w.Transport().RoundTrip(r)
	})}
	c := cloudwatch.NewFromConfig(cfg)
	var many []types.MetricDatum
	for range 1000 {
		many = append(many, datum(1, "Environment", "prod", "Layer", "common"))
	}
	_, err := c.PutMetricData(t.Context(), figures(many...))
	must(t, err)
	_, err = c.PutMetricData(t.Context(), figures(many[:1]...))
	must(t, err)
	if encodings["gzip"] != 1 || encodings[""] != 1 {
		t.Errorf("encodings are %v", encodings)
	}
	if _, err = c.PutMetricData(t.Context(), figures(append(many, many[0])...)); err == nil {
		t.Error("1001 are taken")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

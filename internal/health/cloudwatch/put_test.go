package cloudwatch

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/layerd/layerd/internal/health"
)

// TestPutFigures: what is put is what a person finds under the dimensions that
// deploy/cloudwatch/alarms.yaml names, and under no others.
func TestPutFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		now := time.Now()
		period := health.LastPeriod(now)
		figures := health.Figures("prod", []health.Carried{{Layer: "common", Functions: []string{"f"}, Size: 5000}},
			[]health.Sum{{Series: health.Series{Function: "f"}, Value: 3, Known: true}}, 7, period, now)
		if err := w.client(t).PutFigures(t.Context(), health.FiguresNamespace, figures); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		for _, tt := range []struct {
			metric string
			dims   []string
			from   time.Time
			want   []float64
		}{
			{"LayerErrors", []string{"Environment", "prod", "Layer", "common"}, period.From, []float64{3}},
			{"LayerErrors", []string{"Layer", "common"}, period.From, nil},
			{"LayerErrors", []string{"Environment", "prod", "Layer", "common"}, period.To, nil},
			{"LayerSize", []string{"Layer", "common"}, now.Truncate(time.Minute), []float64{5000}},
			{"LayerSize", nil, now.Truncate(time.Minute), nil},
			{"Rounds", []string{"Environment", "prod"}, now.Truncate(time.Minute), []float64{7}},
		} {
			if diff := cmp.Diff(tt.want, w.values(t, tt.metric, tt.from, tt.dims...)); diff != "" {
				t.Errorf("%s%v at %v:\n%s", tt.metric, tt.dims, tt.from, diff)
			}
		}
	})
}

// values reads one period of a series of layerd.
func (w *wire) values(t *testing.T, metric string, from time.Time, dims ...string) []float64 {
	t.Helper()
	m := &types.Metric{Namespace: aws.String("layerd"), MetricName: &metric}
	for i := 0; i < len(dims); i += 2 {
		m.Dimensions = append(m.Dimensions, types.Dimension{Name: &dims[i], Value: &dims[i+1]})
	}
	out, err := w.client(t).metrics.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: &from, EndTime: aws.Time(from.Add(health.FiguresPeriod)),
		MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("q"), MetricStat: &types.MetricStat{Metric: m, Period: aws.Int32(60), Stat: aws.String("Maximum")}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if v := out.MetricDataResults[0].Values; len(v) > 0 {
		return v
	}
	return nil
}

// TestManyFigures: a thousand at once, compressed, and no request where there is nothing.
func TestManyFigures(t *testing.T) {
	w := newWire()
	encodings := map[string]int{}
	c := w.client(t, func(o *Options) {
		o.HTTPClient = &http.Client{Transport: seenBy(func(r *http.Request) (*http.Response, error) {
			encodings[r.Header.Get("Content-Encoding")]++
			return w.RoundTrip(r)
		})}
	})
	var figures []health.Figure
	for i := range 2500 {
		figures = append(figures, health.Figure{Name: health.LayerErrors, Environment: "prod", Layer: fmt.Sprint("l", i), At: time.Now(), Value: 1})
	}
	for n, calls := range map[int]int{0: 0, 1: 1, 1000: 1, 1001: 2, 2500: 3} {
		before := w.world.Count("PutMetricData")
		if err := c.PutFigures(t.Context(), "layerd", figures[:n]); err != nil {
			t.Fatal(err)
		}
		if got := w.world.Count("PutMetricData") - before; got != calls {
			t.Errorf("%d figures: %d calls, want %d", n, got, calls)
		}
	}
	if encodings["gzip"] != 5 {
		t.Errorf("encodings are %v", encodings)
	}
	for _, call := range w.world.Calls() {
		if in, ok := call.Input.(*cloudwatch.PutMetricDataInput); ok && len(in.MetricData) > 1000 {
			t.Errorf("%d at once", len(in.MetricData))
		}
	}
}

type seenBy func(*http.Request) (*http.Response, error)

func (f seenBy) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

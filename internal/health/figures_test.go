package health

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

var periodNow = time.Date(2026, 11, 30, 12, 9, 59, 0, time.UTC)

func TestFigures(t *testing.T) {
	period := LastPeriod(periodNow)
	sum := func(f string, v float64) Sum {
		return Sum{Series: Series{Function: f, Metric: "Errors"}, Value: v, Known: true}
	}
	silent := func(f string) Sum { return Sum{Series: Series{Function: f, Metric: "Errors"}} }
	partial := func(f string) Sum { s := sum(f, 3); s.Known, s.Partial = false, true; return s }
	errs := func(v float64) Figure {
		return Figure{Name: "LayerErrors", Environment: "prod", Layer: "common", At: period.From, Value: v}
	}
	size := Figure{Name: "LayerSize", Layer: "common", At: periodNow, Value: 1000, Bytes: true}
	for name, tt := range map[string]struct {
		functions []string
		size      int64
		sums      []Sum
		want      []Figure
	}{
		"errors of all":         {functions: []string{"a", "b"}, size: 1000, sums: []Sum{sum("a", 2), sum("b", 3), sum("c", 9)}, want: []Figure{errs(5), size}},
		"no errors are none":    {functions: []string{"a"}, sums: []Sum{sum("a", 0)}, want: []Figure{errs(0)}},
		"one was not called":    {functions: []string{"a", "b"}, sums: []Sum{sum("a", 2), silent("b")}, want: []Figure{errs(2)}},
		"nobody was called":     {functions: []string{"a", "b"}, size: 1000, sums: []Sum{silent("a"), silent("b")}, want: []Figure{size}},
		"one came in part":      {functions: []string{"a", "b"}, sums: []Sum{sum("a", 2), partial("b")}},
		"one was not asked for": {functions: []string{"a", "b"}, sums: []Sum{sum("a", 2)}},
		"metrics are unread":    {functions: []string{"a"}, size: 1000, want: []Figure{size}},
		"nobody carries it":     {size: 1000, sums: []Sum{sum("a", 2)}, want: []Figure{size}},
		"nothing is known":      {},
	} {
		got := Figures("prod", []Carried{{"common", tt.functions, tt.size}}, tt.sums, 4, period, periodNow)
		want := append([]Figure{{Name: "Rounds", Environment: "prod", At: periodNow, Value: 4}}, tt.want...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestLastPeriod: periods follow each other without gaps, none is put before its data may
// have come, and the place of the clock has no say.
func TestLastPeriod(t *testing.T) {
	zones := []*time.Location{time.UTC, time.FixedZone("", 5*3600+45*60), time.FixedZone("", -3*3600-30*60)}
	before := LastPeriod(periodNow.Add(-time.Second))
	for i := range 3 * 24 * 60 * 6 {
		now := periodNow.Add(time.Duration(i) * 10 * time.Second)
		p := LastPeriod(now.In(zones[i%3]))
		if age := now.Sub(p.To); age < MetricDelay || age >= MetricDelay+FiguresPeriod || p.length() != FiguresPeriod || p.From.Minute()%5 != 0 || p.From.Second() != 0 {
			t.Fatalf("at %v: %v", now, p)
		}
		if p != before && !p.From.Equal(before.To) {
			t.Fatalf("at %v: %v after %v", now, p, before)
		}
		before = p
	}
}

// TestCarriedBy: whoever is selected and has the layer, in any version.
func TestCarriedBy(t *testing.T) {
	layer := func(name string, n int) state.LayerVersionARN {
		return state.LayerVersionARN(fmt.Sprintf("arn:aws:lambda:ap-northeast-1:123456789012:layer:%s:%d", name, n))
	}
	wish := func(name, functions string) desired.LayerWish {
		l, _, _ := layer(name+"-prod", 1).Split()
		return desired.LayerWish{Name: name, Layer: l, Functions: []desired.Selector{{Name: functions}}}
	}
	env := desired.Environment{Name: "prod", Layers: []desired.LayerWish{wish("common", "makoto-*"), wish("other", "*")}}
	functions := []state.Function{
		{Name: "makoto-b", Layers: state.Layers{layer("vendor", 1), layer("common-prod", 3)}},
		{Name: "makoto-a", Layers: state.Layers{layer("common-prod", 4), layer("other-prod", 1)}},
		{Name: "makoto-without"},
		{Name: "makoto-longer", Layers: state.Layers{layer("common-prod-2", 4)}},
		{Name: "stranger", Layers: state.Layers{layer("common-prod", 4)}},
	}
	got := CarriedBy(env, functions)
	want := []Carried{{Layer: "common", Functions: []string{"makoto-a", "makoto-b"}}, {Layer: "other", Functions: []string{"makoto-a"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	series := ErrorSeries(got)
	if want := []Series{{Function: "makoto-a", Metric: "Errors"}, {Function: "makoto-b", Metric: "Errors"}}; !slices.Equal(series, want) {
		t.Errorf("series are %v", series)
	}
}

// TestFiguresLaws over generated worlds: nothing unknown is put, nothing known is left
// out, no series is put twice, and the order of what is read changes nothing.
func TestFiguresLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 5)) //nolint:gosec // a test's world
	for range 3000 {
		layers, sums := figuresWorld(r)
		now := periodNow.Add(time.Duration(r.IntN(1e6)) * time.Second)
		got := Figures("prod", layers, sums, r.IntN(3), LastPeriod(now), now)
		seen := map[string]Figure{}
		for _, f := range got {
			key := f.Name + "/" + f.Environment + "/" + f.Layer
			if _, twice := seen[key]; twice {
				t.Fatalf("%s is put twice", key)
			}
			seen[key] = f
			if f.At.After(now) || now.Sub(f.At) > 2*FiguresPeriod+MetricDelay {
				t.Fatalf("%s stands at %v, now %v", key, f.At, now)
			}
		}
		for _, c := range layers {
			total, known, partial := 0.0, false, false
			for _, s := range sums {
				if slices.Contains(c.Functions, s.Function) {
					total, known, partial = total+s.Value, known || s.Known, partial || s.Partial
				}
			}
			f, put := seen["LayerErrors/prod/"+c.Layer]
			if put != (known && !partial) || put && f.Value != total {
				t.Fatalf("%+v of %+v: put %v, %v", c, sums, put, f)
			}
			if f, put := seen["LayerSize//"+c.Layer]; put != (c.Size > 0) || put && f.Value != float64(c.Size) {
				t.Fatalf("%+v: put %v, %v", c, put, f)
			}
		}
		r.Shuffle(len(sums), func(i, j int) { sums[i], sums[j] = sums[j], sums[i] })
		again := Figures("prod", layers, sums, int(seen["Rounds/prod/"].Value), LastPeriod(now), now)
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatal(diff)
		}
	}
}

func figuresWorld(r *rand.Rand) (layers []Carried, sums []Sum) {
	for i := range r.IntN(4) {
		c := Carried{Layer: fmt.Sprint("l", i), Size: int64(r.IntN(2) * 4096)}
		for f := range 4 {
			if r.IntN(2) == 0 {
				c.Functions = append(c.Functions, fmt.Sprint("f", f))
			}
		}
		layers = append(layers, c)
	}
	for _, s := range ErrorSeries(layers) {
		sum := Sum{Series: s}
		switch r.IntN(6) {
		case 0:
			sum.Partial, sum.Value = true, float64(r.IntN(9))
		case 1: // never called
		default:
			sum.Known, sum.Value = true, float64(r.IntN(9))
		}
		sums = append(sums, sum)
	}
	return layers, sums
}

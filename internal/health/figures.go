package health

import (
	"context"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// What others make alarms of: deploy/cloudwatch/alarms.yaml names all of it, and so do
// alarms of people. Names, dimensions and the period stay.
const (
	// FiguresNamespace is also what the right to put them is bound to.
	FiguresNamespace = "layerd"
	// LayerErrors are calls that failed, of the functions of an environment that carry a
	// layer, in one period. Dimensions: Environment, Layer.
	LayerErrors = "LayerErrors"
	// LayerSize is how many bytes the version of a layer has unzipped that Git wants.
	// Dimension: Layer; each one costs, so that there is none for the version.
	LayerSize = "LayerSize"
	// Rounds is how many rounds of an environment ended without a failure since they were
	// last put. Dimension: Environment. Without calls LayerErrors is silent though all is
	// well: that layerd itself is silent shows here.
	Rounds = "Rounds"
	// FiguresPeriod is between two figures of a series, and what LayerErrors count.
	FiguresPeriod = 5 * time.Minute
)

// Figure is one value that is put.
type Figure struct {
	Name               string
	Environment, Layer string // its dimensions; empty = it has no such one
	At                 time.Time
	Value              float64
	Bytes              bool // its unit; else it is a count
}

// Sink is where figures are put. An error means that some may not be there.
type Sink interface {
	PutFigures(ctx context.Context, namespace string, figures []Figure) error
}

// Carried is one layer of an environment in one Region.
type Carried struct {
	Layer     string   // its name in Git
	Functions []string // that carry it, sorted
	Size      int64    // LayerSize; 0 = not known
}

// CarriedBy returns the layers of an environment, and which of the functions that it
// selects carry each, in whatever version.
func CarriedBy(env desired.Environment, functions []state.Function) []Carried {
	var list []Carried
	for _, w := range env.Layers {
		c := Carried{Layer: w.Name}
		for _, f := range functions {
			if f.Layers.Of(w.Layer) != "" && w.Selects(f) {
				c.Functions = append(c.Functions, f.Name)
			}
		}
		slices.Sort(c.Functions)
		list = append(list, c)
	}
	return list
}

// ErrorSeries returns what LayerErrors add up: each function once, whatever it carries,
// since CloudWatch takes money for each.
func ErrorSeries(layers []Carried) []Series {
	var names []string
	for _, c := range layers {
		names = append(names, c.Functions...)
	}
	slices.Sort(names)
	var list []Series
	for _, name := range slices.Compact(names) {
		list = append(list, Series{Function: name, Metric: failures})
	}
	return list
}

// LastPeriod returns the last period of which all data should have come. All daemons
// agree on its bounds.
func LastPeriod(now time.Time) Span {
	to := now.UTC().Add(-MetricDelay).Truncate(FiguresPeriod)
	return Span{to.Add(-FiguresPeriod), to}
}

// Figures returns what is known of an environment in one Region: errors of a period,
// sizes and rounds as of now. What is not known is not in it, so that nobody takes it for
// nothing:
//
//   - Errors of a layer of which no function was called, or of which one function's data
//     did not come in full: the rest of it would be too little.
//   - A size that is not known.
//
// Errors stand at the beginning of their period, one value for each, and values that are
// put twice are equal ones: who looks at the Maximum of a period counts nothing twice.
func Figures(environment string, layers []Carried, errors []Sum, rounds int, period Span, now time.Time) []Figure {
	list := []Figure{{Name: Rounds, Environment: environment, At: now, Value: float64(rounds)}}
	by := map[string]Sum{}
	for _, s := range errors {
		by[s.Function] = s
	}
	for _, c := range layers {
		if sum, known := errorsOf(c, by); known {
			list = append(list, Figure{Name: LayerErrors, Environment: environment, Layer: c.Layer, At: period.From, Value: sum})
		}
		if c.Size > 0 {
			list = append(list, Figure{Name: LayerSize, Layer: c.Layer, At: now, Value: float64(c.Size), Bytes: true})
		}
	}
	return list
}

// errorsOf adds up the errors of the functions that carry a layer.
func errorsOf(c Carried, by map[string]Sum) (sum float64, known bool) {
	for _, name := range c.Functions {
		s, asked := by[name]
		if !asked || s.Partial {
			return 0, false
		}
		sum, known = sum+s.Value, known || s.Known
	}
	return sum, known
}

package round

import (
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

// attribute names, in the changes of a plan that was just decided, who asked for each:
// the newest commit of the branch need not be the one.
func (p *Run) attribute(in *reconcile.Input, planned plan.Plan) {
	for i, r := range planned.Regions {
		if in.Regions[i].Have != nil {
			p.attributeSteps(in, i, r.Steps, nil)
		}
	}
}

// attributeSteps is attribute for steps of one Region. fresh is the function as it was
// read since, where the steps were decided anew; nil = as it was observed.
func (p *Run) attributeSteps(in *reconcile.Input, i int, steps []plan.Step, fresh *state.Function) {
	var who *askers
	asked := map[string]*desired.Asked{} // of functions that are to serve what they get
	for n := range steps {
		s := &steps[n]
		if s.Cause != plan.CauseChange || s.Function == "" {
			continue
		}
		if who == nil {
			if who = p.askers(in, i); who == nil {
				return
			}
		}
		f, known := state.Function{}, fresh != nil
		if known {
			f = *fresh
		} else if f, known = in.Regions[i].Have.Function(s.Function); !known {
			continue
		}
		switch {
		case s.Kind != plan.KindServe:
			s.Asked = who.of(s.Layer, f, s.To)
			asked[s.Function] = s.Asked
		case asked[s.Function] != nil:
			s.Asked = asked[s.Function]
		default: // $LATEST has it already
			name, _, _ := strings.Cut(s.Layer, "+")
			s.Asked = who.of(name, f, "")
		}
	}
}

// askers answers who asked for changes in one environment and Region.
type askers struct {
	wishes map[string]desired.LayerWish // by the layer's name in Git
	asks   map[string]desired.Asks      // by the same
	have   *state.Snapshot
	said   map[desired.Asked]*desired.Asked // one copy of each: a fleet has a few
}

// askers returns nil where it is not known what earlier commits asked for.
func (p *Run) askers(in *reconcile.Input, i int) *askers {
	r := in.Regions[i]
	origin := p.origin(r.Want.Name)
	if origin.Asks == nil {
		return nil
	}
	all := origin.Asks(r.Want.Region)
	a := &askers{wishes: map[string]desired.LayerWish{}, asks: map[string]desired.Asks{}, have: r.Have, said: map[desired.Asked]*desired.Asked{}}
	for _, w := range r.Want.Layers {
		a.wishes[w.Name], a.asks[w.Name] = w, all.Of(w.Layer)
	}
	return a
}

// of returns who asked for a layer's version on f; nil = nobody knows.
func (a *askers) of(layer string, f state.Function, to state.LayerVersionARN) *desired.Asked {
	w, known := a.wishes[layer]
	if !known {
		return nil
	}
	asked, when, ok := a.asks[layer].Since(w, f)
	if !ok {
		return nil
	}
	if version, _ := w.Wants(f); version.Kind == desired.Range || version.Kind == desired.Latest {
		if created := a.created(w.Layer, to); created.After(when) {
			asked = desired.Asked{Published: true}
		}
	}
	if a.said[asked] == nil {
		a.said[asked] = &asked
	}
	return a.said[asked]
}

// created returns when a version was published; zero = not known.
func (a *askers) created(layer state.LayerARN, v state.LayerVersionARN) time.Time {
	l, _ := a.have.Layer(layer)
	version, _ := l.Version(v.Number())
	return version.Created
}

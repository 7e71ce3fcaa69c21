package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state"
)

// This file puts figures into CloudWatch (metrics: cloudwatch), beside the rounds: no
// round waits for one, and none fails with one.

// putLimit is how long reading and putting the figures of one environment may take.
const putLimit = time.Minute

// meter is what is put of one environment in one Region. The account's mu guards it.
type meter struct {
	env    desired.Environment
	layers []metered
	rounds int       // that ended without a failure since they were last put
	until  time.Time // the end of the period that was put last
	busy   bool
	failed string // why they were not put, as last logged
}

// metered is one layer, and where its size may be known from.
type metered struct {
	health.Carried
	version  state.LayerVersionARN // that Git wants; empty = none that is live
	artifact state.Artifact        // of it; zero = none that Git names
}

// noteMeters keeps what a round has seen. Of a Region that could not be read, what was
// known before stays, and its round is none.
func (a *account) noteMeters(d round.Decision) {
	if !a.CloudWatch {
		return
	}
	a.mu.Lock()
	if e := a.envs[d.Plan.Environment]; e != nil { // a Region that the environment has left has no figures any more
		maps.DeleteFunc(e.meters, func(region string, _ *meter) bool {
			return !slices.ContainsFunc(d.Plan.Regions, func(r plan.Region) bool { return r.Want.Region == region })
		})
	}
	a.mu.Unlock()
	for i := range d.Plan.Regions {
		known, ok := d.Region(i)
		if !ok {
			continue
		}
		layers := meteredIn(known)
		a.mu.Lock()
		if e := a.envs[d.Plan.Environment]; e != nil {
			if e.meters == nil {
				e.meters = map[string]*meter{}
			}
			m := e.meters[known.Want.Region]
			if m == nil || m.env.Account != known.Want.Account {
				m = &meter{}
				e.meters[known.Want.Region] = m
			}
			m.env, m.layers = known.Want, layers
			m.rounds++
		}
		a.mu.Unlock()
	}
}

// meteredIn returns the layers of one Region as they were observed.
func meteredIn(r reconcile.Region) []metered {
	var list []metered
	for i, c := range health.CarriedBy(r.Want, r.Have.Functions) {
		w := r.Want.Layers[i]
		m := metered{Carried: c}
		found := catalog.New(w, r.Have, r.Past.Layers[w.Layer].Numbers).Resolve(w.Version, desired.Position{})
		if found.Number > 0 {
			m.version = w.Layer.Version(found.Number)
		}
		if v, err := semver.StrictNewVersion(found.Semver); err == nil && m.version != "" && w.Source != nil {
			m.artifact = w.Artifact(v, "")
		}
		list = append(list, m)
	}
	return list
}

// startMeters puts the figures that are due.
func (a *account) startMeters(ctx context.Context, now time.Time) {
	l := a.lease // which the loop may lose meanwhile
	if !a.CloudWatch || l == nil || a.observing {
		return
	}
	period := health.LastPeriod(now)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.envs {
		for _, m := range e.meters {
			if m.busy || !m.until.Before(period.To) {
				continue
			}
			m.busy, m.until = true, period.To // one try for each period: the next comes soon
			a.working.Go(func() {
				a.contain("figures of "+a.id, func() { a.runMeter(ctx, l, m, period) })
			})
		}
	}
}

// runMeter puts the figures of one period.
func (a *account) runMeter(ctx context.Context, l *lease.Lease, m *meter, period health.Span) {
	a.mu.Lock()
	env, layers, rounds := m.env, slices.Clone(m.layers), m.rounds
	a.mu.Unlock()
	put := false
	var err error
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		m.busy = false
		if put {
			m.rounds -= rounds
		}
	}()
	bound, unbind := l.Bind(ctx)
	defer unbind()
	bound, cancel := context.WithTimeout(bound, putLimit)
	defer cancel()
	put, err = a.putFigures(bound, env, layers, rounds, period)
	if ctx.Err() != nil || l.Check() != nil {
		return // whoever comes next puts them
	}
	a.logMeter(m, env, err)
}

// putFigures reports whether figures were put. Errors that cannot be read are no reason
// to put nothing: that layerd is alive is known all the same.
func (a *account) putFigures(ctx context.Context, env desired.Environment, layers []metered, rounds int, period health.Span) (put bool, err error) {
	cloud, err := a.Connect(ctx, env)
	if err != nil {
		return false, err
	}
	sink, ok := cloud.(health.Sink)
	if !ok {
		return false, fmt.Errorf("a %T puts no metrics", cloud)
	}
	carried := make([]health.Carried, len(layers))
	for i, m := range layers {
		carried[i] = m.Carried
		carried[i].Size = a.sizeOf(ctx, m)
	}
	var sums []health.Sum
	var unread error
	if series := health.ErrorSeries(carried); len(series) > 0 {
		sums, unread = cloud.Sums(ctx, series, period.From, period.To)
	}
	figures := health.Figures(env.Name, carried, sums, rounds, period, time.Now())
	if err := sink.PutFigures(ctx, health.FiguresNamespace, figures); err != nil {
		return false, err
	}
	return true, unread
}

// sizeOf returns how large a version is unzipped, from what is remembered of its archive
// or of itself; 0 = not known. Nothing is fetched for it.
func (a *account) sizeOf(ctx context.Context, m metered) int64 {
	if m.version == "" {
		return 0
	}
	if found, ok := a.contents.Get(ctx, m.version); ok && found.Unzipped > 0 {
		return found.Unzipped
	}
	remembers, ok := a.Artifacts.(interface {
		Known(context.Context, state.Artifact) (state.Content, bool)
	})
	if !ok || m.artifact.Location == "" {
		return 0
	}
	found, _ := remembers.Known(ctx, m.artifact)
	return found.Unzipped
}

// logMeter logs why figures were not put, once, and that they are again.
func (a *account) logMeter(m *meter, env desired.Environment, err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	a.mu.Lock()
	before := m.failed
	m.failed = why
	a.mu.Unlock()
	log := a.Log.With("env", env.Name, "account", env.Account, "region", env.Region)
	switch {
	case why != "" && why != before:
		log.Error("metrics not put into CloudWatch", "err", err)
	case why == "" && before != "":
		log.Info("metrics are put into CloudWatch again")
	}
}

package round_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
)

// H5: whenever somebody asks for a plan while a daemon is at work, what the daemon
// does is no drift, and what a person did meanwhile is.
func TestH5PlanWhileADaemonIsAtWork(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		before func(f *fixture) // and after the fleet was adopted at 4
		work   func(f *fixture, next func(version string) round.Round) error
	}{
		{"a change", func(*fixture) {}, applies("1.5.0")},
		{"behind an alias", func(f *fixture) {
			f.serveLive(20)
			f.spreads(func(e *desired.Environment) { e.Rollout = desired.Rollout{} })
		}, applies("1.5.0")},
		{"one commit after the other", func(*fixture) {}, applies("1.5.0", "1.3.0", "1.4.0")},
		{"a rollback by a person", func(f *fixture) { f.apply(f.t.Context()) }, func(f *fixture, next func(string) round.Round) error {
			_, err := next("1.5.0").Rollback(f.t.Context(), round.Rollback{Environment: "prod", Layer: "common", By: "sato", Reason: "it leaks"})
			return err
		}},
	} {
		for _, slow := range []time.Duration{200 * time.Millisecond, 2 * time.Second} {
			t.Run(fmt.Sprintf("H5 %s, AWS answers after %s", tt.name, slow), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, 20, awssim.Options{Settle: 300 * time.Millisecond, Limits: awssim.Unlimited()})
					f.want("1.4.0")
					f.apply(t.Context()) // the fleet is known
					f.want("1.5.0")
					tt.before(f)
					f.meddle("makoto-0007", 2)
					asked := planWhile(t, f, slow, func(next func(string) round.Round) {
						if err := tt.work(f, next); err != nil {
							t.Error(err)
						}
					})
					if asked < 3 {
						t.Errorf("only %d plans were made meanwhile", asked)
					}
				})
			})
		}
	}
}

// applies has Git ask for one version after the other.
func applies(versions ...string) func(*fixture, func(string) round.Round) error {
	return func(f *fixture, next func(string) round.Round) error {
		for _, v := range versions {
			if _, err := next(v).Apply(f.t.Context()); err != nil {
				return err
			}
		}
		return nil
	}
}

// planWhile asks for plans as long as work goes on, and reports how many were made.
// work calls next when Git asks for another version.
func planWhile(t *testing.T, f *fixture, slow time.Duration, work func(next func(version string) round.Round)) (asked int) {
	t.Helper()
	var wanted atomic.Pointer[desired.Tree]
	wanted.Store(&f.tree)
	next := func(version string) round.Round {
		v, err := desired.ParseVersion(version)
		if err != nil {
			t.Error(err)
		}
		tree := f.tree
		tree.Environments = slices.Clone(tree.Environments)
		tree.Environments[0].Layers = slices.Clone(tree.Environments[0].Layers)
		tree.Environments[0].Layers[0].Version = v
		wanted.Store(&tree)
		r := f.round()
		r.Tree = tree
		return r
	}
	f.world.OnCall(func(c awssim.Call) awssim.Fault {
		if strings.HasPrefix(c.Operation, "List") {
			return awssim.SlowAnswer(slow) // what was read gets old on its way
		}
		return awssim.Fault{}
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		work(next)
	}()
	var readers sync.WaitGroup
	defer readers.Wait()
	for asked < 20 {
		select {
		case <-done:
			return asked
		case <-time.After(170 * time.Millisecond):
		}
		asked++
		readers.Go(func() {
			reader := f.round() // another process
			reader.Tree = *wanted.Load()
			checkNoDrift(t, reader)
		})
	}
	<-done
	return asked
}

// checkNoDrift plans, and finds no drift but that of the function that somebody
// meddled with.
func checkNoDrift(t *testing.T, reader round.Round) {
	r, err := reader.Plan(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	for _, d := range r.Plans[0].Regions[0].Drift {
		if d.Function != "makoto-0007" {
			t.Errorf("%s at %s: %+v", d.Kind, time.Now().UTC().Format(time.TimeOnly), d)
		}
	}
	for _, s := range r.Steps() {
		if s.Cause == plan.CauseDrift && s.Function != "makoto-0007" {
			t.Errorf("%s: %s", s.ID, s.Reason)
		}
	}
	for _, name := range r.Plans[0].Regions[0].LeftAlone {
		t.Errorf("left alone: %s", name)
	}
}

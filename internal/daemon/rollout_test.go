package daemon

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/ruling"
)

// spreads gives the environment of a fixture a rollout.
func (f *fixture) spreads(change func(*desired.Environment)) {
	e := &f.tree.Environments[0]
	change(e)
}

func (f *fixture) through(t *testing.T) Result {
	t.Helper()
	r, err := f.round().ApplyThrough(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Plans {
		for _, region := range p.Regions {
			if region.Failure != nil {
				t.Fatalf("%s: %+v", p.Environment, region.Failure)
			}
		}
	}
	return r
}

func (f *fixture) rollout(t *testing.T) *reconcile.Rollout {
	t.Helper()
	ro, err := history.Open(f.store, "test").Rollout(t.Context(), "prod", region)
	if err != nil {
		t.Fatal(err)
	}
	return ro
}

func waves(sizes ...any) []desired.Wave {
	var list []desired.Wave
	for _, s := range sizes {
		switch s := s.(type) {
		case int:
			list = append(list, desired.Wave{Count: s})
		case float64:
			list = append(list, desired.Wave{Share: s})
		}
	}
	return list
}

// updated gives the names that were updated, in order, since the calls were
// last reset.
func updated(w *awssim.World) []string {
	var names []string
	for _, c := range w.Calls() {
		if c.Operation == "UpdateFunctionConfiguration" {
			names = append(names, c.Resource)
		}
	}
	return names
}

var smoke = desired.SmokeTest{
	Function: "makoto-0003", Payload: json.RawMessage(`{"test": true}`), Expect: json.RawMessage(`{"statusCode": 200}`), Timeout: 10 * time.Second,
}

func TestWavesBakeAndGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 20, awssim.Options{Settle: 2 * time.Second})
		f.spreads(func(e *desired.Environment) {
			e.Rollout = desired.Rollout{Waves: waves(1, 0.5), Bake: 10 * time.Minute, SmokeTests: []desired.SmokeTest{smoke}}
		})
		began := time.Now()
		r := f.through(t)
		if n := statuses(r); n[reconcile.Applied] != 20 || len(f.behind(5)) != 0 {
			t.Fatalf("results %v, behind %v", n, f.behind(5))
		}
		if took := time.Since(began); took < 30*time.Minute || took > 34*time.Minute {
			t.Errorf("three waves with a bake of ten minutes took %s", took)
		}
		if first := updated(f.world)[0]; first != "makoto-0003" {
			t.Errorf("%s went first, and not the one that the smoke test calls", first)
		}
		if n := f.world.Count("Invoke"); n != 3 {
			t.Errorf("%d smoke tests for three waves", n)
		}
		ro := f.rollout(t)
		if ro.Stage != reconcile.StageDone || ro.Waves != 3 {
			t.Errorf("the rollout is %+v", ro)
		}
		if f.world.ResetCalls(); statuses(f.through(t))[reconcile.Applied] != 0 || f.world.Writes() != 0 {
			t.Errorf("the next round wrote %d times", f.world.Writes())
		}
	})
}

// TestBadLayerGoesBack is what the whole of it is for: a version that breaks
// what uses it reaches one wave, and then nothing is as if it had been.
func TestBadLayerGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 20, awssim.Options{Settle: 2 * time.Second})
		f.world.PutFunction(awssim.Function{Name: "makoto-0003"}) // does not have the layer yet
		f.spreads(func(e *desired.Environment) {
			e.Rollout = desired.Rollout{Waves: waves(2, 0.5), SmokeTests: []desired.SmokeTest{smoke}}
		})
		f.breaks(5)
		before := f.world.Functions()
		r := f.through(t)
		if n := statuses(r); n[reconcile.Applied] != 4 {
			t.Errorf("results %v, want two functions changed and two returned", n)
		}
		for i, fn := range f.world.Functions() {
			if !slices.Equal(fn.Layers, before[i].Layers) {
				t.Errorf("%s has %v, and had %v", fn.Name, fn.Layers, before[i].Layers)
			}
		}
		if ro := f.rollout(t); ro.Stage != reconcile.StageRolledBack || !strings.Contains(ro.Reason, "makoto-0003") {
			t.Errorf("the rollout is %+v", ro)
		}
		held := 0
		for _, s := range r.Plans[0].Regions[0].Steps {
			if s.Held != nil && s.Held.By == reconcile.ByQuarantine {
				held++
			}
		}
		if held != 18 {
			t.Errorf("%d steps are held by quarantine, want those of the other 18", held)
		}
		f.world.ResetCalls()
		if f.through(t); f.world.Writes() != 0 {
			t.Errorf("the quarantined version was tried again: %d writes", f.world.Writes())
		}
		// Git answers with another number: the quarantine is lifted, and that
		// one goes out whole.
		f.world.PutLayerVersion(awssim.LayerVersion{Name: "common", Description: "v1.6.0"})
		rules := f.tree.Environments[0].Rollout
		f.want("1.6.0")
		f.tree.Environments[0].Rollout = rules
		f.through(t)
		if left := f.behind(6); len(left) != 0 {
			t.Errorf("still without version 6: %v", left)
		}
		qs, err := ruling.LoadQuarantines(t.Context(), f.store, "test", "prod")
		if err != nil || len(qs) != 0 {
			t.Errorf("quarantines %+v, %v", qs, err)
		}
	})
}

// breaks has every function fail that runs a number of the layer.
func (f *fixture) breaks(number int64) {
	bad := f.world.LayerARN("common", number)
	f.world.OnInvoke(func(in awssim.Invocation) awssim.Result {
		if slices.Contains(in.Layers, bad) {
			return awssim.Result{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"No module named 'common'"}`)}
		}
		return awssim.Result{}
	})
}

func TestAliasIsServedLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		for i := range 5 {
			name := fmt.Sprintf("makoto-%04d", i)
			f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
		}
		f.spreads(func(e *desired.Environment) {
			e.Alias = "live"
			e.Rollout = desired.Rollout{Waves: waves(2), SmokeTests: []desired.SmokeTest{smoke}}
		})
		r := f.through(t)
		region := r.Plans[0].Regions[0]
		if n := statuses(r); n[reconcile.Applied] != 6+5 {
			t.Fatalf("results %v, want six lists and five aliases: %+v", n, region)
		}
		for i := range 6 {
			name := fmt.Sprintf("makoto-%04d", i)
			if a, ok := f.world.Alias(name, "live"); ok != (i < 5) || ok && a.Version != "2" {
				t.Errorf("%s: live is %+v", name, a)
			}
		}
		f.world.ResetCalls()
		if r = f.through(t); f.world.Writes() != 0 || !r.Plans[0].Regions[0].InSync {
			t.Errorf("the next round wrote %d times, in sync %v: %+v", f.world.Writes(), r.Plans[0].Regions[0].InSync, r.Plans[0].Regions[0])
		}
	})
}

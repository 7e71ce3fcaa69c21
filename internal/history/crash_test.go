package history_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/apply/applytest"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

var errDead = errors.New("killed")

// life is a process that is killed at one of its calls to the store or to AWS,
// before or after the call had its effect. A dead process has no effect at
// all, which is what a kill is to everybody else.
type life struct {
	mu    sync.Mutex // guards the rest
	left  int        // calls until the kill
	after bool       // the last call has its effect
	dead  bool
}

// call reports whether the call has its effect and whether its answer arrives.
func (l *life) call() (do bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return false, errDead
	}
	if l.left--; l.left >= 0 {
		return true, nil
	}
	l.dead = true
	return l.after, errDead
}

// killable returns s as a process with a life sees it.
func killable(s store.Store, l *life) store.Store {
	return storetest.Faulty(s, func(context.Context, storetest.Call) storetest.Fault { return storetest.KilledAt(l.call()) })
}

// look is a snapshot of w, with the versions 10 to 13 of common as they live.
func look(w *applytest.World) *state.Snapshot {
	snap := &state.Snapshot{
		Account: "123456789012", Region: region, Partition: "aws", ObservedAt: time.Now(),
		Uses: &state.Uses{SweptAt: time.Now()}, Policies: map[state.LayerVersionARN]state.Policy{},
	}
	for name, layers := range w.Lists() {
		snap.Functions = append(snap.Functions, state.Function{Name: name, Runtime: "python3.12", Architecture: "x86_64", Layers: layers})
	}
	layer := state.Layer{ARN: common}
	for n := int64(10); n <= 13; n++ {
		if v := common.Version(n); !w.Deleted(v) {
			layer.Versions = append(layer.Versions, state.LayerVersion{Number: n, Created: time.Now().AddDate(0, -1, 0)})
			snap.Policies[v] = state.Policy{}
		}
	}
	snap.Layers = []state.Layer{layer}
	snap.Sort()
	return snap
}

// round is one whole round of one process: settle if so wished, read the past,
// decide, learn, apply.
func round(ctx context.Context, s store.Store, w *applytest.World, settle bool) error {
	l, snap := history.Open(s, repo), look(w)
	if settle {
		if err := settleAll(ctx, l, w); err != nil {
			return err
		}
	}
	past, err := l.Past(ctx, env, region)
	if err != nil {
		return err
	}
	version, err := desired.ParseVersion("13")
	if err != nil {
		return err
	}
	planned := reconcile.Decide(reconcile.Input{
		Regions: []reconcile.Region{{Have: snap, Past: past, Want: desired.Environment{
			Name: env, Account: "123456789012", Region: region, Partition: "aws", Zone: time.UTC, MaxNew: 20,
			Unmanaged: []string{string(vendor)},
			Layers: []desired.LayerWish{{
				Name: "makoto-common", Layer: common, Owned: true, Version: version,
				Functions: []desired.Selector{{Name: "*"}}, Retention: desired.Retention{Keep: 2},
			}},
		}}},
		Now: time.Now(),
	})
	if err := l.RecordObservations(ctx, env, region, planned.Regions[0].Learned, time.Now()); err != nil {
		return err
	}
	rec, err := l.BeginRound(ctx, history.Round{Environment: env, Region: region, Revision: "c0ffee"})
	if err != nil {
		return err
	}
	_, err = apply.Run(ctx, planned.Regions[0], w, rec, apply.Options{Parallel: 1})
	return errors.Join(err, rec.FinishRound(ctx))
}

// settleAll looks at AWS for each record without an end, as the next start does.
func settleAll(ctx context.Context, l *history.Log, w *applytest.World) error {
	open, err := l.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, e := range open {
		out := apply.Outcome{Result: plan.Result{Status: plan.StatusSkipped, Error: "it was not begun"}}
		happened := slices.Equal(w.Lists()[e.Function], e.After)
		if e.Kind == plan.KindPrune {
			happened = w.Deleted(e.From)
		}
		if happened {
			out = apply.Outcome{Result: plan.Result{Status: plan.StatusApplied}}
		}
		if err := l.Settle(ctx, e, out); err != nil {
			return err
		}
	}
	return nil
}

// crash kills a first process at its n-th call and lets a second one go on. It
// reports whether the first lived to its end.
func crash(t *testing.T, n int, after, settle bool) bool {
	before := list{vendor.Version(9), common.Version(12)}
	w := applytest.New(map[string]list{"a": before, "b": before, "c": {common.Version(13)}})
	memory := store.NewMemory()
	first := &life{left: n, after: after}
	w.Hook = func(op, name string) (bool, error) {
		do, err := first.call()
		if err != nil {
			err = &state.Error{Op: op, Resource: name, Kind: state.Human, Err: err}
		}
		return do, err
	}
	err := round(t.Context(), killable(memory, first), w, settle)
	if (err != nil || first.dead) != first.dead {
		t.Fatalf("call %d: an error without a kill: %v", n, err)
	}

	w.Hook = nil
	if err := round(t.Context(), memory, w, settle); err != nil {
		t.Fatalf("call %d after=%v: the next start: %v", n, after, err)
	}
	after13 := list{vendor.Version(9), common.Version(13)}
	if diff := cmp.Diff(map[string]list{"a": after13, "b": after13, "c": {common.Version(13)}}, w.Lists()); diff != "" {
		t.Errorf("call %d after=%v: did not converge (-want +got):\n%s", n, after, diff)
	}
	if f := w.Faults(); len(f) > 0 || !w.Deleted(common.Version(10)) || !w.Deleted(common.Version(11)) || w.Deleted(common.Version(12)) {
		t.Errorf("call %d after=%v: prunes %v, faults %v", n, after, w.Calls("DeleteLayerVersion"), f)
	}
	checkMemory(t, memory, n, settle)

	writes, c := len(w.Calls("SetLayers"))+len(w.Calls("DeleteLayerVersion")), newCounted(memory)
	if err := round(t.Context(), c, w, settle); err != nil {
		t.Fatal(err)
	}
	if got := len(w.Calls("SetLayers")) + len(w.Calls("DeleteLayerVersion")); got != writes || c.writes != 0 {
		t.Errorf("call %d after=%v: one more round made %d writes to AWS and %d to the store", n, after, got-writes, c.writes)
	}
	return !first.dead
}

// A kill while what was found is being learned: what the next look finds is
// only what is not known yet, and all the same nothing may be missing.
func TestAKillWhileLearning(t *testing.T) {
	version, err := desired.ParseVersion("12")
	if err != nil {
		t.Fatal(err)
	}
	learn := func(s store.Store) error {
		w := applytest.New(map[string]list{"a": {common.Version(12)}, "b": {common.Version(12)}})
		l := history.Open(s, repo)
		past, err := l.Past(t.Context(), env, region)
		if err != nil {
			return err
		}
		planned := reconcile.Decide(reconcile.Input{
			Regions: []reconcile.Region{{Have: look(w), Past: past, Want: desired.Environment{
				Name: env, Account: "123456789012", Region: region, Partition: "aws", Zone: time.UTC, MaxNew: 20,
				Layers: []desired.LayerWish{{
					Name: "makoto-common", Layer: common, Owned: true, Version: version, Functions: []desired.Selector{{Name: "*"}},
				}},
			}}},
			Now: time.Now(),
		})
		return l.RecordObservations(t.Context(), env, region, planned.Regions[0].Learned, time.Now())
	}
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			s, first := store.NewMemory(), &life{left: n, after: after}
			err := learn(killable(s, first))
			if (err != nil) != first.dead {
				t.Fatalf("call %d: %v", n, err)
			}
			if err := learn(s); err != nil {
				t.Fatal(err)
			}
			past := pastOf(t, history.Open(s, repo))
			if got := past.Layers[common].Applied; !slices.Equal(got, []int64{12}) || len(past.Functions) != 2 {
				t.Errorf("killed at call %d, after=%v: applied %v, %d functions", n, after, got, len(past.Functions))
			}
			if !first.dead {
				break
			}
		}
	}
}

func checkMemory(t *testing.T, s store.Store, n int, settle bool) {
	t.Helper()
	l := history.Open(s, repo)
	past := pastOf(t, l)
	for _, f := range []string{"a", "b", "c"} {
		if got := past.Functions[f].Applied[common]; got != 13 {
			t.Errorf("call %d: %s: applied %d", n, f, got)
		}
	}
	if got := past.Layers[common].Applied; len(got) == 0 || got[len(got)-1] != 13 || past.Layers[common].Candidates != nil {
		t.Errorf("call %d: layer: %+v", n, past.Layers[common])
	}
	if !settle {
		return // nobody looked: what follows is not promised
	}
	if open := unfinished(t, l); len(open) != 0 {
		t.Errorf("call %d: left open: %+v", n, open)
	}
	if len(past.Pruned) != 2 || past.Functions["a"].Original[common] != 12 || past.Functions["b"].Original[common] != 12 {
		t.Errorf("call %d: past: %+v", n, past)
	}
	times := map[string]int{}
	for _, e := range collect(t, l.Entries(t.Context(), history.Query{})) {
		if e.Status == plan.StatusApplied {
			times[e.Step]++
		}
	}
	want := map[string]int{
		"attach/makoto-common/a": 1, "attach/makoto-common/b": 1, "prune/makoto-common/10": 1, "prune/makoto-common/11": 1,
	}
	if diff := cmp.Diff(want, times); diff != "" {
		t.Errorf("call %d: applied steps in the history (-want +got):\n%s", n, diff)
	}
}

// A kill at any call loses nothing: the world converges, every applied step is
// in the history once, and one more round writes nothing.
func TestAKillAtEveryCall(t *testing.T) {
	for _, settle := range []bool{true, false} {
		for _, after := range []bool{false, true} {
			lived := false
			for n := 0; !lived && !t.Failed(); n++ {
				synctest.Test(t, func(t *testing.T) { lived = crash(t, n, after, settle) })
				if n > 500 {
					t.Fatal("the round does not come to an end")
				}
				if lived {
					t.Logf("settle=%v after=%v: %d calls, each one killed", settle, after, n)
					if n < 30 {
						t.Errorf("only %d calls: the round did too little to prove anything", n)
					}
				}
			}
		}
	}
}

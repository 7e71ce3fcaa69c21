package daemon_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// scenario is a rollout over three functions, two of them with an alias, in two
// waves, each of which is given to a share of the calls first, watched, given to
// all, watched and tried out.
type scenario struct {
	bad  bool // it fails once two functions have it, and all goes back
	hand bool // it is well, and a person takes it back
}

var scenarios = map[string]scenario{"through": {}, "back by health": {bad: true}, "back by hand": {hand: true}}

// TestChaosOfRollouts kills the daemon at every call it makes from the commit
// that begins a rollout until all is done.
func TestChaosOfRollouts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("hundreds of kills take a minute")
	}
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		scenario := scenarios[name]
		t.Run(name, func(t *testing.T) {
			var first, last int
			var baseline outcome
			run := func(t *testing.T, n int, after bool) outcome { o, _, _ := scenario.run(t, n, after); return o }
			synctest.Test(t, func(t *testing.T) { baseline, first, last = scenario.run(t, 0, false) })
			scenario.check(t, baseline)
			killEach(t, baseline, first, last, run)
		})
	}
}

// check says whether the scenario without a kill is the one that is meant.
func (sc scenario) check(t *testing.T, baseline outcome) {
	t.Helper()
	want, live, stage := "5", "2", rollout.StageDone
	switch {
	case sc.bad:
		want, live, stage = "4", "1", rollout.StageRolledBack
	case sc.hand:
		want, live = "4", "1"
	}
	for _, name := range []string{"makoto-a", "makoto-b", "makoto-c"} {
		if got := number(baseline.layers[name]); got != want {
			t.Errorf("%s ends with %s, not %s", name, got, want)
		}
	}
	if got := baseline.layers["makoto-a:live"]; got[0] != live {
		t.Errorf("live of makoto-a ends at %v", got)
	}
	if got := baseline.layers["the rollout"][0]; got != string(stage) {
		t.Errorf("the rollout ends as %s", got)
	}
	changes := 0
	for _, n := range baseline.applied {
		changes += n
	}
	if least := 3 + 2*2; changes < least || (sc.bad || sc.hand) && changes < least+3+2 {
		t.Errorf("only %d changes: %v", changes, baseline.applied)
	}
	if t.Failed() {
		t.Fatalf("the scenario is not what is meant: %+v", baseline)
	}
}

// run runs it once; first and last are the calls of the first process from
// the commit to the end of what follows.
func (sc scenario) run(t *testing.T, n int, after bool) (out outcome, first, last int) {
	time.Sleep(time.Until(begin()))
	sim := &simulation{
		T: t, world: awssim.New(awssim.Options{Account: accountID, Region: region, Settle: 2 * time.Second}),
		git: gitserve.New(), store: store.NewMemory(), slack: &reader{},
	}
	sim.repo = sim.git.Add("acme/layers")
	for v := 1; v <= 5; v++ {
		sim.world.PutLayerVersion(awssim.LayerVersion{
			Name: "makoto-common-dev", Description: fmt.Sprintf("v1.%d.0", v), Created: time.Now().AddDate(-1, 0, v),
		})
	}
	sim.world.PutLayerVersion(awssim.LayerVersion{Name: "neighbour"})
	for i, name := range []string{"makoto-a", "makoto-b", "makoto-c"} {
		list := []string{sim.world.LayerARN("makoto-common-dev", 4), sim.world.LayerARN("neighbour", 1)}
		if i == 1 {
			slices.Reverse(list)
		}
		sim.world.PutFunction(awssim.Function{Name: name, Layers: list})
		if i < 2 {
			sim.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: sim.world.PutVersion(name)})
		}
	}
	bad := sim.world.LayerARN("makoto-common-dev", 5)
	sim.world.OnInvoke(func(awssim.Invocation) awssim.Result {
		has := 0
		for _, list := range sim.lists() {
			if slices.Contains(list, bad) {
				has++
			}
		}
		return awssim.Result{Payload: fmt.Appendf(nil, `{"ok": %t}`, !sc.bad || has < 2)}
	})
	sim.want("1.4.0")
	before := sim.lists()
	dead, restarted := sim.firstProcess(n, after)
	sim.at(7)
	first = len(dead.list()) + 1
	sim.want("1.5.0")
	if sc.hand {
		if sim.at(16); n == 0 {
			// Nine units: four bakes of one each, and nothing else that waits.
			if ro, err := history.Open(sim.store, "demo").Rollout(t.Context(), "dev", region); err != nil || ro == nil || ro.Ended.IsZero() {
				t.Errorf("the rollout is not over: %+v, %v", ro, err)
			}
		}
		sim.at(21)
		layer := state.NewLayerARN("aws", region, accountID, "makoto-common-dev")
		_, err := history.Open(sim.store, "demo").Rulings().Quarantine(t.Context(), ruling.Quarantine{
			Environment: "dev", Region: region, Layer: layer, Name: "makoto-common", Number: 5, Semver: "1.5.0", RevertTo: 4,
			ByPerson: true, By: "sato", Reason: "orders fail", At: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	sim.at(36)
	out = sim.outcome(before)
	sim.callers(out.layers)
	last = len(dead.list())
	sim.world.ResetCalls()
	sim.at(44)
	out.late = sim.world.Writes()
	sim.close(restarted)
	out.calls, out.killed = dead.list(), dead.died()
	return out, first, last
}

// want asks for a version of makoto-common.
func (sim *simulation) want(version string) {
	sim.Helper()
	_, err := sim.repo.Commit(gitserve.Change{Subject: "Want " + version, Author: "sato", Files: map[string]string{
		"layerd.yaml": "timezone: UTC\ndefaults:\n  region: " + region + "\n  layer_name: ${NAME}-${ENVIRONMENT}\n" +
			"  unmanaged: [\"*:layer:neighbour\"]\n  layers: {makoto-common: {functions: [\"makoto-*\"]}}\n",
		"layers/common/layer.yaml": "name: makoto-common\n",
		"environments/dev.yaml": "account: \"" + accountID + "\"\nalias: live\nrollout:\n  waves: [1, 100%]\n  bake: 20s\n" +
			"  canary: {weight: 0.5, bake: 20s}\n  smoke_test: {function: makoto-a, expect: {ok: true}}\nlayers: {makoto-common: " + version + "}\n",
	}})
	if err != nil {
		sim.Fatal(err)
	}
}

// callers adds to the lists what callers get, which versions there are, and how
// the rollout stands.
func (sim *simulation) callers(lists map[string][]string) {
	sim.Helper()
	for _, name := range []string{"makoto-a", "makoto-b"} {
		a, _ := sim.world.Alias(name, "live")
		lists[name+":live"] = []string{a.Version, fmt.Sprint(a.Weights)}
		for v := 1; ; v++ {
			f, ok := sim.world.Function(fmt.Sprint(name, ":", v))
			if !ok {
				break
			}
			lists[name+" versions"] = append(lists[name+" versions"], strings.Join(f.Layers, " "))
		}
	}
	ro, err := history.Open(sim.store, "demo").Rollout(sim.Context(), "dev", region)
	if err != nil {
		sim.Fatal(err)
	}
	lists["the rollout"] = []string{"there is none"}
	if ro != nil {
		lists["the rollout"] = []string{string(ro.Stage), fmt.Sprintf("wave %d of %d", ro.Wave, ro.Waves)}
	}
	all, err := ruling.LoadQuarantines(sim.Context(), sim.store, "demo", "dev")
	if err != nil {
		sim.Fatal(err)
	}
	lists["quarantine"] = []string{fmt.Sprint(len(all))}
}

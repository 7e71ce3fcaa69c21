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

// tale is a rollout over three functions, two of them with an alias, in two
// waves, each of which is given to a share of the calls first, watched, given to
// all, watched and tried out.
type tale struct {
	bad  bool // it fails once two functions have it, and all goes back
	hand bool // it is well, and a person takes it back
}

var tales = map[string]tale{"through": {}, "back by health": {bad: true}, "back by hand": {hand: true}}

// TestChaosOfRollouts kills the daemon at every call it makes from the commit
// that begins a rollout until all is done.
func TestChaosOfRollouts(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of kills take a minute")
	}
	for _, name := range slices.Sorted(maps.Keys(tales)) {
		tale := tales[name]
		t.Run(name, func(t *testing.T) {
			var first, last int
			var calm outcome
			play := func(t *testing.T, n int, after bool) outcome { o, _, _ := tale.play(t, n, after); return o }
			synctest.Test(t, func(t *testing.T) { calm, first, last = tale.play(t, 0, false) })
			tale.check(t, calm)
			killEach(t, calm, first, last, play)
		})
	}
}

// check says whether the tale without a kill is the one that is meant.
func (ta tale) check(t *testing.T, calm outcome) {
	t.Helper()
	want, live, stage := "5", "2", rollout.StageDone
	switch {
	case ta.bad:
		want, live, stage = "4", "1", rollout.StageRolledBack
	case ta.hand:
		want, live = "4", "1"
	}
	for _, name := range []string{"makoto-a", "makoto-b", "makoto-c"} {
		if got := number(calm.layers[name]); got != want {
			t.Errorf("%s ends with %s, not %s", name, got, want)
		}
	}
	if got := calm.layers["makoto-a:live"]; got[0] != live {
		t.Errorf("live of makoto-a ends at %v", got)
	}
	if got := calm.layers["the rollout"][0]; got != string(stage) {
		t.Errorf("the rollout ends as %s", got)
	}
	changes := 0
	for _, n := range calm.applied {
		changes += n
	}
	if least := 3 + 2*2; changes < least || (ta.bad || ta.hand) && changes < least+3+2 {
		t.Errorf("only %d changes: %v", changes, calm.applied)
	}
	if t.Failed() {
		t.Fatalf("the tale is not what is meant: %+v", calm)
	}
}

// play plays it once; first and last are the calls of the first process from
// the commit to the end of what follows.
func (ta tale) play(t *testing.T, n int, after bool) (out outcome, first, last int) {
	time.Sleep(time.Until(begin()))
	th := &theater{
		T: t, world: awssim.New(awssim.Options{Account: accountID, Region: region, Settle: 2 * time.Second}),
		git: gitserve.New(), store: store.NewMemory(), slack: &reader{},
	}
	th.repo = th.git.Add("acme/layers")
	for v := 1; v <= 5; v++ {
		th.world.PutLayerVersion(awssim.LayerVersion{
			Name: "makoto-common-dev", Description: fmt.Sprintf("v1.%d.0", v), Created: time.Now().AddDate(-1, 0, v),
		})
	}
	th.world.PutLayerVersion(awssim.LayerVersion{Name: "neighbour"})
	for i, name := range []string{"makoto-a", "makoto-b", "makoto-c"} {
		list := []string{th.world.LayerARN("makoto-common-dev", 4), th.world.LayerARN("neighbour", 1)}
		if i == 1 {
			slices.Reverse(list)
		}
		th.world.PutFunction(awssim.Function{Name: name, Layers: list})
		if i < 2 {
			th.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: th.world.PutVersion(name)})
		}
	}
	bad := th.world.LayerARN("makoto-common-dev", 5)
	th.world.OnInvoke(func(awssim.Invocation) awssim.Result {
		has := 0
		for _, list := range th.lists() {
			if slices.Contains(list, bad) {
				has++
			}
		}
		return awssim.Result{Payload: fmt.Appendf(nil, `{"ok": %t}`, !ta.bad || has < 2)}
	})
	th.want("1.4.0")
	before := th.lists()
	dead, restarted := th.firstProcess(n, after)
	th.at(7)
	first = len(dead.list()) + 1
	th.want("1.5.0")
	if ta.hand {
		if th.at(16); n == 0 {
			// Nine units: four bakes of one each, and nothing else that waits.
			if ro, err := history.Open(th.store, "demo").Rollout(t.Context(), "dev", region); err != nil || ro == nil || ro.Ended.IsZero() {
				t.Errorf("the rollout is not over: %+v, %v", ro, err)
			}
		}
		th.at(21)
		layer := state.NewLayerARN("aws", region, accountID, "makoto-common-dev")
		_, err := history.Open(th.store, "demo").Rulings().Quarantine(t.Context(), ruling.Quarantine{
			Environment: "dev", Region: region, Layer: layer, Name: "makoto-common", Number: 5, Semver: "1.5.0", RevertTo: 4,
			ByPerson: true, By: "sato", Reason: "orders fail", At: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	th.at(36)
	out = th.outcome(before)
	th.callers(out.layers)
	last = len(dead.list())
	th.world.ResetCalls()
	th.at(44)
	out.late = th.world.Writes()
	th.close(restarted)
	out.calls, out.killed = dead.list(), dead.died()
	return out, first, last
}

// want asks for a version of makoto-common.
func (th *theater) want(version string) {
	th.Helper()
	_, err := th.repo.Commit(gitserve.Change{Subject: "Want " + version, Author: "sato", Files: map[string]string{
		"layerd.yaml": "timezone: UTC\ndefaults:\n  region: " + region + "\n  layer_name: ${NAME}-${ENVIRONMENT}\n" +
			"  unmanaged: [\"*:layer:neighbour\"]\n  layers: {makoto-common: {functions: [\"makoto-*\"]}}\n",
		"layers/common/layer.yaml": "name: makoto-common\n",
		"environments/dev.yaml": "account: \"" + accountID + "\"\nalias: live\nrollout:\n  waves: [1, 100%]\n  bake: 20s\n" +
			"  canary: {weight: 0.5, bake: 20s}\n  smoke_test: {function: makoto-a, expect: {ok: true}}\nlayers: {makoto-common: " + version + "}\n",
	}})
	if err != nil {
		th.Fatal(err)
	}
}

// callers adds to the lists what callers get, which versions there are, and how
// the rollout stands.
func (th *theater) callers(lists map[string][]string) {
	th.Helper()
	for _, name := range []string{"makoto-a", "makoto-b"} {
		a, _ := th.world.Alias(name, "live")
		lists[name+":live"] = []string{a.Version, fmt.Sprint(a.Weights)}
		for v := 1; ; v++ {
			f, ok := th.world.Function(fmt.Sprint(name, ":", v))
			if !ok {
				break
			}
			lists[name+" versions"] = append(lists[name+" versions"], strings.Join(f.Layers, " "))
		}
	}
	ro, err := history.Open(th.store, "demo").Rollout(th.Context(), "dev", region)
	if err != nil {
		th.Fatal(err)
	}
	lists["the rollout"] = []string{"there is none"}
	if ro != nil {
		lists["the rollout"] = []string{string(ro.Stage), fmt.Sprintf("wave %d of %d", ro.Wave, ro.Waves)}
	}
	all, err := ruling.LoadQuarantines(th.Context(), th.store, "demo", "dev")
	if err != nil {
		th.Fatal(err)
	}
	lists["quarantine"] = []string{fmt.Sprint(len(all))}
}

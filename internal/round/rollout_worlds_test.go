package round_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/window"
)

// worldsVar is how many worlds are run, 60 by default; @7 is the one of that
// number alone.
const worldsVar = "LAYERD_WORLDS"

// TestRolloutWorlds runs rollouts over generated fleets while things go wrong,
// and asks of each: no function ends with a list that is neither the old one nor
// the new one; neighbours never move; what went back is as it was, but for what
// somebody else touched, which is named; and what follows writes nothing.
func TestRolloutWorlds(t *testing.T) {
	if testing.Short() {
		t.Skip("dozens of rollouts")
	}
	first, worlds := 0, 60
	if v := os.Getenv(worldsVar); v != "" {
		number, alone := strings.CutPrefix(v, "@")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("%s: %v", worldsVar, err)
		}
		if worlds = n; alone {
			first, worlds = n, 1
		}
	}
	ends := map[string]int{}
	for seed := first; seed < first+worlds; seed++ {
		synctest.Test(t, func(t *testing.T) { ends[playWorld(t, uint64(seed))]++ })
	}
	t.Logf("the rollouts ended as %v", ends)
	for _, stage := range []rollout.Stage{rollout.StageDone, rollout.StageRolledBack} {
		if worlds >= 60 && ends[string(stage)] < worlds/10 {
			t.Errorf("only %d of %d rollouts ended as %s: %v", ends[string(stage)], worlds, stage, ends)
		}
	}
}

// rolloutWorld is one of them.
type rolloutWorld struct {
	*fixture
	r    *rand.Rand
	text []string // what it is like, for whoever has to look into it
	was  map[string]held

	mu        sync.Mutex // guards what follows, which calls of AWS change
	touched   map[string]bool
	leftAlone map[string]bool
	faultless bool
}

// held is what a function has, and what callers of its alias get.
type held struct {
	list   []string
	alias  bool
	served []string
	share  string // of calls, to another version
}

func (w *rolloutWorld) chance(percent int) bool { return w.r.IntN(100) < percent }

func (w *rolloutWorld) say(format string, args ...any) {
	w.text = append(w.text, fmt.Sprintf(format, args...))
}

func playWorld(t *testing.T, seed uint64) string {
	w := &rolloutWorld{r: rand.New(rand.NewPCG(seed, 7)), touched: map[string]bool{}, leftAlone: map[string]bool{}}
	w.say("world %d", seed)
	w.fixture = newFixture(t, 0, awssim.Options{Settle: 2 * time.Second, SnapStart: 40 * time.Second})
	names := w.people()
	w.rules(names)
	w.was = w.has()
	w.trouble(names)
	looks := round.NewCache()
	for made := range 12 {
		ctx, cancel := context.WithCancel(t.Context())
		if w.chance(40) && made < 4 {
			// The process is stopped; another one comes, and has looked at nothing.
			after := time.Duration(w.r.IntN(200)) * time.Second
			w.say("stopped after %s", after)
			stop := time.AfterFunc(after, cancel)
			defer stop.Stop()
		}
		r := w.round()
		r.Cache, r.Decided = looks, w.decided
		result, err := r.ApplyThrough(ctx, nil)
		stopped := ctx.Err() != nil
		cancel()
		if err != nil && !stopped {
			t.Fatalf("%v\n%s", err, strings.Join(w.text, "\n"))
		}
		if stopped {
			looks = round.NewCache()
			continue
		}
		if made >= 3 {
			w.mu.Lock()
			w.faultless = true
			w.mu.Unlock()
		}
		wait := time.Minute
		if next := result.Plans[0].Regions[0].Window.NextOpen; !next.IsZero() {
			wait = max(wait, time.Until(next))
		}
		time.Sleep(wait)
	}
	return w.judge(t)
}

// people makes the fleet.
func (w *rolloutWorld) people() (names []string) {
	old, newer := w.world.LayerARN("common", 4), w.world.LayerARN("common", 5)
	other := w.world.LayerARN("other", w.world.PutLayerVersion(awssim.LayerVersion{Name: "other"}))
	aliases := w.chance(60)
	if aliases {
		w.tree.Environments[0].Alias = "live"
	}
	for i := range 1 + w.r.IntN(30) {
		name := fmt.Sprintf("makoto-%02d", i)
		names = append(names, name)
		list := [][]string{{old}, {datadog, old}, {old, datadog}, {other, old, datadog}, {datadog, other}, {}}[w.r.IntN(6)]
		if w.chance(70) && !slices.Contains(list, old) {
			list = append(slices.Clone(list), old)
		}
		w.world.PutFunction(awssim.Function{Name: name, Layers: list, SnapStart: aliases && w.chance(20)})
		if !aliases || !w.chance(70) {
			continue
		}
		a := awssim.Alias{Function: name, Name: "live", Version: w.world.PutVersion(name)}
		if w.chance(10) { // somebody's canary
			w.world.EditFunction(name, func(f *awssim.Function) { f.Description = "two" })
			a.Weights = map[string]float64{w.world.PutVersion(name): 0.2}
			w.say("%s has a canary", name)
		} else if w.chance(10) { // somebody's unreleased work
			w.world.EditFunction(name, func(f *awssim.Function) { f.MemorySize = 512 })
			w.say("%s has unreleased work", name)
		}
		w.world.PutAlias(a)
	}
	time.Sleep(2 * time.Minute) // what was published is ready
	if w.chance(15) {
		w.world.FailSnapshotsWith(newer, "SnapStartException", "init crashed")
		w.say("nothing with version 5 starts from a snapshot")
	}
	return names
}

// rules makes how it spreads.
func (w *rolloutWorld) rules(names []string) {
	e := &w.tree.Environments[0]
	e.MaxNew = 100
	e.Rollout = desired.Rollout{
		Waves:    [][]desired.Wave{nil, waves(1), waves(1, 0.3), waves(2, 0.1, 0.5), waves(0.5)}[w.r.IntN(5)],
		Bake:     time.Duration(w.r.IntN(3)) * time.Minute,
		Parallel: w.r.IntN(4),
	}
	if w.chance(15) {
		e.Rollout.OnFailure = desired.Halt
	}
	if e.Alias != "" && w.chance(40) {
		e.Rollout.Canary = &desired.Canary{Weight: 0.1, Bake: time.Duration(w.r.IntN(2)) * time.Minute}
	}
	if w.chance(80) {
		test := smoke
		test.Function = names[w.r.IntN(len(names))]
		e.Rollout.SmokeTests = []desired.SmokeTest{test}
	}
	if w.chance(25) {
		at := time.Now().UTC().Add(time.Minute)
		text := fmt.Sprintf("daily %s-%s UTC", at.Format("15:04"), at.Add(time.Duration(1+w.r.IntN(4))*time.Minute).Format("15:04"))
		win, err := window.Parse(text, time.UTC)
		if err != nil {
			w.t.Fatal(err)
		}
		e.Calendar.Windows = []window.Window{win}
	}
	w.say("alias %q, rollout %+v, windows %v", e.Alias, e.Rollout, e.Calendar.Windows)
	if c := e.Rollout.Canary; c != nil {
		w.say("canary %+v", *c)
	}
}

// trouble makes what goes wrong.
func (w *rolloutWorld) trouble(names []string) {
	if w.chance(50) {
		bad, most := w.world.LayerARN("common", 5), w.r.IntN(len(names)+1)
		w.say("more than %d functions with version 5 fail", most)
		w.world.OnInvoke(func(awssim.Invocation) awssim.Result {
			has := 0
			for _, f := range w.world.Functions() {
				if slices.Contains(f.Layers, bad) {
					has++
				}
			}
			if has > most {
				return awssim.Result{FunctionError: "Unhandled"}
			}
			return awssim.Result{Payload: []byte(`{"statusCode": 200}`)}
		})
	} else {
		w.world.OnInvoke(func(awssim.Invocation) awssim.Result { return awssim.Result{Payload: []byte(`{"statusCode": 200}`)} })
	}
	faults := []struct {
		name string
		make func(awssim.Call) awssim.Fault
	}{
		{"throttled", func(awssim.Call) awssim.Fault { return awssim.Throttle() }},
		{"500 before", func(awssim.Call) awssim.Fault { return awssim.ServerError() }},
		{"lost answers", func(awssim.Call) awssim.Fault { return awssim.LostAnswer() }},
		{"500 after", func(awssim.Call) awssim.Fault { return awssim.ServerErrorAfter() }},
		{"denied", awssim.Denied},
	}
	fault, percent := faults[w.r.IntN(len(faults))], w.r.IntN(15)
	if w.chance(40) {
		percent = 0
	}
	meddle, meddled := 0, names[w.r.IntN(len(names))]
	if w.chance(30) {
		meddle = 1 + w.r.IntN(6*len(names))
	}
	how := w.r.IntN(3)
	if how == 2 && w.tree.Environments[0].Alias == "" {
		how = 0
	}
	w.say("%d %% %s; at write %d somebody touches %s (%d)", percent, fault.name, meddle, meddled, how)
	writes, salt := 0, w.r.Uint64()
	w.world.OnCall(func(c awssim.Call) awssim.Fault {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.faultless || c.Service != "lambda" {
			return awssim.Fault{}
		}
		if c.Write {
			// While an update is in progress AWS lets nobody else in.
			f, _ := w.world.Function(meddled)
			if writes++; writes >= meddle && meddle > 0 && !w.touched[meddled] && f.LastUpdateStatus != "InProgress" {
				w.touched[meddled] = true
				w.meddle(meddled, how)
			}
		}
		dice := rand.New(rand.NewPCG(salt, uint64(c.Seq)))
		if dice.IntN(100) < percent && (fault.name != "denied" || c.Write) {
			return fault.make(c)
		}
		return awssim.Fault{}
	})
}

// meddle is another writer, in the middle of it.
func (w *rolloutWorld) meddle(name string, how int) {
	switch how {
	case 0: // adds a layer of its own
		w.world.EditFunction(name, func(f *awssim.Function) {
			if !slices.Contains(f.Layers, datadog) {
				f.Layers = append(slices.Clone(f.Layers), datadog)
			}
		})
	case 1: // gives it an older version of ours
		w.world.EditFunction(name, func(f *awssim.Function) {
			f.Layers = slices.Clone(f.Layers)
			for i, l := range f.Layers {
				if strings.Contains(l, ":layer:common:") {
					f.Layers[i] = w.world.LayerARN("common", 3)
				}
			}
		})
	case 2: // releases something
		if a, ok := w.world.Alias(name, "live"); ok {
			w.world.EditFunction(name, func(f *awssim.Function) { f.Description = "released" })
			a.Version, a.Weights, a.RevisionID = w.world.PutVersion(name), nil, ""
			w.world.PutAlias(a)
		}
	}
}

func (w *rolloutWorld) decided(_ context.Context, planned plan.Plan) error {
	for _, r := range planned.Regions {
		for _, name := range r.LeftAlone {
			w.leftAlone[name] = true
		}
	}
	return nil
}

// has reads what all functions have.
func (w *rolloutWorld) has() map[string]held {
	all := map[string]held{}
	for _, f := range w.world.Functions() {
		h := held{list: f.Layers}
		if a, ok := w.world.Alias(f.Name, "live"); ok {
			v, _ := w.world.Function(f.Name + ":live")
			h.alias, h.served, h.share = true, v.Layers, fmt.Sprint(a.Weights)
		}
		all[f.Name] = h
	}
	return all
}

func (w *rolloutWorld) judge(t *testing.T) string {
	ro := w.rollout(t)
	stage := rollout.Stage("none")
	if ro != nil {
		stage = ro.Stage
	}
	wrong := func(format string, args ...any) {
		t.Helper()
		t.Errorf(format+"\nit ended as %s: %+v\n%s", append(args, stage, ro, strings.Join(w.text, "\n"))...)
	}
	now := w.has()
	for _, name := range slices.Sorted(maps.Keys(w.was)) {
		was, is := w.was[name], now[name]
		if w.touched[name] {
			if stage == rollout.StageRolledBack && slices.Contains(is.list, w.world.LayerARN("common", 5)) && !w.leftAlone[name] {
				wrong("%s was touched, still has version 5, and nobody was told: %+v", name, is)
			}
			continue
		}
		if !w.oldOrNew(was.list, is.list) {
			wrong("%s has %v, and had %v", name, is.list, was.list)
		}
		if was.alias && !w.oldOrNew(was.served, is.served) {
			wrong("callers of %s get %v, and got %v", name, is.served, was.served)
		}
		if stage == rollout.StageRolledBack && (!slices.Equal(was.list, is.list) || !slices.Equal(was.served, is.served)) {
			wrong("all went back, and %s has %+v, not %+v", name, is, was)
		}
		if stage != rollout.StageHalted && was.share != is.share {
			wrong("%s: %s of the calls go elsewhere, and %s did", name, is.share, was.share)
		}
	}
	w.world.ResetCalls()
	r := w.round()
	r.Cache = round.NewCache()
	if _, err := r.ApplyThrough(t.Context(), nil); err != nil {
		wrong("%v", err)
	}
	for _, c := range w.world.Calls() {
		if c.Write && c.Applied && c.Operation != "Invoke" {
			wrong("the last run did %s of %s", c.Operation, c.Resource)
		}
	}
	open, err := history.Open(w.store, "test").Unfinished(t.Context())
	if err != nil || len(open) > 0 {
		wrong("without an end: %+v, %v", open, err)
	}
	return cmp.Or(string(stage), "none")
}

// oldOrNew: the list is as it was, or it is that with version 5 of common in
// the place of another one, or at the end where there was none.
func (w *rolloutWorld) oldOrNew(was, is []string) bool {
	if slices.Equal(was, is) {
		return true
	}
	want, there := slices.Clone(was), false
	for i, l := range want {
		if strings.Contains(l, ":layer:common:") {
			want[i], there = w.world.LayerARN("common", 5), true
		}
	}
	if !there {
		want = append(want, w.world.LayerARN("common", 5))
	}
	return slices.Equal(want, is)
}

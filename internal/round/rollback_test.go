package round_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// A round gives back what it decided from, so that nobody has to look again.
func TestARoundReturnsWhatItDecidedFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		planned, err := f.round().Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, r := range map[string]round.Result{"plan": planned, "apply": f.apply(t.Context())} {
			if len(r.Decisions) != 1 || r.Decisions[0].Plan.Digest != r.Plans[0].Digest {
				t.Fatalf("%s: %d decisions", name, len(r.Decisions))
			}
			known, ok := r.Decisions[0].Region(0)
			if !ok || len(known.Have.Functions) != 7 || len(known.Have.Layers) != 1 {
				t.Errorf("%s: it is known %v, of %+v", name, ok, known.Have)
			}
		}
		f.world.OnCall(func(awssim.Call) awssim.Fault { return awssim.Throttle() })
		failed, err := f.round().Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := failed.Decisions[0].Region(0); ok || failed.Plans[0].Regions[0].Failure == nil {
			t.Errorf("what was not read is known: %+v", failed.Plans[0].Regions[0].Failure)
		}
	})
}

// One call looks, says what it will do, writes the word and carries it out; again
// it has nothing to do; and a retry lifts it.
func TestRollbackAndRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		f.apply(t.Context()) // from 4 to 5
		f.world.ResetCalls()
		ask := round.Rollback{Environment: "prod", Layer: "common", By: "sato", Reason: "it leaks", DryRun: true}
		told := 0
		ask.Going = func(b round.Return) {
			told++
			if len(b.Back) != 1 || b.Back[0].Quarantine.RevertTo != 4 || b.Back[0].To != "4 (1.4.0)" || len(b.Steps()) != 6 || b.Written {
				t.Errorf("it is going to %+v, by %d steps", b.Back, len(b.Steps()))
			}
		}
		if _, err := f.round().Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		once := f.world.Count("ListLayerVersions")
		f.world.ResetCalls()
		words := func() int {
			t.Helper()
			qs, err := ruling.LoadQuarantines(t.Context(), f.store, "test", "prod")
			if err != nil {
				t.Fatal(err)
			}
			return len(qs)
		}
		if _, err := f.round().Rollback(t.Context(), ask); err != nil || told != 1 || words() != 0 || f.world.Writes() != 0 {
			t.Errorf("a dry run: %v, told %d times, %d words, %d writes", err, told, words(), f.world.Writes())
		}
		if n := f.world.Count("ListLayerVersions"); n != once {
			t.Errorf("it listed versions %d times, and a plan does %d times", n, once)
		}
		ask.DryRun = false
		back, err := f.round().Rollback(t.Context(), ask)
		if err != nil || !back.Written || told != 2 || words() != 1 || len(f.behind(4)) != 0 {
			t.Fatalf("%v, written %v, not at 4: %v", err, back.Written, f.behind(4))
		}
		if n := statuses(back.Result); n[plan.StatusApplied] != 6 || len(n) != 1 {
			t.Errorf("results %v", n)
		}
		f.world.ResetCalls()
		back, err = f.round().Rollback(t.Context(), ask)
		if err != nil || back.Given == nil || back.Given.By != "sato" || back.Written || f.world.Writes() != 0 {
			t.Errorf("again: %v, given %+v", err, back.Given)
		}
		done, err := f.round().Retry(t.Context(), round.Retry{Environment: "prod", Layer: "common", By: "suzuki", Reason: "mended"})
		if err != nil || len(done.Lifted) != 1 || len(done.Resumed) != 0 || words() != 0 {
			t.Errorf("retry: %+v, %v", done, err)
		}
		f.apply(t.Context())
		if n := len(f.behind(5)); n != 0 {
			t.Errorf("%d functions do not come again", n)
		}
	})
}

// A function that is back already is no part of the next rollback, whether or not its
// callers go through an alias: what Git wants to bring to it again waits, and is not
// what the person asked about.
func TestRollbackOfWhatIsBackAlready(t *testing.T) {
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	saturday, err := window.Parse("Saturday 02:00-06:00", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*desired.Environment){
		"no alias":           func(*desired.Environment) {},
		"alias":              func(e *desired.Environment) { e.Alias = "live" },
		"alias and approval": func(e *desired.Environment) { e.Alias, e.ApprovalRequired = "live", true },
		"alias and window": func(e *desired.Environment) {
			e.Alias, e.Calendar.Windows = "live", []window.Window{saturday}
		},
	} {
		for _, first := range []string{"", "makoto-0001", "makoto-???1"} {
			t.Run(name+" "+first, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, 4, awssim.Options{Settle: 2 * time.Second})
					for i := range 3 {
						name := fmt.Sprintf("makoto-%04d", i)
						f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
					}
					if strings.HasPrefix(name, "alias") {
						f.spreads(func(e *desired.Environment) { e.Alias = "live" })
					}
					f.apply(t.Context())
					f.spreads(edit)
					ask := round.Rollback{Environment: "prod", Layer: "common", By: "sato", Reason: "it leaks", Functions: first}
					if _, err := f.round().Rollback(t.Context(), ask); err != nil {
						t.Fatal(err)
					}
					back := 4 - len(f.behind(4))
					ask.Functions = ""
					ask.Going = func(b round.Return) {
						for _, s := range b.Steps() {
							if s.Cause != plan.CauseRollback || s.Held != nil {
								t.Errorf("%s %s for %s is about what is back already (held %v)", s.Kind, s.Function, s.Cause, s.Held)
							}
						}
					}
					again, err := f.round().Rollback(t.Context(), ask)
					if err != nil || len(f.behind(4)) != 0 || (again.Given != nil) != (back == 4) {
						t.Errorf("%d were back, then: %v, given %v, not at 4: %v", back, err, again.Given, f.behind(4))
					}
				})
			})
		}
	}
}

// What is refused writes nothing, and is known by its code.
func TestRollbackRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 3, awssim.Options{Settle: 2 * time.Second})
		f.apply(t.Context())
		f.world.ResetCalls()
		for code, ask := range map[round.RefusalCode]round.Rollback{
			round.RefusedLayer:     {Environment: "prod", Layer: "comon"},
			round.RefusedInvalid:   {Environment: "prd", Layer: "common"},
			round.RefusedText:      {Environment: "prod", Layer: "common", To: "soon"},
			round.RefusedFunctions: {Environment: "prod", Layer: "common", Functions: "x-*"},
		} {
			_, err := f.round().Rollback(t.Context(), ask)
			if refused, ok := errors.AsType[*round.Refusal](err); !ok || refused.Code != code {
				t.Errorf("%s: %v", code, err)
			}
		}
		_, err := f.round().Retry(t.Context(), round.Retry{Environment: "prod", Layer: "comon"})
		if refused, ok := errors.AsType[*round.Refusal](err); !ok || !slices.Equal(refused.Names, []string{"common"}) {
			t.Errorf("retry of no layer: %v", err)
		}
		if f.world.Writes() != 0 {
			t.Errorf("%d writes", f.world.Writes())
		}
		for e := range history.Open(f.store, "test").Entries(t.Context(), history.Query{}) {
			if e.Cause == history.CauseRuling {
				t.Errorf("the history says %+v", e)
			}
		}
	})
}

// A rollout that is not halted is not let go on, and nobody's word is written.
func TestRetryOfWhatIsNotHalted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 3, awssim.Options{})
		log := history.Open(f.store, "test")
		ro := rollout.Rollout{ID: log.NewRolloutID(time.Now()), Stage: rollout.StageBake, Wave: 1, Waves: 2}
		if err := log.SaveRollout(t.Context(), "prod", region, ro); err != nil {
			t.Fatal(err)
		}
		done, err := f.round().Retry(t.Context(), round.Retry{Environment: "prod", By: "sato", Reason: "x"})
		if err != nil || len(done.Resumed) != 0 {
			t.Errorf("resumed %v, %v", done.Resumed, err)
		}
		if ok, err := log.Resume(t.Context(), "prod", region, ro.ID, "sato", "x"); ok || err != nil {
			t.Errorf("resumed: %v, %v", ok, err)
		}
		for e := range log.Entries(t.Context(), history.Query{}) {
			t.Errorf("the history says %+v", e)
		}
		ro.Stage, ro.Reason = rollout.StageHalted, "an alarm rings"
		ro.Targets = []rollout.Target{{Name: "common"}}
		if err := log.SaveRollout(t.Context(), "prod", region, ro); err != nil {
			t.Fatal(err)
		}
		f.tree.Environments[0].Layers = append(f.tree.Environments[0].Layers, desired.LayerWish{Name: "ml"})
		for layer, want := range map[string]int{"ml": 0, "common": 1} {
			done, err := f.round().Retry(t.Context(), round.Retry{Environment: "prod", Layer: layer, By: "sato", Reason: "x"})
			if err != nil || len(done.Resumed) != want {
				t.Errorf("%s: resumed %v, %v", layer, done.Resumed, err)
			}
		}
	})
}

// A rollback of some functions that is followed by one of all of them says more,
// although nothing is left to move: the version stays away from functions that come
// later, too.
func TestRollbackOfAllAfterSome(t *testing.T) {
	for _, alias := range []bool{false, true} {
		t.Run(fmt.Sprintf("alias %t", alias), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 3, awssim.Options{Settle: 2 * time.Second})
				if alias {
					f.servedLive(3)
				}
				f.apply(t.Context())
				ask := round.Rollback{Environment: "prod", Layer: "common", By: "sato", Reason: "it leaks", Functions: "makoto-0*"}
				if _, err := f.round().Rollback(t.Context(), ask); err != nil || len(f.behind(4)) != 0 {
					t.Fatalf("%v, not at 4: %v", err, f.behind(4))
				}
				f.world.ResetCalls()
				ask.Functions = ""
				all, err := f.round().Rollback(t.Context(), ask)
				if err != nil || all.Given != nil || !all.Written || len(all.Steps()) != 0 || f.world.Writes() != 0 {
					t.Fatalf("%v, given %+v, written %v, %d steps, %d writes", err, all.Given, all.Written, len(all.Steps()), f.world.Writes())
				}
				if again, err := f.round().Rollback(t.Context(), ask); err != nil || again.Given == nil || again.Given.Functions != "" {
					t.Errorf("again: %v, given %+v", err, again.Given)
				}
				f.world.PutFunction(awssim.Function{Name: "makoto-late", Layers: []string{f.world.LayerARN("common", 4)}})
				f.apply(t.Context())
				if n := len(f.behind(4)); n != 0 {
					t.Errorf("what came later got the version: %v", f.behind(4))
				}
			})
		})
	}
}

// servedLive has the first functions served through an alias.
func (f *fixture) servedLive(functions int) {
	for i := range functions {
		name := fmt.Sprintf("makoto-%04d", i)
		f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
	}
	f.spreads(func(e *desired.Environment) { e.Alias = "live" })
}

// Where callers would get with a rollback what Git has brought to $LATEST and
// nobody rolled back, it is a change. One that may be made is made at once: a
// rollback that left callers with the bad version would look as if it were done.
func TestRollbackTakesCallersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 3, awssim.Options{Settle: 2 * time.Second})
		f.servedLive(3)
		ml := f.world.LayerARN("ml", f.world.PutLayerVersion(awssim.LayerVersion{Name: "ml", Description: "v2.0.0"}))
		f.apply(t.Context())
		for i := range 3 {
			name := fmt.Sprintf("makoto-%04d", i)
			f.world.EditFunction(name, func(fn *awssim.Function) { fn.MemorySize = 256 }) // so that no version before is as good
			f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
			f.world.EditFunction(name, func(fn *awssim.Function) { fn.Layers = append(fn.Layers, ml) })
		}
		v, err := desired.ParseVersion("2.0.0")
		if err != nil {
			t.Fatal(err)
		}
		f.spreads(func(e *desired.Environment) {
			e.Rollout = desired.Rollout{Waves: waves(1), Bake: time.Minute}
			e.Layers = append(e.Layers, desired.LayerWish{
				Name: "ml", Layer: state.NewLayerARN("aws", region, accountID, "ml"), Owned: true, Version: v,
				Functions: []desired.Selector{{Name: "makoto-*"}},
			})
		})
		back, err := f.round().Rollback(t.Context(), round.Rollback{Environment: "prod", Layer: "common", By: "sato", Reason: "it leaks"})
		if err != nil {
			t.Fatal(err)
		}
		served := func(version int64) (n int) {
			for i := range 3 {
				fn, _ := f.world.Function(fmt.Sprintf("makoto-%04d:live", i))
				if slices.Contains(fn.Layers, f.world.LayerARN("common", version)) {
					n++
				}
			}
			return n
		}
		if n := statuses(back.Result); n[plan.StatusApplied] != 3+1 || n[plan.StatusHeld] != 2 || served(4) != 1 {
			t.Errorf("results %v, callers of %d functions are back", n, served(4))
		}
		if ro := f.rollout(t); ro.Stage != rollout.StageChange || ro.Waves != 2 || ro.Total != 3 {
			t.Errorf("what callers get besides comes by the rollout %+v", ro)
		}
		f.through(t)
		if ro := f.rollout(t); ro.Stage != rollout.StageDone || served(4) != 3 || len(f.behind(4)) != 0 {
			t.Errorf("callers of %d functions are back, after the rollout %+v", served(4), ro)
		}
	})
}

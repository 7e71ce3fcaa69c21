package round_test

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
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// spreads gives the environment of a fixture a rollout.
func (f *fixture) spreads(change func(*desired.Environment)) {
	e := &f.tree.Environments[0]
	change(e)
}

func (f *fixture) through(t *testing.T) round.Result {
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

func (f *fixture) rollout(t *testing.T) *rollout.Rollout {
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

// updated returns the names that were updated, in order, since the calls were
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
		if n := statuses(r); n[plan.StatusApplied] != 20 || len(f.behind(5)) != 0 {
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
		if ro.Stage != rollout.StageDone || ro.Waves != 3 {
			t.Errorf("the rollout is %+v", ro)
		}
		if f.world.ResetCalls(); statuses(f.through(t))[plan.StatusApplied] != 0 || f.world.Writes() != 0 {
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
		if n := statuses(r); n[plan.StatusApplied] != 4 {
			t.Errorf("results %v, want two functions changed and two returned", n)
		}
		for i, fn := range f.world.Functions() {
			if !slices.Equal(fn.Layers, before[i].Layers) {
				t.Errorf("%s has %v, and had %v", fn.Name, fn.Layers, before[i].Layers)
			}
		}
		if ro := f.rollout(t); ro.Stage != rollout.StageRolledBack || !strings.Contains(ro.Reason, "makoto-0003") {
			t.Errorf("the rollout is %+v", ro)
		}
		said := ""
		for e, err := range history.Open(f.store, "test").Entries(t.Context(), history.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == history.KindRollout {
				said += fmt.Sprintln(e.Status, e.Wave, strings.Join(e.Findings, "; "))
			}
		}
		for _, want := range []string{"rolled_back 1", "rolling_back 1", "No module named 'common'", "log of ", "ImportError in init"} {
			if !strings.Contains(said, want) {
				t.Errorf("the history does not say %q:\n%s", want, said)
			}
		}
		if strings.Contains(said, "hunter2") {
			t.Errorf("a secret is in the history:\n%s", said)
		}
		held := 0
		for _, s := range r.Plans[0].Regions[0].Steps {
			if s.Held != nil && s.Held.By == plan.ByQuarantine {
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
			return awssim.Result{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"No module named 'common'"}`),
				Log: "db_password=hunter2hunter2\nImportError in init\n"}
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
		if n := statuses(r); n[plan.StatusApplied] != 6+5 {
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

// rounds makes some, a minute apart, as a daemon does.
func (f *fixture) rounds(t *testing.T, n int) round.Result {
	t.Helper()
	var r round.Result
	for range n {
		r = f.apply(t.Context())
		time.Sleep(time.Minute)
	}
	return r
}

func stageOf(t *testing.T, f *fixture) string {
	t.Helper()
	ro := f.rollout(t)
	if ro == nil {
		return "none"
	}
	return fmt.Sprintf("%s %d/%d", ro.Stage, ro.Wave, ro.Waves)
}

func TestAlarms(t *testing.T) {
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	alarm := func(state string) awssim.Alarm {
		return awssim.Alarm{Name: "errors", State: state, Reason: "threshold crossed"}
	}
	for name, c := range map[string]struct {
		rules  desired.Rollout
		before string  // the alarm's state before the rollout; empty = there is none
		during string  // and after the first wave
		stage  string  // where the rollout ends
		behind int     // functions that do not have the version
		held   plan.By // by whom the rest is held
	}{
		"well":            {before: "OK", during: "OK", stage: "done 2/2"},
		"rings already":   {before: "ALARM", during: "ALARM", stage: "none", behind: 10, held: plan.ByHealth},
		"is missing":      {stage: "none", behind: 10, held: plan.ByHealth},
		"rings later":     {before: "OK", during: "ALARM", stage: "rolled_back 1/2", behind: 10, held: plan.ByHealth},
		"rings, and halt": {rules: desired.Rollout{OnFailure: desired.Halt}, before: "OK", during: "ALARM", stage: "halted 1/2", behind: 8, held: plan.ByHealth},
		"nobody knows":    {before: "OK", during: "INSUFFICIENT_DATA", stage: "halted 1/2", behind: 8, held: plan.ByHealth},
		"nobody knows, continue": {
			rules: desired.Rollout{OnUnknown: desired.GoOn}, before: "OK", during: "INSUFFICIENT_DATA", stage: "done 2/2",
		},
		"nobody knows, go back": {
			rules: desired.Rollout{OnUnknown: desired.RollBack}, before: "OK", during: "INSUFFICIENT_DATA", stage: "rolled_back 1/2", behind: 10, held: plan.ByHealth,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 10, awssim.Options{Settle: 2 * time.Second})
				f.spreads(func(e *desired.Environment) {
					e.Rollout = c.rules
					e.Rollout.Waves, e.Rollout.Bake, e.Rollout.Alarms = waves(2), 5*time.Minute, []string{"errors"}
				})
				if c.before != "" {
					f.world.PutAlarm(alarm(c.before))
				}
				r := f.rounds(t, 2)
				if c.during != c.before {
					f.world.PutAlarm(alarm(c.during))
				}
				r = f.rounds(t, 20)
				if got := stageOf(t, f); got != c.stage {
					t.Errorf("the rollout is %s, want %s: %+v", got, c.stage, f.rollout(t))
				}
				if left := f.behind(5); len(left) != c.behind {
					t.Errorf("%d are behind, want %d", len(left), c.behind)
				}
				for _, s := range r.Plans[0].Regions[0].Steps {
					if s.Held == nil || !s.HeldBy(c.held) && s.Held.By != plan.ByQuarantine {
						t.Errorf("%s is held %+v, want by %s", s.ID, s.Held, c.held)
					}
				}
			})
		})
	}
}

// What one wave's checks found is not told of a later one that was judged without
// them: Git may take a check away half way.
func TestFindingsAreOfTheLastVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		f.spreads(func(e *desired.Environment) {
			e.Rollout = desired.Rollout{Waves: waves(2), Bake: 5 * time.Minute, Alarms: []string{"errors"}}
		})
		f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "OK"})
		for range 20 {
			if f.rounds(t, 1); stageOf(t, f) == "bake 2/2" {
				break
			}
		}
		if len(f.rollout(t).Findings) == 0 {
			t.Fatalf("the first wave was judged without findings: %+v", f.rollout(t))
		}
		f.spreads(func(e *desired.Environment) { e.Rollout.Alarms = nil })
		f.rounds(t, 10)
		if ro := f.rollout(t); ro.Stage != rollout.StageDone || len(ro.Findings) > 0 {
			t.Errorf("the rollout is %s with findings %q", ro.Stage, ro.Findings)
		}
	})
}

// TestErrorRate: a layer that makes a tenth of all calls fail is noticed by
// comparing with the time before, and only then.
func TestErrorRate(t *testing.T) {
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	for name, c := range map[string]struct {
		before, after int // errors in a hundred calls
		calls         int
		stage         string
	}{
		"as ever":            {before: 0, after: 0, calls: 100, stage: "done 2/2"},
		"worse":              {before: 0, after: 10, calls: 100, stage: "rolled_back 1/2"},
		"as bad as before":   {before: 10, after: 10, calls: 100, stage: "done 2/2"},
		"nobody calls":       {stage: "halted 1/2"},
		"hardly anybody":     {before: 0, after: 1, calls: 1, stage: "halted 1/2"},
		"worse than allowed": {before: 10, after: 20, calls: 100, stage: "rolled_back 1/2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 10, awssim.Options{Settle: 2 * time.Second})
				limit := 0.05
				f.spreads(func(e *desired.Environment) {
					e.Rollout = desired.Rollout{Waves: waves(2), Bake: 10 * time.Minute, MaxErrorRate: &limit}
				})
				traffic := func(errors int) {
					for i := range 10 {
						if c.calls > 0 {
							f.world.PutTraffic(awssim.Traffic{
								Function: fmt.Sprintf("makoto-%04d", i), Invocations: c.calls, Errors: errors, Time: time.Now(),
							})
						}
					}
				}
				for range 20 {
					traffic(c.before)
					time.Sleep(time.Minute)
				}
				for range 60 {
					f.apply(t.Context())
					n := c.before
					if len(f.behind(5)) < 10 {
						n = c.after
					}
					traffic(n)
					time.Sleep(time.Minute)
				}
				if got := stageOf(t, f); got != c.stage {
					t.Errorf("the rollout is %s, want %s: %+v", got, c.stage, f.rollout(t))
				}
			})
		})
	}
}

// TestWindowInterruptsARollout: what the end of the window leaves undone goes on
// at the next opening, and the wave that was being watched is judged meanwhile.
func TestWindowInterruptsARollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 10, awssim.Options{Settle: 2 * time.Second})
		f.spreads(func(e *desired.Environment) {
			w, err := window.Parse("daily 00:00-00:12 UTC", time.UTC) // synctest begins at midnight
			if err != nil {
				t.Fatal(err)
			}
			e.Calendar.Windows = []window.Window{w}
			e.Rollout = desired.Rollout{Waves: waves(2, 5), Bake: 8 * time.Minute}
		})
		r := f.rounds(t, 1)
		noted := slices.ContainsFunc(r.Plans[0].Regions[0].Notes, func(n plan.Note) bool { return n.Code == "rollout_spans_windows" })
		if !noted {
			t.Error("the plan does not say that the rollout cannot end within the window")
		}
		f.rounds(t, 60)
		if got := stageOf(t, f); got != "change 3/3" || len(f.behind(5)) != 5 {
			t.Errorf("after the window the rollout is %s, %d behind", got, len(f.behind(5)))
		}
		time.Sleep(22*time.Hour + 55*time.Minute)
		f.rounds(t, 40)
		if got := stageOf(t, f); got != "done 3/3" || len(f.behind(5)) != 0 {
			t.Errorf("a day later the rollout is %s, %d behind", got, len(f.behind(5)))
		}
	})
}

// TestOneWindow: with span_windows: false nothing begins that could not end.
func TestOneWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 10, awssim.Options{Settle: 2 * time.Second})
		parse := func(text string) window.Window {
			w, err := window.Parse(text, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		f.spreads(func(e *desired.Environment) {
			e.Calendar.Windows = []window.Window{parse("daily 00:00-00:12 UTC"), parse("daily 05:00-06:00 UTC")}
			e.Rollout = desired.Rollout{Waves: waves(2, 5), Bake: 8 * time.Minute, MustFitWindow: true}
		})
		r := f.rounds(t, 5)
		for _, s := range r.Plans[0].Regions[0].Steps {
			if s.Held == nil || s.Held.By != plan.ByWindow || s.Held.Until.Hour() != 5 {
				t.Errorf("%s is held %+v, want by the window until 05:00", s.ID, s.Held)
			}
		}
		time.Sleep(4*time.Hour + 50*time.Minute)
		f.rounds(t, 70)
		if got := stageOf(t, f); got != "done 3/3" {
			t.Errorf("after the long window the rollout is %s", got)
		}
	})
}

// TestNewerCommitTakesOver at the end of a wave; and when it fails, all goes back
// to what was before the first of the two.
func TestNewerCommitTakesOver(t *testing.T) {
	for name, breaks := range map[string]bool{"well": false, "breaks": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 10, awssim.Options{Settle: 2 * time.Second})
				rules := desired.Rollout{Waves: waves(2, 5), Bake: 8 * time.Minute, SmokeTests: []desired.SmokeTest{smoke}}
				f.spreads(func(e *desired.Environment) { e.Rollout = rules })
				f.world.PutLayerVersion(awssim.LayerVersion{Name: "common", Description: "v1.6.0"})
				if breaks {
					f.breaks(6)
				}
				before := f.world.Functions()
				f.rounds(t, 3)
				f.want("1.6.0")
				f.spreads(func(e *desired.Environment) { e.Rollout = rules })
				f.rounds(t, 3)
				if got := f.rollout(t); got.Stage != rollout.StageBake || len(f.behind(6)) != 10 {
					t.Errorf("the first wave is not watched to its end: %+v, %d behind", got, len(f.behind(6)))
				}
				f.rounds(t, 60)
				switch {
				case breaks:
					for i, fn := range f.world.Functions() {
						if !slices.Equal(fn.Layers, before[i].Layers) {
							t.Errorf("%s has %v, and had %v before both", fn.Name, fn.Layers, before[i].Layers)
						}
					}
					if got := stageOf(t, f); got != "rolled_back 1/3" {
						t.Errorf("the rollout is %s", got)
					}
				case len(f.behind(6)) != 0:
					t.Errorf("%v are behind, the rollout is %s", f.behind(6), stageOf(t, f))
				}
			})
		})
	}
}

// TestRegionsOneAfterTheOther
func TestRegionsOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 4, awssim.Options{Settle: 2 * time.Second})
		const second = "us-west-2"
		for n := 1; n <= 5; n++ {
			f.world.PutLayerVersion(awssim.LayerVersion{Region: second, Name: "common", Description: fmt.Sprintf("v1.%d.0", n)})
		}
		for i := range 4 {
			f.world.PutFunction(awssim.Function{Region: second, Name: fmt.Sprintf("makoto-%04d", i), Layers: []string{
				strings.Replace(f.world.LayerARN("common", 4), region, second, 1),
			}})
		}
		f.spreads(func(e *desired.Environment) {
			e.Rollout = desired.Rollout{Waves: waves(1), Bake: 5 * time.Minute}
		})
		west := f.tree.Environments[0]
		west.Region = second
		west.Layers = slices.Clone(west.Layers)
		west.Layers[0].Layer = state.NewLayerARN("aws", second, accountID, "common")
		f.tree.Environments = append(f.tree.Environments, west)
		r := f.rounds(t, 1)
		for _, s := range r.Plans[0].Regions[1].Steps {
			if s.Held == nil || s.Held.By != plan.ByOrder {
				t.Errorf("%s in %s is held %+v", s.ID, second, s.Held)
			}
		}
		began := time.Now()
		f.through(t)
		if took := time.Since(began); took < 18*time.Minute || took > 25*time.Minute {
			t.Errorf("two Regions with two waves and a bake of five minutes took %s", took)
		}
		for _, fn := range f.world.Functions() {
			if strings.HasPrefix(fn.Name, "makoto") && !strings.HasSuffix(fn.Layers[slices.IndexFunc(fn.Layers, func(l string) bool { return strings.Contains(l, ":common:") })], ":5") {
				t.Errorf("%s in %s has %v", fn.Name, fn.Region, fn.Layers)
			}
		}
	})
}

// TestRollbackByHandGivesCallersTheOldVersionFirst: a person returns one layer; it passes closed windows, its
// neighbours stay, and Git's version does not come back until Git asks for
// another.
func TestRollbackByHandGivesCallersTheOldVersionFirst(t *testing.T) {
	for name, alias := range map[string]string{"lists": "", "alias": "live"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 10, awssim.Options{Settle: 2 * time.Second})
				if alias != "" {
					for i := range 10 {
						fn := fmt.Sprintf("makoto-%04d", i)
						f.world.PutAlias(awssim.Alias{Function: fn, Name: alias, Version: f.world.PutVersion(fn)})
					}
				}
				f.spreads(func(e *desired.Environment) { e.Alias = alias })
				before := f.world.Functions()
				f.through(t)
				if left := f.behind(5); len(left) != 0 {
					t.Fatalf("%v are behind", left)
				}
				f.spreads(func(e *desired.Environment) {
					w, err := window.Parse("daily 12:00-13:00 UTC", time.UTC)
					if err != nil {
						t.Fatal(err)
					}
					e.Calendar.Windows, e.ApprovalRequired, e.Observe = []window.Window{w}, true, true
				})
				_, err := history.Open(f.store, "test").Rulings().Quarantine(t.Context(), ruling.Quarantine{
					Environment: "prod", Region: region, Layer: f.tree.Environments[0].Layers[0].Layer, Name: "common", Number: 5,
					RevertTo: 4, ByPerson: true, By: "sato", Reason: "errors in chat", At: time.Now(),
				})
				if err != nil {
					t.Fatal(err)
				}
				f.world.ResetCalls()
				f.through(t)
				for i, fn := range f.world.Functions() {
					if !slices.Equal(fn.Layers, before[i].Layers) {
						t.Errorf("%s has %v, and had %v", fn.Name, fn.Layers, before[i].Layers)
					}
				}
				if alias != "" {
					checkAliasesFirst(t, f, alias)
				}
				f.world.ResetCalls()
				if r := f.through(t); f.world.Writes() != 0 || r.Plans[0].Regions[0].InSync {
					t.Errorf("the next round wrote %d times", f.world.Writes())
				}
			})
		})
	}
}

func checkAliasesFirst(t *testing.T, f *fixture, alias string) {
	t.Helper()
	lists := false
	for _, c := range f.world.Calls() {
		switch c.Operation {
		case "UpdateFunctionConfiguration":
			lists = true
		case "UpdateAlias":
			if lists {
				t.Error("an alias was moved after a list")
			}
		case "PublishVersion":
			t.Error("a version was published although the old one is there")
		}
	}
	for i := range 10 {
		fn := fmt.Sprintf("makoto-%04d", i)
		if a, _ := f.world.Alias(fn, alias); a.Version != "1" {
			t.Errorf("%s: %s is %+v", fn, alias, a)
		}
	}
}

// TestCanary: callers get the new version in part, then whole; and a bad one
// only ever in part.
func TestCanary(t *testing.T) {
	for name, bad := range map[string]bool{"well": false, "bad": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
				for i := range 6 {
					fn := fmt.Sprintf("makoto-%04d", i)
					f.world.PutAlias(awssim.Alias{Function: fn, Name: "live", Version: f.world.PutVersion(fn)})
				}
				f.spreads(func(e *desired.Environment) {
					e.Alias = "live"
					e.Rollout = desired.Rollout{
						Waves: waves(2), Bake: 5 * time.Minute, Alarms: []string{"errors"}, Canary: &desired.Canary{Weight: 0.1, Bake: 5 * time.Minute},
					}
				})
				f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "OK"})
				before := f.world.Functions()
				f.rounds(t, 2)
				weighted := 0
				for i := range 6 {
					a, _ := f.world.Alias(fmt.Sprintf("makoto-%04d", i), "live")
					if a.Version == "1" && a.Weights["2"] == 0.1 {
						weighted++
					}
				}
				if weighted != 2 {
					t.Errorf("%d aliases have a canary, want 2", weighted)
				}
				if bad {
					f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "ALARM"})
				}
				f.rounds(t, 30)
				for i, fn := range f.world.Functions() {
					if !strings.HasPrefix(fn.Name, "makoto") {
						continue
					}
					a, _ := f.world.Alias(fn.Name, "live")
					want := "2"
					if bad {
						want = "1"
						if !slices.Equal(fn.Layers, before[i].Layers) {
							t.Errorf("%s has %v, and had %v", fn.Name, fn.Layers, before[i].Layers)
						}
					}
					if a.Version != want || len(a.Weights) != 0 {
						t.Errorf("%s: live is %+v, want %s", fn.Name, a, want)
					}
				}
				if got := stageOf(t, f); got != map[bool]string{true: "rolled_back 1/2", false: "done 2/2"}[bad] {
					t.Errorf("the rollout is %s: %+v", got, f.rollout(t))
				}
			})
		})
	}
}

// TestCanaryOfNobody: where no function has the alias no calls are shared out,
// and nobody waits for them. The result of an apply that followed a rollout
// through says that it is.
func TestCanaryOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		f.spreads(func(e *desired.Environment) {
			e.Alias = "live"
			e.Rollout = desired.Rollout{Waves: waves(2), Bake: 5 * time.Minute, Canary: &desired.Canary{Weight: 0.1, Bake: time.Hour}}
		})
		r := f.through(t)
		ro := f.rollout(t)
		if ro == nil || ro.Stage != rollout.StageDone || ro.Ended.Sub(ro.Begun) >= time.Hour {
			t.Errorf("the rollout is %+v, want it done after two bakes of 5m", ro)
		}
		if got := r.Plans[0].Regions[0].Rollout; got == nil || got.Stage != rollout.StageDone {
			t.Errorf("the result has %+v, want a rollout that is done", got)
		}
	})
}

// TestVersionThatDoesNotStart: a layer that breaks the snapshot is noticed before
// any caller meets it.
func TestVersionThatDoesNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second, SnapStart: 2 * time.Minute})
		for i := range 6 {
			fn := fmt.Sprintf("makoto-%04d", i)
			f.world.EditFunction(fn, func(fn *awssim.Function) { fn.SnapStart = true })
			f.world.PutAlias(awssim.Alias{Function: fn, Name: "live", Version: f.world.PutVersion(fn)})
		}
		time.Sleep(10 * time.Minute)
		f.world.FailSnapshotsWith(f.world.LayerARN("common", 5), "FunctionError", "cannot import common")
		f.spreads(func(e *desired.Environment) {
			e.Alias = "live"
			e.Rollout = desired.Rollout{Waves: waves(1)}
		})
		before := f.world.Functions()
		f.rounds(t, 10)
		for i, fn := range f.world.Functions() {
			if !slices.Equal(fn.Layers, before[i].Layers) {
				t.Errorf("%s has %v, and had %v", fn.Name, fn.Layers, before[i].Layers)
			}
			if a, ok := f.world.Alias(fn.Name, "live"); ok && a.Version != "1" {
				t.Errorf("%s: live is %+v", fn.Name, a)
			}
		}
		if ro := f.rollout(t); ro == nil || ro.Stage != rollout.StageRolledBack || !strings.Contains(ro.Reason, "cannot import common") {
			t.Errorf("the rollout is %+v", ro)
		}
	})
}

// TestTugOfWar: what another writer keeps changing back is left alone after
// three rounds. Who that is, is told (tell_rollout_test.go).
func TestTugOfWar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 3, awssim.Options{Settle: 2 * time.Second})
		f.through(t)
		var r round.Result
		for range 8 {
			f.world.EditFunctionAs("terraform", "makoto-0001", func(fn *awssim.Function) {
				fn.Layers[slices.Index(fn.Layers, f.world.LayerARN("common", 5))] = f.world.LayerARN("common", 3)
			})
			r = f.rounds(t, 10)
			if len(f.behind(5)) > 0 {
				break
			}
		}
		if n := f.world.Count("UpdateFunctionConfiguration"); n != 3+3 {
			t.Errorf("%d updates: three functions, and three heals", n)
		}
		steps := r.Plans[0].Regions[0].Steps
		if len(steps) != 1 || steps[0].Held == nil || steps[0].Held.By != plan.ByTugOfWar {
			t.Fatalf("steps are %+v", steps)
		}
		for _, word := range []string{"3 times", "ignore_changes"} {
			if !strings.Contains(steps[0].Held.Reason, word) {
				t.Errorf("%q does not say %q", steps[0].Held.Reason, word)
			}
		}
	})
}

// TestACommitDuringTheLastBake: a rollout that has reached all functions and is
// well is complete, although Git has gone on meanwhile; what breaks then goes back
// to it, and not to what was before.
func TestACommitDuringTheLastBake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 6, awssim.Options{Settle: 2 * time.Second})
		rules := desired.Rollout{Waves: waves(2), Bake: 8 * time.Minute, SmokeTests: []desired.SmokeTest{smoke}}
		f.spreads(func(e *desired.Environment) { e.Rollout = rules })
		f.world.PutLayerVersion(awssim.LayerVersion{Name: "common", Description: "v1.6.0"})
		f.breaks(6)
		f.rounds(t, 14)
		if len(f.behind(5)) != 0 || f.rollout(t).Stage != rollout.StageBake {
			t.Fatalf("the rollout is %s, %d behind", stageOf(t, f), len(f.behind(5)))
		}
		f.want("1.6.0")
		f.spreads(func(e *desired.Environment) { e.Rollout = rules })
		f.rounds(t, 30)
		if left := f.behind(5); len(left) != 0 {
			t.Errorf("%v went back further than to 5; the rollout is %s", left, stageOf(t, f))
		}
		if ro := f.rollout(t); ro.Stage != rollout.StageRolledBack || len(ro.Chain) != 0 {
			t.Errorf("the rollout is %+v", ro)
		}
	})
}

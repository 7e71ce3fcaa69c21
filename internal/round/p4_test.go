package round_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/round"
)

// setAlias changes an alias as a person in the console would.
func (f *fixture) setAlias(function string, edit func(*awssim.Alias)) {
	a, ok := f.world.Alias(function, "live")
	if !ok {
		f.t.Fatalf("%s has no alias", function)
	}
	a.Function, a.Name, a.RevisionID = function, "live", ""
	edit(&a)
	f.world.PutAlias(a)
}

// TestP4AnAliasOfOthersIsLeftAlone: in the bake of a canary a person changes the
// aliases of two functions, in each way there is. What does not carry exactly what
// layerd set is left as it is and named, and counts as on_unknown says; the others
// are not moved without that.
func TestP4AnAliasOfOthersIsLeftAlone(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	meddle := map[string]func(*fixture, string){
		"weight off": func(f *fixture, fn string) { f.setAlias(fn, func(a *awssim.Alias) { a.Weights = nil }) },
		"more weight": func(f *fixture, fn string) {
			f.setAlias(fn, func(a *awssim.Alias) { a.Weights = map[string]float64{"2": 0.5} })
		},
		"less weight": func(f *fixture, fn string) {
			f.setAlias(fn, func(a *awssim.Alias) { a.Weights = map[string]float64{"2": 0.05} })
		},
		"deleted":       func(f *fixture, fn string) { f.world.DropAlias(fn, "live") },
		"moved by hand": func(f *fixture, fn string) { f.setAlias(fn, func(a *awssim.Alias) { a.Version, a.Weights = "2", nil }) },
		"other version": func(f *fixture, fn string) {
			v := f.world.PutVersion(fn)
			f.setAlias(fn, func(a *awssim.Alias) { a.Weights = map[string]float64{v: 0.1} })
		},
		"moved elsewhere": func(f *fixture, fn string) {
			v := f.world.PutVersion(fn)
			f.setAlias(fn, func(a *awssim.Alias) { a.Version, a.Weights = v, nil })
		},
	}
	for name, do := range meddle {
		for _, reaction := range nightly.SampleOrCI([]desired.Reaction{desired.GoOn, desired.RollBack, "", desired.Halt}, 2) {
			for _, cached := range []bool{false, true} {
				if cached && reaction != desired.GoOn {
					continue
				}
				t.Run(fmt.Sprintf("P4 %s, on_unknown %s, cached %v", name, reaction, cached), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { tamper(t, do, reaction, cached) })
				})
			}
		}
	}
}

func tamper(t *testing.T, do func(*fixture, string), reaction desired.Reaction, cached bool) {
	f := newFixture(t, 8, awssim.Options{})
	for i := range 8 {
		name := fmt.Sprintf("makoto-%04d", i)
		f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
	}
	f.world.PutAlarm(awssim.Alarm{Name: "errors", State: "OK"})
	f.spreads(func(e *desired.Environment) {
		e.Alias = "live"
		e.Rollout = desired.Rollout{
			Bake: time.Minute, Alarms: []string{"errors"}, OnUnknown: reaction, Canary: &desired.Canary{Weight: 0.1, Bake: 5 * time.Minute},
		}
	})
	r := f.round()
	if cached {
		r.Cache = round.NewCache()
	}
	pass := func(d time.Duration) (last round.Result) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Minute) {
			var err error
			if last, err = r.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return last
	}
	pass(2 * time.Minute)
	bad := []string{"makoto-0002", "makoto-0005"}
	type alias struct {
		version string
		weights map[string]float64
	}
	set := func(name string) alias {
		a, _ := f.world.Alias(name, "live")
		return alias{a.Version, a.Weights}
	}
	for _, name := range bad {
		if a := set(name); a.weights["2"] != 0.1 {
			t.Fatalf("%s has no canary: %+v", name, a)
		}
		do(f, name)
	}
	before := map[string]alias{bad[0]: set(bad[0]), bad[1]: set(bad[1])}
	last := pass(30 * time.Minute)
	given := func(a alias) bool { return a.version == "2" || a.weights["2"] > 0 } // what goes back
	served := 0
	for _, name := range bad {
		if given(before[name]) && reaction == desired.RollBack {
			if given(set(name)) {
				t.Errorf("%s has the version still: %v", name, set(name))
			}
		} else if got := fmt.Sprint(set(name)); got != fmt.Sprint(before[name]) {
			t.Errorf("%s was moved from %v to %v", name, before[name], got)
		}
		if v, _ := f.world.Function(name + ":" + set(name).version); slices.Contains(v.Layers, f.world.LayerARN("common", 5)) {
			served++ // somebody has done by hand what Git asks for
		}
	}
	moved := 0
	for i := range 8 {
		if a := set(fmt.Sprintf("makoto-%04d", i)); a.version == "2" && len(a.weights) == 0 && !slices.Contains(bad, fmt.Sprintf("makoto-%04d", i)) {
			moved++
		}
	}
	ro := f.rollout(t)
	switch reaction {
	case desired.GoOn:
		if moved != 6 || ro.Open() {
			t.Errorf("%d of 6 were moved, and the rollout is %s", moved, ro.Stage)
		}
	case desired.RollBack:
		if moved != 0 || ro.Stage != rollout.StageRolledBack {
			t.Errorf("%d were moved, and the rollout is %s", moved, ro.Stage)
		}
	default:
		if moved != 0 || ro.Stage != rollout.StageHalted {
			t.Errorf("%d were moved, and the rollout is %s", moved, ro.Stage)
		}
	}
	if reaction != desired.RollBack && (served == 0 || reaction != desired.GoOn) {
		said := fmt.Sprint(last.Plans[0].Regions[0].Blocked) + ro.Reason + fmt.Sprint(ro.Findings)
		for _, name := range bad {
			if !strings.Contains(said, name) {
				t.Errorf("%s is not named: %s", name, said)
			}
		}
	}
}

package apply_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/apply/applytest"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

var live = state.Qualified{Function: "chat", Qualifier: "live"}

// served is a world in which chat has common 4 and is served through live at
// version 1, which has it as well.
func served() *applytest.World {
	before := list{vendor.Version(98), common.Version(4)}
	w := applytest.New(map[string]list{"chat": before})
	w.PutVersion("chat", "1", before...)
	w.PutAlias("chat", state.Alias{Name: "live", Version: "1"})
	return w
}

// serve lets the callers of chat have what the other steps do.
func serve(t *testing.T, w *applytest.World, before list) plan.Step {
	t.Helper()
	s, err := w.Served(t.Context(), live)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Step{
		ID: "serve/live/chat", Kind: plan.KindServe, Function: "chat", Layer: "makoto-common", Wave: 1, Cause: plan.CauseChange, List: before,
		Serving: &plan.Serving{Qualifier: "live", Served: s, Alias: w.Aliases()[live], Ours: []state.LayerARN{common}},
	}
}

// release is what a rollout does to a function with an alias.
func release(t *testing.T, w *applytest.World) *plan.Region {
	before := w.Lists()["chat"]
	return &plan.Region{Steps: []plan.Step{step("chat", common, 5, before), serve(t, w, before)}}
}

// back points live at version 1.
func back(t *testing.T, w *applytest.World) *plan.Region {
	s := serve(t, w, w.Lists()["chat"])
	s.Cause, s.Serving.Version = plan.CauseRollback, "1"
	return &plan.Region{Steps: []plan.Step{s}}
}

// released is a world after release.
func released(t *testing.T) *applytest.World {
	w := served()
	if err := carryOut(t.Context(), release(t, w), w, &notebook{}, apply.Options{}); err != nil {
		t.Fatal(err)
	}
	if a := w.Aliases()[live]; a.Version != "2" {
		t.Fatalf("live is %+v", a)
	}
	return w
}

// A version is frozen from what AWS has finished, is waited for, and only then
// do callers get it.
func TestServeKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := served()
		w.SnapStart("chat")
		w.PutAlias("chat", state.Alias{Name: "live", Version: "1", Provisioned: true})
		planned, n := release(t, w), &notebook{}
		seen := len(w.Calls(""))
		if err := carryOut(t.Context(), planned, w, n, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"Function chat", "SetLayers chat", "WaitUpdated chat", "Publish chat", "WaitActive chat:2",
			"MoveAlias chat:live", "WaitProvisioned chat:live", "Served chat:live",
		}
		if diff := cmp.Diff(want, slices.Compact(w.Calls("")[seen:])); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if a := w.Aliases()[live]; a.Version != "2" || a.Weights != nil {
			t.Errorf("live is %+v", a)
		}
		for id, status := range results(planned) {
			if status != "applied" {
				t.Errorf("%s is %s", id, status)
			}
		}
		if out := n.outcomes["0"]; out.AliasAfter != "2" || !slices.Equal(out.List, list{vendor.Version(98), common.Version(5)}) {
			t.Errorf("recorded %+v", out)
		}
	})
}

// What AWS cannot start never reaches callers, and is reported as what it is.
func TestAVersionThatFailsIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := served()
		w.SnapStart("chat")
		w.FailVersion("chat", "init crashed")
		planned, n := release(t, w), &notebook{}
		if err := carryOut(t.Context(), planned, w, n, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		r := resultOf(t, planned, "serve/live/chat")
		if r.Status != plan.StatusFailed || !r.Unwell || !strings.Contains(r.Error, "init crashed") {
			t.Errorf("result %+v", r)
		}
		if a := w.Aliases()[live]; a.Version != "1" || len(w.Faults()) > 0 {
			t.Errorf("live is %+v, faults %v", a, w.Faults())
		}
		if out := n.outcomes["0"]; out.AliasAfter != "" || !slices.Equal(out.List, w.Lists()["chat"]) || slices.Equal(out.List, planned.Steps[0].List) {
			t.Errorf("recorded %+v", out)
		}
	})
}

func TestUnreleasedWorkIsLeftAlone(t *testing.T) {
	for name, change := range map[string]func(*state.Function){
		"code":         func(f *state.Function) { f.CodeSHA256 = "new" },
		"settings":     func(f *state.Function) { f.Settings = state.NewSettings(map[string]string{"handler": "other.handler"}) },
		"other layers": func(f *state.Function) { f.Layers[0] = vendor.Version(97) },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := served()
			planned := release(t, w)
			decide := func(f state.Function) []plan.Step {
				again := planned.Steps[1]
				again.List = f.Layers
				return []plan.Step{step("chat", common, 5, f.Layers), again}
			}
			w.Change("chat", change)
			want := w.Lists()
			if err := carryOut(t.Context(), planned, w, &notebook{}, apply.Options{Decide: decide}); err != nil {
				t.Fatal(err)
			}
			checkWorld(t, w, want)
			if r := resultOf(t, planned, "serve/live/chat"); r.Status != plan.StatusSkipped || !strings.Contains(r.Error, name) || len(w.Calls("Publish")) > 0 {
				t.Errorf("%s: %+v, calls %v", name, r, w.Calls(""))
			}
		})
	}
}

// A share of the calls, then all of them: the second step finds the version
// published and the list in place.
func TestCanaryGetsAShareFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := served()
		n := &notebook{}
		planned := release(t, w)
		planned.Steps[1].Serving.Weight = 0.1
		if err := carryOut(t.Context(), planned, w, n, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		a := w.Aliases()[live]
		if a.Version != "1" || !maps.Equal(a.Weights, map[string]float64{"2": 0.1}) || n.outcomes["0"].AliasAfter != "2" {
			t.Fatalf("live is %+v, recorded %+v", a, n.outcomes["0"])
		}
		planned = &plan.Region{Steps: []plan.Step{serve(t, w, w.Lists()["chat"])}}
		if err := carryOut(t.Context(), planned, w, n, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		a = w.Aliases()[live]
		if a.Version != "2" || len(a.Weights) > 0 || len(w.Calls("SetLayers")) != 1 || len(w.Versions("chat")) != 2 {
			t.Errorf("live is %+v, calls %v", a, w.Calls(""))
		}
	})
}

// What runs on instances of the account has nothing to be pointed at.
func TestOwnInstancesAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := list{common.Version(4)}
		w := applytest.New(map[string]list{"chat": before})
		w.Change("chat", func(f *state.Function) { f.Managed = true })
		w.PutVersion("chat", "$LATEST.PUBLISHED", before...)
		q := state.Qualified{Function: "chat", Qualifier: "$LATEST.PUBLISHED"}
		s, err := w.Served(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		planned, n := &plan.Region{Steps: []plan.Step{step("chat", common, 5, before), {
			ID: "serve/$LATEST.PUBLISHED/chat", Kind: plan.KindServe, Function: "chat", Cause: plan.CauseChange, List: before,
			Serving: &plan.Serving{Qualifier: q.Qualifier, Served: s, Ours: []state.LayerARN{common}},
		}}}, &notebook{}
		if err := carryOut(t.Context(), planned, w, n, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		s, err = w.Served(t.Context(), q)
		if err != nil || !slices.Equal(s.Layers, list{common.Version(5)}) || n.outcomes["0"].AliasAfter != q.Qualifier || len(w.Calls("MoveAlias")) > 0 {
			t.Errorf("serves %+v, %v; recorded %+v", s, err, n.outcomes["0"])
		}
	})
}

// All callers have what worked before the first list is written, the list goes
// back to exactly what it was, and none at all is a list as well.
func TestGoingBackPointsEveryAliasFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a", "b", "c"}
		w := applytest.New(map[string]list{"a": {common.Version(5)}, "b": {common.Version(5), vendor.Version(2)}, "c": {common.Version(5)}})
		planned := &plan.Region{}
		was := map[string]list{"a": {}, "b": {vendor.Version(1), common.Version(4)}, "c": {common.Version(4)}}
		for _, name := range names {
			w.PutVersion(name, "1", was[name]...)
			w.PutVersion(name, "2", w.Lists()[name]...)
			w.PutAlias(name, state.Alias{Name: "live", Version: "2", Provisioned: name == "a"})
			q := state.Qualified{Function: name, Qualifier: "live"}
			s, err := w.Served(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			list := step(name, common, 4, w.Lists()[name])
			list.Kind, list.Cause, list.Whole = plan.KindRollback, plan.CauseRollback, was[name]
			planned.Steps = append(planned.Steps, list, plan.Step{
				ID: "serve/live/" + name, Kind: plan.KindServe, Function: name, Cause: plan.CauseRollback, List: w.Lists()[name],
				Serving: &plan.Serving{Qualifier: "live", Served: s, Alias: w.Aliases()[q], Version: "1"},
			})
		}
		if err := carryOut(t.Context(), planned, w, &notebook{}, apply.Options{Parallel: 1}); err != nil {
			t.Fatal(err)
		}
		checkWorld(t, w, was)
		for q, a := range w.Aliases() {
			if a.Version != "1" {
				t.Errorf("%s is %+v", q, a)
			}
		}
		var writes []string
		for _, c := range w.Calls("") {
			if op, _, _ := strings.Cut(c, " "); op == "MoveAlias" || op == "SetLayers" {
				writes = append(writes, op)
			}
		}
		if got := strings.Join(slices.Compact(writes), ", "); got != "MoveAlias, SetLayers" {
			t.Errorf("writes in the order %s", got)
		}
	})
}

// Ten functions on one slot: minutes of preparation, and of provisioned
// concurrency, hold up nobody else.
func TestWaitingForAVersionHoldsUpNobody(t *testing.T) {
	for name, inPlace := range map[string]bool{"new": false, "there": true} {
		synctest.Test(t, func(t *testing.T) {
			lists := map[string]list{}
			for i := range 10 {
				lists[fmt.Sprint("f", i)] = list{common.Version(4)}
			}
			w := applytest.New(lists)
			planned := &plan.Region{}
			for i := range 10 {
				f := fmt.Sprint("f", i)
				before := list{common.Version(4)}
				q := state.Qualified{Function: f, Qualifier: "live"}
				w.PutVersion(f, "1", list{common.Version(3)}...)
				w.PutAlias(f, state.Alias{Name: "live", Version: "1", Provisioned: true})
				w.SnapStart(f)
				s, err := w.Served(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				if !inPlace {
					planned.Steps = append(planned.Steps, step(f, common, 5, before))
				}
				planned.Steps = append(planned.Steps, plan.Step{
					ID: "serve/live/" + f, Kind: plan.KindServe, Function: f, Cause: plan.CauseChange, List: before,
					Serving: &plan.Serving{Qualifier: "live", Served: s, Alias: w.Aliases()[q], Ours: []state.LayerARN{common}},
				})
			}
			began := time.Now()
			if err := carryOut(t.Context(), planned, w, &notebook{}, apply.Options{Parallel: 1}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > applytest.Snapshot+applytest.Provision+2*applytest.Settle+10*time.Second {
				t.Errorf("%s: took %s", name, took)
			}
		})
	}
}

// witness sees what the calls of one function's change did, whatever was
// answered.
type witness struct {
	*applytest.World
	wrote, moved bool
}

func (w *witness) SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (string, error) {
	before := w.Lists()[name]
	id, err := w.World.SetLayers(ctx, name, layers, revision)
	w.wrote = w.wrote || !slices.Equal(before, layers) && slices.Equal(w.Lists()[name], layers)
	return id, err
}

func (w *witness) MoveAlias(ctx context.Context, q state.Qualified, version string, weights map[string]float64, revision string) (string, error) {
	before := w.Aliases()[q]
	id, err := w.World.MoveAlias(ctx, q, version, weights, revision)
	after := w.Aliases()[q]
	w.moved = w.moved || before.RevisionID != after.RevisionID && after.Version == version && maps.Equal(after.Weights, weights)
	return id, err
}

// trouble is what goes wrong at one call.
type trouble struct {
	name string
	do   bool
	kind state.Kind               // of the answer
	also func(w *applytest.World) // what else happens just before the call
	// stops ends the run's context at the call.
	stops bool
	// forever makes it so from that call on.
	forever bool
}

// truth is no kind: the answer is what happened.
const truth state.Kind = -1

var troubles = []trouble{
	{name: "throttled", kind: state.Again},
	{name: "throttled for ever", kind: state.Again, forever: true},
	{name: "refused", kind: state.Human},
	{name: "refused for ever", kind: state.Human, forever: true},
	{name: "in progress", kind: state.LookAgain},
	{name: "lost before", kind: state.Unsure},
	{name: "lost after", do: true, kind: state.Unsure},
	{name: "lost for ever", kind: state.Unsure, forever: true},
	{name: "lost after, for ever", do: true, kind: state.Unsure, forever: true},
	{name: "gone", kind: state.Gone},
	{name: "stopped", do: true, kind: truth, stops: true},
	{name: "stopped, and lost", do: true, kind: state.Unsure, stops: true},
	{name: "stopped, and cut off for ever", kind: state.Stopped, stops: true, forever: true},
	{name: "cut off after", do: true, kind: state.Stopped, stops: true, forever: true},
	{name: "somebody moved the alias", do: true, kind: truth, also: func(w *applytest.World) {
		w.PutVersion("chat", "7", common.Version(1))
		w.PutAlias("chat", state.Alias{Name: "live", Version: "7"})
	}},
	{name: "somebody gave weights", do: true, kind: truth, also: func(w *applytest.World) {
		w.PutVersion("chat", "7", common.Version(1))
		w.PutAlias("chat", state.Alias{Name: "live", Version: w.Aliases()[live].Version, Weights: map[string]float64{"7": 0.5}})
	}},
	{name: "somebody described the alias", do: true, kind: truth, also: func(w *applytest.World) { w.PutAlias("chat", w.Aliases()[live]) }},
	{name: "somebody changed the code", do: true, kind: truth, also: func(w *applytest.World) { w.Change("chat", func(f *state.Function) { f.CodeSHA256 = "new" }) }},
	{name: "somebody added a layer", do: true, kind: truth, also: func(w *applytest.World) {
		w.Change("chat", func(f *state.Function) {
			f.Layers = append(slices.DeleteFunc(slices.Clone(f.Layers), func(v state.LayerVersionARN) bool { return v.Layer() == extra }), extra.Version(1))
		})
	}},
	{name: "somebody tagged it", do: true, kind: truth, also: func(w *applytest.World) { w.Change("chat", func(*state.Function) {}) }},
	{name: "the version fails", do: true, kind: truth, also: func(w *applytest.World) { w.FailVersion("chat", "init crashed") }},
	{name: "the update fails", do: true, kind: truth, also: func(w *applytest.World) { w.FailNext("chat", "no such key") }},
}

// TestTheRecordAgreesWithTheWorld lets each thing go wrong at each call of each
// kind of change. Whatever happens: an applied record means that callers have
// what was meant; a skipped one that nothing was changed; a failed one has the
// list there is, and the version that the alias was moved to; and a record has no
// end only where an answer was lost.
func TestTheRecordAgreesWithTheWorld(t *testing.T) {
	stories := map[string]struct {
		world func(*testing.T) *applytest.World
		plan  func(*testing.T, *applytest.World) *plan.Region
		alias string
	}{
		"release": {func(*testing.T) *applytest.World { return served() }, release, "2"},
		"snapstart, provisioned": {func(*testing.T) *applytest.World {
			w := served()
			w.SnapStart("chat")
			w.PutAlias("chat", state.Alias{Name: "live", Version: "1", Provisioned: true})
			return w
		}, release, "2"},
		"canary": {func(*testing.T) *applytest.World { return served() }, func(t *testing.T, w *applytest.World) *plan.Region {
			planned := release(t, w)
			planned.Steps[1].Serving.Weight = 0.1
			return planned
		}, "2"},
		"alias only": {func(*testing.T) *applytest.World {
			w := served()
			w.Change("chat", func(f *state.Function) { f.Layers = list{vendor.Version(98), common.Version(5)} })
			return w
		}, func(t *testing.T, w *applytest.World) *plan.Region {
			return &plan.Region{Steps: []plan.Step{serve(t, w, w.Lists()["chat"])}}
		}, "2"},
		"alias back": {released, back, "1"},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			cases := 0
			for _, tr := range troubles {
				for n := 1; ; n++ {
					reached := false
					synctest.Test(t, func(t *testing.T) {
						w := &witness{World: story.world(t)}
						planned, book := story.plan(t, w.World), &notebook{}
						before := w.Lists()["chat"]
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						calls := 0
						w.Hook = func(op, what string) (bool, error) {
							calls++
							if calls != n && (!tr.forever || calls < n) {
								return true, nil
							}
							reached = true
							if tr.also != nil {
								tr.also(w.World)
							}
							if tr.stops {
								cancel()
							}
							if tr.kind == state.Gone && what == "chat" {
								w.Remove("chat")
							}
							if tr.kind == truth {
								return tr.do, nil
							}
							return tr.do, &state.Error{Op: op, Resource: what, Kind: tr.kind, Message: tr.name}
						}
						decide := func(f state.Function) []plan.Step {
							var steps []plan.Step
							for _, s := range planned.Steps {
								s.List = f.Layers
								if s.Kind != plan.KindServe {
									s.From = f.Layers.Of(s.LayerARN)
									if s.From == s.To {
										continue
									}
								}
								steps = append(steps, s)
							}
							return steps
						}
						_ = carryOut(ctx, planned, w, book, apply.Options{Decide: decide}) // an error is only that it was stopped
						w.Hook = nil
						judge(t, fmt.Sprintf("%s, call %d", tr.name, n), w, book, tr, story.alias, before)
					})
					if !reached {
						break
					}
					cases++
				}
			}
			if cases < 2*len(troubles) {
				t.Errorf("only %d cases", cases)
			}
		})
	}
}

func judge(t *testing.T, where string, w *witness, book *notebook, tr trouble, meant string, before list) {
	t.Helper()
	if f := w.Faults(); len(f) > 0 {
		t.Errorf("%s: faults %v", where, f)
	}
	lost := tr.kind == state.Unsure || tr.kind == state.Stopped || tr.stops || tr.forever
	lost = lost || tr.name == "refused" && w.wrote // how the update ended may not be asked
	if len(book.open) > 0 && !lost {
		t.Errorf("%s: a record has no end", where)
	}
	now, exists := w.Lists()["chat"]
	if !exists {
		return
	}
	alias := w.Aliases()[live]
	moved := alias.Version == meant || alias.Weights[meant] > 0
	ids := slices.Sorted(maps.Keys(book.outcomes))
	said := false // that something was done
	for i, id := range ids {
		out := book.outcomes[id]
		last := i == len(ids)-1 && len(book.open) == 0
		switch {
		case out.Status == plan.StatusApplied && last && tr.also == nil && (!moved || !slices.ContainsFunc(now, func(v state.LayerVersionARN) bool { return v == common.Version(5) })):
			t.Errorf("%s: applied, and the list is %v and the alias %+v", where, now, alias)
		case out.Status == plan.StatusApplied && out.Error == "" && out.AliasAfter != meant:
			t.Errorf("%s: applied, and recorded is %+v", where, out)
		case last && tr.also == nil && out.List != nil && !slices.Equal(out.List, now):
			t.Errorf("%s: the list is %v, and recorded %v", where, now, out.List)
		case out.AliasAfter != "" && tr.also == nil && !moved:
			t.Errorf("%s: recorded is %s as moved to, and the alias is %+v", where, out.AliasAfter, alias)
		}
		said = said || out.Status != plan.StatusSkipped && !(out.Status == plan.StatusFailed && out.AliasAfter == "" && out.List != nil && slices.Equal(out.List, before))
		if last && w.moved && out.AliasAfter == "" && tr.also == nil {
			t.Errorf("%s: the alias was moved, and recorded is %+v", where, out)
		}
	}
	if (w.wrote || w.moved) && !said && len(book.open) == 0 {
		t.Errorf("%s: something was changed (list %v, alias %v), and the records say nothing was: %+v", where, w.wrote, w.moved, book.outcomes)
	}
	if made := len(w.Versions("chat")); made > 3 || tr.also == nil && made > 2 {
		t.Errorf("%s: %d versions", where, made)
	}
}

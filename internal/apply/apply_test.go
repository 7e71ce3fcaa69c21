package apply_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/apply/applytest"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

type list = []state.LayerVersionARN

var (
	common = state.NewLayerARN("aws", "ap-northeast-1", "123456789012", "makoto-common")
	extra  = state.NewLayerARN("aws", "ap-northeast-1", "123456789012", "makoto-extra")
	vendor = state.LayerARN("arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog")
)

// step moves function from its place in before to version n of layer; 0 = none.
func step(function string, layer state.LayerARN, n int64, before list) plan.Step {
	s := plan.Step{Kind: plan.KindAttach, Layer: layer.Name(), LayerARN: layer, Function: function, Wave: 1, Cause: plan.CauseChange, List: before}
	s.From = state.Layers(before).Of(layer)
	if n > 0 {
		s.To = layer.Version(n)
	} else {
		s.Kind = plan.KindDetach
	}
	s.ID = fmt.Sprintf("%s/%s/%s", s.Kind, s.Layer, function)
	return s
}

func prune(layer state.LayerARN, n int64) plan.Step {
	return plan.Step{
		ID: fmt.Sprintf("prune/%s/%d", layer.Name(), n), Kind: plan.KindPrune, Layer: layer.Name(), LayerARN: layer,
		From: layer.Version(n), Cause: plan.CauseRetention,
	}
}

// notebook is a Recorder that keeps to the order of things: it can be told to
// fail, and knows which intents are open.
type notebook struct {
	mu       sync.Mutex
	lines    []string // "begin chat", "finish chat applied"
	open     map[string]apply.Intent
	outcomes map[string]apply.Outcome
	begin    func(apply.Intent) error // nil: works
	finish   func() error
}

func (n *notebook) Begin(ctx context.Context, in apply.Intent) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if n.begin != nil {
		if err := n.begin(in); err != nil {
			return "", err
		}
	}
	if n.open == nil {
		n.open, n.outcomes = map[string]apply.Intent{}, map[string]apply.Outcome{}
	}
	id := fmt.Sprint(len(n.lines))
	n.open[id] = in
	n.lines = append(n.lines, "begin "+nameOf(in))
	return id, nil
}

func (n *notebook) Finish(ctx context.Context, id string, out apply.Outcome) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if n.finish != nil {
		if err := n.finish(); err != nil {
			return err
		}
	}
	in, ok := n.open[id]
	if !ok {
		return fmt.Errorf("finish %s: not open", id)
	}
	n.lines = append(n.lines, fmt.Sprintf("finish %s %s", nameOf(in), out.Status))
	n.outcomes[id] = out
	delete(n.open, id)
	return nil
}

func nameOf(in apply.Intent) string {
	if in.Function() != "" {
		return in.Function()
	}
	return in.Steps[0].ID
}

// carryOut runs apply and puts what became of the steps in the place of the plan's,
// which Run itself does not touch.
func carryOut(ctx context.Context, planned *plan.Region, cloud apply.Cloud, rec apply.Recorder, o apply.Options) error {
	before := slices.Clone(planned.Steps)
	steps, err := apply.Run(ctx, *planned, cloud, rec, o)
	if !reflect.DeepEqual(before, planned.Steps) {
		panic("Run has written to the plan")
	}
	planned.Steps = steps
	return err
}

func results(planned *plan.Region) map[string]string {
	got := map[string]string{}
	for _, s := range planned.Steps {
		if s.Result == nil {
			got[s.ID] = "no result"
			continue
		}
		got[s.ID] = string(s.Result.Status)
	}
	return got
}

func resultOf(t *testing.T, planned *plan.Region, id string) plan.Result {
	t.Helper()
	for _, s := range planned.Steps {
		if s.ID == id && s.Result != nil {
			return *s.Result
		}
	}
	t.Fatalf("%s has no result", id)
	return plan.Result{}
}

func checkWorld(t *testing.T, w *applytest.World, want map[string]list) {
	t.Helper()
	if diff := cmp.Diff(want, w.Lists()); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
	if f := w.Faults(); len(f) > 0 {
		t.Errorf("faults: %v", f)
	}
}

// wantCommon decides like a plan that wants one version of common everywhere.
func wantCommon(n int64) func(state.Function) []plan.Step {
	return func(f state.Function) []plan.Step {
		if f.Layers.Number(common) == n {
			return nil
		}
		return []plan.Step{step(f.Name, common, n, f.Layers)}
	}
}

func TestOneWriteForAllLayersOfAFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := list{vendor.Version(9), common.Version(3)}
		w := applytest.New(map[string]list{"chat": before, "mail": nil})
		held := step("mail", common, 4, nil)
		held.Held = &plan.Held{By: plan.ByWindow}
		planned := &plan.Region{Steps: []plan.Step{
			step("chat", common, 4, before), step("chat", extra, 1, before), held,
		}}
		n := &notebook{}
		var progress []apply.Progress
		err := carryOut(t.Context(), planned, w, n, apply.Options{Progress: func(p apply.Progress) { progress = append(progress, p) }})
		if err != nil {
			t.Fatal(err)
		}
		checkWorld(t, w, map[string]list{"chat": {vendor.Version(9), common.Version(4), extra.Version(1)}, "mail": nil})
		if got := w.Calls("SetLayers"); len(got) != 1 {
			t.Errorf("writes: %v", got)
		}
		want := map[string]string{
			"attach/makoto-common/chat": "applied", "attach/makoto-extra/chat": "applied", "attach/makoto-common/mail": "held",
		}
		if diff := cmp.Diff(want, results(planned)); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		if r := resultOf(t, planned, "attach/makoto-common/chat"); r.RequestID == "" {
			t.Error("no request id")
		}
		if diff := cmp.Diff([]string{"begin chat", "finish chat applied"}, n.lines); diff != "" {
			t.Errorf("record (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]apply.Progress{{Done: 1, Total: 1, Name: "chat", Status: "applied"}}, progress); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
		// At most five reads of one function (DESIGN section 7).
		if reads := len(w.Calls("Function")) + len(w.Calls("WaitUpdated")); reads > 5 {
			t.Errorf("%d reads", reads)
		}
	})
}

// TestInHand: max_parallel counts a function until it has settled.
func TestInHand(t *testing.T) {
	for most, want := range map[int]int{1: 1, 3: 3, 0: 8} {
		synctest.Test(t, func(t *testing.T) {
			lists := map[string]list{}
			var p plan.Region
			for i := range 8 {
				name := fmt.Sprint("f", i)
				lists[name] = list{common.Version(1)}
				p.Steps = append(p.Steps, step(name, common, 2, lists[name]))
			}
			w := applytest.New(lists)
			var mu sync.Mutex
			open, peak := 0, 0
			count := func(n int) {
				mu.Lock()
				defer mu.Unlock()
				open += n
				peak = max(peak, open)
			}
			rec := &notebook{begin: func(apply.Intent) error { count(1); return nil }, finish: func() error { count(-1); return nil }}
			if err := carryOut(t.Context(), &p, w, rec, apply.Options{InHand: most}); err != nil {
				t.Fatal(err)
			}
			if peak != want {
				t.Errorf("InHand %d: %d functions were in hand at once, want %d", most, peak, want)
			}
		})
	}
}

func TestPeer4_DetachTheLastLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := list{common.Version(3)}
		w := applytest.New(map[string]list{"chat": before})
		planned := &plan.Region{Steps: []plan.Step{step("chat", common, 0, before)}}
		if err := carryOut(t.Context(), planned, w, &notebook{}, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		checkWorld(t, w, map[string]list{"chat": {}})
	})
}

func TestPeer7_SecondRunWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applytest.New(map[string]list{"chat": nil})
		for range 2 {
			planned := &plan.Region{Steps: []plan.Step{step("chat", common, 4, nil)}}
			n := &notebook{}
			if err := carryOut(t.Context(), planned, w, n, apply.Options{Decide: wantCommon(4)}); err != nil {
				t.Fatal(err)
			}
			if r := resultOf(t, planned, "attach/makoto-common/chat"); r.Error != "" {
				t.Errorf("result: %+v", r)
			}
		}
		if got := w.Calls("SetLayers"); len(got) != 1 {
			t.Errorf("writes: %v", got)
		}
	})
}

func TestPeer8_OneBadFunctionDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applytest.New(map[string]list{"a": nil, "b": nil, "c": nil, "d": nil})
		w.Hook = func(op, name string) (bool, error) {
			switch {
			case name == "a" && op == "SetLayers":
				return false, &state.Error{Op: op, Kind: state.Human, Message: "denied", RequestID: "r-1"}
			case name == "b" && op == "Function":
				panic("a bug")
			}
			return true, nil
		}
		w.FailNext("c", "the role is gone")
		planned := &plan.Region{}
		for _, name := range []string{"a", "b", "c", "d"} {
			planned.Steps = append(planned.Steps, step(name, common, 4, nil))
		}
		n := &notebook{}
		if err := carryOut(t.Context(), planned, w, n, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"attach/makoto-common/a": "failed", "attach/makoto-common/b": "failed", "attach/makoto-common/c": "failed", "attach/makoto-common/d": "applied",
		}
		if diff := cmp.Diff(want, results(planned)); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		for id, text := range map[string]string{"a": "denied", "b": "panic: a bug", "c": "the role is gone"} {
			if r := resultOf(t, planned, "attach/makoto-common/"+id); !strings.Contains(r.Error, text) {
				t.Errorf("%s: %+v", id, r)
			}
		}
		if r := resultOf(t, planned, "attach/makoto-common/a"); r.RequestID != "r-1" {
			t.Errorf("a: %+v", r)
		}
		if len(n.open) != 0 {
			t.Errorf("open records: %v", n.open)
		}
	})
}

// once makes the nth call of op fail so, and lets all others through.
func once(op string, do bool, err error, also ...func()) func(string, string) (bool, error) {
	var mu sync.Mutex
	done := false
	return func(o, _ string) (bool, error) {
		mu.Lock()
		first := o == op && !done
		done = done || first
		mu.Unlock()
		if !first {
			return true, nil
		}
		for _, f := range also {
			f()
		}
		return do, err
	}
}

func TestAnswersThatAreNotTheEnd(t *testing.T) {
	before := list{vendor.Version(9), common.Version(3)}
	after := list{vendor.Version(9), common.Version(4)}
	kind := func(k state.Kind) error { return &state.Error{Op: "op", Kind: k, Message: k.String()} }
	for _, tt := range []struct {
		name   string
		hook   func(w *applytest.World) func(string, string) (bool, error)
		status plan.Status
		text   string // part of the error
		writes int
		want   list
		lines  []string
	}{
		{
			name: "the answer was lost and it happened",
			hook: func(*applytest.World) func(string, string) (bool, error) {
				return once("SetLayers", true, kind(state.Unsure))
			},
			status: plan.StatusApplied, writes: 1, want: after, lines: []string{"begin chat", "finish chat applied"},
		},
		{
			name: "the answer was lost and it did not happen",
			hook: func(*applytest.World) func(string, string) (bool, error) {
				return once("SetLayers", false, kind(state.Unsure))
			},
			status: plan.StatusApplied, writes: 2, want: after, lines: []string{"begin chat", "finish chat applied"},
		},
		{
			name: "throttled",
			hook: func(*applytest.World) func(string, string) (bool, error) {
				return once("SetLayers", false, kind(state.Again))
			},
			status: plan.StatusApplied, writes: 2, want: after, lines: []string{"begin chat", "finish chat applied"},
		},
		{
			name: "the read is throttled",
			hook: func(*applytest.World) func(string, string) (bool, error) {
				return once("Function", false, kind(state.Again))
			},
			status: plan.StatusApplied, writes: 1, want: after, lines: []string{"begin chat", "finish chat applied"},
		},
		{
			name: "waiting is cut off",
			hook: func(*applytest.World) func(string, string) (bool, error) {
				return once("WaitUpdated", false, kind(state.Again))
			},
			status: plan.StatusApplied, writes: 1, want: after, lines: []string{"begin chat", "finish chat applied"},
		},
		{
			name: "a tag was changed between read and write",
			hook: func(w *applytest.World) func(string, string) (bool, error) {
				return once("SetLayers", true, nil, func() { w.Change("chat", func(f *state.Function) { f.Tags = map[string]string{"team": "x"} }) })
			},
			status: plan.StatusApplied, writes: 2, want: after, lines: []string{"begin chat", "finish chat applied"},
		},
		{
			name: "a neighbour was attached between read and write",
			hook: func(w *applytest.World) func(string, string) (bool, error) {
				return once("SetLayers", true, nil, func() { w.Change("chat", func(f *state.Function) { f.Layers = append(f.Layers, extra.Version(7)) }) })
			},
			status: plan.StatusApplied, writes: 2, want: append(slices.Clone(after), extra.Version(7)),
			lines: []string{"begin chat", "finish chat skipped", "begin chat", "finish chat applied"},
		},
		{
			name: "somebody else did it between plan and read",
			hook: func(w *applytest.World) func(string, string) (bool, error) {
				return once("Function", true, nil, func() { w.Change("chat", func(f *state.Function) { f.Layers = after }) })
			},
			status: plan.StatusSkipped, writes: 0, want: after,
		},
		{
			name: "a neighbour was attached after the write",
			hook: func(w *applytest.World) func(string, string) (bool, error) {
				return once("WaitUpdated", true, nil, func() { w.Change("chat", func(f *state.Function) { f.Layers = append(f.Layers, extra.Version(7)) }) })
			},
			status: plan.StatusApplied, text: "other layers", writes: 1, want: append(slices.Clone(after), extra.Version(7)),
			lines: []string{"begin chat", "finish chat applied"},
		},
		{
			name: "our slot was set back after the write",
			hook: func(w *applytest.World) func(string, string) (bool, error) {
				return once("WaitUpdated", true, nil, func() { w.Change("chat", func(f *state.Function) { f.Layers = before }) })
			},
			status: plan.StatusFailed, text: "another writer", writes: 1, want: before, lines: []string{"begin chat", "finish chat failed"},
		},
		{
			name: "always in conflict",
			hook: func(*applytest.World) func(string, string) (bool, error) {
				return func(op, _ string) (bool, error) {
					if op == "SetLayers" {
						return false, kind(state.LookAgain)
					}
					return true, nil
				}
			},
			status: plan.StatusFailed, text: "given up after 5 tries", writes: 5, want: before, lines: []string{"begin chat", "finish chat failed"},
		},
		{
			name: "the answer was lost and nobody can look",
			hook: func(*applytest.World) func(string, string) (bool, error) {
				sent := false
				return func(op, _ string) (bool, error) {
					if op == "SetLayers" {
						sent = true
						return true, kind(state.Unsure)
					}
					if sent {
						return false, kind(state.Again)
					}
					return true, nil
				}
			},
			status: plan.StatusFailed, text: "may have happened", writes: 1, want: after, lines: []string{"begin chat"},
		},
		{
			name: "an update is in progress",
			hook: func(w *applytest.World) func(string, string) (bool, error) {
				return once("Function", true, nil, func() {
					_, _ = w.SetLayers(context.Background(), "chat", before, "r1") // by another writer
				})
			},
			status: plan.StatusApplied, writes: 2, want: after, lines: []string{"begin chat", "finish chat applied"},
		},
		{
			name: "being created",
			hook: func(w *applytest.World) func(string, string) (bool, error) {
				w.Change("chat", func(f *state.Function) { f.State = state.StatePending })
				return nil
			},
			status: plan.StatusSkipped, text: "state Pending", want: before,
		},
		{
			name: "in state Failed",
			hook: func(w *applytest.World) func(string, string) (bool, error) {
				w.Change("chat", func(f *state.Function) { f.State, f.StatusReason = state.StateFailed, "no network" })
				return nil
			},
			status: plan.StatusFailed, text: "no network", want: before,
		},
		{
			name: "idle",
			hook: func(w *applytest.World) func(string, string) (bool, error) {
				w.Change("chat", func(f *state.Function) { f.State = state.StateInactive })
				return nil
			},
			status: plan.StatusApplied, writes: 1, want: after, lines: []string{"begin chat", "finish chat applied"},
		},
		{
			name: "refused credentials",
			hook: func(*applytest.World) func(string, string) (bool, error) {
				return once("Function", false, kind(state.Human))
			},
			status: plan.StatusFailed, text: "refused", want: before,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := applytest.New(map[string]list{"chat": before})
				w.Hook = tt.hook(w)
				planned := &plan.Region{Steps: []plan.Step{step("chat", common, 4, before)}}
				n := &notebook{}
				if err := carryOut(t.Context(), planned, w, n, apply.Options{Decide: wantCommon(4)}); err != nil {
					t.Fatal(err)
				}
				r := planned.Steps[0].Result
				if r.Status != tt.status || !strings.Contains(r.Error, tt.text) || (tt.text == "") != (r.Error == "") {
					t.Errorf("result: %+v, want %s with %q", *r, tt.status, tt.text)
				}
				checkWorld(t, w, map[string]list{"chat": tt.want})
				if got := w.Calls("SetLayers"); len(got) != tt.writes {
					t.Errorf("%d writes, want %d", len(got), tt.writes)
				}
				if diff := cmp.Diff(tt.lines, n.lines); diff != "" {
					t.Errorf("record (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAFunctionThatIsGoneIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applytest.New(map[string]list{"chat": nil})
		w.Remove("chat")
		planned := &plan.Region{Steps: []plan.Step{step("chat", common, 4, nil)}}
		if err := carryOut(t.Context(), planned, w, &notebook{}, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		if r := *planned.Steps[0].Result; r.Status != plan.StatusSkipped || r.Error != "the function is gone" {
			t.Errorf("result: %+v", r)
		}
	})
}

func TestADecisionMadeAnewTakesThePlaceOfThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applytest.New(map[string]list{"chat": {common.Version(2)}})
		planned := &plan.Region{Steps: []plan.Step{step("chat", common, 4, nil)}}
		decide := func(f state.Function) []plan.Step {
			held := step(f.Name, vendor, 1, f.Layers)
			held.Held = &plan.Held{By: plan.ByApproval}
			return []plan.Step{step(f.Name, common, 5, f.Layers), step(f.Name, extra, 1, f.Layers), held}
		}
		if err := carryOut(t.Context(), planned, w, &notebook{}, apply.Options{Decide: decide}); err != nil {
			t.Fatal(err)
		}
		checkWorld(t, w, map[string]list{"chat": {common.Version(5), extra.Version(1)}})
		if len(planned.Steps) != 2 || planned.Steps[0].To != common.Version(5) || planned.Steps[0].From != common.Version(2) ||
			planned.Steps[1].LayerARN != extra || planned.Steps[1].Result.Status != plan.StatusApplied {
			t.Errorf("steps: %+v", planned.Steps)
		}

		planned = &plan.Region{Steps: []plan.Step{step("chat", common, 6, nil)}}
		if err := carryOut(t.Context(), planned, w, &notebook{}, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		if r := *planned.Steps[0].Result; r.Status != plan.StatusSkipped || !strings.Contains(r.Error, "changed since the plan") {
			t.Errorf("without a way to decide: %+v", r)
		}
	})
}

func TestAFailedUpdateIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := list{common.Version(4)}
		w := applytest.New(map[string]list{"chat": before})
		w.Change("chat", func(f *state.Function) { f.LastUpdateStatus = state.UpdateFailed })
		planned := &plan.Region{Steps: []plan.Step{step("chat", common, 4, before)}}
		if err := carryOut(t.Context(), planned, w, &notebook{}, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		if got := w.Calls("SetLayers"); len(got) != 1 || planned.Steps[0].Result.Status != plan.StatusApplied {
			t.Errorf("writes %v, result %+v: the list shows what the function does not run", got, planned.Steps[0].Result)
		}
	})
}

func TestAClosingWindowLetsTheFunctionInHandEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applytest.New(map[string]list{"a": nil, "b": nil, "c": nil})
		closed := false
		w.Hook = once("SetLayers", true, nil, func() { closed = true })
		planned := &plan.Region{Steps: []plan.Step{step("a", common, 4, nil), step("b", common, 4, nil), step("c", common, 4, nil), prune(common, 1)}}
		err := carryOut(t.Context(), planned, w, &notebook{}, apply.Options{
			Parallel: 1,
			Permit: func(steps []plan.Step) *plan.Held {
				if !closed || steps[0].Function == "c" {
					return nil
				}
				return &plan.Held{By: plan.ByWindow, Reason: "closed"}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"attach/makoto-common/a": "applied", "attach/makoto-common/b": "held", "attach/makoto-common/c": "applied", "prune/makoto-common/1": "held",
		}
		if diff := cmp.Diff(want, results(planned)); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		if h := planned.Steps[1].Held; h == nil || h.By != plan.ByWindow {
			t.Errorf("held: %+v", h)
		}
	})
}

func TestStoppingFinishesWhatIsInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applytest.New(map[string]list{"a": nil, "b": nil})
		ctx, cancel := context.WithCancel(t.Context())
		w.Hook = once("SetLayers", true, nil, cancel)
		planned := &plan.Region{Steps: []plan.Step{step("a", common, 4, nil), step("b", common, 4, nil), prune(common, 1)}}
		n := &notebook{}
		if err := carryOut(ctx, planned, w, n, apply.Options{Parallel: 1}); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		want := map[string]string{"attach/makoto-common/a": "applied", "attach/makoto-common/b": "skipped", "prune/makoto-common/1": "skipped"}
		if diff := cmp.Diff(want, results(planned)); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"begin a", "finish a applied"}, n.lines); diff != "" {
			t.Errorf("record (-want +got):\n%s", diff)
		}
	})
}

func TestStoppingDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applytest.New(map[string]list{"a": nil})
		ctx, cancel := context.WithCancel(t.Context())
		w.Hook = func(op, _ string) (bool, error) {
			if op == "WaitUpdated" {
				cancel()
				w.Change("a", func(f *state.Function) { f.LastUpdateStatus = state.UpdateInProgress })
			}
			return true, nil
		}
		stuck := &stuckWorld{World: w}
		planned := &plan.Region{Steps: []plan.Step{step("a", common, 4, nil)}}
		n := &notebook{}
		began := time.Now()
		if err := carryOut(ctx, planned, stuck, n, apply.Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took > 25*time.Second {
			t.Errorf("stopping took %s", took)
		}
		if r := *planned.Steps[0].Result; r.Status != plan.StatusFailed || !strings.Contains(r.Error, "may have happened") {
			t.Errorf("result: %+v", r)
		}
		if len(n.open) != 1 {
			t.Error("the record was closed by guessing")
		}
	})
}

// stuckWorld never ends an update.
type stuckWorld struct{ *applytest.World }

func (s *stuckWorld) WaitUpdated(ctx context.Context, name string) (state.Function, error) {
	_, _ = s.World.Hook("WaitUpdated", name)
	<-ctx.Done()
	return state.Function{}, &state.Error{Op: "GetFunction", Kind: state.Stopped, Err: ctx.Err()}
}

func TestAnUpdateThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applytest.New(map[string]list{"a": nil})
		w.Change("a", func(f *state.Function) { f.LastUpdateStatus = state.UpdateInProgress })
		w.Hook = func(op, _ string) (bool, error) {
			if op == "Function" {
				w.Change("a", func(f *state.Function) { f.LastUpdateStatus = state.UpdateInProgress })
			}
			return true, nil
		}
		planned := &plan.Region{Steps: []plan.Step{step("a", common, 4, nil)}}
		n := &notebook{}
		if err := carryOut(t.Context(), planned, &endlessWorld{&stuckWorld{w}}, n, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		if r := *planned.Steps[0].Result; r.Status != plan.StatusFailed || !strings.Contains(r.Error, "does not end") || len(n.lines) != 0 {
			t.Errorf("result %+v, record %v", r, n.lines)
		}
	})
}

type endlessWorld struct{ *stuckWorld }

func (e *endlessWorld) Function(ctx context.Context, name string) (state.Function, error) {
	f, err := e.World.Function(ctx, name)
	f.LastUpdateStatus = state.UpdateInProgress
	return f, err
}

func TestNoRecordNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applytest.New(map[string]list{"a": nil, "b": nil})
		planned := &plan.Region{Steps: []plan.Step{step("a", common, 4, nil), step("b", common, 4, nil), prune(common, 1)}}
		full := errors.New("disk full")
		n := &notebook{begin: func(apply.Intent) error { return full }}
		if err := carryOut(t.Context(), planned, w, n, apply.Options{Parallel: 1}); !errors.Is(err, full) {
			t.Errorf("Run: %v", err)
		}
		if got := append(w.Calls("SetLayers"), w.Calls("DeleteLayerVersion")...); len(got) != 0 {
			t.Errorf("changes without a record: %v", got)
		}
		want := map[string]string{"attach/makoto-common/a": "failed", "attach/makoto-common/b": "skipped", "prune/makoto-common/1": "skipped"}
		if diff := cmp.Diff(want, results(planned)); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

func TestAnOutcomeThatCannotBeRecordedStopsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applytest.New(map[string]list{"a": nil})
		planned := &plan.Region{Steps: []plan.Step{step("a", common, 4, nil), prune(common, 1)}}
		full, asked := errors.New("disk full"), 0
		n := &notebook{finish: func() error { asked++; return full }}
		if err := carryOut(t.Context(), planned, w, n, apply.Options{Parallel: 1}); !errors.Is(err, full) {
			t.Errorf("Run: %v", err)
		}
		if asked < 2 {
			t.Error("the outcome was given up at the first try")
		}
		r := *planned.Steps[0].Result
		if r.Status != plan.StatusApplied || !strings.Contains(r.Error, "disk full") || planned.Steps[1].Result.Status != plan.StatusSkipped {
			t.Errorf("results: %+v, %+v", r, *planned.Steps[1].Result)
		}
	})
}

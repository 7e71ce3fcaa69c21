package apply_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/apply/applytest"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

func TestPrune(t *testing.T) {
	kind := func(k state.Kind) error { return &state.Error{Op: "op", Kind: k, Message: k.String()} }
	for _, tt := range []struct {
		name    string
		world   func(w *applytest.World)
		status  plan.Status
		text    string
		deleted bool
		deletes int // calls
		sweeps  int
		open    int // records without an end
	}{
		{name: "unused", world: func(*applytest.World) {}, status: plan.StatusApplied, deleted: true, deletes: 1, sweeps: 1},
		{
			name: "used by a function meanwhile",
			world: func(w *applytest.World) {
				w.Change("chat", func(f *state.Function) { f.Layers = list{common.Version(1)} })
			},
			status: plan.StatusSkipped, text: "used by chat", sweeps: 1,
		},
		{
			name:   "used by a published version",
			world:  func(w *applytest.World) { w.PutVersion("chat", "7", common.Version(1)) },
			status: plan.StatusSkipped, text: "used by chat:7", sweeps: 1,
		},
		{
			name: "a layer whose name begins alike is another layer",
			world: func(w *applytest.World) {
				w.PutVersion("chat", "7", (common + "-2").Version(1), common.Version(11))
			},
			status: plan.StatusApplied, deleted: true, deletes: 1, sweeps: 1,
		},
		{
			name:   "the sweep fails",
			world:  func(w *applytest.World) { w.Hook = once("Users", false, kind(state.Again)) },
			status: plan.StatusFailed, text: "could not be read", sweeps: 1,
		},
		{
			name: "the sweep is older than what a delete may rely on",
			world: func(w *applytest.World) {
				w.Hook = func(op, _ string) (bool, error) {
					if op == "Users" {
						<-time.After(5 * time.Minute)
					}
					return true, nil
				}
			},
			status: plan.StatusFailed, text: "5m0s", sweeps: 1,
		},
		{
			name:   "busy once",
			world:  func(w *applytest.World) { w.Hook = once("DeleteLayerVersion", false, kind(state.Again)) },
			status: plan.StatusApplied, deleted: true, deletes: 2, sweeps: 1,
		},
		{
			name:   "the answer was lost",
			world:  func(w *applytest.World) { w.Hook = once("DeleteLayerVersion", true, kind(state.Unsure)) },
			status: plan.StatusApplied, deleted: true, deletes: 2, sweeps: 1,
		},
		{
			name: "all answers are lost",
			world: func(w *applytest.World) {
				w.Hook = func(op, _ string) (bool, error) {
					if op == "DeleteLayerVersion" {
						return true, kind(state.Unsure)
					}
					return true, nil
				}
			},
			status: plan.StatusFailed, text: "may have happened", deleted: true, deletes: 5, sweeps: 1, open: 1,
		},
		{
			name:   "denied",
			world:  func(w *applytest.World) { w.Hook = once("DeleteLayerVersion", false, kind(state.Human)) },
			status: plan.StatusFailed, text: "refused", deletes: 1, sweeps: 1,
		},
		{
			name: "it comes into use while AWS is busy for long",
			world: func(w *applytest.World) {
				w.Hook = once("DeleteLayerVersion", false, kind(state.Again), func() {
					<-time.After(5 * time.Minute)
					w.PutVersion("chat", "8", common.Version(1))
				})
			},
			status: plan.StatusSkipped, text: "used by chat:8", deletes: 1, sweeps: 2,
		},
		{
			name:   "a panic",
			world:  func(w *applytest.World) { w.Hook = func(string, string) (bool, error) { panic("a bug") } },
			status: plan.StatusFailed, text: "a bug", sweeps: 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := applytest.New(map[string]list{"chat": {common.Version(3)}})
				tt.world(w)
				planned := &plan.Region{Steps: []plan.Step{prune(common, 1)}}
				n := &notebook{}
				if err := carryOut(t.Context(), planned, w, n, apply.Options{}); err != nil {
					t.Fatal(err)
				}
				r := *planned.Steps[0].Result
				if r.Status != tt.status || !strings.Contains(r.Error, tt.text) || (tt.text == "") != (r.Error == "") {
					t.Errorf("result: %+v, want %s with %q", r, tt.status, tt.text)
				}
				if w.Deleted(common.Version(1)) != tt.deleted || len(w.Calls("DeleteLayerVersion")) != tt.deletes || len(w.Calls("Users")) != tt.sweeps {
					t.Errorf("deleted %v, calls %v", w.Deleted(common.Version(1)), w.Calls(""))
				}
				if f := w.Faults(); len(f) > 0 {
					t.Errorf("faults: %v", f)
				}
				if len(n.open) != tt.open {
					t.Errorf("%d open records, want %d: %v", len(n.open), tt.open, n.lines)
				}
				if deletes := slices.Index(n.lines, "begin prune/makoto-common/1") >= 0; deletes != (tt.deletes > 0) {
					t.Errorf("record: %v", n.lines)
				}
			})
		})
	}
}

func TestPrunesComeLastAndNotAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applytest.New(map[string]list{"chat": nil, "mail": nil})
		w.Hook = func(op, name string) (bool, error) {
			if op == "SetLayers" && name == "chat" {
				return false, &state.Error{Kind: state.Human, Op: op, Message: "denied"}
			}
			return true, nil
		}
		planned := &plan.Region{Steps: []plan.Step{
			prune(common, 1), prune(extra, 1), prune(extra, 2), step("chat", common, 4, nil), step("mail", extra, 4, nil),
		}}
		if err := carryOut(t.Context(), planned, w, &notebook{}, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		if r := *planned.Steps[0].Result; r.Status != plan.StatusSkipped || !strings.Contains(r.Error, "attach/makoto-common/chat failed") {
			t.Errorf("prune of a layer that failed: %+v", r)
		}
		if !w.Deleted(extra.Version(1)) || !w.Deleted(extra.Version(2)) || w.Deleted(common.Version(1)) {
			t.Errorf("calls: %v", w.Calls(""))
		}
		calls := w.Calls("")
		if slices.Index(calls, "Users all") < slices.Index(calls, "SetLayers mail") || len(w.Calls("Users")) != 1 {
			t.Errorf("calls: %v", calls)
		}
	})
}

// Every call is made to fail in every way, before and after its effect.
func TestEveryCallInEveryKindOfTrouble(t *testing.T) {
	before := list{vendor.Version(9), common.Version(3)}
	after := list{vendor.Version(9), common.Version(4)}
	kinds := []state.Kind{state.Human, state.Again, state.LookAgain, state.Gone, state.Unsure, state.Stopped}
	for n := range 12 {
		for _, kind := range kinds {
			for _, do := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					w := applytest.New(map[string]list{"chat": before})
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					calls, rec := 0, &notebook{}
					w.Hook = func(op, name string) (bool, error) {
						calls++
						if op == "SetLayers" && len(rec.open) != 1 {
							t.Errorf("written without an open record: %v", rec.lines)
						}
						if calls-1 != n {
							return true, nil
						}
						if kind == state.Stopped {
							cancel()
						}
						return do, &state.Error{Op: op, Resource: name, Kind: kind, Message: "trouble"}
					}
					planned := &plan.Region{Steps: []plan.Step{step("chat", common, 4, before), prune(common, 1)}}
					err := carryOut(ctx, planned, w, rec, apply.Options{Decide: wantCommon(4)})
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Fatal(err)
					}
					got, r := w.Lists()["chat"], *planned.Steps[0].Result
					if !slices.Equal(got, before) && !slices.Equal(got, after) {
						t.Errorf("call %d %s do=%v: the list is neither old nor new: %v", n, kind, do, got)
					}
					if r.Status == plan.StatusApplied && !slices.Equal(got, after) {
						t.Errorf("call %d %s do=%v: applied, but the list is %v", n, kind, do, got)
					}
					if r.Status == plan.StatusSkipped && r.Error == "" {
						t.Errorf("call %d %s do=%v: nobody else did it: %+v", n, kind, do, r)
					}
					if len(rec.open) > 0 && !strings.Contains(r.Error+planned.Steps[1].Result.Error, "may have happened") {
						t.Errorf("call %d %s do=%v: left open without a word: %+v %v", n, kind, do, r, rec.lines)
					}
					if f := w.Faults(); len(f) > 0 {
						t.Errorf("call %d %s do=%v: %v", n, kind, do, f)
					}
				})
			}
		}
	}
}

package applytest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/state"
)

const common = state.LayerARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:common")

var live = state.Qualified{Function: "chat", Qualifier: "live"}

// world has chat, served through live at version 1.
func world() *World {
	w := New(map[string][]state.LayerVersionARN{"chat": {common.Version(1)}})
	w.PutVersion("chat", "1", common.Version(1))
	w.PutAlias("chat", state.Alias{Name: "live", Version: "1"})
	return w
}

// is fails unless err is of kind and has words in it.
func is(t *testing.T, err error, kind state.Kind, words string) {
	t.Helper()
	if err == nil || state.KindOf(err) != kind || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want %q to %v", err, words, kind)
	}
}

// release sets a new list of chat and publishes it.
func release(t *testing.T, w *World, list ...state.LayerVersionARN) string {
	t.Helper()
	f, err := w.Function(t.Context(), "chat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.SetLayers(t.Context(), "chat", list, f.RevisionID); err != nil {
		t.Fatal(err)
	}
	_, _, err = w.Publish(t.Context(), live, "", f.RevisionID)
	is(t, err, state.LookAgain, "in progress")
	settled, err := w.WaitUpdated(t.Context(), "chat")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.Publish(t.Context(), live, "", f.RevisionID)
	is(t, err, state.LookAgain, "revision")
	_, _, err = w.Publish(t.Context(), live, "other", settled.RevisionID)
	is(t, err, state.LookAgain, "CodeSHA256")
	number, id, err := w.Publish(t.Context(), live, settled.CodeSHA256, settled.RevisionID)
	if err != nil || id == "" {
		t.Fatalf("request %q, %v", id, err)
	}
	again, _, err := w.Publish(t.Context(), live, "", settled.RevisionID)
	if err != nil || again != number {
		t.Errorf("nothing changed, and version %s after %s, %v", again, number, err)
	}
	return number
}

func TestVersionsAreFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world()
		if n := release(t, w, common.Version(2)); n != "2" {
			t.Fatalf("version %s", n)
		}
		w.Change("chat", func(f *state.Function) { f.Layers, f.CodeSHA256 = nil, "new code" })
		s, err := w.Served(t.Context(), state.Qualified{Function: "chat", Qualifier: "2"})
		want := state.Served{
			Version: "2", Layers: []state.LayerVersionARN{common.Version(2)}, CodeSHA256: "code of chat",
			Settings: state.NewSettings(map[string]string{"handler": "index.handler"}), State: state.StateActive,
		}
		if diff := cmp.Diff(want, s); err != nil || diff != "" {
			t.Errorf("%v, version 2 (-want +got):\n%s", err, diff)
		}
		if s, err := w.Served(t.Context(), live); err != nil || s.Version != "1" {
			t.Errorf("live serves %+v, %v", s, err)
		}
		if s, err := w.Served(t.Context(), state.Qualified{Function: "chat", Qualifier: "$LATEST"}); err != nil || s.CodeSHA256 != "new code" || s.Layers != nil {
			t.Errorf("$LATEST is %+v, %v", s, err)
		}
		if users, err := w.Users(t.Context()); err != nil || users[common.Version(2)] != "chat:2" {
			t.Errorf("users %v, %v", users, err)
		}
		w.Remove("chat")
		for _, q := range []string{"live", "2", "$LATEST"} {
			_, err := w.Served(t.Context(), state.Qualified{Function: "chat", Qualifier: q})
			is(t, err, state.Gone, "chat:"+q)
		}
		_, err = w.Alias(t.Context(), live)
		is(t, err, state.Gone, "live")
	})
}

func TestVersionsTakeAWhile(t *testing.T) {
	for name, c := range map[string]struct {
		seed  func(*World)
		took  time.Duration
		state string
	}{
		"plain":     {func(*World) {}, 0, state.StateActive},
		"SnapStart": {func(w *World) { w.SnapStart("chat") }, Snapshot, state.StateActive},
		"fails":     {func(w *World) { w.FailVersion("chat", "init crashed") }, 5 * time.Second, state.StateFailed},
		"both":      {func(w *World) { w.SnapStart("chat"); w.FailVersion("chat", "init crashed") }, Snapshot, state.StateFailed},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := world()
			c.seed(w)
			q := state.Qualified{Function: "chat", Qualifier: release(t, w, common.Version(2))}
			if c.took > 0 {
				_, err := w.MoveAlias(t.Context(), live, "2", nil, w.Aliases()[live].RevisionID)
				is(t, err, state.LookAgain, "Pending")
			}
			began := time.Now()
			s, err := w.WaitActive(t.Context(), q)
			if took := time.Since(began); err != nil || s.State != c.state || took != c.took || (s.Reason == "") != (c.state == state.StateActive) {
				t.Errorf("%s: %+v after %v, %v", name, s, took, err)
			}
			_, err = w.MoveAlias(t.Context(), live, "2", nil, w.Aliases()[live].RevisionID)
			if faults := w.Faults(); err != nil || (len(faults) == 1) != (c.state == state.StateFailed) {
				t.Errorf("%s: moved with %v, faults %v", name, err, faults)
			}
		})
	}
}

// $LATEST.PUBLISHED is renewed, not numbered, and only where it means anything.
func TestManagedInstancesHaveOneMoreVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world()
		q := state.Qualified{Function: "chat", Qualifier: "$LATEST.PUBLISHED"}
		publish := func() (string, error) {
			f, err := w.Function(t.Context(), "chat")
			if err != nil {
				t.Fatal(err)
			}
			n, _, err := w.Publish(t.Context(), q, "", f.RevisionID)
			return n, err
		}
		_, err := publish()
		is(t, err, state.Human, "managed")
		_, err = w.Served(t.Context(), q)
		is(t, err, state.Gone, "PUBLISHED")
		for _, code := range []string{"one", "two"} {
			w.Change("chat", func(f *state.Function) { f.Managed, f.CodeSHA256 = true, code })
			if n, err := publish(); err != nil || n != q.Qualifier {
				t.Fatalf("version %s, %v", n, err)
			}
			if s, err := w.WaitActive(t.Context(), q); err != nil || s.CodeSHA256 != code || s.State != state.StateActive {
				t.Errorf("serves %+v, %v", s, err)
			}
		}
		if all := w.Versions("chat"); len(all) != 2 {
			t.Errorf("versions %v", all)
		}
	})
}

func TestAliasKeepsTheRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world()
		release(t, w, common.Version(2))
		move := func(to string, weights map[string]float64) error {
			a, err := w.Alias(t.Context(), live)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.MoveAlias(t.Context(), live, to, weights, a.RevisionID)
			return err
		}
		is(t, move("9", nil), state.Gone, "chat:9")
		is(t, move("1", map[string]float64{"9": 0.1}), state.Gone, "chat:9")
		is(t, move("1", map[string]float64{"1": 0.1}), state.Human, "already")
		is(t, move("1", map[string]float64{"2": 1.5}), state.Human, "0 to 1")
		is(t, move("1", map[string]float64{"$LATEST": 0.5}), state.Human, "numbered")
		is(t, move("$LATEST", map[string]float64{"2": 0.5}), state.Human, "$LATEST")
		is(t, move("1", map[string]float64{"2": 0.1, "3": 0.1}), state.Human, "greater than 1")
		before := w.Aliases()[live]
		if diff := cmp.Diff(state.Alias{Name: "live", Version: "1", RevisionID: before.RevisionID}, before); diff != "" {
			t.Errorf("refused moves left (-want +got):\n%s", diff)
		}
		if err := move("1", map[string]float64{"2": 0.1}); err != nil {
			t.Fatal(err)
		}
		if a := w.Aliases()[live]; a.Weights["2"] != 0.1 || a.RevisionID == before.RevisionID {
			t.Errorf("alias %+v", a)
		}
		_, err := w.MoveAlias(t.Context(), live, "2", nil, before.RevisionID)
		is(t, err, state.LookAgain, "revision")
		if err := move("2", nil); err != nil {
			t.Fatal(err)
		}
		if a := w.Aliases()[live]; a.Version != "2" || a.Weights != nil {
			t.Errorf("alias %+v", a)
		}
		_, err = w.MoveAlias(t.Context(), state.Qualified{Function: "chat", Qualifier: "nobody"}, "2", nil, "")
		is(t, err, state.Gone, "nobody")
	})
}

func TestProvisionedConcurrencyFollows(t *testing.T) {
	for _, fails := range []string{"", "no capacity"} {
		synctest.Test(t, func(t *testing.T) {
			w := world()
			w.PutAlias("chat", state.Alias{Name: "live", Version: "1", Provisioned: true})
			if err := w.WaitProvisioned(t.Context(), live); err != nil {
				t.Fatal(err)
			}
			w.FailProvisioned(live, fails)
			release(t, w, common.Version(2))
			if _, err := w.MoveAlias(t.Context(), live, "2", nil, w.Aliases()[live].RevisionID); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			err := w.WaitProvisioned(t.Context(), live)
			if took := time.Since(began); took != Provision {
				t.Errorf("took %v", took)
			}
			if fails == "" && err != nil {
				t.Error(err)
			}
			if fails != "" {
				is(t, err, state.Human, fails)
			}
		})
	}
}

// A lost answer is one that was done; both are counted.
func TestHookLosesAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world()
		lost := errors.New("lost")
		w.Hook = func(op, _ string) (bool, error) {
			return true, map[string]error{"Publish": lost, "MoveAlias": lost}[op]
		}
		w.Change("chat", func(f *state.Function) { f.CodeSHA256 = "new" })
		f, err := w.Function(t.Context(), "chat")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Publish(t.Context(), live, "", f.RevisionID); !errors.Is(err, lost) || w.Versions("chat")["2"].CodeSHA256 != "new" {
			t.Errorf("%v, versions %v", err, w.Versions("chat"))
		}
		if _, err := w.MoveAlias(t.Context(), live, "2", nil, w.Aliases()[live].RevisionID); !errors.Is(err, lost) || w.Aliases()[live].Version != "2" {
			t.Errorf("%v, aliases %v", err, w.Aliases())
		}
		if got := fmt.Sprint(slices.Concat(w.Calls("Publish"), w.Calls("MoveAlias"))); got != "[Publish chat MoveAlias chat:live]" {
			t.Errorf("calls %s", got)
		}
	})
}

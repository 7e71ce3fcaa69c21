package history_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
)

func bad() ruling.Quarantine {
	return ruling.Quarantine{
		Environment: env, Region: region, Layer: common, Name: "makoto-common", Number: 13, Semver: "1.13.0", Functions: "makoto-*",
		RevertTo: 12, ByPerson: true, By: "sato", Reason: "it times out", At: time.Now(), Rollout: "r1",
	}
}

func quarantines(t *testing.T, s store.Store) []ruling.Quarantine {
	t.Helper()
	list, err := ruling.LoadQuarantines(t.Context(), s, repo, env)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAQuarantineIsHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounted(store.NewMemory())
		l := history.Open(c, repo)
		q, err := l.Rulings().Quarantine(t.Context(), bad())
		if err != nil {
			t.Fatal(err)
		}
		writes := c.writes
		again := bad()
		again.By = "suzuki"
		if got, err := l.Rulings().Quarantine(t.Context(), again); err != nil || got.By != "sato" || c.writes != writes {
			t.Errorf("the second word: %+v, %v, %d writes", got, err, c.writes-writes)
		}
		given := time.Now().UTC()
		<-time.After(time.Hour)
		if ok, err := l.Rulings().Lift(t.Context(), q, "tanaka", "the database was slow", time.Now()); !ok || err != nil {
			t.Errorf("lift: %v, %v", ok, err)
		}
		writes = c.writes
		if ok, err := l.Rulings().Lift(t.Context(), q, "tanaka", "", time.Now()); ok || err != nil || c.writes != writes {
			t.Errorf("lift what holds no more: %v, %v, %d writes", ok, err, c.writes-writes)
		}
		if left := quarantines(t, c); len(left) != 0 {
			t.Errorf("it holds: %+v", left)
		}
		got := collect(t, l.Entries(t.Context(), history.Query{}))
		if len(got) != 2 {
			t.Fatalf("entries: %+v", got)
		}
		want := []history.Entry{{
			Round: history.Round{Environment: env, Region: region, ApprovedBy: "tanaka", Rollout: "r1"},
			Action: history.Action{
				Kind: history.KindRetry, Cause: history.CauseRuling, Step: "retry/prod/ap-northeast-1/makoto-common/13/makoto-*",
				Reason: "the database was slow", Layer: "makoto-common", LayerARN: common, Function: "makoto-*", From: common.Version(12),
				To: common.Version(13), ToVersion: "1.13.0",
			},
			ID: got[0].ID, Status: history.StatusGiven, FromNumber: 12, ToNumber: 13, Started: time.Now().UTC(), Ended: time.Now().UTC(),
		}, {
			Round: history.Round{Environment: env, Region: region, ApprovedBy: "sato", Rollout: "r1"},
			Action: history.Action{
				Kind: history.KindQuarantine, Cause: history.CauseRuling,
				Step: "quarantine/prod/ap-northeast-1/makoto-common/13/makoto-*", Reason: "it times out", Layer: "makoto-common",
				LayerARN: common, Function: "makoto-*", From: common.Version(13), FromVersion: "1.13.0", To: common.Version(12),
			},
			ID: got[1].ID, Status: history.StatusGiven, FromNumber: 13, ToNumber: 12, Started: given, Ended: given,
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		for name, tt := range map[string]struct {
			q    history.Query
			want int
		}{
			"its Region": {history.Query{Region: region}, 2}, "another": {history.Query{Region: "us-east-1"}, 0},
			"its layer": {history.Query{Layer: "makoto-common"}, 2}, "another layer": {history.Query{Layer: "x"}, 0},
			"no function": {history.Query{Function: "makoto-*"}, 0},
		} {
			if n := len(collect(t, l.Entries(t.Context(), tt.q))); n != tt.want {
				t.Errorf("%s: %d entries, want %d", name, n, tt.want)
			}
		}
		if e, _, err := l.CompletedSince(t.Context(), ""); len(e) != 0 || err != nil || len(unfinished(t, l)) != 0 {
			t.Errorf("a ruling is no step that ends: %+v, %v", e, err)
		}
	})
}

// Whoever lifts has seen one quarantine, and not the next.
func TestLiftingWhatWasGivenAnew(t *testing.T) {
	s := store.NewMemory()
	l := history.Open(s, repo)
	first, err := l.Rulings().Quarantine(t.Context(), bad())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Rulings().Lift(t.Context(), first, "tanaka", "", time.Now()); err != nil {
		t.Fatal(err)
	}
	second := bad()
	second.At = first.At.Add(time.Minute)
	if _, err := l.Rulings().Quarantine(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if ok, err := l.Rulings().Lift(t.Context(), first, "late", "", time.Now()); ok || err != nil || len(quarantines(t, s)) != 1 {
		t.Errorf("lifted: %v, %v", ok, err)
	}
}

func TestARollbackByHandOfWhatACheckQuarantined(t *testing.T) {
	s := store.NewMemory()
	l := history.Open(s, repo)
	check := bad()
	check.ByPerson, check.RevertTo, check.By = false, 0, "layerd"
	for _, q := range []ruling.Quarantine{check, bad(), check} {
		if _, err := l.Rulings().Quarantine(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if got := quarantines(t, s); len(got) != 1 || got[0].RevertTo != 12 || got[0].By != "sato" {
		t.Errorf("it holds: %+v", got)
	}
	if got := collect(t, l.Entries(t.Context(), history.Query{})); len(got) != 2 || got[1].To != "" {
		t.Errorf("entries: %+v", got)
	}
}

func TestAQuarantineThatIsRefusedIsNoHistory(t *testing.T) {
	c := newCounted(store.NewMemory())
	q := bad()
	q.Functions = "a/b"
	if _, err := history.Open(c, repo).Rulings().Quarantine(t.Context(), q); !errors.Is(err, store.ErrInvalid) || c.writes != 0 {
		t.Errorf("%v, %d writes", err, c.writes)
	}
	q = bad()
	q.Reason = strings.Repeat("x", 1<<20)
	if _, err := history.Open(c, repo).Rulings().Quarantine(t.Context(), q); err != nil {
		t.Errorf("a long reason: %v", err)
	}
}

// A kill at any call: who quarantined or lifted is in the history whenever it
// holds or was lifted, and doing it again comes to the same end.
func TestAKillWhileQuarantining(t *testing.T) {
	q := bad()
	steps := func(s store.Store) error {
		l := history.Open(s, repo)
		if _, err := l.Rulings().Quarantine(t.Context(), q); err != nil {
			return err
		}
		_, err := l.Rulings().Lift(t.Context(), q, "tanaka", "", time.Now())
		return err
	}
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			s, first := store.NewMemory(), &life{left: n, after: after}
			if err := steps(killable(s, first)); (err != nil) != first.dead {
				t.Fatalf("call %d: %v", n, err)
			}
			kinds := map[plan.Kind]int{}
			for _, e := range collect(t, history.Open(s, repo).Entries(t.Context(), history.Query{})) {
				kinds[e.Kind]++
			}
			found, held, err := ruling.FindQuarantine(t.Context(), s, repo, q)
			if err != nil {
				t.Fatal(err)
			}
			if held && kinds[history.KindQuarantine] == 0 || !found.Ended.IsZero() && kinds[history.KindRetry] == 0 {
				t.Errorf("call %d, after=%v: %+v, and the history has %v", n, after, found, kinds)
			}
			if err := steps(s); err != nil || len(quarantines(t, s)) != 0 {
				t.Errorf("call %d, after=%v: it holds after all: %v", n, after, err)
			}
			if !first.dead {
				if n < 6 {
					t.Errorf("only %d calls", n)
				}
				break
			}
		}
	}
}

package history_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

func TestHealsAreCounted(t *testing.T) {
	const soon, late = 23 * time.Hour, 24 * time.Hour
	type event struct {
		after time.Duration
		cause plan.Cause
		out   plan.Status
		want  int
	}
	for name, events := range map[string][]event{
		"a tug of war":         {{0, plan.CauseDrift, plan.StatusApplied, 1}, {soon, plan.CauseDrift, plan.StatusApplied, 2}, {soon, plan.CauseDrift, plan.StatusApplied, 3}},
		"seldom":               {{0, plan.CauseDrift, plan.StatusApplied, 1}, {late, plan.CauseDrift, plan.StatusApplied, 1}},
		"Git changes it":       {{0, plan.CauseDrift, plan.StatusApplied, 1}, {0, plan.CauseChange, plan.StatusApplied, 0}, {0, plan.CauseDrift, plan.StatusApplied, 1}},
		"it is rolled back":    {{0, plan.CauseDrift, plan.StatusApplied, 1}, {0, plan.CauseRollback, plan.StatusApplied, 0}},
		"a heal that fails":    {{0, plan.CauseDrift, plan.StatusFailed, 0}, {0, plan.CauseDrift, plan.StatusApplied, 1}},
		"a change that failed": {{0, plan.CauseDrift, plan.StatusApplied, 1}, {0, plan.CauseChange, plan.StatusFailed, 1}},
		"no drift":             {{0, plan.CauseChange, plan.StatusApplied, 0}},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := history.Open(store.NewMemory(), repo)
			for i, e := range events {
				<-time.After(e.after)
				do(t, begin(t, l), because(e.cause, attach("chat", 12, 13)), apply.Outcome{Result: plan.Result{Status: e.out}})
				got := pastOf(t, l).Functions["chat"].Heals
				want := map[state.LayerARN]plan.Heals{common: {Count: e.want, Last: time.Now().UTC()}}
				if e.want == 0 {
					want = nil
				} else if e.cause != plan.CauseDrift {
					want[common] = plan.Heals{Count: e.want, Last: got[common].Last}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: after %d (-want +got):\n%s", name, i, diff)
				}
			}
		})
	}
}

// Learning what is there neither forgets heals nor takes them for news.
func TestHealsOutliveLearning(t *testing.T) {
	c := newCounted(store.NewMemory())
	l := history.Open(c, repo)
	do(t, begin(t, l), because(plan.CauseDrift, attach("chat", 12, 13)), applied(""))
	before := pastOf(t, l)
	writes := c.writes
	if news, err := l.RecordObservationsSince(t.Context(), env, region, before, plan.Learned{}, time.Now()); news || err != nil || c.writes != writes {
		t.Errorf("heals are news: %v, %v, %d writes", news, err, c.writes-writes)
	}
	learn(t, l, plan.Learned{Sightings: []plan.Sighting{{Function: "chat", Layer: common, Have: common.Version(9), Since: time.Now()}}})
	learn(t, l, plan.Learned{Adopted: []plan.Adoption{{Function: "chat", Layer: common, Number: 13, List: has(13)}}})
	if diff := cmp.Diff(before.Functions["chat"].Heals, pastOf(t, l).Functions["chat"].Heals); diff != "" {
		t.Errorf("heals (-before +after):\n%s", diff)
	}
}

// The end of a record is told again when its answer was lost, by the same
// process or by the next one, before or after the next heal: it counts once.
func TestAHealThatIsToldTwiceCountsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		memory := store.NewMemory()
		lose := false // the ends of records
		s := storetest.Faulty(memory, func(_ context.Context, c storetest.Call) storetest.Fault {
			if lose && c.Op == storetest.OpReplace && strings.HasPrefix(c.Key, "history/") {
				return storetest.Fault{Before: errDead}
			}
			return storetest.Fault{}
		})
		heals := rapid.IntRange(1, 6).Draw(t, "heals")
		var open []history.Entry
		for range heals {
			l := history.Open(s, repo)
			r := fenced(t, l, account, 7)
			id, err := r.Begin(context.Background(), because(plan.CauseDrift, attach("chat", 12, 13)))
			if err != nil {
				t.Fatal(err)
			}
			// The past is written, and the end of the record is not.
			lose = rapid.Bool().Draw(t, "lost")
			err = r.Finish(context.Background(), id, applied(""))
			if lose != (err != nil) {
				t.Fatalf("lost %v: %v", lose, err)
			}
			lose = false
			if err != nil {
				open = append(open, history.Entry{ID: id})
			}
			for len(open) > 0 && rapid.Bool().Draw(t, "settles") {
				if err := l.Settle(context.Background(), open[0], applied("")); err != nil {
					t.Fatal(err)
				}
				open = open[1:]
			}
		}
		for _, e := range open {
			if err := history.Open(memory, repo).Settle(context.Background(), e, applied("")); err != nil {
				t.Fatal(err)
			}
		}
		p, err := history.Open(memory, repo).Past(context.Background(), env, region)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Functions["chat"].Heals[common].Count; got != heals {
			t.Fatalf("%d heals are counted, want %d", got, heals)
		}
	})
}

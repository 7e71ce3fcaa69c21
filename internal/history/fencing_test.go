package history_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/store"
)

const account = "123456789012"

// fenced begins a round of somebody who holds the lease under a number.
func fenced(t interface {
	Helper()
	Fatal(args ...any)
}, l *history.Log, in string, number int64) *history.Recording {
	t.Helper()
	r, err := l.BeginRound(context.Background(), history.Round{Environment: env, Region: region, Account: in, Fencing: number})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// asleep is a holder that was stopped between AWS's answer and its Finish.
type asleep struct {
	round *history.Recording
	id    string
}

func fallAsleep(t *testing.T, r *history.Recording, in apply.Intent) asleep {
	t.Helper()
	id, err := r.Begin(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return asleep{r, id}
}

func (a asleep) wake(t *testing.T) {
	t.Helper()
	if err := a.round.Finish(t.Context(), a.id, applied("late")); err != nil {
		t.Errorf("finish on waking: %v", err)
	}
	if err := a.round.FinishRound(t.Context()); err != nil {
		t.Errorf("finish the round on waking: %v", err)
	}
}

func TestAWokenHolderDoesNotTurnThePastBack(t *testing.T) {
	for _, tt := range []struct {
		name      string
		settles   bool  // the new holder looks at what was left first
		old, next int64 // fencing numbers
		account   string
		want      int64 // what the past says in the end
	}{
		{"settled, with leases", true, 6, 7, account, 14},
		{"settled, without leases", true, 0, 0, account, 14},
		{"not settled, with leases", false, 6, 7, account, 14},
		{"the old one had no lease", false, 0, 7, account, 14},
		// Without numbers nobody can tell, and the last one to speak is believed.
		{"nobody had a lease", false, 0, 0, account, 13},
		{"one holder, slow with one function", false, 7, 7, account, 13},
		// The environment moved: the numbers are of another lease.
		{"another account's numbers begin anew", true, 57, 3, "999999999999", 14},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := store.NewMemory()
			do(t, fenced(t, history.Open(s, repo), account, tt.old), attach("chat", 11, 12), applied(""))
			old := fallAsleep(t, fenced(t, history.Open(s, repo), account, tt.old), attach("chat", 12, 13))

			next := history.Open(s, repo)
			if tt.next > 0 {
				next = next.Holding(tt.account, tt.next)
			}
			if tt.settles {
				for _, e := range unfinished(t, next) {
					if err := next.Settle(t.Context(), e, applied("")); err != nil {
						t.Fatal(err)
					}
				}
			}
			do(t, fenced(t, next, tt.account, tt.next), attach("chat", 13, 14), applied("req-14"))
			before := pastOf(t, next)
			old.wake(t)

			p := pastOf(t, next)
			if got := p.Functions["chat"].Applied[common]; got != tt.want {
				t.Errorf("applied %d, want %d", got, tt.want)
			}
			if got := p.Layers[common].Applied; got[len(got)-1] != tt.want {
				t.Errorf("the layer's latest of %v is not %d", got, tt.want)
			}
			if tt.want == 14 {
				if diff := cmp.Diff(before, p); diff != "" {
					t.Errorf("waking changed the past (-before +after):\n%s", diff)
				}
			}
			if len(unfinished(t, next)) != 0 {
				t.Error("a record is left open")
			}
		})
	}
}

// What an old holder saw before it was stopped is not learned either.
func TestAWokenHolderTeachesNothing(t *testing.T) {
	s := store.NewMemory()
	old, next := history.Open(s, repo).Holding(account, 6), history.Open(s, repo).Holding(account, 7)
	do(t, fenced(t, old, account, 6), attach("chat", 12, 13), applied(""))
	do(t, fenced(t, next, account, 7), attach("chat", 13, 14), applied(""))
	learn(t, next, plan.Learned{Candidates: []plan.Candidate{{Layer: common, Number: 3, Since: time.Now()}}})
	before := pastOf(t, next)
	stale := plan.Learned{
		Adopted:    []plan.Adoption{{Function: "chat", Layer: common, Number: 12, List: list{common.Version(12)}}},
		Sightings:  []plan.Sighting{{Function: "chat", Layer: common, Have: common.Version(9), Since: time.Now()}},
		Candidates: []plan.Candidate{{Layer: common, Number: 13, Since: time.Now()}},
	}
	learn(t, old, stale)
	if diff := cmp.Diff(before, pastOf(t, next)); diff != "" {
		t.Errorf("the past (-before +after):\n%s", diff)
	}
	learn(t, next, stale) // the holder may
	if p := pastOf(t, next); p.Functions["chat"].Applied[common] != 12 || p.Functions["chat"].Original[common] != 0 {
		t.Errorf("the holder taught nothing: %+v", p)
	}
}

// A number is raised even when nothing else is new: the holder that slept
// before it would otherwise still be believed.
func TestHealingTheSameNumberFencesToo(t *testing.T) {
	s := store.NewMemory()
	l := history.Open(s, repo)
	do(t, fenced(t, l, account, 5), attach("chat", 12, 13), applied(""))
	old := fallAsleep(t, fenced(t, l, account, 6), attach("chat", 13, 12))
	do(t, fenced(t, l, account, 7), attach("chat", 12, 13), applied(""))
	old.wake(t)
	if got := pastOf(t, l).Functions["chat"].Applied[common]; got != 13 {
		t.Errorf("applied %d, want 13", got)
	}
}

func TestAPruneCountsHoweverLateItIsTold(t *testing.T) {
	s := store.NewMemory()
	l := history.Open(s, repo)
	prune := func(n int64) apply.Intent {
		return apply.Intent{Steps: []plan.Step{{ID: fmt.Sprint("prune/makoto-common/", n), Kind: plan.KindPrune, Layer: "makoto-common", LayerARN: common, From: common.Version(n)}}}
	}
	old := fallAsleep(t, fenced(t, l, account, 6), prune(3))
	do(t, fenced(t, l, account, 7), prune(4), applied(""))
	old.wake(t)
	if got := len(pastOf(t, l).Pruned); got != 2 {
		t.Errorf("%d prunes are counted, want 2", got)
	}
}

// Documents written before there were numbers are anybody's.
func TestDocumentsWithoutANumber(t *testing.T) {
	s := store.NewMemory()
	for key, data := range map[string]string{
		store.Key("past", repo, "function", env, region, "chat"):      `{"v":1,"list":["` + string(common.Version(12)) + `"],"layers":{"` + string(common) + `":{"applied":12}}}`,
		store.Key("past", repo, "layer", env, region, string(common)): `{"v":1,"applied":[12]}`,
	} {
		if _, err := s.Create(t.Context(), key, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	l := history.Open(s, repo)
	do(t, fenced(t, l, account, 0), attach("chat", 12, 13), applied(""))
	do(t, fenced(t, l, account, 1), attach("chat", 13, 14), applied(""))
	if got := pastOf(t, l); got.Functions["chat"].Applied[common] != 14 || len(got.Layers[common].Applied) != 3 {
		t.Errorf("past: %+v", got)
	}
	if got := collect(t, l.Entries(t.Context(), history.Query{})); got[0].Fencing != 1 {
		t.Errorf("the entry has number %d", got[0].Fencing)
	}
}

// Any number of holders follow each other; each may fall asleep with functions
// in hand and wake at any time. Whoever settles looks first, as the next start
// does. The past of each function is what the latest holder last did to it.
func TestThePastIsTheLatestHoldersWhoeverWakes(t *testing.T) {
	type write struct {
		holder, order int
		number        int64
	}
	type sleeper struct {
		holder int
		name   string
		write  write
		round  *history.Recording
		id     string
		done   bool // settled
	}
	rapid.Check(t, func(t *rapid.T) {
		s := store.NewMemory()
		latest, aws := map[string]write{}, map[string]int64{}
		var sleepers []*sleeper
		ctx, order, number := context.Background(), 0, int64(12)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		said := func(x *sleeper) {
			was := latest[x.name]
			if x.write.holder > was.holder || x.write.holder == was.holder && x.write.order > was.order {
				latest[x.name] = x.write
			}
		}
		finish := func(x *sleeper) {
			must(x.round.Finish(ctx, x.id, applied("")))
			if !x.done {
				said(x)
			}
		}
		holders := rapid.IntRange(2, 5).Draw(t, "holders")
		for holder := 1; holder <= holders; holder++ {
			l := history.Open(s, repo).Holding(account, int64(holder))
			if rapid.Bool().Draw(t, "settles") {
				for _, x := range sleepers {
					if x.done {
						continue
					}
					x.done = true
					if aws[x.name] != x.write.number { // not what is there now
						must(l.Settle(ctx, history.Entry{ID: x.id}, apply.Outcome{Result: plan.Result{Status: plan.StatusFailed}}))
						continue
					}
					must(l.Settle(ctx, history.Entry{ID: x.id}, applied("")))
					order++
					x.write.holder, x.write.order = holder, order
					said(x)
				}
			}
			r := fenced(t, l, account, 0) // the log knows the number
			busy := map[string]bool{}
			for range rapid.IntRange(0, 6).Draw(t, "writes") {
				if n := len(sleepers); n > 0 && rapid.Bool().Draw(t, "wakes") {
					i := rapid.IntRange(0, n-1).Draw(t, "who")
					if sleepers[i].holder < holder {
						finish(sleepers[i])
						sleepers = append(sleepers[:i], sleepers[i+1:]...)
					}
				}
				name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "function")
				if busy[name] {
					continue
				}
				order++
				number++
				id, err := r.Begin(ctx, attach(name, number-1, number))
				must(err)
				aws[name] = number
				x := &sleeper{holder: holder, name: name, write: write{holder, order, number}, round: r, id: id}
				if busy[name] = rapid.Bool().Draw(t, "sleeps"); busy[name] {
					sleepers = append(sleepers, x)
					continue
				}
				finish(x)
			}
			p, err := l.Past(ctx, env, region)
			must(err)
			for name, w := range latest {
				if got := p.Functions[name].Applied[common]; got != w.number {
					t.Fatalf("%s: the past says %d, the latest is %d by holder %d", name, got, w.number, w.holder)
				}
			}
		}
	})
}

// A record that reaches the store long after it was begun is not acted on.
func TestARecordThatComesTooLateIsNotActedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: store.NewMemory()}
		l := history.Open(s, repo)
		r := begin(t, l)
		do(t, r, attach("chat", 12, 13), applied(""))
		s.wait = time.Hour
		if _, err := r.Begin(t.Context(), attach("mail", 12, 13)); err == nil {
			t.Error("it may be done")
		}
		s.wait = 0
		if err := r.FinishRound(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := collect(t, l.Entries(t.Context(), history.Query{Function: "mail"}))
		if len(got) != 1 || got[0].Status != plan.StatusSkipped || len(unfinished(t, l)) != 0 {
			t.Errorf("the record is %+v", got)
		}
	})
}

// slow is a store whose first writes take their time before they land.
type slow struct {
	store.Store
	wait time.Duration
}

func (s *slow) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	<-time.After(s.wait)
	return s.Store.Create(ctx, key, data)
}

package history_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

// drain calls Ended until it gives none.
func drain(t *testing.T, l *history.Log, c history.Cursor) ([]history.Entry, history.Cursor) {
	t.Helper()
	var all []history.Entry
	for calls := 0; ; calls++ {
		if calls > 100 {
			t.Fatal("Ended never comes to an end")
		}
		entries, next, err := l.CompletedSince(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(entries, func(a, b history.Entry) int { return strings.Compare(a.ID, b.ID) }) {
			t.Errorf("not in the order in which they began: %v", steps(entries))
		}
		if len(entries) == 0 {
			return all, next
		}
		all, c = append(all, entries...), next
	}
}

func steps(entries []history.Entry) []string {
	out := []string{}
	for _, e := range entries {
		out = append(out, e.ID+" "+e.Step)
	}
	return out
}

func functionsOf(entries []history.Entry) string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Function)
	}
	return strings.Join(out, " ")
}

func TestEndedTellsOnceWhoeverEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		l := history.Open(s, repo)
		r := begin(t, l)
		do(t, r, attach("before", 12, 13), applied(""))
		open, err := r.Begin(t.Context(), attach("open", 12, 13)) // killed
		if err != nil {
			t.Fatal(err)
		}
		now, err := l.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all, _ := drain(t, l, "")
		if got := functionsOf(all); got != "before" {
			t.Errorf("from the beginning: %s", got)
		}
		entries, c := drain(t, l, now)
		if len(entries) != 0 {
			t.Errorf("since now: %v", steps(entries))
		}
		<-time.After(72 * time.Hour)
		_, c = drain(t, l, c)
		do(t, begin(t, l), attach("later", 12, 13), applied(""))
		if err := history.Open(s, repo).Settle(t.Context(), history.Entry{ID: open}, applied("")); err != nil {
			t.Fatal(err)
		}
		again := c
		entries, c = drain(t, l, c)
		if got := functionsOf(entries); got != "open later" {
			t.Errorf("three days later: %s", got)
		}
		if entries, _ := drain(t, l, again); functionsOf(entries) != "open later" {
			t.Errorf("the same cursor again: %s", functionsOf(entries))
		}
		<-time.After(time.Hour)
		if entries, c = drain(t, l, c); len(entries) != 0 {
			t.Errorf("told twice: %v", steps(entries))
		}
		if len(c) > 40 {
			t.Errorf("the cursor of a quiet history has %d bytes: %s", len(c), c)
		}
		if text, err := json.Marshal(c); err != nil || len(text) != len(c)+2 {
			t.Errorf("the cursor changes in JSON: %s, %v", text, err)
		}
	})
}

// jittery lands each new value after a while, so that records appear in another
// order than that of their IDs.
type jittery struct {
	store.Store
	mu   sync.Mutex // guards rand
	rand *rand.Rand
}

func (j *jittery) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	j.mu.Lock()
	wait := time.Duration(j.rand.IntN(50)) * time.Second
	j.mu.Unlock()
	<-time.After(wait)
	return j.Store.Create(ctx, key, data)
}

// Several processes write at once, some of them die with records open, somebody
// settles those days later, a reader follows at its own pace and is killed
// before it has stored its cursor: every step that ends is told exactly once.
func TestEndedLaws(t *testing.T) {
	nightly.NotShort(t, "it reads records one after the other")
	for seed := range uint64(25) {
		synctest.Test(t, func(t *testing.T) { followed(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func followed(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	memory := store.NewMemory()
	reader := history.Open(memory, repo)
	var writers sync.WaitGroup
	for w := range 1 + r.IntN(3) {
		own := rand.New(rand.NewPCG(seed, 100+uint64(w)))
		l := history.Open(&jittery{Store: memory, rand: rand.New(rand.NewPCG(seed, 200+uint64(w)))}, repo)
		writers.Go(func() { write(t, l, own, w) })
	}
	over := make(chan struct{})
	go func() { writers.Wait(); close(over) }()

	reported := map[string]int{}
	cursor := history.Cursor("")
	follow := func() {
		entries, next := drain(t, reader, cursor)
		if r.IntN(4) == 0 {
			return // killed before anything of it was kept
		}
		for _, e := range entries {
			reported[e.ID+" "+e.Step]++
		}
		cursor = next
	}
	for running := true; running; {
		select {
		case <-over:
			running = false
		case <-time.After(time.Duration(r.IntN(600)) * time.Second):
		}
		follow()
	}
	<-time.After(72 * time.Hour)
	follow()
	for i, e := range unfinished(t, reader) {
		if i%2 == 0 {
			follow()
		}
		if err := reader.Settle(t.Context(), e, applied("")); err != nil {
			t.Fatal(err)
		}
	}
	for range 40 {
		follow()
	}
	want := map[string]int{}
	for _, e := range collect(t, reader.Entries(t.Context(), history.Query{})) {
		if e.Status == "" {
			t.Errorf("left open: %s", e.Step)
		}
		want[e.ID+" "+e.Step] = 1
	}
	if diff := cmp.Diff(want, reported); diff != "" || len(want) == 0 {
		t.Errorf("how often each of %d was told (-want +got):\n%s", len(want), diff)
	}
	<-time.After(time.Hour)
	if _, cursor = drain(t, reader, cursor); len(cursor) > 40 {
		t.Errorf("the last cursor is long: %s", cursor)
	}
}

// write is the life of one process.
func write(t *testing.T, l *history.Log, r *rand.Rand, w int) {
	for round := range 1 + r.IntN(5) {
		rec := begin(t, l)
		var hands sync.WaitGroup
		for i := range 1 + r.IntN(8) {
			work, killed := time.Duration(r.IntN(1200))*time.Second, r.IntN(5) == 0
			out := applied("")
			if r.IntN(3) == 0 {
				out = apply.Outcome{Result: plan.Result{Status: plan.StatusFailed, Error: "no"}}
			}
			hands.Go(func() {
				id, err := rec.Begin(t.Context(), attach(fmt.Sprintf("w%d-%d-%d", w, round, i), 12, 13))
				if err != nil {
					t.Error(err)
					return
				}
				<-time.After(work)
				if killed {
					return
				}
				if err := rec.Finish(t.Context(), id, out); err != nil {
					t.Error(err)
				}
			})
		}
		hands.Wait()
		if err := rec.FinishRound(t.Context()); err != nil {
			t.Error(err)
		}
		<-time.After(time.Duration(r.IntN(900)) * time.Second)
	}
}

// A rollout of thousands within minutes keeps the cursor small.
func TestCursorsStaySmall(t *testing.T) {
	if testing.Short() {
		t.Skip("writes thousands of entries")
	}
	synctest.Test(t, func(t *testing.T) {
		l := history.Open(store.NewMemory(), repo)
		r := begin(t, l)
		reported, cursor := 0, history.Cursor("")
		for i := range 2500 {
			do(t, r, attach(fmt.Sprint("f", i), 12, 13), applied(""))
			<-time.After(10 * time.Millisecond)
			if i%500 == 499 {
				var entries []history.Entry
				entries, cursor = drain(t, l, cursor)
				reported += len(entries)
				if len(cursor) > 28<<10 {
					t.Fatalf("the cursor has %d bytes after %d entries", len(cursor), reported)
				}
			}
		}
		if reported != 2500 {
			t.Errorf("told %d of 2500", reported)
		}
	})
}

func TestCursorsOfOthers(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	for c, want := range map[history.Cursor]error{"2;x;;": store.ErrNewer, "12": store.ErrNewer, "x": store.ErrCorrupt, "1;a": store.ErrCorrupt, ";;;": store.ErrCorrupt} {
		if _, next, err := l.CompletedSince(t.Context(), c); !errors.Is(err, want) || next != c {
			t.Errorf("%q: %q, %v, want %v", c, next, err, want)
		}
	}
}

func TestApprovalsAreInTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounted(store.NewMemory())
		l := history.Open(c, repo)
		digest := ruling.Digest([]string{"a", "b"})
		if err := ruling.RecordPending(t.Context(), c, repo, ruling.PendingPlan{Environment: env, Digest: digest, Scope: []string{"a", "b"}}); err != nil {
			t.Fatal(err)
		}
		do(t, begin(t, l), attach("chat", 12, 13), applied(""))
		<-time.After(time.Minute)
		at := time.Now()
		given := func(by string, at time.Time) ruling.Approval {
			t.Helper()
			a, err := l.Rulings().Approve(t.Context(), ruling.Approval{Environment: env, Digest: digest, By: by, At: at, Reason: "reviewed"}, window.Calendar{})
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		if a := given("sato", at); a.By != "sato" || len(a.Scope) != 2 {
			t.Errorf("given: %+v", a)
		}
		writes := c.writes
		if a := given("suzuki", at); a.By != "sato" || c.writes != writes {
			t.Errorf("approving what is approved: %+v, %d writes", a, c.writes-writes)
		}
		<-time.After(time.Minute)
		do(t, begin(t, l), attach("chat", 13, 14), applied(""))
		got := collect(t, l.Entries(t.Context(), history.Query{Environment: env, Region: region}))
		if len(got) != 3 || got[0].ToNumber != 14 || got[2].ToNumber != 13 {
			t.Fatalf("not in order: %v", steps(got))
		}
		want := history.Entry{
			Round:  history.Round{Environment: env, Digest: digest, Approval: digest, ApprovedBy: "sato"},
			Action: history.Action{Kind: history.KindApproval, Cause: history.CauseRuling, Step: "approval/prod/" + digest, Reason: "reviewed"},
			ID:     got[1].ID, Status: history.StatusGiven, Steps: 2, Started: at.UTC(), Ended: at.UTC(),
		}
		if diff := cmp.Diff(want, got[1]); diff != "" {
			t.Errorf("the ruling (-want +got):\n%s", diff)
		}
		if len(unfinished(t, l)) != 0 {
			t.Error("a ruling counts as unfinished")
		}
		if reported, _ := drain(t, l, ""); len(reported) != 2 {
			t.Errorf("ended: %v", steps(reported))
		}
		for name, q := range map[string]history.Query{"function": {Function: "chat"}, "layer": {Layer: "makoto-common"}, "environment": {Environment: "dev"}} {
			for _, e := range collect(t, l.Entries(t.Context(), q)) {
				if e.Cause == history.CauseRuling {
					t.Errorf("filtered by %s, the ruling shows", name)
				}
			}
		}
		if a := given("suzuki", at.AddDate(0, 0, 8)); a.By != "suzuki" {
			t.Errorf("an expired one is given anew: %+v", a)
		}
	})
}

// Killed at any call, an approval is never in force without a line that says
// who gave it, and approving again helps.
func TestAKillWhileApproving(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n, lived := 0, false; !lived; n++ {
			memory := store.NewMemory()
			l := history.Open(killable(memory, &life{left: n, after: after}), repo)
			a := ruling.Approval{Environment: env, Digest: "d", By: "sato", At: time.Now()}
			_, err := l.Rulings().Approve(t.Context(), a, window.Calendar{})
			lived = err == nil
			check := func() (approvals, rulings int) {
				list, err := ruling.Load(t.Context(), memory, repo, env)
				if err != nil {
					t.Fatal(err)
				}
				return len(list), len(collect(t, history.Open(memory, repo).Entries(t.Context(), history.Query{})))
			}
			if approvals, rulings := check(); approvals > rulings {
				t.Errorf("call %d after=%v: %d approvals and %d lines in the history", n, after, approvals, rulings)
			}
			if _, err := history.Open(memory, repo).Rulings().Approve(t.Context(), a, window.Calendar{}); err != nil {
				t.Fatal(err)
			}
			if approvals, rulings := check(); approvals != 1 || rulings < 1 || lived && rulings != 1 {
				t.Errorf("call %d after=%v: in the end %d approvals and %d lines", n, after, approvals, rulings)
			}
			if lived && n < 4 {
				t.Errorf("only %d calls: nothing was proved", n)
			}
		}
	}
}

// Killed at any call, an environment is never forgotten without a line that
// says by whom, and doing it again helps.
func TestAKillWhileForgetting(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n, lived := 0, false; !lived; n++ {
			memory := store.NewMemory()
			word := ruling.Forgotten{Environment: env, By: "sato", At: time.Now(), Reason: "closed"}
			_, err := history.Open(killable(memory, &life{left: n, after: after}), repo).Rulings().Forget(t.Context(), word)
			lived = err == nil
			check := func() (forgotten bool, lines []history.Entry) {
				_, ok, err := ruling.FindForgotten(t.Context(), memory, repo, env)
				if err != nil {
					t.Fatal(err)
				}
				return ok, collect(t, history.Open(memory, repo).Entries(t.Context(), history.Query{}))
			}
			if forgotten, lines := check(); forgotten && len(lines) == 0 {
				t.Errorf("call %d after=%v: forgotten, and nobody knows by whom", n, after)
			}
			if _, err := history.Open(memory, repo).Rulings().Forget(t.Context(), word); err != nil {
				t.Fatal(err)
			}
			forgotten, lines := check()
			if !forgotten || len(lines) < 1 || lived && len(lines) != 1 {
				t.Errorf("call %d after=%v: in the end forgotten=%v with %d lines", n, after, forgotten, len(lines))
			}
			if e := lines[0]; e.Kind != history.KindForget || e.Step != "forget/"+env || e.ApprovedBy != "sato" || e.Reason != "closed" || e.Approval != "" {
				t.Errorf("the line is %+v", e)
			}
			if lived && n < 4 {
				t.Errorf("only %d calls: nothing was proved", n)
			}
		}
	}
}

// long is a history of n records that exists only while it is read.
type long struct {
	store.Store
	n int
}

func (l long) List(_ context.Context, q store.Query) iter.Seq2[store.Value, error] {
	return func(yield func(store.Value, error) bool) {
		reason := strings.Repeat("x", 2<<10)
		for i := l.n; i > 0; i-- {
			data := fmt.Sprintf(`{"v":1,"environment":"prod","steps":[{"function":"f%d","reason":"%s"}]}`, i%100, reason)
			if !yield(store.Value{Key: fmt.Sprintf("%s20260101T000000.%09dZ-X", q.Prefix, i), Data: []byte(data)}, nil) {
				return
			}
		}
	}
}

// Ten thousand records of 2 kB, of which one function's are asked for, do not
// pile up in memory.
func TestReadingALongHistoryHoldsLittle(t *testing.T) {
	nightly.NotShort(t, "it reads records one after the other")
	l, seen := history.Open(long{n: 10_000}, repo), 0
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, most := heap(), int64(0)
	for e, err := range l.Entries(t.Context(), history.Query{Function: "f7"}) {
		if err != nil || e.Function != "f7" {
			t.Fatal(e.Function, err)
		}
		if seen++; seen%50 == 0 {
			most = max(most, heap()-before)
		}
	}
	if seen != 100 {
		t.Errorf("%d entries", seen)
	}
	if most > 8<<20 {
		t.Errorf("%d MiB are held", most>>20)
	}
}

package history_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// carryOn is a process that brings a rollout to its end, wherever an earlier
// one was killed: it looks at what was left open, goes on with what is kept, and
// heals mail on the way.
func carryOn(ctx context.Context, s store.Store, aws map[string]list) error {
	l := history.Open(s, repo).Holding(account, 7)
	open, err := l.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, e := range open {
		out := ended(plan.StatusSkipped, nil)
		if slices.Equal(aws[e.Function], e.After) {
			out = movedTo("8")
		}
		if err := l.Settle(ctx, e, out); err != nil {
			return err
		}
	}
	r, err := l.Rollout(ctx, env, region)
	if err != nil || r != nil && !r.Ended.IsZero() {
		return err
	}
	if r == nil {
		first := half()
		first.ID, first.Chain, first.Stage, first.Wave, first.Waves = l.NewRolloutID(time.Now()), nil, rollout.StageChange, 1, 1
		r = &first
		if err := l.SaveRollout(ctx, env, region, *r); err != nil {
			return err
		}
	}
	round, err := l.BeginRound(ctx, history.Round{Environment: env, Region: region, Account: account, Rollout: r.ID})
	if err != nil {
		return err
	}
	for _, in := range []apply.Intent{
		in(1, served(attach("chat", 12, 13), "7", false)), because(plan.CauseDrift, attach("mail", 11, 12)), in(1, served(attach("post", 12, 13), "7", false)),
	} {
		if !slices.Equal(aws[in.Function()], in.Before) {
			continue
		}
		id, err := round.Begin(ctx, in)
		if err != nil {
			return err
		}
		aws[in.Function()] = in.After
		out := movedTo("8")
		if in.Alias == "" {
			out = applied("")
		}
		if err := round.Finish(ctx, id, out); err != nil {
			return err
		}
	}
	if err := errors.Join(round.FinishRound(ctx), l.Prove(ctx, env, region, r.Targets)); err != nil {
		return err
	}
	r.Stage, r.Ended = rollout.StageDone, time.Now()
	return l.SaveRollout(ctx, env, region, *r)
}

// A kill at any call of a rollout loses nothing of it: the next process finds
// which one it is, what it has done and what it is to go back to.
func TestAKillDuringARollout(t *testing.T) {
	kill := func(t *testing.T, n int, after bool) (lived bool) {
		s, first := store.NewMemory(), &life{left: n, after: after}
		aws := map[string]list{"chat": has(12), "mail": has(11), "post": has(12)}
		if err := carryOn(t.Context(), killable(s, first), aws); (err != nil) != first.dead {
			t.Fatalf("call %d: %v", n, err)
		}
		if err := carryOn(t.Context(), s, aws); err != nil {
			t.Fatalf("call %d, after=%v: the next start: %v", n, after, err)
		}
		l := history.Open(s, repo)
		r := rolloutOf(t, l)
		if r.Stage != rollout.StageDone || len(unfinished(t, l)) != 0 {
			t.Fatalf("call %d, after=%v: %+v", n, after, r)
		}
		want := []rollout.Changed{
			{Function: "chat", Wave: 1, Before: has(12), After: has(13), Alias: "live", AliasBefore: "7", AliasAfter: "8"},
			{Function: "post", Wave: 1, Before: has(12), After: has(13), Alias: "live", AliasBefore: "7", AliasAfter: "8"},
		}
		if diff := cmp.Diff(want, changed(t, l, r.ID)); diff != "" {
			t.Errorf("call %d, after=%v: changed (-want +got):\n%s", n, after, diff)
		}
		p := pastOf(t, l)
		if p.Layers[common].Proven != 13 || p.Functions["chat"].Applied[common] != 13 || p.Functions["post"].Applied[common] != 13 {
			t.Errorf("call %d, after=%v: past %+v", n, after, p)
		}
		heals := p.Functions["mail"].Heals
		if len(heals) != 1 || heals[common].Count != 1 || p.Functions["chat"].Heals != nil {
			t.Errorf("call %d, after=%v: heals %+v", n, after, p.Functions)
		}
		c := newCounted(s)
		if err := carryOn(t.Context(), c, aws); err != nil || c.writes != 0 {
			t.Errorf("call %d, after=%v: one more start: %v, %d writes", n, after, err, c.writes)
		}
		return !first.dead
	}
	for _, after := range []bool{false, true} {
		for n, lived := 0, false; !lived && !t.Failed(); n++ {
			synctest.Test(t, func(t *testing.T) { lived = kill(t, n, after) })
			if lived && n < 20 {
				t.Errorf("only %d calls: too few to prove anything", n)
			}
		}
	}
}

// What an old holder says on waking changes neither heals nor what is proven.
func TestAWokenHolderCountsNoHeals(t *testing.T) {
	s := store.NewMemory()
	l := history.Open(s, repo)
	old := fallAsleep(t, fenced(t, l, account, 6), because(plan.CauseDrift, attach("chat", 12, 13)))
	oldChange := fallAsleep(t, fenced(t, l, account, 6), attach("mail", 12, 13))
	for _, f := range []string{"chat", "mail"} {
		do(t, fenced(t, l, account, 7), because(plan.CauseDrift, attach(f, 12, 13)), applied(""))
	}
	before := pastOf(t, l)
	old.wake(t)
	oldChange.wake(t)
	if diff := cmp.Diff(before, pastOf(t, l)); diff != "" {
		t.Errorf("waking changed the past (-before +after):\n%s", diff)
	}
}

// What was written before there were rollouts is read as it was meant.
func TestValuesFromBeforeRollouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, at := store.NewMemory(), time.Now().UTC()
		id := at.Add(-time.Hour).Format("20060102T150405.000000000Z") + "-ABCDEFGHIJKL"
		for key, data := range map[string]string{
			store.Key("past", repo, "function", env, region, "chat"): `{"v":1,"list":["` + string(common.Version(12)) + `"],"layers":{"` + string(common) +
				`":{"applied":12,"original":11,"changed":true}},"fencing":{"123456789012":6}}`,
			store.Key("past", repo, "layer", env, region, string(common)): `{"v":1,"applied":[11,12],"numbers":{"1.12.0":12},"selected":3}`,
			store.Key("history", repo, id): `{"v":1,"round":"r","environment":"prod","region":"ap-northeast-1","fencing":6,"steps":[{"id":"attach/makoto-common/chat","kind":"attach",` +
				`"layer":"makoto-common","layer_arn":"` + string(common) + `","function":"chat","to":"` + string(common.Version(12)) + `","cause":"drift"}],"before":[],"after":["` +
				string(common.Version(12)) + `"],"started":"2026-11-24T12:00:00Z","end":{"status":"failed","ended":"2026-11-24T12:00:03Z"}}`,
			store.Key("history", repo, id+"B", "ruling"): `{"v":1,"kind":"approval","environment":"prod","digest":"d1","by":"sato","at":"2026-11-24T12:00:00Z"}`,
		} {
			if _, err := s.Create(t.Context(), key, []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		l := history.Open(s, repo).Holding(account, 7)
		want := plan.Past{
			Functions: map[string]plan.FunctionPast{"chat": {
				List: list{common.Version(12)}, Applied: map[state.LayerARN]int64{common: 12}, Original: map[state.LayerARN]int64{common: 11},
				Account: account,
			}},
			Layers: map[state.LayerARN]plan.LayerPast{common: {Applied: []int64{11, 12}, Numbers: map[string]int64{"1.12.0": 12}, Selected: 3}},
		}
		if diff := cmp.Diff(want, pastOf(t, l)); diff != "" {
			t.Errorf("past (-want +got):\n%s", diff)
		}
		got := collect(t, l.Entries(t.Context(), history.Query{}))
		if len(got) != 2 || got[0].Kind != history.KindApproval || got[1].Rollout != "" || got[1].Wave != 0 || got[1].Found != nil {
			t.Errorf("entries: %+v", got)
		}
		if list := changed(t, l, l.NewRolloutID(time.Now())); list != nil || rolloutOf(t, l) != nil {
			t.Errorf("a rollout before there were any: %+v", list)
		}
		do(t, fenced(t, l, account, 0), because(plan.CauseDrift, attach("chat", 12, 12)), applied(""))
		if h := pastOf(t, l).Functions["chat"].Heals[common]; h.Count != 1 || !h.Last.Equal(at) {
			t.Errorf("heals: %+v", h)
		}
	})
}

package history_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// part begins a round that carries a rollout on.
func part(t interface {
	Helper()
	Fatal(args ...any)
}, l *history.Log, rollout string) *history.Recording {
	t.Helper()
	r, err := l.BeginRound(context.Background(), history.Round{Environment: env, Region: region, Account: account, Rollout: rollout})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func changed(t interface {
	Helper()
	Fatal(args ...any)
}, l *history.Log, id string, chain ...string) []rollout.Changed {
	t.Helper()
	list, err := l.Changed(context.Background(), rollout.Rollout{ID: id, Chain: chain})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// because is an intent with another cause.
func because(cause plan.Cause, in apply.Intent) apply.Intent {
	for i := range in.Steps {
		in.Steps[i].Cause = cause
	}
	return in
}

// served moves the alias live as well, from the version before.
func served(in apply.Intent, before string, canary bool) apply.Intent {
	in.Steps = append(in.Steps, plan.Step{ID: "serve/" + in.Function(), Kind: plan.KindServe, Function: in.Function(), Cause: in.Steps[0].Cause})
	in.Alias, in.AliasBefore, in.Canary = "live", before, canary
	return in
}

// serve moves the alias and leaves the list as it is.
func serve(function string, number int64, cause plan.Cause, before string) apply.Intent {
	in := served(because(cause, attach(function, number, number)), before, false)
	in.Steps = in.Steps[1:]
	return in
}

func in(wave int, in apply.Intent) apply.Intent {
	for i := range in.Steps {
		in.Steps[i].Wave = wave
	}
	return in
}

func has(number int64) list { return list{vendor.Version(9), common.Version(number)} }

func ended(status plan.Status, found list) apply.Outcome {
	return apply.Outcome{Result: plan.Result{Status: status}, List: found}
}

func movedTo(version string) apply.Outcome {
	out := applied("")
	out.AliasAfter = version
	return out
}

func TestWhatARolloutChanged(t *testing.T) {
	type write struct {
		in  apply.Intent
		out *apply.Outcome // nil: killed
	}
	did := func(in apply.Intent, out apply.Outcome) write { return write{in, &out} }
	chat := rollout.Changed{Function: "chat", Before: has(12), After: has(13)}
	with := func(change func(*rollout.Changed)) []rollout.Changed {
		c := chat
		change(&c)
		return []rollout.Changed{c}
	}
	first := attach("chat", 0, 13)
	first.Before = list{}
	for _, tt := range []struct {
		name   string
		writes []write
		want   []rollout.Changed
	}{
		{"nothing", nil, nil},
		{"applied", []write{did(in(2, attach("chat", 12, 13)), applied(""))}, with(func(c *rollout.Changed) { c.Wave = 2 })},
		{"by function", []write{did(attach("mail", 12, 13), applied("")), did(attach("chat", 12, 13), applied(""))},
			[]rollout.Changed{chat, {Function: "mail", Before: has(12), After: has(13)}}},
		{"killed", []write{{in: attach("chat", 12, 13)}}, with(func(c *rollout.Changed) { c.Failed = true })},
		{"failed, and nobody saw how", []write{did(attach("chat", 12, 13), ended(plan.StatusFailed, nil))}, with(func(c *rollout.Changed) { c.Failed = true })},
		{"failed halfway", []write{did(attach("chat", 12, 13), ended(plan.StatusFailed, has(11)))},
			with(func(c *rollout.Changed) { c.Failed, c.After = true, has(11) })},
		{"failed and changed nothing", []write{did(attach("chat", 12, 13), ended(plan.StatusFailed, has(12)))}, nil},
		{"failed on a function without layers", []write{did(first, ended(plan.StatusFailed, list{}))}, nil},
		{"a first attach", []write{did(first, applied(""))}, with(func(c *rollout.Changed) { c.Before, c.After = nil, first.After })},
		{"skipped", []write{did(attach("chat", 12, 13), ended(plan.StatusSkipped, nil))}, nil},
		{"failed, then applied", []write{did(in(1, attach("chat", 12, 13)), ended(plan.StatusFailed, nil)), did(in(2, attach("chat", 13, 13)), applied(""))},
			with(func(c *rollout.Changed) { c.Wave = 2 })},
		{"applied, then skipped", []write{did(attach("chat", 12, 13), applied("")), did(attach("chat", 13, 14), ended(plan.StatusSkipped, has(13)))}, []rollout.Changed{chat}},
		{"twice", []write{did(attach("chat", 12, 13), applied("")), did(attach("chat", 13, 14), applied(""))}, with(func(c *rollout.Changed) { c.After = has(14) })},
		{"Git went back", []write{did(attach("chat", 12, 11), applied(""))}, with(func(c *rollout.Changed) { c.After = has(11) })},
		{"a rollback", []write{did(because(plan.CauseRollback, attach("chat", 13, 12)), applied(""))}, nil},
		{"changed, then rolled back", []write{did(attach("chat", 12, 13), applied("")), did(because(plan.CauseRollback, attach("chat", 13, 12)), applied(""))}, []rollout.Changed{chat}},
		{"a rollback that heals as well", []write{did(attach("chat", 12, 13), applied("")), did(apply.Intent{
			Steps:  append(because(plan.CauseRollback, attach("chat", 13, 12)).Steps, because(plan.CauseDrift, attach("chat", 9, 10)).Steps...),
			Before: has(13), After: has(12),
		}, applied(""))}, []rollout.Changed{chat}},
		{"a heal", []write{did(because(plan.CauseDrift, attach("chat", 9, 12)), applied(""))}, nil},
		{"a heal before", []write{did(because(plan.CauseDrift, attach("chat", 9, 12)), applied("")), did(attach("chat", 12, 13), applied(""))}, []rollout.Changed{chat}},
		{"a heal behind", []write{did(attach("chat", 12, 13), applied("")), did(because(plan.CauseDrift, attach("chat", 9, 13)), ended(plan.StatusFailed, has(8)))},
			with(func(c *rollout.Changed) { c.Failed, c.After = true, has(8) })},
		{"a prune", []write{did(apply.Intent{Steps: []plan.Step{{Kind: plan.KindPrune, LayerARN: common, From: common.Version(3), Cause: plan.CauseRetention}}}, applied(""))}, nil},
		{"an alias", []write{did(served(attach("chat", 12, 13), "7", false), movedTo("8"))},
			with(func(c *rollout.Changed) { c.Alias, c.AliasBefore, c.AliasAfter = "live", "7", "8" })},
		{"an alias that was not moved", []write{did(served(attach("chat", 12, 13), "7", false), ended(plan.StatusFailed, has(13)))},
			with(func(c *rollout.Changed) { c.Alias, c.AliasBefore, c.Failed = "live", "7", true })},
		{"an alias alone, and nobody knows", []write{did(serve("chat", 13, plan.CauseChange, "7"), ended(plan.StatusFailed, nil))},
			with(func(c *rollout.Changed) {
				c.Before, c.Alias, c.AliasBefore, c.Failed = has(13), "live", "7", true
			})},
		{"weights", []write{did(served(attach("chat", 12, 13), "7", true), movedTo("8"))},
			with(func(c *rollout.Changed) {
				c.Alias, c.AliasBefore, c.AliasAfter, c.Canary = "live", "7", "8", true
			})},
		{"weights, then all", []write{did(served(attach("chat", 12, 13), "7", true), movedTo("8")), did(serve("chat", 13, plan.CauseChange, "7"), movedTo("8"))},
			with(func(c *rollout.Changed) { c.Alias, c.AliasBefore, c.AliasAfter = "live", "7", "8" })},
		{"an alias that was moved twice", []write{did(served(attach("chat", 12, 13), "7", false), movedTo("8")), did(served(attach("chat", 13, 14), "8", false), movedTo("9"))},
			with(func(c *rollout.Changed) {
				c.After, c.Alias, c.AliasBefore, c.AliasAfter = has(14), "live", "7", "9"
			})},
		{"the alias caught up after a kill", []write{{in: served(attach("chat", 12, 13), "7", false)}, did(serve("chat", 13, plan.CauseDrift, "7"), movedTo("8"))},
			with(func(c *rollout.Changed) { c.Alias, c.AliasBefore, c.AliasAfter = "live", "7", "8" })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := history.Open(store.NewMemory(), repo)
			id := l.NewRolloutID(time.Now())
			r, other := part(t, l, id), part(t, l, "")
			do(t, other, attach("chat", 1, 2), applied("")) // of no rollout
			for _, w := range tt.writes {
				if w.out != nil {
					do(t, r, w.in, *w.out)
				} else if _, err := r.Begin(t.Context(), w.in); err != nil {
					t.Fatal(err)
				}
			}
			do(t, part(t, l, l.NewRolloutID(time.Now())), attach("chat", 20, 21), applied("")) // of another
			if diff := cmp.Diff(tt.want, changed(t, l, id)); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatAChainChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := history.Open(store.NewMemory(), repo)
		a := l.NewRolloutID(time.Now())
		do(t, part(t, l, a), in(1, attach("chat", 12, 13)), applied(""))
		<-time.After(72 * time.Hour)
		b := l.NewRolloutID(time.Now())
		do(t, part(t, l, b), in(1, attach("chat", 13, 14)), applied(""))
		do(t, part(t, l, b), in(2, attach("mail", 12, 14)), applied(""))
		mail := rollout.Changed{Function: "mail", Wave: 2, Before: has(12), After: has(14)}
		both := []rollout.Changed{{Function: "chat", Wave: 1, Before: has(12), After: has(14), Earlier: []state.LayerARN{common}}, mail}
		if diff := cmp.Diff(both, changed(t, l, b, a)); diff != "" {
			t.Errorf("with its chain (-want +got):\n%s", diff)
		}
		alone := []rollout.Changed{{Function: "chat", Wave: 1, Before: has(13), After: has(14)}, mail}
		if diff := cmp.Diff(alone, changed(t, l, b)); diff != "" {
			t.Errorf("alone (-want +got):\n%s", diff)
		}
	})
}

// What only an earlier rollout of the chain did has no wave of this one, and a
// canary after a move keeps where the alias itself is.
func TestAChainIsToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := history.Open(store.NewMemory(), repo)
		a := l.NewRolloutID(time.Now())
		do(t, part(t, l, a), in(2, served(attach("chat", 12, 13), "1", false)), movedTo("2"))
		do(t, part(t, l, a), in(2, attach("mail", 12, 13)), applied(""))
		<-time.After(time.Hour)
		b := l.NewRolloutID(time.Now())
		do(t, part(t, l, b), in(1, served(attach("chat", 13, 14), "2", true)), movedTo("3"))
		earlier := []state.LayerARN{common}
		want := []rollout.Changed{
			{Function: "chat", Wave: 1, Before: has(12), After: has(14), Earlier: earlier, Alias: "live", AliasBefore: "1", AliasAfter: "3", AliasServes: "2", Canary: true},
			{Function: "mail", Wave: 0, Before: has(12), After: has(13), Earlier: earlier},
		}
		if diff := cmp.Diff(want, changed(t, l, b, a)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// The next holder's machine is behind in time: its records sort before the
// rollout that they are part of.
func TestARecordFromAClockThatIsBehind(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	ahead := history.Open(store.NewMemory(), repo).NewRolloutID(time.Now().Add(time.Minute))
	do(t, part(t, l, ahead), attach("chat", 12, 13), applied(""))
	if got := changed(t, l, ahead); len(got) != 1 {
		t.Errorf("changed: %+v", got)
	}
	if _, err := l.Changed(t.Context(), rollout.Rollout{ID: "yesterday"}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("an ID of somebody else: %v", err)
	}
}

// However writes end, putting Before back undoes the rollout, and After is what
// is there: each function that differs from when the rollout began is told,
// with both lists as they are in AWS.
func TestChangedIsTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx, l := context.Background(), history.Open(store.NewMemory(), repo)
		aws, number := map[string]int64{"a": 1, "b": 1, "c": 1}, int64(1)
		names := slices.Sorted(maps.Keys(aws))
		write := func(r *history.Recording) {
			name := rapid.SampledFrom(names).Draw(t, "function")
			number++
			from := aws[name]
			id, err := r.Begin(ctx, attach(name, from, number))
			if err != nil {
				t.Fatal(err)
			}
			var out apply.Outcome
			switch rapid.SampledFrom([]string{"applied", "failed before", "failed after", "unknown", "skipped", "killed"}).Draw(t, "end") {
			case "applied":
				aws[name], out = number, applied("")
			case "failed before":
				out = ended(plan.StatusFailed, has(from))
			case "failed after":
				aws[name], out = number, ended(plan.StatusFailed, has(number))
			case "unknown":
				aws[name], out = number, ended(plan.StatusFailed, nil)
			case "skipped":
				out = ended(plan.StatusSkipped, nil)
			case "killed":
				aws[name] = number
				return
			}
			if err := r.Finish(ctx, id, out); err != nil {
				t.Fatal(err)
			}
		}
		some := func(rollout string) {
			for range rapid.IntRange(0, 5).Draw(t, "writes") {
				write(part(t, l, rollout))
			}
		}
		some("")
		some(l.NewRolloutID(time.Now()))
		was := maps.Clone(aws)
		var ids []string
		for range rapid.IntRange(1, 3).Draw(t, "rollouts") {
			ids = append(ids, l.NewRolloutID(time.Now()))
			some(ids[len(ids)-1])
		}
		var want []rollout.Changed
		for _, name := range names {
			if was[name] != aws[name] {
				want = append(want, rollout.Changed{Function: name, Before: has(was[name]), After: has(aws[name])})
			}
		}
		got := changed(t, l, ids[len(ids)-1], ids[:len(ids)-1]...)
		for i := range got {
			got[i].Failed, got[i].Earlier = false, nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("changed (-want +got):\n%s", diff)
		}
	})
}

func TestAnEntryOfARollout(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	id := l.NewRolloutID(time.Now())
	do(t, part(t, l, id), in(2, served(attach("chat", 12, 13), "7", true)), movedTo("8"))
	if p := pastOf(t, l); len(p.Layers) != 0 || len(p.Functions) != 0 {
		t.Errorf("a share of the calls counts as applied: %+v", p)
	}
	got := collect(t, l.Entries(t.Context(), history.Query{}))
	if len(got) != 2 || got[1].Kind != plan.KindServe {
		t.Fatalf("entries: %+v", got)
	}
	for _, e := range got {
		if e.Rollout != id || e.Wave != 2 || e.Alias != "live" || e.AliasBefore != "7" || e.AliasAfter != "8" || !e.Canary {
			t.Errorf("entry: %+v", e)
		}
	}
	do(t, part(t, l, id), in(2, served(attach("chat", 12, 13), "7", false)), movedTo("8"))
	p := pastOf(t, l)
	if len(p.Layers) != 1 || !cmp.Equal(p.Functions["chat"].Applied, map[state.LayerARN]int64{common: 13}) {
		t.Errorf("a serve is of no layer: %+v", p)
	}
}

// An alias that is moved alone leaves the past as it is.
func TestAServeAlone(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	do(t, begin(t, l), attach("chat", 12, 13), applied(""))
	before := pastOf(t, l)
	only := serve("chat", 13, plan.CauseChange, "7")
	only.Steps[0].To = common.Version(13)
	do(t, begin(t, l), only, movedTo("8"))
	if diff := cmp.Diff(before, pastOf(t, l)); diff != "" {
		t.Errorf("past (-before +after):\n%s", diff)
	}
}

// What a rollback restored is what was applied last.
func TestARollbackIsThePast(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	do(t, begin(t, l), attach("chat", 11, 12), applied(""))
	do(t, begin(t, l), attach("chat", 12, 13), applied(""))
	do(t, begin(t, l), because(plan.CauseRollback, attach("chat", 13, 12)), applied(""))
	p := pastOf(t, l)
	if got := p.Layers[common].Applied; p.Functions["chat"].Applied[common] != 12 || !slices.Equal(got, []int64{13, 12}) {
		t.Errorf("past: %+v", p)
	}
	away := because(plan.CauseRollback, attach("chat", 12, 13))
	away.Steps[0].To, away.Steps[0].Kind, away.After = "", plan.KindDetach, list{vendor.Version(9)}
	do(t, begin(t, l), away, applied(""))
	p = pastOf(t, l)
	if n, known := p.Functions["chat"].Applied[common]; n != 0 || !known || fmt.Sprint(p.Layers[common].Applied) != "[13 12]" {
		t.Errorf("past without the layer: %+v", p)
	}
}

// A share of the calls is not the past; all of them are, and with them what the
// canary attached, also where the record that moved the alias names no layer.
func TestACanaryIsThePastOnceItServes(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	do(t, begin(t, l), attach("chat", 3, 4), applied(""))
	id := l.NewRolloutID(time.Now())
	r := part(t, l, id)
	do(t, r, served(attach("chat", 4, 5), "1", true), movedTo("2"))
	if got := pastOf(t, l).Functions["chat"].Applied[common]; got != 4 {
		t.Errorf("with a share of its calls the past is %d", got)
	}
	do(t, r, serve("chat", 5, plan.CauseRollback, "1"), movedTo("1"))
	if got := pastOf(t, l).Functions["chat"].Applied[common]; got != 4 {
		t.Errorf("with its weights taken back the past is %d", got)
	}
	do(t, r, serve("chat", 5, plan.CauseChange, "1"), movedTo("2"))
	past := pastOf(t, l)
	if got := past.Functions["chat"].Applied[common]; got != 5 {
		t.Errorf("with all of its calls the past is %d", got)
	}
	if got := past.Layers[common].Applied; len(got) == 0 || got[len(got)-1] != 5 {
		t.Errorf("applied here were %v", got)
	}
}

// What somebody changed beside it, and was only told, is not ours.
func TestDriftBesideACanaryIsNotThePast(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	do(t, begin(t, l), attach("chat", 3, 4), applied(""))
	learn(t, l, plan.Learned{Sightings: []plan.Sighting{{Function: "chat", Layer: common, Have: common.Version(5), Since: time.Now()}}})
	do(t, part(t, l, l.NewRolloutID(time.Now())), serve("chat", 5, plan.CauseChange, "1"), movedTo("2"))
	if got := pastOf(t, l).Functions["chat"].Applied[common]; got != 4 {
		t.Errorf("what somebody changed is the past: %d", got)
	}
}

// Giving all calls failed or was cut off before the alias moved: it still gives
// a share of them, and that is ours to go on with, or to take back.
func TestACanaryThatCouldNotGoOnIsStillOne(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	id := l.NewRolloutID(time.Now())
	r := part(t, l, id)
	do(t, r, served(attach("chat", 4, 5), "1", true), movedTo("2"))
	do(t, r, serve("chat", 5, plan.CauseChange, "1"), ended(plan.StatusFailed, has(5)))
	c := changed(t, l, id)[0]
	if !c.Canary || c.AliasAfter != "2" || c.AliasBefore != "1" {
		t.Errorf("changed %+v", c)
	}
}

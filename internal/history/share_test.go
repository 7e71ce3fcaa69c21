package history_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

func share(n int64, granting bool) apply.Intent {
	s := plan.Step{
		ID: fmt.Sprintf("share/makoto-common/%d/210987654321", n), Kind: plan.KindShare, Layer: "makoto-common", LayerARN: common,
		To: common.Version(n), Cause: plan.CauseChange, AnyTime: true, Reason: "share_with names 210987654321", Sharing: new(plan.Sharing(state.NewGrant("210987654321"))),
	}
	if !granting {
		s.From, s.To = s.To, ""
	}
	return apply.Intent{Steps: []plan.Step{s}}
}

// A grant that was made, or taken back, is remembered as that, and not as a version that
// was applied; the record has whom it was about.
func TestShareIsRemembered(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	r := begin(t, l)
	applied := apply.Outcome{Result: plan.Result{Status: plan.StatusApplied, RequestID: "r"}}
	id, err := r.Begin(t.Context(), share(13, true))
	if err != nil {
		t.Fatal(err)
	}
	open := unfinished(t, l)
	if len(open) != 1 || open[0].Sharing == nil || *open[0].Sharing != plan.Sharing(state.NewGrant("210987654321")) || open[0].ToNumber != 13 {
		t.Errorf("the intent: %+v", open)
	}
	if err := r.Finish(t.Context(), id, applied); err != nil {
		t.Fatal(err)
	}
	for _, in := range []apply.Intent{share(12, true), share(14, true), share(12, true), share(13, false), share(11, false)} {
		do(t, r, in, applied)
	}
	do(t, r, share(15, true), apply.Outcome{Result: plan.Result{Status: plan.StatusFailed, Error: "no"}})
	past := pastOf(t, l).Layers[common]
	if diff := cmp.Diff(past, plan.LayerPast{Shares: map[string][]int64{"layerd-210987654321": {12, 14}}}); diff != "" {
		t.Errorf("past (-have +want):\n%s", diff)
	}
	if fs := pastOf(t, l).Functions; len(fs) > 0 {
		t.Errorf("functions %v", fs)
	}
	do(t, r, share(12, false), applied)
	do(t, r, share(14, false), applied)
	if past := pastOf(t, l).Layers[common]; len(past.Shares) > 0 {
		t.Errorf("all was taken back, and %v is left", past.Shares)
	}
}

// What was found of grants takes the place of what was known, once; and whoever was
// asleep leaves alone what a later holder of the lease wrote.
func TestSharesAreLearned(t *testing.T) {
	memory := newCounted(store.NewMemory())
	l := history.Open(memory, repo).Holding("123456789012", 7)
	read := time.Date(2026, 11, 24, 12, 0, 0, 0, time.FixedZone("JST", 9*3600))
	found := plan.Learned{Shares: []plan.LayerShares{{
		Layer: common, Ours: map[string][]int64{"layerd-public": {1, 2}}, Others: map[string][]int64{"333333333333": {2}}, Read: read,
	}}}
	learn(t, l, found)
	want := plan.LayerPast{Shares: map[string][]int64{"layerd-public": {1, 2}}, OtherShares: map[string][]int64{"333333333333": {2}}, SharesRead: read.UTC()}
	check := func(l *history.Log) {
		t.Helper()
		if diff := cmp.Diff(pastOf(t, l).Layers[common], want); diff != "" {
			t.Errorf("past (-have +want):\n%s", diff)
		}
	}
	check(l)
	writes := memory.writes
	learn(t, l, found)
	learn(t, l, plan.Learned{})
	if memory.writes != writes {
		t.Errorf("the same again made %d writes", memory.writes-writes)
	}
	check(l)
	learn(t, history.Open(memory, repo).Holding("123456789012", 6), plan.Learned{Shares: []plan.LayerShares{{Layer: common}}})
	check(l)
	learn(t, l, plan.Learned{Shares: []plan.LayerShares{{Layer: common, Read: read.Add(time.Hour)}}})
	want = plan.LayerPast{SharesRead: read.Add(time.Hour).UTC()}
	past := pastOf(t, l).Layers[common]
	if len(past.Shares)+len(past.OtherShares) > 0 || !past.SharesRead.Equal(want.SharesRead) {
		t.Errorf("past %+v", past)
	}
}

// More grants than a value holds are cut, and what is cut is only forgotten.
func TestSharesFitIntoAValue(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	ours := map[string][]int64{}
	for i := range 70 {
		for n := range int64(2000) {
			sid := fmt.Sprintf("layerd-%012d", i)
			ours[sid] = append(ours[sid], 100_000+n)
		}
	}
	learn(t, l, plan.Learned{Shares: []plan.LayerShares{{Layer: common, Ours: ours}}})
	kept := pastOf(t, l).Layers[common].Shares
	if list := kept["layerd-000000000069"]; len(kept) != 70 || len(list) == 0 || list[len(list)-1] != 101_999 || !slices.IsSorted(list) {
		t.Errorf("kept %d of them, the last %v", len(kept), list)
	}
}

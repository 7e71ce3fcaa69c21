package history_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

const (
	repo   = "https://github.com/acme/layers.git"
	env    = "prod"
	region = "ap-northeast-1"
)

type list = []state.LayerVersionARN

var (
	common = state.NewLayerARN("aws", region, "123456789012", "makoto-common")
	vendor = state.LayerARN("arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog")
)

// counted is a store with a count of the writes that reach it.
type counted struct {
	store.Store
	mu     sync.Mutex // guards writes
	writes int
}

func newCounted(s store.Store) *counted {
	c := &counted{}
	c.Store = storetest.Faulty(s, func(_ context.Context, call storetest.Call) storetest.Fault {
		if call.Write() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.writes++
		}
		return storetest.Fault{}
	})
	return c
}

func attach(function string, from, to int64) apply.Intent {
	s := plan.Step{
		ID: "attach/makoto-common/" + function, Kind: plan.KindAttach, Layer: "makoto-common", LayerARN: common,
		Function: function, To: common.Version(to), ToVersion: fmt.Sprintf("1.%d.0", to), Cause: plan.CauseChange, Reason: "Git asks for it",
	}
	in := apply.Intent{Before: list{vendor.Version(9)}, After: list{vendor.Version(9), s.To}}
	if from > 0 {
		s.From = common.Version(from)
		in.Before = append(in.Before, s.From)
	}
	in.Steps = []plan.Step{s}
	return in
}

func applied(requestID string) apply.Outcome {
	return apply.Outcome{Result: plan.Result{Status: plan.StatusApplied, RequestID: requestID}}
}

func begin(t *testing.T, l *history.Log) *history.Recording {
	t.Helper()
	r, err := l.BeginRound(t.Context(), history.Round{
		Environment: env, Region: region, Account: "123456789012", Revision: "c0ffee", Author: "Aiko <aiko@example.com>",
		Digest: "d1", Window: "Saturday 02:00-06:00", Approval: "d1", ApprovedBy: "hiro",
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// do records one whole change.
func do(t *testing.T, r *history.Recording, in apply.Intent, out apply.Outcome) {
	t.Helper()
	id, err := r.Begin(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(t.Context(), id, out); err != nil {
		t.Fatal(err)
	}
}

func pastOf(t *testing.T, l *history.Log) plan.Past {
	t.Helper()
	p, err := l.Past(t.Context(), env, region)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func learn(t *testing.T, l *history.Log, what plan.Learned) {
	t.Helper()
	if err := l.RecordObservations(t.Context(), env, region, what, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func unfinished(t *testing.T, l *history.Log) []history.Entry {
	t.Helper()
	list, err := l.Unfinished(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAnAppliedStepBecomesThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now().UTC()
		l := history.Open(store.NewMemory(), repo)
		r := begin(t, l)
		id, err := r.Begin(t.Context(), attach("chat", 12, 13))
		if err != nil {
			t.Fatal(err)
		}
		if got := unfinished(t, l); len(got) != 1 || got[0].ID != id || got[0].Status != "" || !got[0].Ended.IsZero() {
			t.Errorf("before the end: %+v", got)
		}
		if len(pastOf(t, l).Functions) != 0 {
			t.Error("an intent is not the past")
		}
		<-time.After(3 * time.Second)
		if err := r.Finish(t.Context(), id, applied("req-1")); err != nil {
			t.Fatal(err)
		}
		if err := r.FinishRound(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := plan.Past{
			Functions: map[string]plan.FunctionPast{"chat": {
				List:    list{vendor.Version(9), common.Version(13)},
				Applied: map[state.LayerARN]int64{common: 13}, Original: map[state.LayerARN]int64{common: 12},
				Since: begun,
			}},
			Layers: map[state.LayerARN]plan.LayerPast{common: {Applied: []int64{13}, Numbers: map[string]int64{"1.13.0": 13}}},
		}
		if diff := cmp.Diff(want, pastOf(t, l)); diff != "" {
			t.Errorf("past (-want +got):\n%s", diff)
		}
		got := collect(t, l.Entries(t.Context(), history.Query{}))
		if len(got) != 1 || len(unfinished(t, l)) != 0 {
			t.Fatalf("entries: %+v", got)
		}
		e := got[0]
		wantEntry := history.Entry{
			Round: history.Round{
				Environment: env, Region: region, Account: "123456789012", Revision: "c0ffee", Author: "Aiko <aiko@example.com>",
				Digest: "d1", Approval: "d1", ApprovedBy: "hiro", Window: "Saturday 02:00-06:00",
			},
			Action: history.Action{
				Step: "attach/makoto-common/chat", Kind: plan.KindAttach, Cause: plan.CauseChange, Reason: "Git asks for it",
				Layer: "makoto-common", LayerARN: common, Function: "chat", From: common.Version(12), To: common.Version(13),
				ToVersion: "1.13.0",
			},
			ID: id, RoundID: e.RoundID, FromNumber: 12, ToNumber: 13, Before: list{vendor.Version(9), common.Version(12)},
			After: list{vendor.Version(9), common.Version(13)}, Status: plan.StatusApplied, RequestID: "req-1", Started: e.Started,
			Ended: e.Started.Add(3 * time.Second), Duration: 3 * time.Second, Planned: "c0ffee",
		}
		if diff := cmp.Diff(wantEntry, e); diff != "" {
			t.Errorf("entry (-want +got):\n%s", diff)
		}
		if e.RoundID == "" || e.RoundID >= id {
			t.Errorf("the round began at %q, its record at %q", e.RoundID, id)
		}
		if e.Started.Location() != time.UTC {
			t.Errorf("started: %v", e.Started)
		}
	})
}

func TestWhatTheFunctionHadBeforeLayerd(t *testing.T) {
	type event func(*testing.T, *history.Log, *history.Recording)
	apply := func(from, to int64) event {
		return func(t *testing.T, _ *history.Log, r *history.Recording) {
			do(t, r, attach("chat", from, to), applied(""))
		}
	}
	adopt := func(n int64) event {
		return func(t *testing.T, l *history.Log, _ *history.Recording) {
			learn(t, l, plan.Learned{Adopted: []plan.Adoption{{Function: "chat", Layer: common, Number: n}}})
		}
	}
	sees := func(have state.LayerVersionARN) event {
		return func(t *testing.T, l *history.Log, _ *history.Recording) {
			learn(t, l, plan.Learned{Sightings: []plan.Sighting{{Function: "chat", Layer: common, Have: have, Since: time.Now()}}})
		}
	}
	for _, tt := range []struct {
		name     string
		events   []event
		original int64
	}{
		{"the first change", []event{apply(12, 13)}, 12},
		{"only the first change", []event{apply(12, 13), apply(13, 14)}, 12},
		{"there was none", []event{apply(0, 13), apply(13, 14)}, 0},
		{"adopted", []event{adopt(12)}, 0},
		{"adopted, then changed", []event{adopt(12), apply(12, 13)}, 12},
		{"another writer set another", []event{apply(12, 13), sees(common.Version(11))}, 0},
		{"and it is never set again", []event{apply(12, 13), sees(common.Version(11)), apply(11, 13)}, 0},
		{"another writer set it back", []event{apply(12, 13), sees(common.Version(12))}, 12},
		{"another writer took it away", []event{apply(12, 13), sees("")}, 12},
		{"our own write whose end was lost", []event{apply(12, 13), adopt(14)}, 12},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := history.Open(store.NewMemory(), repo)
			r := begin(t, l)
			for _, e := range tt.events {
				e(t, l, r)
			}
			if got := pastOf(t, l).Functions["chat"].Original[common]; got != tt.original {
				t.Errorf("original %d, want %d", got, tt.original)
			}
		})
	}
}

func TestLearningTwiceWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounted(store.NewMemory())
		l := history.Open(c, repo)
		since := time.Now()
		what := plan.Learned{
			Adopted:    []plan.Adoption{{Function: "chat", Layer: common, Number: 12, List: list{common.Version(12)}}, {Function: "none", Layer: common}},
			Sightings:  []plan.Sighting{{Function: "mail", Layer: common, Have: common.Version(9), Since: since}, {Function: "mail", Layer: "", Have: "a b", Since: since}},
			Candidates: []plan.Candidate{{Layer: common, Number: 3, Since: since}},
			Numbers:    []plan.PinnedNumber{{Layer: common, Semver: "1.4.2", Number: 12}},
			Selected:   []plan.Selection{{Layer: common, Count: 212}},
		}
		learn(t, l, what)
		if c.writes != 4 { // chat, none, mail, the layer
			t.Errorf("%d writes", c.writes)
		}
		want := plan.Past{
			Functions: map[string]plan.FunctionPast{
				"chat": {List: list{common.Version(12)}, Applied: map[state.LayerARN]int64{common: 12}, Since: since.UTC()},
				"none": {Applied: map[state.LayerARN]int64{common: 0}, Since: since.UTC()},
				"mail": {Applied: map[state.LayerARN]int64{}, Drift: map[state.LayerARN]plan.Sighting{
					common: {Function: "mail", Layer: common, Have: common.Version(9), Since: since.UTC()},
					"":     {Function: "mail", Have: "a b", Since: since.UTC()},
				}},
			},
			Layers: map[state.LayerARN]plan.LayerPast{common: {
				Applied: []int64{12}, Numbers: map[string]int64{"1.4.2": 12}, Candidates: map[int64]time.Time{3: since.UTC()}, Selected: 212,
			}},
		}
		if diff := cmp.Diff(want, pastOf(t, l)); diff != "" {
			t.Errorf("past (-want +got):\n%s", diff)
		}
		for range 2 {
			<-time.After(time.Minute)
			learn(t, l, what)
			if c.writes != 4 {
				t.Errorf("%d writes after learning the same", c.writes)
			}
		}
		// The drift ended, and something protects the version again.
		learn(t, l, plan.Learned{})
		p := pastOf(t, l)
		if c.writes != 6 || p.Functions["mail"].Drift != nil || p.Layers[common].Candidates != nil || p.Layers[common].Selected != 212 {
			t.Errorf("%d writes, past %+v", c.writes, p)
		}
		learn(t, l, plan.Learned{})
		if c.writes != 6 {
			t.Errorf("%d writes", c.writes)
		}
	})
}

func TestNumbersAppliedHere(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	adopt := func(n int64) {
		learn(t, l, plan.Learned{Adopted: []plan.Adoption{{Function: fmt.Sprint("f", n), Layer: common, Number: n}}})
	}
	check := func(want ...int64) {
		t.Helper()
		if diff := cmp.Diff(want, pastOf(t, l).Layers[common].Applied); diff != "" {
			t.Errorf("applied (-want +got):\n%s", diff)
		}
	}
	adopt(12)
	adopt(11) // a pin: lower than what the others run
	check(11, 12)
	r := begin(t, l)
	do(t, r, attach("f12", 12, 13), applied(""))
	check(11, 12, 13)
	do(t, begin(t, l), attach("f12", 13, 12), applied(""))
	check(11, 13, 12)
	// In one round functions with a pin do not turn the order back and forth.
	r = begin(t, l)
	do(t, r, attach("a", 0, 14), applied(""))
	do(t, r, attach("b", 0, 11), applied(""))
	do(t, r, attach("c", 0, 14), applied(""))
	check(13, 12, 14, 11)
}

func TestPrunesAreCountedForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := history.Open(store.NewMemory(), repo)
		learn(t, l, plan.Learned{Candidates: []plan.Candidate{{Layer: common, Number: 3, Since: time.Now()}, {Layer: common, Number: 4, Since: time.Now()}}})
		r := begin(t, l)
		prune := plan.Step{ID: "prune/makoto-common/3", Kind: plan.KindPrune, Layer: "makoto-common", LayerARN: common, From: common.Version(3), Cause: plan.CauseRetention}
		do(t, r, apply.Intent{Steps: []plan.Step{prune}}, applied("req"))
		p := pastOf(t, l)
		if len(p.Pruned) != 1 || len(p.Layers[common].Candidates) != 1 || len(p.Functions) != 0 || p.Layers[common].Applied != nil {
			t.Errorf("past: %+v", p)
		}
		<-time.After(24 * time.Hour)
		if p := pastOf(t, l); len(p.Pruned) != 0 {
			t.Errorf("a day later: %v", p.Pruned)
		}
	})
}

func TestRepositoriesRegionsAndEnvironmentsAreApart(t *testing.T) {
	s := store.NewMemory()
	do(t, begin(t, history.Open(s, repo)), attach("chat", 12, 13), applied(""))
	other := history.Open(s, repo+"/")
	if p := pastOf(t, other); len(p.Functions)+len(p.Layers) != 0 {
		t.Errorf("another repository's past: %+v", p)
	}
	if got := collect(t, other.Entries(t.Context(), history.Query{})); len(got) != 0 {
		t.Errorf("another repository's entries: %+v", got)
	}
	for _, place := range [][2]string{{"pro", region}, {"prod2", region}, {env, "ap-northeast-3"}} {
		p, err := history.Open(s, repo).Past(t.Context(), place[0], place[1])
		if err != nil || len(p.Functions)+len(p.Layers) != 0 {
			t.Errorf("%v: %+v, %v", place, p, err)
		}
	}
}

func TestEntriesAreNewestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := history.Open(store.NewMemory(), repo)
		var began []time.Time
		r := begin(t, l)
		for i, f := range []string{"a", "b", "a", "c"} {
			began = append(began, time.Now())
			do(t, r, attach(f, 0, int64(i+1)), applied(""))
			<-time.After(time.Minute)
		}
		for _, tt := range []struct {
			name string
			q    history.Query
			want string
		}{
			{"all", history.Query{}, "c4 a3 b2 a1"},
			{"a function", history.Query{Function: "a"}, "a3 a1"},
			{"a choice", history.Query{Only: func(e history.Entry) bool { return e.Function != "a" }}, "c4 b2"},
			{"since", history.Query{Since: began[2]}, "c4 a3"},
			{"until", history.Query{Until: began[2]}, "b2 a1"},
			{"between", history.Query{Since: began[1], Until: began[3]}, "a3 b2"},
			{"a layer by name", history.Query{Layer: "makoto-common"}, "c4 a3 b2 a1"},
			{"a layer by arn", history.Query{Layer: string(common)}, "c4 a3 b2 a1"},
			{"another layer", history.Query{Layer: "makoto"}, ""},
			{"another environment", history.Query{Environment: "dev"}, ""},
			{"this environment", history.Query{Environment: env, Region: region}, "c4 a3 b2 a1"},
		} {
			var got []string
			for _, e := range collect(t, l.Entries(t.Context(), tt.q)) {
				got = append(got, fmt.Sprint(e.Function, e.ToNumber))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, s, tt.want)
			}
		}
	})
}

// In a bubble time stands still, so that all of these begin in one instant.
func TestRecordsOfOneInstantAreAllKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory()
		logs := []*history.Log{history.Open(s, repo), history.Open(s, repo)} // two processes
		var g sync.WaitGroup
		for p, l := range logs {
			r := begin(t, l)
			for i := range 50 {
				g.Go(func() {
					in := attach(fmt.Sprintf("f%d-%02d", p, i), 12, 13)
					id, err := r.Begin(t.Context(), in)
					if err == nil {
						err = r.Finish(t.Context(), id, applied(""))
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			defer func() {
				if err := r.FinishRound(t.Context()); err != nil {
					t.Error(err)
				}
			}()
		}
		g.Wait()
		if got := collect(t, logs[0].Entries(t.Context(), history.Query{})); len(got) != 100 {
			t.Errorf("%d entries", len(got))
		}
		p := pastOf(t, logs[0])
		if len(p.Functions) != 100 || !slices.Equal(p.Layers[common].Applied, []int64{13}) {
			t.Errorf("%d functions, applied %v", len(p.Functions), p.Layers[common].Applied)
		}

		l, order := history.Open(s, "order"), []string{}
		r := begin(t, l)
		for i := range 20 {
			do(t, r, attach(fmt.Sprintf("%02d", 19-i), 12, 13), applied(""))
		}
		for _, e := range collect(t, l.Entries(t.Context(), history.Query{})) {
			order = append(order, e.Function)
		}
		if !slices.IsSorted(order) {
			t.Errorf("one process's order is lost: %v", order)
		}
	})
}

func TestSettle(t *testing.T) {
	s := store.NewMemory()
	r := begin(t, history.Open(s, repo))
	two := attach("chat", 12, 13)
	two.Steps = append(two.Steps, plan.Step{ID: "detach/x/chat", Kind: plan.KindDetach, Layer: "x", LayerARN: "arn:aws:lambda:ap-northeast-1:123456789012:layer:x", Function: "chat"})
	for _, in := range []apply.Intent{two, attach("mail", 12, 13)} {
		if _, err := r.Begin(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.FinishRound(t.Context()); err != nil { // it has open records: it stays findable
		t.Fatal(err)
	}
	l := history.Open(s, repo) // the next start
	open := unfinished(t, l)
	if len(open) != 3 || open[0].Function != "chat" || open[2].Function != "mail" {
		t.Fatalf("unfinished: %+v", open)
	}
	if err := l.Settle(t.Context(), open[0], applied("")); err != nil {
		t.Fatal(err)
	}
	left := unfinished(t, l)
	if len(left) != 1 || left[0].Function != "mail" {
		t.Fatalf("left: %+v", left)
	}
	failed := apply.Outcome{Result: plan.Result{Status: plan.StatusFailed, Error: "it never happened"}}
	for _, e := range open { // the first two have an end already and keep it
		if err := l.Settle(t.Context(), e, failed); err != nil {
			t.Fatal(err)
		}
	}
	if left := unfinished(t, l); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	p := pastOf(t, l)
	if len(p.Functions) != 1 || p.Functions["chat"].Applied[common] != 13 {
		t.Errorf("past: %+v", p)
	}
	for _, e := range collect(t, l.Entries(t.Context(), history.Query{})) {
		if want := map[string]plan.Status{"chat": plan.StatusApplied, "mail": plan.StatusFailed}[e.Function]; e.Status != want {
			t.Errorf("%s: %s, want %s", e.Function, e.Status, want)
		}
	}
	err := l.Settle(t.Context(), history.Entry{ID: "20260101T000000.000000000Z-X"}, failed)
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("settling what is not there: %v", err)
	}
}

func TestANewerValueIsNotHalfUnderstood(t *testing.T) {
	for name, ask := range map[string]func(*history.Log) error{
		store.Key("past", repo, "function", env, region, "chat"): func(l *history.Log) error {
			_, err := l.Past(t.Context(), env, region)
			return err
		},
		store.Key("past", repo, "layer", env, region, string(common)): func(l *history.Log) error {
			return l.RecordObservations(t.Context(), env, region, plan.Learned{}, time.Now())
		},
		store.Key("past", repo, "pruned", env, region): func(l *history.Log) error {
			_, err := l.Past(t.Context(), env, region)
			return err
		},
		store.Key("open", repo, env, region): func(l *history.Log) error {
			_, err := l.Unfinished(t.Context())
			return err
		},
		store.Key("history", repo, "20260101T000000.000000000Z-X"): func(l *history.Log) error {
			for _, err := range l.Entries(t.Context(), history.Query{}) {
				return err
			}
			return nil
		},
	} {
		for data, want := range map[string]error{`{"v":2}`: store.ErrNewer, `{"v":`: store.ErrCorrupt, `{"v":1,"rounds":1,"at":1,"list":1,"applied":"x","steps":1}`: store.ErrCorrupt} {
			s := store.NewMemory()
			if _, err := s.Create(t.Context(), name, []byte(data)); err != nil {
				t.Fatal(err)
			}
			err := ask(history.Open(s, repo))
			if !errors.Is(err, want) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s with %s: %v, want %v", name, data, err, want)
			}
		}
	}
}

func TestNoRoundWithoutItsPlace(t *testing.T) {
	if _, err := history.Open(store.NewMemory(), repo).BeginRound(t.Context(), history.Round{}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestARoundThatBeginsNothingWritesNothing(t *testing.T) {
	c := newCounted(store.NewMemory())
	if err := begin(t, history.Open(c, repo)).FinishRound(t.Context()); err != nil || c.writes != 0 {
		t.Errorf("%d writes, %v", c.writes, err)
	}
}

// Everything a layer can gather in years fits into one value.
func TestDocumentsStaySmall(t *testing.T) {
	s := store.NewMemory()
	l := history.Open(s, repo)
	var what plan.Learned
	for i := int64(1_000_000); i < 1_020_000; i++ {
		what.Candidates = append(what.Candidates, plan.Candidate{Layer: common, Number: i, Since: time.Now()})
		what.Numbers = append(what.Numbers, plan.PinnedNumber{Layer: common, Semver: fmt.Sprintf("100.200.%d-rc.1", i), Number: i})
		what.Adopted = append(what.Adopted, plan.Adoption{Function: "f", Layer: common, Number: i})
	}
	learn(t, l, what)
	in := attach("chat", 12, 13)
	in.Steps[0].Reason = strings.Repeat("日本語", 1<<20)
	do(t, begin(t, l), in, apply.Outcome{Result: plan.Result{Status: plan.StatusApplied, Error: strings.Repeat("x", 1<<20)}})
	for v, err := range s.List(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Data) > store.MaxValue*9/10 {
			t.Errorf("%s has %d bytes", v.Key, len(v.Data))
		}
	}
	p := pastOf(t, l).Layers[common]
	if p.Applied[len(p.Applied)-1] != 13 || p.Numbers["100.200.1019999-rc.1"] != 1_019_999 {
		t.Errorf("the newest was dropped: %v", p.Applied[len(p.Applied)-1])
	}
	if _, ok := p.Candidates[1_000_000]; !ok {
		t.Error("the candidate that is pruned first was dropped")
	}
}

package history_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/apply/applytest"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// publish makes 1.4.2 of common from content.
func publish(content string) plan.Step {
	sum := sumOf(content)
	return plan.Step{
		ID: "publish/makoto-common/1.4.2", Kind: plan.KindPublish, Layer: "makoto-common", LayerARN: common, To: common.Unpublished(sum),
		ToVersion: "1.4.2", Cause: plan.CauseChange, Reason: "Git wants 1.4.2, which is not published",
		Publishing: &plan.Publishing{
			Artifact: state.Artifact{Location: "s3://artifacts/common/1.4.2.zip", Layer: "makoto-common", Version: "1.4.2"},
			Content:  state.Content{SHA256: sum}, Description: "v1.4.2 sha256:" + sum[:12] + " git:c0ffee1",
		},
	}
}

func publishing(content string) apply.Intent {
	return apply.Intent{Steps: []plan.Step{publish(content)}}
}

func published(n int64) apply.Outcome {
	return apply.Outcome{Result: plan.Result{Status: plan.StatusApplied, RequestID: "r", Published: common.Version(n)}}
}

func fixed(t *testing.T, l *history.Log) string {
	t.Helper()
	all, err := l.Published(t.Context(), "makoto-common", "1.4.2", "1.4.3")
	if err != nil || all["1.4.3"] != "" {
		t.Fatalf("%v, %v", all, err)
	}
	return all["1.4.2"]
}

func TestPublishIsRemembered(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	r := begin(t, l)
	id, err := r.Begin(t.Context(), publishing("a"))
	if err != nil {
		t.Fatal(err)
	}
	open := unfinished(t, l)
	if len(open) != 1 || open[0].SHA256 != sumOf("a") || open[0].To != common.Unpublished(sumOf("a")) || open[0].ToVersion != "1.4.2" || open[0].LayerARN != common {
		t.Errorf("the intent: %+v", open)
	}
	for range 2 { // a second time changes nothing
		if err := r.Finish(t.Context(), id, published(7)); err != nil {
			break // it knows the record no more
		}
	}
	// Only what came of it has the content: not another number, Region or account, and not
	// what another version is.
	for v, want := range map[state.LayerVersionARN]string{
		common.Version(7): sumOf("a"), common.Version(6): "",
		state.NewLayerARN("aws", "us-east-1", "123456789012", common.Name()).Version(7): "",
		state.NewLayerARN("aws", "eu-west-1", "210987654321", common.Name()).Version(7): "",
	} {
		if got, err := l.ContentOf(t.Context(), "makoto-common", "1.4.2", v); err != nil || got != want {
			t.Errorf("content of %s: %q, %v; want %q", v, got, err, want)
		}
	}
	if got, err := l.ContentOf(t.Context(), "makoto-common", "1.4.3", common.Version(7)); err != nil || got != "" {
		t.Errorf("content of another version: %q, %v", got, err)
	}
	e := collect(t, l.Entries(t.Context(), history.Query{}))[0]
	if e.To != common.Version(7) || e.ToNumber != 7 || e.Status != plan.StatusApplied || e.Artifact != "s3://artifacts/common/1.4.2.zip" || e.SHA256 != sumOf("a") || e.Function != "" {
		t.Errorf("the entry: %+v", e)
	}
	past := pastOf(t, l)
	if diff := cmp.Diff(map[string]int64{"1.4.2": 7}, past.Layers[common].Numbers); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	if len(past.Layers[common].Applied) != 0 || len(past.Functions) != 0 {
		t.Errorf("a publish changes no function: %+v", past)
	}
}

// The first publish fixes what a version is, for every environment and account.
func TestFirstPublishFixesTheContent(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	osaka := func() *history.Recording {
		r, err := l.BeginRound(t.Context(), history.Round{Environment: "dr", Region: "ap-northeast-3", Account: "999999999999", Revision: "beef"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	refuses := func(content, why string) {
		t.Helper()
		_, err := osaka().Begin(t.Context(), publishing(content))
		if _, ok := errors.AsType[*apply.RefusedError](err); !ok || !strings.HasPrefix(err.Error(), "artifact_changed: ") || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", content, err)
		}
	}
	// While it is about to be published, and nobody knows how that ended.
	r := begin(t, l)
	first, err := r.Begin(t.Context(), publishing("a"))
	if err != nil || fixed(t, l) != sumOf("a") {
		t.Fatalf("%v, fixed to %q", err, fixed(t, l))
	}
	refuses("b", "is being published in prod (ap-northeast-1)")
	// What did not come through lets go of it.
	refused := apply.Outcome{Result: plan.Result{Status: plan.StatusFailed, Error: "too large"}}
	if err := r.Finish(t.Context(), first, refused); err != nil || fixed(t, l) != "" {
		t.Fatalf("%v, fixed to %q", err, fixed(t, l))
	}
	// Two with the same: one failing does not let go of what the other one needs.
	one, two := begin(t, l), osaka()
	id1, err1 := one.Begin(t.Context(), publishing("b"))
	id2, err2 := two.Begin(t.Context(), publishing("b"))
	if err := errors.Join(err1, err2, one.Finish(t.Context(), id1, refused)); err != nil {
		t.Fatal(err)
	}
	refuses("a", "is being published")
	if err := two.Finish(t.Context(), id2, published(1)); err != nil {
		t.Fatal(err)
	}
	refuses("a", "was first published in prod (ap-northeast-1)")
	// For good, whatever fails afterwards.
	id1, err = one.Begin(t.Context(), publishing("b"))
	if err := errors.Join(err, one.Finish(t.Context(), id1, refused)); err != nil || fixed(t, l) != sumOf("b") {
		t.Errorf("%v, fixed to %q", err, fixed(t, l))
	}
	// What was refused has an end, and says why.
	if open := unfinished(t, l); len(open) != 0 {
		t.Errorf("open: %+v", open)
	}
	n := 0
	for _, e := range collect(t, l.Entries(t.Context(), history.Query{Environment: "dr"})) {
		if strings.HasPrefix(e.Error, "artifact_changed: ") && e.Status == plan.StatusFailed {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d refusals in the history", n)
	}
	// Another repository's layer of the name is another layer.
	if got := fixed(t, history.Open(store.NewMemory(), "other")); got != "" {
		t.Errorf("fixed to %q", got)
	}
}

// Many come at once, from many accounts, with two contents: one content wins.
func TestRaceForAVersion(t *testing.T) {
	s := store.NewMemory()
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for i := range 20 {
		wg.Go(func() {
			l := history.Open(s, repo)
			r, err := l.BeginRound(t.Context(), history.Round{Environment: fmt.Sprint("env", i), Region: region, Account: fmt.Sprintf("%012d", i)})
			if err != nil {
				t.Error(err)
				return
			}
			content := fmt.Sprint("content ", i%2)
			id, err := r.Begin(t.Context(), publishing(content))
			if _, refused := errors.AsType[*apply.RefusedError](err); refused {
				return
			}
			mu.Lock()
			got[content]++
			mu.Unlock()
			if err := errors.Join(err, r.Finish(t.Context(), id, published(int64(i+1)))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Errorf("published %v", got)
	}
}

// publishRound is one round of a process that publishes 1.4.2 unless it is there.
func publishRound(ctx context.Context, s store.Store, w *applytest.World) error {
	l := history.Open(s, repo)
	open, err := l.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, e := range open {
		out := apply.Outcome{Interrupted: true, Result: plan.Result{Status: plan.StatusSkipped, Error: "not done"}}
		found, err := apply.Find(ctx, w, e.LayerARN, e.ToVersion, e.SHA256)
		if err != nil {
			return err
		}
		if found.Version != "" {
			out = apply.Outcome{Result: plan.Result{Status: plan.StatusApplied, Published: found.Version}}
		}
		if err := l.Settle(ctx, e, out); err != nil {
			return err
		}
	}
	rec, err := l.BeginRound(ctx, history.Round{Environment: env, Region: region, Revision: "c0ffee"})
	if err != nil {
		return err
	}
	steps, err := apply.Run(ctx, plan.Region{Steps: []plan.Step{publish("a")}}, w, rec, apply.Options{
		Open: func(context.Context, plan.Publishing) (apply.Source, error) {
			return apply.Source{Zip: []byte("a")}, nil
		},
	})
	if err == nil && steps[0].Result.Error != "" {
		err = errors.New(steps[0].Result.Error)
	}
	return errors.Join(err, rec.FinishRound(ctx))
}

// A kill at any call of a publish, to the store or to AWS, and each answer of AWS lost:
// in the end there is one version, and the history, the past and the content say so.
func TestAKillAtEveryCallOfAPublish(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, lost := range []bool{false, true} { // the process lives on, without that answer
			lived := false
			for n := 0; !lived && !t.Failed(); n++ {
				synctest.Test(t, func(t *testing.T) { lived = killPublish(t, n, after, lost) })
				if n > 100 {
					t.Fatal("the round does not come to an end")
				}
				if lived && (n < 2 || !lost && n < 10) {
					t.Errorf("only %d calls: the round did too little to prove anything", n)
				}
			}
		}
	}
}

func killPublish(t *testing.T, n int, after, lost bool) (lived bool) {
	w := applytest.New(map[string]list{})
	memory := store.NewMemory()
	first := &life{left: n, after: after}
	kill := errors.New("killed")
	w.Hook = func(op, name string) (bool, error) {
		dead := first.dead
		do, err := first.call()
		kind := state.Human
		switch {
		case err == nil:
			return do, nil
		case lost && dead:
			return true, nil
		case op == "PublishLayer" && lost:
			kind = state.Unsure
		}
		return do, &state.Error{Op: op, Resource: name, Kind: kind, Err: kill}
	}
	s := store.Store(memory)
	if !lost {
		s = killable(memory, first)
	}
	err := publishRound(t.Context(), s, w)
	if err != nil && !first.dead {
		t.Fatalf("call %d: an error without a kill: %v", n, err)
	}
	w.Hook = nil
	for range 2 {
		if err := publishRound(t.Context(), memory, w); err != nil {
			t.Fatalf("call %d after=%v lost=%v: the next start: %v", n, after, lost, err)
		}
		time.Sleep(time.Minute)
	}
	l := history.Open(memory, repo)
	if live := w.LiveLayers(common); len(live) != 1 || live[0].Number != 1 {
		t.Errorf("call %d after=%v lost=%v: live: %+v, calls %v", n, after, lost, live, w.Calls(""))
	}
	if open := unfinished(t, l); len(open) != 0 {
		t.Errorf("call %d after=%v lost=%v: open: %+v", n, after, lost, open)
	}
	applied := 0
	for _, e := range collect(t, l.Entries(t.Context(), history.Query{})) {
		if e.Status == plan.StatusApplied && e.ToNumber == 1 {
			applied++
		}
	}
	if past := pastOf(t, l); applied != 1 || fixed(t, l) != sumOf("a") || past.Layers[common].Numbers["1.4.2"] != 1 {
		t.Errorf("call %d after=%v lost=%v: %d applied, fixed to %q, past %+v", n, after, lost, applied, fixed(t, l), past.Layers[common])
	}
	c := newCounted(memory)
	before := len(w.Calls("PublishLayer"))
	if err := publishRound(t.Context(), c, w); err != nil || c.writes != 0 || len(w.Calls("PublishLayer")) != before {
		t.Errorf("call %d: one more round: %v, %d writes to the store", n, err, c.writes)
	}
	return !first.dead
}

// Each account and Region where a version is published has its own number, and all of them
// the one content.
func TestContentOfEachPlace(t *testing.T) {
	l := history.Open(store.NewMemory(), repo)
	elsewhere := state.NewLayerARN("aws", "us-east-1", "210987654321", "makoto-common")
	for i, layer := range []state.LayerARN{common, elsewhere} {
		step := publish("a")
		step.LayerARN, step.To = layer, layer.Unpublished(sumOf("a"))
		r := begin(t, l)
		id, err := r.Begin(t.Context(), apply.Intent{Steps: []plan.Step{step}})
		if err != nil {
			t.Fatal(err)
		}
		out := published(0)
		out.Published = layer.Version(int64(i + 7))
		if err := r.Finish(t.Context(), id, out); err != nil {
			t.Fatal(err)
		}
	}
	for v, want := range map[state.LayerVersionARN]string{
		common.Version(7): sumOf("a"), elsewhere.Version(8): sumOf("a"), common.Version(8): "", elsewhere.Version(7): "",
	} {
		if got, err := l.ContentOf(t.Context(), "makoto-common", "1.4.2", v); err != nil || got != want {
			t.Errorf("content of %s: %q, %v; want %q", v, got, err, want)
		}
	}
}

package main

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store/sqlitestore"
)

// A daemon that keeps the lease does the rollback itself: the word is written,
// nothing is changed from here, and the exit code says to look again.
func TestRollbackWhileADaemonHasTheLease(t *testing.T) {
	w := newWorld()
	aws := httptest.NewServer(w.Handler())
	defer aws.Close()
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	a, stdout, stderr := testApp(t)
	repo, db := testRepo(t), filepath.Join(t.TempDir(), "layerd.db")
	if code := a.execute(t.Context(), []string{"apply", "--repo", repo, "--store", "sqlite:" + db}); code != exitOK {
		t.Fatalf("apply exits %d:\n%s%s", code, stdout, stderr)
	}
	s, err := sqlitestore.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	held, err := lease.New(s, lease.Holder{Name: "daemon"}, 0).Acquire(t.Context(), simAccount, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.ResetCalls()
	rollback := []string{"rollback", "dev", "makoto-common", "--repo", repo, "--store", "sqlite:" + db, "--reason", "it leaks", "--lease-timeout", "0s"}
	if code := a.execute(t.Context(), rollback); code != exitRetry || w.Writes() != 0 {
		t.Errorf("exit code %d, %d writes:\n%s", code, w.Writes(), stdout)
	}
	if !strings.Contains(stderr.String(), "the rollback is written, and the daemon that has the lease does it") {
		t.Errorf("stderr: %s", stderr)
	}
	names, err := repositories(t.Context(), s, "quarantine")
	if err != nil || len(names) != 1 {
		t.Fatalf("quarantines of %v, %v", names, err)
	}
	qs, err := ruling.LoadQuarantines(t.Context(), s, names[0], "dev")
	if err != nil || len(qs) != 1 || !qs[0].ByPerson || qs[0].Number != 4 || qs[0].RevertTo != 3 || qs[0].Reason != "it leaks" {
		t.Errorf("the word is %+v, %v", qs, err)
	}
	if err := held.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := a.execute(t.Context(), rollback); code != exitOK || w.Writes() != 3 {
		t.Errorf("once the lease is free: exit code %d, %d writes:\n%s%s", code, w.Writes(), stdout, stderr)
	}
}

// --to means what Git means by the same name: what was applied under it counts
// only as long as Git does not call it something else.
func TestRollbackMeansWhatGitMeans(t *testing.T) {
	w := newWorld()
	aws := httptest.NewServer(w.Handler())
	defer aws.Close()
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	a, stdout, stderr := testApp(t)
	repo, db := testRepo(t), filepath.Join(t.TempDir(), "layerd.db")
	run := func(want int, args ...string) {
		t.Helper()
		stdout.Reset()
		stderr.Reset()
		if code := a.execute(t.Context(), append(args, "--repo", repo, "--store", "sqlite:"+db)); code != want {
			t.Fatalf("%v exits %d, want %d:\n%s%s", args, code, want, stdout, stderr)
		}
	}
	wants := func(version, known string) {
		t.Helper()
		path := filepath.Join(repo, "environments", "dev.yaml")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text = regexp.MustCompile(`version: [0-9.]+`).ReplaceAll(text, []byte("version: "+version))
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(repo, "layers", "common", "layer.yaml"), []byte("name: makoto-common\n"+known), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wants("1.4.1", "")
	run(exitOK, "apply") // 3 is 1.4.1
	w.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Description: "built again, v1.4.1", Runtimes: []string{"python3.12"}})
	wants("1.4.2", "")
	run(exitOK, "apply") // 4
	run(exitOK, "rollback", "dev", "makoto-common", "--to", "1.4.1", "--dry-run")
	if !strings.Contains(stdout.String(), "4 (1.4.2) → 3 (1.4.1)") {
		t.Errorf("what was applied first stays 1.4.1:\n%s", stdout)
	}
	wants("1.4.2", "known: {1.4.0: {dev: 3}}\n") // 3 was built from the wrong branch
	run(exitUsage, "rollback", "dev", "makoto-common", "--to", "1.4.1", "--dry-run")
	if !strings.Contains(stderr.String(), "5 (1.4.1) has not been in dev; a change goes through Git") {
		t.Errorf("1.4.1 is 5 now:\n%s", stderr)
	}
	run(exitOK, "rollback", "dev", "makoto-common", "--to", "1.4.0", "--dry-run")
	if !strings.Contains(stdout.String(), "4 (1.4.2) → 3 (1.4.0)") {
		t.Errorf("3 is 1.4.0 now:\n%s", stdout)
	}
	wants("1.4.1", "known: {1.4.0: {dev: 3}}\n")
	run(exitOK, "plan")
	if !strings.Contains(stdout.String(), "→ 5 (1.4.1)") {
		t.Errorf("Git means another one by 1.4.1:\n%s", stdout)
	}
}

// Ctrl-C while a wave is watched leaves the rollout there, and says so.
func TestInterruptedRollout(t *testing.T) {
	w := newWorld()
	aws := httptest.NewServer(w.Handler())
	defer aws.Close()
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	a, stdout, stderr := testApp(t)
	repo := testRepo(t)
	path := filepath.Join(repo, "environments", "dev.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rules := "rollout: {waves: [1], bake: 1h, smoke_test: {function: makoto-api-dev}}\n"
	if err := os.WriteFile(path, append(text, rules...), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.OnInvoke(func(awssim.Invocation) awssim.Result {
		cancel()
		return awssim.Result{}
	})
	if code := a.execute(ctx, []string{"apply", "--repo", repo}); code != exitRetry {
		t.Errorf("exit code %d, want %d", code, exitRetry)
	}
	if !strings.Contains(stderr.String(), "the rollout stays where it is (dev: wave 1 of 2 is watched until") {
		t.Errorf("stderr: %s", stderr)
	}
	if got := w.Count("UpdateFunctionConfiguration"); got != 1 {
		t.Errorf("%d functions were changed:\n%s", got, stdout)
	}
}

// Where going back leads when nobody says.
func TestLastGood(t *testing.T) {
	arn := layer("makoto-common-prod", 1).Layer()
	var live state.Layer
	live.ARN = arn
	for n := int64(9); n > 0; n-- {
		live.Versions = append(live.Versions, state.LayerVersion{Number: n})
	}
	held := ruling.Quarantine{Region: testRegion, Layer: arn, Number: 7}
	for _, tt := range []struct {
		name  string
		past  plan.LayerPast
		first []int64
		words []ruling.Quarantine
		want  int64 // 0 = nobody knows
	}{
		{"what came through well", plan.LayerPast{Proven: 5, Applied: []int64{5, 6, 9}}, nil, nil, 5},
		{"what Git asks for came through as well", plan.LayerPast{Proven: 9, Applied: []int64{5, 7, 9}}, nil, nil, 7},
		{"but not what is in quarantine", plan.LayerPast{Proven: 9, Applied: []int64{5, 7, 9}}, nil, []ruling.Quarantine{held}, 5},
		{"nor what is gone", plan.LayerPast{Proven: 12, Applied: []int64{5, 11, 9}}, nil, nil, 5},
		{"nor what was yanked", plan.LayerPast{Applied: []int64{5, 8, 9}, Numbers: map[string]int64{"1.8.0": 8}}, nil, nil, 5},
		{"what was there before layerd", plan.LayerPast{Proven: 9, Applied: []int64{9}}, []int64{3, 2}, nil, 3},
		{"nobody knows", plan.LayerPast{Proven: 9, Applied: []int64{9}}, nil, nil, 0},
	} {
		l := liveLayer{
			whyPlace: whyPlace{region: testRegionPlan(t, "prod"), snap: &state.Snapshot{Layers: []state.Layer{live}, Functions: []state.Function{{Name: "f"}}}},
			wish: desired.LayerWish{Name: "makoto-common", Layer: arn, Owned: true, Yanked: map[string]string{"1.8.0": "bad"},
				Version: desired.Version{Kind: desired.Number, Number: 9}, Functions: []desired.Selector{{Name: "*"}}},
			words: tt.words,
		}
		past := plan.Past{Layers: map[state.LayerARN]plan.LayerPast{arn: tt.past}, Functions: map[string]plan.FunctionPast{}}
		for i, n := range tt.first {
			past.Functions[strconv.Itoa(i)] = plan.FunctionPast{Original: map[state.LayerARN]int64{arn: n}}
		}
		l.back = reconcile.Returns(l.region.Want, l.wish, l.snap, past)
		got, err := l.lastGood("")
		if got != tt.want || (err == nil) != (tt.want > 0) {
			t.Errorf("%s: %d, %v, want %d", tt.name, got, err, tt.want)
		}
	}
}

// A rollout that is not halted is not let go on, and nobody's word is written.
func TestRetryOfWhatIsNotHalted(t *testing.T) {
	s, err := sqlitestore.Open(filepath.Join(t.TempDir(), "layerd.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	log := history.Open(s, "test")
	ro := rollout.Rollout{ID: log.NewRolloutID(time.Now()), Stage: rollout.StageBake, Wave: 1, Waves: 2}
	if err := log.SaveRollout(t.Context(), "prod", testRegion, ro); err != nil {
		t.Fatal(err)
	}
	r := &retrying{log: log, by: "sato", reason: "x"}
	e := desired.Environment{Name: "prod", Region: testRegion}
	if err := r.resume(t.Context(), e, ""); err != nil || len(r.resumed) != 0 {
		t.Errorf("resumed %v, %v", r.resumed, err)
	}
	if ok, err := log.Resume(t.Context(), "prod", testRegion, ro.ID, "sato", "x"); ok || err != nil {
		t.Errorf("resumed: %v, %v", ok, err)
	}
	for e := range log.Entries(t.Context(), history.Query{}) {
		t.Errorf("the history says %+v", e)
	}
}

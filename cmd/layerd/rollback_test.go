package main

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/ruling"
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
	w.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Description: "v1.4.1, built again", Runtimes: []string{"python3.12"}})
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

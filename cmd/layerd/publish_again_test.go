package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/present"
)

// putInRepo writes a file of a repository.
func putInRepo(t *testing.T, repo, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(repo, name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A version of which AWS has other bytes than were decided about bears the name that Git
// asks for. It is no success to whoever asks for it again, and no good version to those
// who read the index.
func TestWhatHasOtherContentIsNoSuccess(t *testing.T) {
	w := newWorld()
	aws := httptest.NewServer(w.Handler())
	defer aws.Close()
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	w.PutBucket(awssim.Bucket{Name: "artifacts"})
	looked := awssim.Zip(map[string]string{"python/makoto.py": "x = 1"})
	w.PutObject("artifacts", "1.6.0.zip", looked)
	repo := testRepo(t)
	putInRepo(t, repo, "layers/common/layer.yaml", "name: makoto-common\nartifact: s3://artifacts/${VERSION}.zip\n")
	var once sync.Once
	w.OnCall(func(c awssim.Call) awssim.Fault {
		if c.Operation == "PublishLayerVersion" {
			once.Do(func() {
				w.PutObject("artifacts", "1.6.0.zip", awssim.Zip(map[string]string{"python/makoto.py": "x = 2"}))
			})
		}
		return awssim.Fault{}
	})
	a, stdout, stderr := testApp(t)
	db := "sqlite:" + filepath.Join(t.TempDir(), "layerd.db")
	zip := filepath.Join(t.TempDir(), "looked.zip")
	if err := os.WriteFile(zip, looked, 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (int, string) {
		stdout.Reset()
		stderr.Reset()
		code := a.execute(t.Context(), append(args, "--repo", repo, "--store", db))
		return code, stdout.String() + stderr.String()
	}
	code, said := run("publish", "makoto-common", "--env", "dev", "--version", "1.6.0")
	if code != exitFailed {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	for _, more := range [][]string{nil, {"--output", "json"}, {"--dry-run"}, {"--artifact", zip}} {
		code, said := run(append([]string{"publish", "makoto-common", "--env", "dev", "--version", "1.6.0"}, more...)...)
		if code == exitOK || strings.Contains(said, "✓") || !strings.Contains(strings.Join(strings.Fields(said), " "), "other content") {
			t.Errorf("again with %v: exit code %d:\n%s", more, code, said)
		}
	}
	out := t.TempDir()
	code, said = run("index", "--out", out)
	index, err := os.ReadFile(filepath.Join(out, "makoto-common", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var follows present.Index
	if err := json.Unmarshal(index, &follows); err != nil || len(follows.Versions) != 5 {
		t.Fatalf("%v: %d, %s\n%s", err, code, said, index)
	}
	for _, v := range follows.Versions {
		if wrong := v.Version == "1.6.0"; (v.State == present.IndexYanked) != wrong || strings.Contains(v.Reason, "other content") != wrong || v.SHA256 != "" {
			t.Errorf("%+v", v)
		}
	}
	if got := len(w.LayerVersions("makoto-common-dev")); got != 5 {
		t.Errorf("%d versions", got)
	}
}

// Versions that differ in their build metadata alone are two versions, each with its own
// number: also from the one that Git asks for, 1.4.2.
func TestPublishOfBuildMetadata(t *testing.T) {
	w := newWorld()
	aws := httptest.NewServer(w.Handler())
	defer aws.Close()
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	repo, db := testRepo(t), "sqlite:"+filepath.Join(t.TempDir(), "layerd.db")
	zip := filepath.Join(t.TempDir(), "common.zip")
	if err := os.WriteFile(zip, awssim.Zip(map[string]string{"python/makoto.py": "x = 1"}), 0o644); err != nil {
		t.Fatal(err)
	}
	a, stdout, stderr := testApp(t)
	publish := func(version string) int {
		stdout.Reset()
		stderr.Reset()
		return a.execute(t.Context(), []string{"publish", "makoto-common", "--env", "dev", "--version", version, "--artifact", zip, "--repo", repo, "--store", db})
	}
	for i, version := range []string{"1.4.2+b.1", "1.4.2+b.2", "v1.4.2-rc.1", "1.4.2-rc.1+b.1"} {
		for range 2 { // the second finds it
			if code := publish(version); code != exitOK || len(w.LayerVersions("makoto-common-dev")) != 5+i {
				t.Errorf("%s: exit code %d, %d versions:\n%s%s", version, code, len(w.LayerVersions("makoto-common-dev")), stdout, stderr)
			}
		}
	}
}

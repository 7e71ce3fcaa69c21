package main

import (
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/nightly"
)

// The store is lost in the middle of an apply: not one more change is sent, and
// apply fails and says why.
func TestApplyWhoseStoreIsReplaced(t *testing.T) {
	losses := map[string]func(t *testing.T, db string){
		"deleted": func(t *testing.T, db string) {
			for _, f := range []string{db, db + "-wal", db + "-shm"} {
				if err := os.Remove(f); err != nil {
					t.Error(err)
				}
			}
		},
		"moved": func(t *testing.T, db string) {
			if err := os.Rename(filepath.Dir(db), filepath.Dir(db)+".away"); err != nil {
				t.Error(err)
			}
		},
		"overwritten": func(t *testing.T, db string) {
			if err := os.WriteFile(db, []byte("not a database"), 0o600); err != nil {
				t.Error(err)
			}
		},
	}
	for _, name := range nightly.Sample(nightly.SampleOrCI(slices.Sorted(maps.Keys(losses)), 2), 1) {
		lose := losses[name]
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			aws := httptest.NewServer(w.Handler())
			defer aws.Close()
			t.Setenv("AWS_ENDPOINT_URL", aws.URL)
			a, stdout, stderr := testApp(t)
			repo, db := testRepo(t), filepath.Join(t.TempDir(), "state", "layerd.db")
			path := filepath.Join(repo, "environments", "dev.yaml")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(text, "rollout: {max_parallel: 1}\n"...), 0o644); err != nil {
				t.Fatal(err)
			}
			var once sync.Once
			w.OnCall(func(c awssim.Call) awssim.Fault {
				if c.Write {
					once.Do(func() { lose(t, db) })
				}
				return awssim.Fault{}
			})
			code := a.execute(t.Context(), []string{"apply", "--repo", repo, "--store", "sqlite:" + db})
			if code != exitFailed || w.Writes() != 1 {
				t.Errorf("exit code %d after %d writes, want %d after 1:\n%s%s", code, w.Writes(), exitFailed, stdout, stderr)
			}
			if said := stdout.String() + stderr.String(); !strings.Contains(said, "not the store that was opened") {
				t.Errorf("it says:\n%s", said)
			}
			if _, err := os.Stat(db); name != "overwritten" && err == nil {
				t.Error("a store was made")
			}
		})
	}
}

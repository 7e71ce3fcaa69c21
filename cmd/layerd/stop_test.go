package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/desired/gitrepo"
)

// stuck is a repository of which one file is never read to its end.
type stuck struct {
	fstest.MapFS
	file string
	free chan struct{}
}

func (s stuck) Open(name string) (fs.File, error) {
	if name == s.file {
		<-s.free
	}
	return s.MapFS.Open(name)
}

func (s stuck) Stat(name string) (fs.FileInfo, error) { return fs.Stat(s.MapFS, name) }

// A command that reads what does not end names the environment, and ends at once
// when it is told to.
func TestACommandEndsWhateverItReads(t *testing.T) {
	for _, file := range []string{"environments/prod.yaml", "layerd.yaml"} {
		synctest.Test(t, func(t *testing.T) {
			a := &app{now: time.Now}
			good := &fstest.MapFile{Data: []byte("account: \"123456789012\"\nregion: ap-northeast-1\n")}
			files := stuck{fstest.MapFS{"environments/dev.yaml": good, "environments/prod.yaml": good, "layerd.yaml": {Data: []byte("timezone: UTC\n")}}, file, make(chan struct{})}
			defer close(files.free)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			began := time.Now()
			_, err := a.sourceOf(ctx, gitrepo.Commit{Files: files}, "https://git.test/layers")
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 3*time.Second {
				t.Errorf("%s: told to stop after 3s, got %v after %s", file, err, time.Since(began))
			}
			src, err := a.sourceOf(t.Context(), gitrepo.Commit{Files: files}, "https://git.test/layers")
			if err != nil || len(src.tree.Problems) != 1 || src.tree.Problems[0].Code != "read_timeout" {
				t.Errorf("%s: %v, problems %v", file, err, src.tree.Problems)
			}
			if file != "layerd.yaml" && (len(src.tree.Environments) != 1 || src.tree.Environments[0].Name != "dev") {
				t.Errorf("%s: environments %v", file, src.tree.Environments)
			}
		})
	}
}

// What is told to stop ends after a grace, whatever runs: later where a change may
// be in hand.
func TestTheProcessEndsAfterAGrace(t *testing.T) {
	for _, tt := range []struct {
		inHand bool
		want   time.Duration
	}{{false, 5 * time.Second}, {true, 25 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			var said strings.Builder
			ended := make(chan int, 1)
			a := &app{env: os.Getenv, err: &said, end: func(code int) { ended <- code }}
			a.inHand.Store(tt.inHand)
			began := time.Now()
			a.endAnyway()
			if code := <-ended; code != exitRetry || time.Since(began) != tt.want {
				t.Errorf("in hand %v: exit code %d after %s, want it after %s", tt.inHand, code, time.Since(began), tt.want)
			}
			if !strings.Contains(said.String(), "although not everything") {
				t.Errorf("said %q", said.String())
			}
		})
	}
}

// The daemon and each command that changes something may finish what is in hand;
// what only looks has nothing.
func TestWhoMayFinish(t *testing.T) {
	a, _, _ := testApp(t)
	for name, want := range map[string]time.Duration{"run": graceInHand, "apply": graceInHand, "publish": graceInHand, "rollback": graceInHand, "validate": graceElse, "plan": graceElse, "window": graceElse, "why": graceElse, "doctor": graceElse, "status": graceElse} {
		cmd, _, err := a.root().Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		cmd.SetContext(t.Context())
		_ = cmd.RunE(cmd, []string{"too", "many"}) // that it fails is not the question
		if got := a.grace(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

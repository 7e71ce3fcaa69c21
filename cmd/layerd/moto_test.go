package main

import (
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/awssim/mototest"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
)

// meter stands before an AWS: it counts what was written there, and lets nobody through
// until as many callers have come as are to begin at once.
type meter struct {
	to    http.RoundTripper
	reads *awssim.World // knows what requests ask for

	mu      sync.Mutex // guards the rest
	done    map[string]int
	missing map[string]bool // the callers that have not come yet, by their ARN
	begun   chan struct{}   // closed when none is missing
	awaited map[string]int  // what changed is closed at, by operation
	changed chan struct{}
}

func newMeter(to http.RoundTripper) *meter {
	m := &meter{to: to, reads: awssim.New(awssim.Options{}), done: map[string]int{}, begun: make(chan struct{})}
	close(m.begun)
	return m
}

// atOnce has callers, by their access keys, wait for each other.
func (m *meter) atOnce(keys ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missing, m.begun = map[string]bool{}, make(chan struct{})
	for _, key := range keys {
		arn := "arn:aws:iam::123456789012:user/" + strings.ToLower(key)
		m.reads.AddKey(key, "123456789012", arn)
		m.missing[arn] = true
	}
}

// await returns what is closed when so many writes of each operation were done.
func (m *meter) await(writes map[string]int) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.awaited, m.changed = writes, make(chan struct{})
	m.look()
	return m.changed
}

// look closes changed once there is as much as is awaited. Callers hold mu.
func (m *meter) look() {
	if m.awaited == nil {
		return
	}
	for operation, n := range m.awaited {
		if m.done[operation] < n {
			return
		}
	}
	m.awaited = nil
	close(m.changed)
}

// writes returns how many writes of each operation were done, those of the store aside.
func (m *meter) writes() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.done)
}

func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	call, r, err := m.reads.Read(r)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	if m.missing[call.Caller] {
		if delete(m.missing, call.Caller); len(m.missing) == 0 {
			close(m.begun)
		}
	}
	begun := m.begun
	m.mu.Unlock()
	select {
	case <-begun:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	resp, err := m.to.RoundTrip(r)
	if err == nil && call.Write && resp.StatusCode < 300 {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.done[call.Operation]++
		m.look()
	}
	return resp, err
}

// Two daemons and a laptop come at once, each a process with the archive, to an AWS that
// others have written: one version of each layer, whoever has the lease. All they share is
// a table there.
func TestPublishAtOnceInMoto(t *testing.T) {
	endpoint := mototest.Start(t)
	m := newMeter(mototest.Transport(endpoint))
	url := mototest.Serve(t, m)
	const functions = 30
	environments := newEstate(t, url)
	repo := os.Getenv("ESTATE")
	createFunctions(t, mototest.Role(t, endpoint), functions, environments)
	layerdIn(t, "build", repo+"/layers/common", "--version", "1.5.0", "--out", repo+"/dist/1.5.0.zip")
	layerdIn(t, "store", "init", "--store", "dynamodb:layerd")
	git := serveFolder(t, repo)
	publish := func(archive string) *process {
		return start(t, []string{"AWS_ACCESS_KEY_ID=LAPTOP"}, "publish", "common", "--env", "prod", "--repo", git, "--store", "dynamodb:layerd",
			"--artifact", filepath.Join(repo, "dist", archive), "--lease-timeout", "10m")
	}

	before := m.writes()
	want := map[string]int{"PublishLayerVersion": 3, "AddLayerVersionPermission": 3, "UpdateFunctionConfiguration": functions, "PutParameter": 6, "AddTagsToResource": 6}
	m.atOnce("ONE", "TWO", "LAPTOP")
	daemons := []*process{startDaemon(t, git, "ONE"), startDaemon(t, git, "TWO")}
	laptop := publish("1.5.0.zip")
	if err := laptop.Wait(); err != nil {
		t.Errorf("publish: %v\n%s", err, &laptop.err)
	}
	t.Logf("%s", &laptop.out)
	for operation := range want {
		want[operation] += before[operation]
	}
	select {
	case <-m.await(want):
	case <-t.Context().Done():
	}
	for _, d := range daemons {
		if code := d.end(t, syscall.SIGTERM); code != exitOK {
			t.Errorf("a daemon ends with %d:\n%s", code, &d.err)
		}
	}
	maps.Copy(before, want)
	if diff := gocmp.Diff(before, m.writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}

	// Once more it is there, and other bytes under its name are refused.
	if again := publish("1.5.0.zip"); again.Wait() != nil || !strings.Contains(again.out.String(), "already") {
		t.Errorf("published again: %s%s", &again.out, &again.err)
	}
	if err := os.WriteFile(filepath.Join(repo, "layers/common/python/makoto_common/__init__.py"), []byte("x = 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	layerdIn(t, "build", repo+"/layers/common", "--version", "1.5.0", "--out", repo+"/dist/other.zip")
	other := publish("other.zip")
	_ = other.Wait() // says what ExitCode says
	if code := other.ProcessState.ExitCode(); code != exitInvalid || !strings.Contains(other.out.String(), "artifact_changed") {
		t.Errorf("other bytes: exit code %d\n%s%s", code, &other.out, &other.err)
	}
	if diff := gocmp.Diff(before, m.writes()); diff != "" {
		t.Errorf("writes afterwards (-want +got):\n%s", diff)
	}
}

// startDaemon starts one with an access key of its own.
func startDaemon(t *testing.T, git, key string) *process {
	t.Helper()
	config := filepath.Join(t.TempDir(), "layerd.yaml")
	text := fmt.Sprintf("interval: 10s\ngit: {url: %q, interval: 10s}\nstore: dynamodb:layerd\nhttp: {listen: \"127.0.0.1:0\"}\naws: {requests_per_second: 15}\n", git)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, []string{"AWS_ACCESS_KEY_ID=" + key}, "run", "--config", config)
}

// serveFolder returns the URL of a Git server with one commit of a folder's files.
func serveFolder(t *testing.T, folder string) string {
	t.Helper()
	files, root := map[string]string{}, os.DirFS(folder)
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	server := gitserve.New()
	if _, err := server.Add("acme/layers").Commit(gitserve.Change{Subject: "Begin", Author: "sato", Files: files}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(server)
	t.Cleanup(srv.Close)
	return srv.URL + "/acme/layers"
}

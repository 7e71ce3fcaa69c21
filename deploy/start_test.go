package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/store"
)

const (
	startAccount = "123456789012"
	startRegion  = "ap-northeast-1"
	gitToken     = "token-for-git"
)

// built is the folder of binary, "" before there is one.
var built string

// binary is layerd, in a folder where any user may run it: what LAYERD_BIN
// names, or built once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "layerd-deploy-")
	if err != nil {
		return "", err
	}
	built = dir
	if err := os.Chmod(dir, 0o755); err != nil {
		return dir, err
	}
	if made := os.Getenv("LAYERD_BIN"); made != "" {
		program, err := os.ReadFile(made)
		if err != nil {
			return dir, fmt.Errorf("LAYERD_BIN: %w", err)
		}
		return dir, os.WriteFile(filepath.Join(dir, "layerd"), program, 0o755)
	}
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "layerd"), "../cmd/layerd").CombinedOutput() //nolint:noctx // for all tests, none of which it ends with
	if err != nil {
		return dir, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // a folder of /tmp at worst
	}
	os.Exit(code)
}

// site is what a daemon finds around it: AWS, a Git server that wants a token,
// and Slack.
type site struct {
	t               *testing.T
	aws, git, slack *httptest.Server
	listen          string // where the daemon serves its health

	mu   sync.Mutex // guards told
	told []string   // what Slack was told
}

// newSite has two functions that have what the repository wants.
func newSite(t *testing.T) *site {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and starts layerd")
	}
	s := &site{t: t}
	world := awssim.New(awssim.Options{Account: startAccount, Region: startRegion})
	world.PutLayerVersion(awssim.LayerVersion{Name: "common", Description: "v1.4.0", Created: time.Now().AddDate(0, -1, 0)})
	for _, name := range []string{"makoto-api", "makoto-auth"} {
		world.PutFunction(awssim.Function{Name: name, Layers: []string{world.LayerARN("common", 1)}})
	}
	server := gitserve.New()
	server.Allow = func(_, password string) bool { return password == gitToken }
	if _, err := server.Add("acme/layers").Commit(gitserve.Change{Subject: "Begin", Files: map[string]string{
		"layers/common/layer.yaml": "name: common\n",
		"environments/dev.yaml": "account: \"" + startAccount + "\"\nregion: " + startRegion +
			"\nlayers: {common: {version: 1.4.0, functions: [\"makoto-*\"]}}\n",
	}}); err != nil {
		t.Fatal(err)
	}
	s.aws, s.git = httptest.NewServer(world.Handler()), httptest.NewServer(server)
	s.slack = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/services/T0/B0/xyzzy" {
			http.Error(w, "invalid_token", http.StatusForbidden)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.told = append(s.told, string(body))
		_, _ = io.WriteString(w, "ok") // the daemon notices
	}))
	for _, server := range []*httptest.Server{s.aws, s.git, s.slack} {
		t.Cleanup(server.Close)
	}
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listen = free.Addr().String()
	free.Close()
	return s
}

func (s *site) webhook() string { return s.slack.URL + "/services/T0/B0/xyzzy" }
func (s *site) repo() string    { return s.git.URL + "/acme/layers" }

// messages is what Slack was told so far.
func (s *site) messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told)
}

// environment is what a daemon of this site has in its environment at least.
func (s *site) environment(more ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "AWS_ENDPOINT_URL=" + s.aws.URL, "AWS_REGION=" + startRegion, "AWS_ACCESS_KEY_ID=TEST",
		"AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true",
	}, more...)
}

// status returns the code of one answer of the daemon, 0 for none, and its body.
func (s *site) status(path string) (int, string) {
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.listen+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

// given reports whether the lease of the account was given back, by the store.
func (s *site) given(kept store.Store, repo string) (lease.View, bool) {
	s.t.Helper()
	identity, err := gitrepo.Identity(repo)
	if err != nil {
		s.t.Fatal(err)
	}
	v, known, err := lease.New(kept, lease.Holder{Name: "test", Repository: identity}, 0).Look(s.t.Context(), startAccount)
	if err != nil || !known {
		s.t.Fatalf("lease known: %v, %v", known, err)
	}
	return v, v.Released
}

// output is what a process has written so far.
type output struct {
	mu  sync.Mutex // guards buf: the process writes while the test reads
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// running is a daemon that was started.
type running struct {
	*exec.Cmd
	t    *testing.T
	log  output
	done chan struct{} // closed when it has ended
}

// run starts a command line, until the test ends at the latest.
func run(t *testing.T, prepare func(*exec.Cmd), line ...string) *running {
	t.Helper()
	r := &running{t: t, Cmd: exec.CommandContext(t.Context(), line[0], line[1:]...), done: make(chan struct{})}
	r.Stdout, r.Stderr = &r.log, &r.log
	prepare(r.Cmd)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		_ = r.Wait() // says what ProcessState says
	}()
	t.Cleanup(func() {
		_ = r.Process.Kill() // fails where it has ended, as it should have
		<-r.done
	})
	return r
}

// ends sends a signal and waits for the end, at most so long.
func (r *running) ends(s os.Signal, within time.Duration) {
	r.t.Helper()
	if err := r.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
	select {
	case <-r.done:
	case <-time.After(within):
		r.t.Fatalf("still running after %s:\n%s", within, &r.log)
	}
}

// isJSON: machines read the log, line by line.
func (r *running) isJSON() {
	r.t.Helper()
	for line := range strings.Lines(r.log.String()) {
		if !json.Valid([]byte(line)) {
			r.t.Errorf("a line of the log is no JSON: %s", line)
		}
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool, state fmt.Stringer) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s\n%s", what, state)
		}
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
)

// runs is what a daemon is started in: a folder, an AWS and a Git server that
// can go away.
type runs struct {
	t      *testing.T
	env    []string
	git    string
	config string
	listen string
	gone   atomic.Bool // Git answers nothing of use
}

func newRuns(t *testing.T) *runs {
	t.Helper()
	if testing.Short() {
		t.Skip("starts layerd")
	}
	r := &runs{t: t, config: filepath.Join(t.TempDir(), "layerd.yaml")}
	server := gitserve.New()
	files := map[string]string{}
	root := testRepo(t)
	for _, name := range []string{"layers/common/layer.yaml", "environments/dev.yaml"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	if _, err := server.Add("acme/layers").Commit(gitserve.Change{Subject: "Begin", Files: files}); err != nil {
		t.Fatal(err)
	}
	aws := httptest.NewServer(newWorld().Handler())
	t.Cleanup(aws.Close)
	git := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.gone.Load() {
			http.Error(w, "away for lunch", http.StatusServiceUnavailable)
			return
		}
		server.ServeHTTP(w, req)
	}))
	t.Cleanup(git.Close)
	r.git = git.URL + "/acme/layers"
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.listen = free.Addr().String()
	free.Close()
	r.env = []string{
		"HOME=" + t.TempDir(), "AWS_ENDPOINT_URL=" + aws.URL, "AWS_REGION=" + testRegion, "AWS_ACCESS_KEY_ID=TEST",
		"AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true", "STATE_DIRECTORY=", "XDG_STATE_HOME=", "LAYERD_CONFIG=",
	}
	return r
}

// configure writes a configuration with a store; more goes to its end.
func (r *runs) configure(store, more string) {
	r.t.Helper()
	text := fmt.Sprintf("interval: 10s\ngit: {url: %q, interval: 10s}\nstore: %q\nhttp: {listen: %q}\n%s", r.git, store, r.listen, more)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *runs) start(args ...string) *process {
	r.t.Helper()
	return start(r.t, r.env, append([]string{"run"}, args...)...)
}

// ready asks /readyz.
func (r *runs) ask(path string) (code int, reasons string) {
	resp, err := http.Get("http://" + r.listen + path) //nolint:noctx // a test's
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

// becomes waits until /readyz answers so, with a reason.
func (r *runs) becomes(p *process, code int, reason string) {
	r.t.Helper()
	var got int
	var body string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got, body = r.ask("/readyz"); got == code && strings.Contains(body, reason) {
			return
		}
	}
	r.t.Fatalf("/readyz is %d and not %d with %q: %s\n%s", got, code, reason, body, &p.err)
}

// What cannot be run is said in a line or two, with what to do about it.
func TestRunRefuses(t *testing.T) {
	r := newRuns(t)
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	corrupt := filepath.Join(t.TempDir(), "corrupt.db")
	if err := os.WriteFile(corrupt, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		store, more string
		args        []string
		code        int
		says        []string
	}{
		"no configuration":    {args: []string{}, code: exitUsage, says: []string{"there is no --config", "deploy/layerd.example.yaml"}},
		"a missing file":      {args: []string{"--config", "/nowhere/layerd.yaml"}, code: exitInvalid, says: []string{"/nowhere/layerd.yaml: no such file"}},
		"a missing variable":  {args: []string{"--config", "env:LAYERD_NOTHING"}, code: exitInvalid, says: []string{"LAYERD_NOTHING is not set"}},
		"an unknown key":      {store: "memory:", more: "intervl: 10s\n", code: exitInvalid, says: []string{"layerd.yaml:5:1", "help: interval"}},
		"broken YAML":         {store: "memory:", more: "notify: [\n", code: exitInvalid, says: []string{"layerd.yaml:", "the configuration is invalid"}},
		"an unknown store":    {store: "sqllite:/tmp/x.db", code: exitInvalid, says: []string{"sqlite:/tmp/x.db"}},
		"a taken port":        {store: "memory:", more: "http: " + taken.Addr().String(), code: exitFailed, says: []string{"address already in use", "http.listen"}},
		"a corrupt file":      {store: "sqlite:" + corrupt, code: exitFailed, says: []string{corrupt, "not a database"}},
		"no place for a file": {store: "sqlite:/proc/nothing/layerd.db", code: exitFailed, says: []string{"open store /proc/nothing/layerd.db"}},
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			if tt.store != "" {
				listen := r.listen
				if at, ok := strings.CutPrefix(tt.more, "http: "); ok {
					r.listen, tt.more = at, ""
				}
				r.configure(tt.store, tt.more)
				r.listen, tt.args = listen, []string{"--config", r.config}
			}
			p := r.start(tt.args...)
			_ = p.Wait() // says what ExitCode says
			text := p.err.String()
			t.Logf("\n%s", text)
			if code := p.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.says {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
			if strings.Contains(text, "panic") || p.out.String() != "" {
				t.Errorf("stdout: %s\nstderr: %s", &p.out, text)
			}
		})
	}
}

// A table that cannot be reached is no reason to wait for ever: the process ends
// with an error that says which, and whoever started it starts it again.
func TestRunWithoutItsTable(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	nobody, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	r.env = append(r.env, "AWS_ENDPOINT_URL_DYNAMODB=http://"+nobody.Addr().String(), "AWS_MAX_ATTEMPTS=1")
	r.configure("dynamodb:layerd", "")
	p := r.start("--config", r.config)
	_ = p.Wait()
	t.Logf("\n%s", &p.err)
	if code := p.ProcessState.ExitCode(); code != exitRetry || !strings.Contains(p.err.String(), "table layerd") {
		t.Errorf("exit code %d: %s", code, &p.err)
	}
}

// Git that is away at the start ends nothing: the daemon lives, says why it is
// not ready, and is ready when Git is back.
func TestRunWithoutGit(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	r.gone.Store(true)
	r.configure("memory:", "")
	p := r.start("--config", r.config)
	r.becomes(p, http.StatusServiceUnavailable, "Git could not be read since layerd started")
	if code, body := r.ask("/healthz"); code != http.StatusOK {
		t.Errorf("/healthz %d %s", code, body)
	}
	r.gone.Store(false)
	r.becomes(p, http.StatusOK, `"ready":true`)
	r.stops(p, os.Interrupt)
}

// Credentials of another account are the environment's failure, and nothing is
// asked of that account but who we are.
func TestRunWithOtherCredentials(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	r.env = append(r.env, "AWS_ACCESS_KEY_ID=OTHER")
	r.configure("sqlite:"+filepath.Join(t.TempDir(), "layerd.db"), "")
	p := r.start("--config", r.config)
	p.err.wait(t, `"msg":"round failed","env":"dev".*"code":"wrong_account".*999999999999`)
	if code, body := r.ask("/healthz"); code != http.StatusOK {
		t.Errorf("/healthz %d %s", code, body)
	}
	r.stops(p, syscall.SIGTERM)
}

// stops ends a daemon in the orderly way, and reads its log as machines do.
func (r *runs) stops(p *process, s os.Signal) {
	r.t.Helper()
	began := time.Now()
	if code := p.end(r.t, s); code != exitOK {
		r.t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 25*time.Second {
		r.t.Errorf("stopping took %s", took)
	}
	text := p.err.String()
	for line := range strings.Lines(text) {
		if !json.Valid([]byte(line)) {
			r.t.Errorf("a line of the log is no JSON: %s", line)
		}
	}
	if !strings.Contains(text, "lease given back") || p.out.String() != "" {
		r.t.Errorf("stdout: %s\nstderr: %s", &p.out, text)
	}
}

// The watchdog is fed from the first moment on, and while a new configuration
// waits for a store that does not answer; then the process ends when asked to.
func TestReloadFeedsTheWatchdog(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	hangs, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hangs.Close()
	name := filepath.Join(t.TempDir(), "notify")
	socket, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "unixgram", name)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	said := make(chan string, 1000)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, _, err := socket.ReadFrom(buf)
			if err != nil {
				return
			}
			said <- string(buf[:n])
		}
	}()
	hears := func(what string) {
		t.Helper()
		late := time.After(20 * time.Second)
		for {
			select {
			case text := <-said:
				if strings.Contains(text, what) {
					return
				}
			case <-late:
				t.Fatalf("the service manager does not hear %s", what)
			}
		}
	}
	r.env = append(r.env, "NOTIFY_SOCKET="+name, "WATCHDOG_USEC=1000000", "WATCHDOG_PID=", "AWS_ENDPOINT_URL_DYNAMODB=http://"+hangs.Addr().String())
	r.configure("memory:", "")
	p := r.start("--config", r.config)
	hears("READY=1")
	hears("WATCHDOG=1")
	r.becomes(p, http.StatusOK, `"ready":true`)

	r.configure("memory:", "intervl: 10s\n")
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	hears("RELOADING=1")
	hears("READY=1")
	p.err.wait(t, "configuration refused, the old one stays")

	r.configure("dynamodb:layerd", "")
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	hears("RELOADING=1")
	for range 4 {
		hears("WATCHDOG=1")
	}
	if code, body := r.ask("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz %d %s", code, body)
	}
	r.stops(p, syscall.SIGTERM)
}

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
)

// TestLoad measures layerd run as a process of its own beside a large account,
// and prints a table: `make load`. LAYERD_LOAD has the numbers of functions.
// Reading an account takes a second for every 750 functions, because layerd
// asks AWS at most fifteen times a second. Only memory is judged: times are the
// machine's.
func TestLoad(t *testing.T) {
	sizes := strings.Fields(os.Getenv("LAYERD_LOAD"))
	if len(sizes) == 0 {
		t.Skip("LAYERD_LOAD names no numbers of functions")
	}
	binary := filepath.Join(t.TempDir(), "layerd")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "functions\tstore\tscene\trounds\tpeak MiB\tat rest MiB\tCPU s a round\t")
	for _, size := range sizes {
		n, err := strconv.Atoi(size)
		if err != nil {
			t.Fatalf("LAYERD_LOAD: %v", err)
		}
		for _, store := range []string{"sqlite", "memory"} {
			for _, s := range newLoad(t, n).measure(t, binary, store) {
				fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%.1f\t%.1f\t%.2f\t\n", n, store, s.scene, s.rounds, s.peak, s.rest, s.cpu)
				if limit := memoryLimit(n); limit > 0 && store == "sqlite" && s.peak > limit {
					t.Errorf("%d functions, %s: %.1f MiB, more than %.0f", n, s.scene, s.peak, limit)
				}
			}
		}
	}
	w.Flush()
	fmt.Println(table.String())
}

// memoryLimit is what is promised (DESIGN section 7), in MiB; 0 = nothing.
func memoryLimit(functions int) float64 {
	switch {
	case functions <= 10_000:
		return 64
	case functions <= 100_000:
		return 256
	default:
		return 0
	}
}

// load is a large account, and a repository that asks for something in it.
type load struct {
	world *awssim.World
	git   *gitserve.Repo
	env   []string
	url   string
}

const (
	loadCommon  = "name: makoto-common\nretention_policy: {versions_to_keep: 10}\n"
	loadVersion = "account: \"123456789012\"\nregion: ap-northeast-1\napproval_required: true\n" +
		"change_window: %q\nmax_new: 100000\nlayers: {makoto-common: {version: %s, functions: [\"makoto-*\"]}}\n"
)

// newLoad makes functions as they are met: three layers, of which one is ours,
// some variables, a description.
func newLoad(t *testing.T, functions int) *load {
	t.Helper()
	w := awssim.New(awssim.Options{Region: testRegion})
	var ours, theirs []string
	for i := range 30 {
		n := w.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common", Description: fmt.Sprintf("makoto-common v1.%d.0", i)})
		ours = append(ours, fmt.Sprintf("arn:aws:lambda:%s:123456789012:layer:makoto-common:%d", testRegion, n))
	}
	for _, name := range []string{"datadog", "powertools"} {
		n := w.PutLayerVersion(awssim.LayerVersion{Name: name, Description: name})
		theirs = append(theirs, fmt.Sprintf("arn:aws:lambda:%s:123456789012:layer:%s:%d", testRegion, name, n))
	}
	code := awssim.Zip(map[string]string{"index.py": "def handler(event, context): return event\n"})
	for i := range functions {
		w.PutFunction(awssim.Function{
			Name: fmt.Sprintf("makoto-service-%02d-handler-%06d-prod", i%40, i), Description: "handles what the service is asked for",
			Layers: append([]string{ours[28]}, theirs[:i%3]...), Code: code, Timeout: 30, MemorySize: 512,
			Environment: map[string]string{
				"TABLE_NAME": "makoto-prod-table", "LOG_LEVEL": "info", "POWERTOOLS_SERVICE_NAME": fmt.Sprintf("service-%02d", i%40),
				"DATABASE_URL": "postgres://makoto-prod.cluster-c0123456789a.ap-northeast-1.rds.amazonaws.com:5432/makoto",
			},
		})
	}
	server := gitserve.New()
	l := &load{world: w, git: server.Add("acme/layers")}
	aws, git := httptest.NewServer(w.Handler()), httptest.NewServer(server)
	t.Cleanup(aws.Close)
	t.Cleanup(git.Close)
	l.url = git.URL + "/acme/layers"
	l.env = []string{
		"HOME=" + t.TempDir(), "AWS_ENDPOINT_URL=" + aws.URL, "AWS_REGION=" + testRegion, "AWS_ACCESS_KEY_ID=TEST",
		"AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true",
	}
	l.want(t, "1.28.0")
	return l
}

// want commits that the functions shall have a version, on another day.
func (l *load) want(t *testing.T, version string) {
	t.Helper()
	day := time.Now().UTC().AddDate(0, 0, 3).Weekday().String()
	_, err := l.git.Commit(gitserve.Change{Subject: "Want " + version, Files: map[string]string{
		"layers/common/layer.yaml": loadCommon,
		"environments/prod.yaml":   fmt.Sprintf(loadVersion, day+" 02:00-06:00 UTC", version),
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// sample is what a scene took.
type sample struct {
	scene           string
	rounds          int
	peak, rest, cpu float64 // MiB, MiB, seconds a round
}

// measure runs the daemon: it adopts everything, then nothing is new, then a
// commit waits for its window and its approval.
func (l *load) measure(t *testing.T, binary, store string) []sample {
	t.Helper()
	dir := t.TempDir()
	spec := "memory:"
	if store == "sqlite" {
		spec = "sqlite:" + filepath.Join(dir, "layerd.db")
	}
	config := filepath.Join(dir, "layerd.yaml")
	text := fmt.Sprintf("interval: 10s\ngit: {url: %q, interval: 10s}\nstore: %q\naws: {requests_per_second: 15}\nhttp: {listen: 127.0.0.1:0}\n", l.url, spec)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "run", "--config", config)
	cmd.Env = append(l.env, extraEnv()...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	r, w := io.Pipe()
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	rounds := make(chan string, 100)
	go func() {
		for s := bufio.NewScanner(r); s.Scan(); {
			if strings.Contains(s.Text(), `"msg":"round"`) {
				rounds <- s.Text()
			} else if strings.Contains(s.Text(), `"level":"ERROR"`) {
				t.Errorf("%s", s.Text())
			}
		}
	}()
	var out []sample
	scene := func(name string, count int, until string) {
		forgetPeak(t, cmd.Process.Pid)
		began, met := cpuOf(t, cmd.Process.Pid), 0
		for met < count {
			select {
			case line := <-rounds:
				if strings.Contains(line, until) {
					met++
				}
			case <-time.After(10 * time.Minute):
				t.Fatalf("%s: no round in ten minutes", name)
			}
		}
		s := sample{scene: name, rounds: count, cpu: (cpuOf(t, cmd.Process.Pid) - began) / float64(count)}
		s.peak, s.rest = memoryOf(t, cmd.Process.Pid, "VmHWM"), memoryOf(t, cmd.Process.Pid, "VmRSS")
		out = append(out, s)
	}
	scene("first look", 1, `"in_sync":true`)
	scene("in sync", 3, `"in_sync":true`)
	l.want(t, "1.29.0")
	scene("all held", 3, `"in_sync":false`)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("layerd run: %v", err)
	}
	w.Close()
	l.want(t, "1.28.0")
	return out
}

// extraEnv lets a person try GOMEMLIMIT and GODEBUG.
func extraEnv() (list []string) {
	for _, name := range []string{"GOMEMLIMIT", "GOGC", "GODEBUG"} {
		if v := os.Getenv(name); v != "" {
			list = append(list, name+"="+v)
		}
	}
	return list
}

// forgetPeak lets the kernel begin VmHWM anew (proc(5), clear_refs).
func forgetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o600); err != nil {
		t.Skipf("memory is read from Linux's /proc: %v", err)
	}
}

// memoryOf reads a line of /proc/PID/status, in MiB.
func memoryOf(t *testing.T, pid int, name string) float64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name+":" {
			kB, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kB / 1024
		}
	}
	t.Fatalf("no %s in %s", name, data)
	return 0
}

// cpuOf is what the process has computed so far, in seconds.
func cpuOf(t *testing.T, pid int) float64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), ") ") // the name before may hold spaces
	f := strings.Fields(rest)
	var sum float64
	for _, ticks := range f[11:13] { // utime and stime
		n, err := strconv.ParseFloat(ticks, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n / 100
	}
	return sum
}

package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/nightly"
)

// transcript is what a running command has written so far.
type transcript struct {
	mu  sync.Mutex // guards buf: the command writes while the test reads
	buf bytes.Buffer
}

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// waits until something was written, and gives what it matched.
func (o *transcript) wait(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m
		}
	}
	t.Fatalf("no %q in:\n%s", pattern, o)
	return nil
}

// process is layerd as others start it.
type process struct {
	*exec.Cmd
	out, err transcript
}

// start runs this test's own binary as layerd, until the test ends at the
// latest.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), "layerd", args...)}
	p.Stdout, p.Stderr, p.Env = &p.out, &p.err, append(os.Environ(), env...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill() // fails where it has ended, as it should have
		_ = p.Wait()
	})
	return p
}

// end sends a signal and gives the exit code.
func (p *process) end(t *testing.T, s os.Signal) int {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // says what ExitCode says
	return p.ProcessState.ExitCode()
}

// commandsOf takes the commands that stand below a title on the demo's screen.
func commandsOf(t *testing.T, screen, title string) string {
	t.Helper()
	_, below, found := strings.Cut(screen, "\n"+title)
	_, below, _ = strings.Cut(below, "\n")
	var commands []string
	for line := range strings.SplitSeq(below, "\n") {
		if line == "" {
			break
		}
		if command, ok := strings.CutPrefix(line, "  "); ok {
			commands = append(commands, command)
		}
	}
	if !found || len(commands) == 0 {
		t.Fatalf("no commands below %q in:\n%s", title, screen)
	}
	return strings.Join(commands, "\n")
}

// Every command that layerd demo prints works as it stands and does what is
// said beside it; SIGTERM ends the demo and leaves nothing behind.
func TestDemoCommands(t *testing.T) {
	t.Parallel()
	nightly.OrCI(t, "plays for a minute")
	for _, tool := range []string{"bash", "git"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed, and the commands need it", tool)
		}
	}
	tmp, cwd := t.TempDir(), t.TempDir()
	demo := start(t, []string{"TMPDIR=" + tmp, "HOME=" + cwd}, "demo")
	demo.out.wait(t, "(?s)first look.*first look.*first look")
	screen := demo.out.String()
	shell := func(dir, commands string) string {
		t.Helper()
		script := "set -euo pipefail\n" + commandsOf(t, screen, "In a second terminal") + "\n" + commands
		cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
		// No configuration of whoever runs the test, and no name for commits.
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+cwd, "GIT_CONFIG_NOSYSTEM=1", "AWS_CONFIG_FILE=/dev/null")
		out, err := cmd.CombinedOutput()
		t.Logf("$ %s\n%s", commands, out)
		if err != nil {
			t.Fatalf("%v\n%s", err, demo.out.String())
		}
		return string(out)
	}
	clone := filepath.Join(cwd, "layers")

	shell(cwd, commandsOf(t, screen, "Release makoto-common 1.4.2"))
	demo.out.wait(t, `commit [0-9a-f]{7} of you: Raise makoto-common to 1.4.2`)
	demo.out.wait(t, `dev ap-northeast-1: makoto-common 10 \(1.4.1\) → 11 \(1.4.2\) was`)

	if _, err := exec.LookPath("aws"); err == nil {
		shell(clone, commandsOf(t, screen, "Change a function by hand"))
		demo.out.wait(t, `(?s)dev ap-northeast-1: makoto-common was changed by somebody else on 1\s+function.*restored`)
	} else {
		t.Log("the AWS CLI is not installed: the command that changes a function was not tried")
	}

	for _, env := range []string{"staging", "prod"} {
		approve := demo.out.wait(t, `\n +\$ (layerd approve `+env+` .*)\n`)
		shell(clone, approve[1])
	}
	demo.out.wait(t, `staging ap-northeast-1: makoto-common 7 \(1.4.1\) → 8\s+\(1.4.2\)\s+on\s+13\s+functions,\s+2\s+waves,\s+healthy`)
	shell(clone, commandsOf(t, screen, "Open prod's window"))
	demo.out.wait(t, `prod ap-northeast-1: makoto-common 6 \(1.4.1\) → 7\s+\(1.4.2\)\s+on\s+13\s+functions,\s+3\s+waves,\s+healthy`)
	shell(clone, commandsOf(t, screen, "Break every function of staging"))
	demo.out.wait(t, `staging ap-northeast-1: makoto-common 9 \(1.5.0\) was\s+rolled\s+back\s+on\s+2\s+of\s+13\s+functions`)
	shell(clone, commandsOf(t, screen, "Go on to a version that works"))
	demo.out.wait(t, `staging ap-northeast-1: makoto-common 8 \(1.4.2\) → 10\s+\(1.5.1\) on\s+13\s+functions,\s+2\s+waves,\s+healthy`)

	asked := shell(clone, commandsOf(t, screen, "Ask"))
	for _, want := range []string{`environments/dev.yaml:\d+ says 1.4.2`, `prod .*in sync`, `approved by`, `"ready":true`} {
		if !regexp.MustCompile(want).MatchString(asked) {
			t.Errorf("no %q in what was asked", want)
		}
	}
	endsClean(t, demo, tmp)
}

// endsClean ends a demo and looks for what it left behind.
func endsClean(t *testing.T, demo *process, tmp string) {
	t.Helper()
	url := demo.out.wait(t, `Daemon +(http://127\.0\.0\.1:\d+)`)[1]
	if code := demo.end(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("exit code %d: %s", code, &demo.err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if resp, err := http.Get(url + "/healthz"); err == nil { //nolint:noctx // nobody must answer
		resp.Body.Close()
		t.Error("somebody still answers")
	}
	if text := demo.err.String(); !strings.HasPrefix(text, "layerd: interrupted") || strings.Count(text, "\n") != 1 {
		t.Errorf("stderr: %s", text)
	}
	t.Logf("\n%s", demo.out.String())
}

// The daemon's health is where --listen says, on this machine unless told
// otherwise, and a port that is taken is a wrong command line.
func TestDemoListen(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	demo := start(t, []string{"TMPDIR=" + tmp}, "demo", "--listen", ":0")
	url := demo.out.wait(t, `Daemon +(http://(127\.0\.0\.1:\d+))`)
	resp, err := http.Get(url[1] + "/healthz") //nolint:noctx // a test's
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s %s %v", resp.Status, body, err)
	}
	second := start(t, []string{"TMPDIR=" + tmp}, "demo", "--listen", url[2])
	_ = second.Wait()
	if code := second.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(second.err.String(), "address already in use") {
		t.Errorf("exit code %d: %s", code, &second.err)
	}
	endsClean(t, demo, tmp)
}

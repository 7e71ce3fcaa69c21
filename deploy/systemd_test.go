package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/daemon/config"
)

const unitFile = "systemd/layerd.service"

// readUnit returns the settings of the unit; of one that is set twice, both.
func readUnit(t *testing.T) (text string, settings map[string][]string) {
	t.Helper()
	data, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	settings = map[string][]string{}
	for line := range strings.SplitSeq(string(data), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			settings[key] = append(settings[key], value)
		}
	}
	return string(data), settings
}

func TestUnit(t *testing.T) {
	_, have := readUnit(t)
	for key, want := range map[string]string{
		"Type":                     "notify", // systemd 252 does not know notify-reload
		"NotifyAccess":             "main",
		"ExecStart":                "/usr/bin/layerd run --config /etc/layerd/layerd.yaml",
		"ExecReload":               "/bin/kill -HUP $MAINPID",
		"WatchdogSec":              "60",
		"Restart":                  "always",
		"RestartPreventExitStatus": "64 78",
		"TimeoutStopSec":           "30", // more than the 25 seconds in which layerd stops
		"DynamicUser":              "yes",
		"StateDirectory":           "layerd",
	} {
		if got := strings.Join(have[key], "\n"); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
}

// The credentials that the unit's comments load are those that the example of a
// configuration asks for.
func TestUnitLoadsWhatTheExampleNames(t *testing.T) {
	text, _ := readUnit(t)
	where, data, err := config.Read("layerd.example.yaml", os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	c, problems := config.Load(where, data)
	if len(problems) > 0 {
		t.Fatalf("problems %v", problems)
	}
	for _, s := range []config.Secret{c.Git.Auth.Token, c.Notify[0].Slack.WebhookURL} {
		if s.Credential == "" || !strings.Contains(text, "LoadCredential="+s.Credential+":") {
			t.Errorf("the unit does not mention %s", s)
		}
	}
}

func systemdAnalyze(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: apt-get install systemd")
	}
	return program
}

// systemd understands the unit, and does not even warn.
func TestUnitVerifies(t *testing.T) {
	program := systemdAnalyze(t)
	text, _ := readUnit(t)
	dir := t.TempDir()
	stub, unit := filepath.Join(dir, "layerd"), filepath.Join(dir, "layerd.service")
	if err := os.WriteFile(stub, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	// verify wants the program to be there.
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(text, "/usr/bin/layerd", stub)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "verify", unit).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// The sandbox stays as tight as it is: 1.1, where 0 is no access to anything
// and 10 is none of these settings.
func TestUnitIsHardened(t *testing.T) {
	program := systemdAnalyze(t)
	out, err := exec.CommandContext(t.Context(), program, "security", "--offline=true", "--threshold=11", "--no-pager", unitFile).CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Errorf("systemd-analyze security: %v\n%s", err, strings.Join(lines[max(0, len(lines)-3):], "\n"))
	}
}

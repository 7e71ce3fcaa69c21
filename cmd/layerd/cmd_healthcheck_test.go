package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ask runs a command with an environment.
func ask(t *testing.T, env map[string]string, command string, args ...string) (code int, out, told string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{out: &stdout, err: &stderr, env: func(name string) string { return env[name] }, now: time.Now}
	code = a.execute(t.Context(), append([]string{command}, args...))
	return code, stdout.String(), stderr.String()
}

// The daemon is found by all that may say where it listens.
func TestHealthcheckFindsTheDaemon(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path != "/healthz" || r.Method != http.MethodGet {
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	yaml := "git: {url: /srv}\nhttp: {listen: \"127.0.0.1:" + port + "\"}\n"
	file := filepath.Join(t.TempDir(), "layerd.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		env  map[string]string
		args []string
	}{
		"the variable":             {map[string]string{"LAYERD_CONFIG": yaml}, nil},
		"a variable by name":       {map[string]string{"OTHER": yaml}, []string{"--config", "env:OTHER"}},
		"a file":                   {nil, []string{"--config", file}},
		"every address":            {map[string]string{"LAYERD_CONFIG": strings.ReplaceAll(yaml, "127.0.0.1", "0.0.0.0")}, nil},
		"an address":               {nil, []string{"--url", server.URL}},
		"a path":                   {nil, []string{"--url", server.URL + "/healthz"}},
		"an invalid configuration": {map[string]string{"LAYERD_CONFIG": yaml + "intervl: 60s\n"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			asked = 0
			code, out, told := ask(t, tt.env, "healthcheck", tt.args...)
			if code != 0 || asked != 1 || !strings.HasPrefix(out, "healthy: http://") {
				t.Errorf("exit %d after %d questions: %s%s", code, asked, out, told)
			}
		})
	}
}

// Whatever is not 200 is 1, with the reason in one line.
func TestHealthcheckSaysWhy(t *testing.T) {
	stuck := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stuck":
			select {
			case <-stuck:
			case <-r.Context().Done():
			}
		case "/moved":
			http.Redirect(w, r, "/fine", http.StatusFound)
		case "/silent":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/healthz":
			http.Error(w, "no round for \x1b[2J3m12s\nmore", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	defer close(stuck)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--url", server.URL}, 1, "unhealthy: " + server.URL + "/healthz: 503: no round for \\x1b[2J3m12s\n"},
		{[]string{"--url", server.URL + "/silent"}, 1, "/silent: 503 Service Unavailable\n"},
		{[]string{"--url", server.URL + "/moved"}, 1, "/moved: 302"},
		{[]string{"--url", server.URL + "/stuck", "--timeout", "50ms"}, 1, "/stuck: no answer within 50ms\n"},
		{[]string{"--url", "http://" + nobody.Addr().String()}, 1, "connection refused\n"},
		{[]string{"--config", "/nowhere/layerd.yaml"}, 1, "read the configuration /nowhere/layerd.yaml: no such file or directory\n"},
		{[]string{"--config", "env:NOT_SET"}, 1, "the variable NOT_SET is not set\n"},
		{[]string{"--url", "localhost:8080"}, 64, "--url is not an address of HTTP\n"},
		{[]string{"--url", "http://me:hunter2@h"}, 64, "--url is not an address of HTTP\n"},
		{[]string{"--timeout", "0s"}, 64, "--timeout 0s: it must be more than 0\n"},
		{[]string{"--url", server.URL, "--config", "x"}, 64, ""},
		{[]string{"extra"}, 64, "too many arguments"},
	} {
		code, out, told := ask(t, nil, "healthcheck", tt.args...)
		if code != tt.code || !strings.Contains(told, tt.want) || out != "" {
			t.Errorf("%v: exit %d, %q, want %d with %q", tt.args, code, told, tt.code, tt.want)
		}
		if strings.Contains(told, "hunter2") {
			t.Errorf("%v repeats a password: %s", tt.args, told)
		}
	}
}

func TestReachable(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "127.0.0.1:8080", "0.0.0.0:9000": "127.0.0.1:9000", "[::]:80": "[::1]:80", "[fd00::1]:80": "[fd00::1]:80", "localhost:1": "localhost:1",
	} {
		if got := reachable(listen); got != want {
			t.Errorf("%s is asked at %s, want %s", listen, got, want)
		}
	}
}

package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/daemon"
)

// What a person sees of a daemon is what they would see of its store, as text and JSON.
func TestStatusOfADaemonIsThatOfItsStore(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	kept := "sqlite:" + filepath.Join(t.TempDir(), "layerd.db")
	r.configure(kept, "")
	p := r.start("--config", r.config)
	r.becomes(p, http.StatusOK, `"ready":true`)
	server := "http://" + r.listen
	// Ages differ by what passes between two questions, and the daemon names a file by its
	// whole path.
	ages := regexp.MustCompile(`\d+(ms|s|m)\b|"(at|looked|heard)": "[^"]*"| --(repo|store) \S+`)
	for _, more := range [][]string{nil, {"-v"}, {"--env", "dev"}, {"--output", "json"}} {
		var daemons, stores string
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			code, out, told := ask(t, nil, "status", append([]string{"--server", server}, more...)...)
			if code != exitOK || told != "" {
				t.Fatalf("%v: exit %d: %s", more, code, told)
			}
			_, store, _ := ask(t, nil, "status", append([]string{"--repo", r.git, "--store", kept}, more...)...)
			// What is served may be some seconds old, and the daemon goes on.
			if daemons, stores = ages.ReplaceAllString(out, ""), ages.ReplaceAllString(store, ""); daemons == stores {
				break
			}
		}
		if daemons != stores {
			t.Errorf("%v: of the daemon\n%s\nof its store\n%s", more, daemons, stores)
		}
	}
	// What a person has set for other commands is not meant, and a path before it is kept.
	if code, _, told := ask(t, map[string]string{"LAYERD_STORE": "sqlite:/nowhere/x.db", "LAYERD_REPO": "/nowhere"}, "status", "--server", server+"/"); code != exitOK {
		t.Errorf("with variables: exit %d: %s", code, told)
	}
	if code, _, told := ask(t, nil, "status", "--server", server, "--env", "def"); code != exitUsage || !strings.Contains(told, `no environment "def"`) || !strings.Contains(told, "did you mean dev?") {
		t.Errorf("an unknown environment: exit %d: %s", code, told)
	}
	r.stops(p, os.Interrupt)
}

// Each way in which there is no answer says what it was and what to do.
func TestStatusOfNoDaemon(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimSuffix(r.URL.Path, daemon.StatusPath)
		switch path {
		case "/starting":
			http.Error(w, "starting", http.StatusServiceUnavailable)
		case "/store":
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"error": "read the store: \u001b[2Jgone"}`))
		case "/moved":
			http.Redirect(w, r, "/fine", http.StatusFound)
		case "/page":
			_, _ = w.Write([]byte("<html>welcome</html>"))
		case "/health":
			_, _ = w.Write([]byte(`{"alive": true, "ready": true}`))
		case "/later":
			_, _ = w.Write([]byte(`{"format_version": "2", "repository": "acme", "verdict": "all_right"}`))
		case "/bare":
			_, _ = w.Write([]byte(`{"format_version": "1", "repository": "acme\u001b[2J", "verdict": "all_right", "zone": "../etc/passwd", "environments": [{"name": "x"}]}`))
		case "/half":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"format_version"`))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	nobody, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--server", "http://" + nobody.Addr().String()}, exitRetry, "connection refused"},
		{[]string{"--server", "http://" + nobody.Addr().String()}, exitRetry, "--store"},
		{[]string{"--server", server.URL + "/half"}, exitRetry, "ask the daemon at"},
		{[]string{"--server", server.URL + "/starting"}, exitRetry, "has no answer now: 503: starting"},
		{[]string{"--server", server.URL + "/store"}, exitRetry, `503: read the store: \x1b[2Jgone`},
		{[]string{"--server", server.URL + "/moved"}, exitFailed, "302 Found"},
		{[]string{"--server", server.URL + "/page"}, exitFailed, "is no layerd, or an older one"},
		{[]string{"--server", server.URL + "/health"}, exitFailed, "is no layerd, or an older one"},
		{[]string{"--server", server.URL + "/later"}, exitFailed, `format_version "2"`},
		{[]string{"--server", server.URL}, exitFailed, "it has no /api/v1/status"},
		{[]string{"--server", server.URL + "/bare"}, exitOK, ""},
		{[]string{"--server", server.URL + "/bare", "--output", "json"}, exitOK, ""},
		{[]string{"--server", "127.0.0.1:8080"}, exitUsage, "--server is not an address of HTTP"},
		{[]string{"--server", "http://me:hunter2@h"}, exitUsage, "--server is not an address of HTTP"},
		{[]string{"--server", "http://h/?token=hunter2"}, exitUsage, "--server is not an address of HTTP"},
		{[]string{"--server", server.URL, "--store", "memory:"}, exitUsage, "--server and --store exclude each other"},
		{[]string{"--server", server.URL, "--repo", "."}, exitUsage, "--repo and --server exclude each other"},
	} {
		code, out, told := ask(t, nil, "status", tt.args...)
		if code != tt.code || !strings.Contains(told, tt.want) || (code == exitOK) != (out != "") {
			t.Errorf("%v: exit %d, %q, %q, want %d with %q", tt.args, code, out, told, tt.code, tt.want)
		}
		if strings.Contains(out+told, "\x1b") || strings.Contains(out, "null") || strings.Contains(told, "hunter2") {
			t.Errorf("%v: %q %q", tt.args, out, told)
		}
	}
}

package demo

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/layerd/layerd/internal/notify"
)

// pane is a terminal and a log that a test reads while others write.
type pane struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (p *pane) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(data)
}

func (p *pane) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

// The daemon takes the lease, looks at everything, and releases the lease at
// the end. What stands on the screen fits it, and everything listens on
// loopback.
func TestPlay(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var out, log pane
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- Play(ctx, PlayOptions{Options: Options{Out: &out, Log: slog.New(slog.NewTextHandler(&log, nil))}, Program: "/opt/my layerd", Proxied: true})
	}()
	for deadline := time.Now().Add(30 * time.Second); strings.Count(out.String(), "first look") < 3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no first looks:\n%s\n%s", &out, &log)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	text := out.String()
	t.Logf("\n%s", text)
	for line := range strings.SplitSeq(text, "\n") {
		if lipgloss.Width(line) > 80 && !strings.Contains(line, tmp) {
			t.Errorf("%d columns: %s", lipgloss.Width(line), line)
		}
	}
	for _, url := range regexp.MustCompile(`http://[^/\s]+`).FindAllString(text, -1) {
		if !strings.HasPrefix(url, "http://127.0.0.1:") {
			t.Errorf("%s is not on loopback", url)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("there is colour where none was asked for")
	}
	for _, want := range []string{`layerd() { '/opt/my layerd' "$@"; }`, "export no_proxy=127.0.0.1"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if !strings.Contains(log.String(), "lease given back") {
		t.Errorf("no lease was given back:\n%s", &log)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What others wrote does not rewrite the terminal, names stay whole, and the
// command is one that works here.
func TestScreen(t *testing.T) {
	var out strings.Builder
	digest := strings.Repeat("0123456789ab", 5) + "cdef"
	m := notify.Message{
		Status: notify.Reminded, Severity: notify.Warning, Title: "prod: \x1b[2Ja plan\u202e waits", At: time.Date(2026, 11, 24, 1, 2, 3, 0, time.Local),
		Sections: []notify.Section{
			{Text: "The digest is " + digest + ".", Code: "layerd approve prod " + digest},
			{Items: []string{"makoto-embedding-worker-staging", "makoto-document-indexer-staging", "c", "d", "e"}, More: 2},
		},
	}
	want := strings.Join([]string{
		"01:02:03  ! Reminder: prod: \\x1b[2Ja plan\\u202e waits",
		"            The digest is 0123456789ab.",
		"            $ layerd approve prod 0123456789ab --store $STORE",
		"            makoto-embedding-worker-staging,",
		"            makoto-document-indexer-staging, c, d and 3 more", "",
	}, "\n")
	for _, color := range []bool{false, true} {
		out.Reset()
		s := newScreen(PlayOptions{Options: Options{Out: &out, Width: 62, Color: color}})
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if got := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(out.String(), ""); got != want {
			t.Errorf("colour %v: got\n%q\nwant\n%q", color, got, want)
		}
		if strings.Contains(out.String(), "\x1b[33m!") != color {
			t.Errorf("colour %v: %q", color, out.String())
		}
	}
}

// Without a log of its own, what the daemon warns of is a line, and what it
// merely does is none.
func TestWarnings(t *testing.T) {
	var out strings.Builder
	log := slog.New(warnings{screen: newScreen(PlayOptions{Options: Options{Out: &out}})}).With("env", "prod")
	log.Info("round")
	log.Warn("git not read", "err", "gone")
	if got := out.String(); !regexp.MustCompile(`^\d\d:\d\d:\d\d  ! git not read env=prod err=gone\n$`).MatchString(got) {
		t.Errorf("%q", got)
	}
}

//go:build unix

package systemd

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// listen plays the service manager and gives a function that reads the next
// message.
func listen(t *testing.T, address string) func() string {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", address)
	return func() string {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 4096)
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
}

func TestMessages(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "60000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	for _, address := range []string{filepath.Join(t.TempDir(), "notify"), "@layerd-test-" + strconv.Itoa(os.Getpid())} {
		next := listen(t, address)
		m := New()
		for _, tt := range []struct {
			say  func() error
			want string
		}{
			{m.Ready, "READY=1"},
			{m.Stopping, "STOPPING=1"},
			{m.Watchdog, "WATCHDOG=1"},
			{func() error { return m.Status("prod: in sync") }, "STATUS=prod: in sync"},
			{func() error { return m.Status("a\nREADY=1\r\nb") }, `STATUS=a\nREADY=1\r\nb`},
		} {
			if err := tt.say(); err != nil {
				t.Fatal(err)
			}
			if got := next(); got != tt.want {
				t.Errorf("told %q, want %q", got, tt.want)
			}
		}
		if got := m.WatchdogInterval(); got != 30*time.Second {
			t.Errorf("watchdog every %s, want 30s", got)
		}
	}
}

// A reload carries the monotonic clock of this very moment.
func TestReloading(t *testing.T) {
	next := listen(t, filepath.Join(t.TempDir(), "notify"))
	before, err := monotonic()
	if err != nil {
		t.Fatal(err)
	}
	if err := New().Reloading(); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=([0-9]+)$`).FindStringSubmatch(next())
	if m == nil {
		t.Fatal("not the message that systemd wants")
	}
	after, err := monotonic()
	if err != nil {
		t.Fatal(err)
	}
	if usec, err := strconv.ParseInt(m[1], 10, 64); err != nil || usec < before || usec > after {
		t.Errorf("MONOTONIC_USEC=%s is not now", m[1])
	}
}

func TestWithoutAManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	m := New()
	for _, say := range []func() error{m.Ready, m.Reloading, m.Stopping, m.Watchdog, func() error { return m.Status("x") }} {
		if err := say(); err != nil {
			t.Error(err)
		}
	}
	if m.WatchdogInterval() != 0 {
		t.Error("a watchdog without a manager")
	}
}

// A watchdog for another process, or one that is no number, is not ours; then
// nothing is sent, which would count as life of whoever it is for.
func TestWatchdogOfOthers(t *testing.T) {
	next := listen(t, filepath.Join(t.TempDir(), "notify"))
	for _, env := range [][2]string{{"60000000", "1"}, {"soon", ""}, {"-1", ""}, {"0", ""}} {
		t.Setenv("WATCHDOG_USEC", env[0])
		t.Setenv("WATCHDOG_PID", env[1])
		m := New()
		if err := m.Watchdog(); err != nil || m.WatchdogInterval() != 0 {
			t.Errorf("%v: every %s, %v", env, m.WatchdogInterval(), err)
		}
	}
	if err := New().Ready(); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "READY=1" {
		t.Errorf("the first message is %q: a watchdog of others was fed", got)
	}
}

func TestAManagerThatIsGone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if err := New().Ready(); err == nil || !strings.HasPrefix(err.Error(), "tell the service manager: ") {
		t.Errorf("error %v", err)
	}
}

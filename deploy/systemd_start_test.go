package deploy_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/store/sqlitestore"
)

// manager plays systemd for one unit: the test cannot count on a machine that
// was booted with it. It starts what the unit says, with the variables that the
// unit's settings make, and listens to what the daemon tells.
type manager struct {
	*site
	dir    string // stands for /
	line   []string
	config string
	env    []string
	told   output // a line each
}

// manage lays the unit out below a folder: its command line, the example of a
// configuration with this site's addresses, and the secrets that it names.
func manage(t *testing.T) *manager {
	t.Helper()
	m := &manager{site: newSite(t), dir: t.TempDir()}
	built, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	_, unit := readUnit(t)
	m.line = strings.Fields(unit["ExecStart"][0])
	m.config = filepath.Join(m.dir, m.line[len(m.line)-1])
	m.line[0], m.line[len(m.line)-1] = filepath.Join(built, filepath.Base(m.line[0])), m.config
	state, secrets := filepath.Join(m.dir, "/var/lib/layerd"), filepath.Join(m.dir, "credentials")
	for _, dir := range []string{state, secrets, filepath.Dir(m.config)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m.write(filepath.Join(secrets, "git-token"), gitToken+"\n")
	m.write(filepath.Join(secrets, "slack"), m.webhook()+"\n")
	m.configure("")
	m.env = m.environment("STATE_DIRECTORY="+state, "CREDENTIALS_DIRECTORY="+secrets, "NOTIFY_SOCKET="+m.listenTo(),
		// Shorter than the unit's, so that it can be waited for.
		"WATCHDOG_USEC=1000000")
	m.env = append(m.env, unit["Environment"]...)
	return m
}

func (m *manager) write(file, text string) {
	m.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// configure writes the example with this site's addresses, and more at its end.
func (m *manager) configure(more string) {
	m.t.Helper()
	data, err := os.ReadFile("layerd.example.yaml")
	if err != nil {
		m.t.Fatal(err)
	}
	text := string(data)
	for old, now := range map[string]string{
		"https://github.com/acme/layers.git": m.repo(), "127.0.0.1:8080": m.listen,
		"sqlite:/var/lib/layerd": "sqlite:" + m.dir + "/var/lib/layerd", "interval: 60s": "interval: 10s",
	} {
		if !strings.Contains(text, old) {
			m.t.Fatalf("the example does not say %s", old)
		}
		text = strings.ReplaceAll(text, old, now)
	}
	m.write(m.config, text+more)
}

// listenTo listens where the daemon tells how it does.
func (m *manager) listenTo() string {
	m.t.Helper()
	// A socket's path is short, and that of a test's folder may not be.
	dir, err := os.MkdirTemp("", "ld")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { os.RemoveAll(dir) })
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { socket.Close() })
	go func() {
		for buf := make([]byte, 4096); ; {
			n, err := socket.Read(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			fmt.Fprintf(&m.told, "%s\n", buf[:n])
		}
	}()
	return filepath.Join(dir, "notify")
}

func (m *manager) start() *running {
	m.t.Helper()
	return run(m.t, func(c *exec.Cmd) { c.Dir, c.Env = "/", m.env }, m.line...)
}

// count returns how often the daemon told the service manager something.
func (m *manager) count(what string) int { return strings.Count(m.told.String(), what+"\n") }

// layerd runs another command beside the daemon.
func (m *manager) layerd(args ...string) (code int, out string) {
	cmd := exec.CommandContext(m.t.Context(), m.line[0], args...)
	cmd.Env = m.env
	text, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(text)
}

// The command of the unit, with the example's configuration, from its start to
// its end. Whether systemd takes the unit is TestUnitVerifies.
func TestUnitStarts(t *testing.T) {
	t.Parallel()
	m := manage(t)
	d := m.start()
	eventually(t, "READY=1", func() bool { return m.count("READY=1") == 1 }, &d.log)
	eventually(t, "ready", func() bool { code, _ := m.status("/readyz"); return code == 200 }, &d.log)
	if code, body := m.status("/healthz"); code != 200 {
		t.Errorf("/healthz: %d %s", code, body)
	}
	if code, out := m.layerd("healthcheck", "--config", m.config); code != 0 {
		t.Errorf("healthcheck exits %d: %s", code, out)
	}
	eventually(t, "a first message", func() bool { return len(m.messages()) > 0 }, &d.log)
	eventually(t, "the watchdog is fed again and again", func() bool { return m.count("WATCHDOG=1") > 2 }, &m.told)
	kept := "sqlite:" + m.dir + "/var/lib/layerd/layerd.db"
	if code, out := m.layerd("history", "--store", kept); code != 0 || strings.Contains(out, "no store") {
		t.Errorf("history exits %d beside the daemon: %s", code, out)
	}

	m.reload(d)

	d.ends(syscall.SIGTERM, 25*time.Second)
	if code := d.ProcessState.ExitCode(); code != 0 || m.count("STOPPING=1") == 0 {
		t.Errorf("exit %d, told:\n%s", code, &m.told)
	}
	if got := m.messages(); len(got) != 1 || !strings.Contains(got[0], "first look") {
		t.Errorf("Slack was told %d times: %s", len(got), got)
	}
	if _, released := m.given(m.open(), m.repo()); !released {
		t.Error("the lease was not given back")
	}
	d.isJSON()
	for _, secret := range []string{gitToken, "xyzzy"} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log has the secret %s", secret)
		}
	}
}

// reload: a broken file is refused and the old configuration stays, a good one
// is taken in; systemd hears of the end of both.
func (m *manager) reload(d *running) {
	t := m.t
	t.Helper()
	_, unit := readUnit(t)
	// What the unit's ExecReload does.
	if unit["ExecReload"][0] != "/bin/kill -HUP $MAINPID" {
		t.Fatalf("ExecReload=%s", unit["ExecReload"])
	}
	for i, tt := range []struct{ more, logs string }{
		{"intervl: 60s\n", `"problem":"unknown key \"intervl\"","help":"interval`},
		{"\n# taken in\n", "configuration taken in"},
	} {
		m.configure(tt.more)
		if err := d.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "READY=1 after a reload", func() bool { return m.count("READY=1") == 2+i }, &d.log)
		eventually(t, tt.logs, func() bool { return strings.Contains(d.log.String(), tt.logs) }, &d.log)
		if n := len(regexp.MustCompile(`(?m)^RELOADING=1\nMONOTONIC_USEC=\d+$`).FindAllString(m.told.String(), -1)); n != 1+i {
			t.Errorf("told %d times that it reloads:\n%s", n, &m.told)
		}
		eventually(t, "ready after a reload", func() bool { code, _ := m.status("/readyz"); return code == 200 }, &d.log)
	}
}

func (m *manager) open() *sqlitestore.Store {
	m.t.Helper()
	kept, err := sqlitestore.OpenReadOnly(m.dir + "/var/lib/layerd/layerd.db")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { kept.Close() })
	return kept
}

// One that was killed is followed by another that waits for its lease, and that
// tells nothing again. That the wait ends within two terms is shown in virtual
// time, by internal/lease and internal/daemon.
func TestUnitIsKilled(t *testing.T) {
	t.Parallel()
	m := manage(t)
	first := m.start()
	eventually(t, "a first message", func() bool { return len(m.messages()) > 0 }, &first.log)
	first.ends(syscall.SIGKILL, 5*time.Second)
	dead, released := m.given(m.open(), m.repo())
	if released {
		t.Error("a killed daemon gave its lease back")
	}
	second := m.start()
	eventually(t, "standing by", func() bool { return strings.Contains(second.log.String(), "standing by") }, &second.log)
	eventually(t, "READY=1", func() bool { return m.count("READY=1") == 2 }, &m.told)
	eventually(t, "the watchdog is fed", func() bool { return m.count("WATCHDOG=1") > 1 }, &m.told)
	if code, body := m.status("/healthz"); code != 200 {
		t.Errorf("/healthz of one that waits: %d %s", code, body)
	}
	if now, _ := m.given(m.open(), m.repo()); now.By.ID != dead.By.ID || now.Fence != dead.Fence {
		t.Errorf("the lease went from %+v to %+v at once", dead, now)
	}
	second.ends(syscall.SIGTERM, 25*time.Second)
	if code := second.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if got := m.messages(); len(got) != 1 {
		t.Errorf("Slack was told %d times: %s", len(got), got)
	}
	second.isJSON()
}

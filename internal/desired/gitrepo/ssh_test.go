package gitrepo

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	gliderssh "github.com/gliderlabs/ssh"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"github.com/layerd/layerd/internal/nightly"
)

func newKey(t *testing.T, kind string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signer(t *testing.T, key crypto.Signer) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sshWorld is a server with host keys, and a client key.
type sshWorld struct {
	addr     string
	hostKeys map[string]ssh.Signer
	client   []byte // PEM
	locked   []byte // the same key under the test's passphrase, slow to open
}

func encode(t *testing.T, key crypto.Signer, passphrase string) []byte {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

func startSSH(t *testing.T, handle func(gliderssh.Session), more ...string) sshWorld {
	t.Helper()
	w := sshWorld{hostKeys: map[string]ssh.Signer{}}
	key := newKey(t, "ed25519")
	w.client = encode(t, key, "")
	w.locked = encode(t, key, testPassphrase)
	own := signer(t, key).PublicKey()
	server := &gliderssh.Server{Handler: handle, PublicKeyHandler: func(_ gliderssh.Context, key gliderssh.PublicKey) bool {
		return gliderssh.KeysEqual(key, own)
	}}
	for _, kind := range append(more, "ed25519") {
		w.hostKeys[kind] = signer(t, newKey(t, kind))
		server.AddHostKey(w.hostKeys[kind])
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = listener.Addr().String()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return w
}

// knownHosts writes a file that lists the server with one key.
func knownHosts(t *testing.T, addr string, key ssh.PublicKey) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(name, []byte(knownhosts.Line([]string{addr}, key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func (w sshWorld) options(t *testing.T, dir, kind string) Options {
	return Options{URL: "ssh://git@" + w.addr + dir, Auth: Auth{
		SSHKey: w.client, KnownHosts: knownHosts(t, w.addr, w.hostKeys[kind].PublicKey())}}
}

// gitShell runs what the client asks for, as sshd with git's shell does.
func gitShell(t *testing.T) func(gliderssh.Session) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	return func(s gliderssh.Session) { runShell(t, s, nil) }
}

func runShell(t *testing.T, s gliderssh.Session, env []string) {
	cmd := exec.CommandContext(s.Context(), "sh", "-c", s.RawCommand())
	cmd.Env = append(os.Environ(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = s, s.Stderr()
	// Through a pipe of its own: like sshd, do not wait for the client to hang up
	// once git is through.
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Error(err)
		return
	}
	go func() { _, _ = io.Copy(in, s); _ = in.Close() }()
	if err := cmd.Run(); err != nil {
		_ = s.Exit(1)
		return
	}
	_ = s.Exit(0)
}

// A known_hosts file with one type of key is enough, whichever the server
// would rather show.
func TestSSHOneHostKeyType(t *testing.T) {
	dir := worktree(t, desiredFiles())
	w := startSSH(t, gitShell(t), "ecdsa", "rsa")
	for kind := range w.hostKeys {
		t.Run(kind, func(t *testing.T) {
			r := open(t, w.options(t, dir, kind))
			c := pull(t, r)
			if got := readFile(t, c.Files, "layerd.yaml"); got != "timezone: Asia/Tokyo\n" {
				t.Errorf("read %q", got)
			}
			if _, changed, err := r.Pull(t.Context(), c.Hash); err != nil || changed {
				t.Errorf("the second pull: changed %v, %v", changed, err)
			}
			if tip, err := r.Tip(t.Context()); err != nil || tip != c.Hash {
				t.Errorf("tip %s, %v", tip, err)
			}
		})
	}
}

func TestSSHSpellings(t *testing.T) {
	dir := worktree(t, desiredFiles())
	quoted := filepath.Join(filepath.Dir(dir), "it's a repo!")
	if err := os.Rename(dir, quoted); err != nil {
		t.Fatal(err)
	}
	w := startSSH(t, gitShell(t))
	o := w.options(t, "", "ed25519")
	_, port, _ := net.SplitHostPort(w.addr)
	for _, url := range []string{"ssh://git@" + w.addr + quoted, "git@127.0.0.1:" + port + ":" + quoted, "ssh://" + w.addr + quoted + "/"} {
		o.URL = url
		if c := pull(t, open(t, o)); c.Files == nil {
			t.Errorf("%s: no files", url)
		}
	}
	if got := remotePath("/~me/x"); got != "~me/x" {
		t.Errorf("a home folder becomes %q", got)
	}
}

func TestSSHKeys(t *testing.T) {
	dir := worktree(t, desiredFiles())
	w := startSSH(t, gitShell(t))
	o := w.options(t, dir, "ed25519")
	file := filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(file, w.locked, 0o600); err != nil {
		t.Fatal(err)
	}
	o.Auth.SSHKey, o.Auth.SSHKeyFile, o.Auth.Passphrase = nil, file, testPassphrase
	pull(t, open(t, o))

	o.Auth.Passphrase = "not " + testPassphrase
	failBoth(t, open(t, o), KindAuth)
	o.Auth.SSHKeyFile = file + "x"
	failBoth(t, open(t, o), KindAuth)
	o.Auth.SSHKey = []byte("no key")
	failBoth(t, open(t, o), KindAuth)
	o.Auth.SSHKey = encode(t, newKey(t, "ed25519"), "") // a good key that the server does not know
	failBoth(t, open(t, o), KindAuth)
	t.Setenv("SSH_AUTH_SOCK", "")
	o.Auth.SSHKey, o.Auth.SSHKeyFile = nil, ""
	failBoth(t, open(t, o), KindAuth)
}

func TestSSHRefusals(t *testing.T) {
	nightly.NotShort(t, "it asks servers one after the other, as TestSSHKeys does")
	for text, want := range map[string]Kind{
		"ERROR: Repository not found.":                       KindNotARepository,
		"fatal: '/x' does not appear to be a git repository": KindNotARepository,
		"Permission denied to deploy key":                    KindAuth,
		"the disk is on fire":                                KindNotARepository,
		"":                                                   KindUnreachable,
	} {
		w := startSSH(t, func(s gliderssh.Session) { fmt.Fprintln(s.Stderr(), text); _ = s.Exit(128) })
		failBoth(t, open(t, w.options(t, "/x", "ed25519")), want)
	}
}

func TestSSHEmptyRepository(t *testing.T) {
	bare := filepath.Join(t.TempDir(), "x.git")
	gitCLI(t, t.TempDir(), "init", "-q", "--bare", bare)
	w := startSSH(t, gitShell(t))
	failBoth(t, open(t, w.options(t, bare, "ed25519")), KindEmpty)
	failBoth(t, open(t, w.options(t, bare+"x", "ed25519")), KindNotARepository)
}

func TestSSHTooLarge(t *testing.T) {
	w := startSSH(t, func(s gliderssh.Session) {
		for {
			line := "0000000000000000000000000000000000000001 refs/heads/x\x00 ofs-delta\n"
			if _, err := fmt.Fprintf(s, "%04x%s", len(line)+4, line); err != nil {
				return
			}
		}
	})
	o := w.options(t, "/x", "ed25519")
	o.MaxBytes = 1 << 16
	failBoth(t, open(t, o), KindTooLarge)
}

// The server accepts the connection, or even the login, and says nothing more:
// with go-git's own client this waits for ever.
func TestSSHSilentServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	closed := make(chan error, 2)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, err := io.Copy(io.Discard, conn); closed <- err; _ = conn.Close() }()
		}
	}()
	w := startSSH(t, func(s gliderssh.Session) { <-s.Context().Done() })
	mute := w.options(t, "/x", "ed25519")
	mute.URL = "ssh://git@" + listener.Addr().String() + "/x"
	for name, o := range map[string]Options{"before the handshake": mute, "after the login": w.options(t, "/x", "ed25519")} {
		t.Run(name, func(t *testing.T) {
			o.Timeout = 300 * time.Millisecond
			start := time.Now()
			e := failBoth(t, open(t, o), KindUnreachable)
			if !errors.Is(e, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
				t.Errorf("after %s: %v", time.Since(start), e)
			}
		})
	}
	for range 2 { // both abandoned connections are closed, not left behind
		select {
		case <-closed:
		case <-time.After(5 * time.Second):
			t.Fatal("a connection was left open")
		}
	}
}

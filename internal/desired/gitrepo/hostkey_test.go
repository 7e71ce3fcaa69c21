package gitrepo

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gliderssh "github.com/gliderlabs/ssh"
	"golang.org/x/crypto/ssh"

	"github.com/layerd/layerd/internal/nightly"
)

// W4: the advice is a command that works, quoted for a shell, with the port where it
// is not SSH's own. What it writes is then accepted.
func TestW4AdviceWorks(t *testing.T) {
	dir := worktree(t, desiredFiles())
	w := startSSH(t, gitShell(t), "ecdsa", "rsa")
	o := w.options(t, dir, "ed25519")
	check(t, os.WriteFile(o.Auth.KnownHosts, nil, 0o600))
	e := failBoth(t, open(t, o), KindHostKey)
	_, port, _ := net.SplitHostPort(w.addr)
	_, rest, _ := strings.Cut(e.Message, "`")
	command, _, _ := strings.Cut(rest, "`")
	if want := "ssh-keyscan -p " + port + " 127.0.0.1"; command != want || !strings.Contains(e.Message, "does not list 127.0.0.1:"+port) {
		t.Fatalf("message %q advises %q, want %q", e.Message, command, want)
	}
	if _, err := exec.LookPath("ssh-keyscan"); err != nil {
		t.Skip("ssh-keyscan is not installed")
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", command).Output()
	check(t, err)
	check(t, os.WriteFile(o.Auth.KnownHosts, out, 0o600))
	pull(t, open(t, o))
}

func TestW4Advice(t *testing.T) {
	for url, want := range map[string]string{
		"ssh://git@git.example.com:7999/x":       "`ssh-keyscan -p 7999 git.example.com`",
		"ssh://git@git.example.com:22/x":         "`ssh-keyscan git.example.com`",
		"git@git.example.com:acme/x":             "`ssh-keyscan git.example.com`",
		"ssh://git@[::1]:7999/x":                 "`ssh-keyscan -p 7999 ::1`",
		"ssh://git@a$(touch%20x).example:7999/x": "`ssh-keyscan -p 7999 'a$(touch x).example'`",
	} {
		r, err := New(Options{URL: url})
		if err != nil {
			continue // refused before anything is advised
		}
		if got := (&operation{Repo: r}).scan(nil); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

// G3: each refusal has its word, with the line that decided.
func TestG3Refusals(t *testing.T) {
	dir := worktree(t, desiredFiles())
	w := startSSH(t, gitShell(t))
	host, other := keyText(w.hostKeys["ed25519"].PublicKey()), keyText(signer(t, newKey(t, "ed25519")).PublicKey())
	rsa := keyText(signer(t, newKey(t, "rsa")).PublicKey())
	_, port, _ := net.SplitHostPort(w.addr)
	name := "[127.0.0.1]:" + port
	for text, says := range map[string]string{
		"# nothing\n":                                          "does not list 127.0.0.1:" + port,
		"x\nb.example ssh-ed25519 AAAA\n":                      "(2 lines cannot be read: ",
		"\n" + name + " " + other + "\n":                       "known_hosts:2: either the server was given a new key, or somebody else answers",
		name + " " + rsa + "\n":                                "keys of other types only (ssh-rsa), at ",
		name + " " + rsa + " \n":                               "`ssh-keyscan -p " + port + " -t ed25519 127.0.0.1`",
		"@revoked * " + host + "\n" + name + " " + host + "\n": "is revoked, at ",
	} {
		o := w.options(t, dir, "ed25519")
		check(t, os.WriteFile(o.Auth.KnownHosts, []byte(text), 0o600))
		if e := failBoth(t, open(t, o), KindHostKey); !strings.Contains(e.Message, says) {
			t.Errorf("message %q does not say %q", e.Message, says)
		}
	}
	o := w.options(t, dir, "ed25519")
	check(t, os.WriteFile(o.Auth.KnownHosts, []byte("nonsense\n127.0.0.1 "+host+"\r\n"), 0o600))
	pull(t, open(t, o))
}

// G3: without a configured file, those of the user and of the machine count together.
func TestG3UsualFiles(t *testing.T) {
	dir := worktree(t, desiredFiles())
	w := startSSH(t, gitShell(t))
	o := w.options(t, dir, "ed25519")
	line := must(os.ReadFile(o.Auth.KnownHosts))
	o.Auth.KnownHosts = ""
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_KNOWN_HOSTS", "")
	failBoth(t, open(t, o), KindHostKey)
	write(t, home, ".ssh/known_hosts", "unreadable\n")
	write(t, home, ".ssh/known_hosts2", string(line))
	pull(t, open(t, o))
	check(t, os.RemoveAll(filepath.Join(home, ".ssh")))
	write(t, home, "a", "unreadable\n")
	write(t, home, "b", string(line))
	t.Setenv("SSH_KNOWN_HOSTS", filepath.Join(home, "a")+":"+filepath.Join(home, "nothing")+":"+filepath.Join(home, "b"))
	pull(t, open(t, o))
}

// O6: a key that cannot be used has its own word, which repeats nothing of it.
func TestO6Keys(t *testing.T) {
	nightly.NotShort(t, "it asks servers one after the other, as TestSSHKeys does")
	dir := worktree(t, desiredFiles())
	w := startSSH(t, gitShell(t))
	ed25519 := newKey(t, "ed25519")
	legacy, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", []byte("x"), []byte(testPassphrase), x509.PEMCipherAES128) //nolint:staticcheck // people have such keys
	check(t, err)
	for name, test := range map[string]struct {
		text, passphrase, says string
	}{
		"empty":              {"", "", "is empty"},
		"blank":              {" \n\r\n", "", "is empty"},
		"encrypted":          {string(w.locked), "", "is encrypted and no passphrase is configured: git.auth.ssh_passphrase"},
		"encrypted, PEM":     {string(pem.EncodeToMemory(legacy)), "", "is encrypted and no passphrase is configured"},
		"wrong passphrase":   {string(w.locked), "not " + testPassphrase, "the passphrase does not open it"},
		"PKCS 8, encrypted":  {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "", "PKCS #8"},
		"the public half":    {keyText(signer(t, ed25519).PublicKey()) + " me@here\n", "", "is the public half"},
		"PuTTY":              {"PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\n", "", "puttygen"},
		"something else":     {"ghp_token\n", "", "is no private key"},
		"cut short":          {string(w.client[:len(w.client)/2]), "", "cannot be read: it is cut short"},
		"a certificate":      {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", "cannot be read"},
		"CRLF":               {strings.ReplaceAll(string(w.client), "\n", "\r\n"), "", ""},
		"no line end":        {strings.TrimSpace(string(w.client)), "", ""},
		"blank lines around": {"\n\n " + string(w.client) + "\n\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SSH_AUTH_SOCK", "")
			file := filepath.Join(t.TempDir(), "id")
			check(t, os.WriteFile(file, []byte(test.text), 0o600))
			for _, auth := range []Auth{{SSHKey: []byte(test.text)}, {SSHKeyFile: file}} {
				o := w.options(t, dir, "ed25519")
				auth.KnownHosts, auth.Passphrase = o.Auth.KnownHosts, test.passphrase
				o.Auth = auth
				if test.says == "" {
					pull(t, open(t, o))
					continue
				}
				if e := failBoth(t, open(t, o), KindAuth); !strings.Contains(e.Message, test.says) || strings.Contains(e.Message, "ghp_") {
					t.Errorf("message %q does not say %q", e.Message, test.says)
				}
			}
		})
	}
}

func keyText(k ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k))) }

func TestSSHWrongHostKey(t *testing.T) {
	w := startSSH(t, func(gliderssh.Session) {})
	o := w.options(t, "/x", "ed25519")
	o.Auth.KnownHosts = knownHosts(t, w.addr, signer(t, newKey(t, "ed25519")).PublicKey())
	if e := failBoth(t, open(t, o), KindHostKey); !strings.Contains(e.Message, "somebody else") {
		t.Errorf("message %q", e.Message)
	}
}

func TestSSHUnknownHost(t *testing.T) {
	w := startSSH(t, func(gliderssh.Session) {})
	o := w.options(t, "/x", "ed25519")
	o.Auth.KnownHosts = knownHosts(t, "example.com", w.hostKeys["ed25519"].PublicKey())
	if e := failBoth(t, open(t, o), KindHostKey); !strings.Contains(e.Message, "ssh-keyscan") {
		t.Errorf("message %q", e.Message)
	}
	o.Auth.KnownHosts = filepath.Join(t.TempDir(), "nothing")
	failBoth(t, open(t, o), KindHostKey)
}

package knownhosts

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gliderssh "github.com/gliderlabs/ssh"
	"golang.org/x/crypto/ssh"
)

func newSigner(t testing.TB, kind string) ssh.Signer {
	t.Helper()
	var key any
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func keyLine(k ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k))) }

func write(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// certified signs a host's key.
func certified(t testing.TB, host, by ssh.Signer, change func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	c := &ssh.Certificate{Key: host.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: ssh.CertTimeInfinity}
	if change != nil {
		change(c)
	}
	if err := c.SignCert(rand.Reader, by); err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewCertSigner(c, host)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// parties are the keys that the cases below speak of.
type parties struct{ host, other, ca, rsa ssh.Signer }

func newParties(t testing.TB) parties {
	return parties{newSigner(t, ""), newSigner(t, ""), newSigner(t, ""), newSigner(t, "rsa")}
}

// A line says KEY for the host's key, OTHER, CA and RSA for those of others, HOST for
// the host as it is called in such a file, and HASHED for that hashed.
func (p parties) fill(text, addr string) string {
	host, with := names(addr)
	return strings.NewReplacer(
		"HASHED", hash(with[0]), "HASHNAME", hash(host), "NAMEONLY", host, "HOST", with[0],
		"KEY", keyLine(p.host.PublicKey()), "OTHER", keyLine(p.other.PublicKey()), "CA", keyLine(p.ca.PublicKey()), "RSA", keyLine(p.rsa.PublicKey()),
	).Replace(text)
}

// known are the forms of a file, and what becomes of the host's plain key; nil is
// accepted.
func known() []struct {
	name, text string
	want       error
} {
	return []struct {
		name, text string
		want       error
	}{
		{"G3 plain", "HOST KEY\n", nil},
		{"G3 with a comment", "HOST KEY me@here and there\n", nil},
		{"G3 without a line end", "HOST KEY", nil},
		{"G3 CRLF", "HOST KEY\r\n", nil},
		{"G3 CRLF with a comment", "HOST KEY me\r\n", nil},
		{"G3 tabs and spaces", " \tHOST\t \tKEY\t me\n", nil},
		{"G3 comments and empty lines", "# HOST OTHER\n\n   \n\t# x\nHOST KEY\n", nil},
		{"G3 hashed", "HASHED KEY\n", nil},
		{"G3 hashed name without the port", "HASHNAME KEY\n", nil},
		{"G3 a line without the port", "NAMEONLY KEY\n", nil},
		{"G3 a line without the port, with another key", "NAMEONLY OTHER\n", ErrUnknown},
		{"G3 without the port is second", "NAMEONLY KEY\nHOST OTHER\n", ErrChanged},
		{"G3 several names", "a.example,HOST,10.0.0.1 KEY\n", nil},
		{"G3 a star", "* KEY\n", nil},
		{"G3 a pattern", "[127.*.1]:* KEY\n", nil},
		{"G3 question marks", "[???.?.?.?]:* KEY\n", nil},
		{"G3 a pattern of too few", "[???.?.?]:* KEY\n", ErrUnknown},
		{"G3 negated", "!HOST,!NAMEONLY,* KEY\n", ErrUnknown},
		{"G3 negated last", "*,!HOST,!NAMEONLY KEY\n", ErrUnknown},
		{"G3 negated with the port, and not without", "!HOST,* KEY\n", nil},
		{"G3 negated elsewhere", "!a.example,* KEY\n", nil},
		{"G3 only negated", "!a.example KEY\n", ErrUnknown},
		{"G3 in another line negated", "!HOST,* OTHER\nHOST KEY\n", nil},
		{"G3 upper case", "[B.EXAMPLE]:1,HOST KEY\n", nil},
		{"G3 unreadable lines", "HOST\nHOST ssh-ed25519\nHOST ssh-ed25519 AAAA\nHOST ssh-future-1 AAAAC3Nz\na b c d\n\x00\xff\nHOST KEY\n", nil},
		{"G3 an unreadable line of another host", "b.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA%%\nHOST KEY\n", nil},
		{"G3 a numeric key of protocol 1", "HOST 1024 35 1234567890\nHOST KEY\n", nil},
		{"G3 a key under the wrong type", "HOST ssh-rsa NOTYPE\n", ErrUnknown},
		{"G3 an unknown marker", "@what HOST KEY\n", ErrUnknown},
		{"G3 another key", "HOST OTHER\n", ErrChanged},
		{"G3 another key, and the key", "HOST OTHER\nHOST KEY\n", nil},
		{"G3 another type", "HOST RSA\n", ErrChanged},
		{"G3 several types", "HOST RSA\nHOST KEY\n", nil},
		{"G3 nothing", "", ErrUnknown},
		{"G3 another host", "a.example KEY\n", ErrUnknown},
		{"G3 another port", "[127.0.0.1]:1 KEY\n", ErrUnknown},
		{"G3 revoked", "@revoked * KEY\nHOST KEY\n", ErrRevoked},
		{"G3 revoked after", "HOST KEY\n@revoked HOST KEY\n", ErrRevoked},
		{"G3 another is revoked", "@revoked * OTHER\nHOST KEY\n", nil},
		{"G3 revoked elsewhere", "@revoked a.example KEY\nHOST KEY\n", nil},
		{"G3 revoked without the port", "@revoked NAMEONLY KEY\n", ErrRevoked},
		{"G3 an authority is no key", "@cert-authority HOST KEY\n", ErrUnknown},
	}
}

func TestG3PlainKeys(t *testing.T) {
	p := newParties(t)
	for _, test := range known() {
		t.Run(test.name, func(t *testing.T) {
			text := strings.ReplaceAll(p.fill(test.text, "127.0.0.1:7999"), "NOTYPE", strings.Fields(keyLine(p.host.PublicKey()))[1])
			h, err := Read(write(t, text))
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Check("127.0.0.1:7999", p.host.PublicKey(), time.Now()); !errors.Is(got, test.want) || (got == nil) != (test.want == nil) {
				t.Errorf("checked %v, want %v\n%s", got, test.want, text)
			}
		})
	}
}

// OpenSSH wants a space behind a marker and overlooks a line that has a tab there.
// A key that is meant to be revoked is not accepted for that.
func TestG3MarkerBeforeATab(t *testing.T) {
	p := newParties(t)
	h, err := Read(write(t, p.fill("@revoked\t*\tKEY\nHOST KEY\n", "127.0.0.1:7999")))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Check("127.0.0.1:7999", p.host.PublicKey(), time.Now()); !errors.Is(err, ErrRevoked) {
		t.Errorf("checked %v", err)
	}
}

func TestG3Names(t *testing.T) {
	p := newParties(t)
	for _, test := range []struct {
		addr, hosts string
		found       bool
	}{
		{"git.example.com:22", "git.example.com", true},
		{"GIT.Example.com:22", "git.example.com", true},
		{"git.example.com:22", "GIT.EXAMPLE.COM", true},
		{"git.example.com:22", "*.example.com", true},
		{"example.com:22", "*.example.com", false},
		{"git.example.com:22", "[git.example.com]:22", false},
		{"git.example.com:7999", "[git.example.com]:7999", true},
		{"git.example.com:7999", "git.example.com", true},
		{"git.example.com:7999", "[git.example.com]:*", true},
		{"git.example.com:22", "[git.example.com]:7999", false},
		{"[::1]:22", "::1", true},
		{"[::1]:7999", "[::1]:7999", true},
		{"[fe80::1]:22", "fe80*", true},
		{"git.example.com:22", "git.example.com.", false},
		{"git.example.com:22", "g*t?e*m", true},
		{"git.example.com:22", "", false},
		{"git.example.com:22", ",,git.example.com", true},
		{"git.example.com:22", "|1|bad|bad", false},
		{"git.example.com:22", "|1|", false},
	} {
		h, err := Read(write(t, test.hosts+" "+keyLine(p.host.PublicKey())+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Check(test.addr, p.host.PublicKey(), time.Now()); (got == nil) != test.found {
			t.Errorf("%s with %q: %v", test.addr, test.hosts, got)
		}
	}
}

func TestG3Files(t *testing.T) {
	p := newParties(t)
	addr := "127.0.0.1:7999"
	mine, theirs := write(t, p.fill("HOST OTHER\nnonsense\n", addr)), write(t, p.fill("HOST KEY\n@revoked * RSA\n", addr))
	h, err := Read(mine, filepath.Join(t.TempDir(), "nothing"), theirs)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Check(addr, p.host.PublicKey(), time.Now()); err != nil {
		t.Errorf("a key in the second file: %v", err)
	}
	var e *Error
	if err := h.Check(addr, p.rsa.PublicKey(), time.Now()); !errors.As(err, &e) || e.Where != theirs+":2" {
		t.Errorf("a revoked key: %v", err)
	}
	if !slices.Equal(h.Unreadable, []string{mine + ":2"}) {
		t.Errorf("unreadable %v", h.Unreadable)
	}
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
}

// certificates: the line, the certificate, and what becomes of it.
func certificateCases() []struct {
	name, text string
	change     func(*ssh.Certificate)
	by         func(parties) ssh.Signer
	want       error
} {
	ca := func(p parties) ssh.Signer { return p.ca }
	other := func(p parties) ssh.Signer { return p.other }
	return []struct {
		name, text string
		change     func(*ssh.Certificate)
		by         func(parties) ssh.Signer
		want       error
	}{
		{"G3 an authority", "@cert-authority HOST CA\n", nil, ca, nil},
		{"G3 an authority for all", "@cert-authority * CA\n", nil, ca, nil},
		{"G3 an authority without the port", "@cert-authority NAMEONLY CA\n", nil, ca, nil},
		{"G3 an authority and unreadable lines", "@cert-authority x\n@cert-authority * CA\n", nil, ca, nil},
		{"G3 another authority", "@cert-authority * CA\n", nil, other, ErrUnknown},
		{"G3 another authority, the key itself", "@cert-authority * CA\nHOST KEY\n", nil, other, nil},
		{"G3 an authority of others", "@cert-authority a.example CA\n", nil, ca, ErrUnknown},
		{"G3 the authority is revoked", "@cert-authority * CA\n@revoked * CA\n", nil, ca, ErrRevoked},
		{"G3 the key is revoked", "@cert-authority * CA\n@revoked * KEY\n", nil, ca, ErrRevoked},
		{"G3 expired", "@cert-authority * CA\n", func(c *ssh.Certificate) { c.ValidBefore = 1000 }, ca, ErrCertificate},
		{"G3 not yet", "@cert-authority * CA\n", func(c *ssh.Certificate) { c.ValidAfter = 1 << 40 }, ca, ErrCertificate},
		{"G3 of another host", "@cert-authority * CA\n", func(c *ssh.Certificate) { c.ValidPrincipals = []string{"b.example"} }, ca, ErrCertificate},
		{"G3 a user's", "@cert-authority * CA\n", func(c *ssh.Certificate) { c.CertType = ssh.UserCert }, ca, ErrCertificate},
	}
}

func TestG3Certificates(t *testing.T) {
	p := newParties(t)
	for _, test := range certificateCases() {
		t.Run(test.name, func(t *testing.T) {
			h, err := Read(write(t, p.fill(test.text, "127.0.0.1:7999")))
			if err != nil {
				t.Fatal(err)
			}
			cert := certified(t, p.host, test.by(p), test.change)
			got := h.Check("127.0.0.1:7999", cert.PublicKey(), time.Now())
			if !errors.Is(got, test.want) || (got == nil) != (test.want == nil) {
				t.Errorf("checked %v, want %v", got, test.want)
			}
		})
	}
}

// TestG3AsOpenSSH has the real ssh read the same files.
func TestG3AsOpenSSH(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is not installed")
	}
	p := newParties(t)
	plain := serve(t, p.host)
	for _, test := range known() {
		t.Run(test.name, func(t *testing.T) {
			text := strings.ReplaceAll(p.fill(test.text, plain), "NOTYPE", strings.Fields(keyLine(p.host.PublicKey()))[1])
			if got := accepts(t, ssh, plain, write(t, text)); got != (test.want == nil) {
				t.Errorf("ssh accepts: %v; we expect %v\n%s", got, test.want, text)
			}
		})
	}
	for _, test := range certificateCases() {
		t.Run(test.name, func(t *testing.T) {
			addr := serve(t, certified(t, p.host, test.by(p), test.change))
			if got := accepts(t, ssh, addr, write(t, p.fill(test.text, addr))); got != (test.want == nil) {
				t.Errorf("ssh accepts: %v; we expect %v", got, test.want)
			}
		})
	}
}

// serve is a server that lets nobody in: the host key comes before.
func serve(t *testing.T, keys ...ssh.Signer) string {
	t.Helper()
	server := &gliderssh.Server{Handler: func(s gliderssh.Session) { _, _ = io.WriteString(s, "in") }}
	for _, k := range keys {
		server.AddHostKey(k)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

func accepts(t *testing.T, ssh, addr, file string) bool {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	out, err := exec.CommandContext(t.Context(), ssh, "-F", "none", "-o", "UserKnownHostsFile="+file, "-o", "GlobalKnownHostsFile=none",
		"-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no", "-o", "BatchMode=yes", "-p", port, "-T", "me@"+host).CombinedOutput()
	if accepted := err == nil && strings.Contains(string(out), "in"); accepted || strings.Contains(string(out), "Host key verification failed") {
		return accepted
	}
	t.Fatalf("ssh: %v\n%s", err, out)
	return false
}

// The client asks first for what is known, and for everything.
func TestG3Algorithms(t *testing.T) {
	p := newParties(t)
	addr := "127.0.0.1:7999"
	for text, first := range map[string]string{
		"HOST RSA\n": ssh.KeyAlgoRSASHA512, "HOST KEY\n": ssh.KeyAlgoED25519, "NAMEONLY RSA\n": ssh.KeyAlgoRSASHA512,
		"HOST RSA\n@cert-authority * CA\n": ssh.CertAlgoED25519v01, "HOST KEY\nNAMEONLY RSA\n": ssh.KeyAlgoED25519, "@revoked * RSA\nHOST KEY\n": ssh.KeyAlgoED25519,
	} {
		h, err := Read(write(t, p.fill(text, addr)))
		if err != nil {
			t.Fatal(err)
		}
		got := h.Algorithms(addr)
		if len(got) == 0 || got[0] != first || !slices.Contains(got, ssh.KeyAlgoECDSA256) {
			t.Errorf("%q: %v, want %s first", text, got, first)
		}
	}
	if got := (&Hosts{}).Algorithms(addr); got != nil {
		t.Errorf("nothing known: %v", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("HOST ssh-ed25519 AAAA\n@revoked * x y\n|1|a|b c d\n")
	key := newSigner(f, "").PublicKey()
	f.Fuzz(func(t *testing.T, text string) {
		h := &Hosts{}
		for line := range strings.Lines(text + "\n[h.example]:7999 " + keyLine(key)) {
			h.add(line, "x")
		}
		h.Algorithms("h.example:7999")
		if err := h.Check("h.example:7999", key, time.Unix(0, 0)); err != nil && !errors.Is(err, ErrRevoked) {
			t.Errorf("lines before hide one: %v", err)
		}
	})
}

// hash writes a name as HashKnownHosts does.
func hash(name string) string {
	salt := make([]byte, sha1.Size)
	_, _ = rand.Read(salt) // never fails
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return "|1|" + base64.StdEncoding.EncodeToString(salt) + "|" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

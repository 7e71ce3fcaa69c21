package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"

	"github.com/layerd/layerd/internal/desired/gitrepo/knownhosts"
	"github.com/layerd/layerd/internal/words"
)

// knownHosts reads the file that is configured, else those of the user and of the
// machine, as OpenSSH does.
func (op *operation) knownHosts() (*knownhosts.Hosts, error) {
	if file := op.auth.KnownHosts; file != "" {
		if _, err := os.Stat(file); err != nil {
			return nil, op.fail(KindHostKey, "read known_hosts: %v; %s", err, op.scan(nil))
		}
		hosts, err := knownhosts.Read(file)
		if err != nil {
			return nil, op.fail(KindHostKey, "read known_hosts: %v", err)
		}
		return hosts, nil
	}
	// What cannot be read of these is as good as not there.
	hosts, _ := knownhosts.Read(usualKnownHosts()...)
	return hosts, nil
}

func usualKnownHosts() []string {
	if named := filepath.SplitList(os.Getenv("SSH_KNOWN_HOSTS")); len(named) > 0 {
		return named
	}
	var files []string
	if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".ssh", "known_hosts"), filepath.Join(home, ".ssh", "known_hosts2"))
	}
	return append(files, "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
}

// scan returns which command fetches the host's keys, all or one of them.
func (op *operation) scan(key ssh.PublicKey) string {
	command := "ssh-keyscan"
	if port := op.endpoint.Port; port != 0 && port != gitssh.DefaultPort {
		command += fmt.Sprintf(" -p %d", port)
	}
	if key != nil {
		// ssh-keyscan has short names: ssh-ed25519 is ed25519.
		kind := strings.TrimPrefix(key.Type(), "ssh-")
		if strings.HasPrefix(kind, "ecdsa") {
			kind = "ecdsa"
		}
		command += " -t " + words.ShellQuote(kind)
	}
	return fmt.Sprintf("`%s %s` writes lines for known_hosts, to be checked with whoever runs the server",
		command, words.ShellQuote(strings.Trim(op.endpoint.Host, "[]")))
}

// explainHostKey says what a person has to do about a key that is not accepted.
func (op *operation) explainHostKey(hosts *knownhosts.Hosts, key ssh.PublicKey, err error) error {
	host := hostPort(op.endpoint, gitssh.DefaultPort)
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	e, ok := errors.AsType[*knownhosts.Error](err)
	switch {
	case !ok:
		return op.fail(KindHostKey, "the host key of %s was not accepted: %v", host, err)
	case errors.Is(e, knownhosts.ErrUnknown):
		broken := ""
		if n := len(hosts.Unreadable); n > 0 {
			broken = fmt.Sprintf(" (%s cannot be read: %s)", words.Count(n, "line"), hosts.Unreadable[0])
		}
		return op.fail(KindHostKey, "known_hosts does not list %s%s; %s", host, broken, op.scan(nil))
	case errors.Is(e, knownhosts.ErrRevoked):
		return op.fail(KindHostKey, "the host key of %s is revoked, at %s", host, e.Where)
	case errors.Is(e, knownhosts.ErrCertificate):
		return op.fail(KindHostKey, "the certificate of %s is not valid: %s; its authority is at %s", host, e.Detail, e.Where)
	case !slices.Contains(e.Types, key.Type()):
		return op.fail(KindHostKey, "known_hosts lists %s with keys of other types only (%s), at %s, and the server showed one of type %s; %s",
			host, strings.Join(e.Types, ", "), e.Where, key.Type(), op.scan(key))
	}
	return op.fail(KindHostKey, "the host key of %s is not the one in known_hosts, at %s: either the server was given a new key, or somebody else answers", host, e.Where)
}

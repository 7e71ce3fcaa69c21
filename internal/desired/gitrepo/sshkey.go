package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// sshAuth finds the key: given, in a file, or held by the user's agent.
func (op *operation) sshAuth(ctx context.Context, s *sshTalk) (ssh.AuthMethod, error) {
	op.secrets.add("", op.auth.Passphrase)
	text, named := op.auth.SSHKey, "the SSH key"
	if text == nil && op.auth.SSHKeyFile != "" {
		named += " in " + op.auth.SSHKeyFile
		var err error
		if text, err = os.ReadFile(op.auth.SSHKeyFile); err != nil {
			return nil, op.fail(KindAuth, "read the SSH key: %v", err)
		}
	}
	if text != nil || op.auth.SSHKeyFile != "" {
		signer, err := readKey(text, op.auth.Passphrase)
		if err != nil {
			return nil, op.fail(KindAuth, "%s %v", named, err)
		}
		return ssh.PublicKeys(signer), nil
	}
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, op.fail(KindAuth, "no SSH key is configured and no agent runs (SSH_AUTH_SOCK)")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, op.fail(KindAuth, "ask the SSH agent: %v", err)
	}
	s.close = append(s.close, conn.Close)
	return ssh.PublicKeysCallback(agent.NewClient(conn).Signers), nil
}

// readKey reads a private key. Its errors follow the name of the key, and repeat
// nothing of it.
func readKey(text []byte, passphrase string) (ssh.Signer, error) {
	// An editor, or a secret's store, may have written other line ends and none at
	// the end.
	text = append(bytes.TrimSpace(unixLines(bytes.TrimPrefix(text, []byte("\ufeff")))), '\n')
	if len(text) == 1 {
		return nil, errors.New("is empty")
	}
	signer, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return signer, nil
	case errors.As(err, &locked) && passphrase == "":
		return nil, errors.New("is encrypted and no passphrase is configured: git.auth.ssh_passphrase in the daemon's file; for a command `ssh-add` hands it to the agent")
	case errors.As(err, &locked):
		if signer, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase)); err == nil {
			return signer, nil
		}
		return nil, errors.New("is encrypted, and the passphrase does not open it")
	case bytes.Contains(text, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----")):
		return nil, errors.New("is encrypted in PKCS #8 form, which layerd does not open; `ssh-keygen -p -f KEY` writes it in OpenSSH's")
	case bytes.HasPrefix(text, []byte("PuTTY-User-Key-File")):
		return nil, errors.New("is in PuTTY's form; `puttygen KEY -O private-openssh -o NEW` writes it in OpenSSH's")
	}
	if _, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
		return nil, errors.New("is the public half; the private one is in the file without .pub")
	}
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		return nil, errors.New("is no private key in PEM or OpenSSH form")
	}
	return nil, errors.New("cannot be read: it is cut short, damaged, or of a kind that layerd does not know (ed25519, ecdsa and rsa are known)")
}

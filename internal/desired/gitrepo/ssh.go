package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/net/proxy"
)

var errDenied = errors.New("access denied")

// sshTalk is git-upload-pack at the other end of an SSH connection.
//
// Closing the connection at the end of the context ends every wait, also for a
// server that accepts and stays silent.
type sshTalk struct {
	close  []func() error // in this order
	run    *ssh.Session
	in     io.WriteCloser
	out    io.Reader
	stderr *stderr
	done   bool // nothing more will be asked
}

// connectSSH dials, checks the host key, logs in and starts git-upload-pack.
func (op *operation) connectSSH(ctx context.Context) (_ talk, err error) {
	s := &sshTalk{stderr: &stderr{}}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	addr := hostPort(op.endpoint, gitssh.DefaultPort)
	config, err := op.sshConfig(ctx, s, addr)
	if err != nil {
		return nil, err
	}
	conn, err := proxy.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	// Everything below speaks through conn: closing it ends every wait.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	s.close = append(s.close, func() error { stop(); return conn.Close() })
	transport, channels, requests, err := ssh.NewClientConn(meteredConn{conn, &op.budget}, addr, config)
	if err != nil {
		return nil, err
	}
	client := ssh.NewClient(transport, channels, requests)
	s.close = append([]func() error{client.Close}, s.close...)
	if s.run, err = client.NewSession(); err != nil {
		return nil, err
	}
	s.run.Stderr = s.stderr
	if s.in, err = s.run.StdinPipe(); err != nil {
		return nil, err
	}
	if s.out, err = s.run.StdoutPipe(); err != nil {
		return nil, err
	}
	// What git sends, and no server has to heed: then it greets in protocol 0.
	_, _ = s.run.SendRequest("env", false, ssh.Marshal(struct{ Name, Value string }{"GIT_PROTOCOL", "version=2"}))
	return s, s.run.Start("git-upload-pack " + quote(remotePath(op.endpoint.Path)))
}

// remotePath leaves a home folder to the server's shell of git: ssh://host/~me/x.
func remotePath(path string) string {
	if strings.HasPrefix(path, "/~") {
		return path[1:]
	}
	return path
}

// quote wraps s for the shell at the other end, the way git does.
func quote(s string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s) + "'"
}

func (op *operation) sshConfig(ctx context.Context, s *sshTalk, addr string) (*ssh.ClientConfig, error) {
	auth, err := op.sshAuth(ctx, s)
	if err != nil {
		return nil, err
	}
	hosts, err := op.knownHosts()
	if err != nil {
		return nil, err
	}
	user := op.endpoint.User
	if user == "" {
		user = gitssh.DefaultUsername
	}
	return &ssh.ClientConfig{
		User: user,
		Auth: []ssh.AuthMethod{auth},
		// Without this list the server may choose a key of another type than
		// known_hosts has, and a good host looks like a changed one.
		HostKeyAlgorithms: hosts.Algorithms(addr),
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if err := hosts.Check(addr, key, time.Now()); err != nil {
				op.hostErr = op.explainHostKey(hosts, key, err)
				return op.hostErr
			}
			return nil
		},
	}, nil
}

// greet returns the server's words; the context is watched by the connection.
func (s *sshTalk) greet(context.Context) (io.ReadCloser, error) { return io.NopCloser(s.out), nil }

func (s *sshTalk) ask(_ context.Context, body []byte, v2 bool) (io.ReadCloser, error) {
	if _, err := s.in.Write(body); err != nil {
		return nil, err
	}
	if !v2 { // protocol 0 has one question
		s.done = true
		if err := s.in.Close(); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(s.out), nil
}

// complaint waits for all that the server has to say aside.
func (s *sshTalk) complaint(err error) error {
	if _, no := errors.AsType[*refusal](err); no {
		return err
	}
	_ = s.in.Close() // some servers wait for our end before they give theirs
	_ = s.run.Wait() // until all of stderr is here, or the connection ends
	if text := s.stderr.String(); text != "" {
		return &refusal{text}
	}
	return err
}

// refused sorts what a server says when it does not hand out a repository; there is
// no code for it, only these sentences.
func refused(err error) error {
	no, ok := errors.AsType[*refusal](err)
	if !ok {
		return err
	}
	lower := strings.ToLower(no.text)
	for _, said := range []string{"not found", "does not exist", "not appear to be a git repository", "not be found", "no such"} {
		if strings.Contains(lower, said) {
			return transport.ErrRepositoryNotFound
		}
	}
	for _, said := range []string{"denied", "permission", "not allowed", "unauthorized", "access"} {
		if strings.Contains(lower, said) {
			return fmt.Errorf("%w: %s", errDenied, no.text)
		}
	}
	return err
}

// Close says good-bye when nothing was fetched, and ends the connection.
func (s *sshTalk) Close() error {
	if s.in != nil && !s.done {
		_, _ = s.in.Write([]byte("0000"))
	}
	var err error
	for _, shut := range s.close {
		err = errors.Join(err, shut())
	}
	return err
}

// stderr keeps the beginning of what the server says aside. Only one goroutine
// writes, and Wait comes before String.
type stderr struct{ text bytes.Buffer }

func (e *stderr) Write(p []byte) (int, error) {
	if room := messageLimit - e.text.Len(); room > 0 {
		e.text.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (e *stderr) String() string { return strings.TrimSpace(e.text.String()) }

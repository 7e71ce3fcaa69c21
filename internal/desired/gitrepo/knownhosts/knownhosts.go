// Package knownhosts reads known_hosts files as OpenSSH does, and checks host keys
// against them.
//
//	hosts, err := knownhosts.Read("/home/me/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
//	config.HostKeyAlgorithms = hosts.Algorithms("git.example.com:7999")
//	err = hosts.Check("git.example.com:7999", key, time.Now())
//
// Promised: what OpenSSH accepts is accepted, and what it refuses is refused. That
// is patterns and negation, hashed names, [host]:port and the name without its port,
// @cert-authority and @revoked, several files; a line that cannot be read says
// nothing about any other. There is no way to accept an unknown host.
//
// Not promised: the address of a host is not looked up (CheckHostIP), and nothing is
// ever written.
package knownhosts

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Reasons of an Error.
var (
	ErrUnknown     = errors.New("the host is not known")
	ErrChanged     = errors.New("the host is known with another key")
	ErrRevoked     = errors.New("the key is revoked")
	ErrCertificate = errors.New("the certificate is not valid")
)

// Error is why a key is not accepted.
type Error struct {
	Reason error    // one of the above
	Where  string   // "FILE:LINE" of the line that decided; empty when there is none
	Types  []string // of the keys that are known, sorted
	Detail string   // what is wrong with a certificate
}

func (e *Error) Error() string {
	text := e.Reason.Error()
	if e.Where != "" {
		text += " (" + e.Where + ")"
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap lets errors.Is find the reason.
func (e *Error) Unwrap() error { return e.Reason }

type marker string

const (
	plain     marker = ""
	authority marker = "@cert-authority"
	revoked   marker = "@revoked"
)

type entry struct {
	marker marker
	hosts  string // patterns, or one hashed name
	key    ssh.PublicKey
	where  string
}

// Hosts are the lines that could be read.
type Hosts struct {
	entries []entry
	// Unreadable are the places of lines that could not be.
	Unreadable []string
}

// Read reads files; one that does not exist is empty. The error is of files that are
// there and cannot be opened; what the others say is returned all the same.
func Read(files ...string) (*Hosts, error) {
	h := &Hosts{}
	var all error
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
		number := 0
		for line := range bytes.Lines(text) {
			number++
			h.add(string(line), fmt.Sprintf("%s:%d", file, number))
		}
	}
	return h, all
}

const blank = " \t"

func (h *Hosts) add(line, where string) {
	line = strings.Trim(line, blank+"\r\n")
	if line == "" || line[0] == '#' {
		return
	}
	e := entry{where: where}
	if line[0] == '@' {
		e.marker = marker(word(&line))
	}
	e.hosts = word(&line)
	known := e.marker == plain || e.marker == authority || e.marker == revoked
	if e.key = publicKey(word(&line), word(&line)); !known || e.key == nil {
		h.Unreadable = append(h.Unreadable, where)
		return
	}
	h.entries = append(h.entries, e)
}

// word takes the first word off the line.
func word(line *string) string {
	end := strings.IndexAny(*line, blank)
	if end < 0 {
		end = len(*line)
	}
	first := (*line)[:end]
	*line = strings.TrimLeft((*line)[end:], blank)
	return first
}

// publicKey returns nil for what is no key of the type that stands before it.
func publicKey(kind, text string) ssh.PublicKey {
	data, err := base64.StdEncoding.DecodeString(strings.TrimRight(text, "\r"))
	if err != nil {
		return nil
	}
	key, err := ssh.ParsePublicKey(data)
	if err != nil || key.Type() != kind {
		return nil
	}
	return key
}

// matches reports whether the line is about a host, under the name that stands in
// such files.
func (e entry) matches(name string) bool {
	if hashed, ok := strings.CutPrefix(e.hosts, "|1|"); ok {
		salt64, sum64, _ := strings.Cut(hashed, "|")
		salt, err1 := base64.StdEncoding.DecodeString(salt64)
		sum, err2 := base64.StdEncoding.DecodeString(sum64)
		mac := hmac.New(sha1.New, salt)
		mac.Write([]byte(name))
		return err1 == nil && err2 == nil && len(salt) == sha1.Size && hmac.Equal(mac.Sum(nil), sum)
	}
	found := false
	for pattern := range strings.SplitSeq(strings.ToLower(e.hosts), ",") {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !match(pattern, name) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

// match knows * and ?; every other character, brackets too, is itself.
func match(pattern, name string) bool {
	star, from := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p, n = p+1, n+1
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// about returns the lines about a host.
func (h *Hosts) about(name string) []entry {
	var list []entry
	for _, e := range h.entries {
		if e.matches(name) {
			list = append(list, e)
		}
	}
	return list
}

// names returns how the host at addr is called in such files: with its port, and
// what counts where that is unknown.
func names(addr string) (host string, with []string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = addr, "22"
	}
	host = strings.ToLower(host)
	if port == "22" {
		return host, []string{host}
	}
	return host, []string{"[" + host + "]:" + port, host}
}

// Check returns nil when the key is that of the host at addr (HOST:PORT), and else
// an *Error.
func (h *Hosts) Check(addr string, key ssh.PublicKey, now time.Time) error {
	host, with := names(addr)
	first := h.check(host, with[0], key, now)
	for _, name := range with[1:] {
		if !errors.Is(first, ErrUnknown) {
			break
		}
		// A line without the port is as good; another key in it says nothing about
		// this port.
		second := h.check(host, name, key, now)
		if second == nil || errors.Is(second, ErrRevoked) {
			return second
		}
	}
	return first
}

func (h *Hosts) check(host, name string, key ssh.PublicKey, now time.Time) error {
	lines := h.about(name)
	cert, isCert := key.(*ssh.Certificate)
	for _, e := range lines {
		if e.marker == revoked && (same(e.key, key) || isCert && (same(e.key, cert.Key) || same(e.key, cert.SignatureKey))) {
			return &Error{Reason: ErrRevoked, Where: e.where}
		}
	}
	var invalid error
	if isCert {
		for _, e := range lines {
			if e.marker != authority || !same(e.key, cert.SignatureKey) {
				continue
			}
			err := validate(host, cert, now)
			if err == nil {
				return nil
			}
			invalid = &Error{Reason: ErrCertificate, Where: e.where, Detail: err.Error()}
		}
		key = cert.Key // without an authority it is a key like any other
	}
	problem := &Error{Reason: ErrUnknown}
	for _, e := range lines {
		switch {
		case e.marker != plain:
		case same(e.key, key):
			return nil
		default:
			problem.Reason = ErrChanged
			problem.Types = append(problem.Types, e.key.Type())
			if problem.Where == "" {
				problem.Where = e.where
			}
		}
	}
	if invalid != nil {
		return invalid
	}
	slices.Sort(problem.Types)
	problem.Types = slices.Compact(problem.Types)
	return problem
}

func same(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

func validate(host string, cert *ssh.Certificate, now time.Time) error {
	if cert.CertType != ssh.HostCert {
		return errors.New("it is not a host's")
	}
	c := ssh.CertChecker{Clock: func() time.Time { return now }}
	return c.CheckCert(host, cert)
}

// certificates are the algorithms of certificates that OpenSSH accepts of a host.
var certificates = []string{
	ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
	ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
}

// Algorithms returns those to ask the host at addr for: first those of which
// something is known, so that it does not show a key of another type; then all
// others, so that what it shows can be named. nil are the usual ones.
func (h *Hosts) Algorithms(addr string) []string {
	var known []string
	for _, name := range second(names(addr)) {
		for _, e := range h.about(name) {
			switch {
			case e.marker == authority:
				known = append(slices.Clone(certificates), known...)
			case e.marker == plain && e.key.Type() == ssh.KeyAlgoRSA:
				known = append(known, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA)
			case e.marker == plain:
				known = append(known, e.key.Type())
			}
		}
		if len(known) > 0 {
			break
		}
	}
	if len(known) == 0 {
		return nil
	}
	var list []string
	for _, a := range append(known, ssh.SupportedAlgorithms().HostKeys...) {
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

func second[A, B any](_ A, b B) B { return b }

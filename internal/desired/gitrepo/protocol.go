package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// talk is a conversation with git-upload-pack: over HTTP a request for each
// question, over SSH one connection. It is ours and not go-git's, which speaks no
// protocol 2, hides multi_ack from servers that insist on it (Azure DevOps) and
// ignores the context while it connects by SSH.
type talk interface {
	// greet returns what the server says first.
	greet(context.Context) (io.ReadCloser, error)
	// ask sends a request, in protocol 2 or 0, and returns the answer.
	ask(ctx context.Context, body []byte, v2 bool) (io.ReadCloser, error)
	// complaint returns what the server said aside when its answer ended with err;
	// err itself when nothing.
	complaint(err error) error
	io.Closer
}

// server is a repository that has greeted.
type server struct {
	talk talk
	v2   bool
	can  []string                 // what it can do: "shallow", "fetch=shallow filter"
	refs map[string]plumbing.Hash // in protocol 0
}

// dial reaches the server and reads its greeting.
func (op *operation) dial(ctx context.Context) (*server, error) {
	connect := op.connectHTTP
	if op.endpoint.Protocol == "ssh" {
		connect = op.connectSSH
	}
	t, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	s := &server{talk: t, refs: map[string]plumbing.Hash{}}
	if err := s.greeted(ctx); err != nil {
		err = refused(t.complaint(err))
		_ = t.Close()
		return nil, err
	}
	op.spoken = true
	if op.v2Refused && !s.v2 {
		op.noV2.Store(true)
	}
	if format := s.value("object-format"); format != "" && format != "sha1" {
		_ = t.Close()
		return nil, op.fail(KindUnsupported, "the repository names its objects with %s; layerd reads repositories with sha1 names", format)
	}
	return s, nil
}

func (s *server) greeted(ctx context.Context) error {
	body, err := s.talk.greet(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	p := newPackets(body)
	for preface := false; ; {
		line, empty, err := p.next()
		switch text := strings.TrimSpace(string(line)); {
		case err != nil:
			return err
		case empty == packetFlush && preface:
			preface = false
		case empty == packetFlush:
			return nil // a repository without refs
		case strings.HasPrefix(text, "# service="):
			preface = true // of HTTP, up to the next flush
		case text == "version 1":
		case text == "version 2":
			s.v2 = true
			return p.lines(func(line string) { s.can = append(s.can, line) })
		default:
			if err := s.ref(string(line)); err != nil {
				return err
			}
			return p.lines(func(line string) { _ = s.ref(line) })
		}
	}
}

// ref notes one line of protocol 0: "<hash> <name>", the first with what the server
// can do. Other lines are of no interest, but the first has to be one.
func (s *server) ref(line string) error {
	line, can, first := strings.Cut(strings.TrimSuffix(line, "\n"), "\x00")
	if first {
		s.can = strings.Fields(can)
	}
	hash, name, ok := strings.Cut(line, " ")
	if !ok || !plumbing.IsHash(hash) {
		return errNotGit
	}
	if name != "capabilities^{}" {
		s.refs[name] = plumbing.NewHash(hash)
	}
	return nil
}

// value returns what stands behind a capability, "" when it has no value or is not
// there.
func (s *server) value(name string) string {
	for _, c := range s.can {
		if value, ok := strings.CutPrefix(c, name+"="); ok {
			return value
		}
	}
	return ""
}

func (s *server) has(name string) bool { return slices.Contains(s.can, name) }

// filters reports whether the server can leave files out, and bring single ones
// later. In protocol 0 it may still refuse the second.
func (s *server) filters() bool {
	if s.v2 {
		return slices.Contains(strings.Fields(s.value("fetch")), "filter")
	}
	return s.has("filter") && s.has("allow-reachable-sha1-in-want")
}

// find returns where the branch is.
func (s *server) find(ctx context.Context, op *operation) (plumbing.Hash, error) {
	if s.v2 {
		for _, prefix := range []string{op.branch.String(), "refs/heads/"} {
			refs, err := s.list(ctx, prefix, "refs/tags/"+op.branch.Short())
			if err != nil {
				return plumbing.ZeroHash, err
			}
			if s.refs = refs; refs[op.branch.String()] != plumbing.ZeroHash {
				break
			}
		}
	}
	if hash := s.refs[op.branch.String()]; hash != plumbing.ZeroHash {
		return hash, nil
	}
	if len(s.refs) == 0 {
		return plumbing.ZeroHash, op.fail(KindEmpty, "the repository is empty: nobody has pushed a commit yet")
	}
	var names []string
	for name := range s.refs {
		names = append(names, name)
	}
	return plumbing.ZeroHash, op.branchGone(names)
}

func (s *server) list(ctx context.Context, prefixes ...string) (map[string]plumbing.Hash, error) {
	body, err := s.talk.ask(ctx, lsRefs(prefixes...), true)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return readRefs(body)
}

// lsRefs asks for the refs that begin with one of prefixes, in protocol 2.
func lsRefs(prefixes ...string) []byte {
	var r request
	r.line("command=ls-refs")
	r.line("agent=layerd")
	r.empty(packetDelimiter)
	for _, prefix := range prefixes {
		r.line("ref-prefix %s", prefix)
	}
	r.empty(packetFlush)
	return r.Bytes()
}

// readRefs reads "<hash> <name>[ attributes]" lines.
func readRefs(body io.Reader) (map[string]plumbing.Hash, error) {
	refs := map[string]plumbing.Hash{}
	err := newPackets(body).lines(func(line string) {
		if f := strings.Fields(line); len(f) >= 2 && plumbing.IsHash(f[0]) {
			refs[f[1]] = plumbing.NewHash(f[0])
		}
	})
	return refs, err
}

// fetch downloads objects as a pack: of the past of commits as many as depth, where
// the server can leave out the rest, and with a filter without what it names. A depth
// of 0 is for objects that have no past.
func (s *server) fetch(ctx context.Context, wants []plumbing.Hash, depth int, filter string) ([]byte, error) {
	body := s.want(wants, depth, filter)
	if s.v2 {
		body = s.wantV2(wants, depth, filter)
	}
	answer, err := s.talk.ask(ctx, body, s.v2)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	pack, err := readPack(newPackets(answer), s.v2)
	if err != nil {
		return nil, s.talk.complaint(err)
	}
	return pack, nil
}

// want asks in protocol 0. A server may insist that a client knows multi_ack, which
// makes no difference to one that has nothing.
func (s *server) want(wants []plumbing.Hash, depth int, filter string) []byte {
	var can []string
	for _, either := range [][]string{{"multi_ack_detailed", "multi_ack"}, {"side-band-64k", "side-band"}, {"ofs-delta"}, {"no-progress"}} {
		if i := slices.IndexFunc(either, s.has); i >= 0 {
			can = append(can, either[i])
		}
	}
	if s.value("agent") != "" {
		can = append(can, "agent=layerd")
	}
	if filter != "" {
		can = append(can, "filter")
	}
	var r request
	for i, hash := range wants {
		r.line("%s", strings.TrimSpace("want "+hash.String()+" "+strings.Join(can, " ")))
		if i == 0 {
			can = nil
		}
	}
	if depth > 0 && s.has("shallow") {
		r.line("deepen %d", depth)
	}
	if filter != "" {
		r.line("filter %s", filter)
	}
	r.empty(packetFlush)
	r.line("done")
	return r.Bytes()
}

func (s *server) wantV2(wants []plumbing.Hash, depth int, filter string) []byte {
	features := strings.Fields(s.value("fetch"))
	var r request
	r.line("command=fetch")
	r.line("agent=layerd")
	r.empty(packetDelimiter)
	r.line("no-progress")
	r.line("ofs-delta")
	for _, hash := range wants {
		r.line("want %s", hash)
	}
	if depth > 0 && slices.Contains(features, "shallow") {
		r.line("deepen %d", depth)
	}
	if filter != "" {
		r.line("filter %s", filter)
	}
	r.line("done")
	r.empty(packetFlush)
	return r.Bytes()
}

// readPack reads the answer to a want. Before the pack come lines that say nothing
// new to one who has nothing; the pack comes on a band of its own, with messages
// and errors on others, or plainly in protocol 0.
func readPack(p packets, v2 bool) ([]byte, error) {
	var pack bytes.Buffer
	for banded := false; ; {
		if start, _ := p.Peek(packetHeader); !banded && !v2 && string(start) == "PACK" {
			_, err := pack.ReadFrom(p)
			return pack.Bytes(), err
		}
		line, empty, err := p.next()
		switch {
		case errors.Is(err, io.EOF) && pack.Len() > 0:
			return pack.Bytes(), nil // whoever reads it finds out whether it is whole
		case err != nil:
			return nil, broken(err)
		case empty == packetFlush && (banded || v2):
			return pack.Bytes(), nil
		case empty != packetHeader || len(line) == 0:
		case v2 && !banded:
			banded = string(bytes.TrimSpace(line)) == "packfile"
		case line[0] == 1:
			banded = true
			pack.Write(line[1:])
		case line[0] == 3:
			return nil, &refusal{strings.TrimSpace(string(line[1:]))}
		}
	}
}

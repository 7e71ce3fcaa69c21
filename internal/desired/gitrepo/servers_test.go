package gitrepo

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	gliderssh "github.com/gliderlabs/ssh"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
)

// A host is a server as one of the great hosts, or somebody's own, has it.
type host struct {
	name    string
	filters bool // files that are not read are left out
	options func(t *testing.T, dir string) Options
}

// allowFilter has git leave files out when it is asked to.
func allowFilter(t *testing.T, dir string) {
	gitCLI(t, dir, "config", "uploadpack.allowFilter", "true")
}

type middleware = func(http.Handler) http.Handler

// overHTTP is git's own server behind a chain of what makes it another one.
func overHTTP(chain ...middleware) func(t *testing.T, dir string) Options {
	return func(t *testing.T, dir string) Options {
		return Options{URL: backend(t, dir, func(next http.Handler) http.Handler {
			for _, m := range chain {
				next = m(next)
			}
			return next
		})}
	}
}

// protocol0 has never heard of later ones.
func protocol0(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		req.Header.Del("Git-Protocol")
		next.ServeHTTP(w, req)
	})
}

// answers changes each answer.
func answers(change func(req *http.Request, sent, body []byte) []byte) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			sent, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			req.Body = io.NopCloser(bytes.NewReader(sent))
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, req)
			rec.Body = bytes.NewBuffer(change(req, sent, rec.Body.Bytes()))
			rec.Header().Del("Content-Length")
			copyAnswer(w, rec)
		})
	}
}

// without takes a capability away, leaving the lengths as they are.
func without(names ...string) middleware {
	return answers(func(req *http.Request, _, body []byte) []byte {
		for _, name := range names {
			if req.Method == http.MethodGet {
				body = bytes.ReplaceAll(body, []byte(name), bytes.Repeat([]byte("x"), len(name)))
			}
		}
		return body
	})
}

// insistsOnMultiAck is Azure DevOps: G1.
func insistsOnMultiAck(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		if req.Method == http.MethodPost && !bytes.Contains(body, []byte(" multi_ack")) {
			http.Error(w, "TF401041: The Git protocol sent is not as expected (Clients must support multi-ack.).", http.StatusBadRequest)
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, req)
	})
}

// refusesFiles offers filters, but lets nobody fetch what is no commit.
func refusesFiles(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		if bytes.Contains(body, []byte("command=fetch")) && !bytes.Contains(body, []byte("deepen 1")) {
			var r request
			r.line("ERR upload-pack: not our ref 0123456789012345678901234567890123456789")
			_, _ = w.Write(r.Bytes())
			return
		}
		next.ServeHTTP(w, req)
	})
}

// backwards sends the objects of a pack in the opposite order: AWS CodeCommit sends
// deltas before what they are made of.
func backwards(_ *http.Request, _, body []byte) []byte {
	if !bytes.Contains(body, []byte("PACK")) {
		return body
	}
	pack, err := readPack(newPackets(bytes.NewReader(body)), false)
	if err != nil {
		return body
	}
	scan := packfile.NewScanner(bytes.NewReader(pack))
	_, count, _ := scan.Header()
	starts := []int64{}
	for range count {
		h, err := scan.NextObjectHeader()
		if err != nil {
			return body
		}
		starts = append(starts, h.Offset)
		_, _, _ = scan.NextObject(io.Discard)
	}
	starts = append(starts, int64(len(pack)-sha1.Size))
	turned := slices.Clone(pack[:12])
	for i := len(starts) - 2; i >= 0; i-- {
		turned = append(turned, pack[starts[i]:starts[i+1]]...)
	}
	sum := sha1.Sum(turned)
	var r request
	r.line("NAK")
	for part := range slices.Chunk(append(turned, sum[:]...), 1000) {
		fmt.Fprintf(&r, "%04x\x01%s", len(part)+5, part)
	}
	r.empty(packetFlush)
	return r.Bytes()
}

// overSSH is git behind an SSH server, which passes on what protocol is wanted when
// env is true.
func overSSH(env bool) func(t *testing.T, dir string) Options {
	return func(t *testing.T, dir string) Options {
		if _, err := exec.LookPath("git"); err != nil {
			t.Skip("git is not installed")
		}
		w := startSSH(t, func(s gliderssh.Session) {
			var more []string
			if env {
				more = s.Environ()
			}
			runShell(t, s, more)
		})
		return w.options(t, dir, "ed25519")
	}
}

func hosts() []host {
	git := func(o func(t *testing.T, dir string) Options) func(t *testing.T, dir string) Options {
		return func(t *testing.T, dir string) Options { allowFilter(t, dir); return o(t, dir) }
	}
	allow := func(what string) func(o func(t *testing.T, dir string) Options) func(t *testing.T, dir string) Options {
		return func(o func(t *testing.T, dir string) Options) func(t *testing.T, dir string) Options {
			return func(t *testing.T, dir string) Options { gitCLI(t, dir, "config", what, "true"); return o(t, dir) }
		}
	}
	any, reachable := allow("uploadpack.allowAnySHA1InWant"), allow("uploadpack.allowReachableSHA1InWant")
	// What CodeCommit says that it can is side-band-64k, shallow, multi_ack_detailed.
	codecommit := without("ofs-delta", "no-progress", "include-tag", "deepen-since", "deepen-not", "multi_ack ")
	return []host{
		{"path", true, func(_ *testing.T, dir string) Options { return Options{URL: dir} }},
		{"G4 filters", true, git(overHTTP())},
		{"G4 does not filter", false, overHTTP()},
		{"G4 offers filters and refuses files", false, git(overHTTP(refusesFiles))},
		{"G4 filters, over SSH", true, git(overSSH(true))},
		{"G4 filters, over SSH, without the variable", false, git(overSSH(false))},
		{"G4 filters and brings single files, over SSH, without the variable", true, git(any(overSSH(false)))},
		{"G4 filters and brings single files, protocol 0", true, git(any(overHTTP(protocol0)))},
		{"G4 filters and brings what is reachable, protocol 0", true, git(reachable(overHTTP(protocol0)))},
		{"protocol 0", false, git(overHTTP(protocol0))},
		{"protocol 0 without shallow", false, overHTTP(without("shallow", "deepen-since", "deepen-not", "deepen-relative"), protocol0)},
		{"protocol 0 without bands", false, overHTTP(without("side-band-64k", "side-band"), protocol0)},
		{"protocol 2 without shallow", true, git(overHTTP(without("shallow")))},
		{"protocol 2 behind a service line", true, git(overHTTP(answers(func(req *http.Request, _, body []byte) []byte {
			if req.Method == http.MethodGet {
				return append([]byte("001e# service=git-upload-pack\n0000"), body...)
			}
			return body
		})))},
		{"G1 Azure DevOps, multi_ack", false, overHTTP(insistsOnMultiAck, without("multi_ack_detailed"), protocol0)},
		{"G1 Azure DevOps, both", false, overHTTP(insistsOnMultiAck, protocol0)},
		{"CodeCommit", false, overHTTP(codecommit, answers(backwards), protocol0)},
	}
}

// TestHosts runs the contract over every kind of server.
func TestHosts(t *testing.T) {
	nightly.NotShort(t, "it asks servers one after the other, as TestSSHKeys does")
	for _, h := range hosts() {
		t.Run(h.name, func(t *testing.T) {
			dir := worktree(t, desiredFiles())
			o := h.options(t, dir)
			for _, read := range [][]string{nil, desired.ReadPaths()} {
				o.Read = read
				contract(t, open(t, o), read)
			}
			o.Read, o.Branch = desired.ReadPaths(), "nowhere"
			e := failBoth(t, open(t, o), KindBranchGone)
			if !strings.Contains(e.Message, "there is main") {
				t.Errorf("message %q", e.Message)
			}
		})
	}
}

// What git would clone and layerd does not has its own word.
func TestDumbServer(t *testing.T) {
	dir := worktree(t, desiredFiles())
	gitCLI(t, dir, "update-server-info")
	web := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer web.Close()
	if e := failBoth(t, open(t, Options{URL: web.URL + "/.git"}), KindNotARepository); !strings.Contains(e.Message, "dumb protocol") {
		t.Errorf("message %q", e.Message)
	}
	if e := failBoth(t, open(t, Options{URL: answering(t, 200)}), KindNotARepository); !strings.Contains(e.Message, `"text/html"`) {
		t.Errorf("message %q", e.Message)
	}
}

// G4: what lies elsewhere is not fetched, and does not count, where the server can
// leave it out; else the message names the key.
func TestG4LargeFilesElsewhere(t *testing.T) {
	const limit = 64 << 10
	files := map[string]string{"models/a.bin": noise(3*limit, 1), "gitops/layers/common/models/b.bin": noise(3*limit, 2), "gitops/README.md": noise(2*limit, 3)}
	for name, text := range desiredFiles() {
		files["gitops/"+name] = text
	}
	for _, h := range nightly.Sample(hosts(), 4) {
		t.Run(h.name, func(t *testing.T) {
			dir := worktree(t, files)
			o := h.options(t, dir)
			o.Path, o.Read, o.MaxBytes = "gitops", desired.ReadPaths(), limit
			r := open(t, o)
			if !h.filters {
				_, _, err := r.Pull(t.Context(), "")
				e := assertKind(t, err, KindTooLarge)
				for _, says := range []string{"65536 bytes", "git.max_bytes", "--git-max-bytes", "this server does not leave out"} {
					if !strings.Contains(e.Message, says) {
						t.Errorf("message %q does not say %q", e.Message, says)
					}
				}
				o.MaxBytes = 32 * limit
				r = open(t, o)
			}
			contract(t, r, desired.ReadPaths())
		})
	}
}

// A server that filters is asked for what is read, and for no more.
func TestG4WhatIsFetched(t *testing.T) {
	files := desiredFiles()
	files["models/a.bin"] = noise(1<<20, 1)
	dir := worktree(t, files)
	allowFilter(t, dir)
	var received, requests atomic.Int64
	url := backend(t, dir, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			requests.Add(1)
			next.ServeHTTP(countingWriter{w, &received}, req)
		})
	})
	for what, o := range map[string]Options{
		"read": {URL: url, Read: desired.ReadPaths()}, "path": {URL: url, Path: "teams/a"}, "nothing": {URL: url, Path: "teams", Read: desired.ReadPaths()},
	} {
		received.Store(0)
		requests.Store(0)
		if c := pull(t, open(t, o)); c.Files == nil || received.Load() > 4<<10 || requests.Load() > 4 {
			t.Errorf("%s: %d requests brought %d bytes", what, requests.Load(), received.Load())
		}
	}
}

// Packs of one history, with deltas upon deltas, in the order in which git writes
// them and backwards.
func TestG1CodeCommitDeltas(t *testing.T) {
	files := desiredFiles()
	text := noise(20<<10, 5)
	for i := range uint32(12) {
		text += "\n" + noise(500, 6+i)
		files[fmt.Sprintf("environments/e%02d.yaml", i)] = text
	}
	dir := worktree(t, files)
	gitCLI(t, dir, "repack", "-q", "-adf", "--depth=50", "--window=2")
	for name, o := range map[string]Options{
		"git":        overHTTP(protocol0)(t, dir),
		"by hash":    overHTTP(without("ofs-delta"), protocol0)(t, dir),
		"CodeCommit": overHTTP(without("ofs-delta"), answers(backwards), protocol0)(t, dir),
	} {
		c := pull(t, open(t, o))
		for path, text := range files {
			if readFile(t, c.Files, path) != text {
				t.Errorf("%s: %s is not what was committed", name, path)
			}
		}
	}
}

// noise is text that does not compress, without line ends.
func noise(n int, seed uint32) string {
	b, x := make([]byte, n), seed*2654435761
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = ' ' + byte(x>>24)%90
	}
	return string(b)
}

// canned is a server that says one thing, whatever it is asked.
type canned []byte

func (c canned) greet(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(c)), nil
}
func (c canned) ask(ctx context.Context, _ []byte, _ bool) (io.ReadCloser, error) {
	return c.greet(ctx)
}
func (c canned) complaint(err error) error { return err }
func (c canned) Close() error              { return nil }

// Whatever a server says: an answer or an error, never a panic, never endless.
func FuzzServer(f *testing.F) {
	f.Add([]byte("001e# service=git-upload-pack\n0000004a" + strings.Repeat("0", 40) + " capabilities^{}\x00agent=x\n0000"))
	f.Add([]byte("000eversion 2\n0018fetch=shallow filter\n0000"))
	f.Add([]byte("0008NAK\n0006\x01P0006\x02x0007\x03no0000"))
	f.Add([]byte("0031shallow 0123456789012345678901234567890123456789\n00000008NAK\nPACK"))
	f.Fuzz(func(t *testing.T, said []byte) {
		op := &operation{Repo: &Repo{max: 1 << 20, path: ".", branch: "refs/heads/main"}}
		s := &server{talk: canned(said), refs: map[string]plumbing.Hash{}}
		if s.greeted(t.Context()) != nil {
			return
		}
		if _, err := s.find(t.Context(), op); err == nil {
			_, _ = op.receive(t.Context(), s, plumbing.ZeroHash)
		}
		for _, v2 := range []bool{false, true} {
			if pack, err := readPack(newPackets(bytes.NewReader(said)), v2); len(pack) > len(said) {
				t.Errorf("%d bytes of %d, %v", len(pack), len(said), err)
			}
		}
	})
}

package gitserve

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/revlist"
)

const (
	uploadPack  = "git-upload-pack"
	receivePack = "git-receive-pack"

	maxRequest = 64 << 20 // bytes of a request, unpacked
	deltaReach = 10       // how many objects back a delta may lean on, as git has it
)

// Server is an http.Handler that serves repositories under their names, with
// and without ".git" at the end.
type Server struct {
	// Allow decides on a user and password; nil lets everybody read and write.
	// It must not be changed once the server runs.
	Allow func(user, password string) bool

	mu    sync.RWMutex // guards repos
	repos map[string]*Repo
}

// New makes a server without repositories.
func New() *Server { return &Server{repos: map[string]*Repo{}} }

// Add makes an empty repository and serves it as /name, which may have slashes.
func (s *Server) Add(name string) *Repo {
	r := NewRepo()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos[strings.Trim(name, "/")] = r
	return r
}

// ServeHTTP answers the three requests of the smart protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if s.Allow != nil {
		if user, password, _ := req.BasicAuth(); !s.Allow(user, password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
	}
	w.Header().Set("Cache-Control", "no-cache")
	path := strings.Trim(req.URL.Path, "/")
	find := func(suffix string) *Repo {
		name, ok := strings.CutSuffix(path, suffix)
		if !ok {
			return nil
		}
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.repos[strings.TrimSuffix(name, ".git")]
	}
	var err error
	service := req.URL.Query().Get("service")
	if r := find("/info/refs"); r != nil && req.Method == http.MethodGet && (service == uploadPack || service == receivePack) {
		w.Header().Set("Content-Type", "application/x-"+service+"-advertisement")
		err = r.advertise(w, service)
	} else if r := find("/" + uploadPack); r != nil && req.Method == http.MethodPost {
		err = exchange(w, req, uploadPack, r.upload)
	} else if r := find("/" + receivePack); r != nil && req.Method == http.MethodPost {
		err = exchange(w, req, receivePack, r.receive)
	} else {
		http.NotFound(w, req)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// exchange reads a whole request and sends a whole answer: no client, however
// slow, holds the repository's lock.
func exchange(w http.ResponseWriter, req *http.Request, service string, answer func(io.Reader, io.Writer) error) error {
	var body io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(req.Body)
		if err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		body = unpacked
	}
	data, err := io.ReadAll(io.LimitReader(body, maxRequest+1))
	if err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	if len(data) > maxRequest {
		return errors.New("the request is too large")
	}
	var out bytes.Buffer
	// A lone flush is how git tries whether it may speak, before a large push.
	if !bytes.Equal(data, pktline.FlushPkt) {
		if err := answer(bytes.NewReader(data), &out); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "application/x-"+service+"-result")
	_, _ = w.Write(out.Bytes()) // a client that went away needs no answer
	return nil
}

// advertise writes what the repository has and what this server can do.
func (r *Repo) advertise(w io.Writer, service string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	refs := packp.NewAdvRefs()
	refs.Prefix = [][]byte{[]byte("# service=" + service), pktline.Flush}
	caps := map[capability.Capability][]string{capability.Agent: {"layerd-gitserve"}, capability.OFSDelta: nil}
	if service == uploadPack {
		caps[capability.MultiACKDetailed] = nil
	} else {
		caps[capability.ReportStatus], caps[capability.DeleteRefs] = nil, nil
		// Without this, packs would lean on objects that they do not hold.
		caps[capability.Capability("no-thin")] = nil
	}
	for name, values := range caps {
		if err := refs.Capabilities.Set(name, values...); err != nil {
			return err
		}
	}
	for name, ref := range r.store.ReferenceStorage {
		if ref.Type() == plumbing.HashReference {
			refs.References[name.String()] = ref.Hash()
		}
	}
	main := plumbing.NewBranchReferenceName(DefaultBranch)
	if hash, ok := refs.References[main.String()]; ok && service == uploadPack {
		refs.Head = &hash
		if err := refs.AddReference(plumbing.NewSymbolicReference(plumbing.HEAD, main)); err != nil {
			return err
		}
	}
	return refs.Encode(w)
}

// upload answers a fetch. The client sends what it wants, then what it has, a
// few at a time; once it says "done", the pack follows the answer.
func (r *Repo) upload(in io.Reader, out io.Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	req := packp.NewUploadRequest()
	if err := req.Decode(in); err != nil {
		return fmt.Errorf("read what is wanted: %w", err)
	}
	if !req.Depth.IsZero() || len(req.Shallows) > 0 {
		return errors.New("shallow clones are not served")
	}
	for _, want := range req.Wants {
		if r.store.HasEncodedObject(want) != nil {
			return fmt.Errorf("%s is not here", want)
		}
	}
	common, done, err := r.negotiate(in, out, req.Capabilities.Supports(capability.MultiACKDetailed))
	if err != nil || !done {
		return err
	}
	known, err := revlist.Objects(r.store, common, nil)
	if err != nil {
		return fmt.Errorf("list what the client has: %w", err)
	}
	objects, err := revlist.Objects(r.store, req.Wants, known)
	if err != nil {
		return fmt.Errorf("list what is wanted: %w", err)
	}
	_, err = packfile.NewEncoder(out, r.store, false).Encode(objects, deltaReach)
	return err
}

// negotiate reads what the client has and returns what of it is here too. With
// detailed answers every such commit is confirmed, so that the client repeats it
// in its next request. Without, nothing is confirmed before the last request:
// git forgets a plain ACK between two requests, and would take our next answer
// for a pack.
func (r *Repo) negotiate(in io.Reader, out io.Writer, detailed bool) ([]plumbing.Hash, bool, error) {
	var common []plumbing.Hash
	answer := pktline.NewEncoder(out)
	done := false
	for lines := pktline.NewScanner(in); !done && lines.Scan(); {
		line := strings.TrimSpace(string(lines.Bytes()))
		done = line == "done"
		have, ok := strings.CutPrefix(line, "have ")
		if !ok || r.store.HasEncodedObject(plumbing.NewHash(have)) != nil {
			continue
		}
		common = append(common, plumbing.NewHash(have))
		if detailed {
			if err := answer.Encodef("ACK %s common\n", have); err != nil {
				return nil, false, err
			}
		}
	}
	if done && len(common) > 0 {
		return common, done, answer.Encodef("ACK %s\n", common[len(common)-1])
	}
	return common, done, answer.EncodeString("NAK\n")
}

// receive takes a push: objects first, then one branch after the other.
func (r *Repo) receive(in io.Reader, out io.Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	req := packp.NewReferenceUpdateRequest()
	if err := req.Decode(in); err != nil {
		return fmt.Errorf("read push: %w", err)
	}
	report := packp.NewReportStatus()
	report.UnpackStatus = "ok"
	for _, c := range req.Commands {
		if c.Action() == packp.Delete {
			continue // a push that only deletes has no pack
		}
		if err := packfile.UpdateObjectStorage(r.store, req.Packfile); err != nil && !errors.Is(err, packfile.ErrEmptyPackfile) {
			report.UnpackStatus = err.Error()
		}
		break
	}
	for _, c := range req.Commands {
		status := &packp.CommandStatus{ReferenceName: c.Name, Status: "ok"}
		if report.UnpackStatus != "ok" {
			status.Status = "unpacker error"
		} else if err := r.update(c); err != nil {
			status.Status = err.Error()
		}
		report.CommandStatuses = append(report.CommandStatuses, status)
	}
	return report.Encode(out)
}

// update moves one ref, if it still is where the client believes it to be.
func (r *Repo) update(c *packp.Command) error {
	if err := c.Name.Validate(); err != nil || !strings.HasPrefix(c.Name.String(), "refs/") {
		return errors.New("no such name is kept")
	}
	var at plumbing.Hash
	if ref, err := r.store.Reference(c.Name); err == nil {
		at = ref.Hash()
	}
	if at != c.Old {
		return errors.New("fetch first")
	}
	if c.Action() == packp.Delete {
		return r.store.RemoveReference(c.Name)
	}
	if c.Name.IsBranch() {
		if _, err := object.GetCommit(r.store, c.New); err != nil {
			return errors.New("the commit did not come along")
		}
	}
	return r.store.SetReference(plumbing.NewHashReference(c.Name, c.New))
}

package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/memory"
)

// session is one conversation with git-upload-pack in protocol 0: go-git's over
// HTTP, ours over SSH.
type session interface {
	AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error)
	UploadPack(context.Context, *packp.UploadPackRequest) (*packp.UploadPackResponse, error)
	io.Closer
}

func (op *operation) connect(ctx context.Context) (session, error) {
	if op.endpoint.Protocol == "ssh" {
		return op.connectSSH(ctx)
	}
	return op.connectHTTP(ctx)
}

// advertised reads what the server has and finds the branch in it.
func (op *operation) advertised(ctx context.Context, s session) (plumbing.Hash, *packp.AdvRefs, error) {
	refs, err := s.AdvertisedReferencesContext(ctx)
	if err != nil {
		return plumbing.ZeroHash, nil, err
	}
	op.spoken = true
	if format := refs.Capabilities.Get(capability.Capability("object-format")); len(format) > 0 && format[0] != "sha1" {
		return plumbing.ZeroHash, nil, op.fail(KindUnsupported, "the repository names its objects with %s; only sha1 is supported", format[0])
	}
	hash, ok := refs.References[op.branch.String()]
	if !ok {
		var branches []string
		for name := range refs.References {
			branches = append(branches, name)
		}
		return plumbing.ZeroHash, nil, op.branchGone(branches)
	}
	if op.v2Refused {
		op.noV2.Store(true)
	}
	return hash, refs, nil
}

// branchGone names some of the branches that are there: most often one of them
// was meant.
func (op *operation) branchGone(refs []string) *Error {
	const few = 5
	var names []string
	for _, ref := range refs {
		if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	there := "there is no other branch either"
	if len(names) > 0 {
		there = "there is " + strings.Join(names[:min(few, len(names))], ", ")
	}
	if len(names) > few {
		there += fmt.Sprintf(" and %d more", len(names)-few)
	}
	return op.fail(KindBranchGone, "branch %q does not exist (any more); %s", op.branch.Short(), there)
}

// receive downloads one commit as a pack: without its past where the server
// can leave that out, with it where it cannot.
func (op *operation) receive(ctx context.Context, s session, refs *packp.AdvRefs, hash plumbing.Hash) ([]byte, error) {
	req := packp.NewUploadPackRequestFromCapabilities(refs.Capabilities)
	req.Wants = []plumbing.Hash{hash}
	want := func(c capability.Capability) error {
		if !refs.Capabilities.Supports(c) {
			return nil
		}
		return req.Capabilities.Set(c)
	}
	if err := errors.Join(want(capability.Shallow), want(capability.NoProgress)); err != nil {
		return nil, err
	}
	if refs.Capabilities.Supports(capability.Shallow) {
		req.Depth = packp.DepthCommits(max(1, op.depth))
	}
	op.budget.reset(op.max) // the list of refs was counted apart
	res, err := s.UploadPack(ctx, req)
	if errors.Is(err, transport.ErrEmptyUploadPackRequest) {
		return nil, io.ErrUnexpectedEOF // go-git's word for an empty answer
	}
	if err != nil {
		return nil, err
	}
	defer res.Close()
	var r io.Reader = res
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		r = sideband.NewDemuxer(sideband.Sideband64k, res)
	case req.Capabilities.Supports(capability.Sideband):
		r = sideband.NewDemuxer(sideband.Sideband, res)
	}
	var pack bytes.Buffer
	if _, err := pack.ReadFrom(r); err != nil {
		return nil, err
	}
	return pack.Bytes(), nil
}

// unpack turns a pack into objects, in a store that lives for this commit only.
func (op *operation) unpack(pack []byte) (*memory.Storage, error) {
	corrupt := func(err error) error {
		// By its text too: go-git does not wrap everywhere.
		if errors.Is(err, packfile.ErrEmptyPackfile) || errors.Is(err, io.EOF) || strings.HasSuffix(err.Error(), "EOF") {
			return op.fail(KindUnreachable, "the connection ended in the middle of the pack, after %d bytes", len(pack))
		}
		return op.fail(KindCorrupt, "the pack that came is damaged: %v", err)
	}
	total, err := inflatedSize(pack, op.max)
	if err != nil {
		return nil, corrupt(err)
	}
	if total > op.max {
		return nil, op.fail(KindTooLarge, "the commit holds more than %s; keep large files out of this repository, or raise the limit", size(op.max))
	}
	objects := memory.NewStorage()
	parser, err := packfile.NewParserWithStorage(packfile.NewScanner(bytes.NewReader(pack)), objects)
	if err != nil {
		return nil, corrupt(err)
	}
	if _, err := parser.Parse(); err != nil {
		return nil, corrupt(err)
	}
	return objects, nil
}

// inflatedSize adds up what the objects of a pack will take in memory, and stops
// as soon as that is more than limit. It holds no object: go-git's parser has no
// limit of its own, and a pack of a few kilobytes can be made to inflate to
// gigabytes, by compression or by a delta that copies the same bytes over and over.
func inflatedSize(pack []byte, limit int64) (int64, error) {
	s := packfile.NewScanner(bytes.NewReader(pack))
	_, count, err := s.Header()
	if err != nil {
		return 0, err
	}
	var total int64
	for range count {
		header, err := s.NextObjectHeader() // also checks the length of the one before
		if err != nil {
			return 0, err
		}
		bytes := header.Length
		if header.Type.IsDelta() {
			var start prefix
			if _, _, err := s.NextObject(&start); err != nil {
				return 0, err
			}
			// Both the delta and what it makes are held for a while.
			bytes += start.deltaTarget()
		}
		if total += bytes; bytes < 0 || bytes > limit || total > limit {
			return limit + 1, nil
		}
	}
	return total, nil
}

// prefix keeps the first bytes written to it: enough for the two lengths at the
// start of a delta.
type prefix struct{ kept []byte }

func (p *prefix) Write(b []byte) (int, error) {
	if room := 20 - len(p.kept); room > 0 {
		p.kept = append(p.kept, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

// deltaTarget is the length of what the delta makes: the second of two numbers
// in groups of seven bits, lowest first.
func (p *prefix) deltaTarget() int64 {
	var number int64
	shift, which := 0, 0
	for _, b := range p.kept {
		if shift < 63 {
			number |= int64(b&0x7f) << shift
		}
		shift += 7
		if b&0x80 != 0 {
			continue
		}
		if which == 1 {
			return number
		}
		number, shift, which = 0, 0, 1
	}
	return 0 // cut short: the parser will say so
}

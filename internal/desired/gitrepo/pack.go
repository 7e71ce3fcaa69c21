package gitrepo

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

var (
	errChecksum = errors.New("its checksum is wrong")
	errNoBase   = errors.New("a delta has no base")
)

// unpack turns a pack into objects, in a store that lives for this commit only.
func (op *operation) unpack(pack []byte) (*memory.Storage, error) {
	objects := memory.NewStorage()
	if err := op.unpackInto(objects, pack); err != nil {
		return nil, err
	}
	return objects, nil
}

// unpackInto adds the objects of a pack to a store. All packs of one commit
// together are within the limit.
func (op *operation) unpackInto(objects *memory.Storage, pack []byte) error {
	total, err := inflatedSize(pack, op.max-op.unpacked)
	switch {
	case err != nil:
		return op.damaged(pack, err)
	case total > op.max-op.unpacked:
		return op.fail(KindTooLarge, "the commit holds more than %s; %s", size(op.max), op.raiseLimit())
	}
	op.unpacked += total
	u := unpacker{store: objects, byOffset: map[int64][]delta{}, byHash: map[plumbing.Hash][]delta{}}
	if err := u.read(pack); err != nil {
		return op.damaged(pack, err)
	}
	return nil
}

func (op *operation) damaged(pack []byte, err error) *Error {
	// By its text too: go-git does not wrap everywhere.
	if errors.Is(err, packfile.ErrEmptyPackfile) || errors.Is(err, io.EOF) || strings.HasSuffix(err.Error(), "EOF") {
		return op.fail(KindUnreachable, "the connection ended in the middle of the pack, after %d bytes", len(pack))
	}
	return op.fail(KindCorrupt, "the pack that came is damaged: %v", err)
}

// delta is an object that is made of another one, its base.
type delta struct {
	offset int64
	patch  []byte
}

// unpacker makes objects of a pack. Deltas wait for their base, wherever it stands:
// a server may name it by its hash, send it later, and it may be a delta itself, as
// in what AWS CodeCommit sends.
type unpacker struct {
	store    *memory.Storage
	byOffset map[int64][]delta
	byHash   map[plumbing.Hash][]delta
	waiting  int
}

func (u *unpacker) read(pack []byte) error {
	scan := packfile.NewScanner(bytes.NewReader(pack))
	_, count, err := scan.Header()
	if err != nil {
		return err
	}
	type whole struct {
		offset int64
		object plumbing.EncodedObject
	}
	var bases []whole
	for range count {
		h, err := scan.NextObjectHeader()
		if err != nil {
			return err
		}
		at := *h
		var data bytes.Buffer
		data.Grow(int(at.Length))
		if _, _, err := scan.NextObject(&data); err != nil {
			return err
		}
		if int64(data.Len()) != at.Length {
			return packfile.ErrInflatedSizeMismatch
		}
		d := delta{at.Offset, data.Bytes()}
		switch at.Type {
		case plumbing.OFSDeltaObject:
			u.byOffset[at.OffsetReference] = append(u.byOffset[at.OffsetReference], d)
			u.waiting++
		case plumbing.REFDeltaObject:
			u.byHash[at.Reference] = append(u.byHash[at.Reference], d)
			u.waiting++
		default:
			bases = append(bases, whole{at.Offset, inMemory(at.Type, data.Bytes())})
		}
	}
	if err := checksum(scan, pack); err != nil {
		return err
	}
	for _, b := range bases {
		if err := u.add(b.offset, b.object); err != nil {
			return err
		}
	}
	return u.thin()
}

// checksum compares the end of the pack with the sum of what is before.
func checksum(scan *packfile.Scanner, pack []byte) error {
	if _, err := scan.Checksum(); err != nil {
		return err
	}
	body := len(pack) - sha1.Size
	if body < 0 || sha1.Sum(pack[:body]) != [sha1.Size]byte(pack[body:]) {
		return errChecksum
	}
	return nil
}

func inMemory(kind plumbing.ObjectType, data []byte) plumbing.EncodedObject {
	o := &plumbing.MemoryObject{}
	o.SetType(kind)
	_, _ = o.Write(data) // to memory
	return o
}

// add stores an object, and then all that waited for it.
func (u *unpacker) add(offset int64, o plumbing.EncodedObject) error {
	type ready struct {
		offset int64
		object plumbing.EncodedObject
	}
	for todo := []ready{{offset, o}}; len(todo) > 0; {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		hash, err := u.store.SetEncodedObject(next.object)
		if err != nil {
			return err
		}
		waited := slices.Concat(u.byOffset[next.offset], u.byHash[hash])
		delete(u.byOffset, next.offset)
		delete(u.byHash, hash)
		if len(waited) == 0 {
			continue
		}
		base, err := content(next.object)
		if err != nil {
			return err
		}
		for _, d := range waited {
			data, err := packfile.PatchDelta(base, d.patch)
			if err != nil {
				return err
			}
			u.waiting--
			todo = append(todo, ready{d.offset, inMemory(next.object.Type(), data)})
		}
	}
	return nil
}

// thin makes what waits for objects that came in an earlier pack.
func (u *unpacker) thin() error {
	const nowhere = -1
	for found := true; found && u.waiting > 0; {
		found = false
		for hash := range u.byHash {
			if base, err := u.store.EncodedObject(plumbing.AnyObject, hash); err == nil {
				found = true
				if err := u.add(nowhere, base); err != nil {
					return err
				}
				break
			}
		}
	}
	if u.waiting > 0 {
		return errNoBase
	}
	return nil
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

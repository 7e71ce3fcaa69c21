package gitrepo

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/memory"
)

// packOf writes a pack by hand: the ones below no git would write.
func packOf(objects ...[]byte) []byte {
	var b bytes.Buffer
	b.WriteString("PACK")
	_ = binary.Write(&b, binary.BigEndian, [2]uint32{2, uint32(len(objects))})
	for _, o := range objects {
		b.Write(o)
	}
	sum := sha1.Sum(b.Bytes())
	b.Write(sum[:])
	return b.Bytes()
}

// packed is one object: type and declared length, what its base is, content.
func packed(kind byte, length int, base, content []byte) []byte {
	var b bytes.Buffer
	first := kind<<4 | byte(length&15)
	for length >>= 4; length > 0; length >>= 7 {
		b.WriteByte(first | 0x80)
		first = byte(length & 0x7f)
	}
	b.WriteByte(first)
	b.Write(base)
	z := zlib.NewWriter(&b)
	_, _ = z.Write(content)
	_ = z.Close()
	return b.Bytes()
}

func varint(n int) []byte {
	var out []byte
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

const (
	kindBlob     = 3
	kindRefDelta = 7
)

// Packs of a few kilobytes that want gigabytes.
func TestBombsAreMeasuredNotUnpacked(t *testing.T) {
	const limit = 1 << 20
	base := bytes.Repeat([]byte{'x'}, 1<<16)
	name := plumbing.ComputeHash(plumbing.BlobObject, base)
	// 20,000 times "copy 64 KiB from the base": 1.3 GB.
	const copies = 20_000
	delta := append(varint(len(base)), varint(copies*len(base))...)
	delta = append(delta, bytes.Repeat([]byte{0x80}, copies)...)
	many := make([][]byte, 40)
	for i := range many {
		many[i] = packed(kindBlob, 1<<15, nil, bytes.Repeat([]byte{byte(i)}, 1<<15))
	}
	for what, pack := range map[string][]byte{
		"zeros":        packOf(packed(kindBlob, 1<<30, nil, nil)),
		"delta":        packOf(packed(kindBlob, len(base), nil, base), packed(kindRefDelta, len(delta), name[:], delta)),
		"many":         packOf(many...),
		"huge lengths": packOf(packed(kindBlob, 1<<50, nil, nil), packed(kindBlob, 1<<50, nil, nil)),
	} {
		t.Run(what, func(t *testing.T) {
			op := &operation{Repo: &Repo{max: limit}}
			start := time.Now()
			_, err := op.unpack(pack)
			assertKind(t, err, KindTooLarge)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%d bytes took %s to refuse", len(pack), took)
			}
		})
	}
}

// The measure agrees with what the parser makes of a sound delta.
func TestInflatedSizeOfADelta(t *testing.T) {
	base := bytes.Repeat([]byte{'x'}, 1<<16)
	name := plumbing.ComputeHash(plumbing.BlobObject, base)
	delta := append(varint(len(base)), varint(3*len(base))...)
	delta = append(delta, 0x80, 0x80, 0x80)
	pack := packOf(packed(kindBlob, len(base), nil, base), packed(kindRefDelta, len(delta), name[:], delta))
	got, err := inflatedSize(pack, 1<<20)
	if want := int64(4*len(base) + len(delta)); err != nil || got != want {
		t.Errorf("measured %d, %v; want %d", got, err, want)
	}
	op := &operation{Repo: &Repo{max: 1 << 20}}
	objects, err := op.unpack(pack)
	if err != nil {
		t.Fatal(err)
	}
	made, err := objects.EncodedObject(plumbing.BlobObject, plumbing.ComputeHash(plumbing.BlobObject, bytes.Repeat(base, 3)))
	if err != nil || made.Size() != int64(3*len(base)) {
		t.Errorf("made %v, %v", made, err)
	}
}

// G1: deltas by hash, in whatever order, upon deltas, and upon what came earlier.
func TestG1DeltasInAnyOrder(t *testing.T) {
	texts := []string{strings.Repeat("base ", 100)}
	blob := func(text string) []byte { return packed(kindBlob, len(text), nil, []byte(text)) }
	upon := func(from, to string) []byte { // copies all of from and adds the rest
		base := plumbing.ComputeHash(plumbing.BlobObject, []byte(from))
		d := append(varint(len(from)), varint(len(to))...)
		d = append(d, 0xb0, byte(len(from)), byte(len(from)>>8))
		d = append(append(d, byte(len(to)-len(from))), to[len(from):]...)
		return packed(kindRefDelta, len(d), base[:], d)
	}
	objects := [][]byte{blob(texts[0])}
	for i := range 5 {
		texts = append(texts, texts[i]+fmt.Sprintf("more %d", i))
		objects = append(objects, upon(texts[i], texts[i+1]))
	}
	holds := func(store *memory.Storage) {
		t.Helper()
		for _, text := range texts {
			if store.HasEncodedObject(plumbing.ComputeHash(plumbing.BlobObject, []byte(text))) != nil {
				t.Errorf("%.20s… of %d bytes is missing", text, len(text))
			}
		}
	}
	op := func() *operation { return &operation{Repo: &Repo{max: 1 << 20}} }
	for _, order := range [][]int{{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {3, 5, 0, 1, 4, 2}, {2, 2, 0, 1, 3, 4, 5, 0}} {
		var some [][]byte
		for _, i := range order {
			some = append(some, objects[i])
		}
		store, err := op().unpack(packOf(some...))
		if err != nil {
			t.Fatalf("%v: %v", order, err)
		}
		holds(store)
	}
	store, err := op().unpack(packOf(objects[0]))
	check(t, err)
	check(t, op().unpackInto(store, packOf(objects[2], objects[1], objects[5], objects[4], objects[3])))
	holds(store)
	for name, pack := range map[string][]byte{
		"without a base": packOf(objects[2], objects[1]),
		"in part":        packOf(objects[0], objects[1], objects[3]),
	} {
		if _, err := op().unpack(pack); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			assertKind(t, err, KindCorrupt)
		}
	}
}

// The limit is for all packs of one commit together.
func TestBombsInParts(t *testing.T) {
	op := &operation{Repo: &Repo{max: 100 << 10}}
	half := func(b string) []byte { return packOf(packed(kindBlob, 60<<10, nil, []byte(strings.Repeat(b, 60<<10)))) }
	store, err := op.unpack(half("a"))
	check(t, err)
	assertKind(t, op.unpackInto(store, half("b")), KindTooLarge)
}

// nested writes a commit whose tree names one subtree many times over, to a depth.
func nested(t *testing.T, width, depth int, leaf object.TreeEntry) (*memory.Storage, plumbing.Hash) {
	t.Helper()
	store := memory.NewStorage()
	put := func(o interface {
		Encode(plumbing.EncodedObject) error
	}) plumbing.Hash {
		encoded := store.NewEncodedObject()
		if err := o.Encode(encoded); err != nil {
			t.Fatal(err)
		}
		hash, err := store.SetEncodedObject(encoded)
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	blob := store.NewEncodedObject()
	blob.SetType(plumbing.BlobObject)
	leafHash, err := store.SetEncodedObject(blob)
	if err != nil {
		t.Fatal(err)
	}
	leaf.Hash = leafHash
	at := put(&object.Tree{Entries: []object.TreeEntry{leaf}})
	for range depth {
		tree := &object.Tree{}
		for i := range width {
			tree.Entries = append(tree.Entries, object.TreeEntry{Name: fmt.Sprintf("d%02d", i), Mode: filemode.Dir, Hash: at})
		}
		at = put(tree)
	}
	return store, put(&object.Commit{TreeHash: at, Message: "x"})
}

func TestTreesThatAreNoTrees(t *testing.T) {
	file := object.TreeEntry{Name: "f", Mode: filemode.Regular}
	for what, test := range map[string]struct {
		width, depth int
		leaf         object.TreeEntry
		want         Kind
	}{
		"a million paths from ten objects": {10, 10, file, KindTooLarge},
		"a thousand levels":                {1, 1000, file, KindTooLarge},
		"a name that climbs":               {1, 1, object.TreeEntry{Name: "..", Mode: filemode.Regular}, KindCorrupt},
		"a name with a slash":              {1, 1, object.TreeEntry{Name: "a/b", Mode: filemode.Regular}, KindCorrupt},
	} {
		t.Run(what, func(t *testing.T) {
			store, hash := nested(t, test.width, test.depth, test.leaf)
			op := &operation{Repo: &Repo{max: 1 << 20, path: ".", branch: "refs/heads/main"}}
			_, err := op.commit(store, hash)
			assertKind(t, err, test.want)
		})
	}
}

// Whatever a server sends as a pack: an answer, never a panic, never endless.
func FuzzUnpack(f *testing.F) {
	f.Add(packOf(packed(kindBlob, 1, nil, []byte("x"))))
	f.Add(packOf(packed(kindRefDelta, 4, make([]byte, 20), []byte{1, 1, 0x80, 0})))
	f.Add([]byte(strings.Repeat("PACK\x00\x00\x00\x02", 4)))
	f.Fuzz(func(t *testing.T, pack []byte) {
		op := &operation{Repo: &Repo{max: 1 << 20}}
		objects, err := op.unpack(pack)
		if (objects == nil) == (err == nil) {
			t.Errorf("objects %v, %v", objects, err)
		}
		assertNoSecret(t, err)
	})
}

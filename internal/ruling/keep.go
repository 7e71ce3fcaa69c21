package ruling

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/store"
)

// kind is one kind of ruling. To add one, declare its type and its kind; what is
// below keeps it.
type kind[T any] struct {
	name     string                 // the first segment of its keys; for good
	one      string                 // "the approval", for errors
	who      string                 // "who approved", for errors
	key      func(T) []string       // what is behind the repository in its key, the environment first; for good
	scope    func(*T) *[]string     // what it covers, which may be large; nil = it has no lines
	decision func(given T) Decision // what the journal keeps of it; nil = it needs none
}

// table is all rulings of one kind and repository.
type table[T any] struct {
	kind[T]
	store      store.Store
	repository string
}

func (k kind[T]) of(s store.Store, repository string) table[T] { return table[T]{k, s, repository} }

// version is the newest "v" that this program understands. A value whose lines
// are not in chunks is written as what older programs understand, too.
const (
	version       = 2
	versionInline = 1
)

// doc is a ruling as it is stored: its version, its own fields, and where its
// lines are. They are one JSON object. Names and meanings stay.
type doc[T any] struct {
	V    int
	Word T
	chunkIndex
}

type head struct {
	V int `json:"v"`
}

func (d doc[T]) MarshalJSON() ([]byte, error) {
	var fields [][]byte
	for _, part := range []any{head{d.V}, d.Word, d.chunkIndex} {
		data, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		if inside := data[1 : len(data)-1]; len(inside) > 0 {
			fields = append(fields, inside)
		}
	}
	return slices.Concat([]byte("{"), bytes.Join(fields, []byte(",")), []byte("}")), nil
}

func (d *doc[T]) UnmarshalJSON(data []byte) error {
	var h head
	err := errors.Join(json.Unmarshal(data, &h), json.Unmarshal(data, &d.Word), json.Unmarshal(data, &d.chunkIndex))
	d.V = h.V
	return err
}

// decode reads a stored value, and refuses one that a newer layerd wrote.
func decode(v store.Value, into any) error { return store.Decode(v, version, into) }

func (t table[T]) documents() store.Documents[doc[T]] {
	return store.Documents[doc[T]]{Store: t.store, Version: version}
}

func (t table[T]) keyOf(word T) string {
	return store.Key(append([]string{t.name, t.repository}, t.key(word)...)...)
}

// kept is a ruling as it was read.
type kept[T any] struct {
	doc[T]
	at store.Revision // empty = there is none
}

// read returns the ruling that has the key of word, with its lines.
func (t table[T]) read(ctx context.Context, word T) (kept[T], error) {
	d, v, err := t.documents().Get(ctx, t.keyOf(word))
	if err == nil {
		err = t.fill(ctx, &d)
	}
	return kept[T]{d, v.Revision}, err
}

// find is read for whoever does not write it again.
func (t table[T]) find(ctx context.Context, word T) (found T, ok bool, err error) {
	was, err := t.read(ctx, word)
	return was.Word, err == nil && was.at != "", err
}

// list returns those whose keys have prefix behind the environments, in the order
// of their keys. Only those that whole selects come with their lines.
func (t table[T]) list(ctx context.Context, what, prefix string, whole func(T) bool) ([]T, error) {
	var list []T
	for d, err := range t.documents().List(ctx, store.Query{Prefix: store.Prefix(t.name, t.repository) + prefix}) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", what, err)
		}
		if whole(d.Doc.Word) {
			if err := t.fill(ctx, &d.Doc); err != nil {
				return nil, err
			}
		} else if t.scope != nil {
			*t.scope(&d.Doc.Word) = nil
		}
		list = append(list, d.Doc.Word)
	}
	return list, nil
}

// give makes word the ruling, unless the one that is there stays; it returns the
// one that holds. The journal is written first.
func (t table[T]) give(ctx context.Context, j Journal, word T, stays func(old T) bool) (T, error) {
	was, err := t.read(ctx, word)
	if err != nil {
		return word, fmt.Errorf("read %s: %w", t.one, err)
	}
	if was.at != "" && stays(was.Word) {
		return was.Word, nil
	}
	if err := j.RecordDecision(ctx, t.decision(word)); err != nil {
		return word, fmt.Errorf("record %s: %w", t.who, err)
	}
	given := word
	err = t.updateFrom(ctx, word, &was, func(now *T, there bool) bool {
		if there && stays(*now) {
			given = *now // somebody gave it at the same time: theirs is the first word
			return false
		}
		given, *now = word, word
		return true
	})
	return given, err
}

// update lets change alter the ruling that has the key of word, unless it reports
// that nothing is different. there is false where there is none yet.
func (t table[T]) update(ctx context.Context, word T, change func(now *T, there bool) bool) error {
	return t.updateFrom(ctx, word, nil, change)
}

// updateFrom is update for a caller that has read the ruling already.
func (t table[T]) updateFrom(ctx context.Context, word T, seen *kept[T], change func(now *T, there bool) bool) error {
	return store.Patiently(ctx, func() error {
		if seen == nil {
			was, err := t.read(ctx, word)
			if err != nil {
				return err
			}
			seen = &was
		}
		was, now := *seen, seen.Word
		seen = nil // it is old by now
		if !change(&now, was.at != "") {
			return nil
		}
		return t.write(ctx, was, now)
	})
}

// write replaces what was read, or creates it. The chunks of its lines are written
// before it, unless they are those that it had.
func (t table[T]) write(ctx context.Context, was kept[T], word T) error {
	d := doc[T]{Word: word}
	if t.scope != nil {
		lines := t.scope(&d.Word)
		*lines = slices.Sorted(slices.Values(*lines))
		switch {
		case !large(*lines):
		case len(was.Chunks) > 0 && slices.Equal(*t.scope(&was.Word), *lines):
			d.chunkIndex, *lines = was.chunkIndex, nil
		default:
			var err error
			if d.chunkIndex, err = writeChunks(ctx, t.store, t.repository, t.key(word)[0], *lines); err != nil {
				return err
			}
			*lines = nil
		}
	}
	d.V = d.version()
	_, err := t.documents().Write(ctx, t.keyOf(word), was.at, &d)
	return err
}

// fill reads the lines that are in chunks.
func (t table[T]) fill(ctx context.Context, d *doc[T]) (err error) {
	if t.scope == nil {
		return nil
	}
	lines := t.scope(&d.Word)
	if len(d.Chunks) > 0 {
		*lines, err = readChunks(ctx, t.store, t.repository, t.key(d.Word)[0], d.chunkIndex)
	}
	// Covers searches them by halves.
	if !slices.IsSorted(*lines) {
		slices.Sort(*lines)
	}
	return err
}

// always is for kinds without lines, and for lists of what is whole.
func always[T any](T) bool { return true }

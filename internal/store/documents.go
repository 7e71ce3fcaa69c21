package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Documents are values of one form: JSON with the version that wrote it, as "v".
// One that is newer than Version is refused with [ErrNewer] and never half
// understood: it may have gained a condition that this program would not look at.
//
//	d, v, err := docs.Get(ctx, key)                       // v.Revision == "": there is none
//	err = docs.Update(ctx, key, func(d *doc) bool { … })  // false: nothing is different
type Documents[D any] struct {
	Store   Store
	Version int // the newest that this program knows
	// Encode is json.Marshal where it is nil. It may alter the document, which is
	// kept as it is then.
	Encode func(*D) ([]byte, error)
}

// Unmarshal reads a document of at most version newest into a pointer. The error
// is ErrCorrupt or ErrNewer.
func Unmarshal(data []byte, newest int, into any) error {
	var head struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if head.V > newest {
		return fmt.Errorf("%w: it has version %d, this program knows %d", ErrNewer, head.V, newest)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

// Decode is Unmarshal of a value, whose key the error names.
func Decode(v Value, newest int, into any) error {
	if err := Unmarshal(v.Data, newest, into); err != nil {
		return fmt.Errorf("read %s: %w", v.Key, err)
	}
	return nil
}

// Decode returns the document that a value is.
func (ds Documents[D]) Decode(v Value) (doc D, err error) {
	err = Decode(v, ds.Version, &doc)
	return doc, err
}

// Get reads a document and the value that it came from. Where there is none both
// are zero, which is no error.
func (ds Documents[D]) Get(ctx context.Context, key string) (D, Value, error) {
	v, err := ds.Store.Get(ctx, key)
	if err != nil {
		var none D
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return none, Value{}, err
	}
	doc, err := ds.Decode(v)
	return doc, v, err
}

// List yields the documents that q selects, with their values. An error is
// yielded once and ends the list.
func (ds Documents[D]) List(ctx context.Context, q Query) iter.Seq2[Document[D], error] {
	return func(yield func(Document[D], error) bool) {
		for v, err := range ds.Store.List(ctx, q) {
			d := Document[D]{Value: v}
			var segments []string
			if err == nil {
				segments, err = Split(v.Key)
			}
			if err == nil {
				d.Name = segments[len(segments)-1]
				d.Doc, err = ds.Decode(v)
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// Document is one of a list.
type Document[D any] struct {
	Name  string // the last segment of its key
	Doc   D
	Value Value
}

// Write replaces the document that was read at revision old, or creates it where
// old is "". The errors are those of [Store].
func (ds Documents[D]) Write(ctx context.Context, key string, old Revision, doc *D) (Revision, error) {
	encode := ds.Encode
	if encode == nil {
		encode = func(d *D) ([]byte, error) { return json.Marshal(d) }
	}
	data, err := encode(doc)
	if err != nil {
		return "", fmt.Errorf("write %s: %w", key, err)
	}
	if old == "" {
		return ds.Store.Create(ctx, key, data)
	}
	return ds.Store.Replace(ctx, key, old, data)
}

// Update reads a document, lets change alter it and writes it back, unless change
// reports that nothing is different. When somebody else wrote meanwhile, all of
// that is done again.
func (ds Documents[D]) Update(ctx context.Context, key string, change func(*D) bool) error {
	return ds.UpdateFrom(ctx, key, nil, change)
}

// UpdateFrom is Update for a caller that has read the value already; a value
// without revision means that there was none.
func (ds Documents[D]) UpdateFrom(ctx context.Context, key string, seen *Value, change func(*D) bool) error {
	return Patiently(ctx, func() error {
		doc, v, err := ds.from(ctx, key, seen)
		seen = nil // it is old by now
		if err != nil || !change(&doc) {
			return err
		}
		_, err = ds.Write(ctx, key, v.Revision, &doc)
		return err
	})
}

func (ds Documents[D]) from(ctx context.Context, key string, seen *Value) (doc D, v Value, err error) {
	if seen == nil {
		return ds.Get(ctx, key)
	}
	if seen.Revision != "" {
		doc, err = ds.Decode(*seen)
	}
	return doc, *seen, err
}

// patience is how often a write is tried that others got in the way of. Some
// documents are written by all functions in hand at once.
const patience = 20

// Patiently does it again while others are in the way.
func Patiently(ctx context.Context, do func() error) error {
	operation := func() (struct{}, error) {
		err := do()
		if err == nil || errors.Is(err, ErrChanged) || errors.Is(err, ErrExists) || errors.Is(err, ErrBusy) {
			return struct{}{}, err
		}
		return struct{}{}, backoff.Permanent(err)
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 2*time.Millisecond, time.Second
	_, err := backoff.Retry(ctx, operation, backoff.WithBackOff(wait), backoff.WithMaxTries(patience))
	return err
}

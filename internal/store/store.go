package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

var (
	// ErrNotFound: there is no value under this key.
	ErrNotFound = errors.New("not found")
	// ErrExists: Create found a value under this key.
	ErrExists = errors.New("exists already")
	// ErrChanged: the value is not at the revision that Replace names, or gone.
	ErrChanged = errors.New("changed since it was read")
	// ErrInvalid: the key, the value or the query is outside what every
	// implementation can hold.
	ErrInvalid = errors.New("invalid")
	// ErrBusy: others held the store for too long. Try again.
	ErrBusy = errors.New("busy")
	// ErrReadOnly: the store was opened for reading, or this user may not write it.
	ErrReadOnly = errors.New("read-only")
	// ErrCorrupt: what is kept cannot be read any more.
	ErrCorrupt = errors.New("damaged")
	// ErrNewer: the database was written by a newer layerd.
	ErrNewer = errors.New("written by a newer layerd")
	// ErrReplaced: what the name of the store stands for is not what was opened:
	// it was deleted, or something else was put in its place.
	ErrReplaced = errors.New("not the store that was opened")
	// ErrUnreachable: no answer came. Look again; a write may have happened.
	ErrUnreachable = errors.New("out of reach")
)

// The limits hold in every implementation, so that what works in a test works
// on each of them. They come from the strictest, DynamoDB: 400 KB for an item
// with its names, 1,024 bytes for a sort key.
const (
	MaxValue = 350 << 10 // bytes of data in one value
	MaxKey   = 1024      // bytes of one key
)

// Revision names one state of one value. It is opaque: compare it for equality
// and do nothing else with it. It is never empty for an existing value.
type Revision string

// NewRevision returns a revision that was never used before. Adapters write it
// with the value. It is random (130 bits) rather than a counter, so that a
// revision from a lost database matches nothing in the one that replaces it.
func NewRevision() Revision { return Revision(rand.Text()) }

// Value is what is kept under a key. Data belongs to whoever received it; it
// may be nil when empty.
type Value struct {
	Key      string
	Data     []byte
	Revision Revision
}

// Query selects and orders the values of a List. The zero Query is everything
// in the order of the keys.
type Query struct {
	Prefix  string // only keys that begin with it; use [Prefix] for whole segments
	Reverse bool   // from the highest key to the lowest
	After   string // exclusive: go on behind this key, in the order of the list; empty: from the start
	Limit   int    // at most so many values; 0: all
}

// Store keeps values. All methods may be called from many goroutines at once.
// After Close every other method fails; closing twice is fine.
type Store interface {
	// Get returns the value under key, or ErrNotFound.
	Get(ctx context.Context, key string) (Value, error)
	// Create writes the first value under key, or returns ErrExists.
	Create(ctx context.Context, key string, data []byte) (Revision, error)
	// Replace writes over the value under key if it still is at revision old.
	// It returns ErrChanged if it is not, or if there is no value.
	Replace(ctx context.Context, key string, old Revision, data []byte) (Revision, error)
	// List yields the values that q selects. It reads in pages and holds nothing
	// between them, so the loop may take its time and may write to the same
	// store. An error is yielded once, with a zero Value, and ends the list.
	List(ctx context.Context, q Query) iter.Seq2[Value, error]
	Close() error
}

// Replaceable is a store that can be taken away while it is open, and can notice
// it. Once it has, every method returns [ErrReplaced] until Reopen: whoever still
// acts on what was read from the old one must not write it into the new one.
type Replaceable interface {
	Store
	// Check returns ErrReplaced when the store is not what its name stands for.
	// It asks nobody but this machine, so it can be asked before each change.
	Check() error
	// Reopen opens what the name stands for now. It makes nothing: where there is
	// no store, the error is ErrReplaced still. Call it when nothing that was read
	// before is relied on any more. Where nothing was replaced it does nothing.
	Reopen(ctx context.Context) error
}

// Check returns ErrReplaced when s can notice that it was replaced, and was.
func Check(s Store) error {
	if r, ok := s.(Replaceable); ok {
		return r.Check()
	}
	return nil
}

// CheckKey returns ErrInvalid for a key that some implementation cannot hold.
// NUL is refused because SQL tools cut text at it.
func CheckKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: the key is empty", ErrInvalid)
	case len(key) > MaxKey:
		return fmt.Errorf("%w: the key %.40q… has %d bytes, more than %d", ErrInvalid, key, len(key), MaxKey)
	case !isText(key):
		return fmt.Errorf("%w: the key %q is not UTF-8 or holds a NUL", ErrInvalid, key)
	}
	return nil
}

// CheckWrite returns ErrInvalid for what must not be written. Adapters call it
// before they touch anything.
func CheckWrite(key string, data []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if len(data) > MaxValue {
		return fmt.Errorf("%w: the value of %s has %d bytes, more than %d", ErrInvalid, key, len(data), MaxValue)
	}
	return nil
}

// Check returns ErrInvalid for a query that no implementation should guess at.
func (q Query) Check() error {
	switch {
	case !isText(q.Prefix) || !isText(q.After):
		return fmt.Errorf("%w: the prefix %q or the start %q of a list is not UTF-8 or holds a NUL", ErrInvalid, q.Prefix, q.After)
	case q.Limit < 0:
		return fmt.Errorf("%w: the limit of a list is %d", ErrInvalid, q.Limit)
	}
	return nil
}

func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// Range returns the keys that Prefix and After leave, as from <= key < to. An
// empty to has no upper bound. Both ends are valid UTF-8, although no key may
// equal them: databases compare them as text.
func (q Query) Range() (from, to string) {
	from, to = q.Prefix, afterPrefix(q.Prefix)
	switch {
	case q.After == "":
	case q.Reverse:
		if to == "" || q.After < to {
			to = q.After
		}
	default:
		// No key holds a NUL, so this is the first possible key behind After.
		from = max(from, q.After+"\x00")
	}
	return from, to
}

// afterPrefix returns the lowest text above everything that begins with prefix,
// or "" when there is none. The order of UTF-8 bytes is the order of runes, so
// the last rune that can grow is made one higher.
func afterPrefix(prefix string) string {
	for prefix != "" {
		r, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch r {
		case utf8.MaxRune:
			continue // cannot grow: the rune before it must
		case 0xD7FF:
			r = 0xE000 // what lies between is for surrogates and not UTF-8
		default:
			r++
		}
		return prefix + string(r)
	}
	return ""
}

// A PageFunc reads the next values of a query in its order, at most q.Limit
// when that is not 0 and otherwise as many as are good to hold in memory. It
// reports whether more may follow; then it has returned at least one.
type PageFunc func(ctx context.Context, q Query) (values []Value, more bool, err error)

// Pages is the List of an implementation that can read one page.
func Pages(ctx context.Context, q Query, page PageFunc) iter.Seq2[Value, error] {
	return func(yield func(Value, error) bool) {
		if err := q.Check(); err != nil {
			yield(Value{}, fmt.Errorf("list: %w", err))
			return
		}
		next := q // a copy: the sequence can be walked again from its start
		for more := true; more; {
			values, behind, err := nextPage(ctx, next, page)
			if err != nil {
				yield(Value{}, err)
				return
			}
			for _, v := range values {
				// The page was read before the loop ran: a context that ended
				// since then must end the list here, not a page later.
				if err := ctx.Err(); err != nil {
					yield(Value{}, fmt.Errorf("list %s: %w", q.Prefix, err))
					return
				}
				if !yield(v, nil) {
					return
				}
				next.After = v.Key
			}
			if q.Limit > 0 {
				next.Limit -= len(values)
				behind = behind && next.Limit > 0
			}
			more = behind
		}
	}
}

// nextPage reads one page and refuses one that would make the list go round
// in circles or run past its limit.
func nextPage(ctx context.Context, q Query, page PageFunc) ([]Value, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, fmt.Errorf("list %s: %w", q.Prefix, err)
	}
	values, more, err := page(ctx, q)
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("list %s: %w", q.Prefix, err)
	case more && len(values) == 0:
		return nil, false, fmt.Errorf("list %s: a page without values says that more follow", q.Prefix)
	case q.Limit > 0 && len(values) > q.Limit:
		return nil, false, fmt.Errorf("list %s: a page of %d values where %d were asked for", q.Prefix, len(values), q.Limit)
	}
	return values, more, nil
}

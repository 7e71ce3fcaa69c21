// Package store keeps named values and changes them only by compare-and-swap.
//
// A value is a few bytes under a key. It has a revision, an opaque word that
// is different after every write. Whoever changes a value names the revision
// that was read; when somebody else was faster, nothing is written and the
// loser learns it. The lease, the history and the rulings of layerd are built
// on this and on nothing else, so that they mean the same thing on a laptop's
// file, on a table in the cloud and in a test.
//
//	key := store.Key("ruling", "prod", id)       // segments, safely joined
//	rev, err := s.Create(ctx, key, data)         // ErrExists: it is there already
//	v, err := s.Get(ctx, key)                    // ErrNotFound
//	rev, err = s.Replace(ctx, key, v.Revision, data)
//	if errors.Is(err, store.ErrChanged) {
//		// look again: read the value, decide again, try again
//	}
//	q := store.Query{Prefix: store.Prefix("ruling", "prod"), Reverse: true, Limit: 20}
//	for v, err := range s.List(ctx, q) { … }     // the last twenty
//
// # What is promised
//
// A write is durable when its call returns without an error. Each call is
// serializable with every other call on its key, also from other processes,
// and reads after a write see it. A revision is never used a second time, not
// for the same bytes, not for another key, not in a database that was lost and
// begun anew. Lists are ordered by the bytes of the key.
//
// # What is not
//
// There is no transaction over two keys: write the one that decides last. A
// List is not a snapshot: a key that exists all the while is seen exactly
// once, in its state of some moment during the list; one that is created
// meanwhile may be seen or not. Nothing is ever deleted.
//
// # Errors
//
// Every error of this package says what to do next: [ErrNotFound],
// [ErrExists] and [ErrChanged] are answers; [ErrBusy] asks to try again;
// [ErrInvalid] is a mistake of the caller; [ErrReadOnly], [ErrCorrupt] and
// [ErrNewer] need a person. After one of these nothing was written. After any
// other error of a write, a cancelled context included, the write may have
// happened: look again before going on. [ErrUnreachable] is of that kind: the
// store is over a network, and no answer came. [ErrReplaced] is of that kind as
// well: the write may have gone to what nobody will find again. It stays until
// the store is opened anew (see [Replaceable]).
//
// The implementations are [Memory] here, and adapters in packages below, which
// all pass the contract in package storetest. This package opens none of them:
// [ParseSpec] reads what the user wrote, the caller opens what it names.
package store

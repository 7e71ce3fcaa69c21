package storetest

import (
	"context"
	"errors"
	"iter"

	"github.com/layerd/layerd/internal/store"
)

// Op is the method of a store that is called.
type Op string

const (
	OpGet     Op = "get"
	OpCreate  Op = "create"
	OpReplace Op = "replace"
	OpList    Op = "list" // one walk through the list, not the call that returns it
	OpReopen  Op = "reopen"
)

// Call is one call to a store.
type Call struct {
	Op   Op
	Key  string // the prefix of a list; empty for a reopen
	Data []byte // of a write
}

// Write reports whether the call changes a value.
func (c Call) Write() bool { return c.Op == OpCreate || c.Op == OpReplace }

// Fault is what goes wrong with a call: nothing, when it is zero.
type Fault struct {
	Before error        // return this and do nothing
	After  error        // do it, although the context may have ended, and return this instead of the truth
	Done   func(Answer) // when not nil, sees the answer of the store
}

// Answer is the outcome of a call that was done.
type Answer struct {
	Values int // that were read: one by a get, whether it is there or not
	Bytes  int // of their keys and data
	Err    error
}

// KilledAt returns the fault of a call at which a process may be killed: do is
// whether the call has its effect, and err is nil when the process lives on.
func KilledAt(do bool, err error) Fault {
	if do {
		return Fault{After: err}
	}
	return Fault{Before: err}
}

// Faulty returns s with onCall deciding about every call before it begins; it is
// a [store.Replaceable] where s is one. onCall runs on the caller's goroutine,
// several at once when calls are. It may use s, count, and wait: a store that
// hangs waits for the context and returns its error as Before.
func Faulty(s store.Store, onCall func(context.Context, Call) Fault) store.Store {
	f := faulty{s, onCall}
	if r, ok := s.(store.Replaceable); ok {
		return faultyReplaceable{f, r}
	}
	return f
}

type faulty struct {
	store.Store
	onCall func(context.Context, Call) Fault
}

// do has f done as the fault of c has it, and returns the error of the fault.
func (s faulty) do(ctx context.Context, c Call, f func(context.Context) Answer) error {
	fault := s.onCall(ctx, c)
	if fault.Before != nil {
		return fault.Before
	}
	if fault.After != nil {
		ctx = context.WithoutCancel(ctx)
	}
	if a := f(ctx); fault.Done != nil {
		fault.Done(a)
	}
	return fault.After
}

func (s faulty) Get(ctx context.Context, key string) (store.Value, error) {
	var v store.Value
	var err error
	if fault := s.do(ctx, Call{Op: OpGet, Key: key}, func(ctx context.Context) Answer {
		v, err = s.Store.Get(ctx, key)
		return Answer{Values: 1, Bytes: len(v.Key) + len(v.Data), Err: err}
	}); fault != nil {
		return store.Value{}, fault
	}
	return v, err
}

func (s faulty) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	return s.write(ctx, Call{OpCreate, key, data}, func(ctx context.Context) (store.Revision, error) {
		return s.Store.Create(ctx, key, data)
	})
}

func (s faulty) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	return s.write(ctx, Call{OpReplace, key, data}, func(ctx context.Context) (store.Revision, error) {
		return s.Store.Replace(ctx, key, old, data)
	})
}

func (s faulty) write(ctx context.Context, c Call, f func(context.Context) (store.Revision, error)) (store.Revision, error) {
	var rev store.Revision
	var err error
	if fault := s.do(ctx, c, func(ctx context.Context) Answer {
		rev, err = f(ctx)
		return Answer{Err: err}
	}); fault != nil {
		return "", fault
	}
	return rev, err
}

// List yields no value where anything goes wrong: a list has no effect, so that
// an answer that was lost is like one that never came.
func (s faulty) List(ctx context.Context, q store.Query) iter.Seq2[store.Value, error] {
	return func(yield func(store.Value, error) bool) {
		fault := s.onCall(ctx, Call{Op: OpList, Key: q.Prefix})
		if err := errors.Join(fault.Before, fault.After); err != nil {
			yield(store.Value{}, err)
			return
		}
		var a Answer
		if fault.Done != nil {
			defer func() { fault.Done(a) }()
		}
		for v, err := range s.Store.List(ctx, q) {
			a.Values, a.Bytes, a.Err = a.Values+1, a.Bytes+len(v.Key)+len(v.Data), err
			if !yield(v, err) {
				return
			}
		}
	}
}

// faultyReplaceable lets Check through: it asks nobody but this machine.
type faultyReplaceable struct {
	faulty
	replaceable store.Replaceable
}

func (s faultyReplaceable) Check() error { return s.replaceable.Check() }

func (s faultyReplaceable) Reopen(ctx context.Context) error {
	var err error
	if fault := s.do(ctx, Call{Op: OpReopen}, func(ctx context.Context) Answer {
		err = s.replaceable.Reopen(ctx)
		return Answer{Err: err}
	}); fault != nil {
		return fault
	}
	return err
}

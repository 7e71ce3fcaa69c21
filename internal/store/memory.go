package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
)

// memoryPage is how many values a list copies while it holds the lock.
const memoryPage = 256

// errClosed is not for callers to test: using a closed store is a bug in the
// order of teardown, and its text is what helps.
var errClosed = errors.New("the store is closed")

// Memory is a Store that forgets everything with the process. It is for tests,
// for the demo, and for running without a place to keep things.
type Memory struct {
	// mu guards all below. Without it a compare and its swap could be torn apart.
	mu     sync.RWMutex
	values map[string]Value
	keys   []string // the keys of values, sorted
	closed bool
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{values: map[string]Value{}} }

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, key string) (Value, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, CheckKey(key)); err != nil {
		return Value{}, fmt.Errorf("get %s: %w", key, err)
	}
	v, ok := m.values[key]
	if !ok {
		return Value{}, fmt.Errorf("get %s: %w", key, ErrNotFound)
	}
	return v.clone(), nil
}

// Create implements [Store].
func (m *Memory) Create(ctx context.Context, key string, data []byte) (Revision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, CheckWrite(key, data)); err != nil {
		return "", fmt.Errorf("create %s: %w", key, err)
	}
	i, exists := slices.BinarySearch(m.keys, key)
	if exists {
		return "", fmt.Errorf("create %s: %w", key, ErrExists)
	}
	m.keys = slices.Insert(m.keys, i, key)
	return m.put(key, data), nil
}

// Replace implements [Store].
func (m *Memory) Replace(ctx context.Context, key string, old Revision, data []byte) (Revision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, CheckWrite(key, data)); err != nil {
		return "", fmt.Errorf("replace %s: %w", key, err)
	}
	if v, ok := m.values[key]; !ok || v.Revision != old {
		return "", fmt.Errorf("replace %s: %w", key, ErrChanged)
	}
	return m.put(key, data), nil
}

// List implements [Store].
func (m *Memory) List(ctx context.Context, q Query) iter.Seq2[Value, error] {
	return Pages(ctx, q, m.page)
}

// Close implements [Store]. What was kept is gone.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values, m.keys, m.closed = nil, nil, true
	return nil
}

func (m *Memory) page(ctx context.Context, q Query) ([]Value, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, nil); err != nil {
		return nil, false, err
	}
	from, to := q.Range()
	first, _ := slices.BinarySearch(m.keys, from)
	end := len(m.keys)
	if to != "" {
		end, _ = slices.BinarySearch(m.keys, to)
	}
	// A start outside the prefix can leave a range whose end is before its start.
	found := m.keys[min(first, end):end]

	size := memoryPage
	if q.Limit > 0 {
		size = min(size, q.Limit)
	}
	size = min(size, len(found))
	values := make([]Value, size)
	for i := range values {
		k := i
		if q.Reverse {
			k = len(found) - 1 - i
		}
		values[i] = m.values[found[k]].clone()
	}
	return values, size < len(found), nil
}

// check returns why a call must not go on. The caller holds mu.
func (m *Memory) check(ctx context.Context, invalid error) error {
	switch {
	case invalid != nil:
		return invalid
	case m.closed:
		return errClosed
	}
	return ctx.Err()
}

// put writes a copy of data: the caller may use its slice again.
func (m *Memory) put(key string, data []byte) Revision {
	v := Value{Key: key, Data: bytes.Clone(data), Revision: NewRevision()}
	m.values[key] = v
	return v.Revision
}

func (v Value) clone() Value {
	v.Data = bytes.Clone(v.Data)
	return v
}

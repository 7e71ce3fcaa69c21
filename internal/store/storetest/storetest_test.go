package storetest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// A contract that any store passes promises nothing. The stores here break one
// promise each, in the way an adapter might; the suite must notice every one.
// A failing suite would fail the test that runs it, so it runs in a process of
// its own: this test binary, told by brokenVar which store to use.
const brokenVar = "STORETEST_BROKEN"

// TestSuite runs the suite: over the honest store, or over the one that
// TestSuiteNotices asks for.
func TestSuite(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store {
		honest := store.NewMemory()
		if b, ok := brokenStores()[os.Getenv(brokenVar)]; ok && b.wrap != nil {
			return b.wrap(honest)
		}
		return honest
	})
}

// TestUnreliable has the honest store tell that an answer was lost, and the one
// that TestSuiteNotices asks for tell something else.
func TestUnreliable(t *testing.T) {
	storetest.Unreliable(t, func(*testing.T) (bad, good store.Store) {
		good = store.NewMemory()
		line := badLine(good)
		if os.Getenv(brokenVar) == "repeats blindly" {
			return repeatsBlindly{line}, good
		}
		return line, good
	})
}

type broken struct {
	wrap    func(store.Store) store.Store
	noticed []string // the subtests that must fail, among others
}

func brokenStores() map[string]broken {
	return map[string]broken{
		"content is the revision": {func(s store.Store) store.Store { return contentRevisions{s} }, []string{"revisions", "model"}},
		"last writer wins":        {func(s store.Store) store.Store { return lastWriterWins{s} }, []string{"replace", "one_replacer", "model"}},
		"replace creates":         {func(s store.Store) store.Store { return replaceCreates{s} }, []string{"absent", "model"}},
		"half segments": {func(s store.Store) store.Store {
			return listing{s, func(q *store.Query) { q.Prefix = strings.TrimSuffix(q.Prefix, "/") }}
		}, []string{"list_neighbours", "model"}},
		"no limit": {func(s store.Store) store.Store {
			return listing{s, func(q *store.Query) { q.Limit = max(0, -q.Limit) }}
		}, []string{"list", "list_pages", "limits"}},
		"always up":       {func(s store.Store) store.Store { return listing{s, func(q *store.Query) { q.Reverse = false }} }, []string{"list", "keys"}},
		"no start":        {func(s store.Store) store.Store { return listing{s, func(q *store.Query) { q.After = "" }} }, []string{"list", "model"}},
		"one page":        {func(s store.Store) store.Store { return listing{s, onePage} }, []string{"list_pages", "list_and_write"}},
		"folds case":      {func(s store.Store) store.Store { return foldsCase{s} }, []string{"keys"}},
		"stale lists":     {func(s store.Store) store.Store { return &staleLists{Store: s} }, []string{"writers"}},
		"short bounds":    {func(s store.Store) store.Store { return shortBounds{s} }, []string{"list_longest_keys"}},
		"wrong excuse":    {func(s store.Store) store.Store { return wrongExcuse{s} }, []string{"interrupted"}},
		"repeats blindly": {nil, []string{"one_writer", "many_writers"}}, // over a badLine
		"never cancelled": {func(s store.Store) store.Store { return neverCancelled{s} }, []string{"cancelled"}},
		"never shuts":     {func(s store.Store) store.Store { return neverShuts{s} }, []string{"closed"}},
	}
}

func TestSuiteNotices(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range brokenStores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(exe, "-test.run=^(TestSuite|TestUnreliable)$", "-rapid.nofailfile", "-rapid.shrinktime=0")
			cmd.Env = append(os.Environ(), brokenVar+"="+name)
			out, err := cmd.CombinedOutput()
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
				t.Fatalf("the suite ended with %v, want a failure:\n%s", err, out)
			}
			for _, subtest := range b.noticed {
				if !strings.Contains(string(out), "--- FAIL: TestSuite/"+subtest+" ") && !strings.Contains(string(out), "--- FAIL: TestUnreliable/"+subtest+" ") {
					t.Errorf("%s did not notice; the suite said:\n%.2000s", subtest, out)
				}
			}
		})
	}
}

// contentRevisions is the ETag of a careless object store.
type contentRevisions struct{ store.Store }

func etag(data []byte) store.Revision {
	return store.Revision(fmt.Sprintf("%x", sha256.Sum256(data)))
}

func (s contentRevisions) Get(ctx context.Context, key string) (store.Value, error) {
	v, err := s.Store.Get(ctx, key)
	if err == nil {
		v.Revision = etag(v.Data)
	}
	return v, err
}

func (s contentRevisions) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	if _, err := s.Store.Create(ctx, key, data); err != nil {
		return "", err
	}
	return etag(data), nil
}

func (s contentRevisions) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	v, err := s.Store.Get(ctx, key)
	if err != nil || etag(v.Data) != old {
		return "", store.ErrChanged
	}
	if _, err := s.Store.Replace(ctx, key, v.Revision, data); err != nil {
		return "", err
	}
	return etag(data), nil
}

// lastWriterWins forgets the condition of the write.
type lastWriterWins struct{ store.Store }

func (s lastWriterWins) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	if v, err := s.Store.Get(ctx, key); err == nil {
		old = v.Revision
	}
	return s.Store.Replace(ctx, key, old, data)
}

// replaceCreates is an upsert.
type replaceCreates struct{ store.Store }

func (s replaceCreates) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	if rev, err := s.Store.Create(ctx, key, data); err == nil {
		return rev, nil
	}
	return s.Store.Replace(ctx, key, old, data)
}

// listing bends the queries of its lists.
type listing struct {
	store.Store
	bend func(*store.Query)
}

func (s listing) List(ctx context.Context, q store.Query) iter.Seq2[store.Value, error] {
	s.bend(&q)
	return s.Store.List(ctx, q)
}

func onePage(q *store.Query) {
	if q.Limit == 0 || q.Limit > 256 {
		q.Limit = 256
	}
}

// foldsCase is a database with a friendly collation.
type foldsCase struct{ store.Store }

func (s foldsCase) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	return s.Store.Create(ctx, strings.ToLower(key), data)
}

func (s foldsCase) Get(ctx context.Context, key string) (store.Value, error) {
	return s.Store.Get(ctx, strings.ToLower(key))
}

// neverCancelled writes although its caller has gone.
type neverCancelled struct{ store.Store }

func (s neverCancelled) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	return s.Store.Create(context.WithoutCancel(ctx), key, data)
}

// neverShuts answers after Close.
type neverShuts struct{ store.Store }

func (neverShuts) Close() error { return nil }

// staleLists reads its lists from an index that hears of new keys only.
type staleLists struct {
	store.Store
	mu    sync.Mutex
	first map[string]store.Value
}

func (s *staleLists) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	rev, err := s.Store.Create(ctx, key, data)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = map[string]store.Value{}
	}
	s.first[key] = store.Value{Key: key, Data: bytes.Clone(data), Revision: rev}
	return rev, nil
}

func (s *staleLists) List(ctx context.Context, q store.Query) iter.Seq2[store.Value, error] {
	return func(yield func(store.Value, error) bool) {
		for v, err := range s.Store.List(ctx, q) {
			s.mu.Lock()
			stale := s.first[v.Key]
			s.mu.Unlock()
			if err == nil {
				v = stale
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

// shortBounds has room for keys and for nothing longer.
type shortBounds struct{ store.Store }

func (s shortBounds) List(ctx context.Context, q store.Query) iter.Seq2[store.Value, error] {
	if from, to := q.Range(); len(from) > store.MaxKey || len(to) > store.MaxKey {
		return func(yield func(store.Value, error) bool) { yield(store.Value{}, store.ErrInvalid) }
	}
	return s.Store.List(ctx, q)
}

// wrongExcuse reports that it was busy when its caller has gone, and wrote.
type wrongExcuse struct{ store.Store }

func (s wrongExcuse) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	rev, err := s.Store.Replace(context.WithoutCancel(ctx), key, old, data)
	if err == nil && ctx.Err() != nil {
		return "", store.ErrBusy
	}
	return rev, err
}

var errLost = errors.New("connection reset by peer")

// badLine loses every third request of a write and every third answer.
func badLine(s store.Store) store.Store {
	return storetest.Faulty(s, func(_ context.Context, c storetest.Call) storetest.Fault {
		switch fate := rand.N(3); {
		case c.Write() && fate == 0:
			return storetest.Fault{Before: errLost}
		case c.Write() && fate == 1:
			return storetest.Fault{After: errLost}
		}
		return storetest.Fault{}
	})
}

// repeatsBlindly tries again and takes its own write for somebody else's.
type repeatsBlindly struct{ store.Store }

func (s repeatsBlindly) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	for {
		if rev, err := s.Store.Replace(ctx, key, old, data); !errors.Is(err, errLost) {
			return rev, err
		}
	}
}

package daemon_test

import (
	"context"
	"database/sql"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/sqlitestore"
)

// storeSite is a site whose store is a file.
type storeSite struct {
	*site
	path string
	log  *logText
}

func newGround(t *testing.T) *storeSite {
	t.Helper()
	g := &storeSite{site: newSite(t, 8), path: filepath.Join(t.TempDir(), "state", "layerd.db"), log: &logText{}}
	g.site.log = g.log
	g.store = g.open()
	return g
}

func (g *storeSite) open() *sqlitestore.Store {
	g.t.Helper()
	s, err := sqlitestore.Open(g.path)
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

func (g *storeSite) close(s store.Store) { _ = s.Close() }

func (g *storeSite) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// copy makes a copy of the file as it is, as a backup would.
func (g *storeSite) copy() string {
	g.t.Helper()
	beside := sqlitestoreFiles(g.path)
	to := filepath.Join(g.t.TempDir(), "layerd.db")
	for _, f := range beside {
		data, err := os.ReadFile(f)
		if os.IsNotExist(err) {
			continue
		}
		g.must(err)
		g.must(os.WriteFile(to+strings.TrimPrefix(f, g.path), data, 0o600))
	}
	s, err := sqlitestore.Open(to) // merges the log
	g.must(err)
	g.must(s.Close())
	return to
}

func (g *storeSite) mergeLog() {
	g.t.Helper()
	db, err := sql.Open("sqlite", g.path)
	g.must(err)
	defer db.Close()
	_, err = db.Exec("PRAGMA wal_checkpoint(PASSIVE)")
	g.must(err)
}

func sqlitestoreFiles(path string) []string { return []string{path, path + "-wal", path + "-shm"} }

func (g *storeSite) remove() {
	for _, f := range sqlitestoreFiles(g.path) {
		g.must(os.Remove(f))
	}
}

// raise has dev follow to 1.5.0, one function after the other.
func (g *storeSite) raise() {
	g.commit("Raise", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "rollout: {max_parallel: 1}\n")})
}

func (g *storeSite) untilWrites(n int) {
	g.t.Helper()
	for range 6000 {
		if g.world.Writes() >= n {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	g.t.Fatalf("%d writes, want %d", g.world.Writes(), n)
}

// problems returns what is wrong with p's readiness.
func problems(p *process) string { return strings.Join(p.daemon.Health().Reasons, "; ") }

// What was lost, and how it comes back. copied was made when the daemon had
// looked at everything once.
var lostFiles = map[string]struct {
	lose, mend func(g *storeSite, copied string)
}{
	"deleted, and a copy put back": {
		func(g *storeSite, _ string) { g.remove() },
		func(g *storeSite, copied string) { g.must(os.Rename(copied, g.path)) },
	},
	"deleted, and made anew": {
		func(g *storeSite, _ string) { g.remove() },
		func(g *storeSite, _ string) { g.close(g.open()) }, // layerd store init
	},
	"moved away and back": {
		func(g *storeSite, _ string) { g.must(os.Rename(filepath.Dir(g.path), filepath.Dir(g.path)+".away")) },
		func(g *storeSite, _ string) { g.must(os.Rename(filepath.Dir(g.path)+".away", filepath.Dir(g.path))) },
	},
	"replaced by a copy": {
		func(g *storeSite, copied string) {
			g.remove()
			g.must(os.Rename(copied, g.path))
		}, nil,
	},
	"replaced by a new one": {
		func(g *storeSite, _ string) {
			g.remove()
			g.close(g.open())
		}, nil,
	},
	"overwritten by a copy": {
		func(g *storeSite, copied string) {
			// Where all writes since are in the log still, the log makes a whole of
			// it again, and nothing is lost.
			g.mergeLog()
			time.Sleep(6 * time.Second) // the daemon looks at the file every five
			data, err := os.ReadFile(copied)
			g.must(err)
			g.must(os.Truncate(g.path, 0))
			g.must(os.WriteFile(g.path, data, 0o600))
		}, nil,
	},
	"the log deleted": {
		func(g *storeSite, _ string) { g.must(os.Remove(g.path + "-wal")) }, nil,
	},
	"a folder over it": {
		func(g *storeSite, _ string) {
			g.must(os.Rename(filepath.Dir(g.path), filepath.Dir(g.path)+".away"))
			g.must(os.Mkdir(filepath.Dir(g.path), 0o700))
		},
		func(g *storeSite, copied string) { g.must(os.Rename(copied, g.path)) },
	},
}

// TestP1StoreIsReplaced: whatever becomes of the file and whenever, AWS is not
// changed any more until it is opened anew; that is told once, and resolved; and
// what is done afterwards is in the history that is there then.
func TestP1StoreIsReplaced(t *testing.T) {
	t.Parallel()
	for _, name := range nightly.Sample(slices.Sorted(maps.Keys(lostFiles)), 2) {
		l := lostFiles[name]
		for _, when := range []string{"idle", "in a rollout"} {
			t.Run(name+", "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { replacedStory(t, when, l.lose, l.mend) })
			})
		}
	}
}

func replacedStory(t *testing.T, when string, lose, mend func(*storeSite, string)) {
	g := newGround(t)
	defer func() { g.close(g.store) }()
	p := g.start("one")
	defer p.stop()
	time.Sleep(2 * time.Minute)
	copied := g.copy()
	g.slack.take()
	if when == "idle" {
		time.Sleep(2 * time.Minute)
		lose(g, copied)
		g.raise()
	} else {
		g.raise()
		g.untilWrites(3)
		lose(g, copied)
	}
	written := g.world.Writes()
	if mend != nil {
		time.Sleep(5 * time.Minute)
		checkHalted(t, g, p, written)
		mend(g, copied)
	} else if time.Sleep(3 * time.Second); g.world.Writes() != written {
		t.Errorf("%d writes after the loss", g.world.Writes()-written)
	}
	anew := g.world.Writes()
	time.Sleep(5 * time.Minute)
	if n := g.has(accountID, 5); n != 8 {
		t.Errorf("%d of 8 functions have 5 after the store was back; %s", n, problems(p))
	}
	if !p.daemon.Health().Ready {
		t.Errorf("not ready: %s", problems(p))
	}
	titles := g.slack.titles()
	if strings.Count(titles, "opened: layerd: the store does not work") != 1 || strings.Count(titles, "resolved: layerd: the store does not work") != 1 ||
		strings.Contains(titles, "lease") {
		t.Errorf("told:\n%s", titles)
	}
	if !strings.Contains(g.log.String(), "not the store that was opened") || !strings.Contains(g.log.String(), "store opened anew") {
		t.Error("the log does not say it")
	}
	checkRecorded(t, g, g.world.Writes()-anew)
	g.world.ResetCalls()
	time.Sleep(10 * time.Minute)
	if n := g.world.Writes(); n != 0 || !p.daemon.Health().Ready {
		t.Errorf("ten minutes later: %d writes, %s", n, problems(p))
	}
}

// checkHalted: nothing is changed while there is no store, and no file is made.
func checkHalted(t *testing.T, g *storeSite, p *process, written int) {
	t.Helper()
	if n := g.world.Writes() - written; n != 0 {
		t.Errorf("%d writes after the loss", n)
	}
	if h := p.daemon.Health(); h.Ready || !h.Alive || !strings.Contains(problems(p), "the store does not work") {
		t.Errorf("ready %t, alive %t: %s", h.Ready, h.Alive, problems(p))
	}
	if _, err := os.Stat(g.path); !os.IsNotExist(err) {
		t.Errorf("a file was made: %v", err)
	}
}

// checkRecorded: who opens the store by its name finds each of the last writes.
func checkRecorded(t *testing.T, g *storeSite, writes int) {
	t.Helper()
	here := g.open()
	defer g.close(here)
	old := g.store
	g.store = here
	defer func() { g.store = old }()
	var names []string
	for _, e := range g.entries() {
		if e.ToVersion == "1.5.0" && e.Status == "applied" {
			names = append(names, e.Function)
		}
	}
	slices.Sort(names)
	if n := len(slices.Compact(names)); n < writes {
		t.Errorf("%d writes, of which %d are in the history", writes, n)
	}
}

// TestP1StoreIsReplacedForASecond: while one has an account in a file that is gone,
// another is let in to the new one: they never both act.
func TestP1StoreIsReplacedForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGround(t)
		g.site.log = nil // two would write to it at once
		first := g.store
		defer g.close(first)
		one := g.start("one")
		defer one.stop()
		time.Sleep(2 * time.Minute)
		g.raise()
		g.untilWrites(2)
		g.remove()
		g.store = g.open()
		defer g.close(g.store)
		g.world.ResetCalls()
		two := g.start("two")
		defer two.stop()
		time.Sleep(5 * time.Minute)
		if n := g.has(accountID, 5); n != 8 {
			t.Errorf("%d of 8 have 5", n)
		}
		holding := 0
		for _, p := range []*process{one, two} {
			for _, a := range p.daemon.Health().Accounts {
				if a.Holding {
					holding++
				}
			}
		}
		if holding != 2 {
			t.Errorf("2 accounts are held %d times", holding)
		}
		if w := writers(g.site); len(w) != 1 {
			t.Errorf("after the loss AWS was changed by %q", w)
		}
	})
}

// writers are the processes that have changed anything.
func writers(s *site) []string {
	var list []string
	for _, c := range s.world.Calls() {
		if c.Write && !slices.Contains(list, c.Caller) {
			list = append(list, c.Caller)
		}
	}
	return list
}

// table is a store that does not notice when another one is put in its place.
type table struct {
	store.Store
	now *atomic.Pointer[store.Memory]
}

func (s table) Get(ctx context.Context, key string) (store.Value, error) {
	return s.now.Load().Get(ctx, key)
}

func (s table) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	return s.now.Load().Create(ctx, key, data)
}

func (s table) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	return s.now.Load().Replace(ctx, key, old, data)
}

func (s table) List(ctx context.Context, q store.Query) iter.Seq2[store.Value, error] {
	return s.now.Load().List(ctx, q)
}

// TestP1TableIsMadeAnew: a table that was deleted and made anew between two calls
// is no silent beginning: the lease is missed, that is told, and everything that
// was known of the old one is dropped.
func TestP1TableIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 4)
		at := &atomic.Pointer[store.Memory]{}
		at.Store(store.NewMemory())
		s.store = table{now: at}
		p := s.start("one")
		defer p.stop()
		time.Sleep(10 * time.Minute)
		s.slack.take()
		at.Store(store.NewMemory())
		time.Sleep(5 * time.Minute)
		if titles := s.slack.titles(); strings.Count(titles, "opened: layerd: the store does not work") != 1 || strings.Count(titles, "resolved: layerd: the store does not work") != 1 {
			t.Errorf("told:\n%s", titles)
		}
		s.commit("Raise", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "")})
		time.Sleep(5 * time.Minute)
		if n := s.has(accountID, 5); n != 4 || !p.daemon.Health().Ready {
			t.Errorf("%d of 4 have 5; %s", n, problems(p))
		}
		if n := len(s.entries()); n != 4 {
			t.Errorf("%d entries in the history, want 4", n)
		}
		kept := 0 // the last good commits, which a start without Git needs
		for v, err := range s.store.List(t.Context(), store.Query{Prefix: store.Prefix("desired", "acme")}) {
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(v.Key, "/") == 2 {
				kept++
			}
		}
		if kept != 2 {
			t.Errorf("%d last good commits are kept, want 2", kept)
		}
	})
}

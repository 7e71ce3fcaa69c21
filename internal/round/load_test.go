package round_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// BenchmarkQuietRound is a round of the daemon in which nothing is new. Beside
// time and garbage it says what a store in the cloud would charge: DynamoDB
// counts a unit for every 4 KB that a strongly consistent read covers.
func BenchmarkQuietRound(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := newFixture(b, n, awssim.Options{Limits: awssim.Unlimited()})
			f.want("1.4.0")
			f.aws = daemon.AWSOptions{RequestsPerSecond: 1e6, GetFunctionPerSecond: 1e6}
			r := f.round()
			m, still := newMeter(r.Store), &stillCloud{}
			r.Store, r.Cache, r.Lease = m, round.NewCache(), holding(1)
			connect, once := r.Connect, sync.Once{}
			r.Connect = func(ctx context.Context, e desired.Environment) (cloud round.Cloud, err error) {
				once.Do(func() { still.Cloud, err = connect(ctx, e) })
				return still, err
			}
			for range 2 { // adopt, and have read what was adopted
				if _, err := r.Apply(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			m.reads, m.bytes, m.units, m.writes = 0, 0, 0, 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Apply(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(m.reads)/float64(b.N), "values-read/op")
			b.ReportMetric(float64(m.bytes)/1024/float64(b.N), "KB-read/op")
			b.ReportMetric(m.units/float64(b.N), "read-units/op")
			b.ReportMetric(float64(m.writes)/float64(b.N), "writes/op")
		})
	}
}

// stillCloud is AWS as it was first seen: the simulated one would be most of
// what is measured.
type stillCloud struct {
	round.Cloud
	once sync.Once
	snap state.Snapshot
	err  error
}

func (c *stillCloud) Observe(ctx context.Context, q state.Query) (state.Snapshot, error) {
	c.once.Do(func() { c.snap, c.err = c.Cloud.Observe(ctx, q) })
	return c.snap, c.err
}

// holding returns a lease that lasts.
func holding(fence int64) func(context.Context, string) (round.Lease, error) {
	return func(context.Context, string) (round.Lease, error) { return lasting(fence), nil }
}

type lasting int64

func (l lasting) Fence() int64   { return int64(l) }
func (lasting) Check() error     { return nil }
func (lasting) Until() time.Time { return time.Now().Add(time.Minute) }
func (lasting) Bind(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// What is trusted without reading it is what the store has, whatever happens
// between the rounds and whoever has the lease.
func TestTrustedPastIsWhatTheStoreHas(t *testing.T) {
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 30, awssim.Options{Limits: awssim.Unlimited()})
		f.want("1.4.0")
		rng := rand.New(rand.NewPCG(7, 7))
		looks, fence, trusted := round.NewCache(), int64(1), 0
		for range 150 {
			switch name := fmt.Sprintf("makoto-%04d", rng.IntN(30)); rng.IntN(9) {
			case 0:
				f.want(fmt.Sprintf("1.%d.0", 2+rng.IntN(4)))
			case 1:
				f.tree.Environments[0].Drift.Report = !f.tree.Environments[0].Drift.Report
			case 2:
				f.world.PutFunction(awssim.Function{Name: name, Layers: []string{f.world.LayerARN("common", 1)}})
			case 3:
				f.world.PutFunction(awssim.Function{Name: name, Layers: []string{f.world.LayerARN("other", 1)}})
			case 4:
				f.world.DropFunction(name)
			case 5:
				fence++
			default: // a minute in which nothing happens
			}
			time.Sleep(time.Minute)
			r := f.round()
			r.Cache, r.Lease = looks, holding(fence)
			if _, err := r.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			have, ours := looks.Past(f.tree.Environments[0], fence, time.Now())
			if !ours {
				continue
			}
			trusted++
			stored, err := history.Open(f.store, "test").Past(t.Context(), "prod", region)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(stored, have); diff != "" {
				t.Fatalf("the store has - and + is trusted:\n%s", diff)
			}
			looks.MarkFresh(f.tree.Environments[0], fence)
		}
		if trusted < 20 {
			t.Errorf("the past was trusted %d times of 150", trusted)
		}
	})
}

// A quiet minute reads nothing of each function; another hold of the lease and
// another hour do.
func TestQuietRoundReadsNoFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 200, awssim.Options{Limits: awssim.Unlimited()})
		f.want("1.4.0")
		m, looks := newMeter(f.store), round.NewCache()
		reads := func(fence int64) int {
			m.reads, m.writes = 0, 0
			r := f.round()
			r.Store, r.Cache, r.Lease = m, looks, holding(fence)
			if _, err := r.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			return m.reads
		}
		reads(1) // adopts
		for i, tt := range []struct {
			after time.Duration
			fence int64
			all   bool
		}{
			{time.Minute, 1, true}, {time.Minute, 1, false}, {time.Minute, 1, false}, {time.Minute, 2, true}, {time.Minute, 2, false},
			{time.Hour, 2, true}, {time.Minute, 2, false},
		} {
			time.Sleep(tt.after)
			if n := reads(tt.fence); (n >= 200) != tt.all || n > 220 || m.writes > 0 {
				t.Errorf("round %d read %d values and wrote %d", i, n, m.writes)
			}
		}
	})
}

// meter counts what is asked of a store.
type meter struct {
	store.Store
	mu                   sync.Mutex
	reads, bytes, writes int
	units                float64
}

// unit is what one strongly consistent read unit covers, and row what an item
// has beside its key and its data: the names of its attributes, its partition
// and its revision.
const unit, row = 4 << 10, 60

func newMeter(s store.Store) *meter {
	m := &meter{}
	m.Store = storetest.Faulty(s, func(_ context.Context, c storetest.Call) storetest.Fault {
		return storetest.Fault{Done: func(a storetest.Answer) { m.count(c, a) }}
	})
	return m
}

func (m *meter) count(c storetest.Call, a storetest.Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.Write() {
		m.writes++
		return
	}
	size := a.Bytes + a.Values*row
	m.reads += a.Values
	m.bytes += size
	m.units += float64(max(1, (size+unit-1)/unit))
}

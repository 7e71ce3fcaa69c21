package daemon

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/store"
)

// Any number of accounts among any number of daemons: they come to rest, and no
// daemon has two more than another.
func TestAccountsComeToRest(t *testing.T) {
	for accounts := 1; accounts <= 7; accounts++ {
		for daemons := 2; daemons <= 5; daemons++ {
			synctest.Test(t, func(t *testing.T) {
				var trees desiredView
				for i := range accounts {
					trees.tree.Environments = append(trees.tree.Environments, desired.Environment{Account: fmt.Sprintf("%012d", i), Name: fmt.Sprint(i)})
				}
				s := store.NewMemory()
				var all []*Daemon
				held := make([]map[string]*lease.Lease, daemons)
				changes := 0
				made := func() {
					for i, d := range all {
						for _, id := range trees.accounts() {
							l := held[i][id]
							if l == nil {
								if l, err := d.keeper.Try(t.Context(), id); err == nil {
									held[i][id] = l
									changes++
								}
							} else if _, asked := l.Asked(); asked {
								_ = l.Release(t.Context())
								delete(held[i], id)
							}
						}
						_ = d.balance(t.Context())
						time.Sleep(time.Second)
					}
					time.Sleep(10 * time.Second)
				}
				for i := range daemons {
					d := &Daemon{keeper: lease.New(s, lease.Holder{Name: fmt.Sprint(i), Repository: "acme"}, 0)}
					w := trees
					w.stale = d.head.staleReason() != ""
					d.view = &w
					all, held[i] = append(all, d), map[string]*lease.Lease{}
					for range 3 {
						w.computedAt = time.Now()
						made()
					}
				}
				rounds := func(n int) {
					for range n {
						for _, d := range all {
							d.view.computedAt = time.Now()
						}
						made()
					}
				}
				rounds(60)
				changes = 0
				rounds(100)
				var counts []int
				for _, h := range held {
					counts = append(counts, len(h))
				}
				if changes > 0 || slices.Max(counts)-slices.Min(counts) > 1 {
					t.Errorf("%d accounts, %d daemons: they have %v, after %d changes", accounts, daemons, counts, changes)
				}
				for _, h := range held {
					for _, l := range h {
						_ = l.Release(t.Context())
					}
				}
			})
		}
	}
}

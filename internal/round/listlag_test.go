package round_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/store"
)

// lagging is publishing, where a version that was published does not show in the list of
// versions for a while.
func lagging(t *testing.T, functions int, lag time.Duration) (*fixture, *shelf) {
	f := newFixture(t, functions, awssim.Options{Settle: 2 * time.Second, ListLag: lag})
	f.wantPublished("1.6.0")
	return f, &shelf{zips: map[string][]byte{"layers/common/1.6.0.zip": zipOf("1.6.0")}}
}

// A list that lacks what was just published makes no second version of it, whoever reads
// it: the same daemon, one that comes after a kill, one that calls the environment by
// another name, one that has lost its store. What the history has a number of is there.
func TestPublishOnceWhileTheListLags(t *testing.T) {
	for _, lag := range []time.Duration{20 * time.Second, 3 * time.Minute, 20 * time.Minute, 3 * time.Hour} {
		for name, next := range map[string]func(*testing.T, *fixture, *shelf){
			"the same daemon": func(t *testing.T, f *fixture, s *shelf) {
				f.cache = round.NewCache()
				f.applyFrom(t, s)
			},
			"another daemon": func(t *testing.T, f *fixture, s *shelf) { f.applyFrom(t, s) },
			"after a kill that lost the answer": func(t *testing.T, f *fixture, s *shelf) {
				f.archives = s
				f.killed(t, "PublishLayerVersion", 1, true)
			},
			"after a kill in the first attach": func(t *testing.T, f *fixture, s *shelf) {
				f.archives = s
				f.killed(t, "UpdateFunctionConfiguration", 1, true)
			},
			"the environment has another name": func(t *testing.T, f *fixture, s *shelf) {
				f.applyFrom(t, s)
				f.tree.Names, f.tree.Environments[0].Name = []string{"production"}, "production"
			},
			"the store is lost": func(t *testing.T, f *fixture, s *shelf) {
				f.applyFrom(t, s)
				f.store = store.NewMemory()
			},
		} {
			t.Run(fmt.Sprintf("%s, %s", lag, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f, s := lagging(t, 3, lag)
					began := time.Now()
					next(t, f, s)
					for range 12 {
						time.Sleep(time.Minute)
						if f.applyFrom(t, s); len(f.newest()) != 1 {
							t.Fatalf("%d versions after %s", len(f.newest()), time.Since(began))
						}
					}
					if f.behind(6) != nil {
						t.Errorf("behind %v, and 1.6.0 is there", f.behind(6))
					}
					if open, err := history.Open(f.store, "test").Unfinished(t.Context()); err != nil || len(open) != 0 {
						t.Errorf("open %+v, %v", open, err)
					}
				})
			})
		}
	}
}

// While the list lags, nothing is planned that is done already: no publish, no attach, no
// way back to what is older, whatever Git asks with, and nobody is asked to approve it.
func TestNothingIsPlannedWhileTheListLags(t *testing.T) {
	for _, asked := range []string{"1.6.0", "6", "^1.4", "latest"} {
		t.Run(asked, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := lagging(t, 3, time.Hour)
				if f.applyFrom(t, s); f.behind(6) != nil {
					t.Fatalf("behind %v", f.behind(6))
				}
				f.tree.Environments[0].ApprovalRequired = true
				f.asks(asked)
				delete(s.zips, "layers/common/1.6.0.zip") // it is not needed any more
				f.world.ResetCalls()
				for range 3 {
					time.Sleep(time.Minute)
					r := f.applyFrom(t, s).Plans[0].Regions[0]
					if len(r.Steps) != 0 || len(r.Problems) != 0 || len(r.Drift) != 0 || !r.InSync {
						t.Fatalf("steps %+v, problems %+v, drift %+v", r.Steps, r.Problems, r.Drift)
					}
				}
				if f.world.Writes() != 0 || f.behind(6) != nil {
					t.Errorf("%d writes, behind %v", f.world.Writes(), f.behind(6))
				}
			})
		})
	}
}

// A version that was deleted is published again: AWS says that there is none of its number.
// Where AWS does not say, nobody knows, and nothing is published.
func TestPublishedAgainWhenItIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := lagging(t, 2, time.Minute)
		f.applyFrom(t, s)
		time.Sleep(5 * time.Minute)
		f.world.DropLayerVersion(f.world.LayerARN("common", 6))
		f.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == "GetLayerVersion" {
				return awssim.Denied(c)
			}
			return awssim.Fault{}
		})
		r := f.applyFrom(t, s)
		if p := r.Plans[0].Regions[0].Problems; len(f.newest()) != 0 || len(publishSteps(r)) != 0 || len(p) != 1 || p[0].Code != "version_not_found" {
			t.Fatalf("%d versions, steps %+v, problems %+v", len(f.newest()), publishSteps(r), p)
		}
		f.world.OnCall(nil)
		for range 5 {
			time.Sleep(time.Minute)
			r = f.applyFrom(t, s)
		}
		if n := f.newest(); len(n) != 1 || n[0].Number != 7 || f.behind(7) != nil {
			t.Errorf("%+v, behind %v", n, f.behind(7))
		}
		if n := statuses(r)[plan.StatusFailed]; n != 0 {
			t.Errorf("%d failed", n)
		}
	})
}

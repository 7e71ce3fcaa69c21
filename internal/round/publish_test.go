package round_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
	"github.com/layerd/layerd/internal/window"
)

// zipOf returns a small archive of a layer.
func zipOf(text string) []byte { return awssim.Zip(map[string]string{"python/common.py": text}) }

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// shelf has archives by their location. What is opened may be another one than what was
// looked at.
type shelf struct {
	mu     sync.Mutex
	zips   map[string][]byte
	opened func(state.Artifact) (apply.Source, error) // nil: the bytes
}

func (s *shelf) Look(_ context.Context, _ desired.Environment, a state.Artifact) (state.Content, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.zips[a.Location]
	if !ok {
		return state.Content{Code: "artifact_missing", Message: a.Location + " is not there"}, nil
	}
	return state.Content{SHA256: sumOf(b), Size: int64(len(b)), Unzipped: int64(len(b))}, nil
}

// Inside is round.Artifacts: this shelf remembers nothing.
func (s *shelf) Inside(context.Context, string) (inspect.Contents, bool) {
	return inspect.Contents{}, false
}

func (s *shelf) Open(_ context.Context, _ desired.Environment, a state.Artifact, _ state.Content) (apply.Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened != nil {
		return s.opened(a)
	}
	return apply.Source{Zip: s.zips[a.Location]}, nil
}

// publishing is a fixture that wants 1.6.0 of common, which is on the shelf and not live.
func publishing(t testing.TB, functions int) (*fixture, *shelf) {
	t.Helper()
	f := newFixture(t, functions, awssim.Options{Settle: 2 * time.Second})
	f.wantPublished("1.6.0")
	return f, &shelf{zips: map[string][]byte{"layers/common/1.6.0.zip": zipOf("1.6.0")}}
}

func (f *fixture) wantPublished(version string) {
	f.want(version)
	f.tree.Environments[0].Layers[0].Source = &desired.Source{Location: "layers/common/${VERSION}.zip", SHA256: map[string]string{}, Description: "common"}
}

func (f *fixture) applyFrom(t testing.TB, s *shelf) round.Result {
	t.Helper()
	r := f.round()
	r.Artifacts = s
	result, err := r.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// newest returns the versions of common above those of the fixture.
func (f *fixture) newest() (list []awssim.LayerVersion) {
	return slices.DeleteFunc(f.world.LayerVersions("common"), func(v awssim.LayerVersion) bool { return v.Number <= 5 })
}

func publishSteps(r round.Result) (list []plan.Step) {
	for _, s := range r.Plans[0].Regions[0].Steps {
		if s.Kind == plan.KindPublish {
			list = append(list, s)
		}
	}
	return list
}

// What Git wants and AWS lacks is published and attached in one round, and the next one
// writes nothing.
func TestPublishAndAttachInOneRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := publishing(t, 12)
		first := f.applyFrom(t, s)
		if left := f.behind(6); left != nil || len(f.newest()) != 1 {
			t.Fatalf("left behind: %v; live above 5: %+v\n%+v", left, f.newest(), first.Plans[0].Regions[0].Failure)
		}
		v := f.newest()[0]
		if want := "common v1.6.0 sha256:" + sumOf(s.zips["layers/common/1.6.0.zip"])[:12]; !strings.HasPrefix(v.Description, want) {
			t.Errorf("Description %q", v.Description)
		}
		if steps := publishSteps(first); len(steps) != 1 || !steps[0].Done() || steps[0].Result.Published != state.LayerVersionARN(f.world.LayerARN("common", 6)) {
			t.Errorf("steps %+v", steps)
		}
		if n := statuses(first)[plan.StatusApplied]; n != 13 || !first.Plans[0].Regions[0].InSync {
			t.Errorf("%d applied, in sync %v", n, first.Plans[0].Regions[0].InSync)
		}
		entries := 0
		for e, err := range history.Open(f.store, "test").Entries(t.Context(), history.Query{Layer: "common"}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == plan.KindPublish {
				entries++
				if e.ToNumber != 6 || e.Status != plan.StatusApplied || e.Revision != "c0ffee" || e.Rollout != "" {
					t.Errorf("%+v", e)
				}
			}
		}
		if entries != 1 {
			t.Errorf("%d publishes in the history", entries)
		}
		f.world.ResetCalls()
		var writes int
		kept := f.store
		f.store = storetest.Faulty(kept, func(_ context.Context, c storetest.Call) storetest.Fault {
			if c.Write() {
				writes++
			}
			return storetest.Fault{}
		})
		second := f.applyFrom(t, s)
		if f.world.Writes() != 0 || len(publishSteps(second)) != 0 {
			t.Errorf("the second round wrote %d times to AWS", f.world.Writes())
		}
		third := f.applyFrom(t, s)
		if writes = 0; len(third.Plans[0].Regions[0].Steps) != 0 {
			t.Errorf("steps %+v", third.Plans[0].Regions[0].Steps)
		}
		f.applyFrom(t, s)
		if writes != 0 {
			t.Errorf("a quiet round wrote %d times to the store", writes)
		}
	})
}

// A publish changes no function and waits for no window; a freeze holds it.
func TestPublishNeedsNoWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := publishing(t, 3)
		w, err := window.Parse("Sat 02:00-06:00", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		f.tree.Environments[0].Calendar.Windows = []window.Window{w}
		f.now = func() time.Time { return time.Date(2026, 1, 7, 12, 0, 0, 0, time.UTC) } // a Wednesday
		r := f.applyFrom(t, s)
		if len(f.newest()) != 1 || len(f.behind(6)) != 3 {
			t.Fatalf("published %d, behind %v", len(f.newest()), f.behind(6))
		}
		for _, s := range r.Plans[0].Regions[0].Steps {
			if s.Function != "" && (s.To.Number() != 6 || !s.HeldBy(plan.ByWindow) || s.HeldBy(plan.ByOrder)) {
				t.Errorf("%s to %s: %+v", s.ID, s.To, s.Held)
			}
		}
		f.now = func() time.Time { return time.Date(2026, 1, 10, 3, 0, 0, 0, time.UTC) }
		if f.applyFrom(t, s); len(f.newest()) != 1 || f.behind(6) != nil {
			t.Errorf("published %d, behind %v", len(f.newest()), f.behind(6))
		}
	})
}

// Where an approval is asked for it covers the publish and what follows from it, and it
// is used up when all of that is done.
func TestPublishUnderAnApproval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := publishing(t, 4)
		f.tree.Environments[0].ApprovalRequired = true
		waits := f.applyFrom(t, s)
		if f.world.Writes() != 0 || len(publishSteps(waits)) != 1 || !publishSteps(waits)[0].HeldBy(plan.ByApproval) {
			t.Fatalf("%d writes; %+v", f.world.Writes(), waits.Plans[0].Regions[0].Steps)
		}
		log := history.Open(f.store, "test")
		_, err := log.Rulings().Approve(t.Context(), ruling.Approval{Environment: "prod", Digest: waits.Plans[0].Digest, By: "aiko", At: time.Now()}, f.tree.Environments[0].Calendar)
		if err != nil {
			t.Fatal(err)
		}
		f.applyFrom(t, s)
		if len(f.newest()) != 1 || f.behind(6) != nil {
			t.Fatalf("published %d, behind %v", len(f.newest()), f.behind(6))
		}
		f.applyFrom(t, s)
		approvals, err := ruling.Load(t.Context(), f.store, "test", "prod")
		if err != nil || len(approvals) != 1 || approvals[0].Ended.IsZero() {
			t.Errorf("%+v, %v", approvals, err)
		}
	})
}

// Killed at a publish, before and after AWS did it, and whatever AWS still makes of the
// request afterwards: there is one version in the end.
func TestPublishKilled(t *testing.T) {
	for _, c := range []struct {
		name string
		done bool
		late time.Duration // after the kill AWS does it all the same; 0 = never
	}{
		{"AWS did it", true, 0},
		{"AWS did not", false, 0},
		{"AWS does it seconds later", false, 5 * time.Second},
		{"AWS does it minutes later", false, 4 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := publishing(t, 3)
				f.archives = s
				began := time.Now()
				f.killed(t, "PublishLayerVersion", 1, c.done)
				if c.late > 0 {
					zipped := s.zips["layers/common/1.6.0.zip"]
					time.AfterFunc(c.late, func() {
						f.world.PutLayerVersion(awssim.LayerVersion{Name: "common", Content: zipped, CodeSha256: "",
							Description: "common v1.6.0 sha256:" + sumOf(zipped)[:12]})
					})
				}
				for range 10 { // rounds of whoever comes next
					time.Sleep(time.Minute)
					f.applyFrom(t, s)
					if n := len(f.newest()); n > 1 || n == 1 && c.late == 0 && !c.done && time.Since(began) < 5*time.Minute {
						t.Fatalf("%d versions after %s", n, time.Since(began))
					}
				}
				if len(f.newest()) != 1 || f.behind(6) != nil {
					t.Errorf("%d versions, behind %v", len(f.newest()), f.behind(6))
				}
				if open, err := history.Open(f.store, "test").Unfinished(t.Context()); err != nil || len(open) != 0 {
					t.Errorf("open %+v, %v", open, err)
				}
				count := map[plan.Status]int{}
				for e := range history.Open(f.store, "test").Entries(t.Context(), history.Query{}) {
					if e.Kind == plan.KindPublish {
						count[e.Status]++
					}
				}
				if count[plan.StatusApplied] != 1 || count[plan.StatusFailed] != 0 {
					t.Errorf("the history has %v", count)
				}
			})
		})
	}
}

// A publish whose answer is lost is looked for and never sent again, by this round or a
// later one, until it cannot come any more.
func TestPublishAnswerLost(t *testing.T) {
	for _, done := range []bool{true, false} {
		t.Run(fmt.Sprint("done ", done), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := publishing(t, 3)
				lost := awssim.Reset()
				if done {
					lost = awssim.LostAnswer()
				}
				first := true
				f.world.OnCall(func(c awssim.Call) awssim.Fault {
					if c.Operation == "PublishLayerVersion" && first {
						first = false
						return lost
					}
					return awssim.Fault{}
				})
				r := f.applyFrom(t, s)
				if done != (f.behind(6) == nil) {
					t.Errorf("behind: %v\n%+v", f.behind(6), publishSteps(r))
				}
				for range 6 {
					time.Sleep(time.Minute)
					f.applyFrom(t, s)
				}
				if len(f.newest()) != 1 || f.behind(6) != nil {
					t.Errorf("%d versions, behind %v", len(f.newest()), f.behind(6))
				}
			})
		})
	}
}

// What AWS made of other content than was decided about is attached to nothing, although
// its Description says that it is what Git wants.
func TestPublishedOtherContentIsKeptAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := publishing(t, 3)
		f.world.PutBucket(awssim.Bucket{Name: "artifacts"})
		f.world.PutObject("artifacts", "common.zip", zipOf("another"))
		s.opened = func(state.Artifact) (apply.Source, error) {
			return apply.Source{Bucket: "artifacts", Key: "common.zip"}, nil
		}
		r := f.applyFrom(t, s)
		if steps := publishSteps(r); len(steps) != 1 || steps[0].Result.Status != plan.StatusFailed || !strings.Contains(steps[0].Result.Error, "other content") {
			t.Fatalf("%+v", steps)
		}
		for range 3 {
			if len(f.newest()) != 1 || len(f.behind(6)) != 3 {
				t.Fatalf("%d versions, behind %v", len(f.newest()), f.behind(6))
			}
			time.Sleep(time.Minute)
			f.applyFrom(t, s)
		}
	})
}

// The bytes of a version are the same everywhere: another environment, in another account
// and with another archive, is refused whoever comes first.
func TestPublishOneContentInTwoAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := store.NewMemory()
		var wg sync.WaitGroup
		var published [2]int
		for i := range 2 {
			f, s := publishing(t, 2)
			f.store = shared
			f.tree.Names, f.tree.Environments[0].Name = []string{fmt.Sprint("env", i)}, fmt.Sprint("env", i)
			s.zips["layers/common/1.6.0.zip"] = zipOf(fmt.Sprint("of account ", i))
			wg.Go(func() {
				for range 5 {
					f.applyFrom(t, s)
					time.Sleep(time.Minute)
				}
				published[i] = len(f.newest())
			})
		}
		wg.Wait()
		if published[0]+published[1] != 1 {
			t.Errorf("published %v", published)
		}
	})
}

// What AWS refuses is tried again, at longer and longer intervals, and does not fill the
// history; once it lets it through all goes on.
func TestPublishRefusedIsNotTriedForEver(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	synctest.Test(t, func(t *testing.T) {
		f, s := publishing(t, 2)
		f.cache = round.NewCache()
		f.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == "PublishLayerVersion" {
				return awssim.Fault{Before: &awssim.Failure{Status: 400, Code: "CodeStorageExceededException", Message: "Code storage limit exceeded."}}
			}
			return awssim.Fault{}
		})
		tries := func() int {
			n := 0
			for _, c := range f.world.Calls() {
				if c.Operation == "PublishLayerVersion" {
					n++
				}
			}
			return n
		}
		for range 24 * 60 {
			r := f.applyFrom(t, s)
			if steps := publishSteps(r); len(steps) != 1 || !strings.Contains(steps[0].Result.Error, "Code storage limit exceeded") || steps[0].Done() {
				t.Fatalf("%+v", steps)
			}
			time.Sleep(time.Minute)
		}
		if n := tries(); n < 24 || n > 40 {
			t.Errorf("tried %d times in a day", n)
		}
		f.world.OnCall(nil)
		time.Sleep(time.Hour)
		if f.applyFrom(t, s); f.behind(6) != nil {
			t.Errorf("behind %v", f.behind(6))
		}
	})
}

// What AWS has of other content stays away, whatever Git asks for in between, however the
// answer was lost, and also when the store is: its Description says that it is the version
// that is wanted.
func TestPublishedOtherContentStaysAway(t *testing.T) {
	for name, fault := range map[string]awssim.Fault{
		"answered":           {},
		"its answer is lost": awssim.LostAnswer(),
		"the store is lost":  {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := publishing(t, 3)
				f.world.PutBucket(awssim.Bucket{Name: "artifacts"})
				f.world.PutObject("artifacts", "common.zip", zipOf("another"))
				s.opened = func(state.Artifact) (apply.Source, error) {
					return apply.Source{Bucket: "artifacts", Key: "common.zip"}, nil
				}
				f.world.OnCall(func(c awssim.Call) awssim.Fault {
					if c.Operation == "PublishLayerVersion" {
						return fault
					}
					return awssim.Fault{}
				})
				for _, want := range []string{"1.6.0", "1.4.0", "1.6.0", "1.6.0"} {
					f.wantPublished(want)
					f.applyFrom(t, s)
					time.Sleep(10 * time.Minute)
					if name == "the store is lost" {
						f.store = store.NewMemory()
					}
				}
				if len(f.newest()) != 1 || len(f.behind(6)) != 3 {
					t.Errorf("%d versions above 5, without 6: %v", len(f.newest()), f.behind(6))
				}
			})
		})
	}
}

// A publish waits for no window, and so begins within a minute of its approval. That does
// not keep the approval alive: where nothing was attached by the end of the next window,
// the attaches need another one.
func TestAPublishKeepsNoApprovalAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := publishing(t, 4)
		w, err := window.Parse("Saturday 02:00-06:00", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		f.tree.Environments[0].ApprovalRequired = true
		f.tree.Environments[0].Calendar.Windows = []window.Window{w}
		time.Sleep(48 * time.Hour) // Monday
		digest := f.applyFrom(t, s).Plans[0].Digest
		if _, err := history.Open(f.store, "test").Rulings().Approve(t.Context(), ruling.Approval{Environment: "prod", Digest: digest, By: "aiko", At: time.Now()}, f.tree.Environments[0].Calendar); err != nil {
			t.Fatal(err)
		}
		f.applyFrom(t, s)
		if len(f.newest()) != 1 {
			t.Fatalf("%d versions are published on Monday", len(f.newest()))
		}
		time.Sleep(5*24*time.Hour + 14*24*time.Hour + 3*time.Hour) // a later Saturday, open
		result := f.applyFrom(t, s)
		if !result.Plans[0].Regions[0].Window.Open || len(f.behind(6)) != 4 {
			t.Errorf("open %v, without 6: %v", result.Plans[0].Regions[0].Window.Open, f.behind(6))
		}
	})
}

package round_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// awayShelf has archives of which some never come: whoever looks waits as long as it may.
type awayShelf struct {
	*shelf
	away  map[string]bool // by location
	looks map[string]int  // by location
}

func (s *awayShelf) Look(ctx context.Context, e desired.Environment, a state.Artifact) (state.Content, error) {
	s.looks[a.Location]++
	if s.away[a.Location] {
		<-ctx.Done()
		return state.Content{}, &state.Error{Op: "GetObject", Kind: state.Again, Message: "it did not come"}
	}
	return s.shelf.Look(ctx, e, a)
}

func (s *awayShelf) Open(ctx context.Context, e desired.Environment, a state.Artifact, found state.Content) (apply.Source, error) {
	return s.shelf.Open(ctx, e, a, found)
}

const wantedZip = "layers/common/1.6.0.zip"

func stalled(t *testing.T) (*fixture, *awayShelf) {
	f, s := publishing(t, 2)
	f.cache = round.NewCache()
	return f, &awayShelf{shelf: s, away: map[string]bool{wantedZip: true, "layers/common/1.7.0.zip": true, "new/1.6.0.zip": true}, looks: map[string]int{}}
}

// round makes a round as of a commit, and returns the code of its problem; empty = none.
func (s *awayShelf) round(t *testing.T, f *fixture, revision string) string {
	t.Helper()
	r := f.round()
	r.Artifacts, r.Revision = s, revision
	result, err := r.Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	region := result.Plans[0].Regions[0]
	if region.Failure != nil {
		t.Fatalf("%+v", region.Failure)
	}
	if len(region.Problems) == 0 {
		return ""
	}
	return region.Problems[0].Code
}

// An archive that is out of reach is not read in each round, for as long as a look has: at
// longer and longer intervals, an hour at most. Once it comes all goes on.
func TestAnArchiveOutOfReachIsNotReadForEver(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays rounds one after the other, as shorter stories do")
	synctest.Test(t, func(t *testing.T) {
		f, s := stalled(t)
		began, rounds := time.Now(), 0
		for time.Since(began) < 24*time.Hour {
			if code := s.round(t, f, "c0ffee"); code != desired.CodeArtifactUnread {
				t.Fatalf("problem %q", code)
			}
			rounds++
			time.Sleep(time.Minute)
		}
		if n := s.looks[wantedZip]; n < 24 || n > 40 {
			t.Errorf("read %d times in a day", n)
		}
		if rounds < 23*60 {
			t.Errorf("%d rounds in a day", rounds)
		}
		s.away = nil
		time.Sleep(time.Hour)
		if code := s.round(t, f, "c0ffee"); code != "" || f.behind(6) != nil {
			t.Errorf("problem %q, behind %v", code, f.behind(6))
		}
	})
}

// It is read at once when it is another archive, or a person asks for a retry; and not for
// anything else.
func TestAnArchiveIsReadAgainAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(t *testing.T, f *fixture, s *awayShelf) (revision string)
		location string
		again    bool
	}{
		"nothing":        {func(*testing.T, *fixture, *awayShelf) string { return "c0ffee" }, wantedZip, false},
		"another commit": {func(*testing.T, *fixture, *awayShelf) string { return "decaf" }, wantedZip, true},
		"another path": {func(_ *testing.T, f *fixture, _ *awayShelf) string {
			f.tree.Environments[0].Layers[0].Source.Location = "new/${VERSION}.zip"
			return "c0ffee"
		}, "new/1.6.0.zip", true},
		"another version": {func(_ *testing.T, f *fixture, _ *awayShelf) string {
			f.wantPublished("1.7.0")
			return "c0ffee"
		}, "layers/common/1.7.0.zip", true},
		"another SHA-256": {func(_ *testing.T, f *fixture, s *awayShelf) string {
			f.tree.Environments[0].Layers[0].Source.SHA256 = map[string]string{"1.6.0": sumOf(s.zips[wantedZip])}
			return "c0ffee"
		}, wantedZip, true},
		"a retry": {func(t *testing.T, f *fixture, _ *awayShelf) string {
			retry(t, f, "prod")
			return "c0ffee"
		}, wantedZip, true},
		"a retry of another environment": {func(t *testing.T, f *fixture, _ *awayShelf) string {
			retry(t, f, "dev")
			return "c0ffee"
		}, wantedZip, false},
		"a new process": {func(_ *testing.T, f *fixture, _ *awayShelf) string {
			f.cache = round.NewCache()
			return "c0ffee"
		}, wantedZip, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := stalled(t)
				for range 20 {
					s.round(t, f, "c0ffee")
					time.Sleep(time.Minute)
				}
				clear(s.looks)
				revision := c.change(t, f, s)
				s.round(t, f, revision)
				if got := s.looks[c.location] == 1; got != c.again {
					t.Errorf("read %v, want it read again: %v", s.looks, c.again)
				}
				s.round(t, f, revision)
				s.round(t, f, revision)
				if n := s.looks[c.location]; c.again && n > 2 {
					t.Errorf("read %d times in a row", n)
				}
			})
		})
	}
}

func retry(t *testing.T, f *fixture, environment string) {
	t.Helper()
	r := f.round()
	r.Artifacts = nil
	if _, err := r.Retry(t.Context(), round.Retry{Environment: environment, By: "aiko", Reason: "the bucket is back"}); err != nil {
		t.Fatal(err)
	}
}

// What AWS has refused to publish is tried again at once after a retry as well.
func TestARefusedPublishIsTriedAtOnceAfterARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := publishing(t, 2)
		f.cache = round.NewCache()
		full := answers(400, "CodeStorageExceededException")
		f.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == "PublishLayerVersion" {
				return full(c)
			}
			return awssim.Fault{}
		})
		for range 20 {
			f.applyFrom(t, s)
			time.Sleep(time.Minute)
		}
		f.world.OnCall(nil)
		if f.applyFrom(t, s); len(f.newest()) != 0 {
			t.Fatal("it did not wait")
		}
		retry(t, f, "prod")
		if f.applyFrom(t, s); len(f.newest()) != 1 || f.behind(6) != nil {
			t.Errorf("%d versions, behind %v", len(f.newest()), f.behind(6))
		}
	})
}

// An archive that takes all the time of a look keeps no other from its turn.
func TestAnArchiveThatStallsKeepsNoOtherFromItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := stalled(t)
		v, err := desired.ParseVersion("1.7.0")
		if err != nil {
			t.Fatal(err)
		}
		delete(s.away, "layers/common/1.7.0.zip")
		s.zips["layers/common/1.7.0.zip"] = zipOf("1.7.0")
		f.tree.Environments[0].Layers[0].Pins = []desired.Pin{{Version: v, Functions: []desired.Selector{{Name: "makoto-0001"}}}}
		for range 3 {
			s.round(t, f, "c0ffee")
		}
		if s.looks["layers/common/1.7.0.zip"] != 2 || s.looks[wantedZip] != 1 {
			t.Errorf("read %v", s.looks)
		}
	})
}

// What was not known of a retry, since the store is away, is none.
func TestAStoreThatIsAwayIsNoRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := stalled(t)
		retry(t, f, "prod")
		s.round(t, f, "c0ffee")
		away := storetest.Faulty(f.store, func(_ context.Context, c storetest.Call) storetest.Fault {
			if strings.HasPrefix(c.Key, "retried/") {
				return storetest.Fault{Before: errors.New("away")}
			}
			return storetest.Fault{}
		})
		for _, kept := range []store.Store{nil, away} {
			r := f.round()
			r.Artifacts, r.Store = s, kept
			if _, err := r.Plan(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s.looks[wantedZip] != 1 {
				t.Errorf("read %v", s.looks)
			}
		}
	})
}

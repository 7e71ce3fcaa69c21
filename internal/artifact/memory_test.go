package artifact_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// What cannot change is not read again: with versions one HEAD for each place, without
// one for each look, and one GET for all processes that share a store.
func TestWhatLookingCosts(t *testing.T) {
	dev, elsewhere := prod, prod
	dev.Name, elsewhere.Name, elsewhere.Account = "dev", "staging", "210987654321"
	for versioning, want := range map[string][]string{
		//            first look     again           same place      other account    a new process   and there again
		"Enabled":   {"1 HEAD, 1 GET", "0 HEAD, 0 GET", "0 HEAD, 0 GET", "1 HEAD, 0 GET", "1 HEAD, 0 GET", "0 HEAD, 0 GET"},
		"":          {"1 HEAD, 1 GET", "1 HEAD, 0 GET", "1 HEAD, 0 GET", "1 HEAD, 0 GET", "1 HEAD, 0 GET", "1 HEAD, 0 GET"},
		"Suspended": {"1 HEAD, 1 GET", "1 HEAD, 0 GET", "1 HEAD, 0 GET", "1 HEAD, 0 GET", "1 HEAD, 0 GET", "1 HEAD, 0 GET"},
	} {
		t.Run(versioning, func(t *testing.T) {
			f := newFixture("")
			f.world.PutBucket(awssim.Bucket{Name: bucket, Versioning: versioning, Policy: []awssim.BucketStatement{{Principal: "*", Action: "s3:*"}}})
			f.world.AddKey("THEIRS", elsewhere.Account, "")
			f.world.PutObject(bucket, key, plain("x = 1"))
			for i, step := range []func() state.Content{
				func() state.Content { return f.look(t, prod, common) },
				func() state.Content { return f.look(t, prod, common) },
				func() state.Content { return f.look(t, dev, common) },
				func() state.Content { return f.as(elsewhere, "THEIRS").look(t, elsewhere, common) },
				func() state.Content { f.restart(); return f.look(t, prod, common) },
				func() state.Content { return f.look(t, prod, common) },
			} {
				if found := step(); found.Code != "" {
					t.Errorf("step %d: %+v", i, found)
				}
				if got := f.calls(); got != want[i] {
					t.Errorf("step %d: %s, want %s", i, got, want[i])
				}
			}
		})
	}
}

// A bad archive is read once in a process, and pins nothing: it is to be replaced.
func TestABadArchiveIsReplaced(t *testing.T) {
	for _, versioning := range []string{"Enabled", ""} {
		f := newFixture(versioning)
		f.world.PutObject(bucket, key, []byte("no zip"))
		for range 3 {
			if found := f.look(t, prod, common); found.Code != "artifact_invalid" {
				t.Errorf("%+v", found)
			}
		}
		if got := f.calls(); got != "3 HEAD, 1 GET" {
			t.Error(got)
		}
		good := plain("x = 1")
		f.world.PutObject(bucket, key, good)
		if found := f.look(t, prod, common); found.Code != "" || found.SHA256 != hexOf(good) {
			t.Errorf("after it was replaced: %+v", found)
		}
	}
}

// What is written under the key of an archive since it was found good is another one:
// the one that was looked at stays, also for a process that comes later, as long as it
// is there and is what Git names.
func TestAnObjectIsPinned(t *testing.T) {
	first, second := plain("x = 1"), plain("x = 2")
	for name, c := range map[string]struct {
		versioning string
		sha256     string // in Git, from the second look on
		change     func(f *fixture, version string)
		want       []byte
	}{
		"versions":                    {versioning: "Enabled", want: first},
		"no versions":                 {versioning: "", want: second},
		"Git names the first":         {versioning: "Enabled", sha256: hexOf(first), want: first},
		"Git names the second":        {versioning: "Enabled", sha256: hexOf(second), want: second},
		"the first is gone":           {versioning: "Enabled", change: func(f *fixture, _ string) { f.world.DeleteObject(bucket, key); f.world.PutObject(bucket, key, second) }, want: second},
		"another version of a layer":  {versioning: "Enabled", want: first},
		"another runtime, same bytes": {versioning: "Enabled", want: first},
	} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted %v", name, restarted), func(t *testing.T) {
				f := newFixture(c.versioning)
				version := f.world.PutObject(bucket, key, first)
				was := f.look(t, prod, common)
				f.world.PutObject(bucket, key, second)
				if c.change != nil {
					c.change(f, version)
				}
				if restarted {
					f.restart()
				}
				if c.change != nil { // nobody looks whether it is still there before it is wanted
					if _, err := f.Open(t.Context(), prod, common, was); err == nil {
						t.Error("what is gone was opened")
					}
				}
				a := common
				a.SHA256 = c.sha256
				if strings.HasPrefix(name, "another runtime") {
					a.Runtimes = "python3.13"
				}
				if found := f.look(t, prod, a); found.SHA256 != hexOf(c.want) || found.Code != "" {
					t.Errorf("%+v", found)
				}
				if strings.HasPrefix(name, "another version") {
					a.Version = "1.5.0"
					if found := f.look(t, prod, a); found.SHA256 != hexOf(second) {
						t.Errorf("another version of the layer: %+v", found)
					}
				}
			})
		}
	}
	f := newFixture("Enabled")
	f.world.PutObject(bucket, key, first)
	a := common
	a.SHA256 = hexOf(second)
	if found := f.look(t, prod, a); found.Code != "artifact_changed" || !strings.Contains(found.Message, hexOf(first)) {
		t.Errorf("other content than Git names: %+v", found)
	}
}

// For publishing an archive is looked at once more.
func TestOpenIsWhatWasLookedAt(t *testing.T) {
	first, second := plain("x = 1"), plain("x = 2")
	for name, c := range map[string]struct {
		versioning string
		change     func(f *fixture)
		fails      bool
	}{
		"as it was":                   {versioning: "Enabled"},
		"as it was, no versions":      {},
		"replaced":                    {versioning: "Enabled", change: func(f *fixture) { f.world.PutObject(bucket, key, second) }},
		"replaced, no versions":       {change: func(f *fixture) { f.world.PutObject(bucket, key, second) }, fails: true},
		"the same bytes, no versions": {change: func(f *fixture) { f.world.PutObject(bucket, key, first) }},
		"deleted":                     {versioning: "Enabled", change: func(f *fixture) { f.world.DeleteObject(bucket, key) }, fails: true},
		"deleted, no versions":        {change: func(f *fixture) { f.world.DeleteObject(bucket, key) }, fails: true},
		"closed to us": {versioning: "Enabled", change: func(f *fixture) {
			f.world.PutBucket(awssim.Bucket{Name: bucket, Versioning: "Enabled", Policy: []awssim.BucketStatement{{Deny: true, Principal: "*", Action: "s3:*"}}})
		}, fails: true},
		"deleted, and another instead": {versioning: "Enabled", change: func(f *fixture) { f.world.DeleteObject(bucket, key); f.world.PutObject(bucket, key, second) }, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(c.versioning)
			f.world.PutObject(bucket, key, first)
			found := f.look(t, prod, common)
			if c.change != nil {
				c.change(f)
			}
			src, err := f.Open(t.Context(), prod, common, found)
			if c.fails {
				if state.KindOf(err) != state.LookAgain {
					t.Errorf("%+v, %v", src, err)
				}
				return
			}
			if err != nil || src.Bucket != bucket || src.Key != key || src.ObjectVersion != found.ObjectVersion || src.Zip != nil {
				t.Errorf("%+v, %v", src, err)
			}
		})
	}
}

// as returns the reader's fixture with the key of another account.
func (f *fixture) as(_ desired.Environment, accessKey string) *fixture {
	f.keys.Store(accessKey)
	return f
}

// The store has what was found good, a hundred archives of a layer at most, and a
// process that cannot write or read it looks itself.
func TestWhatIsRemembered(t *testing.T) {
	f := newFixture("Enabled")
	for i := range 150 {
		a := common
		a.Version, a.Location = fmt.Sprintf("1.%d.0", i), fmt.Sprintf("s3://%s/%d.zip", bucket, i)
		f.world.PutObject(bucket, fmt.Sprintf("%d.zip", i), plain(fmt.Sprint(i)))
		f.look(t, prod, a)
	}
	v, err := f.store.Get(t.Context(), store.Key("artifacts", "test", "common"))
	if err != nil || len(v.Data) > 40<<10 || strings.Count(string(v.Data), `"sha256"`) != 100 || !strings.Contains(string(v.Data), `"1.149.0"`) {
		t.Errorf("%d bytes, %v", len(v.Data), err)
	}
	for name, broken := range map[string]store.Store{"read-only": readOnly{f.store}, "damaged": damaged{f.store}} {
		f.store = broken
		f.restart()
		a := common
		a.Location = "s3://" + bucket + "/149.zip"
		if found := f.look(t, prod, a); found.Code != "" {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

type readOnly struct{ store.Store }

func (readOnly) Create(context.Context, string, []byte) (store.Revision, error) {
	return "", store.ErrReadOnly
}
func (readOnly) Replace(context.Context, string, store.Revision, []byte) (store.Revision, error) {
	return "", store.ErrReadOnly
}

type damaged struct{ store.Store }

func (damaged) Get(context.Context, string) (store.Value, error) {
	return store.Value{}, store.ErrCorrupt
}

// A store that fails for a moment unpins nothing: that another version of the object was
// looked at before is not known then, and nothing else may take its place.
func TestAStoreThatFailsUnpinsNothing(t *testing.T) {
	f := newFixture("Enabled")
	first := plain("x = 1")
	f.world.PutObject(bucket, key, first)
	f.look(t, prod, common)
	f.world.PutObject(bucket, key, plain("x = 2"))
	kept, broken := f.store, true
	f.store = storetest.Faulty(kept, func(context.Context, storetest.Call) storetest.Fault {
		if broken {
			return storetest.Fault{Before: errors.New("busy")}
		}
		return storetest.Fault{}
	})
	f.restart()
	if found, err := f.Look(t.Context(), prod, common); err == nil {
		t.Errorf("the store was not read, and what was looked at before is taken to be %s", found.SHA256)
	}
	broken = false
	if found := f.look(t, prod, common); found.SHA256 != hexOf(first) {
		t.Errorf("pinned again to %s", found.SHA256)
	}
}

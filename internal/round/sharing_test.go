package round_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

const partner, company = "210987654321", "o-abc123def4"

// layerShared is a fixture whose layer has five versions, one of which somebody has shared by
// hand; nothing is to be done to its functions.
func layerShared(t *testing.T, with ...string) *fixture {
	f := newFixture(t, 2, awssim.Options{})
	f.want("1.4.0")
	f.world.SetGrants(f.world.LayerARN("common", 2), awssim.Grant{Sid: "by-hand", Principal: "333333333333"})
	f.sharesWith(with...)
	return f
}

func (f *fixture) sharesWith(with ...string) {
	w := &f.tree.Environments[0].Layers[0]
	w.Shared, w.ShareWith = true, nil
	for _, to := range with {
		w.ShareWith = append(w.ShareWith, desired.Share{Grant: state.NewGrant(to)})
	}
}

// grants returns the Sids on each version that has any.
func (f *fixture) grants() map[int64]string {
	all := map[int64]string{}
	for _, v := range f.world.LayerVersions("common") {
		var sids []string
		for _, g := range v.Grants {
			sids = append(sids, g.Sid)
		}
		slices.Sort(sids)
		if len(sids) > 0 {
			all[v.Number] = strings.Join(sids, " ")
		}
	}
	return all
}

// shared is what grants returns when all five versions have these, beside what is there
// by hand.
func shared(sids string) map[int64]string {
	all := map[int64]string{}
	for n := int64(1); n <= 5; n++ {
		if text := strings.TrimSpace(map[bool]string{true: "by-hand "}[n == 2] + sids); text != "" {
			all[n] = text
		}
	}
	return all
}

// calls counts what is asked of the policies of layer versions in do.
func (f *fixture) policyCalls(do func()) map[string]int {
	from := len(f.world.Calls())
	do()
	n := map[string]int{}
	for _, c := range f.world.Calls()[from:] {
		if strings.Contains(c.Operation, "LayerVersionP") {
			n[c.Operation]++
		}
	}
	return n
}

func (f *fixture) check(t *testing.T, want map[int64]string) {
	t.Helper()
	if diff := cmp.Diff(f.grants(), want); diff != "" {
		t.Errorf("grants (-have +want):\n%s", diff)
	}
}

// From the first share to the end: versions get their grants, a new one its own, what is
// taken back by hand comes again, what Git takes back goes, and what somebody else did
// stays. Nothing is asked for while nothing is to be done.
func TestSharing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := layerShared(t, partner, company)
		cache := round.NewCache()
		apply := func() round.Result {
			t.Helper()
			r := f.round()
			r.Cache = cache
			result, err := r.Apply(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return result
		}
		quiet := func(when string, apply func() round.Result) {
			t.Helper()
			if n := f.policyCalls(func() { apply() }); len(n) > 0 {
				t.Errorf("%s: %v", when, n)
			}
		}
		if n := statuses(apply()); n[plan.StatusApplied] != 10 || n[plan.StatusFailed] > 0 {
			t.Fatalf("results %v", n)
		}
		f.check(t, shared("layerd-210987654321 layerd-o-abc123def4"))
		apply() // looks at what was done
		quiet("a round with nothing to do", apply)
		quiet("another process", func() round.Result { return f.apply(t.Context()) })

		f.world.PutLayerVersion(awssim.LayerVersion{Name: "common", Description: "v1.6.0"})
		if n := f.policyCalls(func() { apply() }); !maps.Equal(n, map[string]int{"GetLayerVersionPolicy": 1, "AddLayerVersionPermission": 2}) {
			t.Errorf("for a new version %v", n)
		}
		want := shared("layerd-210987654321 layerd-o-abc123def4")
		want[6] = "layerd-210987654321 layerd-o-abc123def4"
		f.check(t, want)
		quiet("once it is shared", apply)

		f.world.SetGrants(f.world.LayerARN("common", 3))
		quiet("before anybody looks", apply)
		time.Sleep(6 * time.Hour)
		if r := apply(); statuses(r)[plan.StatusApplied] != 2 || r.Plans[0].Regions[0].Steps[0].Cause != plan.CauseDrift {
			t.Errorf("taken back by hand: %+v", r.Plans[0].Regions[0].Steps)
		}
		f.check(t, want)

		f.sharesWith(company)
		apply()
		want = shared("layerd-o-abc123def4")
		want[6] = "layerd-o-abc123def4"
		f.check(t, want)

		layers := f.tree.Environments[0].Layers
		f.tree.Environments[0].Layers = nil // the layer is gone from Git: it is managed no more
		time.Sleep(7 * time.Hour)
		apply()
		f.check(t, want)
		f.tree.Environments[0].Layers = layers
		layers[0].Shared, layers[0].ShareWith = false, nil // the key is
		apply()
		f.check(t, map[int64]string{2: "by-hand"})
		apply()
		quiet("without the key", apply)
	})
}

// Killed at any call about a policy, done or not, and with any answer lost: the next rounds
// come to what Git names, nothing of others is touched, and no record stays open.
func TestSharingIsKilled(t *testing.T) {
	for _, operation := range []string{"AddLayerVersionPermission", "RemoveLayerVersionPermission", "GetLayerVersionPolicy"} {
		for n := int32(1); n <= 5; n += 2 {
			for _, done := range []bool{false, true} {
				for _, dies := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s %d, done %v, dies %v", operation, n, done, dies), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							f := layerShared(t, partner)
							f.apply(t.Context())
							f.check(t, shared("layerd-210987654321"))
							f.sharesWith(company)
							if dies {
								f.killed(t, operation, n, done)
							} else {
								f.losesAnswer(t, operation, n, done)
							}
							for range 2 {
								time.Sleep(time.Minute)
								f.apply(t.Context())
							}
							f.check(t, shared("layerd-o-abc123def4"))
							open, err := history.Open(f.store, "test").Unfinished(t.Context())
							if err != nil || len(open) > 0 {
								t.Errorf("open: %+v, %v", open, err)
							}
							f.apply(t.Context())
							if n := f.policyCalls(func() { f.apply(t.Context()) }); len(n) > 0 {
								t.Errorf("then %v", n)
							}
							ends(t, f.store)
						})
					})
				}
			}
		}
	}
}

// losesAnswer plays a round in which the n-th answer of an operation is lost.
func (f *fixture) losesAnswer(t *testing.T, operation string, n int32, done bool) {
	var count int32
	f.world.OnCall(func(c awssim.Call) awssim.Fault {
		if c.Operation == operation {
			if count++; count == n {
				if done {
					return awssim.LostAnswer()
				}
				return awssim.Reset()
			}
		}
		return awssim.Fault{}
	})
	f.apply(t.Context())
	f.world.OnCall(nil)
}

// Where approvals are required, making a grant and taking one back wait for one, and
// making one again does not.
func TestSharingNeedsAnApproval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := layerShared(t, partner)
		f.apply(t.Context())
		f.world.SetGrants(f.world.LayerARN("common", 3))
		time.Sleep(7 * time.Hour)
		f.tree.Environments[0].ApprovalRequired = true
		f.sharesWith(partner, company)
		f.apply(t.Context())
		f.check(t, shared("layerd-210987654321")) // what was taken back by hand is there again
		approve := func() {
			t.Helper()
			r := f.apply(t.Context())
			_, err := history.Open(f.store, "test").Rulings().Approve(t.Context(), ruling.Approval{
				Environment: "prod", Digest: r.Plans[0].Digest, By: "sato", At: time.Now()}, window.Calendar{})
			if err != nil {
				t.Fatal(err)
			}
			f.apply(t.Context())
		}
		approve()
		f.check(t, shared("layerd-210987654321 layerd-o-abc123def4"))
		f.sharesWith(company)
		f.apply(t.Context())
		f.check(t, shared("layerd-210987654321 layerd-o-abc123def4"))
		approve()
		f.check(t, shared("layerd-o-abc123def4"))
	})
}

// A policy that may not be read stops nothing else, and is not asked for once a version.
func TestSharingIsDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := layerShared(t, partner)
		f.want("1.5.0")
		f.sharesWith(partner)
		f.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == "GetLayerVersionPolicy" {
				return awssim.Denied(c)
			}
			return awssim.Fault{}
		})
		var r round.Result
		n := f.policyCalls(func() { r = f.apply(t.Context()) })
		if n["GetLayerVersionPolicy"] > 5 || n["AddLayerVersionPermission"] > 0 || len(f.behind(5)) > 0 {
			t.Errorf("%v, behind %v", n, f.behind(5))
		}
		if !slices.ContainsFunc(r.Plans[0].Regions[0].Notes, func(n plan.Note) bool { return n.Code == "not_everything_read" }) {
			t.Errorf("notes %v", r.Plans[0].Regions[0].Notes)
		}
	})
}
